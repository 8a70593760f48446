"""What every combiner does, and the checks of the losses and settings that come in."""

import math
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, distributed, nn


class Combiner(nn.Module):
    """Two losses in, one total out: what the trainer may rely on.

    A subclass writes `forward(rul_loss, health_loss, **extras)`, which returns the 0-D total, and
    `get_name`.

    Parameters
    ----------
    rul_weight, health_weight
        What the two losses are multiplied by, as far as they are fixed.
    signed
        Whether the rule makes sense for losses below zero.

    Raises
    ------
    ValueError
        For a weight that is negative, NaN, infinite or no real number.
    """

    across_ranks = True  # average over the processes of `torch.distributed`
    went_negative: Tensor | None  # whether a loss has been; None where the sign does not matter

    def __init__(self, rul_weight: float, health_weight: float, *, signed: bool = True) -> None:
        super().__init__()
        self.rul_weight = _weight("rul_weight", rul_weight)
        self.health_weight = _weight("health_weight", health_weight)
        flag = None if signed else torch.zeros((), dtype=torch.bool)
        self.register_buffer("went_negative", flag, persistent=False)

    def get_weights(self) -> dict[str, float]:
        """The weights as plain floats, for logs: `rul_weight` and `health_weight`.

        Raises
        ------
        ValueError
            Where a loss has been negative that must not be.
        """
        if self.went_negative is not None and bool(self.went_negative):
            raise ValueError(self._refusal("one has been"))
        rul, health = self._current_weights()
        return {"rul_weight": rul, "health_weight": health}

    def get_name(self) -> str:
        """A short label for logs and tables."""
        raise NotImplementedError

    def end_epoch(self) -> None:
        """Called by the trainer when an epoch of training steps is over."""

    @property
    def learning(self) -> bool:
        """Whether a call may move the state."""
        return self.training and torch.is_grad_enabled()

    def checked(self, rul_loss: Tensor, health_loss: Tensor) -> tuple[Tensor, Tensor]:
        """The two losses, if they are what this rule can weigh; see the head of the room."""
        _check_scalars(rul_loss, health_loss)
        if self.went_negative is None:
            return rul_loss, health_loss
        if rul_loss.device.type == "cpu" and not torch.compiler.is_compiling():
            for name, loss in (("rul_loss", rul_loss), ("health_loss", health_loss)):
                if loss < 0:
                    raise ValueError(self._refusal(f"{name} is {loss.item():g}"))
            return rul_loss, health_loss
        negative = (rul_loss < 0) | (health_loss < 0)
        self.went_negative.logical_or_(negative)
        factor = torch.where(negative, math.nan, 1.0)
        return rul_loss * factor.to(rul_loss.dtype), health_loss * factor.to(health_loss.dtype)

    def over_ranks(self, values: Tensor) -> Tensor:
        """Detached values, averaged over the processes of a distributed training."""
        if not (self.across_ranks and distributed.is_available() and distributed.is_initialized()):
            return values
        mean = values.detach().clone()
        distributed.all_reduce(mean)
        return mean / distributed.get_world_size()

    def _current_weights(self) -> Iterable[float]:
        return self.rul_weight, self.health_weight

    def _refusal(self, what: str) -> str:
        return (
            f"{self.get_name()} needs losses that are not negative, and {what}; use 'fixed' or "
            "'gaba', which take any sign, or shift the loss by a constant that keeps it positive"
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Combiner":
        """Casts and moves as `nn.Module` does, but never to a float narrower than float32."""

        def at_least_float32(old: Tensor) -> Tensor:
            new = fn(old)
            narrow = old.is_floating_point() and new.dtype.itemsize < 4
            return old.to(new.device) if narrow else new

        return cast(Combiner, super()._apply(at_least_float32, recurse))  # type: ignore[no-untyped-call]


class AdaptiveCombiner(Combiner):
    """A combiner whose weights move during training; the buffer `weights` holds the latest.

    Parameters
    ----------
    total
        What the two weights sum to; they start equal.
    signed
        As for `Combiner`.
    """

    weights: Tensor  # (2,), RUL first

    def __init__(self, total: float = 1.0, *, signed: bool = True) -> None:
        super().__init__(total / 2, total / 2, signed=signed)
        self.register_buffer("weights", torch.full((2,), total / 2, dtype=_state_dtype()))

    def weighted(self, rul_loss: Tensor, health_loss: Tensor) -> Tensor:
        """The weighted sum of two losses, 0-D."""
        # A copy: a second call moves the weights while the first total still waits for `backward`.
        weights = self.weights.clone().to(torch.promote_types(rul_loss.dtype, health_loss.dtype))
        return weights[0] * rul_loss + weights[1] * health_loss

    def _current_weights(self) -> Iterable[float]:
        return cast(list[float], self.weights.tolist())


def _state_dtype() -> torch.dtype:
    """The default dtype, but not half precision."""
    return torch.promote_types(torch.get_default_dtype(), torch.float32)


def _number(name: str, value: Any, fits: Callable[[float], bool], what: str) -> float:
    """A real number of any kind as a plain float: NumPy's and fractions too, or a 0-D tensor."""
    scalar = isinstance(value, np.generic | np.ndarray | Tensor) and value.ndim == 0
    learns = isinstance(value, Tensor) and value.requires_grad  # it would stand still here
    plain = value.item() if scalar and not learns else value
    try:
        real = isinstance(plain, Real) and not isinstance(plain, bool)
        number = float(plain) if real else math.nan
    except OverflowError:  # of a whole number or a fraction
        number = math.inf
    if not (math.isfinite(number) and fits(number)):
        raise ValueError(f"{name} must {what}, got {value!r}")
    return number


def _weight(name: str, value: Any) -> float:
    return _number(name, value, lambda v: v >= 0.0, "be a finite number that is not negative")


def _check_scalars(rul_loss: Tensor, health_loss: Tensor) -> None:
    for name, loss in (("rul_loss", rul_loss), ("health_loss", health_loss)):
        if not isinstance(loss, Tensor):
            raise ValueError(
                f"{name} must be a 0-D tensor, got {type(loss).__name__} {loss!r}; pass the loss "
                "itself, before .item() or float()"
            )
        if loss.ndim != 0:
            raise ValueError(
                f"{name} must be a 0-D tensor, got shape {tuple(loss.shape)}; "
                "reduce it over the batch first, for example with .mean()"
            )
        if not loss.is_floating_point():
            raise ValueError(f"{name} must be a floating-point tensor, got {loss.dtype}")
