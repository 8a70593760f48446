"""Weighing two and three losses: what is tried, what is found, and what is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from three_losses import TRAIN, Heads, losses, metric, only, weigh
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from amnl.minus import minus_signs
from amnl.weigh import Pulls, Weighed, weigh_losses
from amnl.weigh.arms import arms_of
from amnl.weigh.problem import ProblemError


@pytest.fixture(scope="module")
def found() -> Weighed:
    return weigh(seeds=3, epochs=20)


def test_of_three_losses_the_harmful_one_is_named(found: Weighed) -> None:
    assert [a.name for a in found.answers] == ["b", "c"]
    assert {a.name: a.answer for a in weigh(seeds=5, epochs=30, lr=0.05).answers}["c"] == "harms"
    assert [arm.name for arm in found.arms] == [
        "yours", "share 0.3", "share 0.4", "balanced", "share 0.6", "share 0.7", "alone",
        "without b", "without c",
    ]  # fmt: skip


def test_pulls_of_every_pair_are_told(found: Weighed) -> None:
    pulls = found.pulls
    assert pulls is not None and len(pulls.norms) == 3
    cosines = np.array(pulls.cosines)
    assert cosines == pytest.approx(cosines.T) and np.diag(cosines) == pytest.approx(1)
    assert "b" in str(pulls) and "c" in str(pulls)
    text = " ".join(str(found).split())
    for cosine in (cosines[0, 1], cosines[1, 2]):
        assert minus_signs(f"cosine {cosine:+.2f}") in text


def test_arms_have_the_shares_that_they_are_called_by(found: Weighed) -> None:
    assert found.pulls is not None
    for arm in found.arms:
        shares = found.pulls.shares(arm.weights)
        assert arm.share == pytest.approx(shares[0])
        if arm.name.startswith("share"):
            assert arm.share == pytest.approx(float(arm.name[6:]))
            assert shares[1] == pytest.approx(shares[2])
    assert found.arm("without b").weights[1] == 0 == found.arm("alone").weights[1]
    assert found.arm("yours").weights == pytest.approx((1 / 3,) * 3)


def test_gradients_that_cancel_are_told_apart_from_short_steps() -> None:
    against = Pulls(("a", "b"), (1.0, 1.0), ((1.0, -1.0), (-1.0, 1.0)))
    arms = arms_of(against, (0.7, 0.3))
    assert all(np.isfinite(arm.weights).all() for arm in arms)
    assert max(max(arm.weights) for arm in arms) < 50


def test_it_goes_on_where_it_stopped_and_knows_its_problem(tmp_path: Path) -> None:
    one = weigh(seeds=1, store=tmp_path)
    lines: list[str] = []
    again = weigh(seeds=1, store=tmp_path, tell=lines.append)
    assert again == one and "9 of 9 runs are in the store" in lines
    other: list[str] = []
    weigh(seeds=1, store=tmp_path, tell=other.append, lr=0.03)
    assert not any("in the store" in line for line in other)


def test_what_is_saved_is_read_again(tmp_path: Path, found: Weighed) -> None:
    found.save(tmp_path)
    assert Weighed.load(tmp_path) == found
    stored = json.loads((tmp_path / "result.json").read_text())
    assert "the loss is" in stored["verdict"] and "cannot see" in stored["limits"]
    assert stored["weights"] == pytest.approx(found.weights)
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 1 + len(found.trials)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_the_card_has_verdict_picture_pulls_costs_and_limits(found: Weighed) -> None:
    card = found._repr_html_()
    assert card.index("<strong>") < card.index("<svg") < card.index("<table")
    assert 'role="img" aria-label="Difference of the metric from yours' in card
    assert "<img" not in card and ".vscode-dark) .drawn {" in card  # in the reader's colours
    for part in ("times as hard", "27 trainings", "cannot see", "without it"):
        assert part in card, part
    hostile = dataclasses.replace(found, notes=("<script>alert(1)</script>",))
    assert "<script>" not in hostile._repr_html_()


def test_one_seed_is_undecided() -> None:
    one = weigh(seeds=1, losses=only("a", "b"))
    assert one.verdict == "undecided" and "one seed cannot tell" in str(one)
    assert "one seed cannot tell" in str(one.answers[0])
    assert "failed" not in str(one) and one._repr_html_()


def test_yours_may_be_the_primary_alone() -> None:
    same = weigh(seeds=2, losses=only("a", "b"), yours={"b": 0, "a": 2})
    assert [arm.name for arm in same.arms][:1] == ["yours"]
    assert "alone" not in [arm.name for arm in same.arms]
    assert same.answers[0].mean is not None


def one_alike(model: nn.Module, batch: Any) -> dict[str, Tensor]:
    a = mse_loss(model(batch[0])[:, 0], batch[1])
    return {"a": a, "b": 1.0 * a}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"losses": only("a")}, "returned dict of 1; return two losses or more"),
        ({"losses": lambda m, b: losses(m, b)["a"]}, "returned one tensor; return two losses"),
        ({"losses": lambda m, b: [*losses(m, b).values()][:1]}, "returned list of 1"),
        ({"losses": lambda m, b: None}, "returned NoneType"),
        ({"losses": one_alike}, "the losses a and b are both"),
        ({"losses": lambda m, b: {**losses(m, b), "d": 3.0}}, "the loss d is float"),
        ({"losses": lambda m, b: {**losses(m, b), "d": m(b[0]).sum(0)}}, r"d is .* shape \(3,\)"),
        ({"losses": lambda m, b: {**losses(m, b), "d": m(b[0]).sum() / 0}}, "the loss d is -?inf"),
        ({"yours": (1, 2)}, "yours must be 3 weights, for a, b, c"),
        ({"yours": {"a": 1, "b": 1, "d": 1}}, "yours must be 3 weights, for a, b, c"),
        ({"margin": -1}, "margin must be a positive number"),
        ({"build": Heads()}, "build is a model"),
        ({"metric": lambda m, v: "good"}, "metric.* returned str"),
        ({"metric": lambda m, v: 1.0}, "runs have the metric 1"),
        ({"train": iter(TRAIN)}, "train is tuple_iterator"),
    ],
)  # fmt: skip
def test_a_problem_that_cannot_be_weighed_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ProblemError, match=words) as caught:
        weigh(**{"seeds": 1, "epochs": 1, **changes})
    assert "\n" not in str(caught.value)


def test_unnamed_losses_are_letters_and_two_are_enough() -> None:
    def pair(model: nn.Module, batch: Any) -> tuple[Tensor, ...]:
        return tuple(losses(model, batch).values())[:2]

    assert weigh(losses=pair, seeds=1).names == ("a", "b")


def test_workers_of_a_cluster_find_the_same() -> None:
    distributed = pytest.importorskip("distributed")
    parts: dict[str, Any] = {"margin": 0.1, "epochs": 2, "batch_size": 20, "seeds": 1}
    alone = weigh_losses(Heads, losses, metric, TRAIN, TRAIN, **parts)
    with distributed.Client(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as client:
        there = weigh_losses(Heads, losses, metric, TRAIN, TRAIN, client=client, **parts)
    assert there.scores == alone.scores
