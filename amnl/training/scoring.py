"""What predictions are worth: an epoch's, and a run's."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from amnl import cmapss
from amnl.cmapss import Data, Windows
from amnl.task_losses import accuracy, macro_f1, nasa_score, rmse
from amnl.training.config import TrainConfig
from amnl.training.errors import no_result
from amnl.training.result import Record

Predicted = tuple[NDArray[np.float64], NDArray[np.int64]]  # RUL in cycles, class of the head


@dataclass(frozen=True)
class Chosen:
    """The epoch at which a run is scored: of those so far, the best on the validation windows."""

    epoch: int = 0  # from 1; 0 where none has a finite RMSE
    val_rmse: float = math.inf  # cycles
    predictions: dict[str, list[Any]] = field(default_factory=dict)  # `RunResult.predictions`
    weights: dict[str, Tensor] = field(default_factory=dict)  # of the average, where they are kept


def epoch_scores(config: TrainConfig, data: Data, val: Predicted, test: Predicted) -> Record:
    """What an epoch's history says of its predictions.

    The epoch is chosen by `val_rmse` and nothing else of these.
    """
    found = {
        "val_rmse": rmse(val[0], data.val.rul),  # cycles, against the capped RUL
        "test_rmse": rmse(test[0], data.test.rul),
        # of the second head, over the validation windows
        "val_accuracy": accuracy(val[1], data.val.health),
        "val_macro_f1": macro_f1(val[1], data.val.health),
        # of the health states that the predicted RUL is in
        "val_macro_f1_rul": _macro_f1_rul(config, val[0], data.val),
        "test_macro_f1_rul": _macro_f1_rul(config, test[0], data.test),
    }
    if config.auxiliary == "health":  # a test engine is cut off before its fault can be told
        found["test_macro_f1"] = macro_f1(test[1], data.test.health)
    return found


def _macro_f1_rul(config: TrainConfig, pred: NDArray[np.float64], windows: Windows) -> float:
    state = config.framing.health
    return macro_f1(state(pred), state(windows.rul.astype(np.float64)))


def engine_predictions(
    config: TrainConfig, data: Data, predicted: Predicted
) -> dict[str, list[Any]]:
    """What a run keeps of its chosen epoch, one value a test engine: `RunResult.predictions`."""
    (pred, health), test = predicted, data.test
    found: dict[str, list[Any]] = {"unit": list(data.units)} if data.units else {}
    found |= {"pred": pred.tolist(), "rul": test.rul.tolist(), "true": test.true.tolist()}
    if config.auxiliary == "health":
        found |= {"health_pred": health.tolist(), "health": test.health.tolist()}
    return found


def metrics(config: TrainConfig, history: list[Record], best: Chosen) -> dict[str, float]:
    """Test metrics at the epoch with the best validation RMSE, and what other choices give.

    Raises
    ------
    TrainingError
        Where no epoch has a finite RMSE, and where the score, which grows exponentially, is too
        large for a number.
    """
    if not best.epoch:
        raise no_result(config, "no epoch has a finite validation RMSE")
    p = best.predictions
    leaked = min(history, key=lambda r: float(r["test_rmse"]))
    found = {
        "best_epoch": best.epoch,
        "val_rmse": best.val_rmse,
        "test_rmse": rmse(p["pred"], p["rul"]),  # the primary metric: capped RUL, last cycles
        "test_rmse_uncapped": rmse(p["pred"], p["true"]),  # against the true RUL
        "test_rmse_last": history[-1]["test_rmse"],  # at the last epoch
        # at the epoch that is best on the test set itself, as the source chose
        "test_rmse_leaked": leaked["test_rmse"],
        "leaked_epoch": leaked["epoch"],
        **_nasa_scores(config, p),
        **_class_metrics(config, history, best),
    }
    for name, value in found.items():
        if not math.isfinite(value):
            reach = f"the predictions of epoch {best.epoch} reach {max(p['pred']):.0f} cycles"
            raise no_result(config, f"{name} is {value}: {reach}")
    return found


def _nasa_scores(config: TrainConfig, p: dict[str, list[Any]]) -> dict[str, float]:
    """Of C-MAPSS alone: 10 and 13 cycles are the tolerances of its engines, and no other's."""
    if config.subset == cmapss.OWN:
        return {}
    return {
        "nasa_score": nasa_score(p["pred"], p["rul"]),  # capped RUL
        "nasa_score_uncapped": nasa_score(p["pred"], p["true"]),
    }


def _class_metrics(config: TrainConfig, history: list[Record], best: Chosen) -> dict[str, float]:
    """Of the head, and of the health states that the predicted RUL is in.

    `_best` is at the epoch with the best macro-F1 over the validation windows, the first of equals.
    """
    chosen, p = history[best.epoch - 1], best.predictions
    by_head, by_rul = (
        max(history, key=lambda r: float(r[name])) for name in ("val_macro_f1", "val_macro_f1_rul")
    )
    found = {
        "health_macro_f1_rul": chosen["test_macro_f1_rul"],
        "health_macro_f1_rul_best": by_rul["test_macro_f1_rul"],
    }
    if config.auxiliary == "health":
        return found | {
            "health_accuracy": accuracy(p["health_pred"], p["health"]),
            "health_macro_f1": macro_f1(p["health_pred"], p["health"]),
            "health_macro_f1_best": by_head["test_macro_f1"],
            "health_best_epoch": by_head["epoch"],
        }
    # over windows of validation engines, as no test engine's fault is known: `_best` is chosen and
    # scored on the same windows
    return found | {
        "fault_accuracy": chosen["val_accuracy"],
        "fault_macro_f1": chosen["val_macro_f1"],
        "fault_macro_f1_best": by_head["val_macro_f1"],
        "fault_best_epoch": by_head["epoch"],
    }
