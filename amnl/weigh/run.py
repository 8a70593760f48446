"""One training of a problem, at one weight with one seed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from amnl.weigh.check_metric import score_of
from amnl.weigh.combiner import make_combiner
from amnl.weigh.data import batches
from amnl.weigh.problem import Problem, ProblemError
from amnl.weigh.scale import Scale, measured_scale
from amnl.weigh.seeding import seeded


@dataclass(frozen=True)
class Run:
    """One training: its score at the last epoch, and the scale after it."""

    lam: float
    seed: int
    score: float  # in the metric's unit
    scale: Scale
    seconds: float


def run(problem: Problem, shared: Sequence[str], lam: float, seed: int) -> Run:
    """Train one weight with one seed; `shared` names the parameters that both losses reach.

    Raises `ProblemError` where a loss, a gradient or the metric is not finite.
    """
    start = time.perf_counter()
    with seeded(seed, problem.dtype):
        model = problem.build()
        common = [model.get_parameter(name) for name in shared]
        combiner, extras = make_combiner(problem, lam, model, common)
        learned = list(model.parameters())
        if isinstance(combiner, nn.Module):
            combiner.train()
            learned += combiner.parameters()
        optimiser = torch.optim.AdamW(learned, lr=problem.lr)
        order = torch.Generator().manual_seed(seed)
        model.train()
        for epoch in range(1, problem.epochs + 1):
            totals = []
            for batch in batches(problem.train, problem.batch_size, order):
                primary, auxiliary = problem.losses(model, batch)
                total = combiner(primary, auxiliary, **extras)
                optimiser.zero_grad()
                total.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimiser.step()
                totals.append(total.detach())
            finite = torch.stack(totals).isfinite()  # once an epoch: a GPU should not wait
            if not bool(finite.all()):
                step = int(finite.int().argmin()) + 1
                raise ProblemError(
                    f"the loss is not finite at epoch {epoch}, step {step} (λ = {lam:g}, seed "
                    f"{seed}, lr {problem.lr:g}); a smaller lr usually helps"
                )
            if hasattr(combiner, "end_epoch"):
                combiner.end_epoch()
        score = score_of(problem, model, f"λ = {lam:g}, seed {seed}")
        scale = measured_scale(problem, model, common)
    return Run(lam, seed, score, scale, round(time.perf_counter() - start, 3))
