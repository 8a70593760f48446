"""Rows of text and elements of HTML."""

from collections.abc import Iterable, Sequence


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns to the right, but for the last."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join([*map(str.rjust, cells, widths), last]) for *cells, last in rows)
    return "\n".join(map(str.rstrip, lines))


def elements(tag: str, contents: Iterable[str]) -> str:
    """Each of the contents in an element of its own."""
    return "".join(f"<{tag}>{content}</{tag}>" for content in contents)
