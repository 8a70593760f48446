"""A two-task problem of one's own, and the error that says why it cannot be swept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# (model, batch) → the primary loss and the others, in a sequence or a dict by name
Losses = Callable[[Any, Any], Sequence[Tensor] | Mapping[str, Tensor]]
Metric = Callable[[Any, Any], float]  # (model, val) → the primary score


class ProblemError(ValueError):
    """A problem that cannot be swept. The message says what is wrong, and the way out."""


class NotFinite(ProblemError):
    """A training that ended in NaN or infinity: one run's fault, which others may not share."""


@dataclass(frozen=True)
class Problem:
    """What is trained, besides the weights and the seed: the arguments that say so."""

    build: Callable[[], nn.Module]
    losses: Losses
    metric: Metric
    train: Any  # a tuple of tensors, or a Dataset with a length
    val: Any  # whatever `metric` takes
    combiner: Callable[[Any], Any]  # λ, or the weights of all losses → what combines them
    epochs: int
    batch_size: int  # rows
    lr: float
    dtype: torch.dtype  # the default one while it trains

    def each_loss(self, model: nn.Module, batch: Any) -> Sequence[Tensor]:
        """The losses of a batch in their order, without their names."""
        given = self.losses(model, batch)
        return tuple(given.values()) if isinstance(given, Mapping) else given
