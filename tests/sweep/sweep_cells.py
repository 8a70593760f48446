"""Cells of a tiny emulated fleet, made-up results of them, and waiting for sweeps."""

import dataclasses
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from shared import session_of

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.combiners import make_combiner
from amnl.sweep import Store, grid
from amnl.training import RunResult, TrainConfig

Start = Callable[..., "subprocess.Popen[str]"]
FLEET: dict[str, Any] = {"subset": "FD001", "seed": 3, "engines": 6, "test_engines": 4}
NOWHERE = "tcp://127.0.0.1:1"  # a sweep that gets as far as its scheduler fails
SMALL: dict[str, Any] = {"epochs": 8, "stride": 10, "batch_size": 32}
CELLS = grid(("FD001",), range(8), lams=(0.3, 0.5), **SMALL)
# The same cells on the command line.
SWEEP = ("--subsets", "FD001", "--lams", "0.3,0.5", "--stride", "10", "--batch-size", "32")
EIGHT = (*SWEEP, "--seeds", "8", "--epochs", "8")


def _source() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return str(cmapss.find(emulator.write_fleet(folder, **FLEET)))


SOURCE = _source()


def comparable(result: RunResult) -> dict[str, Any]:
    """A result without what depends on the clock."""
    stored = result.to_dict()
    del stored["provenance"]
    for record in stored["history"]:
        del record["seconds"]
    return stored


def contents(store: Store) -> dict[str, Any]:
    """Every record, verified, by its name."""
    return {store.path(r.config, SOURCE).name: comparable(r) for r in store}


def wait_for(condition: Callable[[], object], what: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.02)


def wait_for_a_cell(store: Store, driver: "subprocess.Popen[str]", before: int = 0) -> None:
    """Until the store has more records than before."""
    wait_for(lambda: len(store) > before or driver.poll() is not None, "a finished cell")
    assert driver.poll() is None, driver.communicate()


def wait_for_the_end(driver: "subprocess.Popen[str]") -> None:
    wait_for(lambda: session_of(driver) == [], "workers to follow their sweep", 60)


def finished(config: TrainConfig = CELLS[0], data: str = SOURCE, epochs: int = 20) -> RunResult:
    """A result of made-up numbers, other ones for another seed."""
    draw = random.Random(config.seed)
    weights = make_combiner(config.combiner, **config.combiner_settings).get_weights()
    history = [
        {"epoch": n, "val_rmse": draw.random(), "test_rmse": draw.random(), **weights}
        for n in range(1, epochs + 1)
    ]
    metrics = {"test_rmse": draw.random(), "val_rmse": draw.random()}
    predictions = {"pred": [draw.random(), 1e-7], "rul": [7.0, 125.0]}
    return RunResult(config, metrics, history, predictions, {"data": data, "seconds": 0.1})


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """Writing past this many bytes of a file fails, as on a full disk: after the first of them."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


MINE = dataclasses.replace(CELLS[0], combiner="mine", combiner_settings={})
