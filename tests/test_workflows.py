"""Files that other people's machines read follow their public schemas, and a workflow's job has
what it needs (no network needed)."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import address
import jobs
import pages
import pytest
import yaml
from packaging.requirements import Requirement
from plain import write_plain
from shared import EVERY_PAGE

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
    assert {path.stem for path in WORKFLOWS} == {"test", "publish", "weekly", "jobs"}
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
    named = [
        step["run"].split("\n")[0]
        for job in ("build", "notebooks")
        for step in steps("publish", job)
        if step.get("env", {}).get("AMNL_REPOSITORY") == address
    ]
    assert named == ["make html", 'git config user.name "github-actions[bot]"']


def test_one_job_may_write_and_the_pages_wait_for_it() -> None:
    publish = workflow("publish")
    jobs = publish["jobs"]
    assert publish["permissions"] == {"contents": "read"}
    may = {name: job.get("permissions", {}).get("contents") for name, job in jobs.items()}
    writers = {name for name in may if may[name] == "write"}
    assert writers == {"notebooks"}
    assert writers < set(jobs["deploy"]["needs"])


# A job is a machine of its own: what it does not install, it does not have.


@pytest.mark.parametrize("name", jobs.jobs())
def test_what_is_tested_is_told_nothing_of_the_published_book(name: str) -> None:
    """The tests are about a checkout."""
    workflow, job = jobs.jobs()[name]
    for step in job["steps"]:
        if re.search(r"\b(make test|pytest|\.ci/run)\b", step.get("run", "")):
            told = {**workflow.get("env", {}), **job.get("env", {}), **step.get("env", {})}
            assert not [name for name in told if re.match("AMNL_(?!TEST_)", name)]


def test_the_weekly_run_takes_every_page_from_the_wheel() -> None:
    steps = jobs.jobs()["weekly/newest"][1]["steps"]
    (told,) = [step.get("env") for step in steps if step.get("run") == "make test"]
    assert told == {EVERY_PAGE: "1"}


def imported(file: Path) -> set[str]:
    """The modules that a tool and the tools beside it name anywhere, but for Python's own."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    beside = {name for name in found if (file.parent / f"{name}.py").is_file()}
    found -= beside | set(sys.stdlib_module_names)
    return found.union(*(imported(file.parent / f"{name}.py") for name in beside))


def with_dependencies(requirements: Iterable[str]) -> set[str]:
    """The distributions that pip would bring, as those that are installed here tell."""
    project = tomllib.loads((pages.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: set[str] = set()
    todo = [Requirement(requirement) for requirement in requirements]
    while todo:
        wanted = todo.pop()
        name, seen = re.sub(r"[-_.]+", "-", wanted.name).lower(), {"", *wanted.extras}
        if name in found and not wanted.extras:
            continue
        found.add(name)
        if name == project["name"]:
            extras = project["optional-dependencies"]
            brought = [*project["dependencies"], *(r for e in wanted.extras for r in extras[e])]
        else:
            try:
                brought = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                continue
        for requirement in map(Requirement, brought):
            if not requirement.marker or any(
                requirement.marker.evaluate({"extra": e}) for e in seen
            ):
                todo.append(requirement)
    return found


def what_pip_installs(command: str) -> list[str]:
    """The requirements in `pip install` lines for the Python that the job itself runs with."""
    found = []
    for line in re.findall(r"^(?:python -m )?pip install (.*)$", command, re.MULTILINE):
        words = re.sub(r"--constraint \S+|--?\S+(?= |$)", "", line).split()
        found += [re.sub(r"^\.(?=\[|$)", "amnl", word.strip("'\"")) for word in words]
    return found


def missing(job: dict[str, Any], tools: Path) -> dict[str, set[str]]:
    """Tool → modules that it names and that the job does not install before it calls it."""
    homes = importlib.metadata.packages_distributions()
    requirements: list[str] = []
    found = {}
    for step in job["steps"]:
        command = step.get("run", "")
        requirements += what_pip_installs(command)
        there = with_dependencies(requirements)
        for name in re.findall(r"^python tools/([\w/]+)\.py", command, re.MULTILINE):
            lacking = {
                module
                for module in imported(tools / f"{name}.py")
                if not {re.sub(r"[-_.]+", "-", h).lower() for h in homes.get(module, ())} & there
            }
            if lacking:
                found[Path(name).name] = lacking
    return found


@pytest.mark.parametrize("name", jobs.jobs())
def test_a_tool_that_a_job_calls_imports_what_the_job_installs(name: str) -> None:
    _, job = jobs.jobs()[name]
    assert missing(job, pages.ROOT / "tools") == {}


@pytest.mark.parametrize(
    ("commands", "lacking"),
    [
        # The publish workflow's, before it was noticed that it could never publish.
        (
            [
                "python -m pip install --constraint constraints.txt jupytext nbconvert",
                "python tools/book/pages.py fill\ngit push",
            ],
            {"pages": {"amnl", "papermill"}},
        ),
        (["pip install papermill jupytext", "python tools/book/pages.py"], {"pages": {"amnl"}}),
        (["python tools/book/pages.py", "pip install '.[book]'"], {"pages": {"amnl", "yaml"}}),
        (["python -m pip install --editable '.[book]'", "python tools/book/pages.py html"], {}),
        (["python -m venv .venv\n.venv/bin/pip install '.[book]'", "python tools/book/pages.py"],
         {"pages": {"amnl", "jupytext"}}),
        (["python tools/book/address.py"], {}),
        (["python tools/ci/jobs.py"], {"jobs": {"yaml"}}),
        (["pip install pyyaml\npython tools/ci/jobs.py"], {}),
    ],
)  # fmt: skip
def test_a_job_that_lacks_what_its_tool_imports_is_seen(
    commands: list[str], lacking: dict[str, set[str]]
) -> None:
    found = missing({"steps": [{"run": c} for c in commands]}, pages.ROOT / "tools")
    assert found.keys() == lacking.keys()
    assert all(modules <= found[tool] for tool, modules in lacking.items()), found


def test_the_branch_of_the_buttons_holds_the_plain_notebooks(tmp_path: Path) -> None:
    """The job's commands run as they are written, beside the notebooks that its page offers."""
    build, push = steps("publish", "build"), steps("publish", "notebooks")
    uploads = [s["with"] for s in build if "upload-artifact@" in s.get("uses", "")]
    taken = [s["with"] for s in push if "download-artifact@" in s.get("uses", "")]
    given = next(upload for upload in uploads if upload["name"] == taken[0]["name"])
    assert given["path"] == "_build/html/_sources/notebooks" and len(taken) == 1

    checkout, remote = jobs.check_out(pages.ROOT, tmp_path)
    site, home = "https://someone.github.io/a-fork", f"https://github.com/{jobs.FORK}"
    address.fill_notebooks(checkout, home)
    write_plain(checkout, checkout / taken[0]["path"], site, home)
    for step in push:
        if "run" in step:
            environment = {**os.environ, **jobs.filled(step["env"])}
            subprocess.run(
                ["bash", "-e", "-c", step["run"]], cwd=checkout, env=environment, check=True
            )
    branch = yaml.safe_load((pages.ROOT / "_config.yml").read_text())["repository"]["branch"]
    for name in pages.page_names(pages.ROOT):
        pushed = jobs.git("show", f"{branch}:notebooks/{name}.ipynb", cwd=remote)
        assert address.ADDRESS_LINE.format(home) in pushed
        assert ":::" not in pushed


def small_checkout(folder: Path, *commands: str) -> Path:
    (folder / ".github" / "workflows").mkdir(parents=True)
    job = {"runs-on": "ubuntu-latest", "steps": [{"run": command} for command in commands]}
    text = yaml.safe_dump({"on": "push", "env": {"PLACE": "${{ github.repository }}"},
                           "jobs": {"only": job}})  # fmt: skip
    (folder / ".github" / "workflows" / "small.yml").write_text(text)
    jobs.git("init", "--quiet", cwd=folder)
    return folder


@pytest.mark.parametrize(
    ("commands", "ends_well"),
    [
        (["python -c 'import json'", 'test "$PLACE$AMNL_DATA_DIR" = someone/a-fork'], True),
        (["python -c 'import numpy'"], False),
        (["false\ntrue"], False),
        (["jupytext --version"], False),
    ],
)
def test_a_job_has_what_it_installs_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[str], ends_well: bool
) -> None:
    monkeypatch.setenv("AMNL_DATA_DIR", "somewhere")
    monkeypatch.setenv("PYTHONPATH", str(Path(pytest.__file__).parent.parent))
    (tmp_path / "work").mkdir()
    root = small_checkout(tmp_path / "root", *commands)
    assert jobs.run("small/only", root, tmp_path / "work") is ends_well


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ({"runs-on": "ubuntu-latest", "steps": [{"run": "true"}]}, None),
        ({"runs-on": "ubuntu-latest", "steps": [{"uses": "a/b@v1"}]}, "GitHub's alone"),
        (
            {"runs-on": "ubuntu-latest",
             "steps": [{"uses": "actions/download-artifact@v4"}, {"run": "true"}]},
            "another job",
        ),
        (
            {"runs-on": "ubuntu-latest", "steps": [{"run": "python tools/ci/jobs.py"}]},
            "this script",
        ),
        pytest.param(
            {"runs-on": "windows-latest", "steps": [{"run": "true"}]}, "windows-latest",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="it is run there"),
        ),
    ],
)  # fmt: skip
def test_a_job_that_is_not_run_says_why(job: dict[str, Any], reason: str | None) -> None:
    told = jobs.left_out(job)
    assert told is None if reason is None else reason in (told or "")


def test_every_job_is_run_where_it_can_be() -> None:
    """By its own workflow on every change, or as written before it is needed."""
    as_written = workflow("jobs")["jobs"]["as-written"]["strategy"]["matrix"]["job"]
    can = {name for name, (_, job) in jobs.jobs().items() if jobs.left_out(job) is None}
    assert set(as_written) == {name for name in can if not name.startswith("test/")}


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
    assert "://" not in (pages.ROOT / name).read_text()


def test_a_pin_is_one_that_every_index_has() -> None:
    """A local version, such as `+cpu`, is of one index alone, and no other machine finds it."""
    pins = (pages.ROOT / "constraints.txt").read_text().splitlines()
    assert [pin for pin in pins if "+" in pin or "@" in pin or "==" not in pin] == []
