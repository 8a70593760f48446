"""The command line: what it prints, how it fails. `main` runs in this process, as users run it."""

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from amnl import __version__, cmapss
from amnl.cli.app import app
from amnl.cli.options import combiner_settings, parse_seeds
from amnl.cli.paths import check_target
from amnl.cmapss import errors
from amnl.combiners import names, settings_of
from amnl.study.protocol import family
from amnl.sweep import Progress, Store, grid
from amnl.training import RunResult, TrainConfig


@pytest.fixture(scope="module")
def folder(small_fleet: Path) -> Path:
    return small_fleet


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
    assert found["source"] == str(cmapss.find(folder))
    assert [row["train_engines"] for row in found["subsets"]] == [6] * 4
    assert [row["conditions"] for row in found["subsets"]] == [1, 6, 1, 6]


@pytest.mark.parametrize("name", names())
def test_every_combiner_trains_by_its_name(folder: Path, name: str) -> None:
    command = ("train", "--subset", "FD001", "--data-dir", folder, *SHORT, "--combiner", name)
    done = amnl(*command, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["config"]["combiner"] == name and found["metrics"]["test_rmse"] > 0


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
        (("--preset", "huge"), ("'huge'", "compact, ", "paper")),
        (("--combiner", "fixd"), ("'fixd'", "dwa, fixed, gaba")),
        (("--epochs", "0"), ("epochs", "positive", "0")),
        (("--batch-size", "-1"), ("batch_size", "positive", "-1")),
        (("--stride", "0"), ("stride", "positive")),
        (("--seed", "-1"), ("seed", "-1")),
        (("--lr", "nan"), ("lr", "positive", "nan")),
        (("--rul-unit", "inf"), ("rul_unit", "finite", "inf")),
        (("--lam", "0.3", "--setting", "rul_weight=1"), ("--lam 0.3", "--setting rul_weight=1")),
        (("--setting", "health_weight=x"), ("'fixed'", "health_weight", "a number", "'x'")),
        (("--setting", "rul_weight="), ("'fixed'", "rul_weight", "a number", "''")),
        (
            ("--combiner", "gaba", "--setting", "warmup=2.5"),
            ("'gaba'", "warmup", "a whole number", "'2.5'"),
        ),
        (
            ("--combiner", "amnl", "--setting", "beta=x"),
            ("--setting beta=x", "'amnl'", "beta", "a number", "'x'"),
        ),
        (
            ("--combiner", "amnl", "--setting", "normalise=max"),
            ("normalise", "'max'", "'ema'", "'batch'"),
        ),
        (("--combiner", "v7", "--setting", "a=1"), ("'v7'", "'a'", "none")),
        (("--device", "cuda"), ("'cuda'", "no NVIDIA GPU", "write cpu")),
        (("--device", "tpu"), ("'tpu'", "cpu, cuda or cuda:0")),
        (("--save", "-", "--json"), ("--json", "--save -", "standard output")),
        (("--save", "a.json", "--checkpoint", "a.json"), ("--checkpoint", "--save", "a.json")),
        (("--checkpoint", "-"), ("- is standard output", "./-")),
        (("--log-dir", "-"), ("- is standard output", "folder", "./-")),
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
    expect_one_line(done, arguments, words)
    assert not list(work.iterdir())


# What another machine could do is a failure, what no machine could do is wrong usage.
HERE = {"--data-dir", "--device", "--log-dir", "--history", "--store", "--out", "--emulate"}


def expect_one_line(done: Result, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    is_here = arguments[0] in HERE or (arguments[0] in OUTPUTS and len(arguments) == 2)
    assert done.exit_code == (1 if is_here else 2), done.output
    assert done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert message.startswith("error: ")
    assert all(word in message for word in words), message


OUTPUTS = {"--save", "--checkpoint", "--csv"}


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("rul_weight=1", 1.0),
        ("rul_weight=1e-1", 0.1),
        (" rul_weight = 0.25 ", 0.25),
        ("warmup=20", 20),
        ("normalise=batch", "batch"),
        ("smooth=yes", True),
        ("smooth=False", False),
        ("free=3", 3.0),
        ("free=true", True),
        ("free=word", "word"),
    ],
)
def test_a_setting_has_the_type_of_its_default(
    monkeypatch: pytest.MonkeyPatch, pair: str, value: object
) -> None:
    known = {"rul_weight": 0.5, "warmup": 100, "normalise": "ema", "smooth": False, "free": None}
    monkeypatch.setattr("amnl.combiners.settings_of", lambda name: known)
    (found,) = combiner_settings("any", None, [pair]).values()
    assert (found, type(found)) == (value, type(value))


def test_a_setting_that_is_no_truth_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amnl.combiners.settings_of", lambda name: {"smooth": True})
    with pytest.raises(ValueError, match="smooth of the combiner 'any' must be true or false"):
        combiner_settings("any", None, ["smooth=2"])


def special_files(folder: Path) -> dict[str, Path]:
    """What is not to be replaced by a result, and where a result cannot be."""
    os.mkfifo(folder / "fifo")
    (folder / "file").write_text("precious")
    (folder / "folder").mkdir()
    (folder / "link to nowhere").symlink_to(folder / "nowhere" / "file")
    (folder / "link to a device").symlink_to("/dev/null")
    return {path.name: path for path in folder.iterdir()} | {
        "device": Path("/dev/null"),
        "standard output": Path("/dev/stdout"),
        "in no folder": folder / "nowhere" / "file",
        "in a file": folder / "file" / "file",
        "too long": folder / ("n" * 300),
        "-": Path("-"),
    }


FILES = [
    ("train", "--save"),
    ("train", "--checkpoint"),
    ("report", "--csv"),
    ("report", "--history"),
    ("compare", "--figure"),
]
FOLDERS = [("train", "--log-dir"), ("sweep", "--store"), ("weigh", "--out"), ("data", "--emulate")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without FIFOs")
@pytest.mark.parametrize(
    ("command", "option", "target"),
    [
        *(
            (*of, target)
            for of in FILES
            for target in ("fifo", "folder", "link to nowhere", "link to a device", "device",
                           "standard output", "in no folder", "in a file", "too long")
        ),
        *(
            (*of, target)
            for of in FOLDERS
            for target in ("fifo", "file", "link to a device", "device", "in a file", "-")
        ),
        ("train", "--checkpoint", "-"),
        ("init", None, "-"),
        ("init", None, "folder"),
    ],
)  # fmt: skip
def test_no_output_replaces_what_it_should_not(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    option: str | None,
    target: str,
) -> None:
    """Told before anything is trained, by every option that names an output."""
    monkeypatch.chdir(tmp_path)
    path = special_files(tmp_path)[target]
    monkeypatch.setattr("amnl.training.train", lambda *_, **__: pytest.fail("it trained"))
    # Some targets are this machine's own, and root could replace them: a failure must not.
    monkeypatch.setattr(os, "replace", lambda *_: pytest.fail("it replaced the target"))
    before = sorted(tmp_path.rglob("*"))
    more = {
        "train": ("--data-dir", folder),
        "report": (Store(tmp_path.parent / f"{tmp_path.name}-store").folder,),
        "sweep": ("--data-dir", folder),
        "weigh": ("none.py",),
        "compare": ("none.csv", "--by", "method", "--score", "rmse"),
        "data": (),
        "init": (),
    }[command]
    done = amnl(command, *more, *([option] if option else []), path)
    assert done.exit_code == 1, done.output
    (message,) = done.stderr.splitlines()
    assert message.startswith("error: ") and (str(path) in message or target == "too long")
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "precious"


def test_a_link_to_a_file_and_a_file_that_is_there_are_good_targets(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    for path in (None, tmp_path / "file", tmp_path / "link", tmp_path / "new"):
        check_target(path)


@pytest.mark.parametrize("unit", ["1e-30", "1e-300"])
def test_a_unit_in_which_the_loss_overflows_is_named(folder: Path, unit: str) -> None:
    done = amnl("train", "--data-dir", folder, *SHORT, "--rul-unit", unit)
    assert done.exit_code == 1
    (message,) = done.stderr.splitlines()
    assert f"'rul_unit': {unit}" in message and "larger rul_unit" in message


def test_a_remaining_life_beyond_all_numbers_is_named(folder: Path, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree(folder, fleet)
    life, manifest = fleet / "RUL_FD001.txt", fleet / "emulated.json"
    text = life.read_text().splitlines()
    life.write_text("\n".join(["9" * 30, *text[1:], ""]))
    made = json.loads(manifest.read_text())
    made["sha256"]["RUL_FD001.txt"] = hashlib.sha256(life.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(made))
    done = amnl("train", "--data-dir", fleet, *SHORT)
    assert done.exit_code == 1
    (message,) = done.stderr.splitlines()
    assert "RUL_FD001.txt, line 1: '999" in message


def test_training_needs_no_cache_and_says_that_it_has_none(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("in the way")
    monkeypatch.setenv("AMNL_CACHE_DIR", str(blocked / "cache"))
    errors.note.cache_clear()  # each is said once in a process
    done = amnl("train", "--data-dir", folder, *SHORT)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.count("note: the cache cannot be written") == 1
    assert "AMNL_CACHE_DIR" in done.stderr
    assert blocked.read_text() == "in the way"


def test_emulate_writes_a_fleet_that_data_reads(tmp_path: Path) -> None:
    done = amnl("data", "--emulate", tmp_path / "fleet", "--seed", 1, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["source"] == str(cmapss.find(tmp_path / "fleet"))
    assert len(list((tmp_path / "fleet").glob("*.txt"))) == 12


def finished(
    config: TrainConfig, test_rmse: float = 14.25, data: str = "emulated fleet, seed 3"
) -> RunResult:
    """A result as a sweep on the `folder` fixture would keep it, of made-up numbers."""
    history = [
        {"epoch": n, "val_rmse": 15.0 + config.seed / n, "rul_weight": 0.5, "health_weight": 0.5}
        for n in (1, 2)
    ]
    predictions = {"rul": [7.0, 125.0]}
    provenance = {"data": data}
    return RunResult(config, {"test_rmse": test_rmse}, history, predictions, provenance)


def test_a_dry_run_counts_and_trains_nothing(folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    settings = {"epochs": 2, "batch_size": 32, "stride": 10}
    here = str(cmapss.find(folder))
    store.put(finished(grid(("FD001",), [1], **settings)[0], data=here))  # λ = 0.5
    command = ("sweep", "--store", store.folder, "--data-dir", folder, *SHORT, "--workers", 2)
    command = (*command, "--subsets", "FD001,FD003", "--lams", "0.3,0.5", "--seeds", 3, "--dry-run")
    done = amnl(*command, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["cells"], found["finished"], found["workers"]) == (12, 1, 2)
    assert 0 < found["seconds"] < 600
    assert 1e7 < found["memory"] < 1e11  # bytes, of two processes
    assert len(store) == 1
    shown = amnl(*command)
    assert "nothing was trained" in shown.stdout and " 11 " in shown.stdout


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", [0, 1, 2]),
        (" 3 ", [0, 1, 2]),
        ("4-9", [4, 5, 6, 7, 8, 9]),
        ("4 - 6", [4, 5, 6]),
        ("0,5", [0, 5]),
        ("0, 5", [0, 5]),
        ("7-7", [7]),
    ],
)
def test_seeds(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("arguments", "field", "values"),
    [
        (("--subsets", "fd001"), "subset", {"FD001"}),
        (("--subsets", "FD001, fd003"), "subset", {"FD001", "FD003"}),
        (("--subsets", "ALL"), "subset", {"FD001", "FD002", "FD003", "FD004"}),
        (("--rul-units", "1, 125"), "rul_unit", {1.0, 125.0}),
        (("--seeds", "0, 5"), "seed", {0, 5}),
        (("--seeds", "7-7"), "seed", {7}),
        (("--family", "A"), "epochs", {40}),
    ],
)
def test_a_list_may_have_spaces_and_a_name_any_case(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    field: str,
    values: set[object],
) -> None:
    asked: list[TrainConfig] = []

    def run(cells: list[TrainConfig], *_: object, **__: object) -> Progress:
        asked.extend(cells)
        return Progress(total=len(cells))

    monkeypatch.setattr("amnl.sweep.run", run)
    done = amnl("sweep", "--store", tmp_path / "runs", "--data-dir", folder, *arguments)
    assert done.exit_code == 0, done.output
    assert {getattr(cell, field) for cell in asked} == values


def test_train_takes_a_subset_in_lower_case_and_a_device(folder: Path) -> None:
    done = amnl(
        "train", "--data-dir", folder, *SHORT, "--subset", " fd003", "--device", "cpu", "--json"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["config"]["subset"] == "FD003"
    lines = done.stderr.splitlines()  # no bar: this is no terminal
    assert [line[:12] for line in lines] == ["epoch 1 of 2", "epoch 2 of 2"], done.stderr


def test_save_to_standard_output_is_the_result_and_nothing_else(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = amnl("train", "--data-dir", folder, *SHORT, "--save", "-")
    assert done.exit_code == 0, done.output
    assert len(RunResult.from_dict(json.loads(done.stdout)).history) == 2
    assert not Path("-").exists()


def test_help_lists_each_combiner_with_its_settings_and_their_defaults() -> None:
    for command in ("train", "sweep"):
        done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
        shown = " ".join(done.stdout.split())
        for name in names():
            known = settings_of(name).items()
            listed = ", ".join(f"{key}={default}" for key, default in known) or "no settings"
            assert f"{name}: {listed}" in shown


def test_the_version() -> None:
    done = amnl("--version")
    assert (done.exit_code, done.stdout) == (0, f"amnl {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seeds", "x"), ("--seeds", "'x'", "4-9")),
        (("--seeds", "0"), ("--seeds", "'0'")),
        (("--seeds", "9-4"), ("--seeds", "'9-4'")),
        (("--seeds", "1,"), ("--seeds", "'1,'")),
        (("--seeds", "-3"), ("--seeds", "'-3'")),
        (("--seeds", "0,-1"), ("seed", "-1")),
        (("--seeds", "0,4294967296"), ("seed", "4294967296")),
        (("--epochs", "0"), ("epochs", "positive")),
        (("--lr", "nan"), ("lr", "nan")),
        (("--workers", "0"), ("--workers 0", "at least one")),
        (("--workers", "-2"), ("--workers -2", "at least one")),
        (("--combiner", "dwa", "--setting", "temperature=x"), ("'dwa'", "temperature", "'x'")),
        (("--device", "cuda:0"), ("'cuda:0'", "no NVIDIA GPU")),
        (("--lams", "0.3;0.5"), ("--lams", "'0.3;0.5'", "commas")),
        (("--lams", "1.5"), ("lam", "1.5", "[0, 1]")),
        (("--rul-units", "cycles"), ("--rul-units", "'cycles'", "commas")),
        (("--rul-units", "0"), ("rul_unit", "0.0", "positive")),
        (("--subsets", "FD009"), ("'FD009'", "FD001, FD002, FD003, FD004")),
        (("--combiner", "fixd"), ("'fixd'", "dwa, fixed, gaba")),
        (("--preset", "huge"), ("'huge'", "compact, ", "paper")),
        (("--family", "z"), ("'z'", "a, b, c, d, e, f, g, h")),
        (("--data-dir", "nowhere"), ("nowhere", "AMNL_DATA_DIR")),
    ],
)
def test_a_bad_sweep_is_named_before_it_starts(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    store = tmp_path / "runs"
    done = amnl("sweep", "--store", store, "--data-dir", folder, *arguments)
    expect_one_line(done, arguments, words)
    assert not list(store.glob("*/*"))


def test_a_benchmark_of_no_rounds_is_refused(folder: Path) -> None:
    done = amnl("bench", "--data-dir", folder, "--rounds", 0)
    assert (done.exit_code, done.stderr) == (2, "error: --rounds 0: at least one is wanted\n")


def test_a_report_says_the_same_twice(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for cell in grid(("FD001", "FD002"), range(3)):
        store.put(finished(cell))
    tables = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for table in tables:
        done = amnl("report", store.folder, "--csv", table, "--json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        assert (found["rows"], found["missing"], found["failed"]) == (6, 0, [])
    assert tables[0].read_bytes() == tables[1].read_bytes()
    assert len(tables[0].read_text().splitlines()) == 7


def test_a_report_averages_like_with_like(tmp_path: Path) -> None:
    """Seeds alone are averaged: not other sample weights, nor settings that no column shows."""
    store = Store(tmp_path / "runs")
    for cell in grid(("FD001",), range(2)):
        store.put(finished(cell, 10.0 + 2 * cell.seed))
        store.put(finished(dataclasses.replace(cell, sample_weighted=False), 20.0))
        store.put(finished(dataclasses.replace(cell, epochs=5), 30.0))
    done = amnl("report", store.folder)
    assert done.exit_code == 0, done.output
    for mean in ("11.00 ± 1.41", "20.00 ± 0.00", "30.00 ± 0.00"):
        assert mean in done.stdout, done.stdout


def test_a_report_tells_apart_two_rules_of_one_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for cell in grid(("FD001",), [0], [("uncertainty", {}), ("uncertainty", {"speed": 25.0})]):
        store.put(finished(cell, 10.0))
    done = amnl("report", store.folder)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("speed=25.0") == 1


def test_a_report_of_histories_has_a_row_an_epoch(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for cell in grid(("FD001",), range(4), [("dwa", {}), ("fixed", {})]):
        store.put(finished(cell))
    table = tmp_path / "epochs.csv"
    done = amnl("report", store.folder, "--seeds", "1,3", "--history", table, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] == 4
    rows = pd.read_csv(table)
    cells = rows.groupby(["combiner", "seed"])
    assert set(cells.groups) == {("dwa", 1), ("dwa", 3), ("fixed", 1), ("fixed", 3)}
    kept = cells.get_group(("dwa", 3))[["epoch", "val_rmse"]]
    assert kept.to_numpy().tolist() == [[1, 18.0], [2, 16.5]]


def test_a_report_of_histories_tells_apart_what_only_a_stride_tells(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for stride in (4, 8):
        store.put(finished(TrainConfig(stride=stride)))
    table = tmp_path / "epochs.csv"
    done = amnl("report", store.folder, "--history", table, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["history"] == str(table)
    assert pd.read_csv(table).stride.tolist() == [4, 4, 8, 8]


def test_a_report_writes_both_files_or_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    store.put(finished(TrainConfig()))
    good, bad = tmp_path / "rows.csv", tmp_path / "nowhere" / "epochs.csv"
    done = amnl("report", store.folder, "--csv", good, "--history", bad)
    assert done.exit_code == 1 and "make it first" in done.stderr
    assert not good.exists()


def test_a_report_counts_what_a_family_lacks(folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    of_the_family, of_another = family("a")[:2], family("d")[0]
    data = str(cmapss.find(folder))
    for cell in (*of_the_family, of_another):
        store.put(finished(cell, data=data))
    store.put_failure(family("a")[2], data, ValueError("no luck"))
    store.put_failure(family("b")[2], data, ValueError("not asked for"))
    done = amnl("report", store.folder, "--family", "a", "--data-dir", folder, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["rows"], found["missing"]) == (2, 438)
    assert [failure["error"] for failure in found["failed"]] == ["no luck"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), ("nowhere: no such store", "amnl sweep --store nowhere")),
        (("runs", "--family", "z"), ("'z'", "a, b, c, d, e, f, g, h")),
        (("runs", "--csv", "nowhere/rows.csv"), ("nowhere/rows.csv", "make it first")),
        (("runs",), ("FD001-seed0", "damaged", "Delete it")),
    ],
)
def test_a_report_that_cannot_be_made_is_named(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("runs")
    cell = TrainConfig()
    store.put(finished(cell))
    if arguments == ("runs",):
        path = store.path(cell, "emulated fleet, seed 3")
        path.write_bytes(path.read_bytes().replace(b"14.25", b"14.26"))
    done = amnl("report", *arguments, "--data-dir", folder)
    assert done.exit_code == (2 if "--family" in arguments else 1)
    (message,) = done.stderr.splitlines()
    assert all(word in message for word in words), message
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("more", [(), ("--family", "a"), ("--csv", "out.csv"), ("--json",)])
def test_a_report_on_what_is_no_store_leaves_it_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("thesis").mkdir()
    Path("thesis/chapter.tex").write_text("precious")
    done = amnl("report", "thesis", "--data-dir", folder, *more)
    assert done.exit_code == 1 and "thesis: no such store" in done.stderr
    assert sorted(Path().rglob("*")) == [Path("thesis"), Path("thesis/chapter.tex")]


@pytest.mark.parametrize("options", [("--family", "a"), ("--seeds", "5-6"), ()])
@pytest.mark.parametrize("output", ["--csv", "--history"])
def test_a_report_of_nothing_leaves_a_file_alone(
    folder: Path, tmp_path: Path, options: tuple[str, ...], output: str
) -> None:
    store, table = Store(tmp_path / "runs"), tmp_path / "rows.csv"
    if options:
        store.put(finished(TrainConfig()))  # no cell of the family, nor of those seeds
    table.write_text("precious")
    done = amnl("report", store.folder, output, table, *options, "--data-dir", folder)
    assert done.exit_code == 1
    (message,) = done.stderr.splitlines()
    assert "none of the cells asked for" in message and str(table) in message
    assert table.read_text() == "precious"


@pytest.mark.parametrize("output", ["--csv", "--history"])
def test_a_report_to_standard_output_is_the_table_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "runs")
    store.put(finished(TrainConfig()))
    assert amnl("report", store.folder, output, "kept.csv").exit_code == 0
    done = amnl("report", store.folder, output, "-")
    assert done.exit_code == 0 and done.stdout == Path("kept.csv").read_text()
    assert not Path("-").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--csv", "-", "--json"), "--json and --csv - both write to standard output"),
        (("--history", "-", "--json"), "--json and --history - both write to standard output"),
        (("--csv", "-", "--history", "-"), "--csv and --history both write to -"),
        (("--csv", "a.csv", "--history", "./a.csv"), "--csv and --history both write to a.csv"),
        (("--seeds", "9-4"), "--seeds '9-4'"),
    ],
)
def test_a_report_with_two_outputs_in_one_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "runs")
    store.put(finished(TrainConfig()))
    done = amnl("report", store.folder, *arguments)
    assert done.exit_code == 2 and done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert words in message
    assert not Path("a.csv").exists()
