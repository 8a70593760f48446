"""The convex combination and the NumPy sweep, against algebra."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from amnl.combine import LAMBDAS, LOSS_HS, LOSS_RUL, combine_losses, format_sweep, simulate_sweep
from amnl.combiners import FixedWeightLoss

# no subnormal numbers: near 1e-308 a product loses its digits, and so would every bound
losses = st.just(0.0) | st.floats(1e-100, 1e6)
weights = st.just(0.0) | st.floats(1e-100, 1.0)
quick = settings(max_examples=60, deadline=None)


def close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)


@quick
@given(losses, losses, weights)
def test_the_combined_loss_lies_between_the_two(a: float, b: float, lam: float) -> None:
    total = combine_losses(a, b, lam)
    slack = 1e-12 * max(a, b)
    assert min(a, b) - slack <= total <= max(a, b) + slack


@quick
@given(losses, losses, weights, st.floats(0.0, 100.0))
def test_the_combination_is_linear_in_the_losses(a: float, b: float, lam: float, k: float) -> None:
    assert close(combine_losses(k * a, k * b, lam), k * combine_losses(a, b, lam))
    assert close(combine_losses(a + k, b, lam), combine_losses(a, b, lam) + lam * k)


@quick
@given(losses, losses, weights)
def test_exchanging_the_losses_exchanges_the_weights(a: float, b: float, lam: float) -> None:
    # 1 - (1 - λ) rounds, so the difference is measured against the losses, not their mixture.
    difference = combine_losses(a, b, lam) - combine_losses(b, a, 1.0 - lam)
    assert abs(difference) <= 1e-12 * max(a, b)


@quick
@given(losses, losses, weights, weights)
def test_more_weight_never_lowers_the_larger_losss_share(
    a: float, b: float, low: float, high: float
) -> None:
    low, high = sorted((low, high))
    rise = combine_losses(a, b, high) - combine_losses(a, b, low)
    assert rise * (a - b) >= -1e-12 * max(a, b) ** 2


@quick
@given(losses, losses, weights)
def test_numpy_and_torch_agree(a: float, b: float, lam: float) -> None:
    tensors = (torch.tensor(value, dtype=torch.float64) for value in (a, b))
    assert combine_losses(a, b, lam) == FixedWeightLoss.convex(lam)(*tensors).item()


@pytest.mark.parametrize("lam", [-0.1, 1.0000001, math.nan, math.inf, -math.inf])
def test_a_weight_outside_the_unit_interval_is_named(lam: float) -> None:
    with pytest.raises(ValueError, match=rf"\[0, 1\], got {lam}"):
        combine_losses(1.0, 1.0, lam)
    with pytest.raises(ValueError, match="got"):
        simulate_sweep({"A": 1.0}, {"A": 1.0}, [0.5, lam])


def test_the_worked_example_has_its_minimum_at_an_end_of_every_row() -> None:
    result = simulate_sweep(LOSS_RUL, LOSS_HS, LAMBDAS)
    assert result["best"] == {"FD001": 0.9, "FD002": 0.1, "FD003": 0.9, "FD004": 0.1}
    assert LAMBDAS == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    np.testing.assert_allclose(result["sweep"]["FD002"][4], 1.525)


@quick
@given(losses, losses, st.lists(weights, min_size=2, max_size=9, unique=True))
def test_no_static_sweep_has_an_interior_minimum(a: float, b: float, lambdas: list[float]) -> None:
    row = simulate_sweep({"A": a}, {"A": b}, sorted(lambdas))["sweep"]["A"]
    assert min(row) >= min(row[0], row[-1]) - 1e-12 * max(a, b)


def test_ties_go_to_the_first() -> None:
    assert simulate_sweep({"A": 2.0}, {"A": 2.0}, [0.7, 0.2, 0.5])["best"] == {"A": 0.7}


def test_a_missing_dataset_is_named() -> None:
    with pytest.raises(KeyError, match="FD004"):
        simulate_sweep({"FD001": 1.0, "FD004": 2.0}, {"FD001": 1.0}, [0.5])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_losses_that_are_not_finite_have_no_argmin(bad: float) -> None:
    with pytest.raises(ValueError, match="FD001"):
        simulate_sweep({"FD001": bad}, {"FD001": 1.0}, [0.5])
    with pytest.raises(ValueError, match="FD001"):
        simulate_sweep({"FD001": 1.0}, {"FD001": bad}, [0.5])


def test_an_empty_sweep_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one λ"):
        simulate_sweep({"A": 1.0}, {"A": 1.0}, [])


def test_the_table_prints_as_the_source_lays_it_out() -> None:
    lines = format_sweep(simulate_sweep(LOSS_RUL, LOSS_HS, LAMBDAS), LAMBDAS).splitlines()
    assert lines[0] == "    λ |  FD001 |  FD002 |  FD003 |  FD004"
    assert lines[5] == " 0.50 |  0.975 |  1.525 |  1.010 |  1.600"
    assert lines[-1] == " best |   0.90 |   0.10 |   0.90 |   0.10"
    assert len(lines) == 11


@pytest.mark.parametrize("module", ["amnl.combine", "amnl.study.shared_regression"])
def test_the_numpy_part_imports_no_torch(module: str) -> None:
    strays = "{'torch', 'pandas', 'matplotlib'} & sys.modules.keys()"
    code = f"import sys, {module}; sys.exit(' '.join({strays}) or 0)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr.decode()


@pytest.mark.parametrize("equal", [0.01, 0.1 + 0.2, 1.95, 2.0, 3.0])
@pytest.mark.parametrize("apart", [0.0, 1e-16])
def test_ties_go_to_the_first_whatever_the_last_digits(equal: float, apart: float) -> None:
    """0.1 · 1.95 + 0.9 · 1.95 is not 1.95: the last bit decides nothing."""
    result = simulate_sweep({"A": equal}, {"A": equal * (1 + apart)}, LAMBDAS)
    assert result["best"] == {"A": 0.1}


def test_a_small_difference_is_no_tie() -> None:
    assert simulate_sweep({"A": 1.95}, {"A": 1.95 + 1e-9}, LAMBDAS)["best"] == {"A": 0.9}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0])
def test_a_loss_that_is_not_finite_is_named(bad: float, lam: float) -> None:
    with pytest.raises(ValueError, match=f"loss_rul must be finite, got {bad}"):
        combine_losses(bad, 1.0, lam)
    with pytest.raises(ValueError, match=f"loss_hs must be finite, got {bad}"):
        combine_losses(1.0, bad, lam)


@pytest.mark.parametrize("other", [LAMBDAS[::-1], LAMBDAS[:-1], (*LAMBDAS, 1.0)])
def test_a_table_is_labelled_with_the_weights_it_was_made_with(other: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"the sweep is over \[0\.1, 0\.2, .*, not over \["):
        format_sweep(simulate_sweep(LOSS_RUL, LOSS_HS, LAMBDAS), other)
