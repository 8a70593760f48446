"""A sweep gives what its trainings give, whatever happens on the way.

Most sweeps here use the `cluster` fixture: a scheduler and two workers, a process each.
"""

import dataclasses
import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake_dask
import pytest
import torch
from shared import in_child
from sweep_cells import (
    CELLS,
    EIGHT,
    MINE,
    NOWHERE,
    SOURCE,
    SWEEP,
    Start,
    contents,
    finished,
    small_files,
    wait_for_a_cell,
)
from typer.testing import CliRunner

from amnl.cli.app import app
from amnl.combiners import registry
from amnl.runs import Claims
from amnl.sweep import Progress, Store, StoreError, estimate, fixed, grid, run, to_rows, train_cells
from amnl.sweep.running import groups_of
from amnl.training import TrainConfig, train

# Some tests fork: what a process holds or leaves behind, only another one can tell.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.usefixtures("own_cache"),
]


def test_a_full_disk_is_noticed_before_training(folder: Path, store: Store) -> None:
    with small_files(500), pytest.raises(StoreError, match=r"cannot be written.* --store"):
        run(CELLS, store, scheduler=NOWHERE, data_dir=folder)
    assert not list((store.folder / "cells").iterdir())


def test_a_disk_that_will_be_full_is_noticed_before_training(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=500_000))
    with pytest.raises(StoreError, match=r"0\.5 MB free; 16 records may need 1 MB"):
        run(CELLS, store, scheduler=NOWHERE, data_dir=folder)
    assert not list((store.folder / "cells").iterdir())


def test_a_sweep_gives_what_train_gives_and_runs_nothing_twice(
    folder: Path, store: Store, cluster: str, expected: dict[str, Any]
) -> None:
    together = []
    progress = run(
        CELLS,
        store,
        scheduler=cluster,
        data_dir=folder,
        on_change=lambda p: together.append((p.workers, len(p.running))),
    )
    assert (progress.done, progress.left, progress.failed) == (len(CELLS), 0, [])
    assert contents(store) == expected
    assert max(together) == (2, 2), "both workers have cells, and none waits in a queue"

    def stamps() -> dict[str, Any]:
        return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in store.folder.glob("*/*")}

    before = stamps()
    again = run(CELLS, store, scheduler=NOWHERE, data_dir=folder)
    assert (again.before, again.done, again.left) == (len(CELLS), 0, 0)
    assert stamps() == before
    lost = store.path(CELLS[5], SOURCE)
    lost.unlink()
    third = run([*CELLS, CELLS[5]], store, scheduler=cluster, data_dir=folder)
    assert (third.total, third.before, third.finished) == (len(CELLS), len(CELLS) - 1, [CELLS[5]])
    assert contents(store) == expected
    after = stamps()
    assert {name for name in after if after[name] != before[name]} == {lost.name}


def test_a_cell_that_diverges_is_kept_as_failed_and_the_others_finish(
    folder: Path, store: Store, cluster: str, expected: dict[str, Any]
) -> None:
    wild = dataclasses.replace(CELLS[0], lr=1e30)
    progress = run([wild, *CELLS[:2]], store, scheduler=cluster, data_dir=folder)
    ((failed, message),) = progress.failed
    assert failed == wild and "1e+30" in message
    assert contents(store).items() <= expected.items()
    assert (len(store), progress.left) == (2, 0)
    (kept,) = store.failures()
    assert kept["error"] == message and kept["kind"] == "TrainingError"
    assert TrainConfig(**kept["config"]) == wild
    arguments = ("--store", store.folder, "--data-dir", folder, "--scheduler", cluster, *SWEEP)
    command = [str(a) for a in ("sweep", *arguments, "--seeds", 1, "--epochs", 8)]
    done = CliRunner().invoke(app, [*command, "--lr", "1e30", "--json"])
    assert done.exit_code == 1 and "failed:" in done.stderr
    found = json.loads(done.stdout)  # the cell of the first sweep, tried again, and one more
    assert (found["cells"], len(found["failed"]), found["found"]) == (2, 2, 0)


def test_a_damaged_record_stops_the_sweep_before_it_trains(folder: Path, store: Store) -> None:
    for cell in CELLS[:2]:
        store.put(finished(cell))
    path = store.path(CELLS[1], SOURCE)
    path.write_bytes(path.read_bytes().replace(b'"seed":0', b'"seed":1'))
    with pytest.raises(StoreError, match=path.name):
        run(CELLS, store, scheduler=NOWHERE, data_dir=folder)


def test_an_address_without_a_scheduler_is_named(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client

    monkeypatch.setattr("distributed.Client", lambda address, timeout: Client(address, timeout=1))
    with pytest.raises(RuntimeError, match=rf"{NOWHERE}.*dask worker {NOWHERE} --nthreads 1"):
        run(CELLS, store, scheduler=NOWHERE, data_dir=folder)


def test_without_dask_the_extra_is_named(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RuntimeError, match=r"pip install 'amnl\[cluster\]'"):
        run(CELLS, store, data_dir=folder)


def test_groups_hold_what_one_population_can_train() -> None:
    adaptive = [("dwa", {})]
    cells = [
        *grid(("FD001", "FD002"), range(3), [("fixed", fixed(lam)) for lam in (0.3, 0.5)]),
        *grid(("FD001",), range(2), adaptive),
        *grid(("FD001",), range(1), rul_units=[125.0], sample_weighted=False),
        *grid(("FD001",), range(1), epochs=3),
    ]
    named = {Path(str(n)): cell for n, cell in enumerate(cells)}
    groups = [[named[path] for path in group] for group in groups_of(named, 4)]
    assert sorted(map(len, groups)) == [1, 1, 1, 2, 3, 4, 4]
    every = [cell for group in groups for cell in group]
    assert len(every) == len(cells) and all(cell in every for cell in cells)
    for group in groups:
        assert len({c.subset for c in group}) == len({c.epochs for c in group}) == 1
        assert len(group) == 1 or {c.combiner for c in group} == {"fixed"}
    assert [len(group) for group in groups_of(named, 1)] == [1] * len(cells)


@pytest.mark.parametrize("here", [False, True])
def test_cells_trained_side_by_side_fill_the_same_store(
    folder: Path, store: Store, cluster: str, here: bool
) -> None:
    """Through Dask, and in this process, as on a GPU. A cell that fails takes no other with it."""
    wild = [dataclasses.replace(CELLS[0], rul_unit=1e-30)]
    where: dict[str, Any] = {"workers": 0} if here else {"scheduler": cluster}
    progress = run([*CELLS, *wild], store, together=5, data_dir=folder, **where)
    assert (progress.done, progress.left) == (len(CELLS), 0)
    assert [cell for cell, _ in progress.failed] == wild
    assert {store.path(r.config, SOURCE) for r in store} == {store.path(c, SOURCE) for c in CELLS}
    assert max(r.provenance["together"] for r in store) > 1
    assert all(len(r.history) == CELLS[0].epochs for r in store)
    assert set(to_rows(store)["lam"]) == {0.3, 0.5}  # exactly, though the training is in float32
    again = run(CELLS, store, together=5, data_dir=folder, **where)
    assert (again.before, again.done) == (len(CELLS), 0)


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_lost_scheduler_is_reported(
    folder: Path, store: Store, cluster: str, cancelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed.client import FuturesCancelledError

    def lost(*_: object, **__: object) -> None:
        raise FuturesCancelledError([]) if cancelled else OSError("closed")

    monkeypatch.setattr("distributed.wait", lost)
    with pytest.raises(RuntimeError, match=r"lost the Dask scheduler.*same command again"):
        run(CELLS[:1], store, scheduler=cluster, data_dir=folder)


def test_an_error_of_ours_is_not_taken_for_a_lost_scheduler(
    folder: Path, store: Store, cluster: str
) -> None:
    """What shows the progress may fail, as a terminal does whose connection is lost."""

    def lost(_: Progress) -> None:
        raise PermissionError(errno.EACCES, "not yours")

    with pytest.raises(PermissionError, match="not yours"):
        run(CELLS[:1], store, scheduler=cluster, data_dir=folder, on_change=lost)


def test_a_device_is_that_of_the_workers(folder: Path, store: Store, cluster: str) -> None:
    assert run(CELLS[:1], store, scheduler=cluster, data_dir=folder, device="cpu").done == 1
    with pytest.raises(ValueError, match="no NVIDIA GPU"):
        run(CELLS[:2], store, scheduler=cluster, data_dir=folder, device="cuda")
    with pytest.raises(ValueError, match="no NVIDIA GPU"):
        estimate(CELLS[:2], store, data_dir=folder, device="cuda")


def test_a_disk_that_fills_on_the_way_stops_the_sweep_and_spoils_nothing(
    folder: Path, store: Store, cluster: str, expected: dict[str, Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:

        def fill(progress: Progress) -> None:
            def full(file: int) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            if progress.done:
                patch.setattr(os, "fsync", full)

        with pytest.raises(StoreError, match="cannot be written: No space left on device"):
            run(CELLS[:6], store, scheduler=cluster, data_dir=folder, on_change=fill)
    assert 1 <= len(store) < 6
    assert len(list((store.folder / "cells").iterdir())) == len(store), "no partial record"
    paths = [store.path(c, SOURCE) for c in CELLS[:6]]
    assert in_child(lambda: all(Claims(store.folder).take(p.name) for p in paths)) == 0, (
        "claims stay"
    )
    progress = run(CELLS[:6], store, scheduler=cluster, data_dir=folder)
    assert progress.before + progress.done == len(store) == 6
    assert contents(store).items() <= expected.items()


FILL_A_DISK = """
import json, os, sys
from contextlib import suppress
from pathlib import Path
from amnl.sweep import Progress, Store, StoreError, run
from amnl.training import TrainConfig

folder, data, scheduler, cells = *sys.argv[1:4], [TrainConfig(**c) for c in json.load(sys.stdin)]
store, filler = Store(folder), Path(folder, "filler")

def fill(progress: Progress) -> None:
    if progress.done:
        with suppress(OSError), filler.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))

said = []
for some, on_change in ((cells, fill), (cells[:4], fill), (cells[:4], lambda p: None)):
    try:
        progress = run(some, store, scheduler=scheduler, data_dir=data, on_change=on_change)
        said.append([progress.before, progress.done])
    except StoreError as error:
        said.append(str(error))
        said.append([len(list(store)), len(os.listdir(store.folder / "cells"))])
        filler.unlink(missing_ok=True)
print(json.dumps(said))
"""


def mounted(command: list[str], folder: Path, size: str, **options: Any) -> Any:
    """Run a command that alone sees a small file system on this folder. Needs no root."""
    mount = f'mount -t tmpfs -o size={size} none "$0" && exec "$@"'
    return subprocess.run(
        ["unshare", "-Urm", "sh", "-c", mount, str(folder), *command],
        capture_output=True,
        text=True,
        timeout=400,
        **options,
    )


def test_a_full_file_system(tmp_path: Path, folder: Path, cluster: str) -> None:
    """The same on a real one, of 300 kB: too small for 16 cells, enough for 4 until filled."""
    if shutil.which("unshare") is None or mounted(["true"], tmp_path, "64k").returncode:
        pytest.skip("unshare cannot mount a tmpfs here")
    command = [sys.executable, "-c", FILL_A_DISK, str(tmp_path), str(folder), cluster]
    cells = json.dumps([dataclasses.asdict(c) for c in CELLS])
    done = mounted(command, tmp_path, "300k", input=cells)
    assert done.returncode == 0, done.stderr
    few, nothing, full, (kept, files), (before, ran) = json.loads(done.stdout)
    assert "16 records may need 1 MB. Make room" in few
    assert nothing == [0, 0]
    assert "cannot be written: No space left on device" in full
    assert 1 <= kept == files < 4, "no partial record"
    assert (before, before + ran) == (kept, 4)


def test_two_sweeps_share_the_cells_of_one_store(
    folder: Path, store: Store, cluster: str, expected: dict[str, Any], amnl: Start
) -> None:
    """One waits, with its first cells submitted, until the other has finished one."""
    command = ("sweep", "--store", store.folder, *EIGHT, "--data-dir", folder)
    others = []

    def meet(progress: Progress) -> None:
        if not others:
            assert progress.running
            others.append(amnl(*command, "--scheduler", cluster, "--json"))
            wait_for_a_cell(store, others[0])

    ours = run(CELLS, store, scheduler=cluster, data_dir=folder, on_change=meet)
    output, errors = others[0].communicate(timeout=240)
    assert others[0].returncode == 0, errors
    theirs = json.loads(output)
    assert ours.done + theirs["done"] == len(CELLS), "each cell once"
    assert ours.done and theirs["done"]
    assert (ours.elsewhere, theirs["found"] + theirs["elsewhere"]) == (theirs["done"], ours.done)
    assert contents(store) == expected


@pytest.mark.parametrize("by_value", [True, False], ids=["of a notebook", "of a module"])
def test_a_combiner_of_the_readers_is_swept_by_workers(
    own: Callable[[float], None],
    by_value: bool,
    folder: Path,
    store: Store,
) -> None:
    if by_value:
        registry.FACTORIES["mine"].__module__ = "__main__"
    alone = train(MINE, folder)
    progress = run([MINE], store, workers=1, data_dir=folder, device="cpu")
    assert (progress.done, progress.failed) == (1, [])
    (found,) = store
    assert found.metrics == alone.metrics
    own(3.0)
    assert run([MINE], store, workers=1, data_dir=folder, device="cpu").done == 1


def test_two_sweeps_in_threads_train_no_cell_twice(
    folder: Path,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained: list[TrainConfig] = []

    def counted(config: TrainConfig, *given: Any, **options: Any) -> Any:
        trained.append(config)
        return train(config, *given, **{**options, "device": torch.device("cpu")})

    monkeypatch.setattr(train_cells, "train", counted)
    cells = CELLS[:3]
    threads = [
        threading.Thread(target=run, args=(cells, store), kwargs={"data_dir": folder, "workers": 0})
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert len(trained) == len(cells) == len(store)


def test_a_cell_that_takes_its_worker_down_is_kept_as_failed(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a group of four: it is found by halves, and the others are trained."""
    culprit = CELLS[2]
    client = fake_dask.Client(deadly=lambda jobs: culprit in jobs)
    monkeypatch.setattr("amnl.sweep.running.connect", lambda *_: nullcontext(client))
    monkeypatch.setattr("distributed.wait", fake_dask.wait)
    progress = run(CELLS[:4], store, scheduler=NOWHERE, together=4, data_dir=folder)
    assert [cell for cell, _ in progress.failed] == [culprit]
    assert progress.done == 3 and sorted(client.asked) == [1, 1, 2, 2, 4]
    assert [(f["kind"], f["config"]["seed"]) for f in store.failures()] == [
        ("KilledWorker", culprit.seed)
    ]
