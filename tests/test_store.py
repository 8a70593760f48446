"""What a record of a C-MAPSS sweep is worth: its name covers all that decides it, or a line says
why it is not used."""

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_sweep import CELLS, SOURCE, finished
from torch import Tensor

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.combiners import Combiner, FixedWeightLoss, register, registry
from amnl.sweep import OtherVersionError, Store, StoreError, family, grid, run, to_history
from amnl.sweep import drive as sweep
from amnl.sweep.drive import _train_cells
from amnl.training import TrainConfig, Trainer, population, train

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet of six engines."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(folder, "FD001", seed=3, engines=6, test_engines=4)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.close()


# ------------------------------------------------------------------------------------ the names


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


def test_a_truth_value_is_no_number(store: Store) -> None:
    some = [TrainConfig(combiner="v7", combiner_settings={"on": on}) for on in (True, 1)]
    assert len({store.path(c, SOURCE) for c in some}) == 2


@pytest.mark.parametrize(
    "settings",
    [{"weight_decay": float("nan")}, {"min_lr": float("inf")}, {"ema": np.float64("nan")},
     {"seeds": [-1]}, {"epochs": 2.5}],
    ids=str,
)  # fmt: skip
def test_a_grid_has_no_cell_that_nobody_could_train(settings: dict[str, Any]) -> None:
    name = next(iter(settings)).removesuffix("s") if "seeds" in settings else next(iter(settings))
    with pytest.raises(ValueError, match=name):
        grid(**settings)


# ----------------------------------------------------------------------------------- the versions


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


# ---------------------------------------------------------------------------------- the combiners


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Registers "mine", with this factor in its code or its class."""
    monkeypatch.setattr(registry, "FACTORIES", dict(registry.FACTORIES))
    monkeypatch.setattr(sweep, "FACTORIES", registry.FACTORIES, raising=False)

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


MINE = dataclasses.replace(CELLS[0], combiner="mine", combiner_settings={})


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


def test_a_run_of_a_combiner_given_as_an_object_is_no_cell(store: Store, folder: Path) -> None:
    config = dataclasses.replace(CELLS[0], epochs=1)
    data = cmapss.load(config.subset, config.seed, folder, stride=config.stride)
    result = Trainer(config, data, combiner=FixedWeightLoss.convex(0.1)).fit()
    with pytest.raises(StoreError, match=r"given: Fixed\(0\.10/0\.90\).*RunResult\.save"):
        store.put(result)
    assert len(store) == 0


# ------------------------------------------------------------------------------------- the claims


def test_two_stores_of_one_process_keep_their_claims_apart(store: Store) -> None:
    one, two = (store.path(c, SOURCE) for c in CELLS[:2])
    other = Store(store.folder)
    assert store.claim(one) and not other.claim(one)
    assert other.claim(two) and not store.claim(two)
    other.close()
    assert not other.claim(one), "the first one's claims are not dropped with the second's"
    assert store.claim(two)
    store.release(one)
    assert other.claim(one)
    other.close()


def test_two_sweeps_in_threads_train_no_cell_twice(
    folder: Path,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained: list[TrainConfig] = []

    def counted(config: TrainConfig, *given: Any, **options: Any) -> Any:
        trained.append(config)
        return train(config, *given, **{**options, "device": torch.device("cpu")})

    monkeypatch.setattr(sweep, "_on_gpu", lambda device: True)
    monkeypatch.setattr(sweep, "train", counted)
    cells = CELLS[:3]
    threads = [
        threading.Thread(
            target=run, args=(cells, store), kwargs={"data_dir": folder, "together": 1}
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert len(trained) == len(cells) == len(store)


# -------------------------------------------------------------------------------- what is left over


def test_a_cell_left_over_has_the_masks_of_the_others(folder: Path) -> None:
    cells = [c for c in CELLS if c.seed == CELLS[0].seed]

    def metrics(groups: list[list[TrainConfig]], **options: Any) -> dict[str, float]:
        source = str(cmapss.find(folder))
        found = {}
        for group in groups:
            settings = [dataclasses.asdict(c) for c in group]
            for cell, result in zip(
                group, _train_cells(settings, str(folder), source, "cpu", **options), strict=True
            ):
                found[json.dumps(cell.combiner_settings)] = result["metrics"]["test_rmse"]
        return found

    whole = metrics([cells], stacked=True)
    left_over = metrics([cells[:1], cells[1:]], stacked=True)
    assert left_over == pytest.approx(whole, rel=1e-5)
    alone = metrics([[c] for c in cells])
    assert alone != pytest.approx(whole, rel=1e-5), "or else nothing was tested"


def test_a_cell_of_a_population_that_does_not_fit_is_a_failure(
    folder: Path,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full(population.Population):
        def __init__(self, *_: Any, **__: Any) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr("amnl.sweep.drive._on_gpu", lambda device: True)
    monkeypatch.setattr(population, "Population", Full)
    for precision in (None, "tf32"):
        progress = run(CELLS[:1], store, data_dir=folder, precision=precision)
        assert "not even one cell fits" in progress.failed[0][1]


def test_the_history_tells_two_fleets_apart() -> None:
    results = [finished(data=data) for data in ("one fleet", "another fleet")]
    table = to_history(results)
    assert sorted(table["data"].unique()) == ["another fleet", "one fleet"]
    assert "data" not in to_history(results[:1])
