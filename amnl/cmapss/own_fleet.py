"""A fleet of a reader's own: any number of features, any conditions, units that still run."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.errors import DataError, counted, note
from amnl.cmapss.fleet import Fleet
from amnl.cmapss.layout import OWN
from amnl.cmapss.normaliser import Normaliser, guarded
from amnl.cmapss.own_table import (
    Columns,
    Reading,
    clean,
    is_blank,
    listed,
    name_of,
    named,
    split_names,
)

if TYPE_CHECKING:
    import pandas as pd

_UNNAMED = re.compile(r"(Unnamed: \d+(_level_\d+)?)?")  # as a saved index comes back
_ANSWERS = ("rul", "ttf", "remaininglife", "remainingusefullife", "timetofailure")
_MOST_CONDITIONS = 100
_MARK = ", "  # between the conditions that make one


@dataclass(frozen=True)
class OwnFleet(Fleet):
    """A fleet of a reader's own, as `Fleet.from_frame` makes it.

    `values` are (rows, features) as they stand in the table, `subset` is "own". `str` is its
    identity: records and checkpoints go by what it holds, not by the name of a file.

    Attributes
    ----------
    columns
        What the columns of the table are.
    reading
        How the table was read.
    units
        Name of each engine, as it is spelled in the table.
    levels
        Names of the conditions.
    level
        (rows,) int64 index into `levels`; as many as there are where a row has none of them.
    remaining
        (rows,) float64 remaining life, in the unit that `reading` says; NaN of units that run.
    running
        (engines,) whether a unit still runs at its last row.
    """

    columns: Columns
    reading: Reading
    units: tuple[str, ...]
    levels: tuple[str, ...]
    level: NDArray[np.int64]
    remaining: NDArray[np.float64]
    running: NDArray[np.bool_]

    @property
    def features(self) -> NDArray[np.float64]:
        """(rows, features) the network's inputs, raw, in the order of `names`."""
        return self.values

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, in order."""
        return self.columns.features

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the conditions, as `levels`."""
        return self.levels

    @property
    def overall(self) -> slice:
        """None: every feature is scaled within its condition."""
        return slice(0, 0)

    @property
    def condition(self) -> NDArray[np.int64]:
        """(rows,) index into `conditions`, or their number."""
        return self.level

    @property
    def rul(self) -> NDArray[np.float64]:
        """(rows,) true remaining life at each row, not capped; NaN of units that run."""
        return self.remaining

    def __str__(self) -> str:
        return f"own fleet, {counted(self.engines, 'unit')}, checksum {self._checksum[:12]}"

    @cached_property
    def _checksum(self) -> str:
        texts = repr((self.names, self.columns.conditions, self.units, self.levels)).encode()
        arrays = self.offsets, self.values, self.level, self.remaining, self.running
        digest = hashlib.sha256(texts)
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def normaliser(self, engines: NDArray[np.int64]) -> Normaliser:
        """Statistics of these engines alone: pass it none but training engines.

        It has a row a condition, and one more for rows of any other condition: that of all rows of
        these engines together. Conditions that they never met have that, too, and are noted.
        """
        fitted = Normaliser.fit(self, engines)
        rows = np.isin(self.engine, engines)
        mean, std = self.values[rows].mean(0), self.values[rows].std(0)
        unmet = np.setdiff1d(np.arange(len(self.levels)), self.level[rows])
        if unmet.size:
            names = [self.levels[k] for k in unmet]
            note(
                f"no training unit was run under condition {listed(names)} of "
                f"{listed(self.columns.conditions)}: such rows are scaled as all rows together are"
            )
        mean, std = np.vstack([fitted.mean, mean]), np.vstack([fitted.std, guarded(mean, std)])
        mean[unmet], std[unmet] = mean[-1], std[-1]
        return Normaliser(mean, std)

    def cut(
        self, engines: NDArray[np.int64], share: NDArray[np.float64], window: int
    ) -> "OwnFleet":
        """These engines, each stopped on its way.

        Parameters
        ----------
        engines
            Indices.
        share
            Of each, in [0, 1): where between its first whole window and the row before its last it
            is stopped. A life of one window is stopped anywhere in it.
        """
        most = np.maximum(self.lengths[engines] - 1, 1)
        least = np.where(most < window, 1, window)
        kept = least + (share * (most - least + 1)).astype(np.int64)
        starts = self.offsets[engines]
        rows = np.concatenate([np.arange(a, a + n) for a, n in zip(starts, kept, strict=True)])
        return replace(
            self,
            values=self.values[rows],
            offsets=np.append(0, np.cumsum(kept)).astype(np.int64),
            end_rul=np.zeros(len(engines), dtype=np.int64),
            units=tuple(self.units[e] for e in engines),
            level=self.level[rows],
            remaining=self.remaining[rows],
            running=self.running[engines],
        )


def from_frame(
    frame: "pd.DataFrame",
    unit: str,
    cycle: str,
    features: Sequence[str] | str | None,
    conditions: Sequence[str] | str | None,
    event: str | None,
    **reading: Any,
) -> OwnFleet:
    """See `Fleet.from_frame`."""
    how = Reading.of(reading)
    columns = Columns(unit, cycle, (), split_names(conditions), event)
    frame = named(frame, columns)
    if features is None:
        fleet = _with_all_features(frame, columns, how)
    else:
        fleet = read_fleet(frame, replace(columns, features=split_names(features)), how)
        _refuse_constant(fleet, name_of(frame))
    if event is None:
        note(
            f"{name_of(frame)}: each unit's last row counts as its failure; where some still run, "
            "name the column that says so: event= (--event)"
        )
    elif fleet.running.any():
        note(
            f"{name_of(frame)}: {counted(fleet.engines, 'unit')} = "
            f"{int((~fleet.running).sum()):,} that failed + {int(fleet.running.sum()):,} that "
            f"still run by {event} and train nothing"
        )
    return fleet


def read_fleet(
    frame: "pd.DataFrame",
    columns: Columns,
    reading: Reading = Reading(),  # noqa: B008
    levels: tuple[str, ...] | None = None,
) -> OwnFleet:
    """A fleet of these columns, also for units that a network has never met.

    Parameters
    ----------
    frame, columns, reading
        As for `clean`.
    levels
        Conditions that are known; a row of another one is noted, and has none. By default those of
        the table.

    Raises
    ------
    DataError
        As `clean`, for no features, and for a condition of too many values.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"id": ["a"] * 3, "t": [1, 2, 3], "heat": [20.0, 21.5, 25.0]})
    >>> read_fleet(frame, Columns("id", "t", ("heat",))).rul
    array([2., 1., 0.])
    """
    where = name_of(frame)
    if not columns.features:
        raise DataError(f"{where}: no column is left for a feature; name some in features=")
    table = clean(frame, columns, reading)
    ends = table[columns.unit].ne(table[columns.unit].shift(-1)).to_numpy()
    offsets = np.append(0, np.flatnonzero(ends) + 1).astype(np.int64)
    lengths = np.diff(offsets)
    elapsed = table[columns.cycle].to_numpy(dtype=np.float64)
    remaining = np.repeat(elapsed[ends], lengths) - elapsed
    running = np.zeros(len(lengths), dtype=bool)
    if columns.event:
        running = ~table[columns.event].to_numpy(dtype=bool)[ends]
        remaining[np.repeat(running, lengths)] = np.nan
    known, level = _levels(table, columns, levels, where)
    return OwnFleet(
        OWN,
        "own table",
        table[list(columns.features)].to_numpy(dtype=np.float64),
        offsets,
        np.zeros(len(lengths), dtype=np.int64),
        columns,
        reading,
        tuple(table[columns.unit].to_numpy()[ends]),
        known,
        level,
        remaining,
        running,
    )


def _levels(
    table: "pd.DataFrame", columns: Columns, known: tuple[str, ...] | None, where: str
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names of the conditions, and which each row has."""
    if not columns.conditions:
        return ("",), np.zeros(len(table), dtype=np.int64)
    parts = [table[name].tolist() for name in columns.conditions]
    labels = [_MARK.join(part) for part in zip(*parts, strict=True)]
    found = sorted(set(labels))
    what = listed(columns.conditions)
    if known is None and len(found) > _MOST_CONDITIONS:
        raise DataError(
            f"{where}: {what} has {len(found):,} different values, and a condition is one of a few "
            f"(at most {_MOST_CONDITIONS}); round it first, or make it a feature"
        )
    known = tuple(found) if known is None else known
    number = {label: n for n, label in enumerate(known)}
    level = np.array([number.get(label, len(known)) for label in labels], dtype=np.int64)
    if (odd := np.flatnonzero(level == len(known))).size:
        others = [label for label in found if label not in number]
        note(
            f"{where}: {counted(len(odd), 'row')} of condition {listed(others)} of {what}, which "
            f"the training units never met, from {columns.unit} "
            f"{table[columns.unit].iloc[odd[0]]} on: scaled as all training rows together are"
        )
    return known, level


def _with_all_features(frame: "pd.DataFrame", columns: Columns, reading: Reading) -> OwnFleet:
    """With the columns that are left, but for those that hold the answer or nothing. Noted."""
    where, out = name_of(frame), {}
    used = (columns.unit, columns.cycle, *columns.conditions, columns.event)
    left = [name for name in frame.columns if name not in used]
    for name in left:
        if _UNNAMED.fullmatch(name):
            out[name] = "without a name"
        elif re.sub(r"[\W_]", "", name).lower() in _ANSWERS:
            out[name] = "the answer"
        elif is_blank(frame[name]):
            out[name] = "blank"
    candidates = tuple(name for name in left if name not in out)
    fleet = None
    if candidates:
        fleet = read_fleet(frame, replace(columns, features=candidates), reading)
        out |= _telling(fleet) | _constant(fleet)
    features = tuple(name for name in candidates if name not in out)
    if fleet is None or not features:
        raise DataError(
            f"{where}: none of the columns {listed(left)} is a feature "
            f"({listed(f'{k or repr(k)}: {why}' for k, why in out.items())}); name some in "
            "features= (--features)"
        )
    dropped = ", ".join(f"{k or repr(k)} ({why})" for k, why in out.items())
    note(
        f"{where}: {counted(len(features), 'feature')}: {', '.join(features)}"
        + (f"; left out: {dropped}" if out else "")
    )
    kept = [candidates.index(name) for name in features]
    columns = replace(columns, features=features)
    return replace(fleet, values=fleet.values[:, kept], columns=columns)


def _telling(fleet: OwnFleet) -> dict[str, str]:
    """Features that only count rows, or only mark the last row of a life."""
    found, inside = {}, np.diff(fleet.engine) == 0
    last = np.zeros(len(fleet.values), dtype=bool)
    last[fleet.offsets[1:] - 1] = True
    for name, values in zip(fleet.names, fleet.values.T, strict=True):
        steps = np.diff(values)[inside]
        if not last.all() and np.array_equal(values, last):
            found[name] = "1 at each last row alone: an event?"
        elif len(steps) and abs(steps[0]) == 1 and np.ptp(steps) == 0 and not (values % 1).any():
            found[name] = "only counts rows"
    return found


def _constant(fleet: OwnFleet) -> dict[str, str]:
    """Features that never change within a condition."""
    spread = np.zeros(len(fleet.names))
    size = np.ones(len(fleet.names))
    for level in np.unique(fleet.level):
        inside = fleet.values[fleet.level == level]
        spread = np.maximum(spread, inside.max(0) - inside.min(0))
        size = np.maximum(size, np.abs(inside).max(0))
    return {
        name: "constant"
        for name, flat in zip(fleet.names, spread <= 1e-6 * size, strict=True)
        if flat
    }


def _refuse_constant(fleet: OwnFleet, where: str) -> None:
    constant = _constant(fleet)
    if constant:
        name = next(iter(constant))
        value = fleet.values[0, fleet.names.index(name)]
        within = " in each condition" if len(fleet.levels) > 1 else f" ({value:g})"
        more = f", and so is {listed(list(constant)[1:])}" if len(constant) > 1 else ""
        raise DataError(
            f"{where}: {name} is constant{within}{more}, and tells nothing; leave it out of the "
            "features"
        )
    if telling := _telling(fleet):
        name, why = next(iter(telling.items()))
        note(f"{where}: the feature {name}: {why}")
