"""Published runs: CSV and JSON with provenance. Pages read them, and never write them."""

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from amnl.train import RunResult


def load_run(name: str) -> "RunResult":
    """One stored run by its file name without `.json`: settings, metrics, history, predictions.

    Raises `FileNotFoundError` that lists the stored runs.
    """
    from amnl.train import RunResult

    stored = files(__name__).joinpath(f"{name}.json")
    if not stored.is_file():
        known = sorted(f.name[:-5] for f in files(__name__).iterdir() if f.name.startswith("run-"))
        raise FileNotFoundError(f"no stored run {name!r}; there are {', '.join(known) or 'none'}")
    with as_file(stored) as path:
        return RunResult.load(path)


def load_rows(name: str) -> "pd.DataFrame":
    """One stored table by its file name without `.csv`, such as `sweep-compact-cycles2`.

    Raises `FileNotFoundError` that lists the stored tables.
    """
    import pandas as pd

    stored = files(__name__).joinpath(f"{name}.csv")
    if not stored.is_file():
        known = sorted(f.name[:-4] for f in files(__name__).iterdir() if f.name.endswith(".csv"))
        raise FileNotFoundError(f"no stored table {name!r}; there are {', '.join(known)}")
    with stored.open(encoding="utf-8") as table:
        return pd.read_csv(table, comment="#")
