"""NASA's C-MAPSS turbofan data: find it or fetch it, verify, parse, normalise, cut into windows.

Data: A. Saxena, K. Goebel, D. Simon, N. Eklund, "Damage Propagation Modeling for Aircraft Engine
Run-to-Failure Simulation", PHM08, Denver, 2008.

The way of the data: a folder of files → `Fleet` (raw rows, engines one after another) →
`Normaliser` (statistics of the training engines alone) → `Windows` (indices into one array).
`load` does all of it for one subset and one seed.
"""

import gzip
import hashlib
import json
import os
import secrets
import tempfile
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SUBSETS = ("FD001", "FD002", "FD003", "FD004")
WINDOW = 30  # cycles
MAX_RUL = 125  # cycles; above it the label is flat (Heimes 2008)
HEALTH_STATES = ("healthy", "degrading", "critical")

SETTINGS = ("altitude", "mach", "tra")  # thousands of feet, Mach number, throttle angle in degrees
SENSORS = (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)  # NASA's numbers of those that vary
FEATURES = tuple(f"s{i}" for i in SENSORS) + SETTINGS  # the 17 inputs of the network, in order

# The six operating conditions of FD002 and FD004; FD001 and FD003 know the first alone.
CONDITIONS = np.array(
    [
        [0.0, 0.0, 100.0],
        [10.0, 0.25, 100.0],
        [20.0, 0.70, 100.0],
        [25.0, 0.62, 60.0],
        [35.0, 0.84, 100.0],
        [42.0, 0.84, 100.0],
    ]
)
_SETTING_SCALE = np.array([10.0, 0.25, 20.0])  # so that no one setting decides the distance

_COLUMNS = 26  # unit, cycle, 3 settings, 21 sensors
_CACHE_VERSION = 1

# SHA-256 of the unpacked files: the bytes of NASA's archive.
SHA256 = {
    "RUL_FD001.txt": "a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca",
    "RUL_FD002.txt": "c851dd96a6ea6998d3c4a8f834d3c8013aa90e93a6ed950dc826ad0655b2906b",
    "RUL_FD003.txt": "df1e0566306b174a2de41c67a3e7a51877889598b78643fc3e5685259091b7cb",
    "RUL_FD004.txt": "196b836b85a95ac7fdbbf29c5fdf1657382eafa445644d114ffaaf50dc2975e1",
    "test_FD001.txt": "3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851",
    "test_FD002.txt": "de7b5bf7e998a985c378488480528b7c02cff1406a46740def362dda8d9b4e02",
    "test_FD003.txt": "299babd63c8d987cef079c4a425429f33b3a34797d803bbe2ad48c29dbd0d790",
    "test_FD004.txt": "1dc675fff0624bac10786927c6715b37d1297657137400d2b1a3138d777a3ba5",
    "train_FD001.txt": "963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8",
    "train_FD002.txt": "dac6c4dbc4e7c1bdeb5747da3d313d05c395bb99801b44a002b26a2ba13d788f",
    "train_FD003.txt": "2abbe9968cc5e8eb091980f51b20f62bb4127336d3482cb52071d53bf23329e2",
    "train_FD004.txt": "27ef6160b6a1dcb2613a88de9c239f763b223f02cdc41dc5cdedc5dc189b6218",
}
_URLS = (
    (
        "https://data.nasa.gov/docs/legacy/CMAPSSData.zip",
        "74bef434a34db25c7bf72e668ea4cd52afe5f2cf8e44367c55a82bfd91a5a34f",
    ),
    (
        "https://phm-datasets.s3.amazonaws.com/NASA/"
        "6.+Turbofan+Engine+Degradation+Simulation+Data+Set.zip",
        "c9c5dec12a945a82e8bb4446589d7fb3cc057b5e5d81fa1a12e25ee9912ad3b2",
    ),
)


_WAY_OUT = (
    "Fetch it again (`amnl data --download`), or point AMNL_DATA_DIR at a folder with NASA's files."
)


class DataError(ValueError):
    """A data file is missing, broken or not what it should be. The message says what to do."""


@dataclass(frozen=True)
class Source:
    """Where the files come from: a folder, and what its bytes are (`nasa` or `emulator`)."""

    folder: Path
    kind: str
    sha256: dict[str, str]
    seed: int | None = None  # of the emulator

    def __str__(self) -> str:
        if self.kind == "emulator":
            return f"emulated fleet, seed {self.seed}"
        digest = hashlib.sha256("".join(sorted(self.sha256.values())).encode()).hexdigest()
        return f"NASA C-MAPSS, {len(self.sha256)} files, checksum {digest[:12]}"


# ---------------------------------------------------------------------------------- find and fetch


def cache_dir() -> Path:
    """The folder for parsed and downloaded files: `AMNL_CACHE_DIR`, or `~/.cache/amnl`."""
    return Path(os.environ.get("AMNL_CACHE_DIR") or Path.home() / ".cache" / "amnl").expanduser()


def find(data_dir: str | Path | None = None, *, download: bool = False) -> Source:
    """Find the twelve files (plain or .gz) and say what they are.

    Looks in `data_dir`, then in `AMNL_DATA_DIR`, then in the cache; then downloads them from NASA
    if `download` is set. A folder that was named but does not hold the files is an error: no other
    data are put in their place. Raises `DataError`. Reads no more than the names; the bytes are
    verified when they are read.
    """
    named = data_dir or os.environ.get("AMNL_DATA_DIR")
    folder = Path(named).expanduser() if named else cache_dir() / "cmapss"
    if not named and download and _missing_files(folder):
        fetch(folder)
    manifest = folder / "emulated.json"
    if manifest.is_file():
        return _emulated(manifest)
    missing = _missing_files(folder)
    if not missing:
        return Source(folder, "nasa", SHA256)
    what = "no C-MAPSS files" if len(missing) == len(SHA256) else f"no {', '.join(missing)}"
    if named and not folder.is_dir():
        found = f"there is no folder {folder}"
    else:
        found = f"{what} in " + (f"the folder {folder}" if named else f"the cache ({folder})")
    raise DataError(
        f"{found}: it should hold train_FD001.txt … RUL_FD004.txt, plain or .gz. Name "
        "a folder that has them (--data-dir, or data_dir=), set AMNL_DATA_DIR to it, or download "
        "them with `amnl data --download`. Without NASA's files, `amnl data --emulate FOLDER` "
        "writes an emulated fleet in the same format."
    )


def _missing_files(folder: Path) -> list[str]:
    stored = ((n, folder / n, folder / f"{n}.gz") for n in SHA256)
    return [name for name, plain, packed in stored if not (plain.is_file() or packed.is_file())]


def _emulated(manifest: Path) -> Source:
    try:
        made = json.loads(manifest.read_text(encoding="utf-8"))
        return Source(manifest.parent, "emulator", dict(made["sha256"]), int(made["seed"]))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{manifest}: not the manifest of an emulated fleet ({error!r}); write the fleet again "
            "with `amnl data --emulate FOLDER`."
        ) from error


def fetch(folder: Path) -> None:
    """Download NASA's archive (12 MB) and unpack its twelve files, each verified, into `folder`.

    Tries NASA's open-data portal, then the PCoE copy. Raises `DataError` when neither can be had.
    """
    import pooch

    _writable(folder)
    problems = []
    for url, sha in _URLS:
        try:
            archive = pooch.retrieve(url, known_hash=f"sha256:{sha}", path=folder, fname="nasa.zip")
            break
        except Exception as error:  # pooch raises whatever requests and urllib3 raise
            problems.append(f"{url}: {error}")
    else:
        raise DataError(
            "could not download C-MAPSS from NASA:\n  "
            + "\n  ".join(problems)
            + "\nFetch CMAPSSData.zip by hand, unpack it, and set AMNL_DATA_DIR to its folder. "
            "Or do without NASA's files: `amnl data --emulate FOLDER`, and DATA=emulate on a page."
        )
    unpack(Path(archive), folder)
    Path(archive).unlink()


def unpack(archive: Path, folder: Path) -> None:
    """Take the twelve files out of NASA's zip (or the zip inside the PCoE zip), each verified."""
    try:
        with zipfile.ZipFile(archive) as outer:
            inner = [n for n in outer.namelist() if n.endswith("CMAPSSData.zip")]
            source = zipfile.ZipFile(BytesIO(outer.read(inner[0]))) if inner else outer
            texts = {Path(n).name: source.read(n) for n in source.namelist()}
    except zipfile.BadZipFile as error:
        raise DataError(f"{archive}: {error}; this is not NASA's CMAPSSData.zip") from error
    for name, expected in SHA256.items():  # all of them, before the first is written
        if name not in texts:
            raise DataError(f"{archive}: no {name} inside; this is not NASA's CMAPSSData.zip")
        _verify(texts[name], name, archive, expected)
    for name in SHA256:
        write_atomically(folder / name, texts[name])


def _verify(text: bytes, name: str, path: Path, expected: str, engines: int | None = None) -> None:
    digest = hashlib.sha256(text).hexdigest()
    if digest == expected:
        return
    where = ""
    try:  # the checksum says that it is broken; the parser may be able to say where
        parse_rul(text, path, engines) if name.startswith("RUL") else parse_rows(text, path)
    except DataError as error:
        where = f" What is wrong: {error}"
    raise DataError(
        f"{path}: the SHA-256 is {digest[:12]}…, {name} should have {expected[:12]}…; the file is "
        f"damaged or is another edition.{where} {_WAY_OUT}"
    )


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataError(
            f"cannot write to the cache {folder}: {error.strerror}. Set AMNL_CACHE_DIR to a folder "
            "that can be written."
        ) from error


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write beside the target, then rename: a reader sees the whole file or none.

    Raises `DataError` when the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # the bytes first, then the name
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}. Make room, or use another folder "
            "(for the cache: AMNL_CACHE_DIR)."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------- parse


@dataclass(frozen=True)
class Fleet:
    """Engines one after another.

    values   (rows, 24) float64: 3 settings, 21 sensors, as NASA wrote them
    offsets  (engines + 1,) int64: engine i has the rows offsets[i] … offsets[i+1] − 1
    end_rul  (engines,) int64: true remaining cycles after each engine's last row (0 in training)
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
        if self.subset in ("FD001", "FD003"):
            return np.zeros(len(self.values), dtype=np.int64)
        settings, centres = self.values[:, :3] / _SETTING_SCALE, CONDITIONS / _SETTING_SCALE
        # |x − c|² without the |x|² that all share
        distance: NDArray[np.float64] = (centres**2).sum(1) - 2 * settings @ centres.T
        nearest: NDArray[np.int64] = distance.argmin(axis=1)
        return nearest

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """(rows, 17) the network's inputs, raw, in the order of `FEATURES`."""
        return self.values[:, [*(2 + s for s in SENSORS), 0, 1, 2]]


def parse_rows(text: bytes, path: Path | str) -> NDArray[np.float64]:
    """Parse a train or test file: (rows, 26) float64.

    Raises `DataError` with the line for anything but 26 finite numbers a line, engines 1, 2, 3, …
    one after another, each with cycles 1, 2, 3, ….
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = pd.read_csv(BytesIO(text), sep=" ", header=None, dtype=np.float64).to_numpy()
    except Exception:  # any failure: the slow reader below finds its line and says it plainly
        table = np.empty((0, 0))
    blanks = table.shape[1] == _COLUMNS + 2 and bool(np.isnan(table[:, _COLUMNS:]).all())
    rows = table[:, :_COLUMNS]
    if not blanks or not np.isfinite(rows).all() or not text.endswith(b"\n"):
        rows = _parse_slowly(text, path)
    _check_order(rows, path)
    return np.ascontiguousarray(rows)


def _parse_slowly(text: bytes, path: Path | str) -> NDArray[np.float64]:
    rows = []
    lines = text.decode("ascii", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if len(fields) != _COLUMNS:
            cut = " (cut off in mid-line?)" if number == len(lines) else ""
            raise DataError(f"{path}, line {number}: {len(fields)} columns, not {_COLUMNS}{cut}.")
        try:
            row = [float(field) for field in fields]
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}.") from None
        if not np.isfinite(row).all():
            column = int(np.flatnonzero(~np.isfinite(row))[0])
            raise DataError(f"{path}, line {number}, column {column + 1}: {fields[column]}.")
        rows.append(row)
    if not rows:
        raise DataError(f"{path}: the file is empty.")
    return np.array(rows)


def _check_order(rows: NDArray[np.float64], path: Path | str) -> None:
    unit, cycle = rows[:, 0], rows[:, 1]
    new = np.r_[True, unit[1:] != unit[:-1]]
    expected_unit = np.cumsum(new)
    start = np.flatnonzero(new)
    expected_cycle = np.arange(len(rows)) - start[expected_unit - 1] + 1
    bad = np.flatnonzero((unit != expected_unit) | (cycle != expected_cycle))
    if len(bad):
        i = int(bad[0])
        raise DataError(
            f"{path}, line {i + 1}: engine {unit[i]:g} cycle {cycle[i]:g} where engine "
            f"{expected_unit[i]} cycle {expected_cycle[i]} was expected; engines must follow one "
            "another, each with its cycles in order."
        )


def parse_rul(text: bytes, path: Path | str, engines: int | None = None) -> NDArray[np.int64]:
    """Parse a RUL file: (engines,) int64, one non-negative integer a line.

    Raises `DataError` with the line, or when there is not one line for each of `engines`.
    """
    values = []
    for number, line in enumerate(text.decode("ascii", errors="replace").splitlines(), start=1):
        if not line.strip().isdigit():
            raise DataError(f"{path}, line {number}: {line.strip()!r} is not a remaining life.")
        values.append(int(line))
    if engines is not None and len(values) != engines:
        raise DataError(
            f"{path}: {len(values)} lines for {engines} test engines; each needs one remaining "
            "life."
        )
    return np.array(values, dtype=np.int64)


def read(source: Source, subset: str, split: str) -> Fleet:
    """Read one fleet (`split` is "train" or "test"), from the cache when its bytes are known.

    The cache is keyed by the SHA-256 of the file as stored, so a changed file is always read anew.
    Raises `DataError` for a missing, damaged or malformed file, and for an unwritable cache.
    """
    check_subset(subset)
    rows = _cached_rows(source, f"{split}_{subset}.txt")
    offsets = np.append(np.flatnonzero(rows[:, 1] == 1), len(rows)).astype(np.int64)
    end_rul = np.zeros(len(offsets) - 1, dtype=np.int64)
    if split == "test":
        name = f"RUL_{subset}.txt"
        path, stored = _stored(source, name)
        text = _unzip(path, stored)
        _verify(text, name, path, _expected(source, name), len(end_rul))
        end_rul = parse_rul(text, path, len(end_rul))
    return Fleet(subset, split, rows[:, 2:], offsets, end_rul)


def check_subset(subset: str) -> None:
    """Raise `DataError` that lists the known subsets when `subset` is none of them."""
    if subset not in SUBSETS:
        raise DataError(f"unknown subset {subset!r}; there are {', '.join(SUBSETS)}")


def _expected(source: Source, name: str) -> str:
    if name not in source.sha256:
        raise DataError(f"{source.folder / 'emulated.json'}: no checksum for {name}")
    return source.sha256[name]


def _stored(source: Source, name: str) -> tuple[Path, bytes]:
    for path in (source.folder / name, source.folder / f"{name}.gz"):
        if path.is_file():
            return path, path.read_bytes()
    raise DataError(f"{source.folder}: neither {name} nor {name}.gz is there. {_WAY_OUT}")


def _unzip(path: Path, stored: bytes) -> bytes:
    if path.suffix != ".gz":
        return stored
    try:
        return gzip.decompress(stored)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a whole gzip file ({error}). {_WAY_OUT}") from error


def raw_bytes(source: Source, name: str) -> bytes:
    """The text of one of the twelve files, unpacked. Raises `DataError` when it is not there."""
    return _unzip(*_stored(source, name))


def _cached_rows(source: Source, name: str) -> NDArray[np.float64]:
    path, stored = _stored(source, name)
    expected = _expected(source, name)
    key = hashlib.sha256(stored + f"{expected} {_CACHE_VERSION}".encode()).hexdigest()[:24]
    cached = cache_dir() / f"{Path(name).stem}-{key}.npy"
    if cached.is_file():
        try:
            return np.load(cached, mmap_mode="r")  # type: ignore[no-any-return]
        except (ValueError, OSError, EOFError):
            pass  # a damaged cache entry is written again below
    _writable(cache_dir())
    text = _unzip(path, stored)
    _verify(text, name, path, expected)
    rows = parse_rows(text, path)
    buffer = BytesIO()
    np.save(buffer, rows)
    write_atomically(cached, buffer.getbuffer())
    return rows


# --------------------------------------------------------------------------------------- normalise


def split_engines(
    engines: int, seed: int, fraction: float = 0.2
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split engine indices into (training, validation), both sorted; `fraction` validates."""
    order = np.random.default_rng(seed).permutation(engines)
    held = round(fraction * engines)
    return np.sort(order[held:]), np.sort(order[:held])


@dataclass(frozen=True)
class Normaliser:
    """Per-condition z-scores for sensors, overall z-scores for settings.

    mean, std  (6, 17) float64; a condition that the training engines never met keeps mean 0, std 1
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def fit(cls, fleet: Fleet, engines: NDArray[np.int64]) -> "Normaliser":
        """Statistics of these engines alone: pass training engines, never validation or test."""
        rows = np.isin(fleet.engine, engines)
        values, condition = fleet.features[rows], fleet.condition[rows]
        mean, std = np.zeros((6, 17)), np.ones((6, 17))
        for c in np.unique(condition):
            inside = values[condition == c]
            mean[c], std[c] = inside.mean(0), inside.std(0)
        n = len(SENSORS)
        mean[:, n:], std[:, n:] = values[:, n:].mean(0), values[:, n:].std(0)
        # A column that is constant but for rounding would blow its noise up to unit size.
        std = np.where(std > 1e-6 * np.maximum(1.0, np.abs(mean)), std, 1.0)
        return cls(mean, std)

    def __call__(self, fleet: Fleet) -> NDArray[np.float32]:
        """(rows, 17) float32 of the whole fleet."""
        out = np.empty(fleet.features.shape, dtype=np.float32)
        for c in range(len(CONDITIONS)):
            rows = fleet.condition == c
            if rows.any():
                out[rows] = (fleet.features[rows] - self.mean[c]) / self.std[c]
        return out


# ----------------------------------------------------------------------------------------- windows


def health_state(rul: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.int64]:
    """0 healthy (RUL > 80), 1 degrading (30 < RUL ≤ 80), 2 critical (RUL ≤ 30)."""
    return (np.asarray(rul) <= 80).astype(np.int64) + (np.asarray(rul) <= 30)


@dataclass(frozen=True)
class Windows:
    """Windows of 30 cycles as indices: window i is values[last[i] − 29 … last[i]].

    values  (rows, 17) float32, shared by all windows; nothing is copied
    last    (n,) int64 row of each window's last cycle
    rul     (n,) float32 capped remaining life at that cycle (cycles)
    true    (n,) float32 the same, not capped
    health  (n,) int64 class of the capped RUL
    engine  (n,) int64 index of the engine in its file, from 0
    """

    values: NDArray[np.float32]
    last: NDArray[np.int64]
    rul: NDArray[np.float32]
    true: NDArray[np.float32]
    health: NDArray[np.int64]
    engine: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.last)

    def gather(self, index: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float32]:
        """(len(index), 30, 17) copies of the chosen windows."""
        rows = self.last[index, None] + np.arange(1 - WINDOW, 1)
        chosen: NDArray[np.float32] = self.values[rows]
        return chosen


def windows(
    fleet: Fleet,
    values: NDArray[np.float32],
    engines: NDArray[np.int64] | None = None,
    *,
    stride: int = 1,
    last_only: bool = False,
) -> Windows:
    """Every window of these engines (all by default), or only each engine's last.

    An engine shorter than 30 cycles gets no training window; with `last_only` it is padded on the
    left with its first row, so that every test engine is scored. With a stride, windows are counted
    back from an engine's last cycle. Raises `ValueError` for a stride below 1.
    """
    if stride < 1:
        raise ValueError(f"stride must be 1 or more cycles, not {stride}")
    chosen = np.arange(fleet.engines) if engines is None else engines
    if last_only:
        short = chosen[fleet.lengths[chosen] < WINDOW]
        pads = np.zeros(fleet.engines, dtype=np.int64)
        pads[short] = WINDOW - fleet.lengths[short]
        values = np.repeat(values, _first_row_repeats(fleet, pads), axis=0)
        row = fleet.offsets[chosen + 1] - 1
        last = row + np.cumsum(pads)[chosen]
    else:
        left = fleet.offsets[fleet.engine + 1] - 1 - np.arange(len(fleet.engine))
        keep = (fleet.cycle >= WINDOW) & (left % stride == 0) & np.isin(fleet.engine, chosen)
        row = last = np.flatnonzero(keep)
    true = fleet.rul[row].astype(np.float32)
    rul = np.minimum(true, np.float32(MAX_RUL))
    return Windows(values, last, rul, true, health_state(rul), fleet.engine[row])


def _first_row_repeats(fleet: Fleet, pads: NDArray[np.int64]) -> NDArray[np.int64]:
    repeats = np.ones(len(fleet.values), dtype=np.int64)
    repeats[fleet.offsets[:-1]] += pads
    return repeats


@dataclass(frozen=True)
class Data:
    """One subset, ready to train: windows of training and validation engines, split by `seed`, and
    one window per test engine (its last cycle)."""

    subset: str
    seed: int
    stride: int
    source: Source
    train: Windows
    val: Windows
    test: Windows
    normaliser: Normaliser


def load(
    subset: str,
    seed: int = 0,
    data_dir: str | Path | Source | None = None,
    *,
    stride: int = 1,
    download: bool = False,
) -> Data:
    """Load, split by `seed`, normalise and window one subset.

    20 % of the training engines validate; the statistics come from the other 80 %. `stride` thins
    the windows of both; a test engine gives one window. Raises `DataError` (see `find`, `read`).
    """
    check_subset(subset)
    source = data_dir if isinstance(data_dir, Source) else find(data_dir, download=download)
    fleet, test = read(source, subset, "train"), read(source, subset, "test")
    fit, held = split_engines(fleet.engines, seed)
    normaliser = Normaliser.fit(fleet, fit)
    values = normaliser(fleet)
    return Data(
        subset,
        seed,
        stride,
        source,
        train=windows(fleet, values, fit, stride=stride),
        val=windows(fleet, values, held, stride=stride),
        test=windows(test, normaliser(test), last_only=True),
        normaliser=normaliser,
    )
