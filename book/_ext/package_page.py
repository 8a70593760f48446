"""Sphinx extension: the package's page shows names and types as a reader of the code types them.

Docstrings are numpydoc and rendered by napoleon. What is left to do is to call NumPy's array types
what the code calls them, to link a type of a room's inner file where the room shows it, and to keep
the lines of long signatures.
"""

import re
from typing import Any

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.autodoc import PropertyDocumenter
from sphinx.util.typing import stringify_annotation

NDARRAY = re.compile(r"~numpy\.ndarray\[.+?, ~numpy\.dtype\[(.+?)\]\]")
SIGNATURE_LIST = re.compile(
    r'(?<=<span class="sig-paren">\(</span>)\s*<dl>(.*?)</dl>\s*(?=<span class="sig-paren">)',
    re.DOTALL,
)
LIST_ENTRY = re.compile(r"<dd>(.*?)</dd>\s*", re.DOTALL)
# What Python itself says about a named tuple, and nobody needs to read.
GENERATED = ("Alias for field number", "Create new instance of")


def process_docstring(*event: Any) -> None:
    lines: list[str] = event[-1]
    if lines and lines[0].startswith(GENERATED):
        lines.clear()


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


class PropertyAsWritten(PropertyDocumenter):
    """A property's type is no signature, but a line of its entry."""

    def add_line(self, line: str, source: str, *lineno: int) -> None:
        super().add_line(as_written(line), source, *lineno)


def shown_by_its_room(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """`amnl.cmapss.fleet.Fleet` is on the page as `amnl.cmapss.Fleet`."""
    parts = str(node.get("reftarget", "")).split(".")
    if node.get("refdomain") != "py" or parts[0] != "amnl":
        return None
    domain = env.get_domain("py")
    for end in range(len(parts) - 2, 0, -1):
        name = ".".join([*parts[:end], parts[-1]])
        found = domain.resolve_xref(
            env, node["refdoc"], app.builder, node["reftype"], name, node, content
        )
        if found is not None:
            return found
    return None


def plain_signatures(*event: Any) -> None:
    """A long signature's lines are lines: Sphinx makes them a list whose entries have no terms."""
    context: dict[str, Any] = event[3]
    body = str(context.get("body", ""))
    context["body"] = SIGNATURE_LIST.sub(
        lambda match: LIST_ENTRY.sub(r'<span class="sig-line">\1</span>', match[1]), body
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.add_autodocumenter(PropertyAsWritten, override=True)
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("autodoc-process-signature", process_signature)
    app.connect("autodoc-skip-member", skip_generated)
    app.connect("missing-reference", shown_by_its_room)
    app.connect("html-page-context", plain_signatures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
