"""Finished runs of a reader's problem in a folder, known by all that decided them.

A record is one small file, written whole or not at all. Two sweeps that share a folder may train
the same run twice; as a run is the same each time, that harms nothing, and no lock is needed.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from amnl.files import write_atomically
from amnl.runs.fingerprint import UnreadError, fingerprint, rows_of
from amnl.runs.records import StoreError, sealed, unsealed
from amnl.weigh.data import has_rows
from amnl.weigh.problem import Problem
from amnl.weigh.run import Run
from amnl.weigh.scale import Scale
from amnl.weigh.seeding import seeded

_RECIPE = 3  # raise it when `amnl.weigh.run.run` or the record changes: stored runs are run again


class Kept:
    """Finished runs in a folder, a small file each, named by what they are of."""

    def __init__(self, folder: str | Path | None, problem: Problem) -> None:
        self.folder = Path(folder).expanduser() if folder else None
        self.notes: list[str] = []  # why runs are not kept, or not found again
        self.problem = ""
        if self.folder:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self.problem = identity(problem)
            except OSError as error:
                raise StoreError(f"the store {folder} cannot be made: {error.strerror}") from error
            except UnreadError as error:
                self.folder = None
                self.notes.append(
                    f"no run is kept: {error}, and what cannot be looked into cannot be known "
                    "again. Open it inside the function, or leave it out in __getstate__"
                )

    def look_again(self, problem: Problem) -> None:
        """Note where a problem is no longer known by the same name, now that it has been tried."""
        if self.folder and identity(problem) != self.problem:
            self.notes.append(
                "what your functions or data hold changes as they are used (a cache, a counter?): "
                "the next call in this process will not find the runs of this one in the store, "
                "only another process will. Leave it out in __getstate__"
            )

    def _path(self, folder: Path, lam: float, seed: int) -> Path:
        return folder / f"{self.problem}-lam{lam!r}-seed{seed}.json"

    def get(self, lam: float, seed: int) -> Run | None:
        """The finished run, or None. Raises `StoreError` that names a damaged file."""
        path = self.folder and self._path(self.folder, lam, seed)
        if not path or not path.exists():
            return None

        def parse(stored: dict[str, Any]) -> Run:
            run = Run(**{**stored, "scale": Scale(**stored["scale"])})
            if (run.lam, run.seed) != (lam, seed):
                raise ValueError("its name is that of another run")
            return run

        return unsealed(path, parse)

    def put(self, run: Run) -> None:
        """Keep a finished run, where there is a folder; its file appears whole or not at all."""
        if self.folder:
            path = self._path(self.folder, run.lam, run.seed)
            write_atomically(path, sealed(dataclasses.asdict(run)))


def identity(problem: Problem) -> str:
    """What stored runs are known by, 16 hexadecimal digits: see `store` of `five_point_sweep`.

    Raises `UnreadError` that names the part where a value cannot be looked into.
    """
    found = []
    with seeded(0):  # a row may be drawn
        for part in dataclasses.fields(problem):
            value = getattr(problem, part.name)
            try:
                found.append(fingerprint(value))
                if _are_rows(value):
                    found += rows_of(value)
            except (UnreadError, RecursionError, BufferError) as error:
                raise UnreadError(f"{part.name} holds a {error}") from error
    return fingerprint(f"recipe {_RECIPE}", found)


def _are_rows(data: Any) -> bool:
    """Whether its rows may be elsewhere than in it, as in files. A dataset's are read anyway."""
    whole = isinstance(data, Dataset | Tensor | np.ndarray | list | tuple | str | bytes)
    return not whole and not callable(data) and has_rows(data)
