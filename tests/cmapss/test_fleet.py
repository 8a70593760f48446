"""Fleets: conditions, features, and files that are not there."""

from pathlib import Path

import numpy as np
import pytest

from amnl import cmapss
from amnl.cmapss import SUBSETS, DataError, Fleet, Source


@pytest.mark.nasa
@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_nasa_rows_lie_on_their_operating_condition(nasa: Source, subset: str, split: str) -> None:
    fleet = cmapss.read(nasa, subset, split)
    off = np.abs(fleet.values[:, :3] - cmapss.CONDITIONS[fleet.condition])
    assert (off.max(0) <= [0.01, 0.0021, 0.0]).all()
    met = np.unique(fleet.condition)
    assert len(met) == (6 if subset in ("FD002", "FD004") else 1)


def test_features_are_fourteen_sensors_then_three_settings() -> None:
    values = np.arange(24.0)[None, :]  # 0 … 2 are settings, 2 + n is sensor n
    fleet = Fleet("FD001", "train", values, np.array([0, 1]), np.array([0]))
    varying = [2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21]
    expected = [2.0 + n for n in varying] + [0.0, 1.0, 2.0]
    assert fleet.features[0].tolist() == expected
    assert len(cmapss.FEATURES) == 17


def test_a_file_that_vanishes_after_find_is_named(tiny_nasa: Path) -> None:
    source = cmapss.find(tiny_nasa)
    (tiny_nasa / "train_FD001.txt").unlink()
    with pytest.raises(DataError, match=r"neither train_FD001\.txt nor .*--download"):
        cmapss.read(source, "FD001", "train")


def test_rows_are_read_only_parsed_or_cached(tiny: Path) -> None:
    source = cmapss.find(tiny)
    for _ in range(2):
        with pytest.raises(ValueError, match="read-only"):
            cmapss.read(source, "FD001", "train").values[0, 0] = 1.0
