"""Windows of 30 cycles, their remaining lives and health states."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.errors import whole_number
from amnl.cmapss.fleet import Fleet

WINDOW = 30  # cycles
MAX_RUL = 125  # cycles; above it the label is flat (Heimes 2008)
HEALTH_STATES = ("healthy", "degrading", "critical")


def health_state(
    rul: NDArray[np.float64] | NDArray[np.int64], degrading: float = 80, critical: float = 30
) -> NDArray[np.int64]:
    """Classes of remaining life: indices into `HEALTH_STATES`.

    0 healthy (RUL > 80 cycles), 1 degrading (30 < RUL ≤ 80), 2 critical (RUL ≤ 30), or with other
    bounds.

    Raises
    ------
    ValueError
        For a RUL that is NaN.

    Examples
    --------
    >>> health_state(np.array([125, 80, 30]))
    array([0, 1, 2])
    """
    if np.isnan(rul).any():
        raise ValueError("a RUL is NaN: it is in no health state")
    return (np.asarray(rul) <= degrading).astype(np.int64) + (np.asarray(rul) <= critical)


@dataclass(frozen=True)
class Framing:
    """How an engine's rows become what a network learns from. The defaults are C-MAPSS's.

    Attributes
    ----------
    window
        Rows that the network sees at once.
    cap
        Above this remaining life the label is flat (cycles, or the unit of life of the fleet).
    degrading, critical
        At these remaining lives and below, an engine is in the health state of that name.

    Raises
    ------
    ValueError
        For a window of less than a row, and bounds out of order: 0 < critical < degrading < cap.
    """

    window: int = WINDOW
    cap: float = float(MAX_RUL)
    degrading: float = 80.0
    critical: float = 30.0

    def __post_init__(self) -> None:
        whole_number("window", self.window, 1)
        if not 0 < self.critical < self.degrading < self.cap < math.inf:
            raise ValueError(
                f"critical {self.critical:g}, degrading {self.degrading:g} and cap {self.cap:g} "
                "are remaining lives; they must be positive and rise in this order, so that each "
                "health state has its engines"
            )

    def health(self, rul: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.int64]:
        """`health_state` with these bounds."""
        return health_state(rul, self.degrading, self.critical)


@dataclass(frozen=True)
class Windows:
    """Windows of 30 cycles as indices: window i is values[last[i] − 29 … last[i]].

    A fleet of a reader's own may have windows of another length, and any number of features.

    Attributes
    ----------
    values
        (rows, 17) float32, shared by all windows; nothing is copied.
    last
        (n,) int64 row of each window's last cycle.
    rul
        (n,) float32 remaining life at that cycle (cycles), capped at `MAX_RUL`.
    true
        (n,) float32 the same, not capped; NaN where an engine still runs.
    health
        (n,) int64 class of the capped RUL; -1 where an engine still runs.
    engine
        (n,) int64 index of the engine in its file, from 0.
    length
        Rows of a window.
    """

    values: NDArray[np.float32]
    last: NDArray[np.int64]
    rul: NDArray[np.float32]
    true: NDArray[np.float32]
    health: NDArray[np.int64]
    engine: NDArray[np.int64]
    length: int = WINDOW

    def __len__(self) -> int:
        return len(self.last)

    def gather(self, index: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float32]:
        """(len(index), 30, 17) copies of the chosen windows."""
        rows = self.last[index, None] + np.arange(1 - self.length, 1)
        chosen: NDArray[np.float32] = self.values[rows]
        return chosen


def windows(
    fleet: Fleet,
    values: NDArray[np.float32],
    engines: NDArray[np.int64] | None = None,
    *,
    stride: int = 1,
    last_only: bool = False,
    framing: Framing = Framing(),
) -> Windows:
    """Every window of these engines, or only each engine's last.

    Parameters
    ----------
    fleet
        Where the engines begin and end, and their remaining lives.
    values
        (rows, 17) float32, normalised: what the windows are cut from.
    engines
        Indices from 0; all by default.
    stride
        Every so many cycles a window, counted back from an engine's last.
    last_only
        One window for each engine. One that is shorter than 30 cycles is padded on the left with
        its first row, so that every test engine is scored; otherwise it gets no window.
    framing
        Length of a window, cap, and bounds of the health states.

    Raises
    ------
    DataError
        For a stride that is no whole number from 1 on.
    """
    stride = whole_number("stride", stride, 1)
    chosen, window = np.arange(fleet.engines) if engines is None else engines, framing.window
    if last_only:
        short = chosen[fleet.lengths[chosen] < window]
        pads = np.zeros(fleet.engines, dtype=np.int64)
        pads[short] = window - fleet.lengths[short]
        repeats = np.ones(len(fleet.values), dtype=np.int64)
        repeats[fleet.offsets[:-1]] += pads
        values = np.repeat(values, repeats, axis=0)
        row = fleet.offsets[chosen + 1] - 1
        last = row + np.cumsum(pads)[chosen]
    else:
        left = fleet.offsets[fleet.engine + 1] - 1 - np.arange(len(fleet.engine))
        full = (fleet.cycle >= window) & (left % stride == 0) & np.isin(fleet.engine, chosen)
        row = last = np.flatnonzero(full)
    true = fleet.rul[row].astype(np.float32)
    rul = np.minimum(true, np.float32(framing.cap))
    known = ~np.isnan(rul)
    health = np.full(len(rul), -1, dtype=np.int64)
    health[known] = framing.health(rul[known])
    return Windows(values, last, rul, true, health, fleet.engine[row], window)
