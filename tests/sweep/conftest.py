"""A fleet, a store, what its cells give, and processes to sweep them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from shared import session_of
from sweep_cells import CELLS, FLEET, SOURCE, Start, comparable, wait_for
from torch import Tensor

from amnl.cmapss import emulator
from amnl.combiners import Combiner, register, registry
from amnl.sweep import Store
from amnl.sweep import store as sweep
from amnl.training import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet of six engines."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(folder, **FLEET)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    """What each of `CELLS` gives without a sweep, by the name of its record."""
    names = Store(folder / "unused")
    return {names.path(c, SOURCE).name: comparable(train(c, folder)) for c in CELLS}


@pytest.fixture(scope="module")
def cluster(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dask scheduler with two workers, each a process, as on many machines."""
    file = tmp_path_factory.mktemp("cluster") / "scheduler.json"
    started = []

    def dask(*arguments: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        quiet = subprocess.DEVNULL
        started.append(subprocess.Popen(command, stdout=quiet, stderr=quiet))

    try:
        dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        # Dask makes the file before it writes to it.
        wait_for(lambda: file.exists() and file.read_text().endswith("}"), "a scheduler")
        address = json.loads(file.read_text())["address"]
        for _ in range(2):
            dask("worker", address, "--nthreads", "1", "--no-nanny")
        yield address
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def _heed_ctrl_c() -> None:
    """A shell starts its background jobs with Ctrl-C ignored, and their children inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def amnl() -> Iterator[Start]:
    """Starts the command as the head of a session, so that all that belongs to it can be found."""
    started = []

    def start(*arguments: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "amnl", *(str(a) for a in arguments)]
        pipe = subprocess.PIPE
        started.append(
            subprocess.Popen(
                command, stdout=pipe, stderr=pipe, text=True, start_new_session=True,
                preexec_fn=_heed_ctrl_c,
            )
        )  # fmt: skip
        return started[-1]

    yield start
    for process in started:
        for pid in session_of(process):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Registers "mine", with this factor in its code or its class."""
    monkeypatch.setattr(registry, "FACTORIES", dict(registry.FACTORIES))
    monkeypatch.setattr(sweep, "FACTORIES", registry.FACTORIES)

    def again(factor: float) -> None:
        class Mine(Combiner):
            gain = factor

            def __init__(self) -> None:
                super().__init__(1.0, 1.0)

            def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
                return self.gain * rul_loss + health_loss

            def get_name(self) -> str:
                return "mine"

        registry.FACTORIES.pop("mine", None)
        register("mine")(Mine)

    again(2.0)
    return again
