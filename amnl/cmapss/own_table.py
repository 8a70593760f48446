"""A reader's own table of engines: checked and put in order, or refused in one line.

`read_table` reads a file as text, so that 007 stays 007. `clean` takes a table of text or numbers,
and gives back what `Columns` names: units as text, cycles that count up, features as numbers.
Nothing is guessed: where a table leaves open what is meant, the error says which field of `Reading`
decides it.
"""

import csv
import gzip
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.errors import DataError, counted, note

if TYPE_CHECKING:
    import pandas as pd

_BLANK = ("", "na", "n/a", "nan", "nat", "null", "none", "<na>", "-", "?")  # of a number
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(\b|T)")
_YES_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_SHOWN = 5  # rows or columns that a message lists
_TIMES = {"days": 86400, "hours": 3600}  # seconds
LIVES = ("rows", "cycles", *_TIMES)
AGGREGATES = ("mean", "last")
FILLS = ("forward",)


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are."""

    unit: str  # names the engine
    cycle: str  # counts its cycles
    features: tuple[str, ...] = ()  # what the network reads, in order
    conditions: tuple[str, ...] = ()  # how a unit was run
    event: str | None = None  # whether a unit has failed at its last row

    def __post_init__(self) -> None:
        used = [
            n for n in (self.unit, self.cycle, *self.features, *self.conditions, self.event) if n
        ]
        if twice := next((name for name in used if used.count(name) > 1), None):
            raise DataError(f"the column {twice!r} is named for two things; name each once")


@dataclass(frozen=True)
class Reading:
    """What is meant where a table leaves it open.

    Attributes
    ----------
    decimal
        The decimal sign of numbers that are text: "." or ",".
    life
        What the remaining life is counted in. By default cycles, which must be whole numbers
        without gaps. "rows": the cycle column gives the order, and each row is one. "cycles": by
        the numbers of the cycle column, whatever gaps it has. "days", "hours": by its dates.
    aggregate
        Makes one row of those that a unit has of one cycle: "mean", or "last" in the table's order.
    fill
        "forward": a blank reading is the last one before it of the same unit.
    drop_keyless
        Leaves out rows without a unit or a cycle.
    """

    decimal: str = "."
    life: str | None = None
    aggregate: str | None = None
    fill: str | None = None
    drop_keyless: bool = False

    def __post_init__(self) -> None:
        known = {"decimal": (".", ","), "life": LIVES, "aggregate": AGGREGATES, "fill": FILLS}
        for name, values in known.items():
            value = getattr(self, name)
            if value not in values and not (value is None and name != "decimal"):
                raise DataError(f"{name} {value!r}: there are {', '.join(map(repr, values))}")

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Reading":
        """From keyword arguments. Raises `TypeError` that lists the known ones."""
        known = [field.name for field in fields(cls)]
        if unknown := next((name for name in options if name not in known), None):
            raise TypeError(f"unknown argument {unknown!r}; to read a table: {', '.join(known)}")
        return cls(**options)


def read_table(path: str | Path, separator: str = ",") -> "pd.DataFrame":
    """A CSV file, plain or .gz, as text: every field as it is written, without blanks around it.

    The name of the file is in `attrs["name"]`, for messages.

    Raises
    ------
    DataError
        For a file that is not there or holds no table, and for a line with another number of fields
        than the first.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "pumps.csv")
    ...     _ = file.write_text("pump,day,heat\\n007,1,20\\n007,2,21")
    ...     table = read_table(file)
    >>> table.to_numpy().tolist()
    [['007', '1', '20'], ['007', '2', '21']]
    """
    import pandas as pd

    path = Path(path).expanduser()
    if len(separator) != 1:
        raise DataError(f"the separator must be one character, not {separator!r}")
    lines = csv.reader(io.StringIO(_text(path), newline=""), delimiter=separator)
    try:
        numbered = [(lines.line_num, [f.strip() for f in row]) for row in lines if any(row)]
    except csv.Error as error:
        raise DataError(f"{path}, line {lines.line_num}: {error}; save the file anew") from error
    if len(numbered) < 2:
        what = "has a header and no rows" if numbered else "is empty"
        raise DataError(f"{path} {what}; it takes a header and one row a unit and cycle")
    (_, header), *rows = numbered
    _check_separated(header, rows[0][1], separator, path)
    for number, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {number}: {counted(len(row), 'field')} where the header has "
                f"{len(header)}; mend the line, or put quotes around a field that holds "
                f"{separator!r}"
            )
    table = pd.DataFrame([row for _, row in rows], columns=header, dtype=object)
    table.attrs["name"] = str(path)
    return table


def _text(path: Path) -> str:
    try:
        stored = path.read_bytes()
        if stored.startswith(b"\x1f\x8b"):
            stored = gzip.decompress(stored)
        marked = stored.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = stored.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is no UTF-8 text ({error.reason}); save it as CSV, UTF-8"
        ) from error
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read: {reason}; name a CSV file") from error
    if "\0" in text:
        raise DataError(f"{path} is no text; save the table as CSV, UTF-8")
    return text


def _check_separated(header: list[str], first: list[str], separator: str, path: Path) -> None:
    """A header in one piece is most often cut at another sign."""
    other = next((sign for sign in ";\t|, " if sign != separator and sign in header[0]), None)
    if len(header) > 1 or other is None:
        return
    line = separator.join(first)
    comma = next((f for f in line.split(other) if re.fullmatch(r"\s*-?\d+,\d+\s*", f)), None)
    names = header[0].split(other)
    message = f"{path}: its header is one column, {header[0]!r}, cut at {separator!r}"
    way = f"; if {other!r} separates, say --separator {other!r} (read_table(..., {other!r}))"
    if comma is not None and other != ",":
        where = line.split(other).index(comma)
        column = names[where] if where < len(names) else f"column {where + 1}"
        way += f"; {column} then holds {comma!r}, a decimal comma: --decimal , (decimal=',')"
    raise DataError(message + way)


def clean(frame: "pd.DataFrame", columns: Columns, reading: Reading = Reading()) -> "pd.DataFrame":
    """The named columns of a table, one row a unit and cycle, units one after another.

    Parameters
    ----------
    frame
        Numbers or text; `attrs["name"]` names it in messages. Rows are counted from 1, in its
        order, without the header.
    columns
        Which to take.
    reading
        What is meant where the table leaves it open.

    Returns
    -------
    DataFrame
        The unit as text, in the order of their first rows; the cycle as a number, in the unit of
        life, rising within each unit; features as finite numbers; conditions as text; the event as
        a truth value. Other columns are left out.

    Raises
    ------
    DataError
        In one line, with the first row that cannot be used, and the way out.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"id": ["b", "a", "b"], "t": [2, 1, 1], "heat": [21, 20, 19], "n": 0})
    >>> table = clean(frame, Columns("id", "t", ("heat",)))
    >>> list(zip(table["id"], table["t"].astype(int), table["heat"].astype(int)))
    [('b', 1, 19), ('b', 2, 21), ('a', 1, 20)]
    """
    frame = named(frame, columns)
    return _Table(frame, columns, reading).cleaned()


def named(frame: "pd.DataFrame", columns: Columns | None = None) -> "pd.DataFrame":
    """The table with text for names, and what it has in a named index as columns.

    Raises `DataError` for no rows, two columns of one name, and a column of `columns` that is not
    there.
    """
    where = name_of(frame)
    kept = [name for name in frame.index.names if name is not None]
    attrs = frame.attrs
    frame = frame.reset_index() if kept else frame
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    frame.attrs = attrs
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"{where} has two columns {twice!r}; name each once")
    if columns is not None:
        wanted = (columns.unit, columns.cycle, *columns.features, *columns.conditions)
        for name in (*wanted, *([columns.event] if columns.event else [])):
            if name not in frame.columns:
                there = listed(frame.columns, shown=30)
                raise DataError(f"{where} has no column {name!r}; it has {there}")
    if not len(frame):
        raise DataError(f"{where} has no rows; it takes one a unit and cycle")
    return frame


def name_of(frame: "pd.DataFrame") -> str:
    """What messages call a table."""
    return str(frame.attrs.get("name", "the table"))


def listed(names: Iterable[object], shown: int = _SHOWN) -> str:
    """The first few, and how many more there are."""
    texts = [str(name) or "''" for name in names]
    more = len(texts) - shown
    return ", ".join(texts[:shown]) + (f" and {more} more" if more > 0 else "")


@dataclass
class _Table:
    frame: "pd.DataFrame"
    columns: Columns
    reading: Reading

    def cleaned(self) -> "pd.DataFrame":
        import pandas as pd

        c = self.columns
        self.where = name_of(self.frame)
        self.row = np.arange(1, len(self.frame) + 1)  # as the reader counts them
        self.unit, self.cycle = self._units(), self._cycles()
        self._drop_keyless()
        self._sort()
        table = pd.DataFrame({c.unit: self.unit, c.cycle: self.cycle})
        for name in c.features:
            table[name] = self._numbers(name)
        for name in c.conditions:
            table[name] = self._labels(name)
        if c.event:
            table[c.event] = self._events(c.event)
        table = self._once_a_cycle(table)
        self._count_life(table)
        self._check_blanks(table)
        return table

    # ------------------------------------------------------------------------------------ the keys

    def _units(self) -> NDArray[Any]:
        values = self.frame[self.columns.unit].tolist()
        texts = np.array([_name(value) for value in values], dtype=object)
        kinds = {isinstance(v, str) for v, text in zip(values, texts, strict=True) if text}
        if len(kinds) > 1:
            note(
                f"{self.where}: {self.columns.unit} holds text and numbers; 1 and '1' are one unit"
            )
        known = set(texts)
        for text in known:
            whole = text[:-2] if text.endswith(".0") else ""
            if whole and whole in known:
                raise DataError(
                    f"{self.where}: {self.columns.unit} has {whole} and {text}, which may be one "
                    "unit or two; write each name in one way"
                )
        return texts

    def _cycles(self) -> NDArray[np.float64]:
        """Numbers, NaN where there is none. Dates are the time since the first, in days."""
        import pandas as pd

        name, life = self.columns.cycle, self.reading.life
        given = self.frame[name]
        dated = pd.api.types.is_datetime64_any_dtype(given)
        texts = _texts(given)
        first = next((n for n, text in enumerate(texts) if not _is_blank(text)), None)
        if not dated and (first is None or not _DATE.match(texts[first])):
            if life in _TIMES:
                shown = "" if first is None else f" {texts[first]!r}, row {first + 1}"
                raise DataError(
                    f"{self.where}: life={life!r} counts dates, and {name} holds none"
                    f" ({shown.strip()}); leave it out, or write dates as 2024-01-31"
                )
            return _as_numbers(given, self.reading.decimal)
        if life is None or life == "cycles":
            raise DataError(
                f"{self.where}: {name} holds dates ({texts[first or 0]}, row {(first or 0) + 1}), "
                "and a life may be counted in rows or in time; say life='rows', 'days' or 'hours' "
                "(--life days)"
            )
        if not dated:
            odd = [n for n, text in enumerate(texts) if not re.match(r"\d{4}-\d\d-\d\d", text)]
            if odd := [n for n in odd if not _is_blank(texts[n])]:
                raise DataError(
                    f"{self.where}: {name}, row {odd[0] + 1}: {texts[odd[0]]!r} may be read in two "
                    "ways, or in none; write dates as 2024-01-31"
                )
            given = pd.Series([None if _is_blank(text) else text for text in texts])
        times = pd.to_datetime(given, format="ISO8601", errors="coerce", utc=True)
        since = (times - times.min()).dt.total_seconds()
        return np.asarray(since / _TIMES.get(life, 1), dtype=np.float64)

    def _drop_keyless(self) -> None:
        keyless = (self.unit == "") | ~np.isfinite(self.cycle)
        if not keyless.any():
            return
        c, shown = self.columns, _texts(self.frame[self.columns.cycle])
        faults = []
        for n in np.flatnonzero(keyless):
            what = f"no {c.unit}"
            if self.unit[n] != "":
                what = f"{c.cycle} {shown[n]!r}" if shown[n] else f"no {c.cycle}"
            faults.append(f"row {n + 1} ({what})")
        if not self.reading.drop_keyless:
            hint = _hint(shown[int(np.flatnonzero(keyless)[0])], self.reading.decimal)
            raise DataError(
                f"{self.where}: {counted(len(faults), 'row')} of {len(keyless):,} without a unit "
                f"or a cycle: {listed(faults)}; mend them, or leave them out with "
                f"drop_keyless=True (--drop-keyless){hint}"
            )
        if keyless.all():
            raise DataError(f"{self.where}: no row has a {c.unit} and a {c.cycle}")
        note(
            f"{self.where}: {len(keyless):,} rows = {int((~keyless).sum()):,} used + "
            f"{len(faults):,} left out: {listed(faults)}"
        )
        self._take(~keyless)

    def _sort(self) -> None:
        """By unit, in the order of their first rows, then by cycle."""
        _, first, of = np.unique(self.unit, return_index=True, return_inverse=True)
        self._take(np.lexsort((self.cycle, first[of])))

    def _take(self, rows: NDArray[Any]) -> None:
        self.frame = self.frame[rows] if rows.dtype == bool else self.frame.iloc[rows]
        self.unit, self.cycle, self.row = self.unit[rows], self.cycle[rows], self.row[rows]

    def _once_a_cycle(self, table: "pd.DataFrame") -> "pd.DataFrame":
        c, how = self.columns, self.reading.aggregate
        keys = [c.unit, c.cycle]
        again = table.duplicated(keys).to_numpy()
        if not again.any() or (how is None and self.reading.life == "rows"):
            return table
        if how is None:
            first = int(np.flatnonzero(again)[0])
            same = (self.unit == self.unit[first]) & (self.cycle == self.cycle[first])
            rows, times = self.row[same], int(same.sum())
            others = len(table[again].drop_duplicates(keys)) - 1
            more = f", and {counted(others, 'other cycle')} more than once" if others else ""
            raise DataError(
                f"{self.where}: {c.unit} {self.unit[first]}, {c.cycle} {self._at(first)} "
                f"{'twice' if times == 2 else f'{times} times'} (rows {listed(rows)}){more}; make "
                "one row of them with aggregate='mean' or 'last' (--aggregate mean)"
            )
        rules = {name: "last" for name in table.columns if name not in keys}
        rules |= {name: how for name in c.features}
        rules |= {c.event: "max"} if c.event else {}
        self.row = self.row[~again]
        self.unit, self.cycle = self.unit[~again], self.cycle[~again]
        note(f"{self.where}: {len(table):,} rows made {len(self.row):,}, one a cycle ({how})")
        return table.groupby(keys, sort=False, as_index=False).agg(rules)[list(table.columns)]

    def _count_life(self, table: "pd.DataFrame") -> None:
        """Make `cycle` of the table count in the unit of life."""
        c, life = self.columns, self.reading.life
        if life == "rows":
            table[c.cycle] = table.groupby(c.unit, sort=False).cumcount().to_numpy() + 1.0
        if life is not None:
            return
        ways = (
            "say what a life is counted in: life='cycles' takes the numbers as they are, 'rows' "
            "counts rows (--life cycles)"
        )
        if (part := np.flatnonzero(self.cycle % 1)).size:
            n = int(part[0])
            raise DataError(
                f"{self.where}: {c.unit} {self.unit[n]}, row {self.row[n]}: {c.cycle} "
                f"{self._at(n)} is no whole number; {ways}"
            )
        step = np.diff(self.cycle)
        gaps = np.flatnonzero((self.unit[1:] == self.unit[:-1]) & (step != 1))
        if gaps.size:
            n = int(gaps[0])
            more = f", and {counted(len(gaps) - 1, 'other gap')}" if len(gaps) > 1 else ""
            raise DataError(
                f"{self.where}: {c.unit} {self.unit[n]} goes from {c.cycle} {self._at(n)} to "
                f"{self._at(n + 1)} (rows {self.row[n]}, {self.row[n + 1]}){more}; {ways}"
            )

    def _at(self, n: int) -> str:
        """The cycle of a row, as the reader wrote it."""
        if len(self.frame) == len(self.row):
            return _texts(self.frame[self.columns.cycle].iloc[[n]])[0]
        return f"{self.cycle[n]:g}"

    # ---------------------------------------------------------------------------------- the values

    def _numbers(self, name: str) -> NDArray[np.float64]:
        """A column as numbers, NaN where it is blank."""
        import pandas as pd

        given = self.frame[name]
        if pd.api.types.is_datetime64_any_dtype(given):
            bad, texts = np.array([0]), [str(given.iloc[0])]
        else:
            found = _as_numbers(given, self.reading.decimal)
            if np.isfinite(found).all():
                return found
            texts = _texts(given)
            blank = np.array([_is_blank(text) for text in texts])
            bad = np.flatnonzero(~np.isfinite(found) & ~blank)
            if not bad.size:
                return found
        first = int(bad[np.argmin(self.row[bad])])
        raise DataError(
            f"{self.where}: {name}, row {self.row[first]}: {texts[first]!r} is no finite number"
            + (
                _hint(texts[first], self.reading.decimal)
                or "; leave the column out of the features"
            )
        )

    def _labels(self, name: str) -> list[str]:
        """A condition as text; a number has one spelling."""
        texts = _texts(self.frame[name])
        numbers = _as_numbers(self.frame[name], self.reading.decimal)
        labels = [
            f"{number:.12g}" if np.isfinite(number) else text
            for text, number in zip(texts, numbers.tolist(), strict=True)
        ]
        self._check_there(name, np.array([label == "" for label in labels]), "blank")
        return labels

    def _events(self, name: str) -> list[bool]:
        texts = [text.lower().removesuffix(".0") for text in _texts(self.frame[name])]
        odd = np.array([text not in _YES_NO for text in texts])
        self._check_there(name, odd, "neither 1 (has failed) nor 0 (still runs)")
        events = np.array([_YES_NO[text] for text in texts])
        last = np.append(self.unit[1:] != self.unit[:-1], True)
        ended = np.repeat(events[last], np.diff(np.flatnonzero(np.insert(last, 0, True))))
        if (odd := np.flatnonzero(events & ~ended)).size:
            n = int(odd[0])
            raise DataError(
                f"{self.where}: {self.columns.unit} {self.unit[n]} has failed at row {self.row[n]} "
                f"by {name}, and still runs at its last row; {name} must hold at the last row"
            )
        return [bool(event) for event in events]

    def _check_there(self, name: str, bad: NDArray[np.bool_], what: str) -> None:
        if bad.any():
            n = int(np.flatnonzero(bad)[0])
            text = _texts(self.frame[name].iloc[[n]])[0]
            more = f", as in {counted(int(bad.sum()) - 1, 'other row')}" if bad.sum() > 1 else ""
            raise DataError(
                f"{self._place(n)}: {name} is {repr(text) + ', ' if text else ''}{what}{more}; "
                "each row must say it"
            )

    def _place(self, n: int) -> str:
        c = self.columns
        return f"{self.where}: {c.unit} {self.unit[n]}, {c.cycle} {self._at(n)} (row {self.row[n]})"

    def _check_blanks(self, table: "pd.DataFrame") -> None:
        """Fill what is blank, where that is asked for, and refuse what is left."""
        names, forward = list(self.columns.features), self.reading.fill == "forward"
        if not names:
            return
        if forward:
            table[names] = table.groupby(self.columns.unit, sort=False)[names].ffill()
        blank = table[names].isna().to_numpy()
        if not blank.any():
            return
        if (empty := np.flatnonzero(blank.all(axis=0))).size:
            raise DataError(
                f"{self.where}: {names[empty[0]]} is blank in every row; leave the column out of "
                "the features"
            )
        n, column = (int(index[0]) for index in np.nonzero(blank))
        more = f" ({blank.sum():,} blank readings in all)" if blank.sum() > 1 else ""
        way = "fill='forward' takes the unit's last reading before it (--fill forward)"
        if forward:
            way = "no earlier row of the unit has a reading to fill it with; leave such rows out"
        raise DataError(f"{self._place(n)}: {names[column]} is blank{more}; {way}")


def _name(value: Any) -> str:
    """A unit's name as text: 1 for 1.0, which a blank elsewhere in the column makes of it."""
    if isinstance(value, str):
        return value.strip()
    if value is None or value != value:
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _texts(column: "pd.Series[Any]") -> list[str]:
    return [_name(value) for value in column.tolist()]


def is_blank(column: "pd.Series[Any]") -> bool:
    """Whether no row has a value."""
    return all(_is_blank(text) for text in _texts(column))


def _is_blank(text: str) -> bool:
    return text.strip().lower() in _BLANK


def _as_numbers(column: "pd.Series[Any]", decimal: str) -> NDArray[np.float64]:
    """Numbers, NaN for what is none."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    texts = pd.Series(_texts(column), dtype=object)
    if decimal == ",":
        written = np.array([isinstance(value, str) for value in column.tolist()])
        # 1.234,5 and 1.234 would be other numbers, or the same: a point is no part of a number
        texts = texts.where(~written | ~texts.str.contains(".", regex=False), "no number")
        texts = texts.str.replace(",", ".", regex=False)
    return np.asarray(pd.to_numeric(texts, errors="coerce"), dtype=np.float64)


def _hint(text: str, decimal: str) -> str:
    """The way out that a word which should be a number suggests, or nothing."""
    if decimal == "." and re.fullmatch(r"[-+]?\d+,\d+", text):
        return "; a decimal comma wants decimal=',' (--decimal ,)"
    if decimal == "," and "." in text:
        return "; with decimal=',' a point is no part of a number"
    if _DATE.match(text):
        return "; a date is no feature: leave the column out, or make it a number of days"
    return ""


def split_names(names: Sequence[str] | str | None) -> tuple[str, ...]:
    """One name, several, or none."""
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(str(name) for name in names)
