"""What the predictions of a run are worth, and that the test engines choose nothing."""

import dataclasses
from pathlib import Path

import pytest
from small_runs import SMALL

from amnl import cmapss
from amnl.training import (
    Trainer,
    TrainingError,
    metrics,
)
from amnl.training.scoring import Chosen


@pytest.fixture(scope="module")
def data(ten_engines: Path, own_cache: None) -> cmapss.Data:
    return cmapss.load("FD001", SMALL.seed, ten_engines, stride=SMALL.stride)


def test_no_finite_epoch_is_an_error_of_training() -> None:
    with pytest.raises(TrainingError, match="no epoch has a finite validation RMSE"):
        metrics(SMALL, [], Chosen())


def test_test_set_is_never_consulted(data: cmapss.Data) -> None:
    """Scrambled test labels change no weight, no epoch choice, no validation figure."""
    scrambled = dataclasses.replace(
        data, test=dataclasses.replace(data.test, rul=data.test.rul[::-1].copy())
    )
    a, b = Trainer(SMALL, data).fit(), Trainer(SMALL, scrambled).fit()
    assert a.metrics["best_epoch"] == b.metrics["best_epoch"]
    assert a.metrics["val_rmse"] == b.metrics["val_rmse"]
    assert a.predictions["pred"] == b.predictions["pred"]
    assert a.metrics["test_rmse"] != b.metrics["test_rmse"]


def test_metrics_follow_from_history_and_predictions(data: cmapss.Data) -> None:
    result = Trainer(SMALL, data).fit()
    best = min(result.history, key=lambda r: r["val_rmse"])
    m = result.metrics
    assert m["best_epoch"] == best["epoch"]
    assert m["val_rmse"] == best["val_rmse"]
    assert m["test_rmse"] == best["test_rmse"]
    assert m["test_rmse_last"] == result.history[-1]["test_rmse"]
    assert m["test_rmse_leaked"] == min(r["test_rmse"] for r in result.history)
    assert m["test_rmse_leaked"] <= m["test_rmse"]
