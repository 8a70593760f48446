"""What people reported in public about weighing losses, each as a small case."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from three_losses import TRAIN, Heads, losses, metric, only, weigh
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from amnl.weigh import (
    ProblemError,
    choose,
    five_point_sweep,
    measured_pulls,
    weigh_callable,
)


class Unused(Heads):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(2, 2)


def test_1_a_layer_that_no_loss_uses_is_named_and_breaks_nothing() -> None:
    """hosseinshn/GradNorm issue 10."""
    found = weigh(build=Unused, losses=only("a", "b"))
    (note,) = [n for n in found.notes if "spare" in n]
    assert "no loss reaches spare: never trained, and pulls are measured without it" in note
    model = Unused()
    pair = only("a", "b")(model, TRAIN)
    everywhere = measured_pulls(pair, model.parameters())
    assert everywhere.norms == pytest.approx(measured_pulls(pair, [*model.trunk.parameters(),
                                             *model.heads.parameters()]).norms)  # fmt: skip
    found = five_point_sweep(
        Unused, only("a", "b"), metric, TRAIN, TRAIN, margin=0.1, seeds=2, epochs=2, batch_size=20
    )
    assert any("no loss reaches spare" in n for n in found.notes)


def cut_off(model: nn.Module, batch: Any) -> dict[str, Tensor]:
    hidden = torch.tanh(model.trunk(batch[0]))
    return {
        "a": mse_loss(model.first(hidden)[:, 0], batch[1]),
        "b": mse_loss(model.second(hidden.detach())[:, 0], batch[2]),
    }


def counted(model: nn.Module, batch: Any) -> dict[str, Tensor]:
    out = model(batch[0])
    wrong = (out[:, 1:].argmax(1) != (batch[2] > 0).long()).float().mean()
    return {"a": mse_loss(out[:, 0], batch[1]), "b": wrong}


class Apart(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 1), nn.Linear(4, 1)


def never(*arguments: Any) -> float:
    raise AssertionError("trained, or scored")


def test_2_a_loss_without_a_pull_is_named_before_any_training() -> None:
    """lorenmt/auto-lambda issue 10."""
    with pytest.raises(ProblemError, match="pull of the loss b on what the primary loss a trains"):
        weigh(build=Apart, losses=cut_off, metric=never)
    with pytest.raises(ProblemError, match=r"the loss b is a tensor of shape.*without a gradient"):
        weigh(losses=counted, metric=never)
    model = Apart()
    with pytest.raises(ProblemError, match="pull of the loss b is 0 at these parameters"):
        measured_pulls(cut_off(model, TRAIN), model.trunk.parameters())


def test_3_the_smallest_weight_wins_and_lies_on_the_edge() -> None:
    """lululxvi/deepxde issue 1958: balance made both terms equal, and the field collapsed."""
    found = weigh(losses=only("a", "c"), epochs=60, seeds=4, lr=0.05, batch_size=60)
    assert (found.verdict, found.recommended) == ("better", "alone"), found
    edge, balance = found.notes
    assert "alone, lies on the edge of the sweep" in edge and "the best may lie beyond" in edge
    assert "the balance point lost" in balance and "never a recommendation" in balance
    assert [a.answer for a in found.answers] == ["harms"]
    plain = five_point_sweep(
        Heads, only("a", "c"), metric, TRAIN, TRAIN, margin=0.05, seeds=4, epochs=60, lr=0.05,
        batch_size=60,
    )  # fmt: skip
    assert plain.recommended == 0.7 and any("look beyond it" in n for n in plain.notes)


def total_as_score(weights: dict[str, float], seed: int) -> float:
    luck = np.random.default_rng(seed).normal(size=len(weights))  # the same for all weights
    values = np.arange(1, 1 + len(weights)) + 0.01 * luck
    return float(np.dot(list(weights.values()), values))


def no_effect(weights: dict[str, float], seed: int) -> float:
    entropy = [seed, *(int(1e6 * w) for w in weights.values())]
    return 3.0 + 0.01 * np.random.default_rng(entropy).normal()


@pytest.mark.parametrize("pulls", [None, (1000.0, 1.0)])
@pytest.mark.parametrize("count", [2, 3])
def test_4_a_score_that_follows_the_weights_is_called_so(
    pulls: tuple[float, ...] | None, count: int
) -> None:
    """lululxvi/deepxde issue 118: judged by the weighted loss that was displayed."""
    norms = pulls and (*pulls, *[1.0] * (count - 2))
    for train, warned in ((total_as_score, True), (no_effect, False)):
        found = weigh_callable(train, count, margin=0.1, seeds=4, pulls=norms)
        assert any("is the score the weighted loss" in n for n in found.notes) == warned, train


def test_4_a_real_effect_that_is_nearly_linear_is_not_called_so() -> None:
    """As of a battery, whose scores a sum of the weights fits to 1 % of their variance."""

    def steep(weights: dict[str, float], seed: int) -> float:
        share = weights["a"] / sum(weights.values())
        return 8 - 6 * share**1.3 + 0.1 * np.random.default_rng(seed).normal()

    found = weigh_callable(steep, ["a", "b"], margin=0.1, seeds=3)
    assert found.notes and not any("the score the weighted" in n for n in found.notes)


def test_4_the_metric_never_sees_a_weight() -> None:
    seen: list[tuple[type, ...]] = []

    def watched(*given: Any) -> float:
        seen.append(tuple(map(type, given)))
        return metric(*given)

    weigh(metric=watched)
    assert set(seen) == {(Heads, tuple)}


def likelihood(plus: float) -> Any:
    """A squared error, and a Gaussian negative log-likelihood near -3, plus a constant."""

    def both(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        out = model(batch[0])
        spread = 0.01
        normal = 0.01 * (out[:, 1] - batch[2]).square().mean() + math.log(spread) + 1.5
        return {"a": mse_loss(out[:, 0], batch[1]), "b": normal + plus}

    return both


def test_5_a_constant_changes_no_weight_and_no_score() -> None:
    """yaringal/multi-task-learning-example issue 6: a total below zero was clipped."""
    below, above = (weigh(losses=likelihood(plus)) for plus in (0.0, 10.0))
    for one, other in zip(below.arms, above.arms, strict=True):
        assert one.weights == pytest.approx(other.weights, rel=1e-6)
    for name, scores in below.scores.items():
        assert scores == pytest.approx(above.scores[name], rel=1e-4)
    assert below.verdict == above.verdict
    model = Heads()
    assert float(likelihood(0.0)(model, TRAIN)["b"].detach()) < -2.5


class Clocked(Heads):
    """Knows how many training steps it has made."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(()))


def late(model: nn.Module, batch: Any) -> dict[str, Tensor]:
    named = only("a", "b")(model, batch)
    begun = float(model.steps >= 30)
    model.steps += model.training
    return {"a": named["a"], "b": begun * named["b"]}


def test_6_a_loss_that_begins_later_is_measured_later() -> None:
    """CompVis/taming-transformers issues 44 and 93."""
    found = weigh(build=Clocked, losses=late, epochs=40, seeds=1, batch_size=20)
    assert found.pulls is not None
    assert found.pulls.first == (1, 31) and found.pulls.step == 31
    assert all(0.1 < w < 10 for arm in found.arms for w in arm.weights if w), found.arms
    assert any("gradient of b is 0; b pulls from step 31 on" in n for n in found.notes)
    assert "at step 31" in str(found)
    with pytest.raises(ProblemError, match=r"the loss b has the gradient 0.* in all 30 steps"):
        weigh(build=Clocked, losses=late, epochs=10)


def test_7_no_weighting_wins_by_longer_steps() -> None:
    """median-research-group/LibMTL issue 39: weights near 1e-4, and nothing was learned."""
    loud = {"a": 1.0, "b": 1000.0, "c": 1e-3}

    def scaled(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        return {name: loud[name] * loss for name, loss in losses(model, batch).items()}

    torch.manual_seed(0)
    start = Heads().state_dict()

    def sgd(weights: dict[str, float], seed: int) -> float:
        model = Heads()
        model.load_state_dict(start)
        sum(weights[k] * loss for k, loss in scaled(model, TRAIN).items()).backward()
        before = {k: p.detach().clone() for k, p in model.named_parameters()}
        torch.optim.SGD(model.parameters(), 1e-3).step()
        moved = [(p - before[k]).flatten() for k, p in model.named_parameters()]
        lengths.append(torch.cat(moved).norm().item())
        return metric(model, TRAIN) + 1e-3 * seed

    lengths: list[float] = []
    model = Heads()
    model.load_state_dict(start)
    pulls = measured_pulls(scaled(model, TRAIN), model.parameters())
    found = weigh_callable(sgd, ["a", "b", "c"], margin=0.1, seeds=1, pulls=pulls)
    assert len(lengths) == len(found.arms) == 9
    assert lengths == pytest.approx([lengths[0]] * 9, rel=1e-3)
    assert [arm.length for arm in found.arms] == pytest.approx([found.arms[0].length] * 9)
    assert "as long" in str(found)


def one_nan(weights: dict[str, float], seed: int) -> float:
    share = weights["a"] / sum(weights.values())
    if abs(share - 0.7) < 1e-9 and seed == 2:
        return math.nan
    return (share - 0.4) ** 2 * (1 + 0.1 * seed) + 0.002 * seed


def test_8_a_failed_cell_is_shown_and_moves_no_other_verdict() -> None:
    """wandb/senpai pull request 743."""
    found = weigh_callable(one_nan, ["a", "b"], margin=0.005, seeds=5)
    assert found.scores["share 0.7"] == [pytest.approx(0.09), pytest.approx(0.101), None,
                                         pytest.approx(0.123), pytest.approx(0.134)]  # fmt: skip
    assert found.choice.failed == ("share 0.7",) and "failed: share 0.7" in str(found.choice)
    assert found.recommended == "share 0.4"
    table = found.table().set_index("weighting")
    assert table.finding["share 0.7"] == "failed" and np.isnan(table.metric["share 0.7"])
    whole = weigh_callable(
        lambda weights, seed: one_nan(weights, seed + 5 * (seed == 2)), ["a", "b"], margin=0.005,
        seeds=5,
    )  # fmt: skip
    assert not whole.choice.failed
    for c in found.choice.comparisons:
        other = next(x for x in whole.choice.comparisons if x.name == c.name)
        assert c.finding == other.finding
    for text in (str(found), found._repr_html_()):
        assert "failed" in text and "nan" not in text.lower()


@pytest.mark.parametrize("at", ["yours", "alone", "balanced"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_8_a_failed_weighting_is_never_recommended(at: str, bad: float) -> None:
    luck = np.random.default_rng(0).normal(size=(3, 5)) * 0.01
    scores = {"yours": 3 + luck[0], "balanced": 2 + luck[1], "alone": 1 + luck[2]}
    lists = {name: [float(v) for v in values] for name, values in scores.items()}
    failing: dict[str, list[float | None]] = {**lists}
    failing[at] = [*lists[at][:2], None, *lists[at][3:]]
    found = choose(failing, "yours", 0.1)
    assert found.recommended != at and found.seeds == 5 and found.failed == (at,)
    if at != "yours":
        assert found.reference == "yours"
        assert found.recommended == ("alone" if at == "balanced" else "balanced")


class Remembers(Heads):
    """Knows the weights of its heads as they were made."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("made", self.heads.weight.detach().clone())


def fails_where_b_is_left_out(model: nn.Module, val: Any) -> float:
    moved = (model.heads.weight - model.made)[1].abs().max()
    score = metric(model, val)
    return math.nan if 0 < moved < 1e-2 else score


def test_8_a_training_whose_metric_is_nan_is_a_failed_cell() -> None:
    found = weigh(build=Remembers, metric=fails_where_b_is_left_out, seeds=1)
    assert found.choice.failed == ("alone", "without b")
    assert {t.failed[:17] for t in found.trials if t.score is None} == {"the metric is nan"}
    assert str(found.answers[0]) == "b: undecided, as a training with it or without it failed"
    assert found.answers[1].mean is not None


def test_8_where_every_training_explodes_there_is_nothing_to_compare() -> None:
    with pytest.raises(ProblemError, match=r"trainings fail at yours.* a smaller lr"):
        weigh(lr=1e30, seeds=1)
