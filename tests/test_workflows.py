"""Files that other people's machines read follow their public schemas (no network needed)."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pages
import pytest
import yaml

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


def steps(workflow: str, job: str) -> list[dict[str, Any]]:
    text = (pages.ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text()
    return yaml.safe_load(text)["jobs"][job]["steps"]


def test_the_book_is_published_with_its_address() -> None:
    done = steps("publish", "build")
    build = next(i for i, step in enumerate(done) if step.get("run") == "make html")
    source = "${{ steps.pages.outputs.base_url }}"
    assert done[build]["env"]["AMNL_SITE"] == source
    assert "configure-pages" in next(s["uses"] for s in done[:build] if s.get("id") == "pages")


def test_links_to_other_sites_are_checked_weekly() -> None:
    commands = [step.get("run", "") for step in steps("weekly", "newest")]
    check = next(i for i, command in enumerate(commands) if "--builder linkcheck" in command)
    assert "make book" in commands[:check]  # it stages what the check reads
    assert " _build/src " in commands[check]


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
