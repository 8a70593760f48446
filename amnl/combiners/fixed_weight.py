"""Weights that never move: the source's equal ones, and its older baseline."""

from typing import Any

from torch import Tensor

from amnl.combiners.contract import Combiner, _number
from amnl.combiners.registry import register


@register("fixed")
class FixedWeightLoss(Combiner):
    """`rul_weight · rul_loss + health_weight · health_loss`, fixed for good; or of K losses.

    The weights are plain floats: not parameters, so no optimiser can move
    them, and not buffers, so a checkpoint carries none of them.

    Parameters
    ----------
    rul_weight, health_weight
        At least 0. They need not sum to 1; the source leaves that to the
        caller, and doubling both doubles the loss. `FixedWeightLoss.convex(lam)`
        builds the convex one.
    *more_weights
        Of further losses, in their order.

    Raises
    ------
    ValueError
        For a weight that is negative, NaN, infinite or no real number, and for another number of
        losses.

    References
    ----------
    Source: chapter 15.1.

    Examples
    --------
    >>> import torch
    >>> combiner = FixedWeightLoss(0.75, 0.25)
    >>> float(combiner(torch.tensor(2.0), torch.tensor(1.0)))
    1.75
    >>> three = FixedWeightLoss(0.5, 0.25, 0.25)
    >>> float(three(torch.tensor(2.0), torch.tensor(1.0), torch.tensor(1.0)))
    1.5
    """

    def __init__(
        self, rul_weight: float = 0.5, health_weight: float = 0.5, *more_weights: float
    ) -> None:
        super().__init__(rul_weight, health_weight, more_weights)

    @classmethod
    def convex(cls, lam: float) -> "FixedWeightLoss":
        """Weights `lam` and `1 - lam`; `ValueError` outside [0, 1] or NaN."""
        lam = _number("lam", lam, lambda v: 0.0 <= v <= 1.0, "lie in [0, 1]")
        return cls(rul_weight=lam, health_weight=1.0 - lam)

    def forward(
        self,
        rul_loss: Tensor,
        health_loss: Tensor,
        *more: Tensor,
        **extras: Any,
    ) -> Tensor:
        """The weighted sum, 0-D. A fixed weight ignores all `extras`."""
        self.checked(rul_loss, health_loss, *more)
        total = self.rul_weight * rul_loss + self.health_weight * health_loss
        for weight, loss in zip(self.more_weights, more, strict=True):
            total = total + weight * loss
        return total

    def get_name(self) -> str:
        return f"Fixed({'/'.join(f'{w:.2f}' for w in self._current_weights())})"


@register("v7")
def v7() -> FixedWeightLoss:
    """The source's older, RUL-heavy baseline: 0.75 and 0.25, and nothing to set."""
    return FixedWeightLoss(rul_weight=0.75, health_weight=0.25)
