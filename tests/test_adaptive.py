"""Adaptive combiners against their papers, TorchJD and problems whose answer is known."""

import copy
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchjd.aggregation import IMTLG
from torchjd.scalarization import DWA, UW

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.combiners import (
    Combiner,
    DWALoss,
    FixedWeightLoss,
    GABALoss,
    GradNormLoss,
    UncertaintyLoss,
    make_combiner,
    names,
    register,
)
from amnl.combiners import base as combiners
from amnl.training import TrainConfig, Trainer
from amnl.training.population import fits

quick = settings(max_examples=30, deadline=None)
positive = st.floats(1e-3, 1e3)
ADAPTIVE = ("dwa", "gaba", "gradnorm", "uncertainty")


class Toy(nn.Module):
    """A trunk and two heads, small enough to reason about; float64."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.trunk = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4)).double()
        self.rul, self.health = nn.Linear(4, 1).double(), nn.Linear(4, 3).double()
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(torch.randn(p.shape, generator=generator, dtype=p.dtype) / 2)
        self.x = torch.randn(20, 3, generator=generator, dtype=torch.float64)
        self.y = torch.randn(20, generator=generator, dtype=torch.float64) * 3
        self.c = torch.randint(3, (20,), generator=generator)

    @property
    def shared(self) -> list[Tensor]:
        return list(self.trunk.parameters())

    def losses(self, rul_scale: float = 1.0, hs_scale: float = 1.0) -> tuple[Tensor, Tensor]:
        z = self.trunk(self.x)
        rul = ((self.rul(z)[:, 0] - self.y) ** 2).mean()
        return rul_scale * rul, hs_scale * nn.functional.cross_entropy(self.health(z), self.c)

    def norms(self) -> tuple[float, float]:
        """Lengths of the two trunk gradients, written out."""
        out = []
        for loss in self.losses():
            grads = slope(loss, self.shared)
            out.append(math.sqrt(sum(float((g**2).sum()) for g in grads)))
        return out[0], out[1]


def run(combiner: Combiner, steps: int, epochs: int = 1, lr: float = 1e-2) -> list[Tensor]:
    """Train a toy and return its parameters."""
    toy = Toy()
    optimiser = torch.optim.AdamW([*toy.parameters(), *combiner.parameters()], lr)
    for _ in range(epochs):
        for _ in range(steps):
            total = combiner(*toy.losses(), shared_params=toy.shared, model=toy)
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
        combiner.end_epoch()
    return [p.detach().clone() for p in toy.parameters()]


def slope(loss: Tensor, parameters: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, parameters, retain_graph=True)


def weights(combiner: Combiner) -> tuple[float, float]:
    w = combiner.get_weights()
    return w["rul_weight"], w["health_weight"]


# GABA.


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


# GradNorm.


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


# Uncertainty weighting.


@quick
@given(positive, positive, st.floats(-3, 3), st.floats(-3, 3))
def test_torchjds_uncertainty_weighting_agrees(a: float, b: float, s: float, t: float) -> None:
    """TorchJD treats both tasks as regressions; doubling the health loss makes it Kendall's."""
    combiner, theirs = UncertaintyLoss().double(), UW(2).double()
    for parameter in (combiner.slow_log_variances, theirs.log_var):
        parameter.data = torch.tensor([s, t], dtype=torch.float64)
    rul, health = torch.tensor(a).double(), torch.tensor(b).double()
    ours_total, their_total = combiner(rul, health), theirs(torch.stack([rul, 2 * health]))
    torch.testing.assert_close(ours_total, their_total)
    (ours,) = torch.autograd.grad(ours_total, combiner.slow_log_variances)
    (other,) = torch.autograd.grad(their_total, theirs.log_var)
    torch.testing.assert_close(ours, other)
    assert weights(combiner) == pytest.approx((math.exp(-s) / 2, math.exp(-t)), rel=1e-6)


@pytest.mark.parametrize("speed", [1.0, 25.0])
def test_uncertainty_settles_at_the_logarithms(speed: float) -> None:
    combiner = UncertaintyLoss(speed)
    optimiser = torch.optim.Adam(combiner.parameters(), 0.05 / speed)
    for _ in range(1000):
        optimiser.zero_grad()
        combiner(torch.tensor(40.0), torch.tensor(0.3)).backward()
        optimiser.step()
    s = speed * combiner.slow_log_variances.detach()
    assert s.tolist() == pytest.approx([math.log(40.0), math.log(0.6)], abs=0.01)


# DWA.


@quick
@given(st.lists(st.tuples(positive, positive), min_size=6, max_size=6), st.floats(0.5, 5.0))
def test_torchjds_dwa_agrees(losses: list[tuple[float, float]], temperature: float) -> None:
    ours, theirs = DWALoss(temperature), DWA(temperature)
    for epoch in range(3):
        for pair in losses[2 * epoch : 2 * epoch + 2]:
            values = torch.tensor(pair, dtype=torch.float64)
            torch.testing.assert_close(ours(*values), theirs(values), rtol=1e-6, atol=0)
        ours.end_epoch()
        theirs.step()
    values = torch.ones(2, dtype=torch.float64)
    torch.testing.assert_close(ours(*values), theirs(values), rtol=1e-6, atol=0)
    assert sum(weights(ours)) == pytest.approx(2.0)


def test_dwa_is_even_for_two_epochs_and_then_favours_the_slower_task() -> None:
    combiner = DWALoss()
    for epoch, (rul, health) in enumerate([(8.0, 1.0), (4.0, 1.0), (2.0, 1.0)]):
        combiner(torch.tensor(rul), torch.tensor(health))
        if epoch < 2:
            assert weights(combiner) == (1.0, 1.0)
        combiner.end_epoch()
    share = 1 / (1 + math.exp((1.0 - 0.5) / 2))  # paces 1/2 and 1, temperature 2
    assert weights(combiner) == pytest.approx((2 * share, 2 - 2 * share), rel=1e-6)


# What all promise.


def swapped(make: Callable[[], Combiner], **options: Any) -> tuple[Any, Any]:
    """Weights after some training, and those after the same with the two losses swapped."""
    out = []
    for order in (1, -1):
        toy, combiner = Toy(), make()
        optimiser = torch.optim.SGD([*toy.parameters(), *combiner.parameters()], 1e-3)
        for _ in range(4):
            for _ in range(5):
                rul, health = toy.losses()[::order]
                total = combiner(rul, health, shared_params=toy.shared, model=toy, **options)
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


def test_swapping_the_tasks_and_amnls_weights_swaps_their_pulls() -> None:
    """Its weights stand still; what moves is what it divides by."""
    one, other = (make_combiner("amnl", rul_weight=a, health_weight=1 - a) for a in (0.3, 0.7))
    for rul, health in ((5.0, 1.0), (4.0, 3.0), (1.0, 2.0)):
        leaves = [torch.tensor(value, requires_grad=True) for value in (rul, health)]
        ours = torch.autograd.grad(one(*leaves), leaves)
        theirs = torch.autograd.grad(other(*leaves[::-1]), leaves)
        torch.testing.assert_close(ours, theirs)
    assert ours[0] != ours[1]


@pytest.mark.parametrize("name", ADAPTIVE)
def test_weights_stay_finite_positive_and_sum_as_promised(name: str) -> None:
    combiner = make_combiner(name)
    for _ in range(5):
        run(combiner, 60)
        a, b = weights(combiner)
        assert a >= 0 and b >= 0 and math.isfinite(a + b)
        if name != "uncertainty":
            assert a + b == pytest.approx({"gaba": 1.0}.get(name, 2.0), rel=1e-5)


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


def test_one_dead_task_gets_nearly_all_of_gabas_weight() -> None:
    """Its gradient is 0, so the rule would give it everything; the floor keeps the other alive."""
    toy = Toy()
    combiner = GABALoss(beta=0.0, warmup=0)
    combiner(*toy.losses(hs_scale=0.0), shared_params=toy.shared)
    assert weights(combiner) == pytest.approx((0.05 / 1.05, 1 / 1.05), rel=1e-6)


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


@pytest.mark.parametrize("name", ["gaba", "gradnorm"])
def test_a_combiner_that_compares_gradients_says_that_it_needs_the_trunk(name: str) -> None:
    with pytest.raises(ValueError, match="needs shared_params="):
        make_combiner(name)(*Toy().losses())


# In the trainer.


@pytest.fixture(scope="module")
def data(own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> cmapss.Data:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(folder, "FD001", seed=3, engines=10, test_engines=8)
    return cmapss.load("FD001", 0, folder, stride=8)


def config(name: str, **options: Any) -> TrainConfig:
    return TrainConfig(
        combiner=name, **{"epochs": 4, "warmup_epochs": 1, "batch_size": 64, "stride": 8, **options}
    )


@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_resumed_run_is_the_run(name: str, data: cmapss.Data, tmp_path: Path) -> None:
    def stop(record: dict[str, Any]) -> None:
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    straight = Trainer(config(name), data).fit()
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        Trainer(config(name), data).fit(checkpoint=path, on_epoch=stop)
    resumed = Trainer(config(name), data).fit(checkpoint=path)
    assert resumed.metrics == straight.metrics
    drop = {"seconds"}
    for a, b in zip(resumed.history, straight.history, strict=True):
        assert {k: a[k] for k in a.keys() - drop} == {k: b[k] for k in b.keys() - drop}


@pytest.mark.parametrize("name", ADAPTIVE)
def test_weights_move_in_the_trainer(name: str, data: cmapss.Data) -> None:
    options = {"warmup": 3} if name == "gaba" else {}
    history = Trainer(config(name, combiner_settings=options), data).fit().history
    first, last = history[0], history[-1]
    assert (first["rul_weight"], first["health_weight"]) != (
        last["rul_weight"],
        last["health_weight"],
    )


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("amnl", {"normalise": "batch"}, {"normalise": "ema"}),
        ("amnl", {"beta": 0.9}, {"beta": 0.5}),
        ("gaba", {"floor": 0.1}, {"floor": 0.2}),
        ("gradnorm", {"alpha": 1.0}, {"alpha": 2.0}),
        ("uncertainty", {"speed": 1.0}, {"speed": 2.0}),
        ("dwa", {"temperature": 1.0}, {"temperature": 2.0}),
    ],
)
def test_a_checkpoint_of_a_combiner_with_other_settings_is_refused(
    name: str, ours: Any, theirs: Any, data: cmapss.Data, tmp_path: Path
) -> None:
    """Also where the combiner is given as an object, of which the settings of the run know none."""
    path = tmp_path / "run.pt"
    short = config("fixed", epochs=1)
    Trainer(short, data, combiner=make_combiner(name, **ours)).fit(checkpoint=path)
    with pytest.raises(ValueError, match="the checkpoint's combiner settings is"):
        Trainer(short, data, combiner=make_combiner(name, **theirs)).fit(checkpoint=path)
    Trainer(short, data, combiner=make_combiner(name, **ours)).fit(checkpoint=path)


class Dice(FixedWeightLoss):
    """Chapter 8's: a weight that moves and is no buffer."""

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        if self.training:
            self.rul_weight = torch.rand(()).item()
            self.health_weight = 1.0 - self.rul_weight
        return super().forward(rul_loss, health_loss)


def test_a_combiner_that_moves_its_weights_resumes_its_own_checkpoint(
    data: cmapss.Data, tmp_path: Path
) -> None:
    path = tmp_path / "run.pt"
    first = Trainer(config("fixed", epochs=1), data, combiner=Dice()).fit(checkpoint=path)
    again = Trainer(config("fixed", epochs=1), data, combiner=Dice()).fit(checkpoint=path)
    assert again.metrics == first.metrics


def test_a_combiner_without_a_length_is_the_one_that_trains(data: cmapss.Data) -> None:
    class Empty(FixedWeightLoss):
        def __len__(self) -> int:
            return 0

    combiner = Empty()
    assert Trainer(config("dwa"), data, combiner=combiner).mtl_loss is combiner


def test_the_trainer_says_why_a_total_is_nan(data: cmapss.Data) -> None:
    """On a GPU a negative loss is found out at the end of the epoch."""

    class Late(DWALoss):
        def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
            self.went_negative.fill_(True)
            return rul_loss * math.nan

    with pytest.raises(ValueError, match="needs losses that are not negative, and one has been"):
        Trainer(config("dwa"), data, combiner=Late()).fit()


def test_a_rule_of_its_own_is_not_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(combiners._FACTORIES, "dice", Dice)
    assert not fits(config("dice")) and fits(config("fixed"))


def test_one_class_and_one_decorator_make_a_combiner(
    data: cmapss.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(combiners, "_FACTORIES", dict(combiners._FACTORIES))

    @register("geometric")
    class Geometric(Combiner):
        def __init__(self) -> None:
            super().__init__(0.5, 0.5)

        def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
            return (rul_loss * health_loss).sqrt()

        def get_name(self) -> str:
            return "Geometric"

    assert "geometric" in names()
    result = Trainer(config("geometric"), data).fit()
    assert math.isfinite(result.metrics["test_rmse"])


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
