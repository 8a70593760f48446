"""The driver: runs what a store lacks, each group as soon as a worker is free."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic

from amnl.runs.locks import Claims
from amnl.runs.workers import Group, Job, Result, Workers


@dataclass
class Progress(Generic[Job]):
    """Where a sweep stands, in jobs."""

    total: int
    before: int = 0  # found finished
    elsewhere: int = 0  # run by another sweep on the same store meanwhile
    finished: list[Job] = field(default_factory=list)  # by this call
    failed: list[tuple[Job, str]] = field(default_factory=list)
    running: list[Job] = field(default_factory=list)
    workers: int = 0
    epoch: int = 0  # of what trains in this process
    started: float = field(default_factory=time.monotonic)

    @property
    def done(self) -> int:
        """Jobs that this call has finished."""
        return len(self.finished)

    @property
    def left(self) -> int:
        """Jobs that are still to be run."""
        return self.total - self.before - self.done - self.elsewhere - len(self.failed)

    @property
    def seconds_left(self) -> float | None:
        """From the rate so far; None before the first job has ended."""
        ended = self.done + self.elsewhere + len(self.failed)
        return (time.monotonic() - self.started) / ended * self.left if ended else None


def drive(
    jobs: Mapping[Path, Job],
    workers: Workers[Job, Result],
    progress: Progress[Job],
    *,
    claims: Claims | None = None,
    groups: Iterable[Group] | None = None,
    on_change: Callable[[Progress[Job]], object] = lambda progress: None,
) -> Generator[tuple[Path, Result | Exception], None, None]:
    """Run jobs, and give each result as it comes. Close it to stop what is running.

    Parameters
    ----------
    jobs
        By the path of the record that each will have.
    workers
        Where they run.
    progress
        Kept up to date.
    claims
        Of the records' folder: a job that another sweep has claimed is left to it. A claim ends
        when the next result is asked for, so store one first. None where nothing is stored.
    groups
        Paths of jobs that run side by side; each job alone by default. A group that takes its
        worker down is run again as two halves.
    on_change
        Called whenever a job starts or ends.

    Yields
    ------
    tuple
        The path, and the result or the exception that is the job's own fault.
    """
    waiting = deque([path] for path in jobs) if groups is None else deque(groups)
    running: list[Group] = []
    try:
        while waiting or running:
            progress.workers = workers.count()
            # No more than there are workers: what is started is claimed, and others may want it.
            for _ in range(len(waiting)):
                if len(running) >= progress.workers:
                    break
                group, busy = _claimed(waiting.popleft(), claims, progress)
                waiting.extend([busy] if busy else [])
                if group:
                    workers.start(group, [jobs[path] for path in group])
                    running.append(group)
            progress.running = [jobs[path] for group in running for path in group]
            progress.epoch = 0
            on_change(progress)
            if waiting and not running:
                time.sleep(0.5)  # other sweeps have the rest
            for group, outcome in workers.ended():
                running.remove(group)
                if isinstance(outcome, Exception) and len(group) > 1:
                    # One job of the group may be to blame, or its size: try two halves.
                    half = len(group) // 2
                    waiting.extend([group[:half], group[half:]])
                    _release(claims, group)
                    continue
                results = [outcome] if isinstance(outcome, Exception) else outcome
                for path, result in zip(group, results, strict=True):
                    if isinstance(result, Exception):
                        progress.failed.append((jobs[path], str(result)))
                    else:
                        progress.finished.append(jobs[path])
                    yield path, result
                    _release(claims, [path])
    finally:
        workers.stop()
    progress.running, progress.epoch = [], 0
    on_change(progress)


def _claimed(group: Group, claims: Claims | None, progress: Progress[Job]) -> tuple[Group, Group]:
    """What of a group is ours to run, and what another sweep is running; the rest is finished."""
    if claims is None:
        return group, []
    ours, busy = [], []
    for path in group:
        if not claims.take(path.name):
            busy.append(path)
        elif path.exists():
            claims.release(path.name)
            progress.elsewhere += 1
        else:
            ours.append(path)
    return ours, busy


def _release(claims: Claims | None, group: Group) -> None:
    if claims:
        for path in group:
            claims.release(path.name)
