"""GradNorm against the paper written out."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from toy_problem import Toy, slope, weights

from amnl.combiners import GradNormLoss

quick = settings(max_examples=30, deadline=None)


@quick
@given(st.integers(0, 10_000), st.floats(0.2, 5.0), st.floats(0.0, 2.0))
def test_gradnorms_pull_is_the_papers_gradient(seed: int, slow: float, alpha: float) -> None:
    """Against the paper written out with second-order autograd: ∇_w Σ |G_i − mean(G)·r_i^α|."""
    toy = Toy(seed)
    combiner = GradNormLoss(alpha=alpha, speed=1.0)
    combiner(*toy.losses(), shared_params=toy.shared)  # the first step: remembers the losses
    for p in toy.rul.parameters():
        p.data.mul_(slow)  # one task has moved on
    combiner.slow_weights.data.copy_(torch.tensor([1.7, 0.3]))
    total = combiner(*toy.losses(), shared_params=toy.shared)
    (ours,) = torch.autograd.grad(total, combiner.slow_weights, retain_graph=True)

    w = torch.tensor([1.7, 0.3], dtype=torch.float64, requires_grad=True)
    last = toy.trunk[2].weight
    pairs = zip(w, toy.losses(), strict=True)
    lengths = torch.stack(
        [torch.autograd.grad(a * x, last, create_graph=True)[0].norm() for a, x in pairs]
    )
    start = torch.stack(Toy(seed).losses()).detach()
    ratio = torch.stack(toy.losses()).detach() / start
    target = (lengths.mean() * (ratio / ratio.mean()) ** alpha).detach()
    (theirs,) = torch.autograd.grad((lengths - target).abs().sum(), w)
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)

    # And the model feels the weighted sum alone.
    felt = slope(total, list(toy.parameters()))
    assert weights(combiner) == pytest.approx((1.7, 0.3), rel=1e-6)
    plain = sum(a * x for a, x in zip(weights(combiner), toy.losses(), strict=True))
    for g, h in zip(felt, slope(plain, list(toy.parameters())), strict=True):
        torch.testing.assert_close(g, h, rtol=1e-9, atol=1e-12)


def test_gradnorm_uses_the_last_shared_matrix_that_is_trained() -> None:
    def slope_of(*shared: Tensor) -> list[float]:
        combiner = GradNormLoss()
        combiner(*toy.losses(), shared_params=shared).backward()
        return combiner.slow_weights.grad.tolist()

    toy = Toy()
    first, last = toy.trunk[0].weight, toy.trunk[2].weight
    assert slope_of(*toy.shared) == slope_of(last) != slope_of(first)  # a bias comes last
    last.requires_grad_(False)
    assert slope_of(*toy.shared) == slope_of(first)
    last.requires_grad_(True)
    with pytest.raises(ValueError, match="weight matrix"):
        GradNormLoss()(*toy.losses(), shared_params=[toy.trunk[2].bias])


@pytest.mark.parametrize("first", [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (math.nan, 1.0)])
def test_gradnorm_starts_at_the_first_losses_that_can_be_compared(
    first: tuple[float, float],
) -> None:
    """A first batch without labels: relative to a loss of 0 the other would never be right."""

    def pulls(*steps: tuple[float, float]) -> list[list[float]]:
        combiner, matrix, found = GradNormLoss(), torch.ones(2, 2, requires_grad=True), []
        for rul, health in steps:
            combiner.zero_grad()
            losses = rul * matrix[0, 0], health * matrix[0, 1]
            combiner(*losses, shared_params=[matrix]).backward()
            found.append(combiner.slow_weights.grad.tolist())
        return found

    unlike, *later = pulls(first, (4.0, 1.0), (2.0, 1.0))
    assert unlike == [0.0, 0.0]
    assert later == pulls((4.0, 1.0), (2.0, 1.0))
