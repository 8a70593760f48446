"""One training at given weights of all losses; one that ends in NaN is kept as failed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amnl.combiners import FixedWeightLoss
from amnl.weigh.check_metric import score_of
from amnl.weigh.problem import NotFinite, Problem
from amnl.weigh.pulls import fresh_pulls
from amnl.weigh.run import trained
from amnl.weigh.seeding import seeded


@dataclass(frozen=True)
class Trial:
    """One training: its score at the last epoch, or why it has none."""

    weights: tuple[float, ...]  # of the losses, the primary one first
    seed: int
    score: float | None  # in the metric's unit; None where the training failed
    failed: str  # why; empty where it did not
    pulls: tuple[float, ...]  # after training; empty where they were not measured
    seconds: float

    @property
    def cell(self) -> tuple[tuple[float, ...], int]:
        """What tells it from the other trials."""
        return self.weights, self.seed

    @classmethod
    def parse(cls, stored: dict[str, Any]) -> "Trial":
        """From the fields of a record."""
        lists = {name: tuple(stored[name]) for name in ("weights", "pulls")}
        return cls(**{**stored, **lists})


def weighted(weights: Sequence[float]) -> FixedWeightLoss:
    """The weighted sum of K losses: the combiner of every trial."""
    return FixedWeightLoss(*weights)


def trial(problem: Problem, shared: Sequence[str], weights: tuple[float, ...], seed: int) -> Trial:
    """Train with these weights and one seed; `shared` names the parameters that losses share."""
    start, label = time.perf_counter(), "weights " + ", ".join(f"{w:.3g}" for w in weights)
    score, failed, pulls = None, "", tuple[float, ...]()
    try:
        with seeded(seed, problem.dtype):
            model, common = trained(problem, shared, weights, seed, label)
            score = score_of(problem, model, f"{label}, seed {seed}")
            pulls = fresh_pulls(problem, model, common, [label] * len(weights)).norms
    except NotFinite as error:
        failed = str(error)
    return Trial(weights, seed, score, failed, pulls, round(time.perf_counter() - start, 3))
