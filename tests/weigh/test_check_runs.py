"""Runs that should differ and do not are named."""

from typing import Any

import pytest
from small_problem import seeded_build, sweep
from torch import nn

from amnl.combiners import FixedWeightLoss
from amnl.weigh import ProblemError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": lambda m, v: 3.0}, "all 10 runs have the metric 3.*saturated"),
        ({"combiner": lambda lam: FixedWeightLoss()}, "no λ changes the training"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_a_way_out(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ProblemError, match=f"(?s){words}"):
        sweep(**changes)


def test_a_seed_that_changes_nothing_is_noticed_in_the_runs() -> None:
    """A stored start, all rows in one batch, no dropout: the order of rows is all that is left."""
    with pytest.raises(ProblemError, match="seed is ignored: all 2 seeds"):
        sweep(build=seeded_build, same_start=True, batch_size=40)


def test_scores_may_tie_where_trainings_differ() -> None:
    """A coarse metric that no λ moves is a finding, not a fault."""

    def coarse(model: nn.Module, val: Any) -> float:
        counted.append(1)
        return float(max(0, len(counted) - 3) // 5 % 2)  # the first two calls are the check's

    counted: list[int] = []
    found = sweep(metric=coarse, seeds=6)
    assert found.verdict == "flat" and found.scores[0.3] == [0, 1, 0, 1, 0, 1]
