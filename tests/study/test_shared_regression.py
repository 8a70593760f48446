"""Chapter 2's model: closed forms against sampling, and the optimum against the sweep."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amnl.study.shared_regression import TwoTasks, draw, excess, fit, optimum, simulate

BALANCED = TwoTasks(noise_primary=2.0, noise_auxiliary=2.0, disagreement=0.75**0.5)
GRID = np.linspace(0.001, 0.999, 999)

tasks = st.builds(
    TwoTasks,
    dim=st.integers(1, 10),
    n_primary=st.integers(10, 200),
    n_auxiliary=st.integers(10, 200),
    noise_primary=st.floats(0.5, 5.0),
    noise_auxiliary=st.floats(0.5, 5.0),
    disagreement=st.floats(0.0, 2.0),
    scale=st.floats(0.2, 5.0),
)
# Of one set of rows.
labelled_twice = st.builds(
    lambda model, n, shared: replace(model, n_primary=n, n_auxiliary=n, shared_noise=shared),
    tasks,
    st.integers(10, 200),
    st.floats(-1.0, 1.0),
)
quick = settings(max_examples=60, deadline=None)


@quick
@given(tasks)
def test_the_optimum_derived_by_hand_is_where_the_curve_is_lowest(model: TwoTasks) -> None:
    assert 0.0 < optimum(model) < 1.0
    assert abs(GRID[np.argmin(excess(model, GRID))] - optimum(model)) <= 0.002


@quick
@given(labelled_twice)
def test_no_weight_is_better_than_the_derived_one_when_noise_is_shared(model: TwoTasks) -> None:
    ends_too = np.concatenate([[0.0], GRID, [1.0]])
    assert 0.0 <= optimum(model) <= 1.0
    least = excess(model, ends_too).min()
    assert excess(model, optimum(model)) <= least + 1e-9 * (1 + least)


SAME_ROWS = TwoTasks(n_auxiliary=40)


@pytest.mark.parametrize(
    ("noise_auxiliary", "shared", "where"),
    [
        (2.0, 0.0, 1.25 / 2.25),  # V = 1, A = 1.25
        (2.0, 0.5, 0.75 / 1.25),
        (2.0, 1.0, 1.0),
        (4.0, 0.5, 1.0),  # the auxiliary label is the primary's plus noise of its own
        (4.0, 0.9, 1.0),
        (4.0, 0.25, 3.75 / 4.25),
        (1.0, 1.0, 0.0),  # V = 1, A = 0.5, and 0.5 of each is shared
    ],
)
def test_shared_noise_moves_the_optimum_to_an_end(
    noise_auxiliary: float, shared: float, where: float
) -> None:
    model = replace(SAME_ROWS, noise_auxiliary=noise_auxiliary, shared_noise=shared)
    assert optimum(model) == pytest.approx(where)
    twice = replace(model, scale=2.0)
    assert optimum(twice) == pytest.approx(where / (where + 2 * (1 - where)))


@pytest.mark.parametrize("noise", [0.1, 0.7, 2.0, 3.3])
def test_a_label_that_repeats_the_first_one_is_of_no_use(noise: float) -> None:
    model = replace(SAME_ROWS, noise_primary=noise, noise_auxiliary=noise, shared_noise=1.0)
    assert optimum(model) == optimum(replace(model, disagreement=0.0)) == 1.0
    flat = excess(replace(model, disagreement=0.0), GRID)
    assert np.ptp(flat) < 1e-12


def test_the_simulated_curve_is_the_derived_one() -> None:
    for model in (
        TwoTasks(),
        BALANCED,
        TwoTasks(noise_primary=3.0, scale=4.0),
        replace(SAME_ROWS, shared_noise=0.5),
        replace(SAME_ROWS, shared_noise=1.0, noise_auxiliary=3.0, scale=2.0),
        replace(SAME_ROWS, shared_noise=-0.7),
    ):
        lambdas = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
        errors = simulate(model, lambdas, repeats=400, seed=1)
        standard_error = errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
        assert np.all(np.abs(errors.mean(axis=0) - excess(model, lambdas)) < 4 * standard_error)
        assert np.all(standard_error < 0.06 * excess(model, lambdas))


def test_half_is_optimal_exactly_when_the_two_errors_are_equal() -> None:
    assert BALANCED.primary_variance == pytest.approx(BALANCED.auxiliary_error)
    assert optimum(BALANCED) == pytest.approx(0.5)
    assert optimum(replace(BALANCED, noise_primary=2.1)) < 0.499


@pytest.mark.parametrize(
    ("knob", "values", "direction"),
    [
        ("noise_primary", (1.0, 2.0, 4.0), -1),
        ("n_primary", (20, 40, 80), 1),
        ("noise_auxiliary", (1.0, 2.0, 4.0), 1),
        ("n_auxiliary", (40, 80, 160), -1),
        ("disagreement", (0.0, 0.5, 1.0), 1),
        ("scale", (0.5, 1.0, 2.0), -1),
    ],
)
def test_each_knob_moves_the_optimum_its_way(
    knob: str, values: tuple[float, ...], direction: int
) -> None:
    optima = [optimum(replace(TwoTasks(), **{knob: value})) for value in values]
    assert all((b - a) * direction > 0 for a, b in pairwise(optima))


@quick
@given(tasks, st.floats(0.1, 10.0))
def test_rescaling_the_primary_loss_divides_the_optimal_odds(model: TwoTasks, k: float) -> None:
    before, after = optimum(model), optimum(replace(model, scale=k * model.scale))
    assert after / (1 - after) == pytest.approx(before / (1 - before) / k)


def test_the_fit_minimises_the_weighted_loss() -> None:
    x1, y1, x2, y2, _ = draw(TwoTasks(), np.random.default_rng(0))
    w = fit(x1, y1, x2, y2, lam=0.3, scale=2.0)
    slope = 0.3 * 2.0 * x1.T @ (x1 @ w - y1) / len(y1) + 0.7 * x2.T @ (x2 @ w - y2) / len(y2)
    np.testing.assert_allclose(slope, 0.0, atol=1e-12)


def test_white_inputs_make_the_fit_an_average_of_two_fits() -> None:
    x1, y1, x2, y2, _ = draw(TwoTasks(), np.random.default_rng(0))
    alone = [fit(x1, y1, x2, y2, lam) for lam in (1.0, 0.0)]
    np.testing.assert_allclose(fit(x1, y1, x2, y2, 0.3), 0.3 * alone[0] + 0.7 * alone[1])


def test_a_seed_fixes_the_data() -> None:
    runs = [simulate(TwoTasks(), np.array([0.5]), repeats=3, seed=s) for s in (7, 7, 8)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize(
    "bad",
    [
        {"dim": 0},
        {"dim": 41},
        {"n_auxiliary": 9},
        {"noise_primary": 0.0},
        {"noise_auxiliary": -1.0},
        {"disagreement": -0.1},
        {"scale": 0.0},
        {"shared_noise": 1.01},
        {"shared_noise": -1.01},
        {"shared_noise": 0.1},  # and 40 rows against 160
    ],
)
def test_impossible_tasks_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(bad))}={next(iter(bad.values()))}"):
        TwoTasks(**bad)


@pytest.mark.parametrize("field", vars(TwoTasks()))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} must be finite: .*{field}={value}"):
        TwoTasks(**{field: value})


@pytest.mark.parametrize("field", ["dim", "n_primary", "n_auxiliary"])
def test_counts_that_are_drawn_are_whole(field: str) -> None:
    """A formula may be drawn as a curve between them, as chapter 2 does."""
    between = TwoTasks(**{"n_primary": 40, field: 12.5})  # type: ignore[arg-type]
    assert math.isfinite(optimum(between))
    with pytest.raises(ValueError, match=f"{field} must be a whole number to draw .*{field}=12.5"):
        simulate(between, np.array([0.5]), repeats=1, seed=0)


def test_shared_noise_is_of_the_same_rows() -> None:
    x1, y1, x2, y2, _ = draw(
        replace(SAME_ROWS, shared_noise=1.0, disagreement=0.0), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(x1, x2)
    np.testing.assert_allclose(y1, y2)
    with pytest.raises(ValueError, match=r"n_auxiliary = n_primary, the same rows: .*=160"):
        TwoTasks(shared_noise=0.5)


def test_without_shared_noise_the_draws_are_the_ones_they_were() -> None:
    """What chapter 2 and the loss bowl print depends on their order."""
    tasks = TwoTasks()
    x1, y1, x2, y2, truth = draw(tasks, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    known, direction = rng.normal(size=10), rng.normal(size=10)
    rng.normal(size=(40 + 160, 10))
    np.testing.assert_array_equal(truth, known)
    np.testing.assert_allclose(y1 - x1 @ truth, 2 * rng.normal(size=40))
    other = truth + 0.5 * direction / np.linalg.norm(direction)
    np.testing.assert_allclose(y2 - x2 @ other, 2 * rng.normal(size=160))
