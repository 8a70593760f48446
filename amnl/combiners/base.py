"""Combiners: modules that turn two task losses into the one number that is minimised.

The contract, the same for each: `total = combiner(rul_loss, health_loss, **extras)`. The trainer
always passes `shared_params=` (the trunk's parameters) and `model=`; a combiner that needs neither
accepts and ignores them. State that must survive a checkpoint or a move to another device is a
registered buffer.

- Losses are 0-D floating-point tensors; anything else is a `ValueError`. The total is 0-D, of the
  wider of the two dtypes. A loss that is NaN or infinite makes it so too, and moves no state: skip
  the step, and training goes on as if the batch had not been.
- "amnl", "gradnorm", "uncertainty" and "dwa" divide by losses or take logarithms, so a negative
  loss is a `ValueError`. On a GPU, which a check would stall at every step, and under
  `torch.compile`, the total is NaN instead and `get_weights` raises.
- State moves in train mode with gradients enabled. In eval mode or under `torch.no_grad()` it is
  used and left alone.
- State stays in float32 at least, whatever a model is cast to: in half precision a running mean
  stands still and a sum overflows.
- A combiner's own parameters belong into the optimiser. Where none moves them, a warning says so.
- With `torch.distributed` set up, what a rule reads is averaged over the processes, so that all of
  them reach the weights of one training on the joined batch. Every process must make the call then.
  Set `across_ranks` to False where the processes train apart.

Build one by name with `make_combiner`. Source: chapter 15.1; the registry is ours.
"""

import inspect
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Real
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.autograd.graph import get_gradient_edge

_Factory = TypeVar("_Factory", bound="Callable[..., Combiner]")
_FACTORIES: dict[str, "Callable[..., Combiner]"] = {}
_TINY = 1e-12  # keeps a loss that has reached exactly 0 from dividing by itself
_PATIENCE = 100  # backward passes without a step before an optimiser counts as forgotten


class Combiner(nn.Module):
    """What the trainer may rely on: a call that takes two losses, current weights, and a name."""

    across_ranks = True  # average over the processes of `torch.distributed`
    went_negative: Tensor | None

    def __init__(self, rul_weight: float, health_weight: float, *, signed: bool = True) -> None:
        """`signed`: whether the rule makes sense for losses below zero."""
        super().__init__()
        self.rul_weight = _checked_weight("rul_weight", rul_weight)
        self.health_weight = _checked_weight("health_weight", health_weight)
        flag = None if signed else torch.zeros((), dtype=torch.bool)
        self.register_buffer("went_negative", flag, persistent=False)

    def get_weights(self) -> dict[str, float]:
        """The weights as plain floats, for logs.

        Raises `ValueError` where a loss has been negative that must not be.
        """
        self._check_negative()
        return {"rul_weight": self.rul_weight, "health_weight": self.health_weight}

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
        """The two losses, if they are what this rule can weigh; see the head of this module."""
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

    def _check_negative(self) -> None:
        if self.went_negative is not None and bool(self.went_negative):
            raise ValueError(self._refusal("one has been"))

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


def task_gradients(
    losses: Sequence[Tensor], parameters: Sequence[Tensor], keep_graph: bool = True
) -> list[Tensor]:
    """Each loss's gradient with respect to the parameters, flattened to (P,).

    A parameter that a loss does not reach counts as 0. The graph stays, unless told otherwise.
    """
    flat = []
    for k, loss in enumerate(losses, start=1):
        keep = keep_graph or k < len(losses)
        grads = torch.autograd.grad(loss, parameters, retain_graph=keep, materialize_grads=True)
        flat.append(torch.cat([g.flatten() for g in grads]))
    return flat


def register(name: str) -> Callable[[_Factory], _Factory]:
    """Decorator: let `make_combiner(name, ...)` build what this class or function returns.

    A cell that is run again may register its class again: one of the same module and name takes the
    place of its older self. Raises `ValueError` when the name is another's.
    """

    def add(factory: _Factory) -> _Factory:
        older = _FACTORIES.get(name, factory)
        ours, theirs = ((f.__module__, f.__qualname__) for f in (factory, older))
        if ours != theirs:
            raise ValueError(f"combiner {name!r} is registered already; choose another name")
        _FACTORIES[name] = factory
        return factory

    return add


def names() -> tuple[str, ...]:
    """The registered names, sorted."""
    return tuple(sorted(_FACTORIES))


def settings_of(name: str) -> dict[str, Any]:
    """A combiner's settings and their defaults; `inspect.Parameter.empty` where there is none.

    Raises `ValueError` for an unknown name (it lists the known ones).
    """
    if name not in _FACTORIES:
        raise ValueError(f"unknown combiner {name!r}; known: {', '.join(names())}")
    return {k: p.default for k, p in inspect.signature(_FACTORIES[name]).parameters.items()}


def make_combiner(name: str, **settings: Any) -> Combiner:
    """Build a combiner by name: `make_combiner("fixed", rul_weight=0.75, health_weight=0.25)`.

    Raises `ValueError` for an unknown name (it lists the known ones), for a setting the combiner
    does not have or still needs (it lists those it has), and for a bad value.
    """
    if name not in _FACTORIES:
        raise ValueError(f"unknown combiner {name!r}; known: {', '.join(names())}")
    parameters = inspect.signature(_FACTORIES[name]).parameters.values()
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    accepted = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    known = ", ".join(p.name for p in accepted) or "none"
    unknown = sorted(settings.keys() - {p.name for p in accepted})
    if unknown and not open_ended:
        raise ValueError(f"combiner {name!r} has no setting {unknown[0]!r}; its settings: {known}")
    for p in accepted:
        if p.default is p.empty and p.name not in settings:
            raise ValueError(f"combiner {name!r} needs a setting {p.name!r}; its settings: {known}")
    return _FACTORIES[name](**settings)


@register("fixed")
class FixedWeightLoss(Combiner):
    """`rul_weight · rul_loss + health_weight · health_loss`, fixed for good.

    The weights are plain floats: not parameters, so no optimiser can move
    them, and not buffers, so a checkpoint carries none of them. They need
    not sum to 1; the source leaves that to the caller, and doubling both
    doubles the loss. `FixedWeightLoss.convex(lam)` builds the convex one.

    Raises `ValueError` for a weight that is negative, NaN, infinite or no
    real number. Source: chapter 15.1.
    """

    def __init__(self, rul_weight: float = 0.5, health_weight: float = 0.5) -> None:
        super().__init__(rul_weight, health_weight)

    @classmethod
    def convex(cls, lam: float) -> "FixedWeightLoss":
        """Weights `lam` and `1 - lam`; `ValueError` outside [0, 1] or NaN."""
        lam = _number("lam", lam, lambda v: 0.0 <= v <= 1.0, "lie in [0, 1]")
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

    Losses must not be negative. A divisor is never smaller than 1e-12 (6e-5 in float16), so a loss
    of exactly 0 gives 0 instead of NaN; its gradient is then multiplied by 1e12, and is 0 itself
    for squared error and cross-entropy. Raises `ValueError` for a bad weight, an unknown
    `normalise`, or a `beta` outside [0, 1).
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
        super().__init__(rul_weight, health_weight, signed=False)
        if normalise not in ("ema", "batch"):
            raise ValueError(f"normalise must be 'ema' or 'batch', got {normalise!r}")
        self.normalise = normalise
        self.beta = _number("beta", beta, lambda v: 0.0 <= v < 1.0, "lie in [0, 1)")
        # Σ β^age (1-β) L and Σ β^age (1-β): their quotient is the bias-corrected mean. Keeping the
        # second sum instead of a step count makes the first quotient exactly L in any precision.
        self.register_buffer("running_sum", torch.zeros(2, dtype=_state_dtype()))
        self.register_buffer("running_mass", torch.zeros((), dtype=_state_dtype()))

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        """The weighted sum of the normalised losses, 0-D. `extras` are ignored."""
        rul_loss, health_loss = self.checked(rul_loss, health_loss)
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
        # `where`, not `if`: reading a tensor on the host would stall a GPU at every step.
        if self.learning:
            news = losses.to(self.running_sum)
            good = news.isfinite().all()
            for state, new in (
                (self.running_sum, news),
                (self.running_mass, torch.ones_like(self.running_mass)),
            ):
                state.copy_(torch.where(good, state.lerp(new, 1.0 - self.beta), state))
        mean = torch.where(self.running_mass > 0, self.running_sum / self.running_mass, losses)
        return mean.to(losses.dtype)


class AdaptiveCombiner(Combiner):
    """A combiner whose weights move during training; the buffer `weights` holds the latest.

    `weights` has shape (2,), RUL first, and is what `get_weights` reports.
    """

    weights: Tensor

    def __init__(self, total: float = 1.0, *, signed: bool = True) -> None:
        """`total` is what the two weights sum to; they start equal."""
        super().__init__(total / 2, total / 2, signed=signed)
        self.register_buffer("weights", torch.full((2,), total / 2, dtype=_state_dtype()))

    def get_weights(self) -> dict[str, float]:
        self._check_negative()
        rul, health = self.weights.tolist()
        return {"rul_weight": rul, "health_weight": health}

    def weighted(self, rul_loss: Tensor, health_loss: Tensor) -> Tensor:
        """The weighted sum of two losses, 0-D."""
        # A copy: a second call moves the weights while the first total still waits for `backward`.
        weights = self.weights.clone().to(torch.promote_types(rul_loss.dtype, health_loss.dtype))
        return weights[0] * rul_loss + weights[1] * health_loss


class GradientCombiner(AdaptiveCombiner):
    """An adaptive combiner that compares the gradients of the two losses.

    Where these pass through float16, small ones would vanish, and the caller's `GradScaler` comes
    too late for them. So each loss is taken at the size of 1 and scaled by `half_scale`, which goes
    by `GradScaler`'s rule: halved after an overflow, doubled after 2,000 steps without.
    """

    half_scale: Tensor
    half_steps: Tensor

    def __init__(self, total: float = 1.0, *, signed: bool = True) -> None:
        super().__init__(total, signed=signed)
        # Not in the state dict: a resumed run finds the scale again.
        self.register_buffer("half_scale", torch.tensor(4096.0), persistent=False)
        self.register_buffer("half_steps", torch.tensor(0), persistent=False)

    def forward(
        self,
        rul_loss: Tensor,
        health_loss: Tensor,
        *,
        shared_params: Iterable[Tensor] | Tensor | None = None,
        model: nn.Module | None = None,
        **extras: Any,
    ) -> Tensor:
        """The weighted sum, 0-D; where it learns, it moves the weights first."""
        losses = self.checked(rul_loss, health_loss)
        if not self.learning:
            return self.weighted(*losses)
        learned = self.learned
        if torch.compiler.is_compiling():  # gradients within a graph are not for a compiler
            learned = torch.compiler.disable(learned)  # type: ignore[no-untyped-call]
        return learned(losses, _trained(self, shared_params), model)

    def learned(self, losses: Sequence[Tensor], shared: list[Tensor], model: Any) -> Tensor:
        """The total of a training step, given the shared parameters that are not frozen."""
        raise NotImplementedError

    def gradients(
        self, losses: Sequence[Tensor], parameters: Sequence[Tensor], *, half: bool, keep: bool
    ) -> list[list[Tensor | None]]:
        """Each loss's gradients, None where it does not reach a parameter; `keep` the graph."""
        found: list[list[Tensor | None]] = []
        for k, loss in enumerate(losses, start=1):
            scale = self._half_scale_of(loss) if half else None
            upstream = None if scale is None else scale.to(loss.dtype)
            grads = torch.autograd.grad(
                loss, parameters, upstream, keep or k < len(losses), allow_unused=True
            )
            if scale is not None:
                grads = tuple(None if g is None else g.float() / scale for g in grads)
            found.append(list(grads))
        return found

    def _half_scale_of(self, loss: Tensor) -> Tensor:
        """A power of two: it changes no digit of a gradient."""
        _, exponent = torch.frexp(loss.detach().float())
        scale = torch.ldexp(self.half_scale, -exponent.clamp(-64, 64))
        return scale.clamp(max=2.0**15) if loss.dtype is torch.float16 else scale

    def _adjust_half_scale(self, good: Tensor) -> None:
        steps = torch.where(good, self.half_steps + 1, 0)
        doubled = torch.where(steps == 2000, 2.0 * self.half_scale, self.half_scale)
        self.half_scale.copy_(torch.where(good, doubled, 0.5 * self.half_scale))
        self.half_steps.copy_(steps % 2000)


@register("gaba")
class GABALoss(GradientCombiner):
    """Gradient-aware balancing: a task's weight is the *other* task's share of the gradient norms.

    At each training step, `g` is the norm of a loss's gradient over all shared parameters, and the
    raw weights are g_health / (g_rul + g_health) and g_rul / (g_rul + g_health), so that both
    weighted gradients come out equally long. For two tasks that is IMTL-G (Liu et al. 2021). The
    weights used are an exponential mean of the raw ones with decay `beta`, raised to `floor` where
    they are below, then rescaled to sum to 1. During the first `warmup` steps both are 0.5, while
    the mean settles.

    With norms that sum to zero, or are NaN or infinite, the mean stays as it is. Norms are taken in
    float64, so that tiny and huge gradients keep their ratio.

    Two backward passes through the trunk are needed to know both norms. With `model=`, the total's
    gradient is their mixture, computed already, and `backward` adds no third; then the total is
    connected to all parameters that the losses reach, the model's or not, and no longer to the two
    losses, whose graph is used up. Without `model=` it is the plain weighted sum; also where
    gradients pass through float16, so that a `GradScaler` can do its work, or through hooks of
    parameters, which would run twice.

    Raises `ValueError` for `beta` outside [0, 1), `floor` outside [0, 0.5], a negative `warmup`,
    and in training without `shared_params=`, with all of them frozen, or where a loss reaches none
    of them. Source: the same book's chapters on GABA and GRACE.
    """

    ema_weights: Tensor
    step_count: Tensor

    def __init__(self, beta: float = 0.99, floor: float = 0.05, warmup: int = 100) -> None:
        super().__init__()
        self.beta = _number("beta", beta, lambda v: 0.0 <= v < 1.0, "lie in [0, 1)")
        self.floor = _number("floor", floor, lambda v: 0.0 <= v <= 0.5, "lie in [0, 0.5]")
        self.warmup = _number("warmup", warmup, lambda v: v >= 0.0, "lie in [0, ∞)")
        self.label = "GABA"
        self.register_buffer("ema_weights", torch.full((2,), 0.5, dtype=_state_dtype()))
        self.register_buffer("step_count", torch.zeros((), dtype=torch.int64))

    def learned(self, losses: Sequence[Tensor], shared: list[Tensor], model: Any) -> Tensor:
        """The weighted sum; with `model`, one whose gradient is known."""
        leaves, half = _reached(self, losses)
        hooked = any(leaf._backward_hooks for leaf in leaves)
        known = model is not None and not half and not hooked
        ours = {id(p) for p in shared}
        others = [leaf for leaf in leaves if id(leaf) not in ours] if known else []
        parameters = [*shared, *others]
        rul, health = self.gradients(losses, parameters, half=half, keep=not known)
        norms = [
            _norm(self.over_ranks(_flat(self, name, shared, found[: len(shared)])))
            for name, found in (("rul_loss", rul), ("health_loss", health))
        ]
        good = self.over_ranks(torch.stack(tuple(losses)).detach()).isfinite().all()
        self._move(norms[0], norms[1], good)
        if half:
            self._adjust_half_scale(torch.stack(norms).isfinite().all())
        total = self.weighted(*losses)
        if not known:
            return total
        targets = {id(leaf) for leaf in leaves}
        mixed = [
            (p, _mixed(self.weights, p, a, b))
            for p, a, b in zip(parameters, rul, health, strict=True)
            if id(p) in targets
        ]
        at, gradient = zip(*mixed, strict=True)
        return cast(Tensor, _KnownGradient.apply(total.detach(), *gradient, *at))  # type: ignore[no-untyped-call]

    def get_name(self) -> str:
        return self.label

    def _move(self, rul_norm: Tensor, health_norm: Tensor, good: Tensor) -> None:
        norms = torch.stack([health_norm, rul_norm])  # each task gets the other's
        good = good & norms.isfinite().all()
        raw = (norms / norms.sum()).to(self.ema_weights)
        # `where`, not `if`: reading a norm on the host would stall a GPU at every step.
        raw = torch.where(good & raw.isfinite().all(), raw, self.ema_weights)
        self.ema_weights.lerp_(raw, 1.0 - self.beta)
        self.step_count += good
        floored = self.ema_weights.clamp(min=self.floor)
        settled = floored / floored.sum()
        self.weights.copy_(torch.where(self.step_count > self.warmup, settled, 0.5))


@register("grace")
def grace(beta: float = 0.99, floor: float = 0.05, warmup: int = 100) -> GABALoss:
    """The source's GRACE is GABA over the sample-weighted RUL loss. Sample weights belong to the
    loss and not to the combiner, so this is GABA under its other name: train it with sample
    weights, which is the default, and `gaba` without."""
    combiner = GABALoss(beta, floor, warmup)
    combiner.label = "GRACE"
    return combiner


@register("gradnorm")
class GradNormLoss(GradientCombiner):
    """GradNorm (Chen et al. 2018): learn weights that let both tasks train at the same pace.

    G_i is the length of the gradient of w_i · L_i at the last shared weight matrix (of
    `shared_params`, the last that is trained and has two dimensions or more), and r_i is L_i over
    its value at the first step (the first with two losses that are finite and not 0), relative to
    the mean of the two. The weights descend on
    Σ |G_i − mean(G) · r_i^α|, with the targets held fixed; no other gradient reaches them, and
    this one reaches nothing else. After each step they are rescaled to sum to 2.

    The paper's learning rate for the weights is 0.025, which is 25 times this book's 1e-3; `speed`
    is that factor. Weights below `floor` are raised to it before they are rescaled, as the paper's
    rule could make them negative. With norms or losses that are NaN or infinite, the weights are
    not moved.

    Losses must not be negative. Raises `ValueError` for a negative `alpha`, a `speed` that is not
    positive, `floor` outside (0, 1], and in training without `shared_params=`, with none of them
    trained that has two dimensions, or where a loss does not reach the last.
    """

    initial_losses: Tensor
    started: Tensor

    def __init__(self, alpha: float = 1.5, speed: float = 25.0, floor: float = 0.01) -> None:
        super().__init__(total=2.0, signed=False)
        self.alpha = _number("alpha", alpha, lambda v: v >= 0.0, "lie in [0, ∞)")
        self.speed = _number("speed", speed, lambda v: v > 0.0, "lie in (0, ∞)")
        self.floor = _number("floor", floor, lambda v: 0.0 < v <= 1.0, "lie in (0, 1]")
        # An optimiser moves a parameter by about its learning rate; the weight is `speed` times it.
        self.slow_weights = nn.Parameter(torch.full((2,), 1.0 / self.speed, dtype=_state_dtype()))
        self._watch = _Watch()
        self.register_buffer("initial_losses", torch.ones(2, dtype=_state_dtype()))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def learned(self, losses: Sequence[Tensor], shared: list[Tensor], model: Any) -> Tensor:
        """The weighted sum; its gradient at the weights is that of GradNorm's own loss."""
        matrices = [p for p in shared if p.ndim >= 2]
        if not matrices:
            raise ValueError(
                "GradNorm needs a weight matrix that is trained among shared_params=, found none"
            )
        _, half = _reached(self, losses)
        self._rescale()
        values = self.over_ranks(torch.stack(tuple(losses)).detach().to(self.weights))
        # `where`, not `if`: reading a loss on the host would stall a GPU at every step.
        usable = (values.isfinite() & (values > 0)).all()
        begins = usable & ~self.started
        self.initial_losses.copy_(torch.where(begins, values, self.initial_losses))
        self.started.logical_or_(usable)
        found = self.gradients(losses, [matrices[-1]], half=half, keep=True)
        norms = [
            _norm(self.over_ranks(_flat(self, name, [matrices[-1]], grads)))
            for name, grads in zip(("rul_loss", "health_loss"), found, strict=True)
        ]
        if half:
            self._adjust_half_scale(torch.stack(norms).isfinite().all())
        slope = self._slope(values, torch.stack(norms).to(self.weights))
        slow_weights = self._watch.over(self, self.slow_weights)
        pull = (slope * self.speed * slow_weights).sum()
        # Adds nothing to the value, and to the gradient of the weights everything.
        total = self.weighted(*losses)
        return total + (pull - pull.detach()).to(total.dtype)

    def _slope(self, losses: Tensor, norms: Tensor) -> Tensor:
        """Of Σ |w · norm − target|, in w; 0 where it can't be told."""
        lengths = self.weights * norms
        ratio = losses / self.initial_losses
        target = lengths.mean() * (ratio / ratio.mean()) ** self.alpha
        slope = norms * torch.sign(lengths - target)
        # The sign of NaN is 0, so the target needs a look of its own.
        told = self.started & slope.isfinite().all() & target.isfinite().all()
        return torch.where(told, slope, 0.0)

    def get_name(self) -> str:
        return f"GradNorm(α={self.alpha:g})"

    @torch.no_grad()
    def _rescale(self) -> None:
        """Take over what the optimiser did to the weights, rescaled to sum to 2."""
        moved = (self.speed * self.slow_weights).clamp(min=self.floor)
        self.weights.copy_(2.0 * moved / moved.sum())
        self.slow_weights.copy_(self.weights / self.speed)


@register("uncertainty")
class UncertaintyLoss(Combiner):
    """Uncertainty weighting (Kendall et al. 2018): learn a noise variance for each task.

    With s = log σ², the total is ½ e^(−s_rul) L_rul + ½ s_rul + e^(−s_hs) L_hs + ½ s_hs: a
    regression and a classification, so the two halves differ. For losses that stand still the
    minimum is at s_rul = log L_rul and s_hs = log 2 L_hs. The total can be negative.

    An optimiser like Adam moves s by its learning rate a step at most, so a loss in the thousands
    needs thousands of steps to be met, and more, as the gradient shrinks on the way while Adam
    remembers how large it was. `speed` multiplies that pace.

    Losses must not be negative. One of exactly 0, as of a batch without labels, would drive its s
    to minus infinity, and one that is NaN or infinite spoil it; they leave it alone. Raises
    `ValueError` for a `speed` that is not positive.
    """

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__(0.5, 1.0, signed=False)
        self.speed = _number("speed", speed, lambda v: v > 0.0, "lie in (0, ∞)")
        self.slow_log_variances = nn.Parameter(torch.zeros(2, dtype=_state_dtype()))
        self._watch = _Watch()

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        """The total above, 0-D. `extras` are ignored."""
        rul_loss, health_loss = self.checked(rul_loss, health_loss)
        losses = torch.stack([rul_loss, health_loss])
        dtype = losses.dtype
        # e^(−s) outgrows float16 at once.
        losses = losses.to(torch.promote_types(dtype, torch.float32))
        slow: Tensor = self.slow_log_variances
        if self.learning:
            slow = self._watch.over(self, slow)
            # The value of all ranks, so that each pulls s alike; the gradient of this one.
            mean = self.over_ranks(losses)
            losses = losses if mean is losses else losses + (mean - losses).detach()
        s = (self.speed * slow).to(losses.dtype)
        seen = losses.detach()
        s = torch.where((seen > 0) & seen.isfinite(), s, s.detach())
        precision = torch.exp(-s)
        total = 0.5 * precision[0] * losses[0] + precision[1] * losses[1] + 0.5 * s.sum()
        return total.to(dtype)

    def get_weights(self) -> dict[str, float]:
        self._check_negative()
        rul, health = torch.exp(-self.speed * self.slow_log_variances.detach()).tolist()
        return {"rul_weight": 0.5 * rul, "health_weight": health}

    def get_name(self) -> str:
        return "Uncertainty" if self.speed == 1 else f"Uncertainty({self.speed:g}x)"


@register("dwa")
class DWALoss(AdaptiveCombiner):
    """Dynamic weight average (Liu et al. 2019): more weight for the task whose loss falls slower.

    A task's pace is its mean loss over the last epoch divided by that of the epoch before. The
    weights are 2 · softmax(pace / temperature) and change once an epoch; for the first two epochs
    both are 1. Where a pace is NaN or infinite (a loss of exactly 0), both are 1 again. An epoch
    without a batch whose losses are finite changes nothing.

    Losses must not be negative. Raises `ValueError` for a `temperature` that is not positive.
    """

    loss_sum: Tensor
    steps: Tensor
    averages: Tensor

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__(total=2.0, signed=False)
        self.temperature = _number("temperature", temperature, lambda v: v > 0.0, "lie in (0, ∞)")
        self.register_buffer("loss_sum", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        # Mean losses of the last two finished epochs, older first; NaN until there are two.
        self.register_buffer("averages", torch.full((2, 2), math.nan, dtype=torch.float64))

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        """The weighted sum, 0-D. `extras` are ignored."""
        rul_loss, health_loss = self.checked(rul_loss, health_loss)
        if self.learning:
            losses = torch.stack([rul_loss, health_loss]).detach().to(self.loss_sum)
            losses = self.over_ranks(losses)
            good = losses.isfinite().all()
            self.loss_sum += torch.where(good, losses, 0.0)
            self.steps += good
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


class _KnownGradient(torch.autograd.Function):
    """A total whose gradients at some leaves are known: no further pass computes them."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, *gradients_and_leaves: Tensor) -> Tensor:
        ctx.gradients = gradients_and_leaves[: len(gradients_and_leaves) // 2]
        return total.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        unknown = [None] * len(ctx.gradients)
        return None, *unknown, *(g * upstream[0] for g in ctx.gradients)


class _Watch:
    """Warns, once, where backward passes pull at a parameter and no optimiser moves it."""

    def __init__(self) -> None:
        self.pulls = 0
        self.pull: Tensor | float = 0.0
        self.start: Tensor | None = None

    def over(self, combiner: Combiner, parameter: Tensor) -> Tensor:
        """The parameter, to be used in its place."""
        if torch.compiler.is_compiling() or self.pulls > _PATIENCE or not parameter.requires_grad:
            return parameter
        if self.start is None:
            self.start = parameter.detach().clone()
        if self.pulls == _PATIENCE:  # read on the host once in a training
            self.pulls += 1
            still = torch.allclose(parameter.detach(), self.start.to(parameter), rtol=1e-5)
            if still and float(self.pull) > 0.0:
                warnings.warn(
                    f"{combiner.get_name()}: {_PATIENCE} backward passes have pulled at its "
                    "weights and nothing has moved them; add combiner.parameters() to the "
                    "optimiser",
                    stacklevel=2,
                )
            return parameter
        watched = parameter * 1.0
        watched.register_hook(self._felt)  # type: ignore[no-untyped-call]
        return watched

    def _felt(self, gradient: Tensor) -> None:
        self.pulls += 1
        self.pull = self.pull + gradient.detach().abs().sum()


def _norm(gradient: Tensor) -> Tensor:
    """Length, 0-D, float64: tiny and huge gradients keep their ratio."""
    length: Tensor = torch.linalg.vector_norm(gradient, dtype=torch.float64)
    return length


def _flat(
    combiner: Combiner, name: str, parameters: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> Tensor:
    """Gradients as one vector; a parameter that the loss does not reach counts as 0."""
    if all(g is None for g in gradients):
        raise ValueError(
            f"{name} reaches none of the shared_params= that {combiner.get_name()} compares "
            "gradients at; pass parameters that both losses train"
        )
    pairs = zip(parameters, gradients, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in pairs])


def _mixed(weights: Tensor, p: Tensor, rul: Tensor | None, health: Tensor | None) -> Tensor:
    """The gradient of the weighted sum at one parameter."""
    rul, health = (torch.zeros_like(p) if g is None else g for g in (rul, health))
    w = weights.to(rul.dtype)
    return w[0] * rul + w[1] * health


def _reached(combiner: Combiner, losses: Sequence[Tensor]) -> tuple[list[Tensor], bool]:
    """The leaves that the losses' gradients reach, and whether these pass through float16."""
    for name, loss in zip(("rul_loss", "health_loss"), losses, strict=True):
        if not loss.requires_grad:
            raise ValueError(
                f"{name} has no gradient, and {combiner.get_name()} compares gradients; pass the "
                "loss as computed, not detached and not from under torch.no_grad()"
            )
    nodes = [get_gradient_edge(loss).node for loss in losses]
    seen = set(nodes)
    leaves, half = [], any(loss.dtype is torch.float16 for loss in losses)
    while nodes:
        node: Any = nodes.pop()
        half = half or any(m.dtype is torch.float16 for m in getattr(node, "_input_metadata", ()))
        if node.name() == "torch::autograd::AccumulateGrad":
            leaves.append(node.variable)
        below = {child for child, _ in node.next_functions if child is not None} - seen
        seen |= below
        nodes += below
    return leaves, half or _casts_to_half(losses[0].device.type)


def _casts_to_half(device: str) -> bool:
    """Whether autocast is on, with float16: a compiled model shows its insides to nobody."""
    if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return False
    return torch.get_autocast_dtype(device) is torch.float16


def _trained(combiner: Combiner, shared_params: Iterable[Tensor] | Tensor | None) -> list[Tensor]:
    """The shared parameters that are not frozen."""
    if isinstance(shared_params, Tensor):
        shared_params = [shared_params]
    if shared_params is None:
        shared_params = ()
    shared: list[Any] = (
        list(shared_params) if isinstance(shared_params, Iterable) else [shared_params]
    )
    if not shared:
        spent = " (an iterator gives them once: pass a list)"
        raise ValueError(
            f"{combiner.get_name()} needs shared_params=, the parameters that both tasks train, "
            "to compare the tasks' gradients" + spent * isinstance(shared_params, Iterator)
        )
    for p in shared:
        if not isinstance(p, Tensor):
            raise ValueError(
                f"shared_params= must hold tensors, got {type(p).__name__}; pass "
                "list(trunk.parameters())"
            )
    trained = [p for p in shared if p.requires_grad]
    if not trained:
        raise ValueError(
            f"all shared_params= are frozen, so {combiner.get_name()} has no gradients to compare; "
            "pass a layer that is trained, or use 'fixed'"
        )
    return trained


def _state_dtype() -> torch.dtype:
    """The default dtype, but not half precision."""
    return torch.promote_types(torch.get_default_dtype(), torch.float32)


def _number(name: str, value: Any, fits: Callable[[float], bool], what: str) -> float:
    """A real number of any kind as a plain float: NumPy's and fractions too, or a 0-D tensor."""
    scalar = isinstance(value, np.generic | np.ndarray | Tensor) and value.ndim == 0
    learns = isinstance(value, Tensor) and value.requires_grad  # it would stand still here
    plain = value.item() if scalar and not learns else value
    try:
        number = (
            float(plain) if isinstance(plain, Real) and not isinstance(plain, bool) else math.nan
        )
    except OverflowError:  # of a whole number or a fraction
        number = math.inf
    if not (math.isfinite(number) and fits(number)):
        raise ValueError(f"{name} must {what}, got {value!r}")
    return number


def _checked_weight(name: str, value: Any) -> float:
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
