"""Tables of finished cells, and what their rows give back."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sweep_cells import CELLS, SOURCE, finished

from amnl.sweep import Store, config_of, fixed, to_history, to_rows
from amnl.training import TrainConfig

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
        ("fixed", fixed(0.7), 0.7),
        ("fixed", {"rul_weight": 0.7, "health_weight": 0.3}, None),  # 1 - 0.7 is another number
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


def test_the_history_tells_two_fleets_apart() -> None:
    results = [finished(data=data) for data in ("one fleet", "another fleet")]
    table = to_history(results)
    assert sorted(table["data"].unique()) == ["another fleet", "one fleet"]
    assert "data" not in to_history(results[:1])
