"""Losses and metrics against closed forms and cases worked out by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from amnl.task_losses import (
    MAX_RUL,
    accuracy,
    macro_f1,
    moderate_weighted_mse_loss,
    nasa_score,
    rmse,
    sample_weights,
)

quick = settings(max_examples=40, deadline=None)
life = st.floats(0.0, 200.0)
batch = arrays(np.float64, st.tuples(st.just(2), st.integers(1, 20)), elements=life)


def test_weights_run_from_one_when_healthy_to_two_at_failure() -> None:
    target = torch.tensor([200.0, 125.0, 62.5, 0.0, -5.0])
    assert sample_weights(target).tolist() == [1.0, 1.0, 1.5, 2.0, 2.0]


@quick
@given(batch)
def test_the_weighted_loss_is_the_formula(pair: np.ndarray) -> None:
    pred, target = pair
    w = 1 + np.clip(1 - target / MAX_RUL, 0, 1)
    loss = moderate_weighted_mse_loss(torch.from_numpy(pred), torch.from_numpy(target))
    assert loss.shape == ()
    assert loss.item() == pytest.approx(np.mean(w * (pred - target) ** 2))
    plain = np.mean((pred - target) ** 2)
    assert plain * (1 - 1e-12) <= loss.item() <= 2 * plain * (1 + 1e-12)


@quick
@given(batch, st.floats(0.01, 100.0))
def test_a_change_of_unit_changes_the_loss_by_its_square(pair: np.ndarray, unit: float) -> None:
    pred, target = torch.from_numpy(pair)
    rescaled = moderate_weighted_mse_loss(pred / unit, target / unit, MAX_RUL / unit)
    assert rescaled.item() * unit**2 == pytest.approx(
        moderate_weighted_mse_loss(pred, target).item()
    )


def test_the_gradient_is_autograds_and_pulls_twice_as_hard_at_failure() -> None:
    target = torch.tensor([125.0, 0.0], dtype=torch.float64)
    pred = (target + 3.0).requires_grad_()
    assert torch.autograd.gradcheck(moderate_weighted_mse_loss, (pred, target))
    (slope,) = torch.autograd.grad(moderate_weighted_mse_loss(pred, target), pred)
    assert slope.tolist() == [3.0, 6.0]


@pytest.mark.parametrize("shape", [(4, 1), (1, 4), (3,), ()])
def test_shapes_that_would_broadcast_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"squeeze\(-1\)"):
        moderate_weighted_mse_loss(torch.zeros(shape), torch.zeros(4))


def test_an_empty_batch_has_no_loss() -> None:
    with pytest.raises(ValueError, match="empty"):
        moderate_weighted_mse_loss(torch.zeros(0), torch.zeros(0))


@pytest.mark.parametrize("max_rul", [0.0, -1.0, math.nan, math.inf])
def test_a_cap_that_is_not_positive_is_named(max_rul: float) -> None:
    with pytest.raises(ValueError, match=f"got {max_rul}"):
        sample_weights(torch.zeros(3), max_rul)


def test_rmse_is_pooled_not_a_mean_of_batches() -> None:
    pred, target = np.array([3.0, 0.0, 0.0, 0.0]), np.zeros(4)
    assert rmse(pred, target) == 1.5
    assert np.mean([rmse(pred[:2], target[:2]), rmse(pred[2:], target[2:])]) < 1.1


def test_nasas_score_on_values_worked_by_hand() -> None:
    assert nasa_score([10.0, 0.0, 7.0], [0.0, 13.0, 7.0]) == pytest.approx(2 * (math.e - 1))
    assert nasa_score([0.0], [0.0]) == 0.0


@quick
@given(st.floats(0.01, 100.0), st.floats(0.0, 100.0))
def test_late_costs_more_than_early_and_further_more_than_near(d: float, more: float) -> None:
    late, early = nasa_score([d], [0.0]), nasa_score([-d], [0.0])
    assert late > early > 0
    assert nasa_score([d + more], [0.0]) >= late
    assert nasa_score([-d - more], [0.0]) >= early


@quick
@given(batch, st.integers(0, 2**32 - 1))
def test_metrics_do_not_depend_on_the_order_of_engines(pair: np.ndarray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(pair.shape[1])
    for metric in (rmse, nasa_score):
        assert metric(*pair[:, order]) == pytest.approx(metric(*pair), rel=1e-9)
    classes = (pair // 70).astype(int)
    for metric in (accuracy, macro_f1):
        assert metric(*classes[:, order]) == pytest.approx(metric(*classes))


def test_class_metrics_on_a_table_worked_by_hand() -> None:
    true, pred = [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 1, 0]
    assert accuracy(pred, true) == 0.5
    # F1 of the classes: 2·1/(2+2), 2·2/(4+2), 0.
    assert macro_f1(pred, true) == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)


def test_a_class_that_occurs_nowhere_is_left_out_of_the_mean() -> None:
    assert macro_f1([0, 1], [0, 1], classes=3) == 1.0
    assert macro_f1([0, 2], [0, 1], classes=3) == pytest.approx(1 / 3)


def test_metrics_take_lists_arrays_and_tensors_with_a_graph() -> None:
    pred = torch.tensor([1.0, 2.0], requires_grad=True)
    assert rmse(pred, [1.0, 0.0]) == rmse(np.array([1.0, 2.0]), (1, 0))
    assert isinstance(rmse(pred, [1.0, 0.0]), float)


@pytest.mark.parametrize("metric", [rmse, nasa_score, accuracy, macro_f1])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int64, torch.bool])
def test_metrics_take_tensors_of_any_dtype(metric, dtype: torch.dtype) -> None:
    pred, target = torch.tensor([[1, 0, 1], [1, 1, 0]], dtype=dtype)
    assert metric(pred, target) == metric([1, 0, 1], [1, 1, 0])


@pytest.mark.parametrize("metric", [rmse, nasa_score, accuracy, macro_f1])
def test_metrics_refuse_masked_entries_and_take_a_mask_of_nothing(metric) -> None:
    masked = np.ma.masked_greater([1.0, 2.0], 1.5)
    for pair in ((masked, [1.0, 1.0]), ([1.0, 1.0], masked)):
        with pytest.raises(ValueError, match="argument masks entries"):
            metric(*pair)
    assert metric(np.ma.array([1.0, 2.0]), [1.0, 1.0]) == metric([1.0, 2.0], [1.0, 1.0])


@pytest.mark.parametrize("metric", [rmse, nasa_score, accuracy, macro_f1])
def test_metrics_refuse_what_they_cannot_score(metric) -> None:
    with pytest.raises(ValueError, match="nan"):
        metric([1.0, math.nan], [1.0, 1.0])
    with pytest.raises(ValueError, match="inf"):
        metric([1.0, 1.0], [1.0, math.inf])
    with pytest.raises(ValueError, match=r"\(2, 1\) against \(2,\)"):
        metric([[1.0], [1.0]], [1.0, 1.0])
    with pytest.raises(ValueError, match="empty"):
        metric([], [])


@pytest.mark.parametrize("bad", [3, -1, 0.5])
def test_an_index_that_is_no_class_is_named(bad: float) -> None:
    with pytest.raises(ValueError, match=f"0..2, got {bad}"):
        macro_f1([0, 1, bad], [0, 1, 2])
