"""Combiners: modules that turn two task losses into the one number that is minimised.

The contract, the same for each: `total = combiner(rul_loss, health_loss, **extras)`. Both losses
are 0-D tensors with a graph, and so is the total. The trainer always passes `shared_params=` (the
trunk's parameters) and `model=`; a combiner that needs neither accepts and ignores them. State that
must survive a checkpoint or a move to another device is a registered buffer.

Build one by name with `make_combiner`. Source: chapter 15.1; the registry is ours.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

_Factory = TypeVar("_Factory", bound="Callable[..., Combiner]")
_FACTORIES: dict[str, "Callable[..., Combiner]"] = {}
_TINY = 1e-12  # keeps a loss that has reached exactly 0 from dividing by itself


class Combiner(nn.Module):
    """What the trainer may rely on: a call that takes two losses, current weights, and a name."""

    def __init__(self, rul_weight: float, health_weight: float) -> None:
        super().__init__()
        self.rul_weight = _checked_weight("rul_weight", rul_weight)
        self.health_weight = _checked_weight("health_weight", health_weight)

    def get_weights(self) -> dict[str, float]:
        """The weights as plain floats, for logs."""
        return {"rul_weight": self.rul_weight, "health_weight": self.health_weight}

    def get_name(self) -> str:
        """A short label for logs and tables."""
        raise NotImplementedError


def task_gradients(losses: Sequence[Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Each loss's gradient with respect to the parameters, flattened to (P,); the graph stays.

    A parameter that a loss does not reach counts as 0.
    """
    flat = []
    for loss in losses:
        grads = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        pairs = zip(grads, parameters, strict=True)
        flat.append(
            torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])
        )
    return flat


def register(name: str) -> Callable[[_Factory], _Factory]:
    """Decorator: let `make_combiner(name, ...)` build what this class or function returns.

    Raises `ValueError` when the name is taken.
    """

    def add(factory: _Factory) -> _Factory:
        if name in _FACTORIES:
            raise ValueError(f"combiner {name!r} is registered already; choose another name")
        _FACTORIES[name] = factory
        return factory

    return add


def names() -> tuple[str, ...]:
    """The registered names, sorted."""
    return tuple(sorted(_FACTORIES))


def make_combiner(name: str, **settings: Any) -> Combiner:
    """Build a combiner by name: `make_combiner("fixed", rul_weight=0.75, health_weight=0.25)`.

    Raises `ValueError` for an unknown name (it lists the known ones), for a setting the combiner
    does not have (it lists those it has), and for a bad value.
    """
    if name not in _FACTORIES:
        raise ValueError(f"unknown combiner {name!r}; known: {', '.join(names())}")
    accepted = inspect.signature(_FACTORIES[name]).parameters
    if unknown := sorted(settings.keys() - accepted.keys()):
        known = ", ".join(accepted) or "none"
        raise ValueError(f"combiner {name!r} has no setting {unknown[0]!r}; its settings: {known}")
    return _FACTORIES[name](**settings)


@register("fixed")
class FixedWeightLoss(Combiner):
    """`rul_weight · rul_loss + health_weight · health_loss`, fixed for good.

    The weights are plain floats: not parameters, so no optimiser can move
    them, and not buffers, so a checkpoint carries none of them. They need
    not sum to 1; the source leaves that to the caller, and doubling both
    doubles the loss. `FixedWeightLoss.convex(lam)` builds the convex one.

    Raises `ValueError` for a weight that is negative, NaN or infinite.
    Source: chapter 15.1.
    """

    def __init__(self, rul_weight: float = 0.5, health_weight: float = 0.5) -> None:
        super().__init__(rul_weight, health_weight)

    @classmethod
    def convex(cls, lam: float) -> "FixedWeightLoss":
        """Weights `lam` and `1 - lam`; `ValueError` outside [0, 1] or NaN."""
        if not 0.0 <= lam <= 1.0:
            raise ValueError(f"lam must lie in [0, 1], got {lam}")
        return cls(rul_weight=lam, health_weight=1.0 - lam)

    def forward(
        self,
        rul_loss: Tensor,
        health_loss: Tensor,
        **extras: Any,
    ) -> Tensor:
        """The weighted sum, 0-D. A fixed weight ignores all `extras`."""
        _check_scalars(rul_loss, health_loss)
        return self.rul_weight * rul_loss + self.health_weight * health_loss

    def get_name(self) -> str:
        return f"Fixed({self.rul_weight:.2f}/{self.health_weight:.2f})"


@register("v7")
def v7() -> FixedWeightLoss:
    """The source's older, RUL-heavy baseline: 0.75 and 0.25, and nothing to set."""
    return FixedWeightLoss(rul_weight=0.75, health_weight=0.25)


@register("amnl")
class AMNLFixedLoss(Combiner):
    """Fixed weights over *normalised* losses: a reconstruction.

    The source names this class and never shows its body. Its older edition gives two readings of
    "normalised", and they are different losses; `normalise` chooses:

    - `"batch"`: each loss is divided by its own detached value. The total is then always the sum of
      the weights, whatever the network does, and tells a log nothing. Its gradient is that of
      `Σ w · log L`.
    - `"ema"` (default): each loss is divided by its exponential running mean with decay `beta`,
      corrected for starting at zero as Adam does. The current step counts towards the mean.

    In eval mode the running mean is used and left alone. Before the first training step there is
    none, and the losses at hand stand in for it, as they do on that step itself.

    Losses must not be negative. A divisor is never smaller than 1e-12, so a loss of exactly 0 gives
    0 instead of NaN; its gradient is then multiplied by 1e12, and is 0 itself for squared error
    and cross-entropy. Raises `ValueError` for a bad weight, an unknown `normalise`, or a `beta`
    outside [0, 1).
    """

    running_sum: Tensor
    running_mass: Tensor

    def __init__(
        self,
        rul_weight: float = 0.5,
        health_weight: float = 0.5,
        normalise: Literal["ema", "batch"] = "ema",
        beta: float = 0.99,
    ) -> None:
        super().__init__(rul_weight, health_weight)
        if normalise not in ("ema", "batch"):
            raise ValueError(f"normalise must be 'ema' or 'batch', got {normalise!r}")
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"beta must lie in [0, 1), got {beta}")
        self.normalise = normalise
        self.beta = beta
        # Σ β^age (1-β) L and Σ β^age (1-β): their quotient is the bias-corrected mean. Keeping the
        # second sum instead of a step count makes the first quotient exactly L in any precision.
        self.register_buffer("running_sum", torch.zeros(2))
        self.register_buffer("running_mass", torch.zeros(()))

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        """The weighted sum of the normalised losses, 0-D. `extras` are ignored."""
        _check_scalars(rul_loss, health_loss)
        scale = self._scale(torch.stack([rul_loss, health_loss]).detach()).clamp(min=_TINY)
        return self.rul_weight * rul_loss / scale[0] + self.health_weight * health_loss / scale[1]

    def get_name(self) -> str:
        return f"AMNL({self.rul_weight:.2f}/{self.health_weight:.2f}, {self.normalise})"

    def _scale(self, losses: Tensor) -> Tensor:
        """What the two losses are divided by, shape (2,); in training it moves the running mean."""
        if self.normalise == "batch":
            return losses
        if self.training:
            self.running_sum.lerp_(losses.to(self.running_sum), 1.0 - self.beta)
            self.running_mass.lerp_(torch.ones_like(self.running_mass), 1.0 - self.beta)
        # `where`, not `if`: reading the mass on the host would stall a GPU at every step.
        mean = torch.where(self.running_mass > 0, self.running_sum / self.running_mass, losses)
        return mean.to(losses.dtype)


def _checked_weight(name: str, value: float) -> float:
    if not (isinstance(value, int | float) and math.isfinite(value) and value >= 0.0):
        raise ValueError(f"{name} must be a finite number that is not negative, got {value}")
    return float(value)


def _check_scalars(rul_loss: Tensor, health_loss: Tensor) -> None:
    for name, loss in (("rul_loss", rul_loss), ("health_loss", health_loss)):
        if loss.ndim != 0:
            raise ValueError(
                f"{name} must be a 0-D tensor, got shape {tuple(loss.shape)}; "
                "reduce it over the batch first, for example with .mean()"
            )
