"""What every combiner takes, refuses and keeps, by name."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from toy_problem import pair

from amnl.combiners import Combiner, GradientCombiner, make_combiner, names, settings_of


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


NUMERIC = [
    (name, setting, default)
    for name in names()
    for setting, default in settings_of(name).items()
    if not isinstance(default, str)
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


@pytest.mark.parametrize("name", sorted(set(names()) - {"fixed", "v7"}))
def test_state_follows_a_cast_but_into_half_precision(name: str) -> None:
    def kinds(combiner: nn.Module) -> set[torch.dtype]:
        state = [*combiner.buffers(), *combiner.parameters()]
        return {value.dtype for value in state if value.is_floating_point()}

    combiner = make_combiner(name)
    assert kinds(combiner.double()) == {torch.float64}
    assert kinds(combiner.half()) == {torch.float64}, "as it was"
    assert kinds(combiner.float()) == {torch.float32}
    assert kinds(combiner.bfloat16()) == {torch.float32}


def test_a_rule_has_to_be_written() -> None:
    with pytest.raises(NotImplementedError):
        Combiner(0.5, 0.5).get_name()
    with pytest.raises(NotImplementedError):
        GradientCombiner().training_total([], [], None)


@pytest.mark.parametrize(
    ("name", "options", "weights", "label"),
    [
        ("fixed", {}, (0.5, 0.5), "Fixed(0.50/0.50)"),
        ("v7", {}, (0.75, 0.25), "Fixed(0.75/0.25)"),
        ("amnl", {}, (0.5, 0.5), "AMNL(0.50/0.50, ema)"),
        ("gaba", {}, (0.5, 0.5), "GABA"),
        ("grace", {}, (0.5, 0.5), "GRACE"),
        ("gradnorm", {}, (1.0, 1.0), "GradNorm(α=1.5)"),
        ("uncertainty", {}, (0.5, 1.0), "Uncertainty"),
        ("uncertainty", {"speed": 2.0}, (0.5, 1.0), "Uncertainty(2x)"),
        ("dwa", {}, (1.0, 1.0), "DWA(T=2)"),
    ],
)
def test_a_fresh_combiner_says_its_weights_and_its_name(
    name: str, options: dict[str, Any], weights: tuple[float, float], label: str
) -> None:
    combiner = make_combiner(name, **options)
    assert (combiner.rul_weight, combiner.health_weight) == weights
    assert tuple(combiner.get_weights().values()) == weights
    assert combiner.get_name() == label


def test_values_are_averaged_over_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a second process had brought 3 and 5."""
    for name, value in {"is_available": True, "is_initialized": True, "get_world_size": 2}.items():
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    monkeypatch.setattr(
        torch.distributed, "all_reduce", lambda mean: mean.add_(torch.tensor([3.0, 5.0]))
    )
    combiner, ours = make_combiner("uncertainty"), torch.ones(2)
    assert combiner.over_ranks(ours).tolist() == [2, 3]
    assert ours.tolist() == [1, 1], "what a rule reads is left alone"
    assert combiner(*ours).item() == pytest.approx(0.5 * 2 + 3)
    combiner.across_ranks = False
    assert combiner(*ours).item() == pytest.approx(0.5 * 1 + 1)


@pytest.mark.parametrize("name", names())
def test_a_negative_loss_is_weighed_or_named(name: str) -> None:
    combiner, losses = make_combiner(name), (torch.tensor(-1.0), torch.tensor(2.0))
    if name in ("fixed", "v7", "gaba", "grace"):
        assert combiner.checked(*losses) == losses
    else:
        with pytest.raises(
            ValueError, match="needs losses that are not negative, and rul_loss is -1"
        ):
            combiner.checked(*losses)


@pytest.mark.parametrize("name", ["amnl", "gradnorm", "uncertainty", "dwa"])
def test_where_no_check_may_stall_a_negative_loss_gives_nan(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)  # as on a GPU
    combiner = make_combiner(name)
    for fine in ((0.0, 0.5), (0.5, 0.0), (1.5, 0.25)):
        assert torch.stack(combiner.checked(*map(torch.tensor, fine))).tolist() == list(fine)
    combiner.get_weights()
    for bad in ((-0.5, 1.0), (1.0, -0.5)):
        combiner = make_combiner(name)
        assert torch.stack(combiner.checked(*map(torch.tensor, bad))).isnan().all()
        combiner.checked(torch.tensor(1.0), torch.tensor(1.0))
        with pytest.raises(ValueError, match="not negative, and one has been"):
            combiner.get_weights()
