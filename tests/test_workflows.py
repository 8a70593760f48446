"""Files that other people's machines read follow their public schemas (no network needed)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pages
import pytest
import yaml

WORKFLOWS = sorted((pages.ROOT / ".github" / "workflows").glob("*.yml"))
ADDRESS = "https://github.com/someone/a-fork"


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


def workflow(name: str) -> dict[str, Any]:
    text = (pages.ROOT / ".github" / "workflows" / f"{name}.yml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def steps(name: str, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow(name)["jobs"][job]["steps"]
    return found


def test_the_book_is_published_with_its_address() -> None:
    done = steps("publish", "build")
    build = next(i for i, step in enumerate(done) if step.get("run") == "make html")
    source = "${{ steps.pages.outputs.base_url }}"
    assert done[build]["env"]["AMNL_SITE"] == source
    assert "configure-pages" in next(s["uses"] for s in done[:build] if s.get("id") == "pages")


def test_what_is_published_was_tested_and_its_reports_are_kept() -> None:
    done = steps("publish", "build")
    commands = [step.get("run") for step in done]
    assert [c for c in commands if c] == ["make test", "make book", "make html"]
    kept = next(step for step in done if "upload-artifact@" in step.get("uses", ""))
    assert kept["if"] == "always()" and "_build/reports" in kept["with"]["path"]


def test_links_to_other_sites_are_checked_weekly() -> None:
    commands = [step.get("run", "") for step in steps("weekly", "newest")]
    check = next(i for i, command in enumerate(commands) if "--builder linkcheck" in command)
    assert "make book" in commands[:check]  # it stages what the check reads
    assert " _build/src " in commands[check]


def test_a_published_book_names_the_repository_it_came_from() -> None:
    address = "${{ github.server_url }}/${{ github.repository }}"
    assert workflow("publish")["env"]["AMNL_REPOSITORY"] == address


def test_one_job_may_write_and_the_pages_wait_for_it() -> None:
    publish = workflow("publish")
    jobs = publish["jobs"]
    assert publish["permissions"] == {"contents": "read"}
    writers = {name for name, job in jobs.items() if "contents" in job.get("permissions", {})}
    assert writers == {"notebooks"}
    assert writers < set(jobs["deploy"]["needs"])


def git(*arguments: str | Path, cwd: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_branch_of_the_buttons_holds_notebooks_that_install_from_it(tmp_path: Path) -> None:
    checkout, remote = tmp_path / "checkout", tmp_path / "remote"
    for folder in ("tools", "notebooks"):
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(pages.ROOT / folder, checkout / folder, ignore=ignored)
    git("init", "--quiet", "--bare", remote, cwd=tmp_path)
    git("init", "--quiet", cwd=checkout)
    git("remote", "add", "origin", remote, cwd=checkout)
    git("add", ".", cwd=checkout)
    author = ("-c", "user.name=Someone", "-c", "user.email=someone@example.org")
    git(*author, "commit", "--quiet", "--message", "A page", cwd=checkout)
    commands = [step.get("run", "") for step in steps("publish", "notebooks")]
    push = next(command for command in commands if "git push" in command)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "AMNL_REPOSITORY": ADDRESS}
    subprocess.run(["bash", "-e", "-c", push], cwd=checkout, env=environment, check=True)

    branch = yaml.safe_load((pages.ROOT / "_config.yml").read_text())["repository"]["branch"]
    for name in pages.page_names(pages.ROOT):
        pushed = git("show", f"{branch}:notebooks/{name}.ipynb", cwd=remote)
        assert pages.ADDRESS_LINE.format(ADDRESS) in pushed


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


@pytest.mark.parametrize("name", ["Makefile", "constraints.txt", ".binder/requirements.txt"])
def test_packages_come_from_wherever_the_reader_takes_them(name: str) -> None:
    assert "index-url" not in (pages.ROOT / name).read_text()
