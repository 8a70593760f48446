"""How an engine of FD003 or FD004 fails, as the end of its life tells."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.data import Data
from amnl.cmapss.errors import DataError
from amnl.cmapss.layout import FEATURES
from amnl.cmapss.own_fleet import OwnFleet
from amnl.cmapss.windowing import Windows

TWO_FAULTS = ("FD003", "FD004")  # subsets in which the compressor or the fan wears


def fault_modes(windows: Windows) -> NDArray[np.int64]:
    """How each window's engine fails: 0 for the compressor, 1 for the fan.

    No file says so; the end of an engine's own life does (chapter 4). Over its last ten cycles, the
    mean of normalised sensor 7 stands above 0 and that of sensor 15 below where the fan wears, and
    the other way round where the compressor does.

    Parameters
    ----------
    windows
        Of FD003 or FD004, each engine's last one among them.

    Returns
    -------
    NDArray[np.int64]
        Shape (n,).

    Raises
    ------
    ValueError
        For an engine that was cut off before it failed.
    DataError
        For one in which the two sensors disagree.
    """
    engines, of = np.unique(windows.engine, return_inverse=True)
    final = np.zeros(len(engines), dtype=np.int64)
    np.maximum.at(final, of, np.arange(len(windows)))
    if (windows.true[final] > 0).any():
        raise ValueError(
            f"engine {engines[windows.true[final] > 0][0] + 1} does not run to failure in these "
            "windows: how it fails is not known"
        )
    ends = windows.values[windows.last[final, None] + np.arange(-9, 1)].mean(1, dtype=np.float64)
    s7, s15 = (ends[:, FEATURES.index(name)] for name in ("s7", "s15"))
    unclear = (s7 > 0) != (s15 < 0)
    if unclear.any():
        raise DataError(
            f"engine {engines[unclear][0] + 1} ends with sensor 7 at {s7[unclear][0]:+.2f} and "
            f"sensor 15 at {s15[unclear][0]:+.2f} standard deviations, which is neither a worn "
            "compressor nor a worn fan. Its fault cannot be told; train with the health states."
        )
    modes: NDArray[np.int64] = (s7 > 0).astype(np.int64)[of]
    return modes


def with_faults(data: Data) -> Data:
    """The same data, with `fault_modes` as the classes of training and validation windows.

    Test engines keep their health states: they are cut off before the end that would tell.

    Raises
    ------
    DataError
        As `fault_modes` does, with the file, and for a fleet of a reader's own.
    """
    if isinstance(data.source, OwnFleet):
        raise DataError("only C-MAPSS tells how its engines fail; train with the health states")
    try:
        train, val = (replace(w, health=fault_modes(w)) for w in (data.train, data.val))
    except DataError as error:
        raise DataError(f"{data.source.folder}, train_{data.subset}.txt: {error}") from error
    return replace(data, train=train, val=val)
