"""Finished runs of a reader's problem in a folder, known by all that decided them."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from amnl.runs import RecordStore, UnreadError, fingerprint, rows_of, unsealed
from amnl.weigh.data import has_rows
from amnl.weigh.seeding import seeded

_RECIPE = 4  # raise it when `run` or the record changes: stored runs are run again


class Record(Protocol):
    """What a store keeps of a finished training: a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def cell(self) -> tuple[Any, int]: ...
    @property
    def score(self) -> float | None: ...
    @classmethod
    def parse(cls, stored: dict[str, Any]) -> Self: ...


R = TypeVar("R", bound=Record)


class RunStore(Generic[R]):
    """Where the runs of one problem are stored, if anywhere.

    Parameters
    ----------
    problem
        A dataclass of all that decides a run, besides its cell.
    kind
        What a record is read as.

    Raises
    ------
    StoreError
        Where the folder cannot be made or written, or a record is damaged.
    """

    def __init__(self, folder: str | Path | None, problem: Any, kind: type[R]) -> None:
        self.kind = kind
        self.records: RecordStore | None = None
        self.problem = ""  # its identity
        self.notes: list[str] = []  # why runs are not stored, or not found again
        if folder:
            try:
                self.problem = identity(problem)
                self.records = RecordStore(folder)
            except UnreadError as error:
                self.notes.append(
                    f"no run is kept: {error}, and what cannot be looked into cannot be known "
                    "again. Open it inside the function, or leave it out in __getstate__"
                )

    def look_again(self, problem: Any) -> None:
        """Note where a problem is no longer known by the same name, now that it has been tried."""
        if self.records is not None and identity(problem) != self.problem:
            self.notes.append(
                "what your functions or data hold changes as they are used (a cache, a counter?): "
                "the next call in this process will not find the runs of this one in the store, "
                "only another process will. Leave it out in __getstate__"
            )

    def path(self, setting: Any, seed: int) -> Path:
        """Where the record of this run is, or would be."""
        one = isinstance(setting, float)
        weighed = f"lam{setting!r}" if one else f"weights{fingerprint(list(setting))}"
        name = f"{self.problem}-{weighed}-seed{seed}"
        return Path(name) if self.records is None else self.records.named(name)

    def load(self, setting: Any, seed: int) -> R | None:
        """The finished run, if there is one."""
        path = self.path(setting, seed)
        if self.records is None or not path.exists():
            return None

        def parse(stored: dict[str, Any]) -> R:
            run = self.kind.parse(stored)
            if run.cell != (setting, seed):
                raise ValueError("its name is that of another run")
            return run

        return unsealed(path, parse)

    def put(self, run: R) -> None:
        """Store a finished run; its record appears whole or not at all."""
        if self.records is not None:
            self.records.write(self.path(*run.cell), dataclasses.asdict(run))


def identity(problem: Any) -> str:
    """What stored runs are known by, 16 hexadecimal digits: see `store` of `five_point_sweep`.

    Raises
    ------
    UnreadError
        Naming the part that holds what cannot be looked into.
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
