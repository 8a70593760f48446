"""Rows of a table put together as engines, or refused by row."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from amnl.cmapss import DataError
from amnl.cmapss.errors import note
from amnl.predict.inputs import Floats, Inputs
from amnl.predict.table import NASA

_NAMED = 8  # columns or rows in a message; the rest is counted


@dataclass(frozen=True)
class Engines:
    """Engines one after another, in the order in which a table first names them."""

    names: list[Any]  # (engines,)
    offsets: NDArray[np.int64]  # (engines + 1,) engine i has the rows offsets[i] … offsets[i+1] − 1
    cycle: NDArray[np.int64]  # (rows,)
    features: Floats  # (rows, F) raw, as `Inputs.features` names them
    settings: Floats  # (rows, S)

    @cached_property
    def engine(self) -> NDArray[np.int64]:
        """(rows,) index of each row's engine, from 0."""
        return np.repeat(np.arange(len(self.names)), np.diff(self.offsets))

    @classmethod
    def of(
        cls, table: pd.DataFrame, inputs: Inputs, unit: str, cycle: str, place: str = ""
    ) -> "Engines":
        """The engines of a table.

        Parameters
        ----------
        table
            A row a cycle, each engine's in order. Columns are found by name; others are noted.
        inputs
            Which columns are wanted.
        unit, cycle
            The columns that name the engine and count its cycles.
        place
            Starts every message: where the table is from.

        Raises
        ------
        DataError
            For a column or a number that is missing, for what is no number, and for an engine whose
            cycles do not follow one another.
        """
        place = f"{place}: " if place else ""
        _check_columns(table, inputs, unit, cycle, place)
        where = _Where(place, table.index)
        units = table[unit]
        if units.isna().any() or (units.astype(str).str.strip() == "").any():
            blank = units.isna() | (units.astype(str).str.strip() == "")
            raise DataError(f"{where(blank)} has no {unit}. Name its engine, or leave the row out.")
        if units.map(str).nunique() != units.nunique():
            raise DataError(
                f"{place}{unit} has numbers and text that read alike, such as 1 and '1'; write one "
                "kind."
            )
        codes, names = pd.factorize(units)
        order = np.argsort(codes, kind="stable")
        table, codes = table.iloc[order], codes[order]
        where = _Where(place, table.index)
        cycles = _numbers(table, cycle, where, units.iloc[order])
        if (cycles % 1 != 0).any():
            bad = cycles % 1 != 0
            raise DataError(f"{where(bad)}: {cycle} is {cycles[bad][0]:g}, no whole number.")
        broken = (np.diff(codes) == 0) & (np.diff(cycles) != 1)
        if broken.any():
            i = int(np.flatnonzero(broken)[0]) + 1
            raise DataError(
                f"{where(i)}: {cycle} {cycles[i]:g} of {unit} {names[codes[i]]} follows "
                f"{cycles[i - 1]:g}. The network sees one row a cycle, in order: sort them, fill "
                "what is missing, make one of several."
            )
        columns = {name: _numbers(table, name, where, units.iloc[order]) for name in inputs.columns}
        features, settings = (
            np.stack([columns[name] for name in of], axis=1) if of else np.empty((len(table), 0))
            for of in (inputs.features, inputs.settings)
        )
        offsets = np.searchsorted(codes, np.arange(len(names) + 1)).astype(np.int64)
        return cls(list(names), offsets, cycles.astype(np.int64), features, settings)

    def moments(self, every: int | None) -> NDArray[np.int64]:
        """Rows to predict: each engine's last, or every so many counted back from it."""
        if every is None:
            return self.offsets[1:] - 1
        left = self.offsets[self.engine + 1] - 1 - np.arange(len(self.engine))
        return np.flatnonzero(left % every == 0)

    def windows(self, rows: NDArray[np.int64], window: int) -> NDArray[np.int64]:
        """(n, window) rows that the network sees at each of (n,) `rows`.

        An engine's first row stands for those before it.
        """
        seen: NDArray[np.int64] = rows[:, None] + np.arange(1 - window, 1)
        return np.maximum(seen, self.offsets[self.engine[rows], None])


class _Where:
    """Names a row of a table: by its line in a file, by its place otherwise."""

    def __init__(self, place: str, index: pd.Index) -> None:
        self.place, self.index = place, index
        self.word = index.name if index.name == "line" else "row"

    def __call__(self, which: Any) -> str:
        if np.ndim(which):
            which = int(np.flatnonzero(np.asarray(which))[0])
        return f"{self.place}{self.word} {self.index[which]}"


def _check_columns(table: pd.DataFrame, inputs: Inputs, unit: str, cycle: str, place: str) -> None:
    wanted = dict.fromkeys((unit, cycle, *inputs.columns))
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        rest = [str(name) for name in table.columns if name not in wanted]
        hint = f" It has also {_listed(rest)}." if rest else ""
        if {unit, cycle} & set(missing):
            hint += " --unit and --cycle name the columns of the engine and of its cycle."
        raise DataError(
            f"{place}no column {_listed(missing)}; the model was trained with it.{hint}"
            if len(missing) == 1
            else f"{place}no columns {_listed(missing)}; the model was trained with them.{hint}"
        )
    if not len(table):
        raise DataError(f"{place}there is no row.")
    rest = [str(name) for name in table.columns if name not in wanted]
    if rest and table.columns.name != NASA:
        note(f"{place}not read, as the model does not know it: {_listed(rest)}")


def _numbers(table: pd.DataFrame, name: str, where: _Where, units: "pd.Series[Any]") -> Floats:
    """A column as finite numbers. Raises `DataError` that names the first cell that is none."""
    column = table[name]
    if not pd.api.types.is_numeric_dtype(column) or column.dtype == bool:
        column = pd.to_numeric(column.astype(str).str.strip(), errors="coerce")
    values: Floats = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if not (bad := ~np.isfinite(values)).any():
        return values
    i = int(np.flatnonzero(bad)[0])
    cell = table[name].iloc[i]
    blank = pd.isna(cell) or str(cell).strip() == ""
    what = "is missing" if blank else f"is {str(cell)!r}, no finite number"
    raise DataError(f"{where(i)}, {units.iloc[i]}: {name} {what}. Every cycle needs every sensor.")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
