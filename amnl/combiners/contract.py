"""What every combiner does, and the checks of the losses and settings that come in."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor, distributed, nn


class Combiner(nn.Module):
    """Two losses in, or more, one total out: what the trainer may rely on.

    A subclass writes `forward(rul_loss, health_loss, *more, **extras)`, which returns the 0-D
    total, and `get_name`. A rule that weighs more than two losses says so in `for_losses`.

    Parameters
    ----------
    rul_weight, health_weight
        What the two losses are multiplied by, as far as they are fixed.
    more_weights
        Of further losses, as far as they are fixed.
    signed
        Whether the rule makes sense for losses below zero.

    Raises
    ------
    ValueError
        For a weight that is negative, NaN, infinite or no real number.
    """

    across_ranks = True  # average over the processes of `torch.distributed`
    went_negative: Tensor | None  # whether a loss has been; None where the sign does not matter
    losses = 2  # how many are weighed
    more_weights: tuple[float, ...] = ()

    def __init__(
        self,
        rul_weight: float,
        health_weight: float,
        more_weights: Sequence[float] = (),
        *,
        signed: bool = True,
    ) -> None:
        super().__init__()
        self.rul_weight = _weight("rul_weight", rul_weight)
        self.health_weight = _weight("health_weight", health_weight)
        if more_weights:  # records of two losses go by what they went by before
            self.more_weights = tuple(
                _weight(f"weight_{k}", weight) for k, weight in enumerate(more_weights, start=3)
            )
            self.losses = 2 + len(self.more_weights)
        flag = None if signed else torch.zeros((), dtype=torch.bool)
        self.register_buffer("went_negative", flag, persistent=False)

    def get_weights(self) -> dict[str, float]:
        """The weights as plain floats, for logs: `rul_weight`, `health_weight`, `weight_3`, ...

        Raises
        ------
        ValueError
            Where a loss has been negative that must not be.
        """
        if self.went_negative is not None and bool(self.went_negative):
            raise ValueError(self._refusal("one has been"))
        names = ["rul_weight", "health_weight", *(f"weight_{k}" for k in range(3, self.losses + 1))]
        return dict(zip(names, self._current_weights(), strict=True))

    def for_losses(self, count: int) -> Self:
        """The same rule for `count` losses, from its start: call it before the training.

        Raises
        ------
        ValueError
            For fewer than two, and for a rule that weighs two losses and no more.

        Examples
        --------
        >>> from amnl.combiners import GABALoss
        >>> len(GABALoss().for_losses(3).get_weights())
        3
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 2:
            raise ValueError(f"for_losses takes a whole number from 2 on, got {count!r}")
        if count != self.losses:
            self._start(count)
            self.losses = count
        return self

    def _start(self, count: int) -> None:
        """Make the state for so many losses anew."""
        raise ValueError(
            f"{self.get_name()} weighs {self.losses} losses, not {count}; for more than two take "
            "gaba, gradnorm, uncertainty or dwa, or FixedWeightLoss with a weight for each"
        )

    def get_name(self) -> str:
        """A short label for logs and tables."""
        raise NotImplementedError

    def end_epoch(self) -> None:
        """Called by the trainer when an epoch of training steps is over."""

    @property
    def learning(self) -> bool:
        """Whether a call may move the state."""
        return self.training and torch.is_grad_enabled()

    def checked(self, *losses: Tensor) -> tuple[Tensor, ...]:
        """The losses, if they are what this rule can weigh; see the head of the room."""
        named = dict(zip(loss_names(len(losses)), losses, strict=True))
        _check_scalars(named)
        if len(losses) != self.losses:
            raise ValueError(
                f"{self.get_name()} was made for {self.losses} losses, got {len(losses)}; "
                f"combiner.for_losses({len(losses)}) makes it for these, and FixedWeightLoss takes "
                "a weight for each"
            )
        if self.went_negative is None:
            return losses
        if losses[0].device.type == "cpu" and not torch.compiler.is_compiling():
            for name, loss in named.items():
                if loss < 0:
                    raise ValueError(self._refusal(f"{name} is {loss.item():g}"))
            return losses
        negative = losses[0] < 0
        for loss in losses[1:]:
            negative = negative | (loss < 0)
        self.went_negative.logical_or_(negative)
        factor = torch.where(negative, math.nan, 1.0)
        return tuple(loss * factor.to(loss.dtype) for loss in losses)

    def over_ranks(self, values: Tensor) -> Tensor:
        """Detached values, averaged over the processes of a distributed training."""
        if not (self.across_ranks and distributed.is_available() and distributed.is_initialized()):
            return values
        mean = values.detach().clone()
        distributed.all_reduce(mean)
        return mean / distributed.get_world_size()

    def _current_weights(self) -> Iterable[float]:
        return self.rul_weight, self.health_weight, *self.more_weights

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
        What two weights sum to; they start equal. Of more losses each starts like these two.
    signed
        As for `Combiner`.
    """

    weights: Tensor  # (K,), RUL first

    def __init__(self, total: float = 1.0, *, signed: bool = True) -> None:
        super().__init__(total / 2, total / 2, signed=signed)
        AdaptiveCombiner._start(self, 2)  # a subclass adds its own state when its settings are set

    def _start(self, count: int) -> None:
        """Weights of each kind begin equal; a subclass adds its own state."""
        each = torch.full((count,), self._equal(count), dtype=_state_dtype())
        self.register_buffer("weights", each)

    def _equal(self, count: int) -> float:
        """What each of `count` equal weights is."""
        return self.rul_weight

    def weighted(self, *losses: Tensor) -> Tensor:
        """The weighted sum of the losses, 0-D."""
        dtype = losses[0].dtype
        for loss in losses[1:]:
            dtype = torch.promote_types(dtype, loss.dtype)
        # A copy: a second call moves the weights while the first total still waits for `backward`.
        weights = self.weights.clone().to(dtype)
        total = weights[0] * losses[0] + weights[1] * losses[1]
        for weight, loss in zip(weights[2:], losses[2:], strict=True):
            total = total + weight * loss
        return total

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


def loss_names(count: int) -> list[str]:
    """What `count` losses are called in messages."""
    return ["rul_loss", "health_loss", *(f"loss_{k}" for k in range(3, count + 1))]


def _check_scalars(losses: Mapping[str, Tensor]) -> None:
    for name, loss in losses.items():
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
