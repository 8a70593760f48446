"""Other systems, consoles and ways to call: each is made here, in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pages
import pytest

from amnl import cmapss
from amnl.cli import streams
from amnl.sweep import Store, cost, grid
from amnl.training import RunResult
from amnl.weigh import template

SMALL = ("--stride", "10", "--batch-size", "32", "--epochs", "1", "--data-dir", "fleet")


@pytest.fixture
def work(beside_a_fleet: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a fleet and a store of two cells."""
    monkeypatch.setenv("PYTHONPATH", str(pages.ROOT))
    monkeypatch.delenv("AMNL_DATA_DIR", raising=False)
    store = Store("stored")
    for cell in grid(("FD001",), range(2)):
        history = [{"epoch": 1, "val_rmse": 15.0, "rul_weight": 0.5, "health_weight": 0.5}]
        source = {"data": str(cmapss.find("fleet"))}
        store.put(RunResult(cell, {"test_rmse": 14.0 + cell.seed}, history, {"rul": [7.0]}, source))
    return beside_a_fleet


def python(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **settings}, capture_output=True, timeout=200, encoding="utf-8",
        errors="replace",
    )  # fmt: skip


def amnl(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return python("-m", "amnl", *arguments, **settings)


# ---------------------------------------------------------------------------------- other systems

LACKING = """
import os, signal, sys
import psutil, locket  # on Linux they need what they would not on Windows
for name in {modules!r}:
    sys.modules[name] = None  # importing it fails
if {all!r}:
    del os.sched_getaffinity, signal.pthread_sigmask
"""
COMMANDS = """
import json, sys
from typer.testing import CliRunner
from amnl.cli.app import app
def amnl(*words):
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, (words, done.output, done.exception)
    return json.loads(done.stdout)
if __name__ == "__main__":
    small = {small!r}
    amnl("data", "--data-dir", "fleet")
    amnl("train", *small)
    cells = ("--subsets", "FD001", "--seeds", "2", "--store", "runs", "--workers", "2", *small)
    dry = amnl("sweep", *cells, "--dry-run")
    assert 1e8 < dry["memory"] < 1e11, dry
    if {all!r}:
        assert amnl("sweep", *cells)["done"] == 2
    assert amnl("report", "stored", "--csv", "rows.csv")["rows"] == 2
"""


@pytest.mark.parametrize("modules", [["resource"], ["resource", "fcntl", "pwd", "grp"]])
def test_every_command_runs_where_a_module_of_unix_is_missing(
    work: Path, modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last is as much of Windows as can be had here, and sweeps, too."""
    everything = len(modules) > 2
    (work / "lacking").mkdir()
    hook = work / "lacking" / "sitecustomize.py"  # workers lack them as well
    hook.write_text(LACKING.format(modules=modules, all=everything))
    script = work / "commands.py"
    script.write_text(COMMANDS.format(small=SMALL, all=everything))
    done = python(str(script), PYTHONPATH=os.pathsep.join([str(hook.parent), str(pages.ROOT)]))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("system", "factor"), [("linux", 1024), ("freebsd14", 1024), ("darwin", 1)]
)
def test_the_peak_of_memory_is_in_bytes(
    monkeypatch: pytest.MonkeyPatch, system: str, factor: int
) -> None:
    """macOS counts bytes, others KiB."""
    used = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: SimpleNamespace(ru_maxrss=700_000))
    monkeypatch.setitem(sys.modules, "resource", used)
    monkeypatch.setattr(sys, "platform", system)
    assert cost.peak_memory() == 700_000 * factor


BARE = """
import importlib.metadata as m, re, sys
def needs(name, found):
    if name not in found:
        try:
            lines = m.requires(name) or []
        except m.PackageNotFoundError:
            return found
        found.add(name)
        for line in lines:
            if "extra ==" not in line:
                needs(re.match(r"[\\w.-]+", line)[0].lower().replace("_", "-"), found)
    return found
there = set()
for name in ("torch", "numpy", "pandas", "scipy", "typer", "rich", "matplotlib", "pytest"):
    needs(name, there)
hidden = {
    module for module, owners in m.packages_distributions().items()
    if not {owner.lower().replace("_", "-") for owner in owners} & (there | {"amnl"})
}
assert {"nbformat", "jupytext", "yaml", "pooch", "dask", "distributed", "psutil"} <= hidden
class Hider:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        found = name.partition(".")[0] not in hidden
        return self.finder.find_spec(name, path, target) if found else None
sys.meta_path[:] = map(Hider, sys.meta_path)
import pytest
pytest.main(["-m", "gpu", "-q", "-p", "no:cacheprovider", "tests/training/test_gpu.py"])
import amnl.sweep as s
cells = s.grid(("FD001",), range(2), epochs=1, stride=10, batch_size=32)
print("swept", s.run(cells, s.Store(sys.argv[1]), data_dir=sys.argv[2], workers=0).done)
"""


def test_the_gpu_tests_start_with_few_packages(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All other packages are hidden. Here is no GPU, and saying so is as far as they get."""
    monkeypatch.chdir(pages.ROOT)
    settings = {"AMNL_TEST_GPU": "1", "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "200"}
    settings |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = python("-c", BARE, str(work / "runs"), str(work / "fleet"), **settings)
    written = (pages.ROOT / "tests" / "training" / "test_gpu.py").read_text()
    tests = written.count("\ndef test_") + 1  # one of them has two presets
    assert f"{tests} errors" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("AssertionError: AMNL_TEST_GPU=1, but PyTorch sees no GPU") >= tests
    assert "swept 2" in done.stdout, done.stderr


# ----------------------------------------------------------------------------------- other consoles


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "latin-1", "utf-8"])
def test_no_letter_of_the_package_is_too_much_for_a_console(encoding: str) -> None:
    streams.prepare()  # registers the replacements; pytest's own streams are left alone
    text = "".join(path.read_text(encoding="utf-8") for path in (pages.ROOT / "amnl").rglob("*.py"))
    shown = text.encode(encoding, "amnl").decode(encoding)
    assert shown.count("?") <= text.count("?") + 2, sorted({c for c in text if ord(c) > 127})
    assert "t₉é".encode("ascii", "amnl") == b"t9e"
    assert "\udcff?".encode(encoding, "amnl") == b"??"  # a path that is no text


@pytest.mark.parametrize(
    "console",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["cp1252", "ascii", "C"],
)
def test_a_console_without_greek_gets_the_verdict(work: Path, console: dict[str, str]) -> None:
    """And the table of a report, and JSON, in another console each."""
    if console.get("PYTHONIOENCODING") == "ascii":
        text = Path(template.__file__).read_text(encoding="utf-8")
        Path("mine.py").write_text(text, encoding="utf-8")
        done = amnl("weigh", "mine.py", "--seeds", "2", "--epochs", "1", **console)
        assert re.search(r"metric +smaller is better; \d", done.stdout)
    else:
        done = amnl("report", "stored", **console)
        assert "14.50 " in done.stdout and ("lambda" in done.stdout or "λ" in done.stdout)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "stream"),
    [
        (("report", "stored"), "stdout"),
        (("report", "stored", "--csv", "-"), "stdout"),
        (("train", "--help"), "stdout"),
        (("train", *SMALL, "--save", "run.json"), "both"),
    ],
)
def test_a_reader_who_leaves_stops_nothing(
    work: Path, command: tuple[str, ...], stream: str
) -> None:
    """As `head -1` does. What writes files writes them, with nobody to see its progress."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "amnl", *command], stdout=write,
        stderr=write if stream == "both" else subprocess.PIPE, text=True, timeout=200,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr or "") == (0, "")
    if "--save" in command:
        assert RunResult.load("run.json").metrics


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("command", [("--version",), ("report", "stored", "--json")])
def test_a_full_disk_behind_standard_output_is_told(work: Path, command: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "amnl", *command], stdout=full, stderr=subprocess.PIPE,
            text=True, timeout=200,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


def test_colours_are_asked_for_and_declined(work: Path) -> None:
    wrong = ("train", "--epochs", "0")
    coloured = re.compile(r"\x1b\[[\d;]*3\d")
    assert coloured.search(amnl(*wrong, FORCE_COLOR="1", NO_COLOR="").stderr)
    done = amnl(*wrong, FORCE_COLOR="1", NO_COLOR="1")
    assert done.returncode == 2 and not coloured.search(done.stderr)
    assert "epochs must be positive" in done.stderr


def test_a_log_has_lines_and_no_bar(work: Path) -> None:
    """FORCE_COLOR, as continuous integration sets it, makes no terminal of a log."""
    done = amnl("train", *SMALL, "--epochs", "3", FORCE_COLOR="1", NO_COLOR="")
    assert done.returncode == 0, done.stderr
    assert "\r" not in done.stderr and "\x1b[" not in done.stderr
    assert [line[:12] for line in done.stderr.splitlines()] == [
        f"epoch {n} of 3" for n in (1, 2, 3)
    ]


def test_a_shell_completes_commands(work: Path) -> None:
    bash = {"_AMNL_COMPLETE": "complete_bash", "COMP_WORDS": "amnl sw", "COMP_CWORD": "1"}
    assert amnl(**bash).stdout.split() == ["sweep"]
    assert "_AMNL_COMPLETE=complete_bash" in amnl(_AMNL_COMPLETE="source_bash").stdout
    assert "--install-completion" in amnl("--help").stdout


# ------------------------------------------------------------------------------------------ scripts

UNGUARDED = """
from amnl import sweep
cells = sweep.grid(("FD001",), range(2), epochs=1, stride=10, batch_size=32)
{call}
"""
CALL = 'sweep.run(cells, sweep.Store("runs"), workers=2, data_dir="fleet")'


@pytest.mark.parametrize(
    "call", [CALL, f"def main():\n    {CALL}\nmain()"], ids=["at the top", "in a function"]
)
def test_a_script_without_a_main_guard_gets_one_line(work: Path, call: str) -> None:
    Path("script.py").write_text(UNGUARDED.format(call=call))
    done = python("script.py")
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert 'if __name__ == "__main__":' in line
    assert len(Store("runs")) == 0


def test_a_script_with_a_main_guard_sweeps(work: Path) -> None:
    guarded = f'if __name__ == "__main__":\n    {CALL}'
    Path("script.py").write_text(UNGUARDED.format(call=guarded))
    done = python("script.py")
    assert (done.returncode, done.stderr, len(Store("runs"))) == (0, "", 2)
