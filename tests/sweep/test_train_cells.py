"""What a worker refuses, halves, or calls a failure."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from sweep_cells import CELLS, SOURCE

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.sweep import Store, estimate, run
from amnl.sweep.train_cells import train_cells
from amnl.training import RunResult, TrainConfig, population, train

pytestmark = pytest.mark.usefixtures("own_cache")


def test_a_worker_with_other_data_refuses(folder: Path) -> None:
    with pytest.raises(cmapss.DataError, match=rf"{SOURCE} in {folder}.*about NASA.*AMNL_DATA_DIR"):
        train_cells(CELLS[:1], data_dir=str(folder), source="NASA C-MAPSS")


def test_a_worker_with_another_fleet_of_the_same_seed_refuses(folder: Path, tmp_path: Path) -> None:
    emulator.write_fleet(tmp_path, "FD001", seed=3, engines=11, test_engines=5)
    with pytest.raises(cmapss.DataError, match=r"emulated fleet, seed 3.*AMNL_DATA_DIR"):
        train_cells(CELLS[:1], data_dir=str(tmp_path), source=SOURCE)


@pytest.mark.parametrize("precision", ["float32", "bf16-lstm"])
def test_a_precision_of_cells_that_are_trained_alone_is_refused(
    folder: Path, store: Store, precision: str
) -> None:
    """Before anything is trained: such a cell would have another precision than was asked for."""
    cells = [CELLS[0], dataclasses.replace(CELLS[1], optimiser="sgd")]
    words = f"'{precision}' is of cells side by side.*no optimiser, got 'sgd'.*leave the precision"
    for ask in (run, estimate):
        with pytest.raises(ValueError, match=words):
            ask(cells, store, workers=0, data_dir=folder, precision=precision)
    assert not list(store)


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

    monkeypatch.setattr(population, "Population", Small)
    cells = [c for c in CELLS if c.subset == "FD001"][:5]
    progress = run(cells, store, workers=0, together=5, data_dir=folder)
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

    monkeypatch.setattr(population, "Population", Full)
    monkeypatch.setattr("amnl.sweep.train_cells.train", small_batches_alone)
    fitting = dataclasses.replace(CELLS[0], batch_size=16, combiner="amnl", combiner_settings={})
    progress = run([CELLS[0], CELLS[1], fitting], store, workers=0, together=5, data_dir=folder)
    assert progress.done == 1 and progress.finished == [fitting]
    assert [cell for cell, _ in progress.failed] == CELLS[:2]
    assert "CUDA out of memory" in progress.failed[0][1] and "--batch-size" in progress.failed[0][1]


def test_a_cell_left_over_has_the_masks_of_the_others(folder: Path) -> None:
    cells = [c for c in CELLS if c.seed == CELLS[0].seed]

    def metrics(groups: list[list[TrainConfig]], **options: Any) -> dict[str, float]:
        found = {}
        for group in groups:
            results = train_cells(group, data_dir=str(folder), source=SOURCE, **options)
            for cell, result in zip(group, results, strict=True):
                assert isinstance(result, RunResult)
                found[json.dumps(cell.combiner_settings)] = result.metrics["test_rmse"]
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

    monkeypatch.setattr(population, "Population", Full)
    for precision in (None, "tf32"):
        progress = run(
            CELLS[:1], store, workers=0, together=5, data_dir=folder, precision=precision
        )
        assert "not even one cell fits" in progress.failed[0][1]


def test_a_worker_whose_amnl_lacks_a_setting_refuses(folder: Path) -> None:
    """Or it would train without it, and the record would say that it had it."""
    (cell,) = (dataclasses.replace(c) for c in CELLS[:1])
    object.__setattr__(cell, "novelty", 0.5)
    with pytest.raises(TypeError, match="novelty"):
        train_cells([cell], data_dir=str(folder), source=SOURCE)


def test_the_number_of_threads_is_the_callers_again(folder: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        one = dataclasses.replace(CELLS[0], epochs=1)
        (result,) = train_cells([one], data_dir=str(folder), source=SOURCE, device="cpu")
        assert isinstance(result, RunResult) and result.provenance["threads"] == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
