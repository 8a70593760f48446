"""NASA's C-MAPSS turbofan data: find it or fetch it, verify, parse, normalise, cut into windows.

Data: A. Saxena, K. Goebel, D. Simon, N. Eklund, "Damage Propagation Modeling for Aircraft Engine
Run-to-Failure Simulation", PHM08, Denver, 2008.

The way of the data: a folder or zip of files → `Fleet` (raw rows, engines one after another) →
`Normaliser` (statistics of the training engines alone) → `Windows` (indices into one array).
`load` does all of it for one subset and one seed.
"""

import codecs
import gzip
import hashlib
import json
import logging
import operator
import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amnl.files import write_atomically

SUBSETS = ("FD001", "FD002", "FD003", "FD004")
WINDOW = 30  # cycles
MAX_RUL = 125  # cycles; above it the label is flat (Heimes 2008)
HEALTH_STATES = ("healthy", "degrading", "critical")
TWO_FAULTS = ("FD003", "FD004")  # where an engine fails by its compressor or by its fan

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
# SHA-256 of the numbers in them (`number_digest`): other bytes may spell the same numbers.
NUMBERS = {
    "RUL_FD001.txt": "da1da25e3a16a0b5cda952e87d2b64f6ac224823fd88e095722dd068bb2f7201",
    "RUL_FD002.txt": "e5e8e0069fc0aa0e0544b22ec216d52997cf7345678462d2b1561a333bdc49d8",
    "RUL_FD003.txt": "46598577b9a0dc6874494cc6f3de1b7a38e4ea5e891fccc7361eff868f654798",
    "RUL_FD004.txt": "6e27c1b1fad7533019231a0ad8f07cd9bd429c5f7c0ce0bcfb0119af80d4bdfc",
    "test_FD001.txt": "436ddff6b99222acb18cf4b75b99cd9d57f0dfe8ecbce6166a5dd530e3729d71",
    "test_FD002.txt": "3371b3dc983f564fc72990fbf2dc421457d0239ea62ccd0feae7d40ae48737cf",
    "test_FD003.txt": "dd53d4f7d08a52e72dfa46300d8e2cdb64dd1700a36f5eb7e9b6a877c6132194",
    "test_FD004.txt": "c75136adc639d928a45fbfd245dec0aa60cc3c9d8dd3478e29791764c96dae5a",
    "train_FD001.txt": "0ed0b9cecf53e5eeb3ef3c8bf9ec8b561547326ba3204c252d76740c4f57a903",
    "train_FD002.txt": "19e94fc33226d7104a13fb23023ce8dc75b0d8fb60d48dcb1812d42546b8d93e",
    "train_FD003.txt": "5977b0c9cc0681f8095f8909fea666bea11a0cbf25041bb8645a9d328eb6ef73",
    "train_FD004.txt": "db86548013901a4fa234c9e45a8f1a398e89fa411e57024e10a2c4830e1c283b",
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
_MANIFEST = "emulated.json"
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)  # the last: a password, …

File = Path | zipfile.Path

# What is no error and yet worth a line. The command line shows it; pages stay as they are.
_log = logging.getLogger("amnl")
_log.addHandler(logging.NullHandler())


class DataError(ValueError):
    """A data file is missing, broken or not what it should be. The message says what to do."""


@dataclass(frozen=True)
class Source:
    """Where the files come from, and what their bytes are.

    folder   absolute path of the folder, or of the zip
    kind     "nasa" or "emulator"
    sha256   checksum of each file; NASA's are always all twelve, so that the name of a record does
             not depend on which other subsets lie in the folder
    seed     of the emulator
    subsets  those whose three files are there

    Its `str` is the identity of the data: records and checkpoints go by it. An emulated fleet is
    known by the bytes of all its subsets in the folder, not by its seed alone, which also makes
    fleets of other sizes. So a subset that is added to the folder makes another source of it, and
    what was trained before is trained anew.
    """

    folder: Path
    kind: str
    sha256: dict[str, str]
    seed: int | None = None
    subsets: tuple[str, ...] = SUBSETS

    def __str__(self) -> str:
        if self.kind == "emulator":
            names = [name for subset in self.subsets for name in file_names(subset)]
            digest = hashlib.sha256("".join(f"{n} {self.sha256[n]}\n" for n in names).encode())
            what = f"emulated fleet, seed {self.seed}, {len(names)} files"
            return f"{what}, checksum {digest.hexdigest()[:12]}"
        digest = hashlib.sha256("".join(sorted(self.sha256.values())).encode())
        return f"NASA C-MAPSS, {len(self.sha256)} files, checksum {digest.hexdigest()[:12]}"

    @property
    def way_out(self) -> str:
        """What to do about a file of this source that cannot be used."""
        if self.kind == "emulator":
            return "Write the fleet again with `amnl data --emulate FOLDER`."
        return _WAY_OUT


@cache
def _note(line: str) -> None:
    """Say it once in a process."""
    _log.warning(line)


# ---------------------------------------------------------------------------------- find and fetch


def _absolute(path: str | Path) -> Path:
    """The same path from any working directory, `~` expanded. Raises `DataError` for `~nobody`."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise DataError(f"{path}: {error} Write the whole path.") from error


def cache_dir() -> Path:
    """The folder for parsed and downloaded files: `AMNL_CACHE_DIR`, or `~/.cache/amnl`."""
    return _absolute(os.environ.get("AMNL_CACHE_DIR") or "~/.cache/amnl")


def file_names(subset: str) -> tuple[str, str, str]:
    """The three files of a subset."""
    return f"train_{subset}.txt", f"test_{subset}.txt", f"RUL_{subset}.txt"


def find(
    data_dir: str | Path | None = None, subsets: Collection[str] = (), *, download: bool = False
) -> Source:
    """Find the files, plain or .gz, in a folder or a zip, and say what they are.

    Looks in `data_dir`, then in `AMNL_DATA_DIR`, then in the cache. The files of `subsets` must be
    there; when none is named, those of any subset. With `download`, what the cache lacks or holds
    damaged is fetched from NASA. A folder that was named but does not hold the files is an error:
    no other data are put in their place. Raises `DataError`. Reads no more than the names, the
    cache's files with `download` excepted; the bytes are verified when they are read.
    """
    for subset in subsets:
        check_subset(subset)
    variable = os.environ.get("AMNL_DATA_DIR")
    named = data_dir or variable
    place = _absolute(named) if named else cache_dir() / "cmapss"
    if download and not named and not _is_whole(place, subsets or SUBSETS):
        fetch(place)
    found = _files(place)
    if _MANIFEST in found:
        source = _emulated(place, found)
    else:
        source = Source(place, "nasa", SHA256, subsets=_complete(found, SHA256))
    if set(subsets) <= set(source.subsets) and (source.subsets or _MANIFEST in found):
        return source

    wanted = [name for s in SUBSETS if s in (subsets or SUBSETS) for name in file_names(s)]
    for name in wanted:
        if name in found:
            _expected(source, name)
    kind = "zip" if place.suffix.lower() == ".zip" else "folder"
    missing = [name for name in wanted if name not in found]
    what = f"no {', '.join(missing) if found else 'C-MAPSS files'} in "
    what += f"the {kind} {place}" if named else f"the cache ({place})"
    if named and not place.exists():
        what = f"there is no {kind} {place}"
    if variable and not data_dir:
        what += ", which AMNL_DATA_DIR names"
    holds = "it should hold train_FD001.txt … RUL_FD004.txt, plain or .gz."
    if source.subsets:
        holds = f"it holds {', '.join(source.subsets)} alone."
    if download and named:
        holds += f" {obeyed(data_dir)}"
    raise DataError(
        f"{what}: {holds} Name a folder or a zip that has them (--data-dir, or data_dir=), set "
        "AMNL_DATA_DIR to it, or download them with `amnl data --download`. Without NASA's files, "
        "`amnl data --emulate FOLDER` writes an emulated fleet in the same format."
    )


def obeyed(data_dir: str | Path | None) -> str:
    """What to say where a folder is named and a download is asked for."""
    what, way = ("The folder", "") if data_dir else ("AMNL_DATA_DIR", "; unset it to download")
    return (
        f"{what} was obeyed, and nothing was downloaded: --download fills the cache, which is for "
        f"when no folder is named{way}."
    )


def _complete(found: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    return tuple(s for s in SUBSETS if all(n in found and n in known for n in file_names(s)))


def _is_whole(place: Path, subsets: Collection[str]) -> bool:
    """Whether the cache holds these subsets, verified; or an emulated fleet, put there by hand."""
    source = Source(place, "nasa", SHA256)
    try:
        if _MANIFEST in _files(place):
            return True
        for subset in subsets:
            for name in file_names(subset):
                _verify(source, name, *_text(source, name))
    except DataError:
        return False
    return True


def _files(place: Path) -> dict[str, File]:
    """The data files and the manifest in a folder or a zip, by NASA's names for them.

    A plain file goes before a .gz, and NASA's spelling before TRAIN_FD001.TXT.
    """
    known = (*SHA256, _MANIFEST)
    spelt = {spelling.lower(): name for name in known for spelling in (name, f"{name}.gz")}
    exact = {*known, *(f"{name}.gz" for name in known)}
    found: dict[str, File] = {}
    try:
        ours = [file for file in _entries(place) if file.name.lower() in spelt and file.is_file()]
        for file in sorted(ours, key=lambda f: (_is_packed(f), f.name not in exact, str(f))):
            found.setdefault(spelt[file.name.lower()], file)
    except FileNotFoundError:
        return {}
    except NotADirectoryError:
        raise DataError(
            f"{place} is no folder and no whole zip. Name the folder of NASA's files, or "
            "CMAPSSData.zip."
        ) from None
    except _BROKEN_ZIP as error:
        raise DataError(f"{place}: a broken zip ({error}). {_WAY_OUT}") from error
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror or error}.") from error
    return found


def _entries(place: Path) -> Iterator[File]:
    if not place.is_file():
        yield from place.iterdir()
    elif zipfile.is_zipfile(place):
        yield from _members(zipfile.ZipFile(place))
    else:
        raise NotADirectoryError


def _members(archive: zipfile.ZipFile) -> Iterator[zipfile.Path]:
    """What is in a zip, in any folder of it, and in the CMAPSSData.zip that PCoE's zip holds."""
    for name in archive.namelist():
        member = zipfile.Path(archive, name)
        if member.name.lower() == "cmapssdata.zip":
            inner = zipfile.ZipFile(BytesIO(member.read_bytes()))
            inner.filename = str(member)  # for messages
            yield from _members(inner)
        else:
            yield member


def _is_packed(file: File) -> bool:
    return file.name.lower().endswith(".gz")


def _emulated(place: Path, found: dict[str, File]) -> Source:
    manifest = found[_MANIFEST]
    try:
        made = json.loads(manifest.read_text(encoding="utf-8"))
        sums = dict(made["sha256"])
        return Source(place, "emulator", sums, int(made["seed"]), _complete(found, sums))
    except (ValueError, KeyError, TypeError, OSError, *_BROKEN_ZIP) as error:
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
    # A folder of its own: another process may be fetching too.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        problems = []
        for url, sha in _URLS:
            try:
                archive = pooch.retrieve(
                    url, known_hash=f"sha256:{sha}", path=scratch, fname="nasa.zip"
                )
                break
            except Exception as error:  # pooch raises whatever requests and urllib3 raise
                problems.append(f"{url}: {error}")
        else:
            raise DataError(
                "could not download C-MAPSS from NASA:\n  "
                + "\n  ".join(problems)
                + "\nFetch CMAPSSData.zip by hand and set AMNL_DATA_DIR to it. Or do without "
                "NASA's files: `amnl data --emulate FOLDER`, and DATA=emulate on a page."
            )
        unpack(Path(archive), folder)


def unpack(archive: Path, folder: Path) -> None:
    """Take the twelve files out of NASA's zip (or the zip inside the PCoE zip), each verified."""
    found, texts = _files(archive), {}
    for name, expected in SHA256.items():  # all of them, before the first is written
        if name not in found:
            raise DataError(f"{archive}: no {name} inside; this is not NASA's CMAPSSData.zip")
        texts[name] = _read(found[name])
        if hashlib.sha256(texts[name]).hexdigest() != expected:
            raise DataError(f"{archive}: {name} inside is not NASA's, its SHA-256 differs")
    for name, text in texts.items():
        write_atomically(folder / name, text)


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


def parse_rows(text: bytes, path: File | str) -> NDArray[np.float64]:
    """Parse a train or test file: (rows, 26) float64.

    Raises `DataError` with the line for anything but 26 finite numbers a line, engines 1, 2, 3, …
    one after another, each with cycles 1, 2, 3, ….
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = pd.read_csv(
                BytesIO(text), sep=" ", header=None, dtype=np.float64, skip_blank_lines=False
            ).to_numpy()
    except Exception:  # any failure: the slow reader below finds its line and says it plainly
        table = np.empty((0, 0))
    blanks = table.shape[1] == _COLUMNS + 2 and bool(np.isnan(table[:, _COLUMNS:]).all())
    rows = table[:, :_COLUMNS]
    if not blanks or not np.isfinite(rows).all() or not text.endswith(b"\n"):
        rows = _parse_slowly(text, path)
    _check_order(rows, path)
    return np.ascontiguousarray(rows)


def _lines(text: bytes) -> list[str]:
    """Lines of ASCII, or of what an editor with a byte-order mark saves; none blank at the end."""
    marked = text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoded = text.decode("utf-16" if marked else "utf-8-sig", errors="replace")
    return decoded.rstrip().splitlines()


def _parse_slowly(text: bytes, path: File | str) -> NDArray[np.float64]:
    rows = []
    lines = _lines(text)
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


def _check_order(rows: NDArray[np.float64], path: File | str) -> None:
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


def parse_rul(text: bytes, path: File | str, engines: int | None = None) -> NDArray[np.int64]:
    """Parse a RUL file: (engines,) int64, one non-negative whole number a line.

    Raises `DataError` with the line, or when there is not one line for each of `engines`.
    """
    values = []
    for number, line in enumerate(_lines(text), start=1):
        try:
            value = float(line)
        except ValueError:
            value = -1
        if not 0 <= value < 1e9 or value != int(value):
            raise DataError(f"{path}, line {number}: {line.strip()!r} is not a remaining life.")
        values.append(int(value))
    if engines is not None and len(values) != engines:
        raise DataError(
            f"{path}: {len(values)} lines for {engines} test engines; each needs one remaining "
            "life."
        )
    return np.array(values, dtype=np.int64)


# ------------------------------------------------------------------------------------------ verify


def number_digest(rows: NDArray[np.float64]) -> str:
    """SHA-256 of numbers, whatever the bytes that spelt them. −0 is 0."""
    return hashlib.sha256((rows + 0.0).astype("<f8").tobytes()).hexdigest()


def line_checksums(rows: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(rows,) a byte for each row's numbers: enough to find the first that differs, mostly."""
    return np.array([zlib.crc32(row) & 255 for row in (rows + 0.0).astype("<f8")], dtype=np.uint8)


def _edition(name: str) -> NDArray[np.uint8]:
    """The line checksums of one of NASA's files."""
    stored = BytesIO(files("amnl.cmapss").joinpath("edition.npz").read_bytes())
    with np.load(stored) as edition:
        checksums: NDArray[np.uint8] = edition[name]
    return checksums


def numbers(
    text: bytes, name: str, path: File | str, engines: int | None = None
) -> NDArray[np.float64]:
    """The numbers of a file, (rows, 26) or (engines, 1), each read as Python reads it."""
    if name.startswith("RUL"):
        return parse_rul(text, path, engines)[:, None].astype(np.float64)
    rows = _parse_slowly(text, path)
    _check_order(rows, path)
    return rows


def _verify(
    source: Source, name: str, path: File, text: bytes, engines: int | None = None
) -> NDArray[np.float64] | None:
    """Nothing when the bytes are the source's; the numbers when other bytes spell NASA's.

    Raises `DataError`, with the first line that differs, when the numbers differ too.
    """
    expected, digest = _expected(source, name), hashlib.sha256(text).hexdigest()
    if digest == expected:
        return None
    where = ""
    try:
        rows = numbers(text, name, path, engines)
        if source.kind == "nasa":
            if number_digest(rows) == NUMBERS[name]:
                return rows
            where = f" {_first_difference(rows, _edition(name))}"
    except DataError as error:
        where = f" What is wrong: {error}"
    raise DataError(
        f"{path}: the SHA-256 is {digest[:12]}…, {name} should have {expected[:12]}…; the file is "
        f"damaged or is another edition.{where} {source.way_out}"
    )


def _first_difference(rows: NDArray[np.float64], edition: NDArray[np.uint8]) -> str:
    both = min(len(rows), len(edition))
    differ = np.flatnonzero(line_checksums(rows[:both]) != edition[:both])
    if len(differ):
        line = int(differ[0])
        of = f" (engine {rows[line, 0]:g}, cycle {rows[line, 1]:g})" if rows.shape[1] > 1 else ""
        return f"Line {line + 1}{of} is the first whose numbers differ from the edition's."
    if len(rows) != len(edition):
        return f"It has {len(rows):,} lines, the edition {len(edition):,}; {both:,} of them agree."
    return "A number differs from the edition's; in which line, the checksums cannot tell."


# -------------------------------------------------------------------------------------------- read


def read(source: Source, subset: str, split: str) -> Fleet:
    """Read one fleet (`split` is "train" or "test"), from the cache when its bytes are known.

    The cache is keyed by the SHA-256 of the file as stored, so a changed file is always read anew.
    Other bytes with NASA's numbers are as good as NASA's; a note says so (logger "amnl"). Raises
    `DataError` for a missing, damaged or malformed file.
    """
    check_subset(subset)
    rows = _cached_rows(source, f"{split}_{subset}.txt")
    offsets = np.append(np.flatnonzero(rows[:, 1] == 1), len(rows)).astype(np.int64)
    end_rul = np.zeros(len(offsets) - 1, dtype=np.int64)
    if split == "test":
        name = f"RUL_{subset}.txt"
        path, text = _text(source, name)
        if _verify(source, name, path, text, len(end_rul)) is not None:
            _note_other_bytes(source)
        end_rul = parse_rul(text, path, len(end_rul))
    return Fleet(subset, split, rows[:, 2:], offsets, end_rul)


def check_subset(subset: str) -> None:
    """Raise `DataError` that lists the known subsets when `subset` is none of them."""
    if subset not in SUBSETS:
        raise DataError(f"unknown subset {subset!r}; there are {', '.join(SUBSETS)}")


def _expected(source: Source, name: str) -> str:
    if name not in source.sha256:
        raise DataError(f"{source.folder / _MANIFEST}: no checksum for {name}. {source.way_out}")
    return source.sha256[name]


def _read(file: File) -> bytes:
    try:
        return file.read_bytes()
    except (OSError, *_BROKEN_ZIP) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{file} cannot be read: {reason}.") from error


def _stored(source: Source, name: str) -> tuple[File, bytes]:
    file = _files(source.folder).get(name)
    if file is None:
        raise DataError(f"{source.folder}: neither {name} nor {name}.gz is there. {source.way_out}")
    return file, _read(file)


def _unzip(source: Source, file: File, stored: bytes) -> bytes:
    if not _is_packed(file):
        return stored
    try:
        return gzip.decompress(stored)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: not a whole gzip file ({error}). {source.way_out}") from error


def _text(source: Source, name: str) -> tuple[File, bytes]:
    file, stored = _stored(source, name)
    return file, _unzip(source, file, stored)


def raw_bytes(source: Source, name: str) -> bytes:
    """The text of one of the twelve files, unpacked. Raises `DataError` when it is not there."""
    return _text(source, name)[1]


def _note_other_bytes(source: Source) -> None:
    _note(
        f"{source.folder}: the numbers are NASA's, the bytes are not (line ends, blanks or the "
        "like differ). The numbers count."
    )


def _cached_rows(source: Source, name: str) -> NDArray[np.float64]:
    """The numbers of a train or test file, verified; read-only."""
    file, stored = _stored(source, name)
    expected = _expected(source, name)
    key = hashlib.sha256(stored + f"{expected} {_CACHE_VERSION}".encode()).hexdigest()[:24]
    entry = f"{Path(name).stem}-{key}"
    for suffix in (".npy", "-other-bytes.npy"):
        try:
            rows: NDArray[np.float64] = np.load(cache_dir() / f"{entry}{suffix}", mmap_mode="r")
        except (ValueError, OSError, EOFError):
            continue  # not there, or damaged: it is written below
        if suffix != ".npy":
            _note_other_bytes(source)
        return rows
    text = _unzip(source, file, stored)
    respelt = _verify(source, name, file, text)
    if respelt is None:
        rows = parse_rows(text, file)
        _keep(f"{entry}.npy", rows)
    else:
        rows = respelt
        _note_other_bytes(source)
        _keep(f"{entry}-other-bytes.npy", rows)
    rows.flags.writeable = False  # as it is from the cache
    return rows


def _keep(entry: str, rows: NDArray[np.float64]) -> None:
    """Write a cache entry. Where that cannot be done, the file is parsed again next time."""
    buffer = BytesIO()
    np.save(buffer, rows)
    try:
        path = cache_dir() / entry
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getbuffer())
    except (DataError, OSError) as error:
        reason = getattr(error.__cause__ or error, "strerror", None) or error
        _note(
            f"the cache cannot be written ({reason}): files are parsed anew each time. Set "
            "AMNL_CACHE_DIR to a folder that can be written."
        )


# --------------------------------------------------------------------------------------- normalise


def split_engines(
    engines: int, seed: int, fraction: float = 0.2
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split engine indices into (training, validation), both sorted; `fraction` validates.

    Raises `ValueError` for a seed that is no whole number from 0 on, and a fraction outside [0, 1].
    """
    seed = whole_number("seed", seed, 0)
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must lie in [0, 1], not {fraction}")
    order = np.random.default_rng(seed).permutation(engines)
    held = round(fraction * engines)
    return np.sort(order[held:]), np.sort(order[:held])


def whole_number(name: str, value: object, least: int) -> int:
    """The value as Python's own. Raises `ValueError` where it is none, or less than `least`."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, not {value!r}")
    return number


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
    """0 healthy (RUL > 80), 1 degrading (30 < RUL ≤ 80), 2 critical (RUL ≤ 30).

    Raises `ValueError` for a RUL that is NaN.
    """
    if np.isnan(rul).any():
        raise ValueError("a RUL is NaN: it is in no health state")
    return (np.asarray(rul) <= 80).astype(np.int64) + (np.asarray(rul) <= 30)


@dataclass(frozen=True)
class Windows:
    """Windows of 30 cycles as indices: window i is values[last[i] − 29 … last[i]].

    values  (rows, 17) float32, shared by all windows; nothing is copied
    last    (n,) int64 row of each window's last cycle
    rul     (n,) float32 capped remaining life at that cycle (cycles)
    true    (n,) float32 the same, not capped
    health  (n,) int64 class of the capped RUL (after `with_faults` the fault mode)
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
    back from an engine's last cycle. Raises `ValueError` for a stride that is no whole number from
    1 on.
    """
    stride = whole_number("stride", stride, 1)
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


def fault_modes(windows: Windows) -> NDArray[np.int64]:
    """(n,) how each window's engine fails: 0 compressor, 1 fan. For FD003 and FD004.

    No file says so; the end of an engine's own life does (chapter 4). Over its last ten cycles, the
    mean of normalised sensor 7 stands above 0 and that of sensor 15 below where the fan wears, and
    the other way round where the compressor does. The windows must hold each engine's last.

    Raises `ValueError` for an engine that was cut off before it failed, `DataError` for one in
    which the two sensors disagree.
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


def with_faults(data: Data) -> Data:
    """The same data, with `fault_modes` as the classes of training and validation windows. Test
    engines keep their health states: they are cut off before the end that would tell. Raises
    `DataError`."""
    try:
        train, val = (replace(w, health=fault_modes(w)) for w in (data.train, data.val))
    except DataError as error:
        raise DataError(f"{data.source.folder}, train_{data.subset}.txt: {error}") from error
    return replace(data, train=train, val=val)


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
    the windows of both; a test engine gives one window. Raises `DataError` (see `find`, `read`),
    also for a fleet too small to give windows to both.
    """
    check_subset(subset)
    seed, stride = whole_number("seed", seed, 0), whole_number("stride", stride, 1)
    if isinstance(data_dir, Source):
        source = data_dir
    else:
        source = find(data_dir, [subset], download=download)
    fleet, test = read(source, subset, "train"), read(source, subset, "test")
    fit, held = split_engines(fleet.engines, seed)
    normaliser = Normaliser.fit(fleet, fit)
    values = normaliser(fleet)
    train, val = (windows(fleet, values, some, stride=stride) for some in (fit, held))
    for part, engines, what in (("training", fit, train), ("validation", held, val)):
        if not len(what):
            raise DataError(
                f"{source.folder}: train_{subset}.txt has {fleet.engines} engines, and the "
                f"{len(engines)} {part} engines among them (seed {seed}) have no window of "
                f"{WINDOW} cycles. A fifth of the engines validates: it takes 3 of them at least, "
                "and more where lives are short."
            )
    return Data(
        subset,
        seed,
        stride,
        source,
        train=train,
        val=val,
        test=windows(test, normaliser(test), last_only=True),
        normaliser=normaliser,
    )
