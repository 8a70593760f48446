"""Combiners that fit, and what is said of others."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_problem import Plain, assert_refused, sweep

from amnl.combiners import FixedWeightLoss, make_combiner
from amnl.weigh import FivePoint, ProblemError


@pytest.fixture(scope="module")
def result() -> FivePoint:
    return sweep(seeds=3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"combiner": lambda lam: lam}, "combiner.*float.*FixedWeightLoss.convex"),
        ({"combiner": lambda lam: lambda a, b, **extras: 1.0}, "combiner.*float.*0-D"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_a_way_out(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert_refused(changes, words, tmp_path)


def test_a_combiner_goes_where_the_model_is() -> None:
    class Moved(FixedWeightLoss):
        def to(self, *where: Any, **more: Any) -> Any:
            seen.append(where)
            return super().to(*where, **more)

    seen: list[Any] = []
    sweep(combiner=lambda lam: Moved(lam, 1 - lam), seeds=1)
    assert seen == [(torch.device("cpu"),)] * 6  # the trial, and five runs


def test_a_combiner_without_extras_is_noted_and_used(result: FivePoint) -> None:
    found = sweep(combiner=Plain, seeds=3)
    assert any("takes no extras" in note and "**extras" in note for note in found.notes)
    assert found.scores == result.scores  # the same weights, so the same runs
    assert not any("extras" in note for note in result.notes)


@pytest.mark.parametrize("name", ["amnl", "gaba"])
def test_registered_combiners_fit(name: str) -> None:
    """GABA gets the parameters that both losses reach; it ignores λ, and that is noticed."""

    def make(lam: float) -> Any:
        given = {"rul_weight": lam, "health_weight": 1 - lam} if name == "amnl" else {}
        return make_combiner(name, **given)

    if name == "amnl":
        assert not any("extras" in note for note in sweep(combiner=make).notes)
    else:
        with pytest.raises(ProblemError, match="no λ changes the training"):
            sweep(combiner=make)
