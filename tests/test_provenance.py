"""Whose commit a result names: this project's or none."""

import subprocess
from pathlib import Path

import pytest

from amnl import provenance


def git(folder: Path, *arguments: str) -> None:
    name = ["-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True)


def repository(root: Path, *files: str, tracked: bool = True) -> Path:
    """With a file called train.py in the last named place."""
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('[project]\nname = "amnl"\n')
    (root / "thesis.tex").write_text("theirs")
    git(root, "init", "-q")
    git(root, "add", *(["."] if tracked else ["thesis.tex"]))
    git(root, "commit", "-qm", "first")
    return root / files[-1]


@pytest.mark.parametrize(
    ("files", "tracked", "ours"),
    [
        (["pyproject.toml", "amnl/provenance.py"], True, True),
        (["amnl/provenance.py"], True, False),  # a copy at their root
        (["pyproject.toml", "amnl/provenance.py"], False, False),  # unpacked into their root
        ([".venv/lib/site-packages/amnl/provenance.py"], False, False),
        ([".venv/lib/site-packages/amnl/provenance.py"], True, False),
        (["vendor/pyproject.toml", "vendor/amnl/provenance.py"], True, False),
    ],
)
def test_the_commit_is_this_projects_or_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: list[str],
    tracked: bool,
    ours: bool,
) -> None:
    monkeypatch.setattr(provenance, "__file__", str(repository(tmp_path, *files, tracked=tracked)))
    found = provenance.commit.__wrapped__()
    assert bool(found) == ours
    if ours:
        (tmp_path / "thesis.tex").write_text("changed")
        assert provenance.commit.__wrapped__() == f"{found}+"


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"])
def test_a_repository_that_the_environment_names_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As in a hook of theirs."""
    ours = repository(tmp_path / "ours", "pyproject.toml", "amnl/provenance.py")
    theirs = repository(
        tmp_path / "theirs", "pyproject.toml", "amnl/provenance.py", "more.py"
    ).parent
    monkeypatch.setattr(provenance, "__file__", str(ours))
    before = provenance.commit.__wrapped__()
    value = {"GIT_DIR": theirs / ".git", "GIT_WORK_TREE": theirs}.get(name, theirs / ".git/index")
    monkeypatch.setenv(name, str(value))
    assert provenance.commit.__wrapped__() == before != ""
