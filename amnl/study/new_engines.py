"""Comparisons that hold for other test engines as well as for other seeds."""

import numpy as np
import pandas as pd

from amnl.stats import ALPHA, MARGIN, crossed_differences, holm


def compare_engines(predictions: pd.DataFrame, lam: float = 0.5) -> pd.DataFrame:
    """Every other λ against `lam`, seeds and test engines drawn again, Holm over a subset's others.

    The tests read the bootstrap of `crossed_differences`. A difference is significant where few
    draws lie on the other side of zero, and two weights are equivalent where few lie outside the
    margin of half a cycle.

    Parameters
    ----------
    predictions
        What `load_predictions` gives: `subset`, `lam`, `seed`, `engine`, and `pred` and `rul` in
        cycles.
    lam
        The weight that the others are compared with.

    Returns
    -------
    DataFrame
        One row a (subset, lam): `mean`, `low`, `high` (cycles, 95 %), `p_holm`,
        `p_equivalent_holm`, and the `finding` about the other λ, as in `amnl.study.tables.judge`.
    """
    squared = (predictions["pred"].astype(float) - predictions["rul"]) ** 2
    cells = predictions.assign(squared=squared)
    judged = {}
    for subset, part in cells.groupby("subset"):
        errors = {
            value: rows.pivot(index="seed", columns="engine", values="squared").to_numpy()
            for value, rows in part.groupby("lam")
        }
        others = [value for value in errors if value != lam]
        draws = [crossed_differences(errors[value], errors[lam]) for value in others]
        judged[subset] = _judge(pd.DataFrame(dict(zip(others, draws, strict=True))))
    return pd.concat(judged, names=["subset", "lam"])


def _judge(draws: pd.DataFrame) -> pd.DataFrame:
    """Test differences whose resamples stand in the columns; they are corrected together."""
    mean, n = draws.mean(), len(draws)
    p = (2 * np.minimum((draws <= 0).sum(), (draws >= 0).sum()) + 1) / (n + 1)
    outside = np.maximum((draws >= MARGIN).sum(), (draws <= -MARGIN).sum())
    p_holm, p_equivalent = holm(p.clip(upper=1.0)), holm((outside + 1) / (n + 1))
    finding = np.select(
        [(p_holm < ALPHA) & (mean > 0), (p_holm < ALPHA) & (mean < 0), p_equivalent < ALPHA],
        ["worse", "better", "equivalent"],
        "undecided",
    )
    low, high = draws.quantile(0.025), draws.quantile(0.975)
    columns = {"mean": mean, "low": low, "high": high, "p_holm": p_holm}
    return pd.DataFrame(columns | {"p_equivalent_holm": p_equivalent, "finding": finding})
