"""NASA's edition of the files: what their bytes, numbers and lines must be."""

import hashlib
import json
import zlib
from importlib.resources import files
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

_pinned = json.loads(files("amnl.cmapss").joinpath("edition.json").read_text(encoding="utf-8"))
# Of the unpacked files: the bytes of NASA's archive.
SHA256: dict[str, str] = {name: sums["sha256"] for name, sums in _pinned.items()}
# Of the numbers in them (`number_digest`): other bytes may spell the same numbers.
NUMBERS: dict[str, str] = {name: sums["numbers"] for name, sums in _pinned.items()}


def number_digest(rows: NDArray[np.float64]) -> str:
    """SHA-256 of numbers, whatever the bytes that spelt them. −0 is 0."""
    return hashlib.sha256((rows + 0.0).astype("<f8").tobytes()).hexdigest()


def line_checksums(rows: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(rows,) a byte for each row's numbers: enough to find the first that differs, mostly."""
    return np.array([zlib.crc32(row) & 255 for row in (rows + 0.0).astype("<f8")], dtype=np.uint8)


def edition_lines(name: str) -> NDArray[np.uint8]:
    """The line checksums of one of NASA's files."""
    stored = BytesIO(files("amnl.cmapss").joinpath("edition.npz").read_bytes())
    with np.load(stored) as edition:
        checksums: NDArray[np.uint8] = edition[name]
    return checksums


def first_difference(rows: NDArray[np.float64], name: str) -> str:
    """A sentence: from which line on the numbers of a file are not NASA's."""
    edition = edition_lines(name)
    both = min(len(rows), len(edition))
    differ = np.flatnonzero(line_checksums(rows[:both]) != edition[:both])
    if len(differ):
        line = int(differ[0])
        of = f" (engine {rows[line, 0]:g}, cycle {rows[line, 1]:g})" if rows.shape[1] > 1 else ""
        return f"Line {line + 1}{of} is the first whose numbers differ from the edition's."
    if len(rows) != len(edition):
        return f"It has {len(rows):,} lines, the edition {len(edition):,}; {both:,} of them agree."
    return "A number differs from the edition's; in which line, the checksums cannot tell."
