"""Dynamic weight average against TorchJD, and epochs worked by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchjd.scalarization import DWA
from toy_problem import weights

from amnl.combiners import DWALoss

quick = settings(max_examples=30, deadline=None)
positive = st.floats(1e-3, 1e3)


@quick
@given(st.lists(st.tuples(positive, positive), min_size=6, max_size=6), st.floats(0.5, 5.0))
def test_torchjds_dwa_agrees(losses: list[tuple[float, float]], temperature: float) -> None:
    ours, theirs = DWALoss(temperature), DWA(temperature)
    for epoch in range(3):
        for pair in losses[2 * epoch : 2 * epoch + 2]:
            values = torch.tensor(pair, dtype=torch.float64)
            torch.testing.assert_close(ours(*values), theirs(values), rtol=1e-6, atol=0)
        ours.end_epoch()
        theirs.step()
    values = torch.ones(2, dtype=torch.float64)
    torch.testing.assert_close(ours(*values), theirs(values), rtol=1e-6, atol=0)
    assert sum(weights(ours)) == pytest.approx(2.0)


def test_dwa_is_even_for_two_epochs_and_then_favours_the_slower_task() -> None:
    combiner = DWALoss()
    for epoch, (rul, health) in enumerate([(8.0, 1.0), (4.0, 1.0), (2.0, 1.0)]):
        combiner(torch.tensor(rul), torch.tensor(health))
        if epoch < 2:
            assert weights(combiner) == (1.0, 1.0)
        combiner.end_epoch()
    share = 1 / (1 + math.exp((1.0 - 0.5) / 2))  # paces 1/2 and 1, temperature 2
    assert weights(combiner) == pytest.approx((2 * share, 2 - 2 * share), rel=1e-6)


def test_dwa_compares_means_of_epochs_of_any_length_and_skips_a_batch_that_is_nan() -> None:
    combiner = DWALoss()
    for epoch in ([(8.0, 1.0)], [(4.0, 1.0), (math.nan, 1.0), (4.0, 1.0)]):
        for losses in epoch:
            combiner(*map(torch.tensor, losses))
        combiner.end_epoch()
    share = 1 / (1 + math.exp((1.0 - 0.5) / 2))
    assert weights(combiner) == pytest.approx((2 * share, 2 - 2 * share), rel=1e-6)
