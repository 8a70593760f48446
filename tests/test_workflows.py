"""Files that other people's machines read follow their public schemas (no network needed)."""

import subprocess
import sys
from pathlib import Path

import pages
import pytest

WORKFLOWS = sorted((pages.ROOT / ".github" / "workflows").glob("*.yml"))


def complaints(schema: str, *files: Path) -> str:
    """What the schema says against some files; empty when they follow it."""
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *files],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_workflows_follow_the_schema() -> None:
    assert {path.stem for path in WORKFLOWS} == {"test", "publish", "weekly"}
    assert complaints("github-workflows", *WORKFLOWS) == ""


def test_citation_follows_the_schema() -> None:
    assert complaints("citation-file-format", pages.ROOT / "CITATION.cff") == ""


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (
            "github-workflows",
            "on: push\njobs: {test: {runs-on: ubuntu-latest, step: []}}\n",
        ),
        ("citation-file-format", "cff-version: 1.2.0\ntitle: t\nmessage: m\n"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, schema: str, text: str) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(text)
    assert "wrong.yml" in complaints(schema, wrong)
