"""A problem of K ≥ 2 losses is tried out before it trains, with help for what is wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from amnl.combine import FIVE
from amnl.weigh.broadcast import refuse_other_shapes
from amnl.weigh.check import fresh_models
from amnl.weigh.check_losses import (
    check_rows,
    named_losses,
    outside_notes,
    reached_parameters,
    unused_notes,
)
from amnl.weigh.check_metric import check_metric
from amnl.weigh.data import first_batch
from amnl.weigh.inputs import each_number
from amnl.weigh.problem import Problem, ProblemError
from amnl.weigh.pulls import Pulls, fresh_pulls, later_pulls
from amnl.weigh.sample_weights import sample_weight_notes
from amnl.weigh.seeding import seeded


@dataclass(frozen=True)
class CheckedLosses:
    """What trying a problem of K losses out has shown."""

    pulls: Pulls
    yours: tuple[float, ...]  # the reader's own weights
    untrained: float  # the metric of a fresh model
    shared: tuple[str, ...]  # parameters of the primary loss that others reach too
    notes: tuple[str, ...]


def check_weighing(problem: Problem, yours: Any, same_start: bool = False) -> CheckedLosses:
    """Try a problem of K losses out before it trains.

    Raises `ProblemError` as `check` does; for a loss that reaches no parameter of the primary one,
    or has the gradient 0 there throughout a training; and for bad weights `yours`.
    """
    model, untouched, other = fresh_models(problem, same_start)
    check_rows(problem, other)
    with seeded(0):
        model.train()
        batch = first_batch(problem.train, problem.batch_size)
        with refuse_other_shapes("a loss"):
            given_losses = problem.losses(model, batch)
        named = named_losses(given_losses)
        names, given = list(named), list(named.values())
        own = own_weights(yours, names)
        for k, name in enumerate(names):
            for earlier in names[:k]:
                if torch.equal(named[earlier], named[name]):
                    raise ProblemError(
                        f"the losses {earlier} and {name} are both {named[name].item():.6g}: "
                        "weights between a loss and itself change nothing. Leave one out"
                    )
        reached = reached_parameters(model, given)
        for name, names_reached in zip(names[1:], reached[1:], strict=True):
            if not names_reached & reached[0]:
                raise ProblemError(
                    f"the pull of the loss {name} on what the primary loss {names[0]} trains is 0: "
                    "they share no parameter, so no weight of it changes the primary task. Share a "
                    "layer (is it cut off by .detach()?), or leave it out"
                )
        both = reached[0] & set[str]().union(*reached[1:])
        shared = tuple(name for name, _ in model.named_parameters() if name in both)
        common = [model.get_parameter(name) for name in shared]
        pulls = fresh_pulls(problem, model, common, names)
        notes = sample_weight_notes(problem, model, batch, max(FIVE))
        notes += unused_notes(model, reached) + outside_notes(model, given)
        untrained = check_metric(problem, untouched)
    if same_start:
        notes.append("same_start: seeds differ in the order of batches and the like alone")
    if not all(pulls.norms):
        idle = [name for name, norm in zip(names, pulls.norms, strict=True) if not norm]
        pulls = later_pulls(problem, shared, names, own)
        begins = ", ".join(
            f"{n} pulls from step {s} on"
            for n, s in zip(names, pulls.first, strict=True)
            if n in idle
        )
        notes.append(
            f"before training the gradient of {' and '.join(idle)} is 0; {begins}. So the pulls "
            f"are means over an epoch from step {pulls.step} on, of a training at your weights"
        )
    return CheckedLosses(pulls, own, untrained, shared, tuple(notes))


def own_weights(yours: Any, names: Sequence[str]) -> tuple[float, ...]:
    """The reader's weights, one a loss; equal ones that sum to 1 where there are none.

    Raises `ProblemError` for other numbers of them, and for weights that weigh nothing.
    """
    if yours is None:
        return (1.0 / len(names),) * len(names)
    found = each_number(yours, names)
    if found is None or not all(0 <= w < math.inf for w in found) or found[0] == 0:
        raise ProblemError(
            f"yours must be {len(names)} weights, for {', '.join(names)}, none of them negative "
            f"and the first above 0; got {yours!r}"
        )
    return found
