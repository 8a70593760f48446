"""A finished run, and its file."""

import json
from pathlib import Path

import pytest
from small_runs import ONE, SMALL, Stranger, comparable

from amnl import cmapss
from amnl.combiners import FixedWeightLoss
from amnl.training import (
    RunResult,
    Trainer,
)


@pytest.fixture(scope="module")
def data(ten_engines: Path, own_cache: None) -> cmapss.Data:
    return cmapss.load("FD001", SMALL.seed, ten_engines, stride=SMALL.stride)


def test_result_survives_json(data: cmapss.Data, tmp_path: Path) -> None:
    result = Trainer(SMALL, data).fit()
    result.save(tmp_path / "run.json")
    assert RunResult.load(tmp_path / "run.json") == result
    assert json.loads((tmp_path / "run.json").read_text())["provenance"]["data"].startswith(
        "emulated fleet, seed 3"
    )
    assert not list(tmp_path.glob(".run.json*"))


def test_a_result_says_which_combiner_was_given(data: cmapss.Data, tmp_path: Path) -> None:
    """Its record is not that of the combiner that the settings name."""
    named = Trainer(ONE, data).fit()
    assert (named.config.combiner, named.config) == ("fixed", ONE)
    given = Trainer(ONE, data, combiner=FixedWeightLoss.convex(0.1)).fit()
    assert given.config.combiner == "given: Fixed(0.10/0.90)"
    assert given.config.combiner_settings == {"rul_weight": 0.1, "health_weight": 0.9}
    odd = Trainer(ONE, data, combiner=Stranger(limit=float("inf"), options=object())).fit()
    odd.save(tmp_path / "run.json")
    assert RunResult.load(tmp_path / "run.json") == odd
    settings = odd.config.combiner_settings
    assert (settings["limit"], settings["powers"]) == ("inf", [1.0, 2.0])


def test_a_result_is_the_callers(data: cmapss.Data) -> None:
    trainer = Trainer(ONE, data)
    first = trainer.fit()
    kept = comparable(first)
    first.history[0]["loss"] = first.predictions["pred"][0] = -1.0
    first.history.append({})
    assert comparable(trainer.fit()) == kept
