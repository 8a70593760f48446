"""Tables of finished cells: a row a cell, a row an epoch, and a row's settings read back."""

import dataclasses
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from amnl.task_losses import rmse
from amnl.training import NEWER, RunResult, TrainConfig, recorded

if TYPE_CHECKING:
    import pandas as pd

_CELL = ("preset", "combiner", "combiner_settings", "rul_unit", "sample_weighted", "subset", "seed")
_SORTED_BY = ("preset", "combiner", "rul_unit", "subset", "lam", "combiner_settings", "seed")
_EARLY = 15  # epochs of the source's coarse sweep


def to_rows(results: Iterable[RunResult]) -> "pd.DataFrame":
    """One row a cell: settings, λ, metrics, provenance. Sorted, so that a store has one table.

    Returns
    -------
    DataFrame
        A column a setting (those of `NEWER` where a cell has another value than the default), a
        metric and a provenance, and

        - `lam`: λ of a convex fixed combiner, else empty
        - `val_rmse_e15`: best validation RMSE (cycles) of the first 15 epochs
        - `constant_rmse`: test RMSE (cycles) of the best constant prediction
    """
    import pandas as pd

    results, rows = list(results), []
    cells = [dataclasses.asdict(result.config) for result in results]
    names = {f.name for f in dataclasses.fields(TrainConfig)} - set(NEWER)
    names |= {name for cell in cells for name in recorded(cell)}
    for cell, result in zip(cells, results, strict=True):
        settings = {name: value for name, value in cell.items() if name in names}
        settings["combiner_settings"] = json.dumps(settings["combiner_settings"])
        truth = result.predictions["rul"]
        rows.append(
            {
                **settings,
                "lam": result.config.lam,
                **result.metrics,
                "val_rmse_e15": min(record["val_rmse"] for record in result.history[:_EARLY]),
                "constant_rmse": rmse([sum(truth) / len(truth)] * len(truth), truth),
                **result.provenance,
            }
        )
    table = pd.DataFrame(rows)
    others = [f.name for f in dataclasses.fields(TrainConfig) if f.name in names - set(_SORTED_BY)]
    return table.sort_values([*_SORTED_BY, *others, "data"], ignore_index=True) if rows else table


def to_history(results: Iterable[RunResult]) -> "pd.DataFrame":
    """One row an epoch of a cell: what tells the cell apart, then the epoch's record.

    Settings that are the same in all cells are left out, but for those that name a cell; so are
    the data and a combiner's code.
    """
    import pandas as pd

    results = list(results)
    settings = [dataclasses.asdict(result.config) for result in results]
    for cell, result in zip(settings, results, strict=True):
        cell["combiner_settings"] = json.dumps(cell["combiner_settings"])
        cell["data"] = result.provenance["data"]
        cell["combiner_code"] = result.provenance.get("combiner_code", "")
    others = [f.name for f in dataclasses.fields(TrainConfig) if f.name not in _CELL]
    others += ["data", "combiner_code"]
    names = [*_CELL, *(name for name in others if len({cell[name] for cell in settings}) > 1)]
    rows = [
        {**{name: cell[name] for name in names}, **record}
        for cell, result in zip(settings, results, strict=True)
        for record in result.history
    ]
    table = pd.DataFrame(rows)
    return table.sort_values([*names, "epoch"], ignore_index=True) if rows else table


def config_of(row: "pd.Series[Any]") -> TrainConfig:
    """The settings that a row of `to_rows` came from: `train(config_of(row))` repeats its cell."""
    import pandas as pd

    settings = {
        f.name: row[f.name]
        for f in dataclasses.fields(TrainConfig)
        if f.name not in NEWER or pd.notna(row.get(f.name))  # a row from before it, or beside such
    }
    settings["combiner_settings"] = json.loads(settings["combiner_settings"])
    for f in dataclasses.fields(TrainConfig):
        if f.type is int and f.name in settings:  # beside a row without it, it became 20.0
            settings[f.name] = int(settings[f.name])
    plain = {k: v.item() if hasattr(v, "item") else v for k, v in settings.items()}
    return TrainConfig(**plain)
