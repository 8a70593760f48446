"""A client of Dask whose tasks run in this process, and are lost as a test wants it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class Future:
    status = "finished"
    error: Exception | None = None
    value: Any = None

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        return self.value

    def exception(self) -> Exception | None:
        return self.error


@dataclass
class Client:
    """Loses the data that it is sent the first `lost` times, and its worker on jobs that are
    `deadly`."""

    lost: int = 0
    deadly: Callable[[list[Any]], bool] = lambda jobs: False
    asked: list[int] = field(default_factory=list)  # jobs a task
    cancelled: int = 0

    def nthreads(self) -> dict[str, int]:
        return {"tcp://one": 1, "tcp://other": 1}

    def scatter(self, data: bytes, hash: bool) -> Future:
        self.lost -= 1
        held = Future()
        held.value = data
        return held

    def submit(self, run: Any, *given: Any, pure: bool) -> Future:
        from distributed import KilledWorker

        future, jobs = Future(), given[-1]
        self.asked.append(len(jobs))
        if len(given) == 2 and self.lost >= 0:
            future.status = "cancelled"
        elif self.deadly(jobs):
            worker: Any = SimpleNamespace(address="tcp://one")
            future.status, future.error = "error", KilledWorker("task", worker, 3)
        else:
            try:
                future.value = run(*(g.value if isinstance(g, Future) else g for g in given))
            except Exception as error:
                future.status, future.error = "error", error
        return future

    def cancel(self, futures: list[Future]) -> None:
        self.cancelled += len(futures)


def wait(futures: list[Future], timeout: float, return_when: str) -> None:
    """In place of `distributed.wait`: all of these have ended."""
