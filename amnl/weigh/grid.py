"""Every training of a sweep: found in the store, or trained here or on a cluster."""

import pickle
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from amnl.runs import Claims, InProcess, OnDask, Progress, Workers, drive, keep_freed_memory
from amnl.weigh.duration import duration
from amnl.weigh.store import Record, RunStore

if TYPE_CHECKING:
    from distributed import Client

Cell = tuple[Any, int]  # λ, or the weights of all losses; and the seed
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Work:
    """What is done for each cell: `train(*given, setting, seed)`, and where."""

    train: Callable[..., Any]
    given: tuple[Any, ...]
    client: "Client | None" = None

    def workers(self) -> Workers[Cell, Any]:
        """This process, or the cluster's: they get what is given once, and then cells."""
        if self.client is None:
            return InProcess(lambda cells: [self.train(*self.given, *cell) for cell in cells])
        import cloudpickle

        return OnDask(self.client, _pickled, cloudpickle.dumps((self.train, self.given)))


def _pickled(whole: bytes, cells: Sequence[Cell]) -> list[Any]:
    """On a worker."""
    keep_freed_memory()
    train, given = pickle.loads(whole)
    return [train(*given, *cell) for cell in cells]


def all_runs(
    cells: Sequence[Cell],
    store: RunStore[R],
    work: Work,
    tell: Callable[[str], object],
    label: Callable[[R], str],
) -> list[R]:
    """The record of each cell, in their order; `label` names one in the lines of progress."""
    found = {cell: had for cell in cells if (had := store.load(*cell))}
    waiting = {store.path(*cell): cell for cell in cells if cell not in found}
    progress: Progress[Cell] = Progress(len(cells), before=len(found))
    if found:
        tell(f"{len(found)} of {len(cells)} runs are in the store")
    with ExitStack() as stack:  # an error of `tell` ends all now, what runs on Dask too
        claims = None
        if store.records is not None and waiting:
            store.records.check_space(len(waiting))
            claims = stack.enter_context(Claims(store.records.folder))
        ended = drive(waiting, work.workers(), progress, claims=claims)
        for _, one in stack.enter_context(closing(ended)):
            if isinstance(one, Exception):
                raise RuntimeError(
                    "a run took its worker down several times; is there enough memory? Finished "
                    "runs are in the store, if you named one"
                ) from one
            store.put(one)
            found[one.cell] = one
            left = progress.seconds_left or 0.0
            score = "failed" if one.score is None else f"{one.score:.4g}"
            tell(
                f"{label(one)}: {score}; {len(found)} of {len(cells)} runs, "
                f"{duration(left / 60)} to go"
            )
    elsewhere = {cell: store.load(*cell) for cell in cells if cell not in found}
    found |= {cell: had for cell, had in elsewhere.items() if had}
    return [found[cell] for cell in cells]
