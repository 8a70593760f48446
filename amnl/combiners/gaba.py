"""GABA and GRACE: weights under which both gradients come out equally long."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from amnl.combiners.contract import _number
from amnl.combiners.gradients import GradientCombiner, Losses
from amnl.combiners.registry import register


@register("gaba")
class GABALoss(GradientCombiner):
    """Gradient-aware balancing: a task's weight is the *other* task's share of the gradient norms.

    Of K losses (`for_losses`) each weight is as 1 / its norm, so that all weighted gradients are
    equally long.

    Parameters
    ----------
    beta
        Decay of the weights' running mean, in [0, 1).
    floor
        Least weight, in [0, 0.5]; with more than two losses at most 1 / K.
    warmup
        During this many first steps the weights are equal, while the mean settles; at least 0.

    Raises
    ------
    ValueError
        For a bad setting, and in training as `GradientCombiner.forward` says.

    Notes
    -----
    At each training step::

        r_rul = g_health / (g_rul + g_health)      r_health = g_rul / (g_rul + g_health)
        e ← β · e + (1 − β) · r
        w = max(e, floor) / Σ max(e, floor)

    - `g`: norm of a loss's gradient over all shared parameters
    - `r`: raw weights, with which both weighted gradients are equally long. For two tasks that is
      IMTL-G (Liu et al. 2021); for more it is that at gradients at right angles
    - `e`: exponential mean of the raw weights, from 0.5 on; `β`: `beta`
    - `w`: the weights used; they sum to 1

    With norms that sum to zero, or are NaN or infinite, the mean stays as it is.

    Two backward passes through the trunk are needed to know both norms. With `model=`, the total's
    gradient is their mixture, computed already, and `backward` adds no third; then the total is
    connected to all parameters that the losses reach, the model's or not, and no longer to the two
    losses, whose graph is used up. Without `model=` it is the plain weighted sum; also where
    gradients pass through float16, so that a `GradScaler` can do its work, or through hooks of
    parameters, which would run twice.

    References
    ----------
    Source: the same book's chapters on GABA and GRACE. L. Liu et al., "Towards impartial multi-task
    learning", ICLR 2021.

    Examples
    --------
    >>> import torch
    >>> w = torch.tensor([1.0, 1.0], requires_grad=True)
    >>> combiner = GABALoss(beta=0.0, warmup=0)
    >>> total = combiner(3 * w[0], w[1], shared_params=[w])  # the norms are 3 and 1
    >>> combiner.get_weights()
    {'rul_weight': 0.25, 'health_weight': 0.75}
    """

    ema_weights: Tensor  # (K,), RUL first
    step_count: Tensor  # of training steps with finite losses and norms

    def __init__(self, beta: float = 0.99, floor: float = 0.05, warmup: int = 100) -> None:
        super().__init__()
        self.beta = _number("beta", beta, lambda v: 0.0 <= v < 1.0, "lie in [0, 1)")
        self.floor = _number("floor", floor, lambda v: 0.0 <= v <= 0.5, "lie in [0, 0.5]")
        self.warmup = _number("warmup", warmup, lambda v: v >= 0.0, "lie in [0, ∞)")
        self.label = "GABA"
        self._start(2)

    def _start(self, count: int) -> None:
        if self.floor > 1.0 / count:
            raise ValueError(
                f"floor must lie in [0, {1 / count:.3g}] for {count} losses, got {self.floor:g}"
            )
        super()._start(count)
        self.register_buffer("ema_weights", self.weights.clone())
        self.register_buffer("step_count", torch.zeros((), dtype=torch.int64))

    def _equal(self, count: int) -> float:
        return 1.0 / count

    def training_total(self, losses: Losses, shared: list[Tensor], model: object) -> Tensor:
        """The weighted sum; with `model`, one whose gradient is known."""
        leaves, half = self.reached(losses)
        hooked = any(leaf._backward_hooks for leaf in leaves)
        known = model is not None and not half and not hooked
        ours, targets = ({id(p) for p in some} for some in (shared, leaves))
        others = [leaf for leaf in leaves if id(leaf) not in ours] if known else []
        norms, gradients = self.compared(losses, shared, others, half=half, keep=not known)
        finite = self.over_ranks(torch.stack(losses).detach()).isfinite().all()
        self._move(norms, finite & norms.isfinite().all())
        total = self.weighted(*losses)
        if not known:
            return total
        weights = self.weights.unbind()
        mixtures = [
            (p, _mixture(weights, of_each))
            for p, *of_each in zip([*shared, *others], *gradients, strict=True)
            if id(p) in targets
        ]
        at, mixed = zip(*mixtures, strict=True)
        return cast(Tensor, _KnownGradient.apply(total.detach(), *mixed, *at))  # type: ignore[no-untyped-call]

    def get_name(self) -> str:
        return self.label

    def _move(self, norms: Tensor, finite: Tensor) -> None:
        others = _products_of_others(norms)  # of two norms: each gets the other's
        raw = (others / others.sum()).to(self.ema_weights)
        # `where`, not `if`: reading a norm on the host would stall a GPU at every step.
        raw = torch.where(finite & raw.isfinite().all(), raw, self.ema_weights)
        self.ema_weights.lerp_(raw, 1.0 - self.beta)
        self.step_count += finite
        floored = self.ema_weights.clamp(min=self.floor)
        settled = floored / floored.sum()
        equal = self._equal(self.losses)
        self.weights.copy_(torch.where(self.step_count > self.warmup, settled, equal))


@register("grace")
def grace(beta: float = 0.99, floor: float = 0.05, warmup: int = 100) -> GABALoss:
    """The source's GRACE is GABA over the sample-weighted RUL loss. Sample weights belong to the
    loss and not to the combiner, so this is GABA under its other name: train it with sample
    weights, which is the default, and `gaba` without."""
    combiner = GABALoss(beta, floor, warmup)
    combiner.label = "GRACE"
    return combiner


def _products_of_others(norms: Tensor) -> Tensor:
    """For each norm the product of all others, (K,): as 1 / norm, and defined where one is 0."""
    kept = ~torch.eye(len(norms), dtype=torch.bool, device=norms.device)
    return torch.where(kept, norms, 1.0).prod(dim=1)


def _mixture(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """The weighted sum of the losses' gradients at one parameter."""
    total = weights[0].to(gradients[0].dtype) * gradients[0]
    for weight, gradient in zip(weights[1:], gradients[1:], strict=True):
        total = total + weight.to(gradient.dtype) * gradient
    return total


class _KnownGradient(torch.autograd.Function):
    """A total whose gradients at some leaves are known: no further pass computes them."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, *gradients_and_leaves: Tensor) -> Tensor:
        ctx.gradients = gradients_and_leaves[: len(gradients_and_leaves) // 2]
        return total.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        unknown = [None] * len(ctx.gradients)
        return None, *unknown, *(g * upstream[0] for g in ctx.gradients)
