"""K losses: each rule against TorchJD or the rule written out, and against itself with two."""

import pytest
import torch
from torch import Tensor, nn
from torchjd.aggregation import IMTLG
from torchjd.scalarization import DWA, UW, Constant

from amnl.combiners import (
    DWALoss,
    FixedWeightLoss,
    GABALoss,
    GradNormLoss,
    UncertaintyLoss,
    make_combiner,
    names,
)

MANY = ["gaba", "grace", "gradnorm", "uncertainty", "dwa"]
SIZES = [3, 4, 6]


def problem(count: int, seed: int = 0) -> tuple[nn.Linear, list[Tensor]]:
    """A shared layer, and losses of very different sizes."""
    torch.manual_seed(seed)
    trunk = nn.Linear(5, count).double()
    errors = trunk(torch.randn(20, 5).double()) - torch.randn(20, count).double()
    scales = 10.0 ** torch.arange(count).double()
    return trunk, list(scales * errors.square().mean(0))


def as_written(trunk: nn.Linear, losses: list[Tensor]) -> list[Tensor]:
    shared = list(trunk.parameters())
    return [
        torch.cat([g.flatten() for g in torch.autograd.grad(x, shared, retain_graph=True)])
        for x in losses
    ]


def weights(combiner: nn.Module) -> list[float]:
    return list(combiner.get_weights().values())


@pytest.mark.parametrize("count", SIZES)
def test_fixed_weights_are_torchjds_constant(count: int) -> None:
    _, losses = problem(count)
    w = torch.linspace(0.1, 0.9, count).double()
    theirs = Constant(w)(torch.stack(losses))
    torch.testing.assert_close(FixedWeightLoss(*w.tolist())(*losses), theirs)
    assert FixedWeightLoss(*w.tolist()).get_name().count("/") == count - 1


@pytest.mark.parametrize("count", SIZES)
def test_uncertainty_is_torchjds(count: int) -> None:
    """TorchJD treats all tasks as regressions; doubling all but the first makes them Kendall's."""
    ours, theirs = UncertaintyLoss().for_losses(count).double(), UW(count).double()
    s = torch.linspace(-1, 1, count).double()
    ours.slow_log_variances.data, theirs.log_var.data = s.clone(), s.clone()
    _, losses = problem(count)
    total = ours(*losses)
    other = theirs(torch.stack([losses[0], *(2 * x for x in losses[1:])]))
    torch.testing.assert_close(total, other)
    for mine, yours in zip(
        torch.autograd.grad(total, [ours.slow_log_variances], retain_graph=True),
        torch.autograd.grad(other, [theirs.log_var], retain_graph=True),
        strict=True,
    ):
        torch.testing.assert_close(mine, yours)


@pytest.mark.parametrize("count", SIZES)
def test_dwa_is_torchjds(count: int) -> None:
    ours, theirs = DWALoss().for_losses(count), DWA(2.0)
    draw = torch.Generator().manual_seed(1)
    for _ in range(4):
        for _ in range(3):
            values = torch.rand(count, generator=draw).double() + 0.1
            torch.testing.assert_close(ours(*values), theirs(values), rtol=1e-6, atol=0)
        ours.end_epoch()
        theirs.step()
    assert sum(weights(ours)) == pytest.approx(count)
    assert len(set(weights(ours))) == count, "they have moved"


@pytest.mark.parametrize("count", SIZES)
def test_gaba_makes_all_weighted_gradients_equally_long(count: int) -> None:
    trunk, losses = problem(count)
    combiner = GABALoss(beta=0.0, floor=0.0, warmup=0).for_losses(count).double()
    combiner(*losses, shared_params=list(trunk.parameters()))
    lengths = [
        w * float(g.norm())
        for w, g in zip(weights(combiner), as_written(trunk, losses), strict=True)
    ]
    assert lengths == pytest.approx([lengths[0]] * count)
    assert sum(weights(combiner)) == pytest.approx(1.0)


@pytest.mark.parametrize("count", SIZES)
def test_gaba_is_torchjds_imtl_g_where_gradients_are_at_right_angles(count: int) -> None:
    trunk, losses = problem(count)  # each output has its own row of the layer
    combiner = GABALoss(beta=0.0, floor=0.0, warmup=0).for_losses(count).double()
    total = combiner(*losses, shared_params=list(trunk.parameters()))
    (ours,) = as_written(trunk, [total])
    jacobian = torch.stack(as_written(trunk, losses))
    torch.testing.assert_close(ours, IMTLG()(jacobian), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("with_model", [False, True])
def test_gabas_gradient_is_that_of_the_weighted_sum(count: int, with_model: bool) -> None:
    trunk, losses = problem(count)
    combiner = GABALoss(beta=0.0, warmup=0).for_losses(count).double()
    extras = {"model": trunk} if with_model else {}
    expected = as_written(trunk, losses)
    total = combiner(*losses, shared_params=list(trunk.parameters()), **extras)
    total.backward()
    felt = torch.cat([p.grad.flatten() for p in trunk.parameters()])
    wanted = sum(w * g for w, g in zip(weights(combiner), expected, strict=True))
    torch.testing.assert_close(felt, wanted)


@pytest.mark.parametrize("count", SIZES)
def test_gradnorms_pull_is_the_papers_gradient(count: int) -> None:
    combiner = GradNormLoss(alpha=1.5, speed=1.0).for_losses(count).double()
    trunk, losses = problem(count)
    combiner(*losses, shared_params=[trunk.weight])  # remembers the losses
    moved = nn.Linear(5, count).double()
    moved.load_state_dict(trunk.state_dict())
    moved.weight.data *= 0.7
    torch.manual_seed(0)
    nn.Linear(5, count)
    errors = moved(torch.randn(20, 5).double()) - torch.randn(20, count).double()
    later = list(errors.square().mean(0))
    w0 = torch.linspace(0.5, 1.5, count).double()
    combiner.slow_weights.data.copy_(w0)
    total = combiner(*later, shared_params=[moved.weight])
    (ours,) = torch.autograd.grad(total, combiner.slow_weights, retain_graph=True)
    w = (w0 * count / w0.sum()).requires_grad_()
    lengths = torch.stack(
        [
            (a * torch.autograd.grad(x, moved.weight, retain_graph=True)[0]).norm()
            for a, x in zip(w, later, strict=True)
        ]
    )
    ratio = torch.stack([a / b for a, b in zip(later, losses, strict=True)]).detach()
    target = (lengths.mean() * (ratio / ratio.mean()) ** 1.5).detach()
    (theirs,) = torch.autograd.grad((lengths - target).abs().sum(), w)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    assert sum(weights(combiner)) == pytest.approx(count)


@pytest.mark.parametrize("name", MANY)
def test_three_losses_train_and_a_wrong_number_is_named(name: str) -> None:
    trunk, losses = problem(3)
    combiner = make_combiner(name).for_losses(3).double()
    optimiser = torch.optim.Adam([*trunk.parameters(), *combiner.parameters()], 1e-3)
    for _ in range(4):
        errors = trunk(torch.randn(20, 5).double()) - torch.randn(20, 3).double()
        total = combiner(*errors.square().mean(0), shared_params=list(trunk.parameters()))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        assert total.isfinite()
    combiner.end_epoch()
    assert list(combiner.get_weights()) == ["rul_weight", "health_weight", "weight_3"]
    with pytest.raises(ValueError, match=r"was made for 3 losses, got 2; combiner.for_losses\(2\)"):
        combiner(*losses[:2], shared_params=list(trunk.parameters()))


@pytest.mark.parametrize("name", MANY)
def test_two_losses_are_what_they_were(name: str) -> None:
    """Made for three and back for two: the state is that of a fresh one, to the last bit."""
    there, back = make_combiner(name), make_combiner(name).for_losses(3).for_losses(2)
    assert there.state_dict().keys() == back.state_dict().keys()
    for key, value in there.state_dict().items():
        torch.testing.assert_close(value, back.state_dict()[key], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", sorted({*names()} - {*MANY}))
def test_a_rule_of_two_losses_says_so(name: str) -> None:
    with pytest.raises(ValueError, match=r"weighs 2 losses, not 3; for more than two take gaba"):
        make_combiner(name).for_losses(3)


@pytest.mark.parametrize("count", [1, 0, -1, 2.5, True, "3", None])
def test_a_count_that_is_none_is_named(count: object) -> None:
    with pytest.raises(ValueError, match="for_losses takes a whole number from 2 on"):
        GABALoss().for_losses(count)  # type: ignore[arg-type]


def test_gabas_floor_must_leave_room() -> None:
    with pytest.raises(ValueError, match=r"floor must lie in \[0, 0.333\] for 3 losses, got 0.4"):
        GABALoss(floor=0.4).for_losses(3)


@pytest.mark.parametrize("name", MANY)
def test_a_third_loss_is_looked_at_like_the_others(name: str) -> None:
    trunk, losses = problem(3)
    combiner = make_combiner(name).for_losses(3)
    with pytest.raises(ValueError, match=r"loss_3 must be a 0-D tensor, got shape \(4,\)"):
        combiner(*losses[:2], torch.ones(4), shared_params=list(trunk.parameters()))
    if name not in ("gaba", "grace"):
        with pytest.raises(ValueError, match="not negative, and loss_3 is -1"):
            combiner(*losses[:2], losses[2] * 0 - 1.0, shared_params=list(trunk.parameters()))
