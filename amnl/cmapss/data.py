"""One subset, ready to train."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.errors import DataError, whole_number
from amnl.cmapss.fleet import read
from amnl.cmapss.layout import FEATURES, OWN, check_subset
from amnl.cmapss.locate import find
from amnl.cmapss.normaliser import Normaliser
from amnl.cmapss.own_fleet import OwnFleet
from amnl.cmapss.source import Source
from amnl.cmapss.windowing import Framing, Windows, windows

Place = str | Path | Source | OwnFleet  # where data are: a folder, a zip, or what was found or read


@dataclass(frozen=True)
class Data:
    """One subset, ready to train.

    Attributes
    ----------
    subset
        "FD001" … "FD004"; "own" of a fleet of a reader's own.
    seed
        Of the split into training and validation engines.
    stride
        Every so many cycles a training or validation window.
    source
        Where the files came from, or the reader's fleet.
    train, val
        Windows of the training and of the validation engines.
    test
        One window for each test engine: its last cycles.
    normaliser
        Statistics of the training engines.
    framing
        Length of a window, cap, and bounds of the health states.
    names
        The network's inputs, in order.
    units
        Names of the test engines, where they have some.
    """

    subset: str
    seed: int
    stride: int
    source: Source | OwnFleet
    train: Windows
    val: Windows
    test: Windows
    normaliser: Normaliser
    framing: Framing = field(default_factory=Framing)
    names: tuple[str, ...] = FEATURES
    units: tuple[str, ...] = ()


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
    data_dir: Place | None = None,
    *,
    stride: int = 1,
    framing: Framing = Framing(),  # noqa: B008 (frozen)
    fold: int = 0,
    download: bool = False,
) -> Data:
    """Load, split by `seed`, normalise and window one subset.

    20 % of the training engines validate; the statistics come from the other 80 %.

    Parameters
    ----------
    subset
        "FD001" … "FD004"; "own" with a fleet of your own.
    seed
        Of the split, from 0 on.
    data_dir
        A folder, a zip, or a source that was found; by default as `find` looks. Or a fleet of your
        own: a fifth of its units tests, each cut off at a moment that the seed draws.
    stride
        Thins the windows of training and validation; a test engine gives one window.
    framing
        Length of a window, cap, and bounds of the health states.
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
    seed, stride = whole_number("seed", seed, 0), whole_number("stride", stride, 1)
    source = source_of(data_dir, [subset], download=download)
    if isinstance(source, OwnFleet):
        from amnl.cmapss.own_data import own_data

        return own_data(source, seed, stride, framing, fold)
    fleet, test = read(source, subset, "train"), read(source, subset, "test")
    engines = dict(
        zip(("training", "validation"), split_engines(fleet.engines, seed, fold=fold), strict=True)
    )
    normaliser = Normaliser.fit(fleet, engines["training"])
    values = normaliser(fleet)
    parts = {
        part: windows(fleet, values, of, stride=stride, framing=framing)
        for part, of in engines.items()
    }
    for part, found in parts.items():
        if not len(found):
            raise DataError(
                f"{source.folder}: train_{subset}.txt has {fleet.engines} engines, and the "
                f"{len(engines[part])} {part} engines among them (seed {seed}) have no window of "
                f"{framing.window} cycles. A fifth of the engines validates: it takes 3 of them at "
                "least, and more where lives are short."
            )
    train, val = parts.values()
    tested = windows(test, normaliser(test), last_only=True, framing=framing)
    return Data(subset, seed, stride, source, train, val, tested, normaliser, framing)


def source_of(
    place: Place | None, subsets: Collection[str] = (), *, download: bool = False
) -> Source | OwnFleet:
    """What `find` finds, or the fleet or source itself that is there already.

    Raises
    ------
    DataError
        As `find` does, and for a fleet of the reader's own in the place of one of NASA's subsets,
        or the other way round.
    """
    if isinstance(place, OwnFleet):
        if others := set(subsets) - {OWN}:
            raise DataError(
                f"a fleet of your own is no {min(others)}; its subset is {OWN!r}: "
                f"TrainConfig(subset={OWN!r})"
            )
        return place
    if OWN in subsets:
        raise DataError(
            f"the subset {OWN!r} is a fleet of your own: read it with Fleet.from_frame and give it "
            "in the place of data_dir (amnl train --fleet FILE)"
        )
    for subset in subsets:
        check_subset(subset)
    return place if isinstance(place, Source) else find(place, subsets, download=download)
