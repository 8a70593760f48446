"""A reader's own values for a page: `make mine LAM=0.9 DATA=emulate`."""

import ast
import math
from pathlib import Path
from typing import Any

import papermill


def as_python(word: str) -> Any:
    """The number, `None` or quoted text that a word spells; any other word is the text itself."""
    try:
        return ast.literal_eval(word)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return word


def as_kind(word: str, default: Any) -> Any:
    """A word as a value of the kind that a parameter's default has. The `ValueError` names it."""
    value = as_python(word)
    if isinstance(default, str):
        return value if isinstance(value, str) else word
    if isinstance(default, int):
        if type(value) is not int:
            raise ValueError("a whole number")
    elif isinstance(default, float) and (
        type(value) not in (int, float) or not math.isfinite(value)
    ):
        raise ValueError("a number")
    return value


def as_data(word: str) -> str | None:
    """What a page's `DATA` is to be: `None`, "emulate", or a folder or zip, as seen from here.

    Raises `SystemExit` where there is no such folder.
    """
    spelt = as_python(word)
    if spelt in (None, "", "emulate"):
        return spelt or None
    path = Path(spelt if isinstance(spelt, str) else word).expanduser().absolute()
    if not path.exists():
        raise SystemExit(f"DATA: there is no folder or zip {path}")
    return str(path)


def own_values(page: Path, given: list[str]) -> dict[str, Any]:
    """What `NAME=VALUE` words ask of a notebook's parameters.

    Raises `SystemExit` for a word that names none of them, or gives words for a number.
    """
    known = papermill.inspect_notebook(str(page))
    takes = ", ".join(f"{name}={known[name]['default']}" for name in known) or "no values"
    values = {}
    for word in given:
        name, sign, value = word.partition("=")
        if name not in known or not sign:
            raise SystemExit(f"{word!r} is no value of {page.stem}, which takes {takes}")
        if name == "DATA":
            values[name] = as_data(value)
            continue
        default = as_python(known[name]["default"])
        try:
            values[name] = as_kind(value, default)
        except ValueError as error:
            raise SystemExit(f"{name} is {error}, such as {default}, and not {value!r}") from None
    return values
