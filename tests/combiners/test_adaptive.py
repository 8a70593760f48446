"""What all adaptive rules promise."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from toy_problem import Toy, run, weights

from amnl.combiners import (
    Combiner,
    DWALoss,
    GABALoss,
    GradNormLoss,
    make_combiner,
    names,
)

ADAPTIVE = ("dwa", "gaba", "gradnorm", "uncertainty")


def swapped(make: Callable[[], Combiner]) -> tuple[Any, Any]:
    """Weights after some training, and those after the same with the two losses swapped."""
    out = []
    for order in (1, -1):
        toy, combiner = Toy(), make()
        optimiser = torch.optim.SGD([*toy.parameters(), *combiner.parameters()], 1e-3)
        for _ in range(4):
            for _ in range(5):
                rul, health = toy.losses()[::order]
                total = combiner(rul, health, shared_params=toy.shared, model=toy)
                optimiser.zero_grad()
                total.backward()
                optimiser.step()
            combiner.end_epoch()
        out.append(weights(combiner)[::order])
    return out[0], out[1]


@pytest.mark.parametrize("make", [lambda: GABALoss(warmup=3), GradNormLoss, DWALoss])
def test_swapping_the_tasks_swaps_the_weights(make: Callable[[], Combiner]) -> None:
    """Not for uncertainty weighting, which takes one for a regression and one for a class."""
    one, other = swapped(make)
    assert one == pytest.approx(other, rel=1e-5)
    assert one[0] != pytest.approx(one[1], rel=1e-3)  # or the test could not fail


@pytest.mark.parametrize("name", ADAPTIVE)
def test_weights_stay_finite_positive_and_sum_as_promised(name: str) -> None:
    combiner = make_combiner(name)
    for _ in range(5):
        run(combiner, 60)
        a, b = weights(combiner)
        assert a >= 0 and b >= 0 and math.isfinite(a + b)
        if name != "uncertainty":
            assert a + b == pytest.approx({"gaba": 1.0}.get(name, 2.0), rel=1e-5)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_evaluation_moves_no_weight(name: str) -> None:
    toy, combiner = Toy(), make_combiner(name)
    run(combiner, 5)
    before = copy.deepcopy(combiner.state_dict())
    combiner.eval()
    with torch.no_grad():
        total = combiner(*toy.losses(), shared_params=toy.shared, model=toy)
    a, b = weights(combiner)
    rul, health = (float(x.detach()) for x in toy.losses())
    if name != "uncertainty":
        assert float(total) == pytest.approx(a * rul + b * health, rel=1e-6)
    for key, value in combiner.state_dict().items():
        assert torch.equal(value.nan_to_num(), before[key].nan_to_num())


@pytest.mark.parametrize("name", ADAPTIVE)
def test_the_state_of_a_combiner_is_all_it_needs_to_go_on(name: str) -> None:
    one = make_combiner(name)
    run(one, 120)
    other = make_combiner(name)
    other.load_state_dict(one.state_dict())
    for p, q in zip(run(one, 20, 2), run(other, 20, 2), strict=True):
        assert torch.equal(p, q)
    for key, value in one.state_dict().items():
        assert torch.equal(value.nan_to_num(), other.state_dict()[key].nan_to_num())


def test_every_two_combiners_train_differently() -> None:
    """`grace` and `gaba` are one combiner; what differs are the sample weights of the loss."""
    settings_of = {"amnl": [{}, {"normalise": "batch"}], "gaba": [{"warmup": 5}]}
    trained = {
        (name, str(options)): run(make_combiner(name, **options), 20, 4)
        for name in names()
        if name != "grace"
        for options in settings_of.get(name, [{}])
    }
    assert len(trained) >= 8
    for (one, p), (other, q) in itertools.combinations(trained.items(), 2):
        gap = max(float((a - b).abs().max()) for a, b in zip(p, q, strict=True))
        assert gap > 1e-6, (one, other)
    assert type(make_combiner("grace")) is GABALoss
    assert make_combiner("grace").get_name() == "GRACE"


@pytest.mark.parametrize(
    ("name", "setting", "bad"),
    [
        ("gaba", "beta", 1.0),
        ("gaba", "floor", 0.6),
        ("gaba", "warmup", -1),
        ("grace", "beta", math.nan),
        ("gradnorm", "alpha", -0.5),
        ("gradnorm", "speed", 0.0),
        ("gradnorm", "floor", 0.0),
        ("uncertainty", "speed", math.inf),
        ("dwa", "temperature", 0.0),
    ],
)
def test_a_bad_setting_is_named(name: str, setting: str, bad: float) -> None:
    with pytest.raises(ValueError, match=rf"{setting} must lie in .*, got {bad}"):
        make_combiner(name, **{setting: bad})
