"""Files that appear whole or not at all."""

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


class FileError(ValueError):
    """A file that cannot be written. The message names it and the way out."""


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write beside the target, then rename: a reader sees the whole file or none.

    A link stays a link, the file that it points to is written so. What is no file (a device, a
    FIFO) is never replaced: the bytes go into it, as they come.

    Raises
    ------
    FileError
        For a folder, a full disk, and a place that cannot be written.
    """
    try:
        stream = _stream(path)
        if stream is not None:
            with open(stream, "wb") as file:
                file.write(data)
            return
        target = Path(os.path.realpath(path))
        temporary = target.with_name(f".amnl-{secrets.token_hex(8)}")  # any name has room for it
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # the bytes first, then the name
            os.replace(temporary, target)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(
            f"cannot write {path}: {error.strerror or error}. Make room, or use another folder "
            "(for the cache: AMNL_CACHE_DIR)."
        ) from error


def _stream(path: Path) -> Path | int | None:
    """What to write into, where `path` is not a file to replace: a device, a FIFO, or the process's
    own output (/dev/stdout, whatever it leads to). Raises `OSError` for a folder."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    for descriptor in (1, 2):
        with suppress(OSError):  # closed
            if os.path.samestat(found, os.fstat(descriptor)):
                return os.dup(descriptor)
    return None if stat.S_ISREG(found.st_mode) else path
