"""Published runs: CSV and JSON with provenance. Pages read them, and never write them."""

from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from amnl.training import RunResult
    from amnl.weigh import FivePoint

__all__ = ["load_five_point", "load_predictions", "load_rows", "load_run", "read_rows"]

# Columns that are text whatever is in them: a commit may be 1234567 or 1e10, a version 2.10.
TEXT = (
    "auxiliary", "combiner", "combiner_settings", "commit", "data", "date", "dtype", "hardware",
    "numpy", "optimiser", "precision", "preset", "python", "subset", "system", "torch",
)  # fmt: skip


def load_rows(name: str) -> pd.DataFrame:
    """One stored table.

    Parameters
    ----------
    name
        Its file name without `.csv`, such as `sweep-compact-cycles2`.

    Returns
    -------
    pd.DataFrame
        One row a cell, in the tables of sweeps. Their columns are the settings of `TrainConfig`
        (`combiner_settings` as JSON, `rul_unit` in cycles) and `lam`, the weight of the RUL loss;
        the metrics, of which `val_rmse`, `test_rmse` and those that begin so are in cycles; and
        where a row comes from: `commit`, `date`, `hardware`, versions, `seconds`. Other tables say
        in their columns what they hold.

    Raises
    ------
    FileNotFoundError
        Lists the stored tables.

    Examples
    --------
    >>> rows = load_rows("sweep-compact-cycles2")
    >>> len(rows), rows.lam.nunique(), rows.seed.nunique()
    (440, 11, 10)
    """
    return read_rows(_stored(name, "", ".csv").read_text(encoding="utf-8"))


def read_rows(text: str) -> pd.DataFrame:
    """The table of rows in the text of a CSV file, less its lines that start with #.

    Text columns stay text: pandas alone would read the commit 0123456 or 1e10 as a number, and
    version 2.10 as 2.1; and a row would end at a # within it.
    """
    lines = (line for line in text.split("\n") if not line.startswith("#"))
    return pd.read_csv(StringIO("\n".join(lines)), dtype=dict.fromkeys(TEXT, str))


def load_run(name: str) -> "RunResult":
    """One stored run: its settings, metrics, history and predictions.

    `name` is its file name without `.json`, such as `run-fd001-paper-lam0.50-seed0`. Raises
    `FileNotFoundError` that lists the stored runs.
    """
    from amnl.training import RunResult

    with as_file(_stored(name, "run-", ".json")) as path:
        return RunResult.load(path)


def load_five_point(name: str) -> "FivePoint":
    """One stored five-point sweep.

    `name` is its file name without `.json`, such as `five_point-fd003-cycles2`. Raises
    `FileNotFoundError` that lists the stored sweeps.
    """
    from amnl.weigh import FivePoint

    with as_file(_stored(name, "five_point-", ".json")) as path:
        return FivePoint.load(path)


def load_predictions(name: str) -> pd.DataFrame:
    """What the cells of a sweep predict.

    Parameters
    ----------
    name
        That of its rows, such as `sweep-paper-cycles2`.

    Returns
    -------
    pd.DataFrame
        One row a cell and test engine: `subset`, `lam`, `seed`, `engine` (from 1, as in NASA's
        files), `pred`, `rul` (capped) and `true` in cycles, `health_pred` and `health` (classes).

    Raises
    ------
    FileNotFoundError
        Lists the stored predictions.
    """
    with _stored(f"predictions-{name}", "predictions-", ".npz").open("rb") as file:
        stored = dict(np.load(file))
    tables = []
    for subset in sorted({key[:5] for key in stored if key.endswith("_pred")}):
        pred = stored[f"{subset}_pred"]
        engines = np.arange(1, pred.shape[2] + 1)
        axes = [stored["lams"], stored["seeds"], engines]
        cells = pd.MultiIndex.from_product(axes, names=["lam", "seed", "engine"])
        table = pd.DataFrame({"pred": pred.ravel()}, cells).reset_index()
        table["health_pred"] = stored[f"{subset}_health_pred"].ravel()
        for truth in ("rul", "true", "health"):
            table[truth] = stored[f"{subset}_{truth}"][table.engine - 1]
        tables.append(table.assign(subset=subset))
    return pd.concat(tables, ignore_index=True)


def _stored(name: str, start: str, suffix: str) -> Traversable:
    folder = files("amnl.study.rows")
    stored = folder.joinpath(name + suffix)
    if not stored.is_file():
        alike = (file.name.removesuffix(suffix) for file in folder.iterdir()
                 if file.name.startswith(start) and file.name.endswith(suffix))  # fmt: skip
        raise FileNotFoundError(f"nothing stored as {name!r}; there are {', '.join(sorted(alike))}")
    return stored
