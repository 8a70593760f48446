"""What is printed: messages to standard error, results to standard output."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

USAGE = 2  # exit status of a command line that no machine could obey
# What is printed is text: a message, a path or a setting may have `[red]` or `:100:` in it.
_AS_IT_IS: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
out, err = Console(**_AS_IT_IS), Console(stderr=True, **_AS_IT_IS)


@contextmanager
def plain_errors(status: int = 1) -> Iterator[None]:
    """Turn what a user can cause into a message and an exit status."""
    try:
        yield
    except typer.Exit:  # a RuntimeError, too
        raise
    except (ValueError, RuntimeError, OSError, OverflowError) as error:
        complain("error", str(error))
        raise typer.Exit(status) from error


def complain(what: str, message: str) -> None:
    err.print(Text.assemble((f"{what}:", "bold red"), f" {message}"), soft_wrap=True)


def emit(as_json: bool, record: dict[str, Any], table: Table) -> None:
    if as_json:
        print(json.dumps(record, indent=1, allow_nan=False))
    else:
        out.print(table)


class _Notes(logging.Handler):
    """What the package says that is no error: a line each, for every command."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"note: {record.getMessage()}")


def on_terminal() -> bool:
    """Whether lines can be drawn over. Asked of the terminal, as FORCE_COLOR makes none."""
    return sys.stderr.isatty() and not err.is_dumb_terminal


def say(line: str) -> None:
    err.print(line, soft_wrap=True)


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


logging.getLogger("amnl").addHandler(_Notes())
