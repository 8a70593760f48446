import numpy as np
import pandas as pd
import pytest

from amnl.study.new_engines import compare_engines
from amnl.study.rows import load_predictions


def predictions(offsets: dict[float, float], noise: float = 0.2) -> pd.DataFrame:
    """Ten seeds and forty engines; `offsets` maps a λ to its error beyond 5 cycles."""
    rng = np.random.default_rng(0)
    rows = []
    for lam, offset in offsets.items():
        for seed in range(10):
            errors = 5.0 + offset + noise * rng.normal(size=40)
            rows.append(
                pd.DataFrame(
                    {"subset": "FD001", "lam": lam, "seed": seed, "engine": range(1, 41),
                     "pred": 50.0 + errors, "rul": 50.0}
                )
            )  # fmt: skip
    return pd.concat(rows)


@pytest.mark.parametrize(
    ("offset", "noise", "finding"),
    [(0.0, 0.2, "equivalent"), (2.0, 0.2, "worse"), (-2.0, 0.2, "better"), (0.1, 9.0, "undecided")],
)
def test_a_planted_difference_is_found(offset: float, noise: float, finding: str) -> None:
    found = compare_engines(predictions({0.5: 0.0, 0.9: offset}, noise))
    assert found.finding.to_dict() == {("FD001", 0.9): finding}


def test_new_engines_add_luck_to_that_of_new_seeds() -> None:
    """The mean is the seeds' own, and no interval of new engines is shorter by half than theirs."""
    stored = load_predictions("sweep-compact-unit35")
    stored = stored[stored.lam.isin([0.5, 1.0])]
    found = compare_engines(stored).xs(1.0, level="lam")
    squared = (stored.pred.astype(float) - stored.rul) ** 2
    rmse = np.sqrt(squared.groupby([stored.subset, stored.lam, stored.seed]).mean()).unstack("lam")
    gap = rmse[1.0] - rmse[0.5]
    assert found["mean"].to_numpy() == pytest.approx(gap.groupby("subset").mean(), abs=0.05)
    width = found.high - found.low
    assert (width > 2 * gap.groupby("subset").std() / np.sqrt(10)).all()
