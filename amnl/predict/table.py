"""A file of engines as a table of text, each row under the number of its line."""

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from amnl.cmapss import DataError
from amnl.cmapss.layout import SETTINGS

# The columns of NASA's files, which have no header; a table of them is called so, too.
NASA = "NASA's columns"
_NASA = ("unit", "cycle", *SETTINGS, *(f"s{n}" for n in range(1, 22)))


def read_table(path: str | Path) -> pd.DataFrame:
    """The rows of a file: NASA's 26 columns of numbers, or CSV with a header; either as .gz too.

    Returns
    -------
    DataFrame
        Of text, so that engine 007 stays 007. Its index is called "line" and counts from 1.

    Raises
    ------
    DataError
        For a file that is not there, is empty, has no header, or has a line of another length.
    """
    file = Path(path)
    lines = _text(file).splitlines()
    first = next((n for n, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise DataError(f"{file}: the file is empty.")
    if _is_number(lines[first].split()[0]):
        names, rows = list(_NASA), _nasa_rows(file, lines)
    else:
        reader = csv.reader(lines)
        found = [(reader.line_num, [field.strip() for field in row]) for row in reader if any(row)]
        (_, names), rows = found[0], iter(found[1:])
        _check_header(file, first + 1, names)
    numbers, fields = [], []
    for number, row in rows:
        if len(row) != len(names):
            raise DataError(f"{file}, line {number}: {len(row)} columns, not {len(names)}.")
        numbers.append(number)
        fields.append(row)
    if not fields:
        raise DataError(f"{file}: a header, and no row below it.")
    columns = pd.Index(names, name=NASA if names == list(_NASA) else None)
    return pd.DataFrame(fields, pd.Index(numbers, name="line"), columns=columns, dtype=str)


def _text(file: Path) -> str:
    try:
        stored = file.read_bytes()
        if file.suffix.lower() == ".gz":
            stored = gzip.decompress(stored)
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} cannot be read: {error}.") from error
    marked = stored.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return stored.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(
            f"{file} is no text file. Predict a text file of NASA's 26 columns, or CSV with a "
            "header."
        ) from None


def _nasa_rows(file: Path, lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, start=1):
        row = line.split()
        if row and len(row) != len(_NASA):
            raise DataError(
                f"{file}, line {number}: {len(row)} columns, not NASA's {len(_NASA)}. Another "
                "table needs a header that names its columns, and commas between them."
            )
        if row:
            yield number, row


def _check_header(file: Path, line: int, names: list[str]) -> None:
    if len(names) == 1 and (other := next((c for c in ";\t|" if c in names[0]), None)):
        raise DataError(
            f"{file}, line {line}: the header has {other!r} where commas are wanted, and points in "
            f"numbers. Read it with pandas.read_csv(…, sep={other!r}, decimal=…), and predict the "
            "table in Python: load_predictor(…).predict(table)."
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{file}, line {line}: the header names {', '.join(twice)} twice.")


def _is_number(field: str) -> bool:
    try:
        float(field.split(",")[0])
        return True
    except ValueError:
        return False
