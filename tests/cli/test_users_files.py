"""A user's files: each output goes where it is said to and replaces nothing that is needed, and one
that cannot be written costs no result. What is printed is what was meant, letter by letter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import SHORT, amnl, finished

from amnl import cmapss, sweep
from amnl.study.protocol import family
from amnl.sweep import Progress, Store, grid
from amnl.training import TrainConfig
from amnl.weigh import template

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="homes, links and names of Unix")

MODULE = Path(template.__file__).read_text(encoding="utf-8").partition("\nif __na")[0]
MODULE += "\ntrain = tuple(column[:100] for column in train)\n"
QUICK = ("--seeds", 1, "--epochs", 1, "--lams", "0.3,0.7")


@pytest.fixture
def home(beside_a_fleet: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a fleet, a problem and a store; `~` is another folder."""
    monkeypatch.delenv("AMNL_DATA_DIR", raising=False)
    Path("mine.py").write_text(MODULE)
    Store("runs").put(finished(TrainConfig()))
    (beside_a_fleet / "home").mkdir()
    monkeypatch.setenv("HOME", str(beside_a_fleet / "home"))
    return beside_a_fleet


# ------------------------------------------------------------------------------------ one for each


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--save", "a", "--checkpoint", "a"), ("--checkpoint", "--save", "a")),
        (("train", "--save", "a", "--checkpoint", "sub/../a"), ("--checkpoint", "--save", "a")),
        (("train", "--save", "old", "--checkpoint", "hard link"), ("--checkpoint", "--save")),
        (("train", "--save", "old", "--checkpoint", "soft link"), ("--checkpoint", "--save")),
        (("train", "--save", "a", "--log-dir", "a"), ("--save", "--log-dir", "a")),
        (("train", "--checkpoint", "a", "--log-dir", "./a"), ("--checkpoint", "--log-dir", "a")),
        (("train", "--save", "own/train_FD001.txt"), ("--save", "own/train_FD001.txt", "is read")),
        (("train", "--save", "to the data"), ("--save", "own/RUL_FD001.txt", "is read")),
        (("report", "runs", "--csv", "old", "--history", "hard link"), ("--csv", "--history")),
        (("report", "runs", "--csv", "RECORD"), ("--csv", "cells", "is read")),
        (("report", "runs", "--history", "RECORD"), ("--history", "cells", "is read")),
        (("weigh", "mine.py", "--out", "runs/mine"), ("--store", "--out", "runs/mine")),
    ],
)
def test_two_things_in_one_place_are_refused_before_anything_is_made(
    home: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    (home / "sub").mkdir()
    (home / "old").write_text("precious")
    (home / "hard link").hardlink_to(home / "old")
    (home / "soft link").symlink_to("old")
    (home / "own").mkdir()
    for file in (home / "fleet").iterdir():
        (home / "own" / file.name).write_bytes(file.read_bytes())
    (home / "to the data").symlink_to("own/RUL_FD001.txt")
    (record,) = (home / "runs" / "cells").iterdir()
    given = [str(record) if word == "RECORD" else word for word in arguments]
    data = ("--data-dir", home / "own", *SHORT) if given[0] == "train" else ()
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    done = amnl(*given, *data)
    assert done.exit_code in (1, 2) and done.stdout == "", done.output
    (message,) = done.stderr.splitlines()
    assert message.startswith("error: ") and all(word in message for word in words), message
    after = {p: p.stat().st_mtime_ns for p in home.rglob("*") if "cache" not in p.parts}
    assert after == before


# ------------------------------------------------------------------------------------ where it goes


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (("train", "--save=~/a.json"), "home/a.json"),
        (("train", "--checkpoint=~/a.pt"), "home/a.pt"),
        (("train", "--log-dir=~/logs"), "home/logs"),
        (("data", "--emulate=~/fleet"), "home/fleet/train_FD001.txt"),
        (("sweep", "--store=~/runs", "--subsets", "FD001", "--seeds", 1), "home/runs/cells"),
        (("report", "runs", "--csv=~/a.csv"), "home/a.csv"),
        (("report", "runs", "--history=~/a.csv"), "home/a.csv"),
        (("report", "~/../runs", "--csv=a.csv"), "a.csv"),
        (("init", "~/a.py"), "home/a.py"),
        (("weigh", "~/../mine.py", "--store=~/kept", *QUICK), "home/kept/mine"),
        (("weigh", "mine.py", "--out=~/found", *QUICK), "home/found/figure.png"),
        (("weigh", "moves.py", "--out=found", *QUICK), "found/figure.png"),
        (("weigh", "moves.py", "--store=kept", *QUICK), "kept/moves"),
    ],
)
def test_a_home_and_a_relative_folder_are_those_of_the_user(
    home: Path, arguments: tuple[str, ...], made: str
) -> None:
    """`--save=~/a` comes as it is typed, and a module may change the working folder."""
    Path("moves.py").write_text(f"{MODULE}\nimport os\nos.chdir('home')\n")
    command, *_ = arguments
    more = ("--data-dir", "fleet", *SHORT) if command == "train" else ()
    if "--subsets" in arguments:
        more = ("--data-dir", "fleet", *SHORT, "--workers", 1)
    done = amnl(*arguments, *more)
    assert done.exit_code == 0, done.output
    assert (home / made).exists()
    assert not list(home.glob("~*")) and not list(home.glob("home/home"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--save=~no-such-user/a"),
        ("report", "~no-such-user"),
        ("data", "--emulate=~no-such-user"),
    ],
)
def test_a_home_of_nobody_is_named(home: Path, arguments: tuple[str, ...]) -> None:
    done = amnl(*arguments)
    assert done.exit_code == 1 and done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert message.startswith("error: ~no-such-user") and "Write the whole path" in message


# ---------------------------------------------------------------------- what is written in the end


def test_a_result_that_cannot_be_saved_is_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full by now costs neither the verdict nor the numbers."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("amnl.weigh.files.write_atomically", full)
    done = amnl("weigh", "mine.py", "--out", "found", *QUICK, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["runs"]
    assert done.stderr.splitlines()[-1].startswith("error: found cannot be written")
    assert "kept in runs/mine" in done.stderr

    monkeypatch.setattr("amnl.training.result.RunResult.save", full)
    done = amnl("train", "--data-dir", "fleet", *SHORT, "--save", "a.json", "--json")
    assert done.exit_code == 1 and "No space left" in done.stderr
    assert json.loads(done.stdout)["metrics"]["test_rmse"] > 0


@pytest.mark.parametrize(("store", "cells"), [("new", 0), ("new/er", 0), ("runs", 1), ("~/new", 0)])
def test_a_dry_run_makes_nothing(home: Path, store: str, cells: int) -> None:
    before = {path for path in home.rglob("*") if "cache" not in path.parts}
    options = ("--subsets", "FD001", "--seeds", 1, "--data-dir", "fleet", *SHORT, "--dry-run")
    done = amnl("sweep", f"--store={store}", *options, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["cells"] == 1
    assert {path for path in home.rglob("*") if "cache" not in path.parts} == before


LATE = """
import atexit, os, threading, time
atexit.register(lambda: print("printed at exit"))
atexit.register(lambda: os.write(1, b"written at exit"))
class Last:
    def __del__(self):
        os.write(1, b"written as it goes")
last = Last()
def linger():
    threading.main_thread().join()
    print("printed by a thread")
threading.Thread(target=linger).start()
"""


def test_what_a_module_prints_after_the_result_is_no_result(home: Path) -> None:
    Path("mine.py").write_text(MODULE + LATE)
    command = [sys.executable, "-m", "amnl", "weigh", "mine.py", *QUICK, "--json"]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runs"]
    for late in ("printed at exit", "written at exit", "printed by a thread", "as it goes"):
        assert late in done.stderr


# ------------------------------------------------------------------------------ letter by letter

NAMES = [":100:", "[red]a", "a[/]", "[bold]b[/bold]", "a\\", ":heavy_check_mark:"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_printed_as_they_are(home: Path, name: str) -> None:
    """Neither a picture nor a colour."""
    done = amnl("report", name)
    assert f"error: {name}: no such store" in done.stderr
    Path(name).mkdir(parents=True)
    (home / "runs" / "cells").parent.rename(home / name / "s")
    done = amnl("report", f"{name}/s")
    assert done.exit_code == 0 and f"{name}/s: 1 finished" in done.stdout
    done = amnl("init", f"{name}/x.py" if "\\" not in name else "x.py")
    assert done.exit_code == 0 and (f"wrote {name}/x.py" in done.stdout or "\\" in name)


def test_a_failed_cell_is_one_line_and_the_exit_status(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = grid(("FD001",), [1])[0]

    def failed(*_: object, **__: object) -> Progress:
        return Progress(1, 0, failed=[(cell, "FD001 seed 0 [λ] :100: diverged")])

    monkeypatch.setattr(sweep, "run", failed)
    done = amnl("sweep", "--data-dir", "fleet")
    assert done.exit_code == 1
    assert done.stderr == "failed: FD001 seed 0 [λ] :100: diverged\n"


# ------------------------------------------------------------------------------ like with like


def test_a_family_counts_the_failures_of_its_own_data(home: Path) -> None:
    store = Store("runs")
    store.put_failure(family("a")[0], "NASA C-MAPSS, 12 files, checksum 0", ValueError("elsewhere"))
    here = str(cmapss.find("fleet"))
    store.put_failure(family("a")[1], here, ValueError("here"))
    done = amnl("report", "runs", "--family", "a", "--data-dir", "fleet", "--json")
    assert [failure["error"] for failure in json.loads(done.stdout)["failed"]] == ["here"]


@pytest.mark.parametrize(
    ("changed", "seen"), [({"stride": 7}, "7"), ({"batch_size": 77}, "77"), ({"lr": 0.5}, "0.5")]
)
def test_lines_that_are_told_apart_look_apart(
    home: Path, changed: dict[str, float], seen: str
) -> None:
    (name,) = changed
    assert name.replace("_", " ") not in amnl("report", "runs").stdout
    Store("runs").put(finished(TrainConfig(**changed)))  # type: ignore[arg-type]
    shown = amnl("report", "runs").stdout
    assert seen in shown and name.split("_")[0] in shown


@pytest.mark.parametrize("of", [("weigh", "mine.py"), ("sweep", "--data-dir", "fleet")])
def test_workers_and_a_scheduler_are_one_too_many(home: Path, of: tuple[str, str]) -> None:
    done = amnl(*of, "--scheduler", "tcp://127.0.0.1:9", "--workers", 4)
    assert done.exit_code == 2 and done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert "--workers 4" in message and "--scheduler" in message
