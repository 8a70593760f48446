"""Why training cannot go on."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from amnl.training.config import TrainConfig
from amnl.training.result import Record

_HELP = "A lower --lr or a larger rul_unit usually helps."


class TrainingError(RuntimeError):
    """Training cannot go on. The message names the step and the settings."""


def check_losses(config: TrainConfig, combiner: str, epoch: int, losses: Tensor) -> None:
    """Raises `TrainingError` unless an epoch's (steps, 3) total, RUL and health losses are finite.

    `combiner` is its name.
    """
    if bool(losses.isfinite().all()):
        return
    step = int((~losses.isfinite()).any(1).nonzero()[0])
    total, rul_loss, health_loss = losses[step].tolist()
    raise TrainingError(
        f"loss {total} at epoch {epoch}, step {step + 1} of {len(losses)} "
        f"(RUL loss {rul_loss}, health loss {health_loss}; {combiner}); "
        f"settings {_shown(config)}. Nothing of this epoch was kept. {_HELP}"
    )


def check_predictions(config: TrainConfig, epoch: int, pred: NDArray[np.float64]) -> None:
    """Raises `TrainingError` unless predictions (cycles) are finite."""
    if not np.isfinite(pred).all():
        raise TrainingError(
            f"the weights predict {pred[~np.isfinite(pred)][0]} after epoch {epoch}; "
            f"settings {_shown(config)}. Nothing of this epoch was kept. {_HELP}"
        )


def no_result(config: TrainConfig, reason: str) -> TrainingError:
    """The error for a run that trained to its end and cannot be scored."""
    return TrainingError(f"{reason}; settings {_shown(config)}. {_HELP}")


def _shown(config: TrainConfig) -> Record:
    shown = ("subset", "preset", "seed", "lr", "rul_unit", "batch_size", "dtype")
    return {name: getattr(config, name) for name in shown}
