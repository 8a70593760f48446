"""`amnl train --model` and `amnl predict`."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from amnl.cli.app import app
from amnl.cmapss import errors
from amnl.training import RunResult

SHORT = ("--epochs", 2, "--stride", 10, "--batch-size", 32, "--preset", "compact-11k")


def amnl(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def place(small_fleet: Path, own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, the result of its training, and the fleet."""
    place = tmp_path_factory.mktemp("trained")
    (place / "fleet").symlink_to(small_fleet)
    command = ("train", "--data-dir", place / "fleet", *SHORT, "--model", place / "model")
    done = amnl(*command, "--cross", "--save", place / "run.json")
    assert done.exit_code == 0, done.output
    assert "model 5, loss" in done.stderr
    return place


@pytest.fixture(autouse=True)
def in_place(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors.note.cache_clear()
    monkeypatch.chdir(place)


def test_the_file_is_scored_as_the_trainer_scored_it() -> None:
    done = amnl("predict", "model", "fleet/test_FD001.txt", "--level", 0.8, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["level"], found["cap"], found["calibration"]) == (0.8, 125.0, "cross")
    rows = found["predictions"]
    expected = RunResult.load("run.json").predictions["pred"]
    assert np.abs(np.array([row["rul"] for row in rows]) - expected).max() <= 1e-6
    names = ["unit", "cycle", "rul", "low", "high", "interval", "health", "marks"]
    assert list(rows[0]) == names


def test_the_table_says_what_the_interval_promises() -> None:
    done = amnl("predict", "model", "fleet/test_FD001.txt", "--level", 0.8)
    assert done.exit_code == 0, done.output
    told = " ".join(done.stdout.split())
    assert "80 % interval" in told and "80 % of new engines, at a moment drawn" in told
    assert "judged by 6 engines that did not train (cross)" in told


def test_too_few_engines_for_the_level_are_told() -> None:
    """crepes issue 6, MAPIE issue 974."""
    done = amnl("predict", "model", "fleet/test_FD001.txt")
    assert done.exit_code == 0, done.output
    assert "9 are needed at 90 %, and 19 at 95 %" in done.stderr
    assert "no bound" in done.stdout


def test_rows_go_to_a_file_and_to_a_pipe() -> None:
    command = ("predict", "model", "fleet/test_FD002.txt", "--every", 20, "--out")
    written, piped = amnl(*command, "rows.csv"), amnl(*command, "-")
    assert written.exit_code == piped.exit_code == 0, written.output + piped.output
    assert Path("rows.csv").read_text() == piped.stdout
    rows = pd.read_csv("rows.csv")
    assert rows.groupby("unit").cycle.diff().dropna().unique().tolist() == [20]
    assert rows.marks.str.contains("condition never seen").any()


REFUSED = {
    "no model": (1, ("predict", "fleet", "x.csv"), "fleet is no model: it has no model.json"),
    "no folder": (1, ("predict", "nowhere", "x.csv"), "nowhere: there is no such folder"),
    "no file": (1, ("predict", "model", "x.csv"), "x.csv: there is no such file"),
    "a percentage": (2, ("predict", "model", "x.csv", "--level", 90), "such as 0.9, not 90"),
    "two outputs": (2, ("predict", "model", "x.csv", "--json", "--out", "-"), "take one"),
    "its own file": (
        1, ("predict", "model", "fleet/test_FD001.txt", "--out", "fleet/test_FD001.txt"),
        "--out fleet/test_FD001.txt would replace",
    ),
    "the model's": (
        1, ("predict", "model", "fleet/test_FD001.txt", "--out", "model/model.json"),
        "--out model/model.json would replace",
    ),
    "another's folder": (
        1, ("train", "--data-dir", "fleet", *SHORT, "--model", "."), "is no model's folder"
    ),
    "other settings": (
        1, ("train", "--data-dir", "fleet", *SHORT, "--model", "model", "--lr", 0.1),
        "training-0.pt: the checkpoint's lr is 0.001, this run's is 0.1",
    ),
    "two checkpoints": (
        2, ("train", *SHORT, "--model", "m", "--checkpoint", "c"), "leave --checkpoint out"
    ),
    "nothing to judge": (2, ("train", *SHORT, "--cross"), "name its folder with --model"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_said_in_one_line(case: str) -> None:
    status, command, expected = REFUSED[case]
    before = sorted(p.name for p in Path().iterdir())
    done = amnl(*command)
    assert done.exit_code == status, done.output
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(p.name for p in Path().iterdir()) == before
