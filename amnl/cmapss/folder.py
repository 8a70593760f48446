"""The data files in a folder or a zip, plain or .gz, by NASA's names for them."""

import gzip
import os
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from amnl.cmapss.errors import DataError
from amnl.cmapss.layout import MANIFEST
from amnl.cmapss.nasa_edition import SHA256

File = Path | zipfile.Path

WAY_OUT = (
    "Fetch it again (`amnl data --download`), or point AMNL_DATA_DIR at a folder with NASA's files."
)
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)  # the last: a password, …


def absolute(path: str | Path) -> Path:
    """The same path from any working directory, `~` expanded. Raises `DataError` for `~nobody`."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise DataError(f"{path}: {error} Write the whole path.") from error


def cache_dir() -> Path:
    """The folder for parsed and downloaded files: `AMNL_CACHE_DIR`, or `~/.cache/amnl`."""
    return absolute(os.environ.get("AMNL_CACHE_DIR") or "~/.cache/amnl")


def data_files(place: Path) -> dict[str, File]:
    """The data files and the manifest in a folder or a zip, by name; none where nothing is.

    A plain file goes before a .gz, and NASA's spelling before TRAIN_FD001.TXT. Raises `DataError`
    for what is neither a folder nor a whole zip, and for what may not be read.
    """
    known = (*SHA256, MANIFEST)
    spelt = {spelling: name for name in known for spelling in (name, f"{name}.gz")}
    names = {spelling.lower(): name for spelling, name in spelt.items()}
    found: dict[str, File] = {}
    try:
        ours = [file for file in _entries(place) if file.name.lower() in names and file.is_file()]
        for file in sorted(ours, key=lambda f: (_is_gzip(f), f.name not in spelt, str(f))):
            found.setdefault(names[file.name.lower()], file)
    except FileNotFoundError:
        return {}
    except NotADirectoryError:
        raise DataError(
            f"{place} is no folder and no whole zip. Name the folder of NASA's files, or "
            "CMAPSSData.zip."
        ) from None
    except BROKEN_ZIP as error:
        raise DataError(f"{place}: a broken zip ({error}). {WAY_OUT}") from error
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


def _is_gzip(file: File) -> bool:
    return file.name.lower().endswith(".gz")


def read_stored(file: File) -> bytes:
    """The bytes of a file as they lie there. Raises `DataError`."""
    try:
        return file.read_bytes()
    except (OSError, *BROKEN_ZIP) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{file} cannot be read: {reason}.") from error


def unpacked(file: File, stored: bytes, way_out: str) -> bytes:
    """The text in a file's stored bytes. Raises `DataError` for a broken .gz."""
    try:
        return gzip.decompress(stored) if _is_gzip(file) else stored
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: not a whole gzip file ({error}). {way_out}") from error
