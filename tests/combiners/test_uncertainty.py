"""Uncertainty weighting against TorchJD, and where it settles."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchjd.scalarization import UW
from toy_problem import weights

from amnl.combiners import UncertaintyLoss

quick = settings(max_examples=30, deadline=None)
positive = st.floats(1e-3, 1e3)


@quick
@given(positive, positive, st.floats(-3, 3), st.floats(-3, 3))
def test_torchjds_uncertainty_weighting_agrees(a: float, b: float, s: float, t: float) -> None:
    """TorchJD treats both tasks as regressions; doubling the health loss makes it Kendall's."""
    combiner, theirs = UncertaintyLoss().double(), UW(2).double()
    for parameter in (combiner.slow_log_variances, theirs.log_var):
        parameter.data = torch.tensor([s, t], dtype=torch.float64)
    rul, health = torch.tensor(a).double(), torch.tensor(b).double()
    ours_total, their_total = combiner(rul, health), theirs(torch.stack([rul, 2 * health]))
    torch.testing.assert_close(ours_total, their_total)
    (ours,) = torch.autograd.grad(ours_total, combiner.slow_log_variances)
    (other,) = torch.autograd.grad(their_total, theirs.log_var)
    torch.testing.assert_close(ours, other)
    assert weights(combiner) == pytest.approx((math.exp(-s) / 2, math.exp(-t)), rel=1e-6)


@pytest.mark.parametrize("speed", [1.0, 25.0])
def test_uncertainty_settles_at_the_logarithms(speed: float) -> None:
    combiner = UncertaintyLoss(speed)
    optimiser = torch.optim.Adam(combiner.parameters(), 0.05 / speed)
    for _ in range(1000):
        optimiser.zero_grad()
        combiner(torch.tensor(40.0), torch.tensor(0.3)).backward()
        optimiser.step()
    s = speed * combiner.slow_log_variances.detach()
    assert s.tolist() == pytest.approx([math.log(40.0), math.log(0.6)], abs=0.01)
