"""Where groups of jobs run: in this process, or on the workers of a Dask cluster.

A job is what a run is made from, a picklable value; a group's jobs run side by side, and are
answered together.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from distributed import Client, Future

Job = TypeVar("Job")
Result = TypeVar("Result")
Results = Sequence[Result | Exception]  # one a job; an exception is a fault of the job's own
Outcome = Results[Result] | Exception  # an exception has ended the whole group
Group = list[Path]  # by the paths of the records to be

_LOSSES = 4  # as often as Dask itself lets a task's workers die


@dataclass
class InProcess(Generic[Job, Result]):
    """Runs one group at a time, in this process, when it is asked what has ended."""

    run: Callable[[list[Job]], Results[Result]]
    started: list[tuple[Group, list[Job]]] = field(default_factory=list)

    def count(self) -> int:
        """How many groups can run at once."""
        return 1

    def start(self, group: Group, jobs: list[Job]) -> None:
        """Run a group's jobs."""
        self.started.append((group, jobs))

    def ended(self) -> Iterator[tuple[Group, Outcome[Result]]]:
        """Groups that have ended since the last call, and what came of them.

        What is no job's fault, it raises.
        """
        while self.started:
            group, jobs = self.started.pop()
            yield group, self.run(jobs)

    def stop(self) -> None:
        """Drop what is running."""
        self.started.clear()


@dataclass
class OnDask(Generic[Job, Result]):
    """Runs a group a worker. Where a worker dies, Dask runs its group again on another.

    Parameters
    ----------
    client
        Of the cluster.
    run
        Called on a worker as `run(jobs)`, or `run(data, jobs)` where there are `data`.
    data
        Sent to the cluster once, and once more whenever the workers that held them have died.

    Raises
    ------
    RuntimeError
        From its methods: when the scheduler is lost, or the data four times.
    """

    client: "Client"
    run: Callable[..., Results[Result]]
    data: bytes | None = None
    held: "Future | None" = None  # the data, where workers have them
    losses: int = 0
    running: dict["Future", tuple[Group, list[Job], "Future | None"]] = field(default_factory=dict)

    def count(self) -> int:
        """How many groups can run at once."""
        with _scheduler_answers():
            return len(self.client.nthreads())

    def start(self, group: Group, jobs: list[Job]) -> None:
        """Run a group's jobs on the next free worker."""
        with _scheduler_answers():
            if self.data is not None and self.held is None:
                self.held = self.client.scatter(self.data, hash=False)
            data = () if self.held is None else (self.held,)
            future = self.client.submit(self.run, *data, jobs, pure=False)
        self.running[future] = (group, jobs, self.held)

    def ended(self) -> Iterator[tuple[Group, Outcome[Result]]]:
        """Groups that have ended, or end within a second, and what came of them.

        What is no job's fault, it raises.
        """
        from distributed import wait

        if not self.running:
            return
        with _scheduler_answers(), suppress(TimeoutError):
            try:
                wait(list(self.running), timeout=1, return_when="FIRST_COMPLETED")
            except CancelledError:
                if self.data is None:
                    raise
        for future in [future for future in self.running if future.done()]:
            group, jobs, data = self.running.pop(future)
            if data is not None and future.status in ("cancelled", "lost"):
                self._start_again(group, jobs, data)
            else:
                yield group, _outcome(future)

    def _start_again(self, group: Group, jobs: list[Job], data: "Future") -> None:
        if data is self.held:
            self.held = None
            self.losses += 1
        if self.losses == _LOSSES:
            raise RuntimeError(
                f"workers that held the data died {_LOSSES} times. Finished runs are in the "
                "store, if you named one"
            )
        self.start(group, jobs)

    def stop(self) -> None:
        """Drop what is running."""
        with suppress(Exception):  # the scheduler may be gone
            self.client.cancel(list(self.running))
        self.running.clear()


Workers = InProcess[Job, Result] | OnDask[Job, Result]


def _outcome(future: "Future") -> Outcome[Any]:
    """What a worker sent. That a group took its workers down is an outcome; others raise."""
    from distributed import KilledWorker

    if future.status == "finished":
        results: Results[Any] = future.result()
        return results
    error: BaseException | None = future.exception() if future.status == "error" else None
    if isinstance(error, Exception) and isinstance(error, KilledWorker):
        return error
    raise error or RuntimeError(
        "the Dask scheduler dropped a cell; finished cells are in the store, run the same "
        "command again"
    )


@contextmanager
def _scheduler_answers() -> Iterator[None]:
    """Around what is asked of Dask, and no more: a full disk is not a lost scheduler."""
    try:
        yield
    except (OSError, TimeoutError, CancelledError) as error:
        reason = str(error).partition(":\n")[0]  # the rest lists keys of Dask's
        raise RuntimeError(
            f"lost the Dask scheduler ({reason}). Finished runs are in the store, if you named "
            "one; run the same command again for the rest."
        ) from error
