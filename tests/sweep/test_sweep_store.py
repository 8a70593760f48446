"""What a record of a sweep is worth: its name covers all that decides it, or a line says why it is
not used."""

import dataclasses
import math
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from shared import in_child
from sweep_cells import CELLS, MINE, SOURCE, finished, small_files

from amnl import cmapss
from amnl.combiners import FixedWeightLoss, registry
from amnl.runs import sealed
from amnl.study.protocol import family
from amnl.sweep import OtherVersionError, Store, StoreError, fixed
from amnl.sweep import store as sweep
from amnl.training import RunResult, TrainConfig, Trainer, recorded

# Some tests fork: what a process holds or leaves behind, only another one can tell.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.usefixtures("own_cache"),
]


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


def test_a_record_that_does_not_fit_leaves_nothing(store: Store) -> None:
    old = finished()
    store.put(old)
    with small_files(500), pytest.raises(StoreError, match=r"cannot be written: File too large"):
        store.put(finished(CELLS[1]))
    assert [p.name for p in (store.folder / "cells").iterdir()] == [
        store.path(old.config, SOURCE).name
    ]


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


def test_a_store_that_is_only_read_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such store"):
        Store(tmp_path / "none", make=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "index", "record"),
    [
        ("a", 0, "FD001-seed0-89890728a08671f9"),
        ("b", 7, "FD001-seed0-da5b7a7e8dddb826"),
        ("c", 3, "FD001-seed0-f11c0c0d742783ad"),
        ("d", 1, "FD001-seed0-a1a18d40c0a72b22"),
        ("e", 5, "FD001-seed0-a503519144f0ae2c"),
        ("f", 9, "FD002-seed0-325dc22383042658"),
        ("g", 2, "FD001-seed0-4eca17199f2d37c7"),
    ],
)
def test_published_records_keep_their_names(
    name: str,
    index: int,
    record: str,
    store: Store,
) -> None:
    assert store.path(family(name)[index], "NASA C-MAPSS").stem == record


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"speed": 25}, {"speed": 25.0}),
        ({"speed": np.float32(25)}, {"speed": 25.0}),
        ({"speed": np.int64(25)}, {"speed": 25.0}),
        ({"speed": torch.tensor(25)}, {"speed": 25.0}),
        ({"inner": {"speed": [25, 1]}}, {"inner": {"speed": (25.0, 1.0)}}),
    ],
    ids=str,
)
def test_a_setting_is_known_as_a_number_wherever_it_lies(
    one: dict[str, Any],
    other: dict[str, Any],
    store: Store,
) -> None:
    paths = {
        store.path(TrainConfig(combiner="uncertainty", combiner_settings=s), SOURCE)
        for s in (one, other)
    }
    assert len(paths) == 1
    result = finished()
    result.config = TrainConfig(combiner="uncertainty", combiner_settings=one)
    store.put(result)
    store.put_failure(result.config, SOURCE, ValueError("no"))
    (kept,) = store
    assert store.path(kept.config, SOURCE) in paths


def test_a_record_is_written_as_ever() -> None:
    """Records of before are read byte by byte: their keys, their order and their spaces."""
    run = {"b": [1, None], "a": {"é": 0.5, "n": np.int64(2)}}
    written = sealed(run)
    assert written == (
        b'{"run":{"a":{"n":2,"\\u00e9":0.5},"b":[1,null]},"sha256":'
        b'"6c9b1dfcae8acf096eb0a82eea7d0d1ddce4cd255fb985c44f0fc6cf89f97c9e"}'
    )
    assert sealed({"a": {"n": 2, "é": 0.5}, "b": [1, None]}) == written


@pytest.mark.parametrize(
    ("value", "words"),
    [(math.nan, "not JSON compliant"), (1j, r"1j \(complex\) cannot be kept in a record")],
)
def test_what_no_record_can_hold_is_named(value: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        sealed({"a": value})


@pytest.mark.parametrize(
    ("one", "other"),
    [(True, 1), ([1, 2], [2, 1]), ([1], 1), ({"a": 1}, {"a": 2}), ({"a": 1}, {"b": 1}), ("1", 1)],
    ids=str,
)
def test_settings_that_differ_are_two_cells(one: Any, other: Any, store: Store) -> None:
    some = [TrainConfig(combiner="v7", combiner_settings={"on": on}) for on in (one, other)]
    assert len({store.path(c, SOURCE) for c in some}) == 2


def other_fields(monkeypatch: pytest.MonkeyPatch, drop: str = "", add: str = "") -> None:
    """As if `TrainConfig` had one field less, or one more."""
    fields = [(f.name, f.type, f) for f in dataclasses.fields(TrainConfig) if f.name != drop]
    if add:
        fields.append((add, float, dataclasses.field(default=0.5)))
    made = dataclasses.make_dataclass("TrainConfig", fields, frozen=True)
    monkeypatch.setattr(sweep, "TrainConfig", made)


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (lambda patch: other_fields(patch, drop="clip"), "it lacks clip"),
        (lambda patch: other_fields(patch, add="novelty"), "it has novelty"),
        (lambda patch: patch.setattr(sweep, "_VERSION", 2), "its format is 2, ours 1"),
    ],
    ids=["a field less", "a field more", "another format"],
)
def test_a_record_of_another_version_is_no_damage(
    then: Callable[[pytest.MonkeyPatch], None],
    words: str,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = finished()
    with monkeypatch.context() as patch:
        then(patch)
        settings = {f.name: getattr(result.config, f.name, 0.5) for f in
                    dataclasses.fields(sweep.TrainConfig)}  # fmt: skip
        theirs = dataclasses.replace(result)
        theirs.config = sweep.TrainConfig(**settings)
        store.put(theirs)
        (path,) = store.folder.glob("cells/*.json")
        assert path == store.path(theirs.config, SOURCE)
    assert path != store.path(result.config, SOURCE), "it is not taken for a cell of today"
    with pytest.raises(OtherVersionError, match=rf"{path.name} was made by another .*{words}"):
        store.load(path)
    store.put(finished(CELLS[1]))
    with pytest.warns(UserWarning, match=words):
        assert [r.config for r in store] == [CELLS[1]], "a report shows the rest"
    path.write_bytes(path.read_bytes().replace(b"0.1", b"0.2"))
    with pytest.raises(StoreError, match="is damaged"):
        store.load(path)


def test_the_code_of_a_combiner_decides_its_records(
    own: Callable[[float], None],
    store: Store,
) -> None:
    first = store.path(MINE, SOURCE)
    store.put(finished(MINE))
    own(3.0)
    assert store.path(MINE, SOURCE) != first
    store.put(finished(MINE))
    own(2.0)
    assert store.path(MINE, SOURCE) == first
    codes = {r.provenance["combiner_code"] for r in store}
    assert len(codes) == 2, "rows of both can be told apart"
    del registry.FACTORIES["mine"]
    assert len(list(store)) == 2, "a report needs no combiner"


def test_a_combiner_that_cannot_be_looked_into_is_named(
    own: Callable[[float], None],
    store: Store,
) -> None:
    registry.FACTORIES["mine"].file = (k for k in [1])
    with pytest.raises(StoreError, match=r"'mine' holds a builtins.generator.*__getstate__"):
        store.path(MINE, SOURCE)


def test_a_run_of_a_combiner_given_as_an_object_is_no_cell(store: Store, folder: Path) -> None:
    config = dataclasses.replace(CELLS[0], epochs=1)
    data = cmapss.load(config.subset, config.seed, folder, stride=config.stride)
    result = Trainer(config, data, combiner=FixedWeightLoss.convex(0.1)).fit()
    with pytest.raises(StoreError, match=r"given: Fixed\(0\.10/0\.90\).*RunResult\.save"):
        store.put(result)
    assert len(store) == 0


@pytest.mark.parametrize(("others", "more"), [(1, ""), (2, " (2 such records)")])
def test_records_of_another_version_are_counted(
    others: int, more: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "_VERSION", 2)
        for config in CELLS[:others]:
            store.put(finished(config))
    with pytest.warns(
        UserWarning, match="^left out: .* leaves it as it is" + re.escape(more) + "$"
    ) as warned:
        assert list(store) == []
    assert warned[0].filename == __file__


def test_a_store_that_is_there_is_opened_as_it_is(store: Store) -> None:
    store.put(finished())
    assert len(Store(store.folder, make=False)) == len(Store(store.folder)) == 1


def test_a_store_is_made_with_the_folders_above_it(tmp_path: Path) -> None:
    made = Store(tmp_path / "of" / "mine")
    assert sorted(path.name for path in made.folder.iterdir()) == ["cells", "failed"]


def test_a_failure_names_its_cell_and_its_data(store: Store) -> None:
    store.put_failure(CELLS[0], SOURCE, ValueError("no"))
    (failure,) = store.failures()
    assert failure == {
        "error": "no",
        "kind": "ValueError",
        "config": recorded(dataclasses.asdict(CELLS[0])),
        "data": SOURCE,
    }
