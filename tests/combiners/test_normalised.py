"""AMNL's two readings of "normalised", against TorchJD and sums written out."""

import io
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchjd.scalarization import GeometricMean
from toy_problem import gradients, pair

from amnl.combiners import AMNLFixedLoss, make_combiner

quick = settings(max_examples=40, deadline=None)
losses = st.floats(1e-3, 1e4)
weights = st.floats(0.0, 10.0)


@quick
@given(losses, losses, weights, weights)
def test_the_batch_reading_has_the_gradient_of_a_sum_of_logs(
    a: float, b: float, w: float, v: float
) -> None:
    combiner = AMNLFixedLoss(w, v, normalise="batch")
    combiner(*pair(7 * a, b / 3))  # leaves no trace
    assert gradients(combiner, a, b) == pytest.approx([w / a, v / b])
    assert combiner(*pair(a, b)).item() == pytest.approx(w + v)  # the logged value never moves


@quick
@given(losses, losses)
def test_the_batch_reading_descends_like_torchjds_geometric_mean(a: float, b: float) -> None:
    leaves = pair(a, b)
    mean = GeometricMean()(torch.stack(leaves))
    theirs = [g.item() / mean.item() for g in torch.autograd.grad(mean, leaves)]
    assert gradients(AMNLFixedLoss(normalise="batch"), a, b) == pytest.approx(theirs)


@quick
@given(st.lists(st.tuples(losses, losses), min_size=1, max_size=12), st.floats(0.0, 0.999))
def test_the_running_reading_divides_by_a_bias_corrected_mean(
    history: list[tuple[float, float]], beta: float
) -> None:
    combiner = AMNLFixedLoss(beta=beta).double()
    for a, b in history:
        found = gradients(combiner, a, b)
    ages = range(len(history) - 1, -1, -1)
    mass = sum(beta**age for age in ages)
    means = [
        sum(beta**age * step[i] for age, step in zip(ages, history, strict=True)) / mass
        for i in range(2)
    ]
    assert found == pytest.approx([0.5 / means[0], 0.5 / means[1]])


@pytest.mark.parametrize("unit", [1.0, 125.0**2])
def test_both_readings_ignore_a_change_of_unit(unit: float) -> None:
    for normalise in ("batch", "ema"):
        combiner = AMNLFixedLoss(normalise=normalise).double()
        totals = [combiner(*pair(a * unit, 1.1)).item() for a in (3.0, 2.0, 1.0)]
        reference = AMNLFixedLoss(normalise=normalise).double()
        assert totals == pytest.approx([reference(*pair(a, 1.1)).item() for a in (3.0, 2.0, 1.0)])


def test_evaluation_uses_the_running_mean_and_does_not_move_it() -> None:
    combiner = AMNLFixedLoss().double()
    assert combiner.eval()(*pair(5.0, 7.0)).item() == pytest.approx(1.0)  # nothing known yet
    assert combiner.running_mass == 0
    combiner.train()(*pair(2.0, 1.0))
    before = {key: value.clone() for key, value in combiner.state_dict().items()}
    assert combiner.eval()(*pair(4.0, 3.0)).item() == pytest.approx(0.5 * 2 + 0.5 * 3)
    torch.testing.assert_close(dict(combiner.state_dict()), before, rtol=0, atol=0)


def test_a_checkpoint_continues_bit_for_bit() -> None:
    steps = [(3.0, 1.2), (2.5, 1.0), (2.4, 1.3), (1.9, 0.9)]
    whole, first, second = (AMNLFixedLoss() for _ in range(3))
    straight = [whole(*pair(*step)).item() for step in steps]
    resumed = [first(*pair(*step)).item() for step in steps[:2]]
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    resumed += [second(*pair(*step)).item() for step in steps[2:]]
    assert resumed == straight
    assert all(torch.equal(a, b) for a, b in zip(whole.buffers(), second.buffers(), strict=True))


@pytest.mark.parametrize("normalise", ["batch", "ema"])
def test_a_loss_of_zero_gives_zero_not_nan(normalise: str) -> None:
    leaves = pair(0.0, 1.1)
    total = AMNLFixedLoss(normalise=normalise)(*leaves)
    assert total.item() == pytest.approx(0.5)
    assert torch.isfinite(torch.stack(torch.autograd.grad(total, leaves))).all()


@pytest.mark.parametrize(
    ("setting", "bad"), [("normalise", "EMA"), ("beta", 1.0), ("beta", -0.1), ("beta", math.nan)]
)
def test_a_bad_normalisation_is_named(setting: str, bad: object) -> None:
    with pytest.raises(ValueError, match=rf"{setting} must .* got {bad!r}"):
        AMNLFixedLoss(**{setting: bad})


def test_swapping_the_tasks_and_amnls_weights_swaps_their_pulls() -> None:
    """Its weights stand still; what moves is what it divides by."""
    one, other = (make_combiner("amnl", rul_weight=a, health_weight=1 - a) for a in (0.3, 0.7))
    for rul, health in ((5.0, 1.0), (4.0, 3.0), (1.0, 2.0)):
        leaves = [torch.tensor(value, requires_grad=True) for value in (rul, health)]
        ours = torch.autograd.grad(one(*leaves), leaves)
        theirs = torch.autograd.grad(other(*leaves[::-1]), leaves)
        torch.testing.assert_close(ours, theirs)
    assert ours[0] != ours[1]
