"""A two-task problem of one's own, and the error that says why it cannot be swept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Losses = Callable[[Any, Any], Sequence[Tensor]]  # (model, batch) → primary, auxiliary
Metric = Callable[[Any, Any], float]  # (model, val) → the primary score


class ProblemError(ValueError):
    """A problem that cannot be swept. The message says what is wrong, and the way out."""


@dataclass(frozen=True)
class Problem:
    """What is trained, besides λ and the seed: the arguments of `five_point_sweep` that say so."""

    build: Callable[[], nn.Module]
    losses: Losses
    metric: Metric
    train: Any  # a tuple of tensors, or a Dataset with a length
    val: Any  # whatever `metric` takes
    combiner: Callable[[float], Any]
    epochs: int
    batch_size: int  # rows
    lr: float
    dtype: torch.dtype  # the default one while it trains
