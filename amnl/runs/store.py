"""A folder of sealed records, named by what decides them."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from amnl.files import FileError, write_atomically
from amnl.runs.records import StoreError, canonical, sealed, unwritable

_RECORD_BYTES = 64_000  # a generous guess, for the check of the disk


class RecordStore:
    """A folder of finished runs: `cells/` holds a record each, `failed/` what went wrong.

    A record is written whole or not at all, so a process that is killed leaves finished runs and
    nothing else. What decides a run names its record.

    Parameters
    ----------
    folder
        Made where it is not there.
    make
        False takes what is there, and makes nothing.

    Raises
    ------
    StoreError
        Where the folder cannot be made; with `make=False`, where it is no store.
    """

    def __init__(self, folder: str | Path, *, make: bool = True) -> None:
        self.folder = Path(folder).expanduser()
        if not make:
            if not (self.folder / "cells").is_dir():
                raise StoreError(
                    f"{folder}: no such store; `amnl sweep --store {folder}` makes one"
                )
            return
        try:
            for name in ("cells", "failed"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def named(self, name: str) -> Path:
        """Where the record of this name is, or will be."""
        return self.folder / "cells" / f"{name}.json"

    def __len__(self) -> int:
        return len(self.paths())

    def paths(self) -> list[Path]:
        """Every record, in the order of their names."""
        return sorted(self.folder.glob("cells/*.json"))

    def write(self, path: Path, run: dict[str, Any]) -> None:
        """Keep a finished run, and forget that it failed before.

        Raises
        ------
        StoreError
            Where the folder cannot be written, as on a full disk. Nothing of the record is there.
        """
        self._write(path, sealed(run))
        self._failure(path).unlink(missing_ok=True)

    def write_failure(self, path: Path, what: dict[str, Any], error: BaseException) -> None:
        """Keep `what` failed, and how. The run stays open: the next sweep tries it again."""
        record = {"error": str(error), "kind": type(error).__name__, **what}
        self._write(self._failure(path), canonical(record))

    def failures(self) -> list[dict[str, Any]]:
        """What failed last time: `error`, its `kind`, and what `write_failure` was told.

        Raises
        ------
        StoreError
            Naming the file, where one is damaged.
        """
        found = []
        for path in sorted(self.folder.glob("failed/*.json")):
            try:
                found.append(json.loads(path.read_bytes()))
            except ValueError as error:
                raise StoreError(f"{path} is damaged ({error}). Delete it.") from error
        return found

    def check_space(self, runs: int) -> None:
        """Raise `StoreError` where the records of so many runs cannot be written."""
        try:
            free = shutil.disk_usage(self.folder).free
            probe = self.folder / "cells" / f".probe-{os.getpid()}"
            write_atomically(probe, bytes(_RECORD_BYTES))
            probe.unlink(missing_ok=True)  # another machine's sweep may have our number
        except (OSError, FileError) as error:
            raise unwritable(self.folder, error) from error
        if free < runs * _RECORD_BYTES:
            raise StoreError(
                f"{self.folder} has {free / 1e6:.1f} MB free; {runs} records may need "
                f"{runs * _RECORD_BYTES / 1e6:.0f} MB. Make room, or name another --store."
            )

    def _write(self, path: Path, record: bytes) -> None:
        try:
            write_atomically(path, record)
        except FileError as error:
            raise unwritable(self.folder, error) from error

    def _failure(self, path: Path) -> Path:
        return self.folder / "failed" / path.name
