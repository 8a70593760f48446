"""The library's rules under our contract: their weights, their names, and nobody else's dice."""

import math

import pytest
import torch
from torch import Tensor
from torchjd import aggregation, scalarization

from amnl.combiners import GABALoss, UncertaintyLoss, make_combiner

W = torch.tensor([1.0, 2.0, -1.0], requires_grad=True)


def losses() -> tuple[Tensor, Tensor]:
    return (3 * W[0] + W[1]) ** 2, W.square().sum()


def gradients() -> Tensor:
    return torch.stack([torch.autograd.grad(loss, W)[0] for loss in losses()]).double()


def weights(rule: str) -> list[float]:
    combiner = make_combiner("torchjd", rule=rule)
    combiner(*losses(), shared_params=[W])
    return list(combiner.get_weights().values())


@pytest.mark.parametrize("rule", ["IMTLG", "MGDA", "AlignedMTL", "Mean"])
def test_the_weights_are_the_librarys(rule: str) -> None:
    aggregator = getattr(aggregation, rule)()
    assert weights(rule) == pytest.approx(aggregator.weighting(gradients()).tolist(), rel=1e-6)


def test_imtl_g_is_gaba_without_floor_and_memory_and_nash_mtl_of_two_losses() -> None:
    gaba = GABALoss(beta=0.0, floor=0.0, warmup=0)
    gaba(*losses(), shared_params=[W])
    rul, health = weights("IMTLG")
    assert (rul, health) == pytest.approx(tuple(gaba.get_weights().values()))
    g = gradients()
    gram = g @ g.T
    nash = torch.tensor([rul, health], dtype=torch.float64) / g.norm(dim=1).mean()
    nash *= torch.sqrt(1 / (nash @ gram @ nash) * 2)  # its length: αᵀGGᵀα = 2
    assert (gram @ nash * nash).tolist() == pytest.approx([1.0, 1.0])


def test_imtl_l_is_uncertainty_weighting_but_for_a_factor() -> None:
    """Ours takes the second task as a classification, which doubles its loss."""
    ours, theirs = UncertaintyLoss(), make_combiner("torchjd", rule="IMTLL")
    parameters = [list(combiner.parameters()) for combiner in (ours, theirs)]
    optimisers = [
        torch.optim.SGD(p, lr=lr) for p, lr in zip(parameters, (0.01, 0.005), strict=True)
    ]
    for _ in range(50):
        for combiner, optimiser in zip((ours, theirs), optimisers, strict=True):
            optimiser.zero_grad()
            rul, health = losses()
            second = health if combiner is ours else 2 * health
            combiner(rul, second, shared_params=[W]).backward()
            optimiser.step()
    theirs(losses()[0], 2 * losses()[1], shared_params=[W])  # its weights are those of a call
    ratio = [
        c.get_weights()["rul_weight"] / c.get_weights()["health_weight"] for c in (ours, theirs)
    ]
    assert ratio[1] != pytest.approx(1.0, rel=0.1)
    assert ratio[1] == pytest.approx(2 * ratio[0])


def test_random_weights_are_the_seeds_and_leave_the_dice_of_others() -> None:
    def drawn(seed: int, draws: int) -> tuple[list[list[float]], Tensor]:
        torch.manual_seed(seed)
        combiner = make_combiner("torchjd", rule="Random")
        found = []
        for _ in range(draws):
            combiner(*losses(), shared_params=[W])
            found.append(list(combiner.get_weights().values()))
        return found, torch.rand(())

    (first, after), (again, none), (other, _) = drawn(0, 5), drawn(0, 0), drawn(1, 5)
    assert after == none and again == []
    assert first == drawn(0, 5)[0] != other
    assert len({a for a, _ in first}) == 5 and all(
        math.isclose(a + b, 1, rel_tol=1e-6) for a, b in first
    )


def test_a_restored_combiner_draws_on() -> None:
    torch.manual_seed(3)
    one, two = (make_combiner("torchjd", rule="Random") for _ in range(2))
    one(*losses(), shared_params=[W])
    two.load_state_dict(one.state_dict())
    for combiner in (one, two):
        combiner(*losses(), shared_params=[W])
    assert one.get_weights() == two.get_weights()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("GradDrop", "'GradDrop' of TorchJD does not weigh whole"),
        ("Nsh", "'Nsh' of TorchJD is none"),
    ],
)
def test_a_rule_that_weighs_nothing_is_named(rule: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"{words}.*IMTLG.*UPGrad"):
        make_combiner("torchjd", rule=rule)


def test_without_the_library_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torchjd", None)
    with pytest.raises(ImportError, match="pip install torchjd"):
        make_combiner("torchjd")


def test_every_scalarizer_of_two_losses_can_be_taken() -> None:
    for rule in ("UW", "IMTLL", "Random", "GeometricMean"):
        assert issubclass(getattr(scalarization, rule), scalarization.Scalarizer)
        combiner = make_combiner("torchjd", rule=rule)
        total = combiner(*losses(), shared_params=[W])
        assert total.ndim == 0 and total.requires_grad
