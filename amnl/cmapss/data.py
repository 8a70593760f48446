"""One subset, ready to train."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.errors import DataError, whole_number
from amnl.cmapss.fleet import read
from amnl.cmapss.layout import check_subset
from amnl.cmapss.locate import find
from amnl.cmapss.normaliser import Normaliser
from amnl.cmapss.source import Source
from amnl.cmapss.windowing import WINDOW, Windows, windows


@dataclass(frozen=True)
class Data:
    """One subset, ready to train.

    Attributes
    ----------
    subset
        "FD001" … "FD004".
    seed
        Of the split into training and validation engines.
    stride
        Every so many cycles a training or validation window.
    source
        Where the files came from.
    train, val
        Windows of the training and of the validation engines.
    test
        One window for each test engine: its last cycles.
    normaliser
        Statistics of the training engines.
    """

    subset: str
    seed: int
    stride: int
    source: Source
    train: Windows
    val: Windows
    test: Windows
    normaliser: Normaliser


def split_engines(
    engines: int, seed: int, fraction: float = 0.2, fold: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split engine indices into (training, validation), both sorted.

    Parameters
    ----------
    engines
        How many there are.
    seed
        Of the draw, from 0 on.
    fraction
        Share that validates, from 0 to 1.
    fold
        Which such share of the drawn order it is: folds 0 to 4, a fifth each, validate every engine
        once.

    Raises
    ------
    ValueError
        For a seed or a fold that is no whole number from 0 on, and a fraction outside [0, 1].

    Examples
    --------
    >>> training, validation = split_engines(100, seed=0)
    >>> len(training), len(validation)
    (80, 20)
    """
    seed, fold = whole_number("seed", seed, 0), whole_number("fold", fold, 0)
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must lie in [0, 1], not {fraction}")
    order = np.random.default_rng(seed).permutation(engines)
    first, end = (round(k * fraction * engines) for k in (fold, fold + 1))
    training = np.concatenate([order[:first], order[end:]])
    return np.sort(training), np.sort(order[first:end])


def load(
    subset: str,
    seed: int = 0,
    data_dir: str | Path | Source | None = None,
    *,
    stride: int = 1,
    fold: int = 0,
    download: bool = False,
) -> Data:
    """Load, split by `seed`, normalise and window one subset.

    20 % of the training engines validate; the statistics come from the other 80 %.

    Parameters
    ----------
    subset
        "FD001" … "FD004".
    seed
        Of the split, from 0 on.
    data_dir
        A folder, a zip, or a source that was found; by default as `find` looks.
    stride
        Thins the windows of training and validation; a test engine gives one window.
    fold
        Which fifth of the drawn order validates, from 0 to 4.
    download
        Fetch NASA's files into the cache where they are missing.

    Raises
    ------
    DataError
        As `find` and `read`, and for a fleet too small to give windows to both.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from amnl.cmapss import emulator
    >>> with TemporaryDirectory() as folder:
    ...     fleet = emulator.write_fleet(folder, "FD001", engines=5, test_engines=2)
    ...     data = load("FD001", data_dir=fleet)
    >>> data.test.gather().shape
    (2, 30, 17)
    """
    check_subset(subset)
    seed, stride = whole_number("seed", seed, 0), whole_number("stride", stride, 1)
    if isinstance(data_dir, Source):
        source = data_dir
    else:
        source = find(data_dir, [subset], download=download)
    fleet, test = read(source, subset, "train"), read(source, subset, "test")
    engines = dict(
        zip(("training", "validation"), split_engines(fleet.engines, seed, fold=fold), strict=True)
    )
    normaliser = Normaliser.fit(fleet, engines["training"])
    values = normaliser(fleet)
    parts = {part: windows(fleet, values, of, stride=stride) for part, of in engines.items()}
    for part, found in parts.items():
        if not len(found):
            raise DataError(
                f"{source.folder}: train_{subset}.txt has {fleet.engines} engines, and the "
                f"{len(engines[part])} {part} engines among them (seed {seed}) have no window of "
                f"{WINDOW} cycles. A fifth of the engines validates: it takes 3 of them at least, "
                "and more where lives are short."
            )
    train, val = parts.values()
    tested = windows(test, normaliser(test), last_only=True)
    return Data(subset, seed, stride, source, train, val, tested, normaliser)
