"""GABA against TorchJD's IMTL-G and norms written out."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchjd.aggregation import IMTLG
from toy_problem import Toy, slope, weights

from amnl.combiners import GABALoss

quick = settings(max_examples=30, deadline=None)
positive = st.floats(1e-3, 1e3)


@quick
@given(st.integers(0, 10_000), positive, positive)
def test_gabas_raw_rule_is_torchjds_imtl_g(seed: int, a: float, b: float) -> None:
    toy = Toy(seed)
    combiner = GABALoss(beta=0.0, floor=0.0, warmup=0)
    total = combiner(*toy.losses(a, b), shared_params=toy.shared)
    jacobian = torch.stack(
        [torch.cat([g.flatten() for g in slope(loss, toy.shared)]) for loss in toy.losses(a, b)]
    )
    ours = torch.cat([g.flatten() for g in slope(total, toy.shared)])
    # Our weights are float32, so each of the two gradients is good to seven digits, the sum of
    # two that nearly cancel is not.
    assert (ours - IMTLG()(jacobian)).norm() <= 1e-6 * jacobian.norm(dim=1).min()


def test_gabas_raw_weight_is_the_other_tasks_share() -> None:
    toy = Toy()
    g_rul, g_hs = toy.norms()
    combiner = GABALoss(beta=0.0, floor=0.0, warmup=0)
    for scale in (1e-3, 1.0, 7.0):
        combiner(*toy.losses(rul_scale=scale), shared_params=toy.shared)
        expected = g_hs / (scale * g_rul + g_hs)
        assert weights(combiner) == pytest.approx((expected, 1 - expected), rel=1e-6)


def test_gaba_averages_from_one_half_and_warms_up_for_a_hundred_steps() -> None:
    toy = Toy()
    g_rul, g_hs = toy.norms()
    raw = g_hs / (g_rul + g_hs)
    combiner = GABALoss()
    for step in range(1, 301):
        combiner(*toy.losses(), shared_params=toy.shared)  # the toy stands still
        mean = raw + (0.5 - raw) * 0.99**step
        assert float(combiner.ema_weights[0]) == pytest.approx(mean, rel=1e-4)
        expected = 0.5 if step <= 100 else mean
        assert weights(combiner)[0] == pytest.approx(expected, rel=1e-4)
    assert int(combiner.step_count) == 300


def test_gabas_floor_holds_and_the_rest_is_rescaled() -> None:
    toy = Toy()
    combiner = GABALoss(beta=0.0, warmup=0)
    combiner(*toy.losses(rul_scale=1e6), shared_params=toy.shared)
    raw = float(combiner.ema_weights[0])
    assert raw < 1e-4
    assert weights(combiner) == pytest.approx((0.05 / 1.05, 1 / 1.05), rel=1e-3)


@quick
@given(st.integers(0, 10_000))
def test_the_known_gradient_is_that_of_the_weighted_sum(seed: int) -> None:
    """With `model=` no third backward pass is run; the gradients must not notice."""
    toy = Toy(seed)
    combiner = GABALoss(beta=0.5, warmup=0)
    total = combiner(*toy.losses(), shared_params=toy.shared, model=toy)
    w = weights(combiner)
    plain = sum(a * loss for a, loss in zip(w, toy.losses(), strict=True))
    assert total.shape == () and total.requires_grad
    assert float(total.detach()) == pytest.approx(float(plain.detach()), rel=1e-6)
    total.backward()
    expected = slope(plain, list(toy.parameters()))
    for p, g in zip(toy.parameters(), expected, strict=True):
        assert p.grad is not None
        torch.testing.assert_close(p.grad, g, rtol=1e-6, atol=1e-12)
    (3 * combiner(*toy.losses(), shared_params=toy.shared, model=toy)).backward()  # chains


def test_one_dead_task_gets_nearly_all_of_gabas_weight() -> None:
    """Its gradient is 0, so the rule would give it everything; the floor keeps the other alive."""
    toy = Toy()
    combiner = GABALoss(beta=0.0, warmup=0)
    combiner(*toy.losses(hs_scale=0.0), shared_params=toy.shared)
    assert weights(combiner) == pytest.approx((0.05 / 1.05, 1 / 1.05), rel=1e-6)


@pytest.mark.parametrize(("with_model", "passes"), [(True, 2), (False, 3)])
def test_with_the_model_no_third_pass_goes_through_the_trunk(with_model: bool, passes: int) -> None:
    trunk, felt = nn.Linear(2, 2), []
    out = trunk(torch.ones(2))
    out.register_hook(felt.append)
    given = {"model": trunk} if with_model else {}
    total = GABALoss()(out[0].exp(), out[1].exp(), shared_params=list(trunk.parameters()), **given)
    total.backward()
    assert len(felt) == passes
