"""Less to learn from: a few of the training engines, in as many steps."""

from dataclasses import replace

import numpy as np

from amnl.cmapss.data import Data
from amnl.cmapss.errors import DataError


def few_engines(data: Data, engines: int) -> Data:
    """The same data with some of the training engines, whose windows repeat.

    An epoch keeps its number of windows, and so of steps. Of one seed, the fewer engines are among
    the more. The statistics of the normaliser stay: they need no engine that has failed.

    Parameters
    ----------
    data
        With all its training engines.
    engines
        How many are kept, at least 1.

    Raises
    ------
    DataError
        For more engines than there are.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from amnl import cmapss
    >>> from amnl.cmapss import emulator
    >>> with TemporaryDirectory() as folder:
    ...     fleet = emulator.write_fleet(folder, "FD001", engines=10, test_engines=2)
    ...     data = cmapss.load("FD001", data_dir=fleet)
    >>> few = few_engines(data, 3)
    >>> len(np.unique(few.train.engine)), len(few.train) == len(data.train)
    (3, True)
    """
    there = np.unique(data.train.engine)
    if not 1 <= engines <= len(there):
        raise DataError(
            f"engines is {engines}; {data.subset} has {len(there)} training engines (seed "
            f"{data.seed}), so it takes 1 to {len(there)}"
        )
    # [seed, 1] draws the signs of a nudge, and `split_engines` draws by the seed alone.
    kept = np.random.default_rng([data.seed, 2]).permutation(there)[:engines]
    windows = np.flatnonzero(np.isin(data.train.engine, kept))
    index = np.resize(windows, len(data.train))
    parts = {
        name: getattr(data.train, name)[index]
        for name in ("last", "rul", "true", "health", "engine")
    }
    return replace(data, train=replace(data.train, **parts))
