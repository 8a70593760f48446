"""Uncertainty weighting: a learned noise variance for each task."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from amnl.combiners.contract import Combiner, _number, _state_dtype
from amnl.combiners.optimiser_check import OptimiserCheck
from amnl.combiners.registry import register


@register("uncertainty")
class UncertaintyLoss(Combiner):
    """Uncertainty weighting: learn a noise variance for each task.

    Parameters
    ----------
    speed
        Multiplies the pace of s, above 0. An optimiser like Adam moves s by its learning rate a
        step at most, so a loss in the thousands needs thousands of steps to be met, and more, as
        the gradient shrinks on the way while Adam remembers how large it was.

    Raises
    ------
    ValueError
        For a bad `speed`, and for a loss that is negative.

    Notes
    -----
    The total, which can be negative::

        ½ e^(−s_rul) · L_rul + ½ s_rul + e^(−s_health) · L_health + ½ s_health

    - `s`: log σ², learned, from 0 on; the two halves differ, as one task is a regression and one a
      classification. Further losses (`for_losses`) enter as the second does
    - `L`: the two losses. For losses that stand still the minimum is at `s_rul = log L_rul` and
      `s_health = log 2 L_health`

    A loss of exactly 0, as of a batch without labels, would drive its s to minus infinity, and one
    that is NaN or infinite spoil it; they leave it alone.

    References
    ----------
    A. Kendall, Y. Gal and R. Cipolla, "Multi-task learning using uncertainty to weigh losses for
    scene geometry and semantics", CVPR 2018.

    Examples
    --------
    >>> import torch
    >>> combiner = UncertaintyLoss()
    >>> optimiser = torch.optim.SGD(combiner.parameters(), lr=0.1)
    >>> combiner(torch.tensor(9.0), torch.tensor(0.5)).backward()
    >>> optimiser.step()
    >>> combiner.get_weights()["rul_weight"] < 0.5  # where it started
    True
    """

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__(0.5, 1.0, signed=False)
        self.speed = _number("speed", speed, lambda v: v > 0.0, "lie in (0, ∞)")
        self._start(2)

    def _start(self, count: int) -> None:
        self.slow_log_variances = nn.Parameter(torch.zeros(count, dtype=_state_dtype()))
        self._optimiser_check = OptimiserCheck()

    def forward(
        self, rul_loss: Tensor, health_loss: Tensor, *more: Tensor, **extras: Any
    ) -> Tensor:
        """The total above, 0-D. `extras` are ignored."""
        losses = torch.stack(self.checked(rul_loss, health_loss, *more))
        dtype = losses.dtype
        # e^(−s) outgrows float16 at once.
        losses = losses.to(torch.promote_types(dtype, torch.float32))
        slow: Tensor = self.slow_log_variances
        if self.learning:
            slow = self._optimiser_check.watched(self, slow)
            # The value of all ranks, so that each pulls s alike;
            # the gradient of this one.
            mean = self.over_ranks(losses)
            losses = losses if mean is losses else losses + (mean - losses).detach()
        s = (self.speed * slow).to(losses.dtype)
        values = losses.detach()
        s = torch.where((values > 0) & values.isfinite(), s, s.detach())
        precision = torch.exp(-s)
        total = 0.5 * precision[0] * losses[0] + precision[1] * losses[1]
        for k in range(2, len(losses)):
            total = total + precision[k] * losses[k]
        total = total + 0.5 * s.sum()
        return total.to(dtype)

    def get_name(self) -> str:
        return "Uncertainty" if self.speed == 1 else f"Uncertainty({self.speed:g}x)"

    def _current_weights(self) -> Iterable[float]:
        rul, *others = torch.exp(-self.speed * self.slow_log_variances.detach()).tolist()
        return 0.5 * rul, *others
