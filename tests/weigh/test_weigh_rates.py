"""The tool that counts how often weighing is right."""

import numpy as np
import pytest
import torch
import weigh_rates
from five_point_rates import SETTINGS, build, metric

from amnl.study.rows import load_rows
from amnl.weigh import weigh_losses


@pytest.mark.parametrize("name", list(weigh_rates.PLANTED))
def test_planted_problems_are_what_they_claim(name: str) -> None:
    """The minimum of the weighted sum has the planted error, in closed form on the data."""
    train, val = weigh_rates.plant(name, np.random.default_rng(3))
    _, factors = weigh_rates.PLANTED[name]
    for weights in ((0.5, 0.3, 0.2), (0.1, 0.2, 0.7), (1.0, 0.0, 0.0)):
        left, right = 0.0, 0.0
        for k, factor in enumerate(factors):
            x, y = train[2 * k].double(), train[2 * k + 1].double()
            left, right = (
                left + weights[k] * factor * x.T @ x,
                right + weights[k] * factor * x.T @ y,
            )
        fitted = torch.linalg.solve(left, right)
        error = float(((val[0].double() @ fitted - val[1]) ** 2).mean())
        kept = weights[: len(factors)]
        assert error == pytest.approx(weigh_rates.planted_error(name, kept), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", ["too loud", "three, one harmful"])
def test_runs_side_by_side_are_those_of_the_tool(name: str) -> None:
    problems = [weigh_rates.plant(name, np.random.default_rng(k)) for k in (4, 5)]
    data = [torch.stack(c) for c in zip(*(train for train, _ in problems), strict=True)]
    own = (1 / len(weigh_rates.PLANTED[name][0]),) * len(weigh_rates.PLANTED[name][0])
    arms = [weigh_rates.arms_of(pulls, own) for pulls in weigh_rates.pulls_of(name, data)]
    weights = torch.tensor([[arm.weights for arm in some] for some in arms])
    vectors = weigh_rates.train_all(name, data, weights)
    for k, (train, val) in enumerate(problems):
        found = weigh_losses(
            build, weigh_rates.losses_of(name), metric, train, val, seeds=2, **SETTINGS
        )
        for at, arm in enumerate(arms[k]):
            assert found.arms[at].weights == pytest.approx(arm.weights, rel=1e-4)
            errors = (val[0] @ vectors[k, :2, at].T - val[1][:, None]).square().mean(dim=0)
            assert found.scores[arm.name] == pytest.approx(errors.tolist(), rel=1e-3)


def test_verdicts_are_counted_as_the_tool_says() -> None:
    d = {"yours": 0.0, "balanced": -1.0, "alone": 0.5}
    assert weigh_rates.is_right("better", "balanced", d) == "right"
    assert weigh_rates.is_right("better", "alone", d) == "wrong"
    assert weigh_rates.is_right("keep", "yours", d) == "wrong"
    assert weigh_rates.is_right("flat", "yours", d) == "wrong"
    assert weigh_rates.is_right("undecided", "yours", d) == "undecided"
    assert weigh_rates.is_right("flat", "yours", dict.fromkeys(d, 0.0)) == "right"


def test_the_stored_rates_keep_their_promises() -> None:
    """At most 1 % of a weight that is worse by more than the margin; the harmful loss is found.

    The first is kept by the default of five seeds, and by all once trainings have come to rest.
    Page 11 tells of the one kind in which short trainings of more seeds do not keep it.
    """
    rates = load_rows("weigh_rates").query("rule == 'weigh'")
    beyond = rates[rates.harmful > 0.01]
    assert set(zip(beyond.planted, beyond.level, beyond.seeds, strict=True)) == {
        ("yours is best", "trained", 8),
        ("yours is best", "trained", 10),
    }
    rest = rates.query("seeds == 5 and level == 'longer'").set_index("planted")
    assert rest.c_harms["three, one harmful"] >= 0.95
    short = rates.query("seeds == 5 and level == 'trained'").set_index("planted")
    assert short.c_harms_advised["three, one harmful"] >= 0.95
    assert rates.loc[rates.planted == "three, harmless", ["b_harms", "c_harms"]].max().max() <= 0.05
