"""The command line: what it prints, how it fails. `main` runs in this process, as users run it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from amnl import simulate
from amnl.cli import app
from amnl.train import RunResult


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    for subset in ("FD001", "FD002", "FD003", "FD004"):
        simulate.write_fleet(folder, subset, seed=3, engines=6, test_engines=4)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMNL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("AMNL_DATA_DIR", raising=False)


def amnl(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


SHORT = ("--epochs", 2, "--stride", 10, "--batch-size", 32)


def test_data_as_json(folder: Path) -> None:
    done = amnl("data", "--data-dir", folder, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["source"] == "emulated fleet, seed 3"
    assert [row["train_engines"] for row in found["subsets"]] == [6] * 4
    assert [row["conditions"] for row in found["subsets"]] == [1, 6, 1, 6]


def test_data_table_names_the_source(folder: Path) -> None:
    done = amnl("data", "--data-dir", folder)
    assert done.exit_code == 0, done.output
    assert "emulated fleet, seed 3" in done.stdout


def test_train_prints_a_summary_and_saves_the_result(folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / "run.json"
    done = amnl("train", "--data-dir", folder, *SHORT, "--lam", 0.3, "--save", saved)
    assert done.exit_code == 0, done.output
    assert "41,700 parameters" in done.stdout
    result = RunResult.load(saved)
    assert result.config.combiner_settings == {"rul_weight": 0.3, "health_weight": 0.7}
    assert f"{result.metrics['test_rmse']:.3f}" in done.stdout


def test_train_as_json_resumes(folder: Path, tmp_path: Path) -> None:
    command = ("train", "--data-dir", folder, *SHORT, "--json", "--checkpoint", tmp_path / "run.pt")
    first, second = amnl(*command), amnl(*command)
    assert first.exit_code == second.exit_code == 0, first.output + second.output
    assert json.loads(first.stdout)["metrics"] == json.loads(second.stdout)["metrics"]


def test_train_with_a_combiner_and_its_settings(folder: Path) -> None:
    command = ("train", "--data-dir", folder, *SHORT, "--json", "--combiner", "amnl")
    done = amnl(*command, "--setting", "normalise=batch", "--setting", "rul_weight=0.6")
    assert done.exit_code == 0, done.output
    settings = json.loads(done.stdout)["config"]["combiner_settings"]
    assert settings == {"normalise": "batch", "rul_weight": 0.6}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--lam", "1.5"), ("lam", "1.5", "[0, 1]")),
        (("--lam", "nan"), ("lam", "nan", "[0, 1]")),
        (("--subset", "FD009"), ("'FD009'", "FD001, FD002, FD003, FD004")),
        (("--preset", "huge"), ("'huge'", "paper, compact")),
        (("--combiner", "fixd"), ("'fixd'", "amnl, fixed, v7")),
        (("--combiner", "v7", "--lam", "0.5"), ("--lam", "'v7'")),
        (("--setting", "rul_weight"), ("name=value", "rul_weight")),
        (("--setting", "weight=1"), ("'weight'", "rul_weight, health_weight")),
        (("--lr", "0"), ("lr", "positive")),
        (("--save", "nowhere/run.json"), ("nowhere/run.json", "make it first")),
        (("--checkpoint", "nowhere/run.pt"), ("nowhere/run.pt", "make it first")),
        (("--save", "."), ("cannot be written as a file",)),
        (("--setting", "rul_weight=abc"), ("rul_weight", "abc")),
        (("--data-dir", "nowhere"), ("nowhere", "AMNL_DATA_DIR", "--download", "--emulate")),
    ],
)
def test_bad_input_is_named_and_nothing_is_left(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    done = amnl("train", "--data-dir", folder, *SHORT, *arguments)
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    message = " ".join(done.stderr.split())
    assert all(word in message for word in words), message
    assert not list(work.iterdir())


def test_unwritable_cache_fails_before_training(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("in the way")
    monkeypatch.setenv("AMNL_CACHE_DIR", str(blocked / "cache"))
    done = amnl("train", "--data-dir", folder, *SHORT)
    assert done.exit_code == 1
    assert "AMNL_CACHE_DIR" in done.stderr
    assert blocked.read_text() == "in the way"


def test_emulate_writes_a_fleet_that_data_reads(tmp_path: Path) -> None:
    done = amnl("data", "--emulate", tmp_path / "fleet", "--seed", 1, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["source"] == "emulated fleet, seed 1"
    assert len(list((tmp_path / "fleet").glob("*.txt"))) == 12
