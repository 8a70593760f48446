"""Dynamic weight average: more weight for the loss that falls slower."""

import math
from typing import Any

import torch
from torch import Tensor

from amnl.combiners.contract import AdaptiveCombiner, _number
from amnl.combiners.registry import register


@register("dwa")
class DWALoss(AdaptiveCombiner):
    """Dynamic weight average: more weight for the task whose loss falls slower.

    Parameters
    ----------
    temperature
        Above 0; the higher, the more alike the weights.

    Raises
    ------
    ValueError
        For a bad `temperature`, and for a loss that is negative.

    Notes
    -----
    After each epoch::

        w = 2 · softmax(pace / temperature),    pace_i = mean L_i / mean L_i of the epoch before

    - `w`: the weights; for the first two epochs both are 1
    - `pace_i`: how slowly a loss falls. Where one is NaN or infinite (a loss of exactly 0), both
      weights are 1 again
    - `mean L_i`: a loss's mean over the epoch's batches with two finite losses. An epoch without
      such a batch changes nothing

    References
    ----------
    S. Liu, E. Johns and A. J. Davison, "End-to-end multi-task learning with attention", CVPR 2019.

    Examples
    --------
    >>> import torch
    >>> combiner = DWALoss()
    >>> for rul in (8.0, 4.0):  # halved, while the other stands still
    ...     total = combiner(torch.tensor(rul), torch.tensor(1.0))
    ...     combiner.end_epoch()
    >>> {name: round(weight, 3) for name, weight in combiner.get_weights().items()}
    {'rul_weight': 0.876, 'health_weight': 1.124}
    """

    loss_sum: Tensor  # (2,), RUL first, over the steps of this epoch
    steps: Tensor
    averages: Tensor  # (2, 2), mean losses of the last two epochs, older first; NaN till there are

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__(total=2.0, signed=False)
        self.temperature = _number("temperature", temperature, lambda v: v > 0.0, "lie in (0, ∞)")
        self.register_buffer("loss_sum", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("averages", torch.full((2, 2), math.nan, dtype=torch.float64))

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        """The weighted sum, 0-D. `extras` are ignored."""
        rul_loss, health_loss = self.checked(rul_loss, health_loss)
        if self.learning:
            losses = torch.stack([rul_loss, health_loss]).detach().to(self.loss_sum)
            losses = self.over_ranks(losses)
            finite = losses.isfinite().all()
            self.loss_sum += torch.where(finite, losses, 0.0)
            self.steps += finite
        return self.weighted(rul_loss, health_loss)

    def end_epoch(self) -> None:
        """Set the weights for the next epoch."""
        trained = self.steps > 0
        averages = torch.stack([self.averages[1], self.loss_sum / self.steps])
        self.averages.copy_(torch.where(trained, averages, self.averages))
        self.loss_sum.zero_()
        self.steps.zero_()
        pace = self.averages[1] / self.averages[0]
        moved = 2.0 * torch.softmax(pace / self.temperature, dim=0)
        moved = torch.where(moved.isfinite().all(), moved, 1.0)
        self.weights.copy_(torch.where(trained, moved, self.weights))

    def get_name(self) -> str:
        return f"DWA(T={self.temperature:g})"
