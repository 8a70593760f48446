"""Rows of train and test files, parsed once and then mapped from the cache."""

import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.errors import note
from amnl.cmapss.folder import cache_dir, unpacked
from amnl.cmapss.source import Source
from amnl.cmapss.text import parse_rows
from amnl.files import write_atomically

_VERSION = 1  # of the entries


def cached_rows(source: Source, name: str) -> NDArray[np.float64]:
    """(rows, 26) numbers of a train or test file, verified; read-only.

    An entry goes by the file's bytes as stored and the checksum that its text should have, so a
    changed file is always read anew. Raises `DataError` for a missing, damaged or malformed file.
    """
    file, stored = source.stored(name)
    key = hashlib.sha256(stored + f"{source.checksum(name)} {_VERSION}".encode()).hexdigest()[:24]
    entry, other = f"{Path(name).stem}-{key}.npy", f"{Path(name).stem}-{key}-other-bytes.npy"
    for cached in (entry, other):
        try:
            rows: NDArray[np.float64] = np.load(cache_dir() / cached, mmap_mode="r")
        except (ValueError, OSError, EOFError):
            continue  # not there, or damaged: it is written below
        if cached == other:
            source.note_other_bytes()
        return rows
    text = unpacked(file, stored, source.way_out)
    respelt = source.verify(name, file, text)
    rows = parse_rows(text, file)
    rows.flags.writeable = False  # as it is from the cache
    _save(other if respelt else entry, rows)
    return rows


def _save(entry: str, rows: NDArray[np.float64]) -> None:
    """Write a cache entry. Where that cannot be done, the file is parsed again next time."""
    buffer = BytesIO()
    np.save(buffer, rows)
    try:
        folder = cache_dir()
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / entry, buffer.getbuffer())
    except (ValueError, OSError) as error:  # `DataError` of the name, `FileError` of the write
        reason = getattr(error.__cause__ or error, "strerror", None) or error
        note(
            f"the cache cannot be written ({reason}): files are parsed anew each time. Set "
            "AMNL_CACHE_DIR to a folder that can be written."
        )
