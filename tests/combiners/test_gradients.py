"""What the rules that compare gradients share."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from toy_problem import Toy, weights

from amnl.combiners import GABALoss, GradNormLoss, make_combiner, task_gradients


@pytest.mark.parametrize("keep", [True, False])
def test_the_gradients_of_the_tasks_by_hand(keep: bool) -> None:
    """2 a² and 3 b of parameters a = (1, 2) and b; neither loss reaches both."""
    a, b = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor(5.0, requires_grad=True)
    shared = [x.exp().log() for x in (a, b)]
    losses = [2 * (shared[0] ** 2).sum(), 3 * shared[1]]
    rul, health = task_gradients(losses, [a, b], keep_graph=keep)
    torch.testing.assert_close(rul, torch.tensor([4.0, 8.0, 0.0]))
    torch.testing.assert_close(health, torch.tensor([0.0, 0.0, 3.0]))
    if keep:
        for _ in range(2):  # the graph stays, unless told otherwise
            task_gradients(losses, [a, b])
    else:
        with pytest.raises(RuntimeError, match="second time"):
            task_gradients(losses, [a, b])


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (3.0, 1.0), (0.5, 4.0)])
def test_two_linear_losses_end_where_the_pulls_are_equal(a: float, b: float) -> None:
    """Losses a·u and b·v of one matrix (u, v): constant pulls a and b, so w₁a = w₂b is the answer,
    for GradNorm with α = 0 and for GABA alike."""
    matrix = nn.Parameter(torch.zeros(1, 2, dtype=torch.float64))

    def losses() -> tuple[Tensor, Tensor]:
        return 5 + a * matrix[0, 0], 5 + b * matrix[0, 1]

    gradnorm, gaba = GradNormLoss(alpha=0.0), GABALoss(beta=0.9, floor=0.0)
    optimiser = torch.optim.Adam(gradnorm.parameters(), 1e-3)
    for step in range(1500):
        optimiser.param_groups[0]["lr"] = 1e-3 / (1 + step / 100)
        optimiser.zero_grad()
        gradnorm(*losses(), shared_params=[matrix]).backward()
        optimiser.step()
        gaba(*losses(), shared_params=[matrix])
    share = b / (a + b)
    assert weights(gradnorm) == pytest.approx((2 * share, 2 - 2 * share), abs=0.02)
    assert weights(gaba) == pytest.approx((share, 1 - share), rel=1e-4)


@pytest.mark.parametrize("name", ["gaba", "gradnorm"])
@pytest.mark.parametrize("start", [2.0**60, 2.0**-60])
def test_a_scale_that_float16_does_not_hold_is_mended(name: str, start: float) -> None:
    """Halved after each overflow, doubled after 2,000 steps: then the norms are float32's again."""
    toy = Toy().float()
    toy.x, toy.y = toy.x.float(), toy.y.float()
    exact = make_combiner(name, **({"warmup": 0, "beta": 0.0} if name == "gaba" else {}))
    rough = copy.deepcopy(exact)
    rough.half_scale.fill_(start)
    if start < 1:
        rough.half_steps.fill_(1999)  # the last step but one
    for _ in range(60 if start > 1 else 1):
        exact.zero_grad()
        rough.zero_grad()
        exact(*toy.losses(), shared_params=toy.shared).backward()
        with torch.autocast("cpu", torch.float16):
            losses = toy.losses()
        rough(*losses, shared_params=toy.shared).backward()
    if start < 1:
        assert rough.half_scale == 2 * start and rough.half_steps == 0
        return
    assert 1.0 < rough.half_scale < 2.0**30
    assert weights(rough) == pytest.approx(weights(exact), rel=1e-2)
    for ours, theirs in zip(rough.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-2, atol=0)


@pytest.mark.parametrize("name", ["gaba", "gradnorm"])
@pytest.mark.parametrize("scale", [0.0, 1e-150, 1e150, math.nan, math.inf])
def test_extreme_gradients_end_in_the_documented_way(name: str, scale: float) -> None:
    """Ratios survive tiny and huge gradients in float64; NaN and infinity leave weights alone."""
    toy = Toy()
    combiner = {"gaba": GABALoss(beta=0.0, floor=0.01, warmup=0), "gradnorm": GradNormLoss()}[name]
    combiner(*toy.losses(), shared_params=toy.shared)
    before = weights(combiner)
    total = combiner(*toy.losses(scale, scale), shared_params=toy.shared)
    if isinstance(combiner, GABALoss):
        # one scale for both changes no share; without a length there is nothing to share
        assert weights(combiner) == pytest.approx(before, rel=1e-6)
    else:
        (pull,) = torch.autograd.grad(total, combiner.slow_weights)
        assert pull.isfinite().all()
        if not 0 < scale < math.inf:
            assert (pull == 0).all()
        assert weights(combiner) == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize("name", ["gaba", "gradnorm"])
def test_a_combiner_that_compares_gradients_says_that_it_needs_the_trunk(name: str) -> None:
    with pytest.raises(ValueError, match="needs shared_params="):
        make_combiner(name)(*Toy().losses())


@pytest.mark.parametrize("name", ["gaba", "gradnorm"])
@pytest.mark.parametrize("detached", [0, 1])
def test_a_loss_without_a_gradient_is_named(name: str, detached: int) -> None:
    toy = Toy()
    losses = list(toy.losses())
    losses[detached] = losses[detached].detach()
    label = ("rul_loss", "health_loss")[detached]
    with pytest.raises(ValueError, match=f"^{label} has no gradient"):
        make_combiner(name)(*losses, shared_params=toy.shared)


@pytest.mark.parametrize("loss", [1e-3, 0.7, 1.0, 300.0, 6e4])
def test_a_loss_in_half_precision_is_taken_at_the_size_of_one(loss: float) -> None:
    combiner = GABALoss()
    for dtype in (torch.float32, torch.float16):
        value = torch.tensor(loss, dtype=dtype)
        scale = float(combiner._half_scale_of(value))
        assert math.frexp(scale)[0] == 0.5, "a power of two changes no digit"
        most = 2.0**15 if dtype is torch.float16 else math.inf
        assert scale == most or 2048 <= scale * float(value) < 4096
        assert scale <= most
