"""A fleet: engines one after another, row by row."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.cache import cached_rows
from amnl.cmapss.layout import CONDITIONS, SENSORS, check_subset
from amnl.cmapss.source import Source
from amnl.cmapss.text import parse_rul

SETTING_SCALE = np.array([10.0, 0.25, 20.0])  # so that no one setting decides the distance


def nearest(
    settings: NDArray[np.float64], centres: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(rows,) index of the nearest of (conditions, S) `centres`, settings in units of `scale`."""
    settings, centres = settings / scale, centres / scale
    # |x − c|² without the |x|² that all share
    distance: NDArray[np.float64] = (centres**2).sum(1) - 2 * settings @ centres.T
    closest: NDArray[np.int64] = distance.argmin(axis=1)
    return closest


@dataclass(frozen=True)
class Fleet:
    """Engines one after another.

    Attributes
    ----------
    subset
        "FD001" … "FD004".
    split
        "train" or "test".
    values
        (rows, 24) float64: 3 settings, 21 sensors, as NASA wrote them.
    offsets
        (engines + 1,) int64: engine i has the rows offsets[i] … offsets[i+1] − 1.
    end_rul
        (engines,) int64: true remaining cycles after each engine's last row (0 in training).
    """

    subset: str
    split: str
    values: NDArray[np.float64]
    offsets: NDArray[np.int64]
    end_rul: NDArray[np.int64]

    @property
    def engines(self) -> int:
        """How many there are."""
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(engines,) cycles that each engine was observed."""
        return np.diff(self.offsets)

    @cached_property
    def engine(self) -> NDArray[np.int64]:
        """(rows,) index of each row's engine, from 0."""
        return np.repeat(np.arange(self.engines), self.lengths)

    @cached_property
    def cycle(self) -> NDArray[np.int64]:
        """(rows,) cycle of each row, from 1."""
        return np.arange(len(self.values)) - np.repeat(self.offsets[:-1], self.lengths) + 1

    @cached_property
    def rul(self) -> NDArray[np.int64]:
        """(rows,) true remaining cycles at each row, not capped."""
        return np.repeat(self.lengths + self.end_rul, self.lengths) - self.cycle

    @cached_property
    def condition(self) -> NDArray[np.int64]:
        """(rows,) index into `CONDITIONS`: the nearest, settings scaled to equal weight."""
        return nearest(self.settings, self.centres, SETTING_SCALE)

    @property
    def centres(self) -> NDArray[np.float64]:
        """(conditions, 3) settings of the conditions in which these engines can fly."""
        return CONDITIONS[:1] if self.subset in ("FD001", "FD003") else CONDITIONS

    @property
    def settings(self) -> NDArray[np.float64]:
        """(rows, 3) what tells the condition."""
        return self.values[:, :3]

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """(rows, 17) the network's inputs, raw, in the order of `FEATURES`."""
        return self.values[:, [*(2 + s for s in SENSORS), 0, 1, 2]]


def read(source: Source, subset: str, split: str) -> Fleet:
    """Read one fleet, from the cache when its bytes are known.

    The cache goes by the SHA-256 of the file as stored, so a changed file is always read anew.
    Other bytes with NASA's numbers are as good as NASA's; a note says so (logger "amnl").

    Parameters
    ----------
    source
        From `find`.
    subset
        "FD001" … "FD004".
    split
        "train" or "test".

    Raises
    ------
    DataError
        For a missing, damaged or malformed file.
    """
    check_subset(subset)
    rows = cached_rows(source, f"{split}_{subset}.txt")
    offsets = np.append(np.flatnonzero(rows[:, 1] == 1), len(rows)).astype(np.int64)
    end_rul = np.zeros(len(offsets) - 1, dtype=np.int64)
    if split == "test":
        name = f"RUL_{subset}.txt"
        file, text = source.text(name)
        source.verify(name, file, text, len(end_rul))
        end_rul = parse_rul(text, file, len(end_rul))
    return Fleet(subset, split, rows[:, 2:], offsets, end_rul)
