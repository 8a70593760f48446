"""Emulated engine fleets in NASA's C-MAPSS file format: the data for a machine without NASA's.

Every reading is a mean of its operating condition, an engine's own level, and noise:

    reading = mean[c,s] + noise[c,s] · (level + ε)
    level = new[c,s] + (end[c,s] − new[c,s]) · exp(−rul / tau)

for condition c and sensor s. An engine draws its fault mode (HPC, or fan), its life, the pace `tau`
of its damage and its levels `new` and `end` (at delivery and at failure) together, from a normal
distribution with a few factors. Damage that grows exponentially to a fixed threshold is how
A. Saxena, K. Goebel, D. Simon, N. Eklund made the real data ("Damage Propagation Modeling for
Aircraft Engine Run-to-Failure Simulation", PHM08, Denver, 2008). The numbers are in
`emulator.json`, which `tools/data/calibrate_emulator.py` measured on NASA's training files.

What is not here: the noisier regime in which a quarter of FD003's fan engines start their lives
(speeds s8 and s13), spreads between engines that are not normal (core speed s9 and s14 at failure),
noise that two sensors share (a correlation below 0.1 in FD001), and any physics.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.errors import DataError, whole_number
from amnl.cmapss.layout import MANIFEST, SUBSETS, check_subset, file_names
from amnl.cmapss.nasa_edition import SHA256
from amnl.files import FileError, write_atomically

_FORMAT = "%d %d %.4f %.4f %.1f "  # engine, cycle, settings; then 21 sensors, and a trailing blank


class Conditions(TypedDict):
    """Operating conditions of a subset: a row each, but for `mach`."""

    share: list[float]  # of the cycles
    settings: list[list[float]]  # (conditions, 3) nominal
    altitude: list[list[float]]  # (conditions, 2) range; mean and deviation where there is only one
    mach: float  # half the range
    mean: list[list[float]]  # (conditions, 21) of the sensors
    noise: list[list[float]]  # (conditions, 21) deviation of the sensors


class Mode(TypedDict):
    """A fault mode: log life, log tau and the levels are mean + score · factors, score normal."""

    engines: int  # NASA's training engines that fail so
    life_shift: float  # cycles, added to the drawn life
    mean: list[float]  # (p,)
    factors: list[list[float]]  # (f, p)


class Subset(TypedDict):
    """What was measured of one subset."""

    engines: list[int]  # training, test
    seen_from: float  # the least share of a test engine's life
    conditions: Conditions
    modes: dict[str, Mode]


class Table(TypedDict):
    """The calibration."""

    about: str
    emulator: int  # version
    decimals: list[int]  # (21,) of the sensors, as NASA prints them
    subsets: dict[str, Subset]


class Manifest(TypedDict):
    """What lies beside emulated files and says so."""

    emulator: int  # version of the table
    seed: int
    subsets: dict[str, dict[str, int]]  # engines and test_engines of each
    sha256: dict[str, str]  # of each file


@cache
def table() -> Table:
    """The calibration: `emulator.json` as it stands in the package."""
    text = files("amnl.cmapss").joinpath("emulator.json").read_text(encoding="utf-8")
    result: Table = json.loads(text)
    return result


def write_fleet(
    folder: str | Path,
    subset: str = "FD001",
    seed: int = 0,
    engines: int | None = None,
    test_engines: int | None = None,
) -> Path:
    """Write the three files of a subset and the manifest `emulated.json` into a folder.

    The same seed gives the same bytes (on one NumPy version). Several subsets of one seed may share
    a folder.

    Parameters
    ----------
    folder
        Made where it is missing.
    subset
        "FD001" … "FD004".
    seed
        From 0 on.
    engines, test_engines
        How many; NASA's counts unless given.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        For an unknown subset, fewer than one engine, a negative seed, and a folder that holds files
        which are not this emulator's with this seed.
    FileError
        When the folder cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     fleet = write_fleet(folder, "FD001", engines=2, test_engines=1)
    ...     sorted(path.name for path in fleet.iterdir())
    ['RUL_FD001.txt', 'emulated.json', 'test_FD001.txt', 'train_FD001.txt']
    """
    check_subset(subset)
    nasas = table()["subsets"][subset]["engines"]
    given = {"engines": engines, "test_engines": test_engines}
    sizes = {
        name: whole_number(name, default if count is None else count, 1)
        for (name, count), default in zip(given.items(), nasas, strict=True)
    }
    seed = whole_number("seed", seed, 0)
    folder = Path(folder).expanduser()
    _manifest(folder, [subset], seed)
    # NumPy takes [seed, 0, 0] for [seed], the stream that splits FD001's engines. Its first draw
    # here orders engines of one fault mode, so nothing; another stream would be another fleet.
    draw, test_draw = (np.random.default_rng([seed, SUBSETS.index(subset), i]) for i in (0, 1))
    train, _ = _fleet(subset, draw, sizes["engines"])
    test, rul = _fleet(subset, test_draw, sizes["test_engines"], cut=True)
    texts = {
        f"train_{subset}.txt": _text(train),
        f"test_{subset}.txt": _text(test),
        f"RUL_{subset}.txt": "".join(f"{r} \n" for r in rul).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            manifest = _manifest(folder, [subset], seed)  # again: others may have come meanwhile
            manifest["subsets"][subset] = sizes
            manifest["sha256"] |= {n: hashlib.sha256(t).hexdigest() for n, t in texts.items()}
            summary = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
            # The manifest first: a fleet that is cut off here can be written again.
            for name, text in {MANIFEST: summary, **texts}.items():
                write_atomically(folder / name, text)
    except OSError as error:
        raise FileError(f"cannot write to {folder}: {error.strerror or error}") from error
    return folder


def write_all(folder: str | Path, seed: int = 0) -> Path:
    """Write all four subsets, of NASA's sizes, and return the folder.

    Raises as `write_fleet`, before it writes anything where a file is in the way.
    """
    seed = whole_number("seed", seed, 0)
    folder = Path(folder).expanduser()
    _manifest(folder, SUBSETS, seed)
    for subset in SUBSETS:
        write_fleet(folder, subset, seed)
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time: another's sums would be lost. (Windows has no such lock, nor have some
    network drives.)"""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which gives it back


def _manifest(folder: Path, subsets: Collection[str], seed: int) -> Manifest:
    """The folder's manifest, or a fresh one. Refuses to mix fleets or to overwrite other data."""
    version = table()["emulator"]
    found: Manifest = {"emulator": version, "seed": seed, "subsets": {}, "sha256": {}}
    path = folder / MANIFEST
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            theirs = f"emulator {found['emulator']}, seed {found['seed']}"
            if not isinstance(found["sha256"], dict) or not isinstance(found["subsets"], dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{path} is not a manifest of this emulator; delete the file") from None
        ours = f"emulator {version}, seed {seed}"
        if theirs != ours:
            raise DataError(
                f"{folder} holds the fleet of {theirs}, not of {ours}; name another folder, or "
                "delete it"
            )
    # as they are found when they are read: TRAIN_FD001.TXT, too
    names = {name.lower(): name for subset in subsets for name in file_names(subset)}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = names.get(file.name.lower().removesuffix(".gz"))
        if name and (
            name not in found["sha256"]
            or hashlib.sha256(file.read_bytes()).hexdigest() in SHA256.values()
        ):
            raise DataError(
                f"{file} is there and no {MANIFEST} says that it is emulated; it will "
                "not be overwritten: name another folder"
            )
    return found


def _draw_engines(
    subset: str, rng: np.random.Generator, engines: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Lives (engines,) in cycles, tau (engines,) and levels (engines, 2, conditions, 21).

    Fault modes come in the proportion of NASA's training engines, in random order.
    """
    modes = list(table()["subsets"][subset]["modes"].values())
    ends = np.cumsum([m["engines"] for m in modes])
    split = np.round(engines * ends / ends[-1])
    mode = rng.permutation(np.searchsorted(split, np.arange(engines), side="right"))
    factors, means = (np.array([m[key] for m in modes]) for key in ("factors", "mean"))
    score = rng.standard_normal((engines, factors.shape[1]))
    drawn = means[mode] + np.einsum("ef,efp->ep", score, factors[mode])
    shift = np.array([m["life_shift"] for m in modes])[mode]
    life = np.round(shift + np.exp(drawn[:, 0])).astype(np.int64)
    return life, life * np.exp(drawn[:, 1]), drawn[:, 2:].reshape(engines, 2, -1, 21)


def _fleet(
    subset: str, rng: np.random.Generator, engines: int, *, cut: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rows (n, 26) of a fleet and each engine's remaining life after its last row.

    With `cut`, an engine is seen for a share of its life that is uniform up to all but a cycle.
    """
    entry = table()["subsets"][subset]
    life, tau, levels = _draw_engines(subset, rng, engines)
    share = rng.uniform(entry["seen_from"], 1, engines) if cut else np.ones(engines)
    seen = (share * life).astype(np.int64)  # rounds down: a cut engine never reaches its end
    engine = np.repeat(np.arange(engines), seen)
    cycle = np.arange(len(engine)) - np.repeat(np.cumsum(seen) - seen, seen) + 1

    conditions: dict[str, NDArray[np.float64]]
    conditions = {key: np.array(value) for key, value in entry["conditions"].items()}
    shares = conditions["share"] / conditions["share"].sum()
    condition = rng.choice(len(shares), size=len(engine), p=shares)
    growth = np.exp((cycle - life[engine]) / tau[engine])[:, None]
    new, end = levels[engine, 0, condition], levels[engine, 1, condition]
    deviation = new + (end - new) * growth + rng.standard_normal((len(engine), 21))
    sensors = conditions["mean"][condition] + conditions["noise"][condition] * deviation
    settings = conditions["settings"][condition] + _jitter(conditions, condition, rng)
    return np.column_stack([engine + 1, cycle, settings, sensors]), life - seen


def _jitter(
    conditions: dict[str, NDArray[np.float64]],
    condition: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(n, 3) wander of altitude, Mach number and throttle (none) about their nominal values."""
    low, high = conditions["altitude"][condition].T
    half = float(conditions["mach"])
    mach = rng.uniform(-half, half, len(condition))
    if len(conditions["share"]) == 1:
        altitude = rng.normal(low, high)  # the table gives its mean and deviation
    else:
        altitude, mach = rng.uniform(low, high), np.maximum(mach, 0)
    return np.column_stack([altitude, mach, np.zeros(len(condition))])


def _text(rows: NDArray[np.float64]) -> bytes:
    """Rows in NASA's format: 26 numbers between single blanks, two blanks at the end."""
    form = _FORMAT + " ".join(f"%.{d}f" for d in table()["decimals"]) + "  \n"
    return "".join([form % tuple(row) for row in rows.tolist()]).encode()
