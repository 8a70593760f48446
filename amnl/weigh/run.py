"""One training of a problem, at one weight with one seed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from amnl.weigh.check_metric import score_of
from amnl.weigh.combiner import make_combiner
from amnl.weigh.data import batches
from amnl.weigh.problem import NotFinite, Problem
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

    @property
    def cell(self) -> tuple[float, int]:
        """What tells it from the other runs of a sweep."""
        return self.lam, self.seed

    @property
    def pulls(self) -> tuple[float, ...]:
        """How hard each task pulls after training."""
        return self.scale.primary, self.scale.auxiliary

    @classmethod
    def parse(cls, stored: dict[str, Any]) -> "Run":
        """From the fields of a record."""
        return cls(**{**stored, "scale": Scale(**stored["scale"])})


def run(problem: Problem, shared: Sequence[str], lam: float, seed: int) -> Run:
    """Train one weight with one seed; `shared` names the parameters that both losses reach.

    Raises `ProblemError` where a loss, a gradient or the metric is not finite.
    """
    start = time.perf_counter()
    with seeded(seed, problem.dtype):
        model, common = trained(problem, shared, lam, seed, f"λ = {lam:g}")
        score = score_of(problem, model, f"λ = {lam:g}, seed {seed}")
        scale = measured_scale(problem, model, common)
    return Run(lam, seed, score, scale, round(time.perf_counter() - start, 3))


def trained(
    problem: Problem,
    shared: Sequence[str],
    setting: Any,
    seed: int,
    label: str,
    watch: Callable[[Sequence[Tensor], Sequence[Tensor]], object] | None = None,
) -> tuple[nn.Module, list[Tensor]]:
    """A trained model and its shared parameters; to be called within `seeded`.

    `setting` is what `problem.combiner` takes, `label` names it, and `watch` is called with the
    losses and the shared parameters at each step, before it is made. Raises `NotFinite` where a
    loss is not.
    """
    model = problem.build()
    common: list[Tensor] = [model.get_parameter(name) for name in shared]
    combiner, extras = make_combiner(problem, setting, model, common)
    own = list(model.parameters())
    learned = own.copy()
    if isinstance(combiner, nn.Module):
        combiner.train()
        learned += combiner.parameters()
    optimiser = torch.optim.AdamW(learned, lr=problem.lr)
    order = torch.Generator().manual_seed(seed)
    model.train()
    for epoch in range(1, problem.epochs + 1):
        totals = []
        for batch in batches(problem.train, problem.batch_size, order):
            losses = problem.each_loss(model, batch)
            total = combiner(*losses, **extras)
            if watch:
                watch(losses, common)
            optimiser.zero_grad()
            total.backward()
            nn.utils.clip_grad_norm_(own, 1.0)
            optimiser.step()
            totals.append(total.detach())
        finite = torch.stack(totals).isfinite()  # once an epoch: a GPU should not wait
        if not bool(finite.all()):
            step = int(finite.int().argmin()) + 1
            raise NotFinite(
                f"the loss is not finite at epoch {epoch}, step {step} ({label}, seed "
                f"{seed}, lr {problem.lr:g}); a smaller lr usually helps"
            )
        if hasattr(combiner, "end_epoch"):
            combiner.end_epoch()
    return model, common
