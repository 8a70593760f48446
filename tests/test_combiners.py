"""The contract that every combiner keeps, and those with fixed weights."""

import inspect
import io
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchjd.scalarization import Constant, GeometricMean

from amnl.combiners import AMNLFixedLoss, FixedWeightLoss, make_combiner, names, register
from amnl.combiners import base as combiners

quick = settings(max_examples=40, deadline=None)
losses = st.floats(1e-3, 1e4)
weights = st.floats(0.0, 10.0)


def pair(a: float, b: float) -> tuple[Tensor, Tensor]:
    return (
        torch.tensor(a, dtype=torch.float64, requires_grad=True),
        torch.tensor(b, dtype=torch.float64, requires_grad=True),
    )


def gradients(combiner: nn.Module, a: float, b: float) -> list[float]:
    leaves = pair(a, b)
    return [g.item() for g in torch.autograd.grad(combiner(*leaves), leaves)]


# The contract, for every combiner by name.


@pytest.mark.parametrize("name", names())
def test_a_combiner_returns_a_scalar_with_a_graph_and_ignores_extras(name: str) -> None:
    trunk = nn.Linear(2, 2)
    rul, health = trunk(torch.ones(2)).exp()
    extras = {"shared_params": list(trunk.parameters()), "model": trunk, "and": "more"}
    total = make_combiner(name)(rul, health, **extras)
    assert total.shape == () and total.requires_grad
    total.backward()
    assert all(torch.isfinite(p.grad).all() and (p.grad != 0).all() for p in trunk.parameters())


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("position", [0, 1])
def test_a_loss_that_is_not_a_scalar_is_named_with_its_shape(name: str, position: int) -> None:
    arguments = list(pair(1.0, 1.0))
    arguments[position] = torch.ones(4, 1)
    label = ("rul_loss", "health_loss")[position]
    with pytest.raises(ValueError, match=rf"{label} must be a 0-D tensor, got shape \(4, 1\)"):
        make_combiner(name)(*arguments)


@pytest.mark.parametrize("name", names())
def test_weights_and_name_are_for_logs(name: str) -> None:
    combiner = make_combiner(name)
    found = combiner.get_weights()
    assert list(found) == ["rul_weight", "health_weight"]
    assert all(type(value) is float for value in found.values())
    assert isinstance(combiner.get_name(), str)


# FixedWeightLoss


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


# Numbers of every kind, for every numeric setting of every combiner.

NUMERIC = [
    (name, parameter.name, parameter.default)
    for name in names()
    for parameter in inspect.signature(combiners._FACTORIES[name]).parameters.values()
    if not isinstance(parameter.default, str)
]


@pytest.mark.parametrize(("name", "setting", "default"), NUMERIC)
@pytest.mark.parametrize(
    "kind",
    [
        *(np.float16, np.float32, np.float64, np.longdouble, np.array, Fraction),
        *(torch.tensor, lambda v: torch.tensor(v, dtype=torch.bfloat16), lambda v: np.float32(v)),
    ],
)
def test_a_setting_takes_a_real_number_of_any_kind(
    kind: Any, name: str, setting: str, default: float
) -> None:
    given = 0.5 if name in ("fixed", "amnl") else default
    value = kind(given)
    made = vars(make_combiner(name, **{setting: value}))
    assert made[setting] == float(value) and type(made[setting]) is float


@pytest.mark.parametrize(("name", "setting", "default"), NUMERIC)
@pytest.mark.parametrize(
    "bad",
    [
        *(True, np.bool_(True), torch.tensor(True), "0.5", b"1", None, 0.5 + 0j, np.complex64(1)),
        *(math.nan, np.float32("nan"), torch.tensor(math.nan), math.inf, -math.inf, 10**400),
        *([0.5], np.array([0.5]), torch.tensor([0.5]), nn.Parameter(torch.tensor(0.5)), object()),
    ],
    ids=lambda bad: type(bad).__name__,
)
def test_a_setting_refuses_what_is_no_number(
    bad: Any, name: str, setting: str, default: float
) -> None:
    with pytest.raises(ValueError, match=rf"^{setting} must "):
        make_combiner(name, **{setting: bad})


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


# AMNLFixedLoss


@quick
@given(losses, losses, weights, weights)
def test_the_batch_reading_has_the_gradient_of_a_sum_of_logs(
    a: float, b: float, w: float, v: float
) -> None:
    combiner = AMNLFixedLoss(w, v, normalise="batch")
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


# The registry


def test_a_combiner_is_built_by_name() -> None:
    made = make_combiner("fixed", rul_weight=0.75, health_weight=0.25)
    assert isinstance(made, FixedWeightLoss)
    assert made.get_name() == make_combiner("v7").get_name() == "Fixed(0.75/0.25)"
    assert make_combiner("amnl", normalise="batch").get_name() == "AMNL(0.50/0.50, batch)"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown combiner 'fixd'; known: .*amnl.*fixed.*v7"):
        make_combiner("fixd")


def test_an_unknown_setting_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no setting 'lam'; .*rul_weight, health_weight"):
        make_combiner("fixed", lam=0.5)
    with pytest.raises(ValueError, match="no setting 'rul_weight'; its settings: none"):
        make_combiner("v7", rul_weight=0.5)


def test_a_factory_may_take_any_setting_and_need_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combiners, "_FACTORIES", dict(combiners._FACTORIES))

    @register("open")
    def open_ended(lam: float, **options: Any) -> FixedWeightLoss:
        return FixedWeightLoss(lam, options.get("other", 0.0))

    made = make_combiner("open", lam=0.25, other=2.0)
    assert made.get_weights() == {"rul_weight": 0.25, "health_weight": 2.0}
    with pytest.raises(ValueError, match="'open' needs a setting 'lam'; its settings: lam"):
        make_combiner("open", other=2.0)


def test_a_name_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combiners, "_FACTORIES", dict(combiners._FACTORIES))
    register("mine")(FixedWeightLoss)
    assert "mine" in names() and make_combiner("mine").get_name() == "Fixed(0.50/0.50)"
    with pytest.raises(ValueError, match="'mine' is registered already"):
        register("mine")(AMNLFixedLoss)


def test_a_cell_that_is_run_again_registers_its_class_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a reader does who edits a class of chapter 3 or 8 and runs the cell once more."""
    monkeypatch.setattr(combiners, "_FACTORIES", dict(combiners._FACTORIES))

    def cell(weight: float) -> None:
        @register("mine")
        class Mine(FixedWeightLoss):
            def __init__(self) -> None:
                super().__init__(weight, 1 - weight)

    for weight in (0.3, 0.8):
        cell(weight)
        assert make_combiner("mine").get_weights()["rul_weight"] == weight
