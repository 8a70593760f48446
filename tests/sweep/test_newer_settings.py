"""Families that came after the first records, and the settings that older records lack."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sweep_cells import SOURCE, finished
from typer.testing import CliRunner

from amnl import cmapss, task_losses
from amnl.cli.app import app
from amnl.cmapss import emulator
from amnl.runs.records import sealed
from amnl.study.protocol import family
from amnl.sweep import Store, config_of, to_history, to_rows
from amnl.training import NEWER, RunResult, TrainConfig, Trainer, recorded
from amnl.training.model import LADDER

pytestmark = pytest.mark.usefixtures("own_cache")

SMALL = TrainConfig(epochs=3, warmup_epochs=1, batch_size=64, stride=8)
OTHER: dict[str, Any] = {  # a value of each newer setting
    "nudge": 1e-6,
    "auxiliary": "fault",
    "optimiser": "sgd",
    "engines": 5,
    "window": 20,
    "cap": 150.0,
    "degrading": 70.0,
    "critical": 20.0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small emulated fleet."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(folder, "FD001", seed=3, engines=10, test_engines=8)
    return folder


@pytest.fixture(scope="module")
def data(folder: Path, own_cache: None) -> cmapss.Data:
    return cmapss.load("FD001", SMALL.seed, folder, stride=SMALL.stride)


def of(config: TrainConfig) -> dict[str, Any]:
    """The settings in which a cell differs from the default."""
    default = dataclasses.asdict(TrainConfig())
    return {k: v for k, v in dataclasses.asdict(config).items() if v != default[k]}


# --------------------------------------------------------------------------------------- the cells


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("m", "FD001-seed0-770a63fadda30773"),
        ("n", "FD001-seed10-696a8e1494414eec"),
        ("o", "FD001-seed0-b606d88cd1bd5ad1"),
        ("p", "FD003-seed0-40b623ff4d48d45e"),
        ("q", "FD001-seed0-64f36e14e6bdcf4e"),
    ],
)
def test_first_records_keep_their_names(name: str, record: str, tmp_path: Path) -> None:
    assert Store(tmp_path).path(family(name)[0], "NASA C-MAPSS").stem == record


def odds(config: TrainConfig) -> float:
    lam = config.combiner_settings["rul_weight"]
    return lam / (1 - lam) if lam < 1 else float("inf")


@pytest.mark.parametrize(
    ("name", "subsets", "wanted"),
    [
        ("m", 4, [0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 1, 10, float("inf")]),
        ("p", 2, [1e-3, 0.01, 0.1, 1, float("inf")]),
    ],
)
def test_families_over_odds(name: str, subsets: int, wanted: list[float]) -> None:
    cells = family(name)
    assert len({c.subset for c in cells}) == subsets and {c.rul_unit for c in cells} == {1.0}
    for c in cells:
        assert sum(c.combiner_settings.values()) == pytest.approx(1, abs=1e-15)
    for start in range(0, len(cells), len(wanted)):
        found = [odds(c) for c in cells[start : start + len(wanted)]]
        assert found == pytest.approx(wanted, rel=1e-11)
    assert {c.auxiliary for c in cells} == {"fault" if name == "p" else "health"}
    assert sum(c in family("a") for c in cells) == (80 if name == "m" else 0)


def test_family_q_is_four_sizes() -> None:
    cells = family("q")
    for size in LADDER:
        mine = [c for c in cells if c.preset == size]
        assert {(c.rul_unit, c.combiner_settings["rul_weight"]) for c in mine} == {
            (unit, lam) for unit in (1.0, 35.0) for lam in (0.1, 0.5, 0.9, 1.0)
        }
        assert {(c.subset, c.seed) for c in mine} == {("FD001", seed) for seed in range(10)}
        assert family("q", size) == mine
    assert {(c.epochs, c.stride) for c in cells} == {(40, 4)}


def test_family_n_is_more_seeds_of_a_and_b() -> None:
    cells = family("n")
    settings = {json.dumps({**of(c), "seed": 0}, sort_keys=True) for c in cells}
    known = {json.dumps({**of(c), "seed": 0}, sort_keys=True) for c in family("a") + family("b")}
    assert settings < known and len(settings) == 10
    assert {c.seed for c in cells if c.rul_unit == 1.0} == set(range(10, 25))
    assert {c.seed for c in cells if c.rul_unit == 125.0} == set(range(10, 17))
    assert {c.subset for c in cells if c.rul_unit == 125.0} == {"FD004"}


def test_family_o_is_family_a_nudged_both_ways() -> None:
    half = [c for c in family("a") if c.combiner_settings["rul_weight"] == 0.5]
    for nudge in (1e-6, -1e-6):
        mine = [c for c in family("o") if c.nudge == nudge]
        assert [dataclasses.replace(c, nudge=0.0) for c in mine] == half


# ------------------------------------------------------------------------------ newer settings


def test_each_newer_setting_is_tested() -> None:
    assert set(OTHER) == set(NEWER)


def as_before(result: RunResult) -> dict[str, Any]:
    """What an amnl without the newer settings would have written."""
    stored = result.to_dict()
    stored["config"] = {k: v for k, v in stored["config"].items() if k not in NEWER}
    return stored


def test_a_record_from_before_is_that_of_the_cell(tmp_path: Path) -> None:
    store, result = Store(tmp_path), finished()
    path = store.path(result.config, SOURCE)
    path.write_bytes(sealed(as_before(result)))
    assert store.load(path) == result and list(store) == [result]
    store.put(result)
    assert path.read_bytes() == sealed(as_before(result)), "and today's is the same"


@pytest.mark.parametrize("name", NEWER)
def test_a_newer_setting_has_a_record_of_its_own(name: str, tmp_path: Path) -> None:
    store, default = Store(tmp_path), finished()
    moved = finished(dataclasses.replace(default.config, subset="FD003"))
    moved.config = dataclasses.replace(moved.config, **{name: OTHER[name]})
    same = dataclasses.replace(default.config, subset="FD003")
    assert store.path(moved.config, SOURCE) != store.path(same, SOURCE)
    for result in (default, moved):
        store.put(result)
    assert {r.config.subset: r for r in store} == {"FD001": default, "FD003": moved}


@pytest.mark.parametrize("name", NEWER)
def test_rows_with_and_without_a_newer_setting(name: str, tmp_path: Path) -> None:
    default = finished(TrainConfig(subset="FD003"))
    moved = finished(dataclasses.replace(default.config, **{name: OTHER[name]}))
    plain, both = to_rows([default]), to_rows([default, moved])
    assert not set(NEWER) & set(plain) and set(NEWER) & set(both) == {name}
    assert set(both[name]) == {vars(TrainConfig())[name], OTHER[name]}
    assert not set(NEWER) & set(to_history([default])) and name in to_history([default, moved])
    both.to_csv(tmp_path / "both.csv", index=False)
    joined = pd.concat([plain, pd.read_csv(tmp_path / "both.csv")])
    found = [config_of(row) for _, row in joined.iterrows()]
    assert [found.count(c) for c in (default.config, moved.config)] == [2, 1]
    assert config_of(plain.iloc[0]) == default.config


@pytest.mark.parametrize("name", NEWER)
def test_a_failure_from_before_is_that_of_the_cell(name: str, folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    source = str(cmapss.find(folder))
    config = family("a")[0]
    moved = dataclasses.replace(config, subset="FD003", **{name: OTHER[name]})
    for failed in (config, moved):
        store.put_failure(failed, source, ValueError("no"))
    assert [f["config"] for f in store.failures() if name in f["config"]] == [
        recorded(dataclasses.asdict(moved))
    ]
    report = ["report", tmp_path, "--family", "a", "--data-dir", folder, "--json"]
    done = CliRunner().invoke(app, [str(part) for part in report])
    assert done.exit_code == 0, done.output
    assert [f["config"]["subset"] for f in json.loads(done.stdout)["failed"]] == ["FD001"]


# ------------------------------------------------------------------------------------------ a nudge


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(trainer.model.parameters()).double()


def test_a_nudge_moves_every_weight_by_its_share_and_nothing_else(data: cmapss.Data) -> None:
    size = 1e-3
    plain, up, again, down = (
        Trainer(dataclasses.replace(SMALL, nudge=nudge, dtype="float64"), data)
        for nudge in (0.0, size, size, -size)
    )
    start = weights(plain)
    moved = weights(up) / start - 1
    moved = moved[start != 0]
    torch.testing.assert_close(moved.abs(), torch.full_like(moved, size), rtol=1e-9, atol=0)
    assert 0.48 < (moved > 0).double().mean() < 0.52
    torch.testing.assert_close(weights(up) + weights(down), 2 * start, rtol=1e-14, atol=0)
    assert torch.equal(weights(up), weights(again))
    assert torch.equal(weights(up)[start == 0], start[start == 0])
    for trainer in (up, down):
        average = torch.nn.utils.parameters_to_vector(trainer.average.module.parameters())
        assert torch.equal(average.double(), weights(trainer)), "the average starts from them, too"
        assert torch.equal(trainer.order.get_state(), plain.order.get_state())
        for ours, theirs in zip(trainer.isolation.random, plain.isolation.random, strict=True):
            assert torch.equal(ours, theirs)


def test_a_seed_has_signs_of_its_own(data: cmapss.Data) -> None:
    patterns = []
    for seed in (0, 1):
        moved = dataclasses.replace(data, seed=seed)
        plain, up = (
            weights(Trainer(dataclasses.replace(SMALL, seed=seed, nudge=n), moved))
            for n in (0.0, 1e-3)
        )
        patterns.append(up.abs() > plain.abs())
    assert not torch.equal(*patterns)


def test_the_smallest_nudge_of_a_family_is_seen_in_float32(data: cmapss.Data) -> None:
    plain, *nudged = (
        weights(Trainer(dataclasses.replace(SMALL, nudge=n), data)) for n in (0.0, 1e-6, -1e-6)
    )
    for one in nudged:
        moved = (one / plain - 1)[plain != 0].abs()
        assert moved.min() > 0.9e-6 and moved.max() < 1.1e-6


def test_a_nudge_moves_the_result_and_no_nudge_does_not(data: cmapss.Data) -> None:
    def history(**settings: Any) -> list[dict[str, Any]]:
        result = Trainer(dataclasses.replace(SMALL, **settings), data).fit()
        return [{k: v for k, v in record.items() if k != "seconds"} for record in result.history]

    plain, none, up, down = (
        history(**s) for s in ({}, *({"nudge": n} for n in (-0.0, 1e-6, -1e-6)))
    )
    assert plain == none
    assert plain != up != down
    assert plain[0]["val_rmse"] == pytest.approx(up[0]["val_rmse"], rel=1e-3)


@pytest.mark.parametrize("nudge", [float("nan"), float("inf"), 0.011, -0.011, "a lot", None])
def test_a_nudge_out_of_place_is_named(nudge: Any) -> None:
    with pytest.raises(ValueError, match=rf"nudge must .*, got '?{nudge}"):
        TrainConfig(nudge=nudge)


# ----------------------------------------------------------------------------------- the fault mode

AT_END = {"compressor": (-1.0, 2.0), "fan": (4.0, -3.0)}  # of sensors 7 and 15


def engines_that_end(*ends: tuple[float, float]) -> cmapss.Windows:
    """Windows of engines of 40 cycles; sensors 7 and 15 stand at 9 until the last ten."""
    values = np.full((40 * len(ends), 17), 9.0, dtype=np.float32)
    s7, s15 = cmapss.FEATURES.index("s7"), cmapss.FEATURES.index("s15")
    for n, (at_7, at_15) in enumerate(ends):
        values[40 * n + 30 : 40 * n + 40, [s7, s15]] = at_7, at_15
    fleet = cmapss.Fleet(
        "FD003",
        "train",
        np.zeros((len(values), 24)),
        np.arange(0, len(values) + 1, 40),
        np.zeros(len(ends), dtype=np.int64),
    )
    return cmapss.windows(fleet, values, stride=3)


def test_fault_modes_by_hand() -> None:
    windows = engines_that_end(AT_END["fan"], AT_END["compressor"], AT_END["fan"])
    assert len(windows) == 12
    assert cmapss.fault_modes(windows).tolist() == [1] * 4 + [0] * 4 + [1] * 4


@pytest.mark.parametrize("end", [(-1.0, -3.0), (4.0, 2.0), (0.0, -1.0)], ids=str)
def test_sensors_that_disagree_are_named(end: tuple[float, float], data: cmapss.Data) -> None:
    windows = engines_that_end(AT_END["fan"], end)
    with pytest.raises(cmapss.DataError, match="engine 2 ends with sensor 7 at") as caught:
        cmapss.fault_modes(windows)
    assert f"{end[0]:+.2f} and sensor 15 at {end[1]:+.2f}" in str(caught.value)
    with pytest.raises(cmapss.DataError, match=r"train_FD001\.txt: engine 2 ends") as caught:
        cmapss.with_faults(dataclasses.replace(data, val=windows))
    assert len(str(caught.value).splitlines()) == 1


def test_an_engine_that_was_cut_off_has_no_fault_mode(data: cmapss.Data) -> None:
    windows = engines_that_end(AT_END["fan"], AT_END["compressor"])
    short = windows.true > np.where(windows.engine == 1, 3, -1)
    cut = {f.name: getattr(windows, f.name)[short] for f in dataclasses.fields(windows)
           if f.name not in ("values", "length")}  # fmt: skip
    with pytest.raises(ValueError, match="engine 2 does not run to failure"):
        cmapss.fault_modes(dataclasses.replace(windows, **cut))
    with pytest.raises(ValueError, match="does not run to failure"):
        cmapss.fault_modes(data.test)


@pytest.fixture(scope="module")
def two_faults(tmp_path_factory: pytest.TempPathFactory, own_cache: None) -> cmapss.Data:
    """A small emulated fleet of both."""
    folder = tmp_path_factory.mktemp("faults")
    emulator.write_fleet(folder, "FD003", seed=3, engines=25, test_engines=8)
    return cmapss.load("FD003", SMALL.seed, folder, stride=SMALL.stride)


FAULT = dataclasses.replace(
    SMALL,
    subset="FD003",
    auxiliary="fault",
    epochs=8,
    lr=1e-2,
    combiner_settings={"rul_weight": 1e-3, "health_weight": 1.0},
)


@pytest.mark.parametrize(("subset", "fan", "compressor"), [("FD003", 44, 56), ("FD004", 101, 148)])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.nasa
def test_the_engines_of_nasa_fail_in_two_ways(
    subset: str, fan: int, compressor: int, seed: int
) -> None:
    """In both parts, whichever engines the statistics are from."""
    data = cmapss.with_faults(cmapss.load(subset, seed, download=True, stride=8))
    modes = {
        int(engine): int(mode)
        for part in (data.train, data.val)
        for engine, mode in zip(part.engine, part.health, strict=True)
    }
    assert sorted(modes.values()) == [0] * compressor + [1] * fan


def test_labels_look_at_an_engines_own_end_alone(two_faults: cmapss.Data) -> None:
    """Other engines' values, and an engine's own but for the last ten cycles, do not matter."""
    val, modes = two_faults.val, cmapss.fault_modes(two_faults.val)
    last = val.last[np.append(np.diff(val.engine) != 0, True)]
    kept = (last[:, None] - np.arange(10)).flatten()
    values = np.full_like(val.values, np.nan)
    values[kept] = val.values[kept]
    assert set(modes) == {0, 1}
    assert np.array_equal(cmapss.fault_modes(dataclasses.replace(val, values=values)), modes)


def test_training_on_the_fault_changes_the_labels_alone(two_faults: cmapss.Data) -> None:
    health, fault = (
        Trainer(dataclasses.replace(FAULT, auxiliary=name), two_faults)
        for name in ("health", "fault")
    )
    assert torch.equal(weights(health), weights(fault))
    assert set(fault.train.health.tolist()) == {0, 1}
    assert torch.equal(fault.train.rul, health.train.rul)
    index = torch.arange(16)
    health.model.eval(), fault.model.eval()
    (a, of_health), (b, of_fault) = health.task_losses(index), fault.task_losses(index)
    assert torch.equal(a, b) and of_health != of_fault
    logits = fault.model(fault.train.inputs(index))[1]
    assert logits.shape == (16, 3)
    truth = torch.from_numpy(cmapss.fault_modes(two_faults.train)[:16])
    torch.testing.assert_close(of_fault, torch.nn.functional.cross_entropy(logits, truth))


def test_what_a_run_on_the_fault_tells(two_faults: cmapss.Data, tmp_path: Path) -> None:
    trainer = Trainer(FAULT, two_faults)
    result = trainer.fit(checkpoint=tmp_path / "run.pt")
    truth = cmapss.fault_modes(two_faults.val)
    _, last = trainer.predict(trainer.val)
    assert result.history[-1]["val_accuracy"] == (last == truth).mean()
    assert result.history[-1]["val_macro_f1"] == task_losses.macro_f1(last, truth)
    m, chosen = result.metrics, result.history[int(result.metrics["best_epoch"]) - 1]
    assert (m["fault_accuracy"], m["fault_macro_f1"]) == (
        chosen["val_accuracy"],
        chosen["val_macro_f1"],
    )
    scores = [r["val_macro_f1"] for r in result.history]
    assert m["fault_macro_f1_best"] == max(scores) > 0.6, "it learns"
    assert m["fault_best_epoch"] == scores.index(max(scores)) + 1
    of_the_head = {"health_accuracy", "health_macro_f1", "health_macro_f1_best", "test_macro_f1"}
    assert not of_the_head & (m.keys() | chosen.keys())
    assert m["health_macro_f1_rul"] == task_losses.macro_f1(
        cmapss.health_state(np.array(result.predictions["pred"])), two_faults.test.health
    )
    assert result.predictions.keys() == {"pred", "rul", "true"}
    assert RunResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert to_rows([result]).iloc[0].fault_macro_f1 == m["fault_macro_f1"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"subset": "FD001"}, "FD003 or FD004, got FD001"),
        ({"subset": "FD002"}, "FD003 or FD004, got FD002"),
        ({"auxiliary": "faults"}, "health or fault, got 'faults'"),
        ({"auxiliary": 1}, "auxiliary must be text, got 1"),
    ],
)
def test_an_auxiliary_out_of_place_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        dataclasses.replace(FAULT, **settings)
    assert len(str(caught.value).splitlines()) == 1


# ------------------------------------------------------------------------ health, told honestly


def test_health_is_scored_where_it_is_best(data: cmapss.Data, tmp_path: Path) -> None:
    """Each epoch's predictions, kept aside, give every figure; stopped and resumed, the same."""
    seen: list[tuple[Any, Any]] = []
    config = dataclasses.replace(SMALL, epochs=6, lr=1e-2)
    trainer = Trainer(config, data)
    keep = lambda _: seen.append((trainer.predict(trainer.val), trainer.predict(trainer.test)))  # noqa: E731
    result = trainer.fit(on_epoch=keep)
    f1, state = task_losses.macro_f1, cmapss.health_state
    for record, (val, test) in zip(result.history, seen, strict=True):
        assert record["val_accuracy"] == task_losses.accuracy(val[1], data.val.health)
        assert record["val_macro_f1"] == f1(val[1], data.val.health)
        assert record["val_macro_f1_rul"] == f1(state(val[0]), data.val.health)
        assert record["test_macro_f1"] == f1(test[1], data.test.health)
        assert record["test_macro_f1_rul"] == f1(state(test[0]), data.test.health)
    m, history = result.metrics, result.history
    by_head, by_rul = (
        [r[name] for r in history].index(max(r[name] for r in history))
        for name in ("val_macro_f1", "val_macro_f1_rul")
    )
    assert m["health_best_epoch"] == by_head + 1
    assert m["health_macro_f1_best"] == f1(seen[by_head][1][1], data.test.health)
    assert m["health_macro_f1_rul_best"] == f1(state(seen[by_rul][1][0]), data.test.health)
    chosen = np.array(result.predictions["pred"])
    assert m["health_macro_f1_rul"] == f1(state(chosen), data.test.health)
    assert m["best_epoch"] == 1 + min(range(6), key=lambda n: history[n]["val_rmse"])

    class Killed(Exception):
        pass

    def kill(record: dict[str, Any]) -> None:
        if record["epoch"] == 4:
            raise Killed

    with pytest.raises(Killed):
        Trainer(config, data).fit(checkpoint=tmp_path / "run.pt", on_epoch=kill)
    assert Trainer(config, data).fit(checkpoint=tmp_path / "run.pt").metrics == m


@pytest.mark.parametrize("auxiliary", ["health", "fault"])
@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_a_head_without_a_loss_is_scored_like_any(
    lam: float, auxiliary: str, two_faults: cmapss.Data
) -> None:
    settings = {"rul_weight": lam, "health_weight": 1 - lam}
    config = dataclasses.replace(FAULT, auxiliary=auxiliary, combiner_settings=settings)
    result = Trainer(config, two_faults).fit()
    assert all(np.isfinite(value) for value in result.metrics.values())


def test_rows_of_older_records_lack_the_newer_metrics() -> None:
    older, today = finished(TrainConfig()), finished(TrainConfig(seed=1))
    today.metrics |= {"health_macro_f1_best": 0.5}
    assert "health_macro_f1_best" not in to_rows([older])
    assert to_rows([older, today])["health_macro_f1_best"].isna().tolist() == [True, False]
