"""A table on a page: HTML with its units in its head, numbers in one form a column."""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from amnl.minus import minus_signs

# A wide table scrolls in its own box on a phone, and keys can scroll that box.
HTML = """<div class="table-box" tabindex="0" style="overflow-x: auto">
<table class="dataframe">
<thead>{head}</thead>
<tbody>
{body}
</tbody>
</table>
</div>"""


class Shown:
    """A table as HTML, and as text where a host shows none."""

    def __init__(self, html: str, text: str) -> None:
        self.html, self.text = html, text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def show_table(
    columns: pd.DataFrame | Mapping[str, Iterable[Any]], formats: Mapping[str, str] | str = ""
) -> Shown:
    """A table for the last line of a cell.

    Parameters
    ----------
    columns
        Head → values. A head ends in its unit, as in "RMSE (cycles)". An index is not shown.
    formats
        Head → format of its numbers, such as ".2f"; one string is for all columns of floats. A
        number that rounds to zero has no sign, and one that is missing is a dash. Text may hold
        numbers: their minus is written as that of the others.

    Raises
    ------
    ValueError
        Names a format's column that the table lacks.

    Examples
    --------
    >>> show_table({"λ": [0.5, 1.0], "change (cycles)": [-0.001, -2.0]}, ".2f")
       λ change (cycles)
    0.50            0.00
    1.00           −2.00
    """
    frame = pd.DataFrame({name: list(values) for name, values in columns.items()})
    if isinstance(formats, str):
        formats = {name: formats for name in frame.select_dtypes("float")}
    if foreign := [name for name in formats if name not in frame]:
        raise ValueError(f"no column {foreign[0]!r} to format; there are {', '.join(frame)}")
    written = {name: [*map(_form(formats.get(name, "")), frame[name])] for name in frame}
    sides = ["right" if is_numeric_dtype(frame[name]) else "left" for name in frame]
    head = _row("th", frame, sides)
    body = "\n".join(_row("td", row, sides) for row in zip(*written.values(), strict=True))
    return Shown(HTML.format(head=head, body=body), pd.DataFrame(written).to_string(index=False))


def _form(form: str) -> Callable[[Any], str]:
    sign = form[:1] if form[:1] in ("+", " ") else ""  # stands before the z, which drops −0
    spec = f"{sign}z{form[len(sign) :]}" if form[-1:] in tuple("eEfFgG%") else form

    def write(value: Any) -> str:
        if pd.isna(value):
            return "–"
        return minus_signs(value if isinstance(value, str) else format(value, spec))

    return write


def _row(tag: str, texts: Iterable[str], sides: Iterable[str]) -> str:
    cells = (
        f'<{tag} style="text-align: {side}">{escape(text)}</{tag}>'
        for text, side in zip(texts, sides, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"
