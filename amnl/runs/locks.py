"""Claims: which sweep works on which record, so that two on one folder share the work."""

import errno
import hashlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from amnl.runs.records import unwritable


class Claims:
    """What one sweep has claimed in a folder.

    A claim ends with `release`, with the `with` block of the claims, or with the process, however
    that ends. It is a lock on one byte of the folder's file `claims`. Windows has no such locks,
    nor do some network drives: there two processes may do the same work twice.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> "Claims":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release(list(self._file().owners))

    def take(self, name: str) -> bool:
        """Claim a record, unless it is claimed, in this process or by another.

        Raises
        ------
        StoreError
            Where the file of the locks cannot be written.
        """
        with _changing:
            locks = self._file()
            free = name not in locks.owners and locks.lock(name, take=True)
            if free:
                locks.owners[name] = self
            return free

    def release(self, name: str) -> None:
        """Give a claim back, where it is of this sweep."""
        self._release([name])

    def _release(self, names: list[str]) -> None:
        with _changing:
            locks = self._file()
            for name in names:
                if locks.owners.get(name) is self:
                    del locks.owners[name]
                    locks.lock(name, take=False)
            if locks.file and not locks.owners:
                locks.file.close()
                locks.file = None

    def _file(self) -> "_LockFile":
        key = (os.getpid(), str(self.folder.resolve()))
        return _FILES.setdefault(key, _LockFile(self.folder))


@dataclass
class _LockFile:
    """The locks of this process in one folder, and whose they are. All its sweeps share the file,
    as a process loses every lock on a file once it closes it, whoever opened it."""

    folder: Path
    file: BinaryIO | None = None
    owners: dict[str, Claims] = field(default_factory=dict)

    def lock(self, name: str, *, take: bool) -> bool:
        """Lock or unlock the byte of a name; False where another process has it."""
        try:
            import fcntl
        except ImportError:
            return True
        place = int(hashlib.sha256(name.encode()).hexdigest()[:15], 16)
        how = fcntl.LOCK_EX | fcntl.LOCK_NB if take else fcntl.LOCK_UN
        try:
            if self.file is None:
                self.file = (self.folder / "claims").open("wb")
            fcntl.lockf(self.file, how, 1, place)
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                return True
            if self.file is not None and error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise unwritable(self.folder, error) from error
        return True


_FILES: dict[tuple[int, str], _LockFile] = {}  # of a process and a folder
_changing = threading.Lock()
