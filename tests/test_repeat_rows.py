"""The tool that trains published rows again says what it found, numbers or none."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import repeat_rows

HERE = {"hardware": "ours", "torch": "2.9.1", "system": "Linux", "threads": 1}


def row(**changes: Any) -> dict[str, Any]:
    cell = {"subset": "FD001", "seed": 0, "lam": 0.5, "rul_unit": 1.0}
    return {**cell, **dict.fromkeys(repeat_rows.METRICS, 10.0), **HERE, **changes}


@pytest.mark.parametrize(
    ("stored", "again", "status"),
    [
        ({}, {}, 0),
        ({}, {"test_rmse": 10.0 * (1 + 1e-5)}, 1),
        ({"hardware": "another"}, {"test_rmse": 10.0 * (1 + 1e-5)}, 0),
        ({"together": 110.0}, {"test_rmse": 10.0 * (1 + 1e-5)}, 0),
        ({"together": 1.0}, {"test_rmse": 10.0 * (1 + 1e-5)}, 1),
        ({"together": float("nan")}, {"test_rmse": 10.0 * (1 + 1e-5)}, 1),
        ({"together": 110.0}, {"test_rmse": 12.0}, 1),
        ({}, {"val_rmse": float("nan")}, 1),
        ({}, {"test_rmse_uncapped": float("nan")}, 1),
        ({"test_rmse": float("nan")}, {}, 1),
    ],
)
def test_what_differs_or_is_no_number_fails(
    stored: dict[str, Any],
    again: dict[str, Any],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = tmp_path / "rows.csv"
    pd.DataFrame([row(**stored)]).to_csv(table, index=False)
    monkeypatch.setattr(repeat_rows, "config_of", lambda row: row)
    monkeypatch.setattr(repeat_rows, "train", lambda config: config)
    monkeypatch.setattr(repeat_rows, "to_rows", lambda _: pd.DataFrame([row(**again)]))
    monkeypatch.setattr(repeat_rows, "provenance", lambda device: HERE)
    monkeypatch.setattr(sys, "argv", ["repeat_rows", str(table), "--rows", "1"])
    with pytest.raises(SystemExit) as ended:
        repeat_rows.main()
    assert ended.value.code == status
