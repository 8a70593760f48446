"""What is wrong with data, and what is no error and yet worth a line."""

import logging
import operator
from functools import cache

# The command line shows what is noted; pages stay as they are.
_log = logging.getLogger("amnl")
_log.addHandler(logging.NullHandler())


class DataError(ValueError):
    """Data that are missing, broken or not what they should be. The message says what to do."""


@cache
def note(line: str) -> None:
    """Log a warning, once in a process."""
    _log.warning(line)


def whole_number(name: str, value: object, least: int) -> int:
    """The value as Python's own integer.

    Raises
    ------
    DataError
        For what is no whole number, or less than `least`. The message names it `name`.
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if number < least:
        raise DataError(f"{name} must be a whole number, {least} or more, not {value!r}")
    return number


def counted(number: int, what: str) -> str:
    """ "1 row" or "3 rows"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
