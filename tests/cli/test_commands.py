"""The commands around the checks: `make`, `.ci/run`, and those that CONTRIBUTING.md tells."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pages
import pytest

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@needs_make
@pytest.mark.parametrize(
    ("status", "shown"), [(0, "new"), (1, "new"), (2, "old"), (3, "old"), (130, "old")]
)
def test_a_run_of_the_tests_that_was_stopped_is_not_shown(
    tmp_path: Path, status: int, shown: str
) -> None:
    shutil.copy2(pages.ROOT / "Makefile", tmp_path)
    for file in ("pyproject.toml", "constraints.txt"):
        (tmp_path / file).touch()
    for name in ("ruff", "mypy", "lint-imports"):
        script(tmp_path / ".venv" / "bin" / name, "true")
    script(
        tmp_path / ".venv" / "bin" / "python",
        'for word; do case $word in --junitxml=*) echo new > "${word#*=}";; esac; done\n'
        f"exit {status}",
    )
    (tmp_path / ".venv" / "installed").touch()
    report = tmp_path / "_build" / "reports" / "tests.xml"
    report.parent.mkdir(parents=True)
    report.write_text("old\n")
    done = subprocess.run(["make", "test"], cwd=tmp_path, capture_output=True, timeout=60)
    assert (done.returncode == 0) == (status == 0)
    assert report.read_text() == f"{shown}\n"


VERDICTS = {
    "plain": "======== 3 passed, 1 skipped in 0.1s ========",
    "coloured": "\033[32m======== \033[32m\033[1m3 passed\033[0m\033[32m in 0.1s ========\033[0m",
    "none": "tests: all is well",
}


@pytest.mark.skipif(sys.platform == "win32", reason="a script for bash")
@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("fails", ["", "test", "emulated-plain"])
def test_continuous_integration_ends_as_its_commands_do(
    tmp_path: Path, verdict: str, fails: str
) -> None:
    script(
        tmp_path / "bin" / "make",
        f"test $1 != test || printf '%s\\n' '{VERDICTS[verdict]}'\ntest $1 != '{fails}'",
    )
    script(tmp_path / "bin" / "chromium", "true")
    shutil.copytree(pages.ROOT / ".ci", tmp_path / ".ci")
    done = subprocess.run(
        [tmp_path / ".ci" / "run"],
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode == 0) == (not fails), done.stderr
    if not fails and verdict != "none":
        assert done.stdout.splitlines()[-1] == VERDICTS[verdict]


@pytest.mark.skipif(shutil.which("sed") is None, reason="no sed")
def test_pins_are_written_as_every_index_has_them() -> None:
    """As CONTRIBUTING.md says."""
    text = (pages.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    command = re.search(r"pip freeze --exclude-editable(.*?)> constraints.txt", text)
    assert command, "how constraints.txt is written"
    frozen = "torch==2.13.0+cpu\nnumpy==2.4.6\njupyter-book==1.0.4.post1\n"
    done = subprocess.run(
        ["sh", "-c", f"cat {command[1]}"], input=frozen, capture_output=True, text=True, check=True
    )
    assert done.stdout == "torch==2.13.0\nnumpy==2.4.6\njupyter-book==1.0.4.post1\n"


OF_THE_CALLER = {
    "AMNL_REPOSITORY": "https://github.com/someone/a-fork",
    "AMNL_SITE": "https://someone.github.io/a-fork",
    "AMNL_RECORD_CHECKS": "checks",
    "FORCE_COLOR": "1",
    "TTY_COMPATIBLE": "1",
    "COLUMNS": "20",
    "PYTHONWARNINGS": "error",
}


@pytest.mark.parametrize("name", OF_THE_CALLER)
def test_the_tests_do_not_hang_on_the_callers_settings(name: str) -> None:
    code = f"import conftest, os; print(os.environ.get('{name}'), os.environ['AMNL_CACHE_DIR'])"
    environment = {**os.environ, name: OF_THE_CALLER[name], "AMNL_CACHE_DIR": "/kept"}
    environment["PYTHONPATH"] = os.pathsep.join([str(pages.ROOT / "tests"), str(pages.ROOT)])
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["None", "/kept"], done.stderr


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("book/machines.py 05", "there is no '05'; there are 00-lambda-explorer, 01-"),
        ("book/machines.py --machines abacus", "there is no 'abacus'; there are native, "),
        ("ci/jobs.py publish", "no job publish; there are "),
        ("book/pages.py mine 05", "no page '05'; there are 00-lambda-explorer, 01-"),
        ("book/pages.py sync 05", "no page '05': book/05.md does not exist"),
    ],
)
def test_a_name_that_a_tool_does_not_know_is_told(tool: str, words: str) -> None:
    name, *arguments = tool.split()
    done = subprocess.run(
        [sys.executable, pages.ROOT / "tools" / name, *arguments],
        env={**os.environ, "PYTHONPATH": str(pages.ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(words)
