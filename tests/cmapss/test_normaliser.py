"""z-scores come from the training engines alone."""

from pathlib import Path

import numpy as np
import pytest

from amnl import cmapss
from amnl.cmapss import SUBSETS, Normaliser, Source
from cmapss.tiny_fleet import TRAIN_LENGTHS, edit, field, seal


@pytest.mark.nasa
@pytest.mark.parametrize("subset", SUBSETS)
def test_nasa_sensors_are_unit_scale_within_each_condition(nasa: Source, subset: str) -> None:
    fleet = cmapss.read(nasa, subset, "train")
    fit, _ = cmapss.split_engines(fleet.engines, 1)
    normaliser = Normaliser.fit(fleet, fit)
    values, rows = normaliser(fleet), np.isin(fleet.engine, fit)
    assert np.isfinite(values).all()
    for c in np.unique(fleet.condition):
        inside = values[rows & (fleet.condition == c)].astype(np.float64)
        assert inside[:, :14].mean(0) == pytest.approx(0, abs=1e-4)
        assert inside[:, :14].std(0) == pytest.approx(1, abs=1e-4)
    # The settings keep the conditions apart: they are scaled over all of them.
    spread = values[rows][:, 14:].astype(np.float64).std(0)
    assert spread == pytest.approx([1, 1, 1] if len(np.unique(fleet.condition)) > 1 else [1, 1, 0])


def test_statistics_come_from_training_engines_alone(tiny: Path) -> None:
    before = cmapss.load("FD002", 0, tiny).normaliser
    fit, held = cmapss.split_engines(len(TRAIN_LENGTHS), 0)

    def shift(engine: int) -> None:
        unit = str(engine + 1)
        edit(
            tiny / "train_FD002.txt",
            lambda lines: [field(x, 8, "9.9") if x.split()[0] == unit else x for x in lines],
        )
        seal(tiny)

    shift(held[0])
    edit(tiny / "test_FD002.txt", lambda lines: [field(x, 8, "9.9") for x in lines])
    seal(tiny)
    after = cmapss.load("FD002", 0, tiny).normaliser
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.std, after.std)
    shift(fit[0])
    moved = cmapss.load("FD002", 0, tiny).normaliser
    assert not np.array_equal(before.mean, moved.mean)


def test_a_constant_column_is_not_blown_up(tiny: Path) -> None:
    path = tiny / "train_FD001.txt"
    edit(path, lambda lines: [field(x, 6, "642.15") for x in lines])  # sensor 2, the first feature
    seal(tiny)
    data = cmapss.load("FD001", 0, tiny)
    assert data.normaliser.std[0, 0] == 1.0
    assert data.normaliser.std[0, 16] == 1.0  # the throttle never moves in FD001
    assert np.abs(data.train.values[:, [0, 16]]).max() < 1e-6
