"""What a page may claim of a number that comes out of training: as much as machines agree on.

Training is chaotic. A last digit that one processor rounds up and another one down grows over the
steps, in float64, too. So the pages were run on several machines, most of them emulated, and on
copies whose initial weights differ in a last digit (`tools/book/machines.py`). The table of what
each found is `rows/machines.csv`; a page holds its own numbers against it with `amnl.check`.
"""

import json
import math
import os
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RECORD", "check", "limits", "machine_names", "measured", "table"]

CONFIDENCE = 0.999  # how often a further machine's number should lie within the limits
DIGITS = 3  # that a page shows; a check asks for no more
RECORD = "AMNL_RECORD_CHECKS"  # names a file: `check` then writes there and compares nothing


def check(name: str, value: float | str) -> str:
    """Hold a trained number, or a verdict, of a page against what other machines found.

    Parameters
    ----------
    name
        In the table, such as "FD001: test RMSE": what is trained, and what is found. No page is
        named, so that a page may move.
    value
        A number has to lie within the `limits` of the measured ones; a word has to be one of them.

    Returns
    -------
    str
        A line for the page: what was found, and on how many machines.

    Raises
    ------
    AssertionError
        For more than machines differ by, and for NaN.
    KeyError
        For a name that was never measured.

    Examples
    --------
    >>> import amnl
    >>> amnl.check("battery: verdict, percent²", "flat")
    'as on 11 of 11 machines'
    """
    if record := os.environ.get(RECORD):
        with Path(record).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "value": value}, default=float) + "\n")
        return "measured"
    found = measured(name)
    if isinstance(value, str):
        counted = Counter(found)
        if value not in counted:
            raise AssertionError(f"{name}: this run says {value!r}, other machines {dict(counted)}")
        return f"as on {counted[value]} of {counted.total()} machines"
    numbers = found.astype(float)
    low, high = limits(numbers.to_list())
    if not low <= value <= high:
        raise AssertionError(
            f"{name}: this run gave {value:.6g}, {len(numbers)} machines gave "
            f"{_between(numbers.min(), numbers.max())}; by how far they differ, "
            f"{_between(low, high)} was expected"
        )
    return f"{_between(numbers.min(), numbers.max())} on {len(numbers)} machines"


def _between(low: float, high: float) -> str:
    """A range, with as many digits as it takes to tell its ends apart, and nine at most."""
    apart = (high - low) / max(abs(low), abs(high), 1e-300)
    if apart < 1e-8:
        return f"{low:.4g}"
    digits = max(3, 2 - math.floor(math.log10(apart)))
    return f"{low:.{digits}g} to {high:.{digits}g}"


def limits(values: list[float]) -> tuple[float, float]:
    """Where one more machine's number should lie, low and high, in all but one case in a thousand.

    Student's prediction interval for one more draw from a normal distribution. Settings that a
    training never meets repeat a number to the last digit, so equal values count once. It is never
    narrower than a unit in the third digit, as a page claims no more.
    """
    from scipy.special import stdtrit

    distinct = np.unique(values)
    n, centre = len(distinct), float(np.mean(distinct))
    half = 0.0
    if n > 1:
        half = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * distinct.std(ddof=1) * np.sqrt(1 + 1 / n)
    if centre:
        unit = 10.0 ** (math.floor(math.log10(abs(centre))) + 1 - DIGITS)
        half = max(half, unit / 2)
    return centre - half, centre + half


@lru_cache
def table() -> "pd.DataFrame":
    """What every machine found, as text.

    Columns are `page`, `cell` ("check", or the number of a code cell), `what` is printed there,
    `commit` of the page, and one a machine.
    """
    from importlib.resources import files

    import pandas as pd

    with files("amnl.study.rows").joinpath("machines.csv").open(encoding="utf-8") as stored:
        return pd.read_csv(stored, comment="#", dtype=str, keep_default_na=False)


def measured(name: str) -> "pd.Series[str]":
    """What each machine found for one name that a page checks, as text, indexed by machine.

    Empty while pages are being measured; otherwise raises `KeyError` for a name that was never
    measured.
    """
    rows = table()
    rows = rows[(rows.cell == "check") & (rows.what == name)]
    if rows.empty and not os.environ.get(RECORD):
        raise KeyError(f"{name!r} was never measured on other machines; `make machines` does it")
    return rows[machine_names(rows)].T.iloc[:, 0] if len(rows) else rows.what


def machine_names(rows: "pd.DataFrame") -> list[str]:
    """The machines of a table such as `table()`."""
    return list(rows.columns[4:])
