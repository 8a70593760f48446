"""A sweep: run the cells that a store does not hold."""

import dataclasses
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from amnl import cmapss
from amnl.cmapss import OwnFleet
from amnl.runs import Claims, InProcess, OnDask, Progress, Workers, connect, cores, drive
from amnl.sweep.store import Store
from amnl.sweep.train_cells import pickled_combiners, train_cells, train_own_cells
from amnl.training import RunResult, TrainConfig, pick_device, population

TOGETHER = 110  # cells side by side on a GPU, a subset's eleven weights of ten seeds


def run(
    cells: Sequence[TrainConfig],
    store: Store,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    together: int | None = None,
    data_dir: str | Path | OwnFleet | None = None,
    device: str | None = None,
    precision: str | None = None,
    on_change: Callable[[Progress[TrainConfig]], object] = lambda progress: None,
) -> Progress[TrainConfig]:
    """Run every cell that the store does not hold, and return when none is left.

    Finished cells stay, whatever happens. A cell whose loss stops being finite, or that takes its
    worker down four times, is recorded as failed and the others go on. A worker that dies has its
    cell run again by another.

    Parameters
    ----------
    scheduler
        Address of a running Dask scheduler (`tcp://…`). Without one, a GPU of this machine trains;
        without that, a local cluster, which is made and closed again.
    workers
        Processes of one thread in the local cluster; by default one a core. 0 trains in this
        process, one group after another, and needs no Dask.
    together
        How many cells that share their settings are trained side by side as one model; by default
        110 on a GPU of this machine, else 1.
    data_dir
        A folder or a zip, as `cmapss.find` looks, which each worker finds, too. A fleet of your own
        (`Fleet.from_frame`; cells of the subset "own") is sent to them.
    device
        `cpu`, `cuda` or `cuda:1`, here or on the scheduler's workers; by default a GPU where there
        is one.
    precision
        Of matrix products of cells side by side: see `Population`.
    on_change
        Called whenever a cell starts or ends.

    Raises
    ------
    ValueError
        For a precision that is none, and where a cell is not trained side by side, so has none.
    StoreError
        For a damaged record, before anything is trained, and where the store cannot be written.
    DataError
        Where the data are not there, or a worker has others.
    RuntimeError
        When the scheduler is lost.
    SystemExit
        With one line, in a script without a main guard: see `connect`.
    """
    population.check_precision(precision, cells)
    found = cmapss.source_of(data_dir, {config.subset for config in cells})
    source = str(found)
    waiting = {store.path(config, source): config for config in cells}  # each once
    progress: Progress[TrainConfig] = Progress(total=len(waiting))
    for path in [path for path in waiting if path.exists()]:
        store.load(path)  # a damaged record is reported now, not after the others
        del waiting[path]
        progress.before += 1
    if not waiting:
        return progress
    store.check_space(len(waiting))
    if isinstance(found, OwnFleet):
        _look_at(found, waiting.values())
    here = is_here(scheduler, workers, device)
    together = together or side_by_side(here, device)
    how: dict[str, Any] = {"source": source, "device": device, "precision": precision}
    how["stacked"] = together > 1

    def on_epoch(epoch: int) -> None:
        progress.epoch = epoch
        on_change(progress)

    with ExitStack() as stack:  # a notebook lives on after an error, what was claimed must not
        claims = stack.enter_context(Claims(store.folder))
        trainers: Workers[TrainConfig, RunResult]
        if here:
            place = found if isinstance(found, OwnFleet) else _named(data_dir, found)
            trainers = InProcess(partial(train_cells, data_dir=place, on_epoch=on_epoch, **how))
        else:
            client = stack.enter_context(connect(scheduler, workers or cores()))
            how["factories"] = pickled_combiners(waiting.values())
            if isinstance(found, OwnFleet):
                train = partial(train_own_cells, **how)
                trainers = OnDask(client, train, pickle.dumps(found))
            else:
                place = _named(data_dir, found)
                trainers = OnDask(client, partial(train_cells, data_dir=place, **how))
        groups = groups_of(waiting, together)
        ended = drive(
            waiting, trainers, progress, claims=claims, groups=groups, on_change=on_change
        )
        for path, result in stack.enter_context(closing(ended)):
            if isinstance(result, Exception):
                store.put_failure(waiting[path], source, result)
            else:
                store.put(result)
    return progress


def _look_at(fleet: OwnFleet, cells: Iterable[TrainConfig]) -> None:
    """Say here what is wrong with a reader's table, or worth a note: workers note it unseen."""
    for seed, framing in {(config.seed, config.framing) for config in cells}:
        cmapss.load(cmapss.OWN, seed, fleet, framing=framing)


def _named(data_dir: object, found: cmapss.Source) -> str | None:
    """The folder that a worker looks into, or None: it finds its own."""
    return None if data_dir is None else str(found.folder)


def is_here(scheduler: str | None, workers: int | None, device: str | None) -> bool:
    """Whether this process trains, and not the workers of a cluster."""
    return scheduler is None and (workers == 0 or pick_device(device).type == "cuda")


def side_by_side(here: bool, device: str | None) -> int:
    """How many cells are trained side by side, where nobody says."""
    return TOGETHER if here and pick_device(device).type == "cuda" else 1


def groups_of(cells: Mapping[Path, TrainConfig], together: int) -> list[list[Path]]:
    """Cells that one population can hold, `together` at most, in the order of their first ones."""
    kinds: dict[Any, list[Path]] = {}
    for path, config in cells.items():
        settings = dataclasses.asdict(config)
        shared = {k: v for k, v in settings.items() if k not in population.MAY_DIFFER}
        alone = () if population.fits(config) else (path,)
        kinds.setdefault((*shared.items(), *alone), []).append(path)
    found = [
        kind[start : start + together]
        for kind in kinds.values()
        for start in range(0, len(kind), together)
    ]
    order = {path: number for number, path in enumerate(cells)}
    return sorted(found, key=lambda group: order[group[0]])
