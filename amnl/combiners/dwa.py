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

        w = K · softmax(pace / temperature),    pace_i = mean L_i / mean L_i of the epoch before

    - `w`: the weights of K losses, 2 unless `for_losses` says more; for the first two epochs 1
    - `pace_i`: how slowly a loss falls. Where one is NaN or infinite (a loss of exactly 0), all
      weights are 1 again
    - `mean L_i`: a loss's mean over the epoch's batches with finite losses. An epoch without
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

    loss_sum: Tensor  # (K,), RUL first, over the steps of this epoch
    steps: Tensor
    averages: Tensor  # (2, K), mean losses of the last two epochs, older first; NaN till there are

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__(total=2.0, signed=False)
        self.temperature = _number("temperature", temperature, lambda v: v > 0.0, "lie in (0, ∞)")
        self._start(2)

    def _start(self, count: int) -> None:
        super()._start(count)
        self.register_buffer("loss_sum", torch.zeros(count, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("averages", torch.full((2, count), math.nan, dtype=torch.float64))

    def forward(
        self, rul_loss: Tensor, health_loss: Tensor, *more: Tensor, **extras: Any
    ) -> Tensor:
        """The weighted sum, 0-D. `extras` are ignored."""
        losses = self.checked(rul_loss, health_loss, *more)
        if self.learning:
            values = self.over_ranks(torch.stack(losses).detach().to(self.loss_sum))
            finite = values.isfinite().all()
            self.loss_sum += torch.where(finite, values, 0.0)
            self.steps += finite
        return self.weighted(*losses)

    def end_epoch(self) -> None:
        """Set the weights for the next epoch."""
        trained = self.steps > 0
        averages = torch.stack([self.averages[1], self.loss_sum / self.steps])
        self.averages.copy_(torch.where(trained, averages, self.averages))
        self.loss_sum.zero_()
        self.steps.zero_()
        pace = self.averages[1] / self.averages[0]
        moved = self.losses * torch.softmax(pace / self.temperature, dim=0)
        moved = torch.where(moved.isfinite().all(), moved, 1.0)
        self.weights.copy_(torch.where(trained, moved, self.weights))

    def get_name(self) -> str:
        return f"DWA(T={self.temperature:g})"
