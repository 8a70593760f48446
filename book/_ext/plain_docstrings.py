"""Sphinx extension: the house style of docstrings, which is plain text, as reStructuredText.

A docstring is paragraphs in which `backticks` hold code, bullet lists, indented formulas, and
aligned lists: a name, two spaces or more, and what it is, with its further lines indented.
"""

import re
from collections.abc import Iterator
from typing import Any

from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.ext.autodoc import PropertyDocumenter
from sphinx.util.typing import stringify_annotation

CODE_OR_EMPHASIS = re.compile(r"`([^`]+)`|\*(\w(?:[^*]*\w)?)\*")
NAMED = re.compile(r"(\S+(?:, \S+)*) {2,}(\S.*)")
NDARRAY = re.compile(r"~numpy\.ndarray\[.+?, ~numpy\.dtype\[(.+?)\]\]")
SIGNATURE_LIST = re.compile(
    r'(?<=<span class="sig-paren">\(</span>)\s*<dl>(.*?)</dl>\s*(?=<span class="sig-paren">)',
    re.DOTALL,
)
LIST_ENTRY = re.compile(r"<dd>(.*?)</dd>\s*", re.DOTALL)
BULLET = re.compile(r"- (.*)")
# What Python itself says about a named tuple, and nobody needs to read.
GENERATED = ("Alias for field number", "Create new instance of")


def inline(text: str) -> str:
    """One paragraph's text: backticks are code, *stars* are emphasis, the rest means nothing."""
    found = []
    end = 0
    for match in CODE_OR_EMPHASIS.finditer(text):
        code, emphasis = match.groups()
        # An escaped space lets marks stand next to a letter, and shows nothing.
        marked = rf"\ ``{code}``\ " if code else rf"\ *{emphasis}*\ "
        found += [escape(text[end : match.start()]), marked]
        end = match.end()
    return "".join([*found, escape(text[end:])])


def escape(text: str) -> str:
    return re.sub(r"([\\*|_`])", r"\\\1", text)


def blocks(lines: list[str]) -> Iterator[list[str]]:
    """Runs of lines without an empty one."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def entries(block: list[str], first_line: re.Pattern[str]) -> list[list[str]] | None:
    """The entries of a list, groups and all, or None for a block that is no such list.

    A line that is indented goes on with the entry above it.
    """
    found: list[list[str]] = []
    for line in block:
        if match := first_line.fullmatch(line):
            found.append(list(match.groups()))
        elif found and line.startswith(" "):
            found[-1][-1] += f" {line.strip()}"
        else:
            return None
    return found


def definition(names: str, text: str) -> list[str]:
    term = ", ".join(f"`{name}`" for name in names.split(", "))
    return [inline(term), f"  {inline(text)}"]


def converted(block: list[str]) -> list[str]:
    """One block as reStructuredText."""
    if all(line.startswith(" ") for line in block):
        return ["::", "", *block]
    if bullets := entries(block, BULLET):
        return [f"- {inline(text)}" for (text,) in bullets]
    if named := entries(block, NAMED):
        return [line for names, text in named for line in definition(names, text)]
    return [inline(" ".join(line.strip() for line in block))]


def to_rst(lines: list[str]) -> list[str]:
    """A whole docstring, its common indentation taken away."""
    return [line for block in blocks(lines) for line in [*converted(block), ""]]


def process_docstring(*event: Any) -> None:
    lines: list[str] = event[-1]
    lines[:] = [] if lines and lines[0].startswith(GENERATED) else to_rst(lines)


def skip_generated(*event: Any) -> bool | None:
    # None leaves the choice to autodoc.
    return True if str(event[3].__doc__).startswith(GENERATED) else None


def as_written(text: str) -> str:
    """A signature with NumPy's array types as the code names them, not as NumPy spells them out."""
    named = text.replace(stringify_annotation(ArrayLike, "smart"), "ArrayLike")
    return NDARRAY.sub(r"NDArray[\1]", named)


def process_signature(*event: Any) -> tuple[str | None, str | None]:
    signature, returns = event[-2:]
    return signature and as_written(signature), returns and as_written(returns)


def plain_signatures(*event: Any) -> None:
    """A long signature's lines are lines: Sphinx makes them a list whose entries have no terms."""
    context: dict[str, Any] = event[3]
    body = str(context.get("body", ""))
    context["body"] = SIGNATURE_LIST.sub(
        lambda match: LIST_ENTRY.sub(r'<span class="sig-line">\1</span>', match[1]), body
    )


class PropertyAsWritten(PropertyDocumenter):
    """A property's type is no signature, but a line of its entry."""

    def add_line(self, line: str, source: str, *lineno: int) -> None:
        super().add_line(as_written(line), source, *lineno)


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.add_autodocumenter(PropertyAsWritten, override=True)
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("autodoc-process-signature", process_signature)
    app.connect("autodoc-skip-member", skip_generated)
    app.connect("html-page-context", plain_signatures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
