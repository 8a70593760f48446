"""Sealed records: JSON text with its own checksum, so that a changed byte is seen."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")


class StoreError(RuntimeError):
    """A record or a store that cannot be used. The message names the file and the way out."""


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: keys sorted, no blanks, no NaN.

    Raises
    ------
    TypeError
        For what JSON has no kind for. Numbers of NumPy and PyTorch become Python's own.
    ValueError
        For NaN and infinities.
    """
    return json.dumps(
        value, sort_keys=True, allow_nan=False, separators=(",", ":"), default=_as_plain
    ).encode()


def _as_plain(value: Any) -> Any:
    if not hasattr(value, "item"):
        raise TypeError(f"{value!r} ({type(value).__name__}) cannot be kept in a record")
    return value.item()


def sealed(run: dict[str, Any]) -> bytes:
    """The record of a run: its plain values, and their checksum.

    Examples
    --------
    >>> sealed({"score": 0.5})[:28]
    b'{"run":{"score":0.5},"sha256'
    """
    return canonical({"sha256": hashlib.sha256(canonical(run)).hexdigest(), "run": run})


def unsealed(path: Path, parse: Callable[[dict[str, Any]], _T]) -> _T:
    """What `parse` makes of the run in a sealed record.

    Raises
    ------
    StoreError
        Naming the file, where it is not, byte by byte, what was written, or where `parse` raises
        `ValueError`, `KeyError` or `TypeError`.
    """
    try:
        written = path.read_bytes()
        run = json.loads(written)["run"]
        if sealed(run) != written:
            raise ValueError("its checksum does not fit")
        return parse(run)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} is damaged ({error}). Delete it; the next sweep runs it again."
        ) from error


def unwritable(folder: Path, error: Exception) -> StoreError:
    """What to raise where a store's folder cannot be written."""
    cause = error.__cause__ or error
    reason = getattr(cause, "strerror", None) or cause
    return StoreError(
        f"the store {folder} cannot be written: {reason}. Finished cells "
        "are safe; make room or name another --store, and run the same command again."
    )
