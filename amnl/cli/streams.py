"""Standard output and error from which no result is lost.

A console that has no λ gets `lambda`. A reader who leaves, as `head` does, stops nothing: the work
goes on, and its files are written.
"""

import codecs
import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any
from unicodedata import normalize

_PLAIN = {"λ": "lambda", "±": "+-", "²": "^2", "×": "x", "÷": "/", "−": "-", "–": "-", "…": "..."}
_PLAIN |= {
    "→": "->",
    "←": "<-",
    "∇": "grad",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "·": "*",
    "½": "1/2",
    "√": "sqrt",
    "∞": "inf",
}
_PLAIN |= {"σ": "sigma", "ζ": "zeta", "ω": "omega", "β": "beta", "ε": "eps", "α": "alpha"}
_PLAIN |= {"Σ": "sum", "Δ": "delta", "∂": "d", "‖": "|", "’": "'", "“": '"', "”": '"'}
_PLAIN |= {"⁻": "^-", "¹": "1", "⁵": "^5", "⁶": "^6", "ⁿ": "^n"}  # what else: without its accent


def prepare() -> None:
    """Make this process's standard streams so."""
    codecs.register_error("amnl", _plainly)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):  # neither None nor a notebook's
            setattr(sys, name, _lasting(stream))


def finish() -> None:
    """Write what is left of the result. What is printed later, such as by a module's `atexit`, goes
    to standard error. Exits with 1 and says so where standard output takes no more."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _to_nowhere(sys.stdout.fileno())
        print(f"error: standard output cannot be written: {error.strerror}", file=sys.stderr)
        raise SystemExit(1) from None
    if sys.stdout.fileno() == 1:
        sys.stdout = sys.stderr
        with suppress(OSError):  # no standard error
            os.dup2(2, 1)


def _lasting(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    if stream.isatty():
        stream.reconfigure(errors="amnl")
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Pipe(stream.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        errors="amnl",
        line_buffering=stream.line_buffering,
    )


class _Pipe(io.FileIO):
    """A file that takes what its reader no longer wants."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EINVAL):  # the latter on Windows
                raise
            _to_nowhere(self.fileno())
            return memoryview(data).nbytes


def _to_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(letter, _unaccented(letter)) for letter in text), error.end


def _unaccented(letter: str) -> str:
    """`é` as e, a subscript as its digit, `?` for a letter that has no plainer form."""
    return normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"
