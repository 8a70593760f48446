"""Many cells: the grid, its store, and the workers that fill it.

A cell is one training, and a `TrainConfig` says all about it. Its record is one file in the store,
written whole or not at all, with a checksum, and named by what the cell is: its settings and the
bytes of its data. So a sweep that is killed leaves finished cells and nothing else, and the same
command goes on from there. Two sweeps may share a store: each claims a cell before it runs it, and
a claim dies with its process.

One code path through Dask runs the cells, on this machine or on many. Workers train and send the
result back; the process that called `run` alone writes. A GPU of this machine needs no Dask: there
many cells train side by side in this process (`amnl.training.population`). Which cells make up the
families is fixed by the book's protocol page.
"""

import copy
import ctypes
import dataclasses
import errno
import gc
import hashlib
import json
import math
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from amnl import cmapss
from amnl.cmapss import SUBSETS, DataError, Source
from amnl.combine import SOURCE_LAMS
from amnl.combiners import FixedWeightLoss, make_combiner
from amnl.combiners.registry import FACTORIES
from amnl.files import FileError, write_atomically
from amnl.losses import rmse
from amnl.runs.fingerprint import UnreadError, fingerprint
from amnl.runs.records import StoreError, canonical, sealed, unsealed
from amnl.training import (
    GIVEN,
    NEWER,
    RunResult,
    TrainConfig,
    Trainer,
    TrainingError,
    pick_device,
    population,
    recorded,
    train,
)
from amnl.training.model import LADDER, make_model

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client, Future

# The grids of the protocol.
STRIDES = {"FD001": 4, "FD002": 8, "FD003": 4, "FD004": 8}
UNITS = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 125.0, 250.0, 500.0, 1000.0)
FAMILIES = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q")
# Effective odds λ/(1 − λ) of families m and p.
ODDS = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 1.0, 10.0)
FAULT_ODDS = (1e-3, 0.01, 0.1, 1.0)
# The unit of the RUL error, cycles, of the families over λ.
_LAM_UNITS = {
    "a": 1.0,
    "b": 125.0,
    "g": 1.0,
    "h": 125.0,
    "i": 1.0,
    "j": 125.0,
    "k": 15.0,
    "l": 35.0,
}
# Combiners that compare the tasks as they train. The first two ignore the unit of a loss.
_Combiners = tuple[tuple[str, dict[str, Any]], ...]
NORMALISED: _Combiners = (("amnl", {}), ("amnl", {"normalise": "batch"}))
ADAPTIVE: _Combiners = (
    ("grace", {}),
    ("gradnorm", {}),
    ("uncertainty", {}),
    ("uncertainty", {"speed": 25.0}),
    ("dwa", {}),
)
_CELL = ("preset", "combiner", "combiner_settings", "rul_unit", "sample_weighted", "subset", "seed")
TOGETHER = 110  # cells side by side on a GPU, a subset's eleven weights of ten seeds
_EARLY = 15  # epochs of the source's coarse sweep
_VERSION = 1  # of records; raise it when training changes and no setting does: cells are run again
_BESIDE = ("version", "code")
_RECORD_BYTES = 64_000  # a generous guess, for the check of the disk
_NO_DASK = "a sweep needs Dask: pip install 'amnl[cluster]'"


class OtherVersionError(StoreError):
    """A whole record that another version of amnl made. It is no result of this one's."""


# --------------------------------------------------------------------------------------- the grid


def fixed(lam: float) -> dict[str, float]:
    """Settings of the fixed combiner for λ. Raises `ValueError` outside [0, 1]."""
    return FixedWeightLoss.convex(lam).get_weights()


def _of_odds(odds: float) -> float:
    """λ from λ/(1 − λ)."""
    return odds / (1 + odds)


def grid(
    subsets: Iterable[str] = SUBSETS,
    seeds: Iterable[int] = range(10),
    combiners: Iterable[tuple[str, dict[str, Any]]] = (("fixed", fixed(0.5)),),
    rul_units: Iterable[float] = (1.0,),
    **settings: Any,
) -> list[TrainConfig]:
    """Every combination, seeds outermost: a sweep that stops early has whole seeds.

    `settings` are fields of `TrainConfig`. Without a stride, the protocol's is taken. Raises
    `ValueError` for what no worker could train.
    """
    subsets, combiners, units = tuple(subsets), tuple(combiners), tuple(rul_units)
    make_model(settings.get("preset", TrainConfig.preset))
    for name, options in combiners:
        make_combiner(name, **options)
    for name, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")
    return [
        TrainConfig(
            **{"stride": STRIDES.get(subset, 1), **settings},
            subset=subset,
            seed=seed,
            combiner=name,
            combiner_settings=dict(options),
            rul_unit=unit,
        )
        for seed in seeds
        for subset in subsets
        for unit in units
        for name, options in combiners
    ]


def family(name: str, preset: str | None = None) -> list[TrainConfig]:
    """The cells of one family of the protocol. Raises `ValueError` for another name.

    Without a preset, the protocol's: compact; paper for families g to j, with all windows for g
    and h; the four of `LADDER` for family q.
    """
    lams = [("fixed", fixed(lam)) for lam in (*SOURCE_LAMS, 1.0)]
    if name == "q":
        few = [("fixed", fixed(lam)) for lam in (0.1, 0.5, 0.9, 1.0)]
        sizes = [
            cell
            for size in ((preset,) if preset else LADDER)
            for cell in grid(("FD001",), combiners=few, rul_units=(1.0, 35.0), preset=size)
        ]
        return sorted(sizes, key=lambda cell: cell.seed)
    preset = preset or ("paper" if name in ("g", "h", "i", "j") else "compact")
    if name in _LAM_UNITS:
        every: dict[str, Any] = {"stride": 1} if name in ("g", "h") else {}
        return grid(combiners=lams, rul_units=[_LAM_UNITS[name]], preset=preset, **every)
    if name == "c":
        return grid(("FD001", "FD002"), range(5), rul_units=UNITS, preset=preset)
    if name == "d":
        pair = [("fixed", fixed(lam)) for lam in (0.5, 0.75)]
        return grid(combiners=pair, sample_weighted=False, preset=preset)
    if name == "e":
        weighted = grid(combiners=(*NORMALISED, *ADAPTIVE), preset=preset)
        gaba = grid(combiners=[("gaba", {})], sample_weighted=False, preset=preset)
        return sorted(weighted + gaba, key=lambda cell: cell.seed)
    if name == "f":
        return grid(combiners=ADAPTIVE, rul_units=[125.0], preset=preset)
    if name == "m":
        weights = [("fixed", fixed(lam)) for lam in (0.0, *map(_of_odds, ODDS), 1.0)]
        return grid(combiners=weights, preset=preset)
    if name == "n":
        low = [("fixed", fixed(lam)) for lam in (0.1, 0.5)]
        top = [("fixed", fixed(lam)) for lam in (0.5, 1.0)]
        cells = grid(seeds=range(10, 25), combiners=low, preset=preset)
        cells += grid(("FD004",), range(10, 17), top, [125.0], preset=preset)
        return sorted(cells, key=lambda cell: cell.seed)
    if name == "o":
        up, down = (grid(nudge=nudge, preset=preset) for nudge in (1e-6, -1e-6))
        return sorted(up + down, key=lambda cell: cell.seed)
    if name == "p":
        weights = [("fixed", fixed(lam)) for lam in (*map(_of_odds, FAULT_ODDS), 1.0)]
        return grid(cmapss.TWO_FAULTS, combiners=weights, auxiliary="fault", preset=preset)
    raise ValueError(f"unknown family {name!r}; the protocol has {', '.join(FAMILIES)}")


# -------------------------------------------------------------------------------------- the store


class Store:
    """A folder of finished cells. `cells/` holds a record each, `failed/` what went wrong.

    A record is named by the settings and the data of its cell, by the code of a combiner that is
    not amnl's own, and by the version of records, where it is not the first.
    """

    def __init__(self, folder: str | Path, *, make: bool = True) -> None:
        """Makes the folder, unless told to take what is there. Raises `StoreError` where that
        cannot be done, and for a folder that is no store."""
        self.folder = Path(folder).expanduser()
        if not make:
            if not (self.folder / "cells").is_dir():
                raise StoreError(
                    f"{folder}: no such store; `amnl sweep --store {folder}` makes one"
                )
            return
        try:
            for name in ("cells", "failed"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def path(self, config: TrainConfig, data: str) -> Path:
        """Where this cell's record is, or will be. `data` is the `str` of a `Source`."""
        return self._path(dataclasses.asdict(config), data, _beside(config))

    def _path(self, settings: dict[str, Any], data: str, beside: dict[str, Any]) -> Path:
        known = {f.name for f in dataclasses.fields(TrainConfig) if f.type is float}
        same = {k: float(v) if k in known else v for k, v in recorded(settings).items()}
        same["combiner_settings"] = _as_floats(settings["combiner_settings"])
        identity = canonical({"config": same, "data": data, **beside})
        digest = hashlib.sha256(identity).hexdigest()[:16]
        return self.folder / "cells" / f"{settings['subset']}-seed{settings['seed']}-{digest}.json"

    def __len__(self) -> int:
        return sum(1 for _ in self.folder.glob("cells/*.json"))

    def __iter__(self) -> Iterator[RunResult]:
        """Every record, verified. Those of other versions of amnl are left out, with a warning."""
        others = []
        for path in sorted(self.folder.glob("cells/*.json")):
            try:
                yield self.load(path)
            except OtherVersionError as error:
                others.append(error)
        if others:
            more = f" ({len(others)} such records)" if len(others) > 1 else ""
            warnings.warn(f"left out: {others[0]}{more}", stacklevel=2)

    def load(self, path: Path) -> RunResult:
        """One record. Raises `StoreError` when it is not what was written, `OtherVersionError` when
        it has other settings than a `TrainConfig` of today, or is of another format."""

        def parse(run: dict[str, Any]) -> RunResult:
            beside = {key: run.pop(key) for key in _BESIDE if key in run}
            settings, data = run["config"], run["provenance"]["data"]
            if path.name != self._path(settings, data, beside).name:
                raise ValueError("its name is that of another cell")
            if faults := _of_another_version(settings, beside.get("version", 1)):
                raise OtherVersionError(
                    f"{path} was made by another version of amnl ({faults}). That version reads "
                    "it; in this one, the next sweep trains its cell again, and leaves it as it is"
                )
            result = RunResult.from_dict(run)
            if "code" in beside:
                result.provenance["combiner_code"] = beside["code"]
            return result

        return unsealed(path, parse)

    def put(self, result: RunResult) -> None:
        """Keep a finished cell: the whole record or none. Raises `StoreError` for a run whose
        combiner was given as an object: its name and numbers are not all that decides what it does.
        """
        if result.config.combiner.startswith(GIVEN):
            raise StoreError(
                f"a run's combiner was an object ({result.config.combiner}), and no name in a "
                "store says what such a one does. Register it and name it in the settings, or keep "
                "the run with RunResult.save"
            )
        path = self.path(result.config, result.provenance["data"])
        self._write(path, sealed({**result.to_dict(), **_beside(result.config)}))
        self._failure(path).unlink(missing_ok=True)

    def put_failure(self, config: TrainConfig, data: str, error: BaseException) -> None:
        """Keep what went wrong. The cell stays open: the next sweep tries it again."""
        what = {"error": str(error), "kind": type(error).__name__}
        record = {**what, "config": recorded(dataclasses.asdict(config)), "data": data}
        self._write(self._failure(self.path(config, data)), canonical(record))

    def failures(self) -> list[dict[str, Any]]:
        """Settings and message of every cell that failed last time."""
        found = []
        for path in sorted(self.folder.glob("failed/*.json")):
            try:
                found.append(json.loads(path.read_bytes()))
            except ValueError as error:
                raise StoreError(f"{path} is damaged ({error}). Delete it.") from error
        return found

    def check_space(self, cells: int) -> None:
        """Raises `StoreError` where the records of so many cells cannot be written."""
        try:
            free = shutil.disk_usage(self.folder).free
            probe = self.folder / "cells" / f".probe-{os.getpid()}"
            write_atomically(probe, bytes(_RECORD_BYTES))
            probe.unlink(missing_ok=True)  # another machine's sweep may have our number
        except (OSError, FileError) as error:
            raise self._unwritable(error) from error
        if free < cells * _RECORD_BYTES:
            raise StoreError(
                f"{self.folder} has {free / 1e6:.1f} MB free; {cells} records may need "
                f"{cells * _RECORD_BYTES / 1e6:.0f} MB. Make room, or name another --store."
            )

    def claim(self, path: Path) -> bool:
        """Take a cell for this store, unless it is taken, here or by another process. Ends with
        `release` or `close`, or with the process, however it ends. (A byte range of one lock file.
        Windows has none, nor do some network drives: there two processes may do the same work
        twice.)"""
        with _claiming:
            claims = self._claims()
            free = path.name not in claims.owners and self._lock(claims, path.name, take=True)
            if free:
                claims.owners[path.name] = self
            return free

    def release(self, path: Path) -> None:
        """Give a claimed cell back."""
        self._release([path.name])

    def close(self) -> None:
        """Give every claim of this store back. It can still be used."""
        self._release(list(self._claims().owners))

    def _release(self, names: list[str]) -> None:
        with _claiming:
            claims = self._claims()
            for name in names:
                if claims.owners.get(name) is self:
                    del claims.owners[name]
                    self._lock(claims, name, take=False)
            if claims.file and not claims.owners:
                claims.file.close()
                claims.file = None

    def _claims(self) -> "_Claims":
        return _CLAIMS.setdefault((os.getpid(), str(self.folder.resolve())), _Claims())

    def _lock(self, claims: "_Claims", name: str, *, take: bool) -> bool:
        try:
            import fcntl
        except ImportError:
            return True
        if claims.file is None:
            claims.file = (self.folder / "claims").open("wb")
        place = int(hashlib.sha256(name.encode()).hexdigest()[:15], 16)
        how = fcntl.LOCK_EX | fcntl.LOCK_NB if take else fcntl.LOCK_UN
        try:
            fcntl.lockf(claims.file, how, 1, place)
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                return True
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise self._unwritable(error) from error
        return True

    def _write(self, path: Path, record: bytes) -> None:
        try:
            write_atomically(path, record)
        except FileError as error:
            raise self._unwritable(error) from error

    def _failure(self, path: Path) -> Path:
        return self.folder / "failed" / path.name

    def _unwritable(self, error: Exception) -> StoreError:
        cause = error.__cause__ or error
        reason = getattr(cause, "strerror", None) or cause
        return StoreError(
            f"the store {self.folder} cannot be written: {reason}. Finished cells "
            "are safe; make room or name another --store, and run the same command again."
        )


@dataclass
class _Claims:
    """What this process has claimed in one folder, and for which of its stores. They share a file,
    as a process loses all its locks on a file once it closes it, whoever opened it."""

    file: Any = None
    owners: dict[str, Store] = field(default_factory=dict)


_CLAIMS: dict[tuple[int, str], _Claims] = {}  # of a process and a folder
_claiming = threading.Lock()


def _beside(config: TrainConfig) -> dict[str, Any]:
    """What decides a cell besides its settings and data. Raises `StoreError` where a combiner that
    is not amnl's own holds what cannot be looked into."""
    beside: dict[str, Any] = {} if _VERSION == 1 else {"version": _VERSION}
    if factory := _own_factories([config]).get(config.combiner):
        try:
            beside["code"] = fingerprint(factory)
        except UnreadError as error:
            raise StoreError(
                f"combiner {config.combiner!r} holds a {error}, so its code cannot be known again; "
                "make it in __init__, or leave it out in __getstate__"
            ) from error
    return beside


def _own_factories(cells: Iterable[TrainConfig]) -> dict[str, Callable[..., Any]]:
    """What makes the combiners that are not amnl's, by name."""
    made = {config.combiner: FACTORIES.get(config.combiner) for config in cells}
    return {
        name: factory
        for name, factory in made.items()
        if factory and not str(getattr(factory, "__module__", "")).startswith("amnl.")
    }


def _of_another_version(settings: dict[str, Any], version: int) -> str:
    """In what the settings and the version of a record differ from today's."""
    today = {f.name for f in dataclasses.fields(TrainConfig)}
    faults = [f"it lacks {name}" for name in sorted(today - settings.keys() - set(NEWER))]
    faults += [f"it has {name}" for name in sorted(settings.keys() - today)]
    faults += [f"its format is {version}, ours {_VERSION}"] if version != _VERSION else []
    return ", ".join(faults)


def _as_floats(value: Any) -> Any:
    """25 and 25.0 are one setting, in whatever it lies."""
    if isinstance(value, dict):
        return {key: _as_floats(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_as_floats(part) for part in value]
    if hasattr(value, "item"):  # of NumPy or PyTorch
        value = value.item()
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value


# ------------------------------------------------------------------------------------ running it


@dataclass
class Progress:
    """Where a sweep stands, in cells. `done` counts this call's, `before` those found finished,
    `elsewhere` those that another sweep on the same store ran meanwhile; `epoch` is that of the
    cells now running on this machine's GPU."""

    total: int
    before: int = 0
    done: int = 0
    elsewhere: int = 0
    failed: list[tuple[TrainConfig, str]] = field(default_factory=list)
    running: list[TrainConfig] = field(default_factory=list)
    finished: list[TrainConfig] = field(default_factory=list)
    workers: int = 0
    epoch: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> int:
        """Cells that are still to be run."""
        return self.total - self.before - self.done - self.elsewhere - len(self.failed)

    @property
    def seconds_left(self) -> float | None:
        """From the rate so far; None before the first cell has ended."""
        ended = self.done + self.elsewhere + len(self.failed)
        return (time.monotonic() - self.started) / ended * self.left if ended else None


def run(
    cells: Sequence[TrainConfig],
    store: Store,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    together: int | None = None,
    data_dir: str | Path | None = None,
    device: str | None = None,
    precision: str | None = None,
    on_change: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Run every cell that the store does not hold, and return when none is left.

    scheduler  address of a running Dask scheduler (`tcp://…`); without one, a GPU of this machine,
               and without that, a local cluster of `workers` processes of one thread (default: one
               a core), which is made and closed again
    together   how many cells that share their settings are trained side by side as one model
               (default: 110 on a GPU of this machine, else 1)
    device     `cpu`, `cuda` or `cuda:1`, here or on the scheduler's workers (default: a GPU where
               there is one)
    precision  of matrix products of cells side by side: see `Population`
    on_change  called whenever a cell starts or ends

    A cell whose loss stops being finite, or that takes its worker down four times, is recorded as
    failed and the others go on. A worker that dies has its cell run again by another. Raises
    `StoreError`, `DataError`, and `RuntimeError` when the scheduler is lost; finished cells stay.
    `SystemExit`, one line, where a script calls it without a main guard: see `connect`.
    """
    population.check_precision(precision)
    here = scheduler is None and _on_gpu(device)
    found = cmapss.find(data_dir, {config.subset for config in cells})
    source = str(found)
    waiting = {store.path(config, source): config for config in cells}  # each once
    progress = Progress(total=len(waiting))
    for path in [path for path in waiting if path.exists()]:
        store.load(path)  # a damaged record is reported now, not after the others
        del waiting[path]
        progress.before += 1
    if not waiting:
        return progress
    store.check_space(len(waiting))
    store = copy.copy(store)  # its claims are this call's, whoever else has the store
    folder = None if data_dir is None else str(found.folder)
    together = together or (TOGETHER if here else 1)
    groups = _groups(waiting, together)
    train_cells = partial(
        _train_cells,
        data_dir=folder,
        source=source,
        device=device,
        precision=precision,
        stacked=together > 1,
    )
    try:
        if here:
            _drive_here(train_cells, groups, waiting, store, source, progress, on_change)
            return progress
        with connect(scheduler, workers or _cores()) as client:
            train_cells = partial(train_cells, factories=_pickled(waiting.values()))
            _drive(client, train_cells, groups, waiting, store, source, progress, on_change)
    finally:
        store.close()  # a notebook lives on after an error, its claims must not
    return progress


def _pickled(cells: Iterable[TrainConfig]) -> dict[str, bytes]:
    """Combiners that are not amnl's, with their code, as workers know none of them."""
    import cloudpickle

    found = {}
    for name, factory in _own_factories(cells).items():
        module = sys.modules.get(factory.__module__)
        by_name = module is not None and factory.__module__ != "__main__"
        if by_name:  # a worker may have another day's
            cloudpickle.register_pickle_by_value(module)
        try:
            found[name] = cloudpickle.dumps(factory)
        finally:
            if by_name:
                cloudpickle.unregister_pickle_by_value(module)
    return found


def _groups(cells: dict[Path, TrainConfig], together: int) -> deque[list[Path]]:
    """Cells that one population can hold, `together` at most, in the order of their first ones."""
    kinds: dict[Any, list[Path]] = {}
    for path, config in cells.items():
        shared = {k: v for k, v in dataclasses.asdict(config).items() if k not in population.OWN}
        alone = () if population.fits(config) else (path,)
        kinds.setdefault((*shared.items(), *alone), []).append(path)
    found = [
        kind[start : start + together]
        for kind in kinds.values()
        for start in range(0, len(kind), together)
    ]
    order = {path: number for number, path in enumerate(cells)}
    return deque(sorted(found, key=lambda group: order[group[0]]))


def _take(
    group: list[Path], groups: deque[list[Path]], store: Store, progress: Progress
) -> list[Path]:
    """Claim a group's cells. What another sweep is running is put back, to be looked at later."""
    taken, busy = [], []
    for path in group:
        if not store.claim(path):
            busy.append(path)
        elif path.exists():
            store.release(path)
            progress.elsewhere += 1
        else:
            taken.append(path)
    if busy:
        groups.append(busy)
    return taken


def _drive_here(
    train_cells: Callable[..., list[dict[str, Any] | TrainingError]],
    groups: deque[list[Path]],
    cells: dict[Path, TrainConfig],
    store: Store,
    source: str,
    progress: Progress,
    on_change: Callable[[Progress], None],
) -> None:
    """Train in this process, a group at a time."""

    def on_epoch(epoch: int) -> None:
        progress.epoch = epoch
        on_change(progress)

    progress.workers = 1
    threads = torch.get_num_threads()
    while groups:
        before = len(groups)
        taken = _take(groups.popleft(), groups, store, progress)
        progress.running, progress.epoch = [cells[path] for path in taken], 0
        on_change(progress)
        if taken:
            settings = [dataclasses.asdict(cells[path]) for path in taken]
            try:
                results = train_cells(settings, on_epoch=on_epoch)
            finally:
                torch.set_num_threads(threads)
            for path, result in zip(taken, results, strict=True):
                _keep(result, cells[path], store, source, progress)
                store.release(path)
        elif len(groups) >= before:
            time.sleep(0.5)
    progress.running, progress.epoch = [], 0
    on_change(progress)


def _drive(
    client: "Client",
    train_cells: Callable[..., list[dict[str, Any] | TrainingError]],
    groups: deque[list[Path]],
    cells: dict[Path, TrainConfig],
    store: Store,
    source: str,
    progress: Progress,
    on_change: Callable[[Progress], None],
) -> None:
    from distributed import KilledWorker, wait

    running: dict[Any, list[Path]] = {}
    while groups or running:
        with _scheduler_answers(progress):
            progress.workers = len(client.nthreads())
        # No more than there are workers: what is submitted is claimed, and others may want it.
        for _ in range(len(groups)):
            if len(running) >= progress.workers:
                break
            taken = _take(groups.popleft(), groups, store, progress)
            if taken:
                settings = [dataclasses.asdict(cells[path]) for path in taken]
                with _scheduler_answers(progress):
                    running[client.submit(train_cells, settings, pure=False)] = taken
        progress.running = [cells[path] for taken in running.values() for path in taken]
        on_change(progress)
        if not running:
            time.sleep(0.5)
            continue
        finished: set[Any] = set()
        with _scheduler_answers(progress), suppress(TimeoutError):
            finished = wait(list(running), timeout=1, return_when="FIRST_COMPLETED").done
        for future in finished:
            taken = running.pop(future)
            results = _sent(future, len(taken))
            if len(taken) > 1 and isinstance(results[0], KilledWorker):
                # One cell of the group may be to blame, or its size: try two halves.
                half = len(taken) // 2
                groups.extend([taken[:half], taken[half:]])
                for path in taken:
                    store.release(path)
                continue
            for path, result in zip(taken, results, strict=True):
                _keep(result, cells[path], store, source, progress)
                store.release(path)
    progress.running = []
    on_change(progress)


@contextmanager
def _scheduler_answers(progress: Progress) -> Iterator[None]:
    """Around what is asked of Dask, and no more: a full disk is not a lost scheduler."""
    try:
        yield
    except (OSError, TimeoutError, CancelledError) as error:
        reason = str(error).partition(":\n")[0]  # the rest lists keys of Dask's
        raise RuntimeError(
            f"lost the Dask scheduler ({reason}). {progress.done} cells of this call are in the "
            "store; run the same command again for the rest."
        ) from error


def _sent(future: "Future", cells: int) -> list[dict[str, Any] | Exception]:
    """What a worker sent for so many cells. The cells' own faults are results; others raise."""
    from distributed import KilledWorker

    if future.status == "finished":
        results: list[dict[str, Any] | Exception] = future.result()
        return results
    error = future.exception() if future.status == "error" else None
    if isinstance(error, KilledWorker):
        return [error] * cells
    raise error or RuntimeError(
        "the Dask scheduler dropped a cell; finished cells are in the store, run the same "
        "command again"
    )


def _keep(
    result: dict[str, Any] | Exception,
    config: TrainConfig,
    store: Store,
    source: str,
    progress: Progress,
) -> None:
    """Put what a worker sent, a result or a failure, into the store."""
    if isinstance(result, Exception):
        store.put_failure(config, source, result)
        progress.failed.append((config, str(result)))
    else:
        store.put(RunResult.from_dict(result))
        progress.done += 1
        progress.finished.append(config)


_one_at_a_time = threading.Lock()  # a cell uses its process's random state


def _train_cells(
    settings: list[dict[str, Any]],
    data_dir: str | None,
    source: str,
    device: str | None = None,
    precision: str | None = None,
    on_epoch: Callable[[int], None] | None = None,
    stacked: bool = False,
    factories: Mapping[str, bytes] = MappingProxyType({}),
) -> list[dict[str, Any] | TrainingError]:
    """On a worker: train cells with the very data that the sweep is about, on one thread or the
    GPU, and with the combiners of the sweep. One result a cell, or why it stopped."""
    with _one_at_a_time:
        FACTORIES.update({name: pickle.loads(factory) for name, factory in factories.items()})
        torch.set_num_threads(1)
        keep_freed_memory()
        found = cmapss.find(data_dir)
        if str(found) != source:
            raise DataError(
                f"this worker finds {found} in {found.folder}, the sweep is about {source}. Point "
                "AMNL_DATA_DIR at the same files on every machine."
            )
        configs = [TrainConfig(**s) for s in settings]
        results = _together(configs, found, pick_device(device), precision, on_epoch, stacked)
        return [r if isinstance(r, TrainingError) else r.to_dict() for r in results]


def _alone(
    config: TrainConfig,
    source: Source,
    device: torch.device,
    on_epoch: Callable[[int], None] | None,
) -> RunResult | TrainingError:
    def tell(record: dict[str, Any]) -> None:
        if on_epoch:
            on_epoch(record["epoch"])

    try:
        return train(config, source, device=device, on_epoch=tell)
    except TrainingError as error:
        return error
    except torch.OutOfMemoryError as error:
        return _too_large(config, error)


def _too_large(config: TrainConfig, error: torch.OutOfMemoryError) -> TrainingError:
    what = str(error).partition(". ")[0]
    return TrainingError(
        f"not even one cell fits on the GPU ({what}); preset {config.preset}, batch size "
        f"{config.batch_size}. A smaller --batch-size needs less."
    )


def _together(
    configs: list[TrainConfig],
    source: Source,
    device: torch.device,
    precision: str | None,
    on_epoch: Callable[[int], None] | None,
    stacked: bool = False,
) -> list[RunResult | TrainingError]:
    """A population, or two halves of it where the GPU's memory does not hold the whole. Where cells
    are trained side by side, one that is left over is a population, too: of a seed, all have the
    dropout masks of one."""
    first = configs[0]
    if len(configs) == 1 and precision is None and not (stacked and population.fits(first)):
        return [_alone(first, source, device, on_epoch)]
    seeds = sorted({c.seed for c in configs})
    data = {s: cmapss.load(first.subset, s, source, stride=first.stride) for s in seeds}
    try:
        whole = population.Population(configs, data, device=device, precision=precision)
        return whole.fit(on_epoch)
    except torch.OutOfMemoryError as error:
        if len(configs) == 1:
            return [_too_large(first, error)]
    gc.collect()  # the tensors of the attempt
    torch.cuda.empty_cache()
    half = len(configs) // 2
    return [
        result
        for part in (configs[:half], configs[half:])
        for result in _together(part, source, device, precision, on_epoch, stacked)
    ]


def keep_freed_memory() -> None:
    """Dask tells its workers' malloc to give freed memory back at once. Training asks for the same
    megabytes again at every step, and the page faults double its time."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:  # glibc's; others have no such knob, nor the problem
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD, bytes
        mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD, its largest


@contextmanager
def connect(scheduler: str | None, workers: int) -> Iterator["Client"]:
    """A client of a running Dask scheduler, or of a local cluster that ends with it.

    Raises `RuntimeError` without Dask, and for a scheduler that does not answer or has no worker.
    Each local worker imports the script that started it. Where that script has no main guard, the
    workers would sweep, too: they end instead, and the script with one line (`SystemExit`).
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(1)  # a worker that imports such a script; its parent says what to do
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise RuntimeError(_NO_DASK) from error
    if scheduler:
        with ExitStack() as stack:
            try:
                client = stack.enter_context(Client(scheduler, timeout=10))
                client.wait_for_workers(1, timeout=60)
            except (OSError, TimeoutError) as error:
                raise RuntimeError(
                    f"no scheduler with a worker at {scheduler} ({error}). Start them with "
                    f"`dask scheduler` and `dask worker {scheduler} --nthreads 1`."
                ) from error
            yield client
        return
    try:
        with _deaf_to_ctrl_c():
            started = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=None,
                # Its HTTP server starts all the same, by default on a port for one sweep only.
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs="CRITICAL",
                preload=["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"],
            )
    except RuntimeError as error:
        line = (
            f"the workers ended as they started ({error}). In a script, sweep under "
            '`if __name__ == "__main__":`, as each worker imports the script first'
        )
        script = getattr(sys.modules["__main__"], "__file__", None)
        raise (SystemExit(line) if script else RuntimeError(line)) from error
    with started as cluster, Client(cluster) as client:
        yield client


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started here leave a Ctrl-C, which a terminal sends to all, to us."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows: they hear it until their preload
        yield
        return
    from multiprocessing import resource_tracker

    # Started now, as its start lifts the mask. It sweeps up after processes that are cut off, and
    # need not tell the terminal.
    quiet = "ignore:resource_tracker:UserWarning"
    sys.warnoptions.append(quiet)
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove(quiet)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _on_gpu(device: str | None) -> bool:
    return pick_device(device).type == "cuda"


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


# ----------------------------------------------------------------------------------- what it costs


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take on this machine, from a few timed steps of each kind of cell.

    memory  bytes, of all workers together or of the GPU
    """

    cells: int
    finished: int
    workers: int
    seconds: float
    memory: float

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
    data_dir: str | Path | None = None,
    device: str | None = None,
    precision: str | None = None,
) -> Estimate:
    """Time a few steps of each kind of cell (subset, preset, combiner, ...) as `run` would train
    it: on one thread, or side by side on this machine's GPU.

    Workers that share a memory bus are slower than one alone, so expect somewhat more.
    """
    population.check_precision(precision)
    source = cmapss.find(data_dir, {config.subset for config in cells})
    paths = {store.path(c, str(source)): c for c in cells}
    todo = {path: c for path, c in paths.items() if not path.exists()}
    where = pick_device(device)
    gpu = _on_gpu(device)
    together = together or (TOGETHER if gpu else 1)
    groups = [[todo[path] for path in group] for group in _groups(todo, together)]
    kinds: dict[tuple[Any, ...], float] = {}
    seconds = 0.0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for group in groups:
            c = group[0]
            kind = (c.subset, c.preset, c.combiner, c.stride, c.batch_size, c.dtype, len(group))
            if kind not in kinds:
                kinds[kind] = _seconds_per_epoch(group, source, where, precision)
            seconds += c.epochs * kinds[kind]
    finally:
        torch.set_num_threads(threads)
    used = 1 if gpu else min(workers or _cores(), max(len(groups), 1))
    memory = float(torch.cuda.max_memory_allocated(where)) if gpu else used * _peak_memory()
    return Estimate(len(paths), len(paths) - len(todo), used, seconds / used, memory)


def _peak_memory() -> float:
    """The most that this process has held, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        try:
            import psutil
        except ImportError as error:
            raise RuntimeError(f"{_NO_DASK} (and its psutil)") from error
        held = psutil.Process().memory_info()
        return float(getattr(held, "peak_wset", held.rss))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


def _seconds_per_epoch(
    configs: Sequence[TrainConfig],
    source: Source,
    device: torch.device,
    precision: str | None = None,
    steps: int = 5,
) -> float:
    """Of one cell, or of several side by side."""
    c = configs[0]
    data = {d.seed: cmapss.load(d.subset, d.seed, source, stride=d.stride) for d in configs}
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
    once = _seconds(lambda: [step() for _ in range(steps)], device) / steps
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


# ------------------------------------------------------------------------------------- the report


def to_rows(results: Iterable[RunResult]) -> "pd.DataFrame":
    """One row a cell: settings, λ, metrics, provenance. Sorted, so that a store has one table.

    A setting of `train.NEWER` has a column where a cell has another value than the default.

    lam            λ of a convex fixed combiner, else empty
    val_rmse_e15   best validation RMSE (cycles) of the first 15 epochs
    constant_rmse  test RMSE (cycles) of the best constant prediction
    """
    import pandas as pd

    results, rows = list(results), []
    cells = [dataclasses.asdict(result.config) for result in results]
    names = {f.name for f in dataclasses.fields(TrainConfig)} - set(NEWER)
    names |= {name for cell in cells for name in recorded(cell)}
    for cell, result in zip(cells, results, strict=True):
        settings = {name: value for name, value in cell.items() if name in names}
        settings["combiner_settings"] = json.dumps(settings["combiner_settings"])
        weights = result.history[0]
        total = weights["rul_weight"] + weights["health_weight"]
        convex = result.config.combiner == "fixed" and abs(total - 1) < 1e-9
        truth = result.predictions["rul"]
        rows.append(
            {
                **settings,
                "lam": weights["rul_weight"] if convex else None,
                **result.metrics,
                "val_rmse_e15": min(record["val_rmse"] for record in result.history[:_EARLY]),
                "constant_rmse": rmse([sum(truth) / len(truth)] * len(truth), truth),
                **result.provenance,
            }
        )
    table = pd.DataFrame(rows)
    order = ["preset", "combiner", "rul_unit", "subset", "lam", "combiner_settings", "seed"]
    others = [f.name for f in dataclasses.fields(TrainConfig) if f.name in names - set(order)]
    return table.sort_values([*order, *others, "data"], ignore_index=True) if rows else table


def to_history(results: Iterable[RunResult]) -> "pd.DataFrame":
    """One row an epoch of a cell: what tells the cell apart (`_CELL`, and each other setting, the
    data and a combiner's code where they are not the same in all), then the epoch's record."""
    import pandas as pd

    results = list(results)
    settings = [dataclasses.asdict(result.config) for result in results]
    for cell, result in zip(settings, results, strict=True):
        cell["combiner_settings"] = json.dumps(cell["combiner_settings"])
        cell["data"] = result.provenance["data"]
        cell["combiner_code"] = result.provenance.get("combiner_code", "")
    others = [f.name for f in dataclasses.fields(TrainConfig) if f.name not in _CELL]
    others += ["data", "combiner_code"]
    names = [*_CELL, *(name for name in others if len({cell[name] for cell in settings}) > 1)]
    rows = [
        {**{name: cell[name] for name in names}, **record}
        for cell, result in zip(settings, results, strict=True)
        for record in result.history
    ]
    table = pd.DataFrame(rows)
    return table.sort_values([*names, "epoch"], ignore_index=True) if rows else table


def config_of(row: "pd.Series[Any]") -> TrainConfig:
    """The settings that a row of `to_rows` came from: `train(config_of(row))` repeats its cell."""
    import pandas as pd

    settings = {
        f.name: row[f.name]
        for f in dataclasses.fields(TrainConfig)
        if f.name not in NEWER or pd.notna(row.get(f.name))  # a row from before it, or beside such
    }
    settings["combiner_settings"] = json.loads(settings["combiner_settings"])
    plain = {k: v.item() if hasattr(v, "item") else v for k, v in settings.items()}
    return TrainConfig(**plain)
