"""Are the two losses what a sweep can combine?"""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from amnl.weigh.broadcast import EVERY_PAIR, Squares, accident, refuse_other_shapes
from amnl.weigh.data import first_batch, row_count
from amnl.weigh.problem import Problem, ProblemError
from amnl.weigh.seeding import seeded


def two_losses(problem: Problem, model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
    """The two losses on a batch. Raises `ProblemError` for what is no pair of finite 0-D tensors
    with gradients."""
    with refuse_other_shapes("a loss"):
        pair = problem.losses(model, batch)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        got = "one tensor" if isinstance(pair, Tensor) else type(pair).__name__
        got += f" of {len(pair)}" if isinstance(pair, tuple | list) else ""
        raise ProblemError(
            f"losses(model, batch) returned {got}; return the primary and the auxiliary loss, "
            "`return primary, auxiliary`, not yet combined"
        )
    for name, loss in zip(("primary", "auxiliary"), pair, strict=True):
        if not isinstance(loss, Tensor) or loss.ndim != 0 or not loss.requires_grad:
            what = type(loss).__name__
            if isinstance(loss, Tensor):
                what = f"a tensor of shape {tuple(loss.shape)}"
                what += "" if loss.requires_grad else " without a gradient"
            raise ProblemError(
                f"the {name} loss is {what}; a 0-D tensor that has a gradient is wanted. Reduce it "
                "over the batch, and leave out .item() and .detach()"
            )
        if not bool(torch.isfinite(loss)):
            raise ProblemError(f"the {name} loss is {loss.item()}; look for NaN in train")
    return pair[0], pair[1]


def shared_parameters(model: nn.Module, pair: Sequence[Tensor]) -> tuple[str, ...]:
    """Names of the parameters that both losses reach. Raises `ProblemError` where there is none."""
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    slopes = (
        torch.autograd.grad(loss, [*learned.values()], retain_graph=True, allow_unused=True)
        for loss in pair
    )
    reached = zip(learned, *slopes, strict=True)
    shared = tuple(name for name, a, b in reached if a is not None and b is not None)
    if not shared:
        raise ProblemError(
            "no parameter feels both losses: these are two models in one, and a weight between "
            "their losses changes little but their learning rates. Share a layer, or sweep those"
        )
    return shared


def outside_parameters(model: nn.Module, pair: Sequence[Tensor]) -> int:
    """How many numbers the losses reach in parameters that are not the model's."""
    own, seen, found = set(map(id, model.parameters())), set(), {}
    waiting = [loss.grad_fn for loss in pair]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [above for above, _ in node.next_functions]
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, nn.Parameter) and id(leaf) not in own:
            found[id(leaf)] = leaf.numel()
    return sum(found.values())


def check_rows(problem: Problem, model: nn.Module) -> None:
    """Raises `ProblemError` where each prediction of a batch meets each target of it."""
    rows = min(problem.batch_size, row_count(problem.train))
    fewer, full, error = Squares(of_targets=True), Squares(of_targets=True), None
    model.train()
    for squares, size in ((fewer, rows - 1 if rows > 2 else rows + 1), (full, rows)):
        try:
            with seeded(0), torch.compiler.set_stance("force_eager"):
                batch = first_batch(problem.train, size)
                with warnings.catch_warnings(action="ignore"), squares:
                    problem.losses(model, batch)
        except Exception as raised:  # what is wrong with losses itself shows when it is called next
            error = error or raised
    found = accident(fewer, full)
    if not found and error and "must match the size of tensor" in str(error):
        found = next(iter(full.lined_up.values()), None)
    if found:
        raise ProblemError(f"losses broadcasts: shapes {found}{EVERY_PAIR}")
