"""The sweep: its grid, its store, and what it survives. Cells are trained on a tiny emulated fleet.

Most sweeps here use the `cluster` fixture, a scheduler and two workers in processes of their own.
Those that kill something start the local cluster that users get, by the command that users type.
"""

import dataclasses
import errno
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pages
import pandas as pd
import psutil
import pytest
import torch
from conftest import session_of
from typer.testing import CliRunner

from amnl import cmapss
from amnl.cli.app import app
from amnl.cmapss import emulator
from amnl.combiners import make_combiner
from amnl.sweep import (
    FAMILIES,
    Progress,
    Store,
    StoreError,
    config_of,
    estimate,
    family,
    fixed,
    grid,
    run,
    to_rows,
)
from amnl.sweep.drive import _groups, _keep, _sent, _take, _train_cells
from amnl.training import RunResult, TrainConfig, population, train

# Some tests fork: what a process holds or leaves behind, only another one can tell.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.usefixtures("own_cache"),
]

FLEET: dict[str, Any] = {"subset": "FD001", "seed": 3, "engines": 6, "test_engines": 4}
NOWHERE = "tcp://127.0.0.1:1"  # a sweep that gets as far as its scheduler fails
LAMS = [("fixed", fixed(0.3)), ("fixed", fixed(0.5))]
SMALL: dict[str, Any] = {"epochs": 8, "stride": 10, "batch_size": 32}
CELLS = grid(("FD001",), range(8), LAMS, **SMALL)
# The same cells on the command line.
SWEEP = ("--subsets", "FD001", "--lams", "0.3,0.5", "--stride", "10", "--batch-size", "32")
EIGHT = (*SWEEP, "--seeds", "8", "--epochs", "8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet of six engines."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(folder, **FLEET)
    return folder


def _source() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return str(cmapss.find(emulator.write_fleet(folder, **FLEET)))


SOURCE = _source()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    """What each of `CELLS` gives without a sweep, by the name of its record."""
    names = Store(folder / "unused")
    return {names.path(c, SOURCE).name: comparable(train(c, folder)) for c in CELLS}


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


def in_child(action: Callable[[], object]) -> int:
    """Exit status of another process that does this: 0 for true, 1 for false; −n for signal n."""
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            status = 0 if action() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


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
        wait_for(file.exists, "a scheduler")
        address = json.loads(file.read_text())["address"]
        for _ in range(2):
            dask("worker", address, "--nthreads", "1", "--no-nanny")
        yield address
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


Start = Callable[..., "subprocess.Popen[str]"]


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


def wait_for_a_cell(store: Store, driver: "subprocess.Popen[str]", before: int = 0) -> None:
    """Until the store has more records than before."""
    wait_for(lambda: len(store) > before or driver.poll() is not None, "a finished cell")
    assert driver.poll() is None, driver.communicate()


def wait_for_the_end(driver: "subprocess.Popen[str]") -> None:
    wait_for(lambda: session_of(driver) == [], "workers to follow their sweep", 60)


# --------------------------------------------------------------------------------------- the grid


def test_families_are_those_of_the_protocol() -> None:
    page = (pages.ROOT / "book" / "protocol.md").read_text(encoding="utf-8")
    published = re.findall(r"^\| ([a-l]) \|.*\| (\d+) \|$", page, re.MULTILINE)
    counts = [
        ("a", "440"),
        ("b", "440"),
        ("c", "130"),
        ("d", "80"),
        ("e", "320"),
        ("f", "200"),
        ("g", "440"),
        ("h", "440"),
        ("i", "440"),
        ("j", "440"),
        ("k", "440"),
        ("l", "440"),
    ]
    later = [("m", "440"), ("n", "134"), ("o", "80"), ("p", "100"), ("q", "320")]
    assert published == counts
    cells = {name: family(name) for name in FAMILIES}
    assert [(name, str(len(found))) for name, found in cells.items()] == counts + later
    thinned = {"1": 4, "2": 8, "3": 4, "4": 8}
    for name, found in cells.items():
        assert len({str(c) for c in found}) == len(found), "a cell twice"
        assert [c.seed for c in found] == sorted(c.seed for c in found), "seeds are outermost"
        assert all(c.stride == (1 if name in "gh" else thinned[c.subset[-1]]) for c in found)
    assert sum(c in cells["a"] or c in cells["b"] for c in cells["c"]) == 20


def test_what_a_family_varies_and_what_it_leaves_alone() -> None:
    varied = {"subset", "seed", "stride", "combiner_settings"}
    own = {"a": set(), "b": {"rul_unit"}, "c": {"rul_unit"}, "d": {"sample_weighted"}}
    own |= {"e": {"combiner", "sample_weighted"}, "f": {"combiner", "rul_unit"}}
    own |= {"g": {"preset"}, "h": {"preset", "rul_unit"}}
    own |= {"i": {"preset"}, "j": {"preset", "rul_unit"}, "k": {"rul_unit"}, "l": {"rul_unit"}}
    own |= {"m": set(), "n": {"rul_unit"}, "o": {"nudge"}, "p": {"auxiliary"}}
    own |= {"q": {"preset", "rul_unit"}}
    for name in FAMILIES:
        for c in family(name):
            moved = {
                f.name
                for f in dataclasses.fields(c)
                if getattr(c, f.name) != vars(TrainConfig())[f.name]
            }
            assert moved <= varied | own[name], c
    for name, unit in (("b", 125.0), ("h", 125.0), ("j", 125.0), ("k", 15.0), ("l", 35.0)):
        assert {c.rul_unit for c in family(name)} == {unit}
    assert not any(c.sample_weighted for c in family("d"))
    assert {c.preset for c in family("a", "paper")} == {"paper"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: family("z"), r"'z'.*a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q"),
        (lambda: grid(("FD009",)), r"'FD009'.*FD001, FD002, FD003, FD004"),
        (lambda: fixed(1.01), r"1\.01"),
        (lambda: fixed(float("nan")), "nan"),
        (lambda: grid(rul_units=[0.0]), r"rul_unit.*0\.0"),
        (lambda: grid(preset="huge"), "'huge'.*compact"),
        (lambda: family("a", "huge"), "'huge'.*compact"),
        (lambda: grid(combiners=[("fixd", {})]), "'fixd'.*fixed"),
        (lambda: grid(combiners=[("amnl", {"weight": 1.0})]), "'weight'.*rul_weight"),
    ],
)
def test_bad_cells_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


# -------------------------------------------------------------------------------------- the store


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


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    results = [finished(c) for c in CELLS]
    for result in results:
        store.put(result)
    assert len(store) == len(CELLS)
    paths = {store.path(r.config, SOURCE): r for r in results}
    assert list(store) == [paths[path] for path in sorted(paths)]
    assert store.load(store.path(CELLS[3], SOURCE)) == results[3]


def test_cells_that_differ_have_records_that_differ(store: Store) -> None:
    default = TrainConfig()
    changed = [
        dataclasses.replace(default, subset="FD002"),
        dataclasses.replace(default, seed=1),
        dataclasses.replace(default, combiner_settings=fixed(0.3)),
        dataclasses.replace(default, rul_unit=1.0000000001),
        dataclasses.replace(default, sample_weighted=False),
        dataclasses.replace(default, dtype="float64"),
    ]
    names = {store.path(c, SOURCE).name for c in (default, *changed)}
    assert len(names) == 1 + len(changed)
    assert store.path(default, "NASA C-MAPSS").name not in names


def test_whole_and_floating_numbers_are_one_cell(store: Store) -> None:
    one, other = (
        dataclasses.replace(CELLS[0], rul_unit=u, clip=c) for u, c in ((125, 1), (125.0, 1.0))
    )
    assert store.path(one, SOURCE) == store.path(other, SOURCE)
    store.put(finished(one))
    assert [r.config for r in store] == [other]


def test_any_changed_byte_is_refused(store: Store) -> None:
    """Bit 0 makes another digit or letter; bit 5 turns e to E, which JSON reads as the same."""
    store.put(finished(epochs=3))
    path = store.path(CELLS[0], SOURCE)
    whole = path.read_bytes()
    assert b"e-0" in whole
    for place in range(len(whole)):
        for bit in (1, 1 << 5):
            changed = bytearray(whole)
            changed[place] ^= bit
            path.write_bytes(changed)
            with pytest.raises(StoreError, match=rf"{path.name}.*Delete it"):
                pytest.fail(f"byte {place}, bit {bit}: {store.load(path)}")


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_truncated_record_is_refused(store: Store, kept: int) -> None:
    store.put(finished())
    path = store.path(CELLS[0], SOURCE)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StoreError, match=path.name):
        list(store)


def test_a_record_under_another_name_is_refused(store: Store) -> None:
    store.put(finished())
    other = store.path(CELLS[1], SOURCE)
    store.path(CELLS[0], SOURCE).rename(other)
    with pytest.raises(StoreError, match=rf"{other.name}.*another cell"):
        list(store)


def test_what_a_killed_write_leaves_is_not_counted(store: Store) -> None:
    store.put(finished())
    path = store.path(CELLS[0], SOURCE)
    path.with_name(f".{path.name}.1a2b3c4d").write_bytes(path.read_bytes()[:99])
    assert len(store) == len(list(store)) == 1


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_process_killed_while_writing_leaves_the_old_record_or_none(
    store: Store, moment: str
) -> None:
    old = finished()
    store.put(old)

    def killed(result: RunResult) -> int:
        def write() -> None:
            setattr(os, moment, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            store.put(result)

        return in_child(write)

    replacement = dataclasses.replace(old, metrics={"test_rmse": 1.0})
    for result in (replacement, finished(CELLS[1])):
        assert killed(result) == -signal.SIGKILL
        assert list(store) == [old]
    store.put(replacement)
    assert list(store) == [replacement]


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """Writing past this many bytes of a file fails, as on a full disk: after the first of them."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_record_that_does_not_fit_leaves_nothing(store: Store) -> None:
    old = finished()
    store.put(old)
    with small_files(500), pytest.raises(StoreError, match=r"cannot be written: File too large"):
        store.put(finished(CELLS[1]))
    assert [p.name for p in (store.folder / "cells").iterdir()] == [
        store.path(old.config, SOURCE).name
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


def test_a_store_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/store cannot be written.* --store"):
        Store(tmp_path / "file" / "store")


def test_a_failure_is_kept_until_the_cell_succeeds(store: Store) -> None:
    store.put_failure(CELLS[0], SOURCE, ValueError("no such luck"))
    assert len(store) == 0
    (failure,) = store.failures()
    assert (failure["kind"], failure["error"]) == ("ValueError", "no such luck")
    assert TrainConfig(**failure["config"]) == CELLS[0]
    store.put(finished(CELLS[1]))
    assert len(store.failures()) == 1
    store.put(finished(CELLS[0]))
    assert not store.failures()


def test_a_damaged_failure_is_named(store: Store) -> None:
    store.put_failure(CELLS[0], SOURCE, ValueError("no such luck"))
    (path,) = (store.folder / "failed").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match=rf"{path.name} is damaged .* Delete it"):
        store.failures()


def test_a_claim_keeps_other_processes_out_and_dies_with_its_own(store: Store) -> None:
    one, two = (store.path(c, SOURCE) for c in CELLS[:2])

    def taken(path: Path) -> bool:
        return in_child(lambda: Store(store.folder).claim(path)) == 1

    assert in_child(lambda: store.claim(two)) == 0  # that process has ended
    assert store.claim(one)
    assert taken(one) and not taken(two)
    store.release(one)
    assert not taken(one)
    assert store.claim(one) and store.claim(two)
    store.close()
    assert not taken(one) and not taken(two)


# ------------------------------------------------------------------------------------- the report

ODD = [
    TrainConfig(),
    dataclasses.replace(CELLS[0], combiner_settings=fixed(0.7)),
    dataclasses.replace(CELLS[0], sample_weighted=False),
    dataclasses.replace(CELLS[0], dtype="float64", rul_unit=125, lr=0.1 + 0.2),
    dataclasses.replace(CELLS[0], combiner="v7", combiner_settings={}),
    dataclasses.replace(
        CELLS[0], combiner="amnl", combiner_settings={"normalise": "batch", "rul_weight": 0.6}
    ),
]


def test_a_row_read_back_names_its_cell(store: Store, tmp_path: Path) -> None:
    to_rows(finished(c) for c in ODD).to_csv(tmp_path / "rows.csv", index=False)
    rows = pd.read_csv(tmp_path / "rows.csv")
    found = {store.path(c, SOURCE): c for c in (config_of(row) for _, row in rows.iterrows())}
    assert found == {store.path(c, SOURCE): c for c in ODD}


def test_a_store_has_one_table() -> None:
    """Cells that differ in a setting which is no sort key for readers, or in their data alone."""
    results = [finished(c, data) for c in (*ODD, *CELLS) for data in (SOURCE, "NASA C-MAPSS")]
    table = to_rows(results)
    plain = to_rows(finished(c) for c in CELLS)
    assert [(row.lam, row.seed) for row in plain.itertuples()] == [
        (lam, seed) for lam in (0.3, 0.5) for seed in range(8)
    ]
    for seed in range(5):
        random.Random(seed).shuffle(results)
        pd.testing.assert_frame_equal(to_rows(results), table)
    assert to_rows([]).empty


def test_columns_by_hand() -> None:
    result = finished()
    for record in result.history:
        record["val_rmse"] = {15: 5.0, 16: 1.0}.get(record["epoch"], 9.0)
    result.predictions["rul"] = [10.0, 20.0, 60.0]
    row = to_rows([result]).iloc[0]
    assert row.val_rmse_e15 == 5.0
    assert row.constant_rmse == pytest.approx((1400 / 3) ** 0.5)  # 30 is off by 20, 10 and 30
    assert row.test_rmse == result.metrics["test_rmse"]
    assert (row.lam, row.seed, row.data) == (0.3, 0, SOURCE)


@pytest.mark.parametrize(
    ("combiner", "settings", "lam"),
    [
        ("fixed", fixed(0.75), 0.75),
        ("fixed", {}, 0.5),
        ("fixed", {"rul_weight": 1.0, "health_weight": 1.0}, None),
        ("amnl", {}, None),
    ],
)
def test_lam_is_that_of_a_convex_fixed_combiner(
    combiner: str, settings: dict[str, Any], lam: float | None
) -> None:
    cell = dataclasses.replace(CELLS[0], combiner=combiner, combiner_settings=settings)
    found = to_rows([finished(cell)]).lam[0]
    assert pd.isna(found) if lam is None else found == lam


# ------------------------------------------------------------------------------------ running it


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


def test_a_worker_with_other_data_refuses(folder: Path) -> None:
    settings = dataclasses.asdict(CELLS[0])
    with pytest.raises(cmapss.DataError, match=rf"{SOURCE} in {folder}.*about NASA.*AMNL_DATA_DIR"):
        _train_cells([settings], str(folder), "NASA C-MAPSS")


def test_a_worker_with_another_fleet_of_the_same_seed_refuses(folder: Path, tmp_path: Path) -> None:
    emulator.write_fleet(tmp_path, "FD001", seed=3, engines=11, test_engines=5)
    settings = dataclasses.asdict(CELLS[0])
    with pytest.raises(cmapss.DataError, match=r"emulated fleet, seed 3.*AMNL_DATA_DIR"):
        _train_cells([settings], str(tmp_path), SOURCE)


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
    groups = [[named[path] for path in group] for group in _groups(named, 4)]
    assert sorted(map(len, groups)) == [1, 1, 1, 2, 3, 4, 4]
    every = [cell for group in groups for cell in group]
    assert len(every) == len(cells) and all(cell in every for cell in cells)
    for group in groups:
        assert len({c.subset for c in group}) == len({c.epochs for c in group}) == 1
        assert len(group) == 1 or {c.combiner for c in group} == {"fixed"}
    assert [len(group) for group in _groups(named, 1)] == [1] * len(cells)


@pytest.mark.parametrize("on_gpu", [False, True])
def test_cells_trained_side_by_side_fill_the_same_store(
    folder: Path, store: Store, cluster: str, on_gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through Dask, and as on a GPU in this process. A cell that fails takes no other with it."""
    monkeypatch.setattr("amnl.sweep.drive._on_gpu", lambda device: on_gpu)
    wild = [dataclasses.replace(CELLS[0], rul_unit=1e-30)]
    where = {} if on_gpu else {"scheduler": cluster}
    progress = run([*CELLS, *wild], store, together=5, data_dir=folder, **where)
    assert (progress.done, progress.left) == (len(CELLS), 0)
    assert [cell for cell, _ in progress.failed] == wild
    assert {store.path(r.config, SOURCE) for r in store} == {store.path(c, SOURCE) for c in CELLS}
    assert max(r.provenance["together"] for r in store) > 1
    assert all(len(r.history) == CELLS[0].epochs for r in store)
    assert set(to_rows(store)["lam"]) == {0.3, 0.5}  # exactly, though the training is in float32
    again = run(CELLS, store, together=5, data_dir=folder, **where)
    assert (again.before, again.done) == (len(CELLS), 0)


def test_a_population_that_memory_does_not_hold_is_halved(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    class Small(population.Population):
        def __init__(self, configs: Any, data: Any, **options: Any) -> None:
            sizes.append(len(configs))
            if len(configs) > 2:
                raise torch.OutOfMemoryError("no room")
            super().__init__(configs, data, **options)

    monkeypatch.setattr("amnl.sweep.drive._on_gpu", lambda device: True)
    monkeypatch.setattr(population, "Population", Small)
    cells = [c for c in CELLS if c.subset == "FD001"][:5]
    progress = run(cells, store, data_dir=folder)
    assert progress.done == len(cells) == 5 and sizes == [5, 2, 3, 1, 2]


def test_a_cell_that_the_gpu_cannot_hold_is_a_failure_and_the_others_go_on(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(population.Population):
        def __init__(self, configs: Any, data: Any, **options: Any) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    def small_batches_alone(config: TrainConfig, *_: Any, **__: Any) -> RunResult:
        if config.batch_size > 16:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return train(config, folder)

    monkeypatch.setattr("amnl.sweep.drive._on_gpu", lambda device: True)
    monkeypatch.setattr(population, "Population", Full)
    monkeypatch.setattr("amnl.sweep.drive.train", small_batches_alone)
    fitting = dataclasses.replace(CELLS[0], batch_size=16, combiner="amnl", combiner_settings={})
    progress = run([CELLS[0], CELLS[1], fitting], store, data_dir=folder)
    assert progress.done == 1 and progress.finished == [fitting]
    assert [cell for cell, _ in progress.failed] == CELLS[:2]
    assert "CUDA out of memory" in progress.failed[0][1] and "--batch-size" in progress.failed[0][1]


def test_a_group_that_kills_its_worker_is_halved_until_the_culprit_is_alone(
    folder: Path, store: Store, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import KilledWorker

    culprit = CELLS[2]
    asked: list[int] = []

    def sent(future: Any, cells: int) -> Any:
        results = future.result()
        asked.append(cells)
        seeds = [(r["config"]["seed"], r["config"]["combiner_settings"]) for r in results]
        if (culprit.seed, culprit.combiner_settings) in seeds:
            return [KilledWorker("cell", SimpleNamespace(address="tcp://x"), 3)] * cells  # type: ignore[arg-type]
        return results

    monkeypatch.setattr("amnl.sweep.drive._sent", sent)
    progress = run(CELLS[:4], store, scheduler=cluster, together=4, data_dir=folder)
    assert [cell for cell, _ in progress.failed] == [culprit]
    assert progress.done == 3 and sorted(asked) == [1, 1, 2, 2, 4]


def test_cells_that_another_sweep_holds_stay_one_group(folder: Path, store: Store) -> None:
    paths = [store.path(c, SOURCE) for c in CELLS[:4]]
    held: list[Path] = []
    groups: deque[list[Path]] = deque()

    def claim(path: Path) -> bool:
        return path not in held

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "claim", claim)
        held[:] = paths[1:3]
        assert _take(paths, groups, store, Progress(total=4)) == [paths[0], paths[3]]
    assert list(groups) == [paths[1:3]]


def test_a_drive_without_locks_runs_unclaimed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.path(CELLS[0], SOURCE)

    def fails(number: int) -> Any:
        def lockf(*_: Any) -> None:
            raise OSError(number, os.strerror(number))

        return lockf

    for number, taken in ((errno.ENOLCK, True), (errno.ENOTSUP, True), (errno.EAGAIN, False)):
        monkeypatch.setattr("fcntl.lockf", fails(number))
        assert store.claim(path) is taken
        store.release(path)
    monkeypatch.setattr("fcntl.lockf", fails(errno.EIO))
    with pytest.raises(StoreError, match="cannot be written"):
        store.claim(path)


def test_an_estimate_counts_each_cell_once_and_times_groups(folder: Path, store: Store) -> None:
    cells = [*CELLS[:6], *CELLS[:2]]
    single = estimate(cells, store, workers=1, data_dir=folder)
    grouped = estimate(cells, store, workers=1, together=3, data_dir=folder)
    for found in (single, grouped):
        assert (found.cells, found.left, found.workers) == (6, 6, 1)
        assert 0 < found.seconds < 600
        assert 1e8 < found.memory < 1e11, "bytes"
    store.put(train(CELLS[0], folder))
    assert estimate(cells, store, data_dir=folder).finished == 1


def test_what_a_lost_cell_means(store: Store) -> None:
    """The cell's own fault is kept; anything else stops the sweep."""
    from distributed import KilledWorker

    progress = Progress(total=3)

    def keep(status: str, error: Exception | None) -> None:
        future = SimpleNamespace(status=status, exception=lambda: error)
        for result in _sent(future, 1):  # type: ignore[arg-type]
            _keep(result, CELLS[0], store, SOURCE, progress)

    worker = SimpleNamespace(address="tcp://somewhere")
    keep("error", KilledWorker("cell", worker, 3))  # type: ignore[arg-type]
    assert [cell for cell, _ in progress.failed] == [CELLS[0]]
    assert store.failures()[0]["kind"] == "KilledWorker"
    with pytest.raises(cmapss.DataError, match="other files"):
        keep("error", cmapss.DataError("other files"))
    with pytest.raises(RuntimeError, match="run the same command again"):
        keep("cancelled", None)
    assert len(progress.failed) == 1


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


def test_a_store_that_is_only_read_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such store"):
        Store(tmp_path / "none", make=False)
    assert not list(tmp_path.iterdir())


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
    assert in_child(lambda: all(Store(store.folder).claim(p) for p in paths)) == 0, "claims stay"
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


# ------------------------------------------------------------------------------- and killing it


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
