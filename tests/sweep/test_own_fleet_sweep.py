"""A sweep of a reader's own fleet: in this process, on workers, side by side; and its records."""

from pathlib import Path
from typing import Any

import pytest
from cmapss.own_tables import fleet_of, lives
from sweep_cells import comparable

from amnl import cmapss
from amnl.cmapss import DataError
from amnl.sweep import Store, config_of, estimate, grid, run, to_history, to_rows
from amnl.training import RunResult, TrainConfig, train

pytestmark = pytest.mark.usefixtures("own_cache")

FLEET = fleet_of(lives(60, 45, 50, 38, 70, 41, 66, 52, 47, 58))
SETTINGS: dict[str, Any] = {"epochs": 2, "batch_size": 32, "stride": 4, "window": 12, "cap": 40.0}
SETTINGS |= {"degrading": 25.0, "critical": 10.0}
CELLS = grid(["own"], range(2), lams=(0.3, 0.5), **SETTINGS)


@pytest.fixture(scope="module")
def expected() -> dict[TrainConfig, Any]:
    return {c: comparable(train(c, FLEET)) for c in CELLS}


def found_in(store: Store) -> dict[TrainConfig, Any]:
    return {r.config: comparable(r) for r in store}


def test_in_this_process_it_gives_what_train_gives(
    store: Store, expected: dict[TrainConfig, Any]
) -> None:
    progress = run(CELLS, store, workers=0, together=1, data_dir=FLEET, device="cpu")
    assert (progress.done, progress.failed) == (4, []) and found_in(store) == expected
    again = run(CELLS, store, workers=0, together=1, data_dir=FLEET, device="cpu")
    assert (again.before, again.done) == (4, 0), "and runs nothing twice"
    assert estimate(CELLS, store, workers=0, data_dir=FLEET, device="cpu").left == 0


def test_workers_get_the_fleet_with_the_sweep(
    store: Store, cluster: str, expected: dict[TrainConfig, Any]
) -> None:
    """They have no such file, and other data by default."""
    progress = run(CELLS, store, scheduler=cluster, data_dir=FLEET)
    assert (progress.done, progress.failed) == (4, []) and found_in(store) == expected


def test_side_by_side(store: Store) -> None:
    progress = run(CELLS, store, workers=0, together=4, data_dir=FLEET, device="cpu")
    assert (progress.done, progress.failed) == (4, [])
    assert {r.provenance["together"] for r in store} == {4}


def test_what_it_costs(store: Store) -> None:
    cost = estimate(CELLS, store, workers=0, data_dir=FLEET, device="cpu")
    assert (cost.cells, cost.left) == (4, 4) and cost.seconds > 0


def test_another_table_is_another_record(store: Store) -> None:
    config = CELLS[0]
    other = fleet_of(lives(60, 45, 50, 38, 70, 41, 66, 52, 47, 58, seed=1))
    paths = {store.path(config, str(fleet)).name for fleet in (FLEET, other)}
    assert len(paths) == 2 and all(name.startswith("own-seed0-") for name in paths)


def test_a_table_of_results_and_its_settings(store: Store, tmp_path: Path) -> None:
    import pandas as pd

    run(CELLS, store, workers=0, together=1, data_dir=FLEET, device="cpu")
    rows = to_rows(store)
    assert set(rows["window"]) == {12} and set(rows["cap"]) == {40.0} and "nudge" not in rows
    assert set(rows["data"]) == {str(FLEET)}
    rows.to_csv(tmp_path / "rows.csv", index=False)
    assert [config_of(row) for _, row in pd.read_csv(tmp_path / "rows.csv").iterrows()] == [
        config_of(row) for _, row in rows.iterrows()
    ]
    assert {config_of(row) for _, row in rows.iterrows()} == set(CELLS)
    assert len(to_history(store)) == 8


def test_cells_of_nasas_and_a_fleet_of_ones_own_are_told_apart(store: Store) -> None:
    with pytest.raises(DataError, match="a fleet of your own is no FD001"):
        run([TrainConfig(), *CELLS], store, workers=0, data_dir=FLEET, device="cpu")
    with pytest.raises(DataError, match="read it with Fleet"):
        run(CELLS, store, workers=0, device="cpu")
    assert len(store) == 0


def test_a_fleet_that_is_too_small_stops_before_the_first_cell(store: Store) -> None:
    with pytest.raises(DataError, match="it takes 4 at least"):
        run(CELLS, store, workers=0, data_dir=fleet_of(lives(40, 40)), device="cpu")
    assert len(store) == 0


def test_one_result_is_one_record(store: Store, expected: dict[TrainConfig, Any]) -> None:
    result = train(CELLS[0], FLEET)
    store.put(result)
    (back,) = store
    assert isinstance(back, RunResult) and back == result
    assert back.config.subset == cmapss.OWN
