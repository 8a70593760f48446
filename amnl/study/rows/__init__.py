"""Published runs: CSV and JSON with provenance. Pages read them, and never write them."""

from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from amnl.training import RunResult
    from amnl.weigh.five_point import FivePoint


def load_run(name: str) -> "RunResult":
    """One stored run by its file name without `.json`: settings, metrics, history, predictions.

    Raises `FileNotFoundError` that lists the stored runs.
    """
    from amnl.training import RunResult

    with as_file(_stored(name, "run-", ".json")) as path:
        return RunResult.load(path)


def load_five_point(name: str) -> "FivePoint":
    """One stored five-point sweep by its file name without `.json`, such as
    `five_point-fd003-cycles2`.

    Raises `FileNotFoundError` that lists the stored sweeps.
    """
    from amnl.weigh.five_point import FivePoint

    with as_file(_stored(name, "five_point-", ".json")) as path:
        return FivePoint.load(path)


def load_rows(name: str) -> "pd.DataFrame":
    """One stored table by its file name without `.csv`, such as `sweep-compact-cycles2`.

    Raises `FileNotFoundError` that lists the stored tables.
    """
    import pandas as pd

    with _stored(name, "", ".csv").open(encoding="utf-8") as table:
        return pd.read_csv(table, comment="#")


def load_predictions(name: str) -> "pd.DataFrame":
    """What the cells of a sweep predict, by the name of its rows, such as `sweep-paper-cycles2`.

    One row a cell and test engine: `subset`, `lam`, `seed`, `engine` (from 1, as in NASA's files),
    `pred`, `rul` (capped) and `true` in cycles, `health_pred` and `health` (classes).

    Raises `FileNotFoundError` that lists the stored predictions.
    """
    import numpy as np
    import pandas as pd

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
    folder = files(__name__)
    stored = folder.joinpath(name + suffix)
    if not stored.is_file():
        known = sorted(f.name for f in folder.iterdir())
        known = [
            n.removesuffix(suffix) for n in known if n.startswith(start) and n.endswith(suffix)
        ]
        raise FileNotFoundError(f"nothing stored as {name!r}; there are {', '.join(known)}")
    return stored
