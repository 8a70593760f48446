"""The text of NASA's files, parsed, or refused by line."""

import codecs
import math

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.errors import DataError
from amnl.cmapss.folder import File

_COLUMNS = 26  # unit, cycle, 3 settings, 21 sensors


def parse_rows(text: bytes, path: File | str) -> NDArray[np.float64]:
    """Parse a train or test file.

    Parameters
    ----------
    text
        ASCII, or what an editor with a byte-order mark saves; any blanks and line ends.
    path
        Named in messages.

    Returns
    -------
    ndarray
        (rows, 26) float64: engine, cycle, 3 settings, 21 sensors.

    Raises
    ------
    DataError
        With the line, for anything but 26 finite numbers a line, engines 1, 2, 3, … one after
        another, each with cycles 1, 2, 3, ….
    """
    lines = _lines(text)
    if not lines:
        raise DataError(f"{path}: the file is empty.")
    try:
        rows: NDArray[np.float64] = np.loadtxt(lines, comments=None, ndmin=2)
    except ValueError:
        rows = np.empty((0, 0))
    if rows.shape != (len(lines), _COLUMNS) or not np.isfinite(rows).all():
        raise DataError(f"{path}, {_first_fault(lines)}.")
    _check_order(rows, path)
    return rows


def _lines(text: bytes) -> list[str]:
    """The lines, none blank at the end."""
    marked = text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoded = text.decode("utf-16" if marked else "utf-8-sig", errors="replace")
    return decoded.rstrip().splitlines()


def _first_fault(lines: list[str]) -> str:
    """Where the first line is that NumPy's reader refuses or skips, and what is wrong with it."""
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if len(fields) != _COLUMNS:
            cut = " (cut off in mid-line?)" if number == len(lines) else ""
            return f"line {number}: {len(fields)} columns, not {_COLUMNS}{cut}"
        for column, field in enumerate(fields, start=1):
            if not _is_number(field):
                return f"line {number}, column {column}: {field} is no finite number"
    raise AssertionError("a line is refused and has no fault")


def _is_number(field: str) -> bool:
    try:
        # Python alone reads 1_000 and digits of other scripts.
        return field.isascii() and "_" not in field and math.isfinite(float(field))
    except ValueError:
        return False


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

    Raises
    ------
    DataError
        With the line, or when there is not one line for each of `engines`.
    """
    values = []
    for number, line in enumerate(_lines(text), start=1):
        value = float(line) if _is_number(line.strip()) else -1
        if not 0 <= value < 1e9 or value % 1:
            raise DataError(f"{path}, line {number}: {line.strip()!r} is not a remaining life.")
        values.append(int(value))
    if engines is not None and len(values) != engines:
        raise DataError(
            f"{path}: {len(values)} lines for {engines} test engines; each needs one remaining "
            "life."
        )
    return np.array(values, dtype=np.int64)


def numbers(
    text: bytes, name: str, path: File | str, engines: int | None = None
) -> NDArray[np.float64]:
    """The numbers of one of the twelve files: (rows, 26), or (engines, 1) of a RUL file.

    Raises as `parse_rows` and `parse_rul`.
    """
    if name.startswith("RUL"):
        return parse_rul(text, path, engines)[:, None].astype(np.float64)
    return parse_rows(text, path)
