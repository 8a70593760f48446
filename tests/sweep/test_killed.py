"""A sweep that is killed, by the command that users type."""

import json
import os
import random
import re
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from sweep_cells import CELLS, EIGHT, SWEEP, Start, contents, wait_for_a_cell, wait_for_the_end

from amnl.sweep import Store

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.mark.slow  # it starts eleven sweeps, and Python with torch takes seconds to start
def test_a_sweep_killed_ten_times_ends_as_if_it_had_not_been(
    folder: Path, store: Store, expected: dict[str, Any], amnl: Start
) -> None:
    """Every other time while it trains cells, else while it starts, at random moments."""
    draw = random.Random(0)
    command = ("sweep", "--store", store.folder, *EIGHT, "--data-dir", folder, "--workers", 1)
    for kill in range(10):
        before, start = len(store), time.monotonic()
        driver = amnl(*command)
        if kill % 2 == 0:
            wait_for_a_cell(store, driver, before)
            to_first = time.monotonic() - start
            time.sleep(draw.random() * max(r.provenance["seconds"] for r in store))
        else:
            time.sleep(draw.random() * to_first)
        if driver.poll() is not None and len(store) == len(CELLS):
            assert kill > 4, "on a busy machine a sweep may be through before it has died ten times"
            break
        assert driver.poll() is None, driver.communicate()
        driver.kill()
        wait_for_the_end(driver)
        assert contents(store).items() <= expected.items()
    reached = len(store)
    driver = amnl(*command, "--json")
    output, errors = driver.communicate(timeout=240)
    assert driver.returncode == 0, errors
    found = json.loads(output)
    assert (found["found"], found["done"]) == (reached, len(CELLS) - reached)
    assert contents(store) == expected


def test_a_killed_worker_is_replaced_and_its_cell_run_again(
    folder: Path, store: Store, amnl: Start
) -> None:
    """And nothing is said of it, nor of the port that another program has taken."""
    command = ("sweep", "--store", store.folder, *SWEEP, "--seeds", 1, "--epochs", 30)

    def workers() -> list[psutil.Process]:
        children = psutil.Process(driver.pid).children(recursive=True)
        return [c for c in children if "spawn_main" in " ".join(c.cmdline())]

    with socket.socket() as taken:
        with suppress(OSError):
            taken.bind(("", 8787))  # the usual port of a Dask scheduler's pages
            taken.listen()
        driver = amnl(*command, "--data-dir", folder, "--workers", 1, "--json")
        wait_for_a_cell(store, driver)
        time.sleep(0.2)
        assert len(store) == 1  # the second cell is running
        (worker,) = workers()
        worker.kill()
        output, errors = driver.communicate(timeout=240)
    assert driver.returncode == 0, errors
    found = json.loads(output)
    assert (found["done"], found["failed"]) == (2, [])
    assert [len(r.history) for r in store] == [30, 30]
    lines = errors.splitlines()
    assert len(lines) == 2 and all("done;" in line for line in lines), errors
    wait_for_the_end(driver)


def test_ctrl_c_stops_everything_and_keeps_finished_cells(
    folder: Path, store: Store, expected: dict[str, Any], amnl: Start
) -> None:
    driver = amnl("sweep", "--store", store.folder, *EIGHT, "--data-dir", folder, "--workers", 1)
    wait_for_a_cell(store, driver)
    os.killpg(driver.pid, signal.SIGINT)  # a terminal sends it to the workers too
    _, errors = driver.communicate(timeout=240)
    assert driver.returncode == 130, errors
    assert re.search(r"stopped: .*store holds \d+ finished cells; the same command goes on", errors)
    assert "Traceback" not in errors
    wait_for_the_end(driver)
    assert len(store)
    assert contents(store).items() <= expected.items()
