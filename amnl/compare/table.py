"""A table of scores, read and paired."""

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

Name = float | str
# One score a seed; a missing one is NaN.
Scores = dict[Name, dict[Name, float]]

# As people and programs write a missing score. Of a name each of these is a name.
_MISSING = {"", "nan", "na", "n/a", "<na>", "null", "none"}
# A number as programs write it: 007 is none, and stays the name that it is.
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d*)?([eE][+-]?\d+)?")
_SHOWN = 3


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV file as text, letter by letter: a method may be called None, NA or 007.

    Lines before the header that start with # are left out.

    Raises
    ------
    ValueError
        For a file that is not there, or that is no table; names it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "rows.csv"
    ...     _ = path.write_text("method,seed,score\\nNone,0,1.5\\n")
    ...     read_table(path)
      method seed score
    0   None    0   1.5
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a CSV file in it")
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error.reason}); save it as CSV") from error
    first = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    text = "".join(lines[first:])
    if not text.strip():
        raise ValueError(f"{path} is empty; a header and rows are wanted")
    try:
        whole = pd.read_csv(StringIO(text), header=None, dtype=str, keep_default_na=False)
    except pd.errors.ParserError as error:
        what = str(error).partition("C error: ")[2] or str(error)
        raise ValueError(f"{path} is no table with commas: {what.strip()}") from error
    whole = whole.fillna("").apply(lambda column: column.str.strip())
    header, rows = whole.iloc[0], whole.iloc[1:].reset_index(drop=True)
    return rows.set_axis(pd.Index(list(header)), axis="columns")


def scores_of(
    rows: pd.DataFrame, by: Sequence[str], score: str, seed: str, group: Sequence[str]
) -> dict[Name, Scores]:
    """Group → method → seed → score, and "" is the group of a table that has none.

    Numbers come in their order, other names in that of the rows.

    Raises
    ------
    ValueError
        Names the column, or the rows, and the way out.
    """
    _check_columns(rows, [*by, score, seed, *group])
    if not len(rows):
        raise ValueError("the table has no rows, only a header")
    methods, seeds = _names(rows, by), _names(rows, [seed])
    groups: list[Name] = _names(rows, group) if group else [""] * len(rows)
    values = [_number(value, score, row) for row, value in enumerate(rows[score], 1)]
    cells = list(zip(groups, methods, seeds, strict=True))
    _check_once(rows, cells, [*by, seed, *group, score])
    found: dict[Name, Scores] = {
        name: {method: {} for method in _ordered(methods)} for name in _ordered(groups)
    }
    for (of, method, one), value in zip(cells, values, strict=True):
        found[of][method][one] = value
    return {of: {m: s for m, s in scores.items() if s} for of, scores in found.items()}


def shown(name: Name) -> str:
    """A name as its table has it: 5, 0.5, FD001."""
    if isinstance(name, str):
        return name
    number = float(name)  # of NumPy, too
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def find_name(wanted: object, names: Iterable[Name], column: str) -> Name:
    """The name that is meant, however it is written. Raises `ValueError` that lists the names."""
    there = {shown(name): name for name in names}
    (text,) = _as_names([wanted])
    for spelled in (str(wanted).strip(), shown(text)):
        if spelled in there:
            return there[spelled]
    near = difflib.get_close_matches(str(wanted), there, n=1)
    meant = f". Is {near[0]!r} meant?" if near else ""
    raise ValueError(f"{column} has no {str(wanted)!r}; it has {listed(there)}{meant}")


def listed(words: Iterable[str], most: int = 8) -> str:
    """The first of them, and how many more there are."""
    every = list(words)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _check_columns(rows: pd.DataFrame, wanted: Sequence[str]) -> None:
    there = Counter(map(str, rows.columns))
    for name in wanted:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            meant = f". Is {near[0]!r} meant?" if near else ""
            only = next(iter(there), "")
            if len(there) == 1 and (sign := next((s for s in (";", "\t") if s in only), "")):
                meant = f". It is separated by {sign!r}: save it with commas"
            raise ValueError(f"the table has no column {name!r}; it has {listed(there, 40)}{meant}")
        if there[name] > 1:
            raise ValueError(f"the table has {there[name]} columns called {name!r}; rename one")
        if wanted.count(name) > 1:
            raise ValueError(f"the column {name!r} is named twice; each has one use")


def _names(rows: pd.DataFrame, columns: Sequence[str]) -> list[Name]:
    """A name a row: a number where all are numbers, and several columns joined."""
    parts = []
    for column in columns:
        values = rows[column].tolist()
        blank = [n for n, v in enumerate(values, 1) if _is_blank(v)]
        if blank:
            raise ValueError(
                f"{column} is empty in {_rows(blank)}: such a row cannot be paired. Fill it in; "
                "names such as None and NA are kept where the file is read by `read_table`"
            )
        parts.append(_as_names(values))
    if len(parts) == 1:
        return parts[0]
    return [", ".join(map(shown, row)) for row in zip(*parts, strict=True)]


def _is_blank(value: object) -> bool:
    return not value.strip() if isinstance(value, str) else bool(pd.isna(value))


def _as_names(values: Sequence[Any]) -> list[Name]:
    texts = [str(value).strip() for value in values]
    if all(map(_NUMBER.fullmatch, texts)):
        return [float(text) for text in texts]
    return list(texts)


def _ordered(names: Iterable[Name]) -> list[Name]:
    once = dict.fromkeys(names)
    return sorted(once) if all(isinstance(name, float) for name in once) else list(once)


def _number(value: object, column: str, row: int) -> float:
    text = str(value).strip()
    if text.lower() in _MISSING:
        return math.nan
    try:
        number = float(value) if isinstance(value, Real) else float(text)
    except ValueError:
        comma = "; is its comma a decimal point?" if "," in text else ""
        raise ValueError(f"{column} is {text!r} in row {row}, which is no number{comma}") from None
    if math.isinf(number):
        raise ValueError(
            f"{column} is {text} in row {row}: a failed run has no score. Leave it empty, and its "
            "seed is left out of that method's pairs"
        )
    return number


def _check_once(
    rows: pd.DataFrame, cells: Sequence[tuple[Name, Name, Name]], named: Sequence[str]
) -> None:
    places: dict[tuple[Name, Name, Name], list[int]] = {}
    for row, cell in enumerate(cells, 1):
        places.setdefault(cell, []).append(row)
    doubled = {cell: at for cell, at in places.items() if len(at) > 1}
    if not doubled:
        return
    (of, method, seed), at = next(iter(doubled.items()))
    where = f"{shown(method)}, seed {shown(seed)}" + (f", {shown(of)}" if of != "" else "")
    more = f"; {len(doubled) - 1} more are doubled" if len(doubled) > 1 else ""
    same = rows.iloc[[n - 1 for n in at]]
    others = [c for c in rows.columns if c not in named and same[c].astype(str).nunique() > 1]
    way_out = "Keep one row of each"
    if others:
        way_out = f"They differ in {listed(map(str, others))}: add one to `by` or to `group`"
    raise ValueError(f"{where} has {len(at)} scores, in {_rows(at)}{more}. {way_out}")


def _rows(at: Sequence[int]) -> str:
    """Places in the table, counted from 1 below its header."""
    if len(at) == 1:
        return f"row {at[0]}"
    more = f" and {len(at) - _SHOWN} more" if len(at) > _SHOWN else ""
    return f"rows {', '.join(map(str, at[:_SHOWN]))}{more}"


def pairs_of(
    scores: Mapping[Name, Mapping[Name, float]], a: Name, b: Name
) -> tuple[list[Name], list[Name]]:
    """The seeds that both have a score for, and those that only one or none has."""
    every = _ordered([*scores[a], *scores[b]])
    both = [
        seed
        for seed in every
        if not any(math.isnan(scores[method].get(seed, math.nan)) for method in (a, b))
    ]
    return both, [seed for seed in every if seed not in both]
