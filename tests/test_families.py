"""Families that came after the first records, and the settings that older records lack."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from test_sweep import SOURCE, finished
from typer.testing import CliRunner

from amnl import cmapss
from amnl.cli.app import app
from amnl.cmapss import emulator
from amnl.runs.records import sealed
from amnl.sweep import Store, config_of, family, to_history, to_rows
from amnl.training import NEWER, RunResult, TrainConfig, Trainer, population, recorded

pytestmark = pytest.mark.usefixtures("own_cache")

SMALL = TrainConfig(epochs=3, warmup_epochs=1, batch_size=64, stride=8)
OTHER: dict[str, Any] = {"nudge": 1e-6}  # a value of each newer setting


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
        ("n", "FD001-seed10-696a8e1494414eec"),
        ("o", "FD001-seed0-b606d88cd1bd5ad1"),
    ],
)
def test_first_records_keep_their_names(name: str, record: str, tmp_path: Path) -> None:
    assert Store(tmp_path).path(family(name)[0], "NASA C-MAPSS").stem == record


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
        for ours, theirs in zip(trainer.alone.random, plain.alone.random, strict=True):
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

    plain, none, up, down = (history(**s) for s in ({}, {"nudge": -0.0}, OTHER, {"nudge": -1e-6}))
    assert plain == none
    assert plain != up != down
    assert plain[0]["val_rmse"] == pytest.approx(up[0]["val_rmse"], rel=1e-3)


@pytest.mark.parametrize("nudge", [float("nan"), float("inf"), 0.011, -0.011, "a lot", None])
def test_a_nudge_out_of_place_is_named(nudge: Any) -> None:
    with pytest.raises(ValueError, match=rf"nudge must .*, got '?{nudge}"):
        TrainConfig(nudge=nudge)


def test_a_population_has_no_nudges(data: cmapss.Data) -> None:
    config = dataclasses.replace(SMALL, nudge=1e-6)
    assert population.fits(SMALL) and not population.fits(config)
    with pytest.raises(ValueError, match=r"nudge 1e-06; train such cells one by one") as caught:
        population.Population([config], {0: data})
    assert len(str(caught.value).splitlines()) == 1
