"""How hard the tasks pull."""

import math
from typing import Any

import pytest
from small_problem import (
    build,
    losses,
    sweep,
)
from torch import nn

from amnl.weigh import FivePoint, Scale


@pytest.fixture(scope="module")
def result() -> FivePoint:
    return sweep(seeds=3)


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_the_scale_check_finds_a_rescaled_loss(result: FivePoint, factor: float) -> None:
    def rescaled(model: nn.Module, batch: Any) -> Any:
        primary, auxiliary = losses(model, batch)
        return factor * primary, auxiliary

    found = sweep(losses=rescaled)
    ratio = result.before.ratio or math.nan
    assert found.before.ratio == pytest.approx(factor * ratio, rel=1e-4)
    assert found.before.balanced_lam == pytest.approx(1 / (1 + factor * ratio), rel=1e-4)
    note = next(note for note in found.notes if "one side of the balance" in note)
    assert f"{factor * ratio:.3g}" in note

    def divided(model: nn.Module, batch: Any) -> Any:
        primary, auxiliary = rescaled(model, batch)
        return primary / (found.before.ratio or math.nan), auxiliary

    again = sweep(losses=divided)
    assert again.before.balanced_lam == pytest.approx(0.5, abs=1e-4)
    assert not any("balance" in note for note in again.notes)


def test_a_head_that_starts_at_zero_is_no_error() -> None:
    def zero_head() -> nn.Module:
        model = build()
        nn.init.zeros_(model[2].weight)
        return model

    assert sweep(build=zero_head).before.primary > 0  # the head itself still feels it
    idle = Scale(0.0, 1.0, 0.0)
    assert idle.ratio is None and "primary task does not pull" in str(idle)
