"""A problem is tried out before it trains, with help for what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from amnl.weigh.check_losses import (
    check_rows,
    outside_notes,
    reached_parameters,
    shared_parameters,
    two_losses,
    unused_notes,
)
from amnl.weigh.check_metric import check_metric
from amnl.weigh.check_seed import check_seed
from amnl.weigh.combiner import check_combiner
from amnl.weigh.data import first_batch
from amnl.weigh.problem import Problem, ProblemError
from amnl.weigh.sample_weights import sample_weight_notes
from amnl.weigh.scale import Scale, measured_scale
from amnl.weigh.seeding import seeded


@dataclass(frozen=True)
class Checked:
    """What trying a problem out has shown."""

    scale: Scale  # of a fresh model, of seed 0
    untrained: float  # its metric
    shared: tuple[str, ...]  # names of the parameters that both losses reach
    notes: tuple[str, ...]


def check(problem: Problem, lams: Sequence[float], same_start: bool = False) -> Checked:
    """Try a problem out before it trains.

    Raises `ProblemError` where `build` ignores the seed, or does not give the same model twice,
    `losses` does not give two 0-D tensors with gradients, or lets each prediction meet each target,
    no parameter is shared, the combiner does not combine, or the metric is no finite number or not
    the same number twice.
    """
    model, untouched, other = fresh_models(problem, same_start)
    check_rows(problem, other)
    with seeded(0):
        model.train()
        batch = first_batch(problem.train, problem.batch_size)
        pair = two_losses(problem, model, batch)
        if torch.equal(*pair):
            raise ProblemError(
                f"both losses are {pair[0].item():.6g}: λ between a loss and itself changes "
                "nothing. Return the primary and the auxiliary one"
            )
        shared = shared_parameters(model, pair)
        common = [model.get_parameter(name) for name in shared]
        notes = check_combiner(problem, pair, model, common, lams[0])
        scale = measured_scale(problem, model, common)
        notes += sample_weight_notes(problem, model, batch, max(lams))
        notes += unused_notes(model, reached_parameters(model, pair))
        notes += outside_notes(model, pair)
        untrained = check_metric(problem, untouched)  # training mode moves statistics
    if same_start:
        notes.append("same_start: seeds differ in the order of batches and the like alone")
    return Checked(scale, untrained, shared, tuple(notes))


def fresh_models(problem: Problem, same_start: bool) -> list[nn.Module]:
    """Models of the seeds 0, 0 and 1. Raises `ProblemError` where no seed decides them."""
    models: list[nn.Module] = []
    for seed in (0, 0, 1):
        with seeded(seed):
            models.append(problem.build())
    check_seed(models, same_start)
    return models
