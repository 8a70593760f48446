"""Paired differences, tested together."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from amnl.stats import (
    ALPHA,
    MARGIN,
    equivalence,
    holm,
    interval,
    sign_flip,
    smallest_difference,
)

Better = Literal["lower", "higher"]


def judge(
    differences: Mapping[Any, ArrayLike],
    margin: float | None = MARGIN,
    better: Better = "lower",
) -> pd.DataFrame:
    """Test paired differences that Holm corrects together.

    Parameters
    ----------
    differences
        Comparison → its differences, shape (n,), method less reference, one a seed. Comparisons may
        have different n, of two or more. More than 20 are tested with drawn sign patterns.
    margin
        Within ± this a mean difference does not matter; None asks for no equivalence.
    better
        Which scores are the better ones.

    Returns
    -------
    DataFrame
        One row a comparison, in the unit of the scores: `mean`, `low`, `high` (95 % bootstrap
        interval), `p`, `p_holm`, `p_equivalent_holm` (NaN without a margin), and the `finding`
        about the method: significantly "worse" or "better", else "equivalent", else "undecided";
        and `smallest`, the difference that so many seeds would have shown four times in five.

    Raises
    ------
    ValueError
        For fewer than two differences, NaN and infinity.

    Examples
    --------
    >>> larger, alike = [0.9, 1.1, 1.0, 1.2, 0.8, 1.0, 1.0], [0.1, -0.1, 0.0, 0.1, -0.1, 0.2, -0.2]
    >>> judge({"a": larger, "b": alike})[["mean", "p_holm", "finding"]].round(3)
       mean  p_holm     finding
    a   1.0   0.031       worse
    b   0.0   1.000  equivalent
    """
    samples = [np.asarray(values, dtype=np.float64) for values in differences.values()]
    low, high = zip(*map(interval, samples), strict=True)
    mean = np.array([np.mean(d) for d in samples])
    p = np.array([sign_flip(d, rng=0) for d in samples])
    p_holm, p_equivalent = holm(p), np.full(len(samples), np.nan)
    if margin is not None:
        p_equivalent = holm(np.array([equivalence(d, margin, rng=0) for d in samples]))
    different, above = p_holm < ALPHA, mean > 0 if better == "lower" else mean < 0
    finding = np.select(
        [different & above, different & ~above, p_equivalent < ALPHA],
        ["worse", "better", "equivalent"],
        "undecided",
    )
    smallest = [smallest_difference(float(np.std(d, ddof=1)), len(d), len(p)) for d in samples]
    columns = {"mean": mean, "low": low, "high": high, "p": p, "p_holm": p_holm}
    columns |= {"p_equivalent_holm": p_equivalent, "finding": finding, "smallest": smallest}
    return pd.DataFrame(columns, index=pd.Index(list(differences), tupleize_cols=False))
