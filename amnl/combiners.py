"""Combiners: modules that turn two task losses into the one number that is minimised.

The contract, the same for each: `total = combiner(rul_loss, health_loss, **extras)`. Both losses
are 0-D tensors with a graph, and so is the total. The trainer always passes `shared_params=` (the
trunk's parameters) and `model=`; a combiner that needs neither accepts and ignores them. State that
must survive a checkpoint or a move to another device is a registered buffer.

Build one by name with `make_combiner`. Source: chapter 15.1; the registry is ours.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar, cast

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

    def end_epoch(self) -> None:
        """Called by the trainer when an epoch of training steps is over."""


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


class AdaptiveCombiner(Combiner):
    """A combiner whose weights move during training; the buffer `weights` holds the latest.

    `weights` has shape (2,), RUL first, and is what `get_weights` reports. In eval mode the weights
    are used and left alone.
    """

    weights: Tensor

    def __init__(self, total: float = 1.0) -> None:
        """`total` is what the two weights sum to; they start equal."""
        super().__init__(total / 2, total / 2)
        self.register_buffer("weights", torch.full((2,), total / 2))

    def get_weights(self) -> dict[str, float]:
        rul, health = self.weights.tolist()
        return {"rul_weight": rul, "health_weight": health}

    def weighted(self, rul_loss: Tensor, health_loss: Tensor) -> Tensor:
        """The weighted sum of two losses, 0-D."""
        weights = self.weights.to(rul_loss.dtype)
        return weights[0] * rul_loss + weights[1] * health_loss


@register("gaba")
class GABALoss(AdaptiveCombiner):
    """Gradient-aware balancing: a task's weight is the *other* task's share of the gradient norms.

    At each training step, `g` is the norm of a loss's gradient over all shared parameters, and the
    raw weights are g_health / (g_rul + g_health) and g_rul / (g_rul + g_health), so that both
    weighted gradients come out equally long. For two tasks that is IMTL-G (Liu et al. 2021). The
    weights used are an exponential mean of the raw ones with decay `beta`, none below `floor`,
    rescaled to sum to 1. During the first `warmup` steps both are 0.5, while the mean settles.

    With norms that sum to zero, or are NaN or infinite, the mean stays as it is. Norms are taken in
    float64, so that tiny and huge gradients keep their ratio.

    Two backward passes through the trunk are needed to know both norms. With `model=`, the total's
    gradient is their mixture, computed already, and `backward` adds no third; then the total is
    connected to the model's parameters and no longer to the two losses, whose graph is used up.
    Without `model=` it is the plain weighted sum.

    Raises `ValueError` for `beta` outside [0, 1), `floor` outside [0, 0.5], a negative `warmup`,
    and in training without `shared_params=`. Source: the same book's chapters on GABA and GRACE.
    """

    ema_weights: Tensor
    step_count: Tensor

    def __init__(self, beta: float = 0.99, floor: float = 0.05, warmup: int = 100) -> None:
        super().__init__()
        _check_range("beta", beta, 0.0 <= beta < 1.0, "[0, 1)")
        _check_range("floor", floor, 0.0 <= floor <= 0.5, "[0, 0.5]")
        _check_range("warmup", warmup, warmup >= 0, "[0, ∞)")
        self.beta, self.floor, self.warmup = beta, floor, warmup
        self.label = "GABA"
        self.register_buffer("ema_weights", torch.full((2,), 0.5))
        self.register_buffer("step_count", torch.zeros((), dtype=torch.int64))

    def forward(
        self,
        rul_loss: Tensor,
        health_loss: Tensor,
        *,
        shared_params: Iterable[Tensor] | None = None,
        model: nn.Module | None = None,
        **extras: Any,
    ) -> Tensor:
        """The weighted sum, 0-D; in training it moves the weights first."""
        _check_scalars(rul_loss, health_loss)
        if not self.training:
            return self.weighted(rul_loss, health_loss)
        shared = _checked_shared(self, shared_params)
        ours = {id(p) for p in shared}
        others = [] if model is None else [p for p in model.parameters() if id(p) not in ours]
        parameters = [*shared, *(p for p in others if p.requires_grad)]
        losses = (rul_loss, health_loss)
        rul, health = task_gradients(losses, parameters, keep_graph=model is None)
        trunk = sum(p.numel() for p in shared)
        self._move(_norm(rul[:trunk]), _norm(health[:trunk]))
        total = self.weighted(rul_loss, health_loss)
        if model is None:
            return total
        weights = self.weights.to(rul.dtype)
        mixed = weights[0] * rul + weights[1] * health
        known = _KnownGradient.apply(total.detach(), mixed, *parameters)  # type: ignore[no-untyped-call]
        return cast(Tensor, known)

    def get_name(self) -> str:
        return self.label

    def _move(self, rul_norm: Tensor, health_norm: Tensor) -> None:
        norms = torch.stack([health_norm, rul_norm])  # each task gets the other's
        raw = (norms / norms.sum()).to(self.ema_weights)
        # `where`, not `if`: reading a norm on the host would stall a GPU at every step.
        raw = torch.where(raw.isfinite().all(), raw, self.ema_weights)
        self.ema_weights.lerp_(raw, 1.0 - self.beta)
        self.step_count += 1
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
class GradNormLoss(AdaptiveCombiner):
    """GradNorm (Chen et al. 2018): learn weights that let both tasks train at the same pace.

    G_i is the length of the gradient of w_i · L_i at the last shared weight matrix (of
    `shared_params`, the last that has two dimensions or more), and r_i is L_i over its value at the
    first step, relative to the mean of the two. The weights descend on
    Σ |G_i − mean(G) · r_i^α|, with the targets held fixed; no other gradient reaches them, and
    this one reaches nothing else. After each step they are rescaled to sum to 2.

    The paper's learning rate for the weights is 0.025, which is 25 times this book's 1e-3; `speed`
    is that factor. Weights below `floor` are raised to it, as the paper's rule could make them
    negative. With norms or losses that are NaN or infinite, the weights are not moved.

    Raises `ValueError` for a negative `alpha`, a `speed` that is not positive, `floor` outside
    (0, 1], and in training without `shared_params=` or with none that has two dimensions.
    """

    initial_losses: Tensor
    started: Tensor

    def __init__(self, alpha: float = 1.5, speed: float = 25.0, floor: float = 0.01) -> None:
        super().__init__(total=2.0)
        _check_range("alpha", alpha, alpha >= 0.0, "[0, ∞)")
        _check_range("speed", speed, speed > 0.0, "(0, ∞)")
        _check_range("floor", floor, 0.0 < floor <= 1.0, "(0, 1]")
        self.alpha, self.speed, self.floor = alpha, speed, floor
        # An optimiser moves a parameter by about its learning rate; the weight is `speed` times it.
        self.slow_weights = nn.Parameter(torch.full((2,), 1.0 / speed))
        self.register_buffer("initial_losses", torch.ones(2))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def forward(
        self,
        rul_loss: Tensor,
        health_loss: Tensor,
        *,
        shared_params: Iterable[Tensor] | None = None,
        **extras: Any,
    ) -> Tensor:
        """The weighted sum, 0-D; its gradient at the weights is that of GradNorm's own loss."""
        _check_scalars(rul_loss, health_loss)
        if not self.training:
            return self.weighted(rul_loss, health_loss)
        shared = _checked_shared(self, shared_params)
        matrices = [p for p in shared if p.ndim >= 2]
        if not matrices:
            raise ValueError("GradNorm needs a weight matrix among shared_params=, found none")
        self._rescale()
        losses = torch.stack([rul_loss, health_loss]).detach().to(self.weights)
        self.initial_losses.copy_(torch.where(self.started, self.initial_losses, losses))
        self.started.fill_(True)
        gradients = task_gradients((rul_loss, health_loss), [matrices[-1]])
        norms = torch.stack([_norm(g) for g in gradients]).to(self.weights)
        lengths = self.weights * norms
        ratio = losses / self.initial_losses
        target = lengths.mean() * (ratio / ratio.mean()) ** self.alpha
        slope = norms * torch.sign(lengths - target)  # of Σ |w · norm − target|, in w
        slope = torch.where(slope.isfinite().all(), slope, 0.0)
        pull = (slope * self.speed * self.slow_weights).sum()
        # Adds nothing to the value, and to the gradient of the weights everything.
        return self.weighted(rul_loss, health_loss) + (pull - pull.detach()).to(rul_loss.dtype)

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
    remembers how large it was. `speed` multiplies that pace. Raises `ValueError` for a `speed` that
    is not positive.
    """

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__(0.5, 1.0)
        _check_range("speed", speed, speed > 0.0, "(0, ∞)")
        self.speed = speed
        self.slow_log_variances = nn.Parameter(torch.zeros(2))

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        """The total above, 0-D. `extras` are ignored."""
        _check_scalars(rul_loss, health_loss)
        s = (self.speed * self.slow_log_variances).to(rul_loss.dtype)
        precision = torch.exp(-s)
        return 0.5 * precision[0] * rul_loss + precision[1] * health_loss + 0.5 * s.sum()

    def get_weights(self) -> dict[str, float]:
        rul, health = torch.exp(-self.speed * self.slow_log_variances.detach()).tolist()
        return {"rul_weight": 0.5 * rul, "health_weight": health}

    def get_name(self) -> str:
        return "Uncertainty" if self.speed == 1 else f"Uncertainty({self.speed:g}x)"


@register("dwa")
class DWALoss(AdaptiveCombiner):
    """Dynamic weight average (Liu et al. 2019): more weight for the task whose loss falls slower.

    A task's pace is its mean loss over the last epoch divided by that of the epoch before. The
    weights are 2 · softmax(pace / temperature) and change once an epoch; for the first two epochs
    both are 1. Where a pace is NaN or infinite (a loss of exactly 0), both are 1 again.

    Raises `ValueError` for a `temperature` that is not positive.
    """

    loss_sum: Tensor
    steps: Tensor
    averages: Tensor

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__(total=2.0)
        _check_range("temperature", temperature, temperature > 0.0, "(0, ∞)")
        self.temperature = temperature
        self.register_buffer("loss_sum", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        # Mean losses of the last two finished epochs, older first; NaN until there are two.
        self.register_buffer("averages", torch.full((2, 2), math.nan, dtype=torch.float64))

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        """The weighted sum, 0-D. `extras` are ignored."""
        _check_scalars(rul_loss, health_loss)
        if self.training:
            self.loss_sum += torch.stack([rul_loss, health_loss]).detach()
            self.steps += 1
        return self.weighted(rul_loss, health_loss)

    def end_epoch(self) -> None:
        """Set the weights for the next epoch."""
        self.averages.copy_(torch.stack([self.averages[1], self.loss_sum / self.steps]))
        self.loss_sum.zero_()
        self.steps.zero_()
        pace = self.averages[1] / self.averages[0]
        moved = 2.0 * torch.softmax(pace / self.temperature, dim=0)
        self.weights.copy_(torch.where(moved.isfinite().all(), moved, 1.0))

    def get_name(self) -> str:
        return f"DWA(T={self.temperature:g})"


class _KnownGradient(torch.autograd.Function):
    """A total whose gradient, flat over all parameters, is known: no further pass computes it."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, gradient: Tensor, *parameters: Tensor) -> Tensor:
        ctx.gradient = gradient
        ctx.shapes = [p.shape for p in parameters]
        return total.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        pieces = (ctx.gradient * upstream[0]).split([shape.numel() for shape in ctx.shapes])
        return None, None, *(g.view(shape) for g, shape in zip(pieces, ctx.shapes, strict=True))


def _norm(gradient: Tensor) -> Tensor:
    """Length, 0-D, float64: tiny and huge gradients keep their ratio."""
    length: Tensor = torch.linalg.vector_norm(gradient, dtype=torch.float64)
    return length


def _checked_shared(combiner: Combiner, shared_params: Iterable[Tensor] | None) -> list[Tensor]:
    shared = [] if shared_params is None else list(shared_params)
    if not shared:
        raise ValueError(
            f"{combiner.get_name()} needs shared_params=, the parameters that both tasks train, "
            "to compare the tasks' gradients"
        )
    return shared


def _check_range(name: str, value: float, fits: bool, interval: str) -> None:
    if not (fits and math.isfinite(value)):
        raise ValueError(f"{name} must lie in {interval}, got {value}")


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
