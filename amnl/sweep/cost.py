"""What a sweep will cost, from a few timed steps."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from amnl import cmapss
from amnl.cmapss import OwnFleet, Source
from amnl.runs import NO_DASK, cores
from amnl.sweep.running import groups_of, is_here, side_by_side
from amnl.sweep.store import Store
from amnl.training import TrainConfig, Trainer, pick_device, population

_STEPS = 5  # timed of each kind of cell


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take on this machine."""

    cells: int
    finished: int
    workers: int
    seconds: float
    memory: float  # bytes, of all workers together or of the GPU

    @property
    def left(self) -> int:
        """Cells still to be run."""
        return self.cells - self.finished


def estimate(
    cells: Sequence[TrainConfig],
    store: Store,
    *,
    workers: int | None = None,
    together: int | None = None,
    data_dir: str | Path | OwnFleet | None = None,
    device: str | None = None,
    precision: str | None = None,
) -> Estimate:
    """Time a few steps of each kind of cell (subset, preset, combiner, ...) as `run` trains it.

    The options are those of `run`. Workers that share a memory bus are slower than one alone, so
    expect somewhat more.
    """
    population.check_precision(precision, cells)
    source = cmapss.source_of(data_dir, {config.subset for config in cells})
    paths = {store.path(c, str(source)): c for c in cells}
    todo = {path: c for path, c in paths.items() if not path.exists()}
    where = pick_device(device)
    here = is_here(None, workers, device)
    together = together or side_by_side(here, device)
    groups = [[todo[path] for path in group] for group in groups_of(todo, together)]
    kinds: dict[tuple[Any, ...], float] = {}
    seconds = 0.0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for group in groups:
            c = group[0]
            size = (c.stride, c.batch_size, c.window, c.dtype, len(group))
            kind = (c.subset, c.preset, c.combiner, *size)
            if kind not in kinds:
                kinds[kind] = _seconds_per_epoch(group, source, where, precision)
            seconds += c.epochs * kinds[kind]
    finally:
        torch.set_num_threads(threads)
    used = 1 if here else min(workers or cores(), max(len(groups), 1))
    on_gpu = where.type == "cuda"
    memory = float(torch.cuda.max_memory_allocated(where)) if on_gpu else used * peak_memory()
    return Estimate(len(paths), len(paths) - len(todo), used, seconds / used, memory)


def peak_memory() -> float:
    """The most that this process has held, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        try:
            import psutil
        except ImportError as error:
            raise RuntimeError(f"{NO_DASK} (and its psutil)") from error
        held = psutil.Process().memory_info()
        return float(getattr(held, "peak_wset", held.rss))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


def _seconds_per_epoch(
    configs: Sequence[TrainConfig],
    source: Source | OwnFleet,
    device: torch.device,
    precision: str | None,
) -> float:
    """Of one cell, or of several side by side."""
    c = configs[0]
    data = {
        d.seed: cmapss.load(d.subset, d.seed, source, stride=d.stride, framing=d.framing)
        for d in configs
    }
    step: Callable[[], object]
    evaluate: Callable[[], object]
    if len(configs) == 1:
        alone = Trainer(c, data[c.seed], device=device)
        alone.model.train()
        batch = torch.arange(min(c.batch_size, len(alone.train)), device=alone.device)
        step = partial(alone.step, batch)
        evaluate = lambda: [alone.predict(part) for part in (alone.val, alone.test)]  # noqa: E731
        windows = len(alone.train)
    else:
        stacked = population.Population(configs, data, device=device, precision=precision)
        batch = torch.arange(min(c.batch_size, *stacked.train.sizes), device=stacked.device)
        index = batch.repeat(len(configs), 1)
        seen = torch.ones_like(index, dtype=stacked.dtype)
        step = partial(stacked.step, index, seen, stacked.alive)
        evaluate = stacked.predict
        windows = max(stacked.train.sizes)
    step()  # warms up
    once = _seconds(lambda: [step() for _ in range(_STEPS)], device) / _STEPS
    return once * windows / c.batch_size + _seconds(evaluate, device)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
