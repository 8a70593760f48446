"""What workers send, and what it means when they, the data or the scheduler are lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_dask
import pytest

from amnl.runs import InProcess, OnDask

PATHS = [Path("one"), Path("other")]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("distributed.wait", fake_dask.wait)


def both(jobs: list[int]) -> list[int]:
    return [2 * job for job in jobs]


def scaled(data: bytes, jobs: list[int]) -> list[int]:
    return [len(data) * job for job in jobs]


def test_a_group_comes_back_with_its_results() -> None:
    here: Any = InProcess(both)
    client = fake_dask.Client()
    there: Any = OnDask(client, both)  # type: ignore[arg-type]
    with_data: Any = OnDask(client, scaled, b"ab")  # type: ignore[arg-type]
    for workers in (here, there, with_data):
        workers.start(PATHS, [1, 2])
        assert list(workers.ended()) == [(PATHS, [2, 4])]
        assert list(workers.ended()) == []
    assert (here.count(), there.count()) == (1, 2)


def test_that_a_group_took_its_worker_down_is_an_outcome() -> None:
    client = fake_dask.Client(deadly=lambda jobs: 2 in jobs)
    workers: Any = OnDask(client, both)  # type: ignore[arg-type]
    workers.start(PATHS, [1, 2])
    ((group, error),) = workers.ended()
    assert group == PATHS and type(error).__name__ == "KilledWorker"


def fails(jobs: list[int]) -> list[int]:
    raise LookupError("other files")


def dropped(future: fake_dask.Future) -> None:
    future.status = "cancelled"


def closed(*_: Any, **__: Any) -> None:
    raise OSError("closed")


def test_what_is_no_jobs_fault_is_raised() -> None:
    workers: Any = OnDask(fake_dask.Client(), fails)  # type: ignore[arg-type]
    workers.start(PATHS, [1, 2])
    with pytest.raises(LookupError, match="other files"):
        list(workers.ended())


def test_a_task_that_the_scheduler_drops_is_no_result() -> None:
    workers: Any = OnDask(fake_dask.Client(), both)  # type: ignore[arg-type]
    workers.start(PATHS, [1, 2])
    for future in workers.running:
        dropped(future)
    with pytest.raises(RuntimeError, match="run the same command again"):
        list(workers.ended())


@pytest.mark.parametrize("asked", ["nthreads", "submit", "scatter", "wait"])
def test_a_lost_scheduler_is_named_whatever_it_is_asked(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers: Any = OnDask(fake_dask.Client(), scaled, b"ab")  # type: ignore[arg-type]
    if asked == "wait":
        monkeypatch.setattr("distributed.wait", closed)
    else:
        monkeypatch.setattr(workers.client, asked, closed)
    with pytest.raises(RuntimeError, match=r"lost the Dask scheduler \(closed\).*command again"):
        workers.count()
        workers.start(PATHS, [1, 2])
        list(workers.ended())


@pytest.mark.parametrize("raised", [False, True])
def test_data_that_are_lost_are_sent_again_and_in_the_end_given_up(
    raised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask says so in the task alone, or in waiting for it, too."""
    from distributed.client import FuturesCancelledError

    def wait(futures: list[fake_dask.Future], **_: Any) -> None:
        if raised and any(future.status == "cancelled" for future in futures):
            raise FuturesCancelledError([])

    monkeypatch.setattr("distributed.wait", wait)

    def results(lost: int, ended: Callable[[Any], list[Any]]) -> list[Any]:
        workers: Any = OnDask(fake_dask.Client(lost), scaled, b"ab")  # type: ignore[arg-type]
        workers.start(PATHS[:1], [1])
        workers.start(PATHS[1:], [2])
        return sorted(ended(workers))

    def until_all(workers: Any) -> list[Any]:
        found: list[Any] = []
        while len(found) < 2:
            found += workers.ended()
        return found

    assert results(3, until_all) == [(PATHS[:1], [2]), (PATHS[1:], [4])]
    with pytest.raises(RuntimeError, match=r"held the data died 4 times.*in the store"):
        results(99, until_all)


def test_what_runs_is_cancelled_even_where_the_scheduler_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = fake_dask.Client()
    workers: Any = OnDask(client, both)  # type: ignore[arg-type]
    workers.start(PATHS, [1, 2])
    workers.stop()
    assert client.cancelled == 1 and not workers.running
    monkeypatch.setattr(client, "cancel", closed)
    workers.start(PATHS, [1, 2])
    workers.stop()
    assert not workers.running
