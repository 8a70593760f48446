"""Are the two losses what a sweep can combine?"""

import warnings
from collections.abc import Mapping, Sequence
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
        pair = problem.each_loss(model, batch)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        more = isinstance(pair, tuple | list) and len(pair) > 2
        raise ProblemError(
            f"losses(model, batch) returned {_kind(pair)}; return the primary and the auxiliary "
            "loss, `return primary, auxiliary`, not yet combined"
            + "; amnl.weigh.weigh_losses takes more than two"
            * more
        )
    check_each({"the primary loss": pair[0], "the auxiliary loss": pair[1]})
    return pair[0], pair[1]


def named_losses(given: Any) -> dict[str, Tensor]:
    """K ≥ 2 losses by name: a dict's keys, or a, b, c, ...; the primary one is first.

    Raises `ProblemError` for what is no such collection of finite 0-D tensors with gradients.
    """
    if isinstance(given, Mapping):
        named = {str(name): loss for name, loss in given.items()}
    elif isinstance(given, tuple | list):
        named = {letters(k): loss for k, loss in enumerate(given)}
    else:
        named = {}
    if len(named) < 2:
        raise ProblemError(
            f"losses(model, batch) returned {_kind(given)}; return two losses or more, the primary "
            "one first, not yet combined: `return primary, auxiliary`, or a dict of them"
        )
    check_each({f"the loss {name}": loss for name, loss in named.items()})
    return named


def letters(k: int) -> str:
    """a, b, ..., z, then loss27 and so on: what losses without names are called."""
    return "abcdefghijklmnopqrstuvwxyz"[k] if k < 26 else f"loss{k + 1}"


def check_each(losses: Mapping[str, Any]) -> None:
    """Raises `ProblemError` that names a loss which is no finite 0-D tensor with a gradient."""
    for name, loss in losses.items():
        if not isinstance(loss, Tensor) or loss.ndim != 0 or not loss.requires_grad:
            what = type(loss).__name__
            if isinstance(loss, Tensor):
                what = f"a tensor of shape {tuple(loss.shape)}"
                what += "" if loss.requires_grad else " without a gradient"
            raise ProblemError(
                f"{name} is {what}; a 0-D tensor that has a gradient is wanted. Reduce it "
                "over the batch, and leave out .item() and .detach(); counting (argmax, ==) has "
                "no gradient, and a loss that begins later in training is multiplied by 0 till then"
            )
        if not bool(torch.isfinite(loss)):
            raise ProblemError(f"{name} is {loss.item()}; look for NaN in train")


def _kind(given: Any) -> str:
    sized = f" of {len(given)}" if isinstance(given, tuple | list | Mapping) else ""
    return "one tensor" if isinstance(given, Tensor) else type(given).__name__ + sized


def reached_parameters(model: nn.Module, losses: Sequence[Tensor]) -> list[set[str]]:
    """Of each loss, the names of the parameters that it reaches and that are not frozen."""
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    slopes = (
        torch.autograd.grad(loss, [*learned.values()], retain_graph=True, allow_unused=True)
        for loss in losses
    )
    return [
        {name for name, slope in zip(learned, found, strict=True) if slope is not None}
        for found in slopes
    ]


def unused_notes(model: nn.Module, reached: Sequence[set[str]]) -> list[str]:
    """A note that names the layers which no loss reaches."""
    learned = [name for name, p in model.named_parameters() if p.requires_grad]
    idle = [name for name in learned if not any(name in names for names in reached)]
    layers = dict.fromkeys(name.rpartition(".")[0] or name for name in idle)
    if not layers:
        return []
    return [
        f"no loss reaches {', '.join(layers)}: never trained, and pulls are measured without it. "
        "Was it meant to be used?"
    ]


def shared_parameters(model: nn.Module, pair: Sequence[Tensor]) -> tuple[str, ...]:
    """Names of the parameters that both losses reach. Raises `ProblemError` where there is none."""
    first, second = reached_parameters(model, pair)
    shared = tuple(name for name, _ in model.named_parameters() if name in first & second)
    if not shared:
        raise ProblemError(
            "no parameter feels both losses: these are two models in one, and a weight between "
            "their losses changes little but their learning rates. Share a layer, or sweep those"
        )
    return shared


def outside_notes(model: nn.Module, losses: Sequence[Tensor]) -> list[str]:
    """A note on the parameters that the losses reach and that are not the model's."""
    outside = _outside_parameters(model, losses)
    if not outside:
        return []
    return [
        f"losses() goes through {outside} parameters that are not the model's: no run "
        "trains them. Make their layer in build(), as a part of the model"
    ]


def _outside_parameters(model: nn.Module, pair: Sequence[Tensor]) -> int:
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
