"""A reader's own fleet, ready to train."""

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.data import Data, split_engines
from amnl.cmapss.errors import DataError, counted, note
from amnl.cmapss.layout import OWN
from amnl.cmapss.own_fleet import OwnFleet
from amnl.cmapss.own_table import listed
from amnl.cmapss.windowing import Framing, windows

Indices = NDArray[np.int64]
_FEWEST = 4  # units that have failed; it gives each part one


def own_data(fleet: OwnFleet, seed: int, stride: int, framing: Framing, fold: int = 0) -> Data:
    """A fleet of a reader's own, split by `seed`, normalised and cut into windows.

    A fifth of the units that have failed tests, each cut off at a moment that the seed draws; a
    fifth of the others validates. Units that still run are left out, and so are those that failed
    before they had a whole window, which is noted.

    Raises
    ------
    DataError
        For too few units.
    """
    training, validation, test, share = own_split(fleet, seed, framing, fold)
    normaliser = fleet.normaliser(training)
    values = normaliser(fleet)
    train, val = (
        windows(fleet, values, part, stride=stride, framing=framing)
        for part in (training, validation)
    )
    ended = fleet.cut(test, share, framing.window)
    tested = windows(ended, normaliser(ended), last_only=True, framing=framing)
    return Data(
        OWN, seed, stride, fleet, train, val, tested, normaliser, framing, fleet.names, ended.units
    )


def own_split(
    fleet: OwnFleet, seed: int, framing: Framing, fold: int = 0
) -> tuple[Indices, Indices, Indices, NDArray[np.float64]]:
    """Training, validation and test units, and where in its life each test unit is cut off.

    Raises `DataError` as `own_data` does.
    """
    long_enough = fleet.lengths >= framing.window
    chosen = np.flatnonzero(~fleet.running & long_enough)
    short = np.flatnonzero(~fleet.running & ~long_enough)
    if len(chosen) < _FEWEST:
        way = ""
        if len(short):
            way = f"; {len(short)} more are shorter, and a shorter window takes them (--window)"
        raise DataError(
            f"the table has {counted(len(chosen), 'unit')} that failed after a window of "
            f"{framing.window} rows or more, and it takes {_FEWEST} at least: two to train, one to "
            f"validate, one to test{way}"
        )
    if len(short):
        note(
            f"{len(short)} of {counted(len(short) + len(chosen), 'unit')} that failed have fewer "
            f"than {framing.window} rows, a window, and take no part: "
            f"{listed(fleet.units[e] for e in short)}"
        )
    # [seed] alone splits training from validation, [seed, 1] draws the signs of a nudge
    draw = np.random.default_rng([seed, 2])
    order, share = draw.permutation(len(chosen)), draw.random(len(chosen))
    testing = round(0.2 * len(chosen))
    test, rest = np.sort(order[:testing]), chosen[np.sort(order[testing:])]
    training, validation = (rest[part] for part in split_engines(len(rest), seed, fold=fold))
    if not len(validation):
        raise DataError(
            f"the table leaves {counted(len(rest), 'unit')} to train and to validate, too few to "
            "take a fifth of them out five times; train without --cross"
        )
    return training, validation, chosen[test], share[test]
