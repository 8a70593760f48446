"""The tool that counts how often the sweep is right."""

import dataclasses

import five_point_rates
import numpy as np
import pytest
import torch
from small_problem import table

from amnl import five_point_sweep
from amnl.combine import FIVE
from amnl.weigh import decide


def test_planted_problems_are_what_they_claim() -> None:
    """The optimum of a planted problem lies where it is said to, in closed form on its data."""
    for name, best in (("optimum 0.3", 0.3), ("optimum 0.5", 0.5)):
        train, val = five_point_rates.plant(name, np.random.default_rng(3))
        x, y, other_x, other_y = (t.double() for t in train)
        errors = []
        for lam in FIVE:
            a, b = lam / len(x), (1 - lam) / len(other_x)
            fitted = torch.linalg.solve(
                a * x.T @ x + b * other_x.T @ other_x, a * x.T @ y + b * other_x.T @ other_y
            )
            errors.append(float(((val[0].double() @ fitted - val[1]) ** 2).mean()))
        assert errors == pytest.approx(five_point_rates.curve(name), rel=1e-4)
        assert FIVE[int(np.argmin(errors))] == best


def test_verdicts_are_counted_as_the_tool_says() -> None:
    d = {0.3: -1.0, 0.4: -0.5, 0.5: 0.0, 0.6: 0.01, 0.7: 0.02}
    found = decide(table([5, 5, 5, 5, 5], 0.001), five_point_rates.MARGIN)
    assert found.verdict == "flat"
    assert five_point_rates.verdict_of(found, d) == "wrong"
    assert five_point_rates.verdict_of(found, dict.fromkeys(d, 0.0)) == "right"
    better = dataclasses.replace(found, verdict="better", recommended=0.3)
    assert five_point_rates.verdict_of(better, d) == "right"
    assert five_point_rates.verdict_of(dataclasses.replace(better, recommended=0.7), d) == "wrong"
    keep = dataclasses.replace(found, verdict="keep")
    assert five_point_rates.verdict_of(keep, d) == "wrong"
    assert five_point_rates.verdict_of(keep, {k: abs(v) for k, v in d.items()}) == "right"


@pytest.mark.parametrize("factor", [1.0, 100.0])
def test_runs_side_by_side_are_those_of_the_sweep(factor: float) -> None:
    problems = [five_point_rates.plant("optimum 0.3", np.random.default_rng(k)) for k in (4, 5)]
    data = [torch.stack(c) for c in zip(*(train for train, _ in problems), strict=True)]
    vectors = five_point_rates.train_all(data, torch.tensor([factor, factor]))
    for k, (train, val) in enumerate(problems):
        found = five_point_sweep(
            five_point_rates.build, five_point_rates.losses_of(factor), five_point_rates.metric,
            train, val, seeds=2, **five_point_rates.SETTINGS,
        )  # fmt: skip
        ratio = factor * five_point_rates.ratios(data)[k]
        assert found.before.ratio == pytest.approx(float(ratio), rel=1e-4)
        for at, lam in enumerate(FIVE):
            errors = (val[0] @ vectors[k, :2, at].T - val[1][:, None]).square().mean(dim=0)
            assert found.scores[lam] == pytest.approx(errors.tolist(), rel=1e-3)
