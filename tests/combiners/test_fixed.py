"""Fixed weights against the source, TorchJD and the algebra."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchjd.scalarization import Constant
from toy_problem import gradients, pair

from amnl.combiners import AMNLFixedLoss, FixedWeightLoss, make_combiner

quick = settings(max_examples=40, deadline=None)
losses = st.floats(1e-3, 1e4)
weights = st.floats(0.0, 10.0)


def test_the_smoke_test_prints_what_the_source_prints() -> None:
    lines = []
    for label, combiner in (("AMNL", FixedWeightLoss()), ("V7", make_combiner("v7"))):
        total = combiner(torch.tensor(1.95), torch.tensor(1.10))
        lines.append(f"{label:<5s} combiner: {combiner.get_name():<20s}  total = {total:.4f}")
    assert lines == [
        "AMNL  combiner: Fixed(0.50/0.50)      total = 1.5250",
        "V7    combiner: Fixed(0.75/0.25)      total = 1.7375",
    ]
    assert gradients(FixedWeightLoss(), 1.95, 1.10) == [0.5, 0.5]


@quick
@given(losses, losses, weights, weights)
def test_torchjds_constant_scalarization_agrees(a: float, b: float, w: float, v: float) -> None:
    oracle = Constant(torch.tensor([w, v], dtype=torch.float64))
    leaves = pair(a, b)
    ours, theirs = FixedWeightLoss(w, v)(*leaves), oracle(torch.stack(leaves))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours, leaves), torch.autograd.grad(theirs, leaves)
    )


@quick
@given(losses, losses, weights, weights)
def test_the_gradients_are_the_weights(a: float, b: float, w: float, v: float) -> None:
    assert gradients(FixedWeightLoss(w, v), a, b) == [w, v]
    assert torch.autograd.gradcheck(FixedWeightLoss(w, v), pair(a, b))


@quick
@given(st.floats(0.0, 1.0))
def test_the_shared_gradient_is_the_mixture_of_the_two(lam: float) -> None:
    torch.manual_seed(0)
    trunk = nn.Linear(3, 2, dtype=torch.float64)

    def shared_gradient(combiner: nn.Module) -> Tensor:
        out = trunk(torch.linspace(-1, 1, 3, dtype=torch.float64))
        return torch.autograd.grad(combiner(out[0] ** 2, out.exp().sum()), trunk.weight)[0]

    rul, health = (shared_gradient(FixedWeightLoss.convex(one)) for one in (1.0, 0.0))
    mixture = shared_gradient(FixedWeightLoss.convex(lam))
    torch.testing.assert_close(mixture, lam * rul + (1 - lam) * health)


def test_fixed_weights_are_neither_parameters_nor_buffers() -> None:
    combiner = FixedWeightLoss(0.3, 0.9)
    assert not list(combiner.parameters()) and not list(combiner.buffers())
    assert combiner.state_dict() == {}
    assert combiner.get_weights() == {"rul_weight": 0.3, "health_weight": 0.9}  # sums to 1.2


@pytest.mark.parametrize("make", [FixedWeightLoss, AMNLFixedLoss])
@pytest.mark.parametrize("setting", ["rul_weight", "health_weight"])
@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, "half"])
def test_a_bad_weight_is_named(make: type[nn.Module], setting: str, bad: float) -> None:
    with pytest.raises(ValueError, match=rf"{setting} .* got {bad!r}"):
        make(**{setting: bad})


@pytest.mark.parametrize(
    ("lam", "weights"),
    [
        (np.float32(0.5), (0.5, 0.5)),
        (torch.tensor(0.25), (0.25, 0.75)),
        (np.array(1), (1.0, 0.0)),
        (Fraction(1, 3), (1 / 3, 1 - 1 / 3)),
    ],
)
def test_convex_takes_a_real_number_of_any_kind(lam: Any, weights: tuple[float, float]) -> None:
    assert tuple(FixedWeightLoss.convex(lam).get_weights().values()) == weights


@pytest.mark.parametrize("lam", [True, "0.5", None, 0.5j, np.array([0.5]), torch.tensor([0.5])])
def test_convex_refuses_what_is_no_number(lam: Any) -> None:
    with pytest.raises(ValueError, match=r"lam must lie in \[0, 1\], got "):
        FixedWeightLoss.convex(lam)


@pytest.mark.parametrize("lam", [-0.01, 1.01, math.nan])
def test_convex_refuses_a_weight_outside_the_unit_interval(lam: float) -> None:
    with pytest.raises(ValueError, match=rf"lam must lie in \[0, 1\], got {lam}"):
        FixedWeightLoss.convex(lam)
    assert FixedWeightLoss.convex(0.3).get_weights() == {"rul_weight": 0.3, "health_weight": 0.7}


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_a_convex_weight_may_lie_at_an_end(lam: float) -> None:
    assert FixedWeightLoss.convex(lam).get_weights() == {
        "rul_weight": lam,
        "health_weight": 1 - lam,
    }


def test_a_bad_convex_weight_is_named() -> None:
    with pytest.raises(ValueError, match=r"^lam must lie in \[0, 1\], got 2$"):
        FixedWeightLoss.convex(2)
