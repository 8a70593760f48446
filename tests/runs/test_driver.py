"""The driver shares, halves and goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from amnl.runs import Claims, InProcess, Progress, RecordStore, drive


def jobs_in(store: RecordStore, count: int) -> dict[Path, int]:
    return {store.named(str(n)): n for n in range(count)}


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path)


def squares(jobs: list[int]) -> list[int | Exception]:
    return [ArithmeticError("odd") if job == 3 else job**2 for job in jobs]


def driven(
    store: RecordStore, jobs: dict[Path, int], run: Callable[[list[int]], Any], **options: Any
) -> tuple[list[int | str], Progress[int]]:
    """Results in the order in which they came, and the progress."""
    progress: Progress[int] = Progress(len(jobs))
    found: list[int | str] = []
    for path, result in drive(jobs, InProcess(run), progress, **options):
        if isinstance(result, Exception):
            found.append(str(result))
        else:
            store.write(path, {"result": result})
            found.append(result)
    return found, progress


def test_each_result_comes_and_a_jobs_own_fault_is_one(store: RecordStore) -> None:
    found, progress = driven(store, jobs_in(store, 5), squares)
    assert found == [0, 1, 4, "odd", 16]
    assert (progress.finished, progress.failed) == ([0, 1, 2, 4], [(3, "odd")])
    assert (progress.left, progress.running, progress.done) == (0, [], 4)


@pytest.mark.parametrize(("culprit", "asked"), [(2, [4, 2, 2, 1, 1]), (9, [4])])
def test_a_group_that_kills_its_worker_is_halved_until_the_culprit_is_alone(
    store: RecordStore, culprit: int, asked: list[int]
) -> None:
    sizes = []

    def deadly(jobs: list[int]) -> Any:
        sizes.append(len(jobs))
        return MemoryError("dead") if culprit in jobs else jobs

    jobs = jobs_in(store, 4)
    with Claims(store.folder) as claims:
        found, progress = driven(store, jobs, deadly, groups=[list(jobs)], claims=claims)
    assert sizes == asked
    assert progress.failed == ([(culprit, "dead")] if culprit < 4 else [])
    assert sorted(n for n in found if n != "dead") == [n for n in range(4) if n != culprit]


def test_jobs_that_another_sweep_holds_are_looked_at_later_as_one_group(store: RecordStore) -> None:
    jobs = jobs_in(store, 4)
    paths, groups = list(jobs), []
    other = Claims(store.folder)
    assert other.take(paths[1].name) and other.take(paths[2].name)

    def run(given: list[int]) -> list[int]:
        groups.append(given)
        for path in paths[1:3]:
            other.release(path.name)
        return given

    with Claims(store.folder) as claims:
        _, progress = driven(store, jobs, run, groups=[paths], claims=claims)
    assert groups == [[0, 3], [1, 2]]
    assert (progress.done, progress.elsewhere) == (4, 0)


def test_what_another_sweep_has_finished_meanwhile_is_not_run(store: RecordStore) -> None:
    jobs = jobs_in(store, 3)
    store.write(store.named("1"), {"result": 1})
    with Claims(store.folder) as claims:
        found, progress = driven(store, jobs, squares, claims=claims)
    assert found == [0, 4] and (progress.elsewhere, progress.left) == (1, 0)


def test_a_claim_ends_when_its_result_is_stored_and_all_end_with_the_driver(
    store: RecordStore,
) -> None:
    jobs = jobs_in(store, 3)
    first, second, _ = (path.name for path in jobs)
    other, stopped = Claims(store.folder), []

    class Noting(InProcess[int, int]):
        def stop(self) -> None:
            stopped.append(True)

    with Claims(store.folder) as claims:
        ended: Any = drive(jobs, Noting(squares), Progress(3), claims=claims)
        with closing(ended):
            next(ended)
            assert not other.take(first)
            next(ended)
            assert other.take(first) and not other.take(second)
        assert stopped, "what runs is dropped"
    assert other.take(second)


def test_two_sweeps_in_threads_run_no_job_twice(store: RecordStore) -> None:
    run: list[int] = []
    both = threading.Barrier(2, timeout=60)

    def slowly(jobs: list[int]) -> list[int]:
        if len(run) < 2:
            run.extend(jobs)
            both.wait()
        else:
            run.extend(jobs)
        return jobs

    def sweep() -> Iterator[None]:
        with Claims(store.folder) as claims:
            driven(store, jobs_in(store, 6), slowly, claims=claims)
        return iter(())

    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(run) == list(range(6)) and len(store) == 6
