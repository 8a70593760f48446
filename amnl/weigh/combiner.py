"""How a reader's combiner is made and called."""

import inspect
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from amnl.weigh.problem import Problem, ProblemError


def make_combiner(
    problem: Problem, setting: Any, model: nn.Module, shared: Sequence[Tensor]
) -> tuple[Any, dict[str, Any]]:
    """What combines the losses, on the model's device; and the extras that it is called with.

    The extras are `shared_params=` and `model=`, or none where it takes none: pitfall 3 of chapter
    15.1.
    """
    combiner = problem.combiner(setting)
    if isinstance(combiner, nn.Module):
        combiner.to(next(model.parameters()).device)
    extras = {"shared_params": shared, "model": model}
    call = combiner.forward if isinstance(combiner, nn.Module) else combiner
    try:
        inspect.signature(call).bind(None, None, **extras)
    except TypeError:
        return combiner, {}
    except ValueError:  # built-in, without a signature
        pass
    return combiner, extras


def check_combiner(
    problem: Problem,
    pair: tuple[Tensor, Tensor],
    model: nn.Module,
    shared: Sequence[Tensor],
    lam: float,
) -> list[str]:
    """A trial call. Raises `ProblemError` for what is no combiner; a note on one without extras."""
    combiner, extras = make_combiner(problem, lam, model, shared)
    if not callable(combiner):
        raise ProblemError(
            f"combiner({lam:g}) returned {type(combiner).__name__}; combiner= takes a function "
            "of λ that makes a combiner, such as FixedWeightLoss.convex"
        )
    total = combiner(*pair, **extras)
    if not isinstance(total, Tensor) or total.ndim != 0 or not total.requires_grad:
        raise ProblemError(
            f"combiner({lam:g})(primary, auxiliary) returned {type(total).__name__}; a 0-D "
            "tensor that has a gradient is wanted"
        )
    if extras:
        return []
    return [
        "the combiner takes no extras: trainers that pass shared_params= and model= (this book's, "
        "and whatever lets you swap in GABA or GradNorm) will fail with it. Here it is called "
        "without. Add **extras to its signature"
    ]
