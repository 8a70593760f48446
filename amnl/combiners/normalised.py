"""Fixed weights over losses that are divided by their own size."""

from typing import Any, Literal

import torch
from torch import Tensor

from amnl.combiners.contract import Combiner, _number, _state_dtype
from amnl.combiners.registry import register

_TINY = 1e-12  # keeps a loss that has reached exactly 0 from dividing by itself


@register("amnl")
class AMNLFixedLoss(Combiner):
    """Fixed weights over *normalised* losses: a reconstruction.

    The source names this class and never shows its body. Its older edition gives two readings of
    "normalised", and they are different losses; `normalise` chooses.

    Parameters
    ----------
    rul_weight, health_weight
        At least 0.
    normalise
        "batch": each loss is divided by its own detached value. The total is then always the sum of
        the weights, whatever the network does, and tells a log nothing. Its gradient is that of
        `Σ w · log L`.
        "ema": each loss is divided by its exponential running mean, corrected for starting at zero
        as Adam does. The current step counts towards the mean.
    beta
        Decay of the running mean, in [0, 1).

    Raises
    ------
    ValueError
        For a bad setting, and for a loss that is negative.

    Notes
    -----
    The total and the mean after step t::

        total = rul_weight · L_rul / m_rul + health_weight · L_health / m_health
        m = Σ β^(t−k) · L(k) / Σ β^(t−k), over the steps k = 1 … t

    - `L_rul`, `L_health`: the two losses; `L(k)`: one of them at step k
    - `m`: what it is divided by; with "batch" `m = L(t)`. No gradient flows through it
    - `β`: `beta`

    In eval mode the running mean is used and left alone. Before the first training step there is
    none, and the losses at hand stand in for it, as they do on that step itself.

    A divisor is never smaller than 1e-12 (6e-5 in float16), so a loss of exactly 0 gives 0 instead
    of NaN; its gradient is then multiplied by 1e12, and is 0 itself for squared error and
    cross-entropy.

    Examples
    --------
    >>> import torch
    >>> combiner = AMNLFixedLoss(beta=0.5)
    >>> [round(float(combiner(torch.tensor(rul), torch.tensor(1.0))), 3) for rul in (4.0, 1.0)]
    [1.0, 0.75]
    """

    running_sum: Tensor  # (2,), Σ β^age (1-β) L
    running_mass: Tensor  # 0-D, Σ β^age (1-β)

    def __init__(
        self,
        rul_weight: float = 0.5,
        health_weight: float = 0.5,
        normalise: Literal["ema", "batch"] = "ema",
        beta: float = 0.99,
    ) -> None:
        super().__init__(rul_weight, health_weight, signed=False)
        if normalise not in ("ema", "batch"):
            raise ValueError(f"normalise must be 'ema' or 'batch', got {normalise!r}")
        self.normalise = normalise
        self.beta = _number("beta", beta, lambda v: 0.0 <= v < 1.0, "lie in [0, 1)")
        # The quotient of the two sums is the bias-corrected mean. Keeping the second instead of a
        # step count makes the first quotient exactly L in any precision.
        self.register_buffer("running_sum", torch.zeros(2, dtype=_state_dtype()))
        self.register_buffer("running_mass", torch.zeros((), dtype=_state_dtype()))

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        """The weighted sum of the normalised losses, 0-D. `extras` are ignored."""
        rul_loss, health_loss = self.checked(rul_loss, health_loss)  # two, and no more
        losses = torch.stack([rul_loss, health_loss]).detach()
        scale_of = self._scale
        if torch.compiler.is_compiling():
            # A compiled backward pass may compute the scale anew, from a mean that has moved since.
            scale_of = torch.compiler.disable(scale_of)  # type: ignore[no-untyped-call]
        scale = scale_of(self.over_ranks(losses) if self.learning else losses)
        scale = scale.clamp(min=max(_TINY, torch.finfo(scale.dtype).tiny))
        return self.rul_weight * rul_loss / scale[0] + self.health_weight * health_loss / scale[1]

    def get_name(self) -> str:
        return f"AMNL({self.rul_weight:.2f}/{self.health_weight:.2f}, {self.normalise})"

    def _scale(self, losses: Tensor) -> Tensor:
        """What the two losses are divided by, shape (2,); in training it moves the running mean."""
        if self.normalise == "batch":
            return losses
        if self.learning:
            latest = losses.to(self.running_sum)
            one = torch.ones_like(self.running_mass)
            finite = latest.isfinite().all()
            # `where`, not `if`: reading a tensor on the host would stall a GPU at every step.
            for state, new in ((self.running_sum, latest), (self.running_mass, one)):
                state.copy_(torch.where(finite, state.lerp(new, 1.0 - self.beta), state))
        mean = torch.where(self.running_mass > 0, self.running_sum / self.running_mass, losses)
        return mean.to(losses.dtype)
