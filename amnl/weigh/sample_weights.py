"""Pitfall 2 of chapter 15.1: samples that are weighted twice.

At equal predictions, the curvature of squared error, cross-entropy and the other losses of
generalised linear models does not depend on the target. So all rows are given the same prediction,
and where curvature still differs between them, something weighs them: a column of weights, or a
function of the target inside the loss.

Not seen: rows that are repeated or drawn more often, weights in a loss that does not get its
predictions by calling the model once on the batch, or that has no curvature everywhere (absolute
error, Huber, masked rows). Taken for weights: a curvature that follows the target, as of log-cosh
or a predicted variance.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from amnl.weigh.problem import Problem


def sample_weight_notes(problem: Problem, model: nn.Module, batch: Any, top: float) -> list[str]:
    """Notes on the primary loss; `top` is the largest λ of the sweep."""
    spread, why_not = _curvature_spread(problem, model, batch)
    if why_not:
        return [f"sample weights: not checked, {why_not}"]
    if spread < 1.01:
        return []
    return [
        f"doubly weighted: at equal predictions, rows of the primary loss differ {spread:.3g}-fold "
        "in curvature, which sample weights do (or a loss that is none of squared error, "
        f"cross-entropy and their kin). λ multiplies them: at {top:g} the heaviest row counts "
        f"{spread * top / 0.5:.3g} times as much as the lightest at 0.5. Sweep once without them, "
        "and compare"
    ]


def _curvature_spread(problem: Problem, model: nn.Module, batch: Any) -> tuple[float, str]:
    """Largest over smallest curvature of the primary loss in a row's prediction; or why not."""
    calls: list[list[Tensor]] = []  # of the model, and what each gave

    def first_row_everywhere(module: nn.Module, inputs: Any, output: Any) -> Any:
        calls.append([])
        return tree_map(copied, output)

    def copied(part: Any) -> Any:
        if not isinstance(part, Tensor) or part.ndim == 0 or not part.is_floating_point():
            return part
        leaf = part.detach()[:1].expand_as(part).clone().requires_grad_()
        calls[-1].append(leaf)
        return leaf.clone()  # a loss may change it in place

    handle = model.register_forward_hook(first_row_everywhere)
    try:
        loss = problem.each_loss(model, batch)[0]
        if len(calls) != 1 or not calls[0]:
            return 1.0, "as losses() does not call model(…) once on the whole batch"
        slopes = torch.autograd.grad(loss, calls[0], create_graph=True, allow_unused=True)
        draw = torch.Generator().manual_seed(0)
        squares: Tensor | float = 0.0
        for leaf, slope in zip(calls[0], slopes, strict=True):
            if slope is None or not slope.requires_grad:
                continue
            probe = torch.randn(leaf[:1].shape, generator=draw, device="cpu").to(leaf)
            (bend,) = torch.autograd.grad((slope * probe).sum(), leaf, retain_graph=True)
            squares = squares + bend.reshape(len(bend), -1).square().sum(1)
    except (RuntimeError, IndexError, TypeError, ValueError, AttributeError) as error:
        return 1.0, f"as the primary loss has no second derivative here ({type(error).__name__})"
    finally:
        handle.remove()
    if isinstance(squares, float) or not bool(squares.min() > 1e-12 * squares.max()):
        return 1.0, "as the primary loss has no curvature in some rows"
    return math.sqrt(float(squares.max() / squares.min())), ""
