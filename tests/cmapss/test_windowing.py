"""Windows, labels and health states, against plain loops and NASA's counts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amnl import cmapss
from amnl.cmapss import SUBSETS, Source
from cmapss.tiny_fleet import TRAIN_LENGTHS, fleet_of

WINDOWS_NASA = {"FD001": 17_731, "FD002": 46_219, "FD003": 21_820, "FD004": 54_028}


@pytest.mark.nasa
@pytest.mark.parametrize("subset", SUBSETS)
def test_nasa_window_counts_and_every_test_engine_is_scored(nasa: Source, subset: str) -> None:
    data = cmapss.load(subset, 0, nasa)
    assert len(data.train) + len(data.val) == WINDOWS_NASA[subset]
    fleet = cmapss.read(nasa, subset, "test")
    assert data.test.engine.tolist() == list(range(fleet.engines))
    assert np.array_equal(data.test.true, fleet.end_rul)
    raw = fleet.features.astype(np.float32)
    gathered = cmapss.windows(fleet, raw, last_only=True).gather()
    padded = np.flatnonzero(fleet.lengths < cmapss.WINDOW)
    assert len(padded) == {"FD002": 6, "FD004": 11}.get(subset, 0)
    for i in range(fleet.engines):
        own = raw[fleet.offsets[i] : fleet.offsets[i + 1]][-cmapss.WINDOW :]
        blank = cmapss.WINDOW - len(own)
        assert np.array_equal(gathered[i], np.concatenate([own[:1].repeat(blank, 0), own]))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 70), st.integers(0, 150)), min_size=1, max_size=6),
    st.integers(1, 7),
    st.integers(0, 2**32),
)
def test_windows_are_what_a_plain_loop_cuts(
    engines: list[tuple[int, int]], stride: int, seed: int
) -> None:
    fleet = fleet_of([length for length, _ in engines], [rul for _, rul in engines])
    values = fleet.features.astype(np.float32)
    chosen = np.flatnonzero(np.random.default_rng(seed).random(len(engines)) < 0.7)
    cut, lives, owners = [], [], []
    for i in chosen:
        own, (length, end_rul) = values[fleet.engine == i], engines[i]
        for last in range(length - 1, 28, -stride):
            cut.append(own[last - 29 : last + 1])
            lives.append(length - 1 - last + end_rul)
            owners.append(i)
    got = cmapss.windows(fleet, values, chosen, stride=stride)
    order = np.lexsort((got.true, got.engine))  # the loop above counts back from the end
    assert len(got) == len(cut)
    assert got.engine[order].tolist() == owners
    assert got.true[order].tolist() == lives
    assert got.rul[order].tolist() == [min(life, 125) for life in lives]
    if cut:
        assert np.array_equal(got.gather(order), np.array(cut))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=8), st.integers(0, 2**32))
def test_the_last_window_of_every_engine_is_padded_with_its_first_row(
    lengths: list[int], seed: int
) -> None:
    fleet = fleet_of(lengths, [5] * len(lengths))
    values = fleet.features.astype(np.float32)
    chosen = np.flatnonzero(np.random.default_rng(seed).random(len(lengths)) < 0.7)
    got = cmapss.windows(fleet, values, chosen, last_only=True)
    assert got.engine.tolist() == chosen.tolist()
    for window, i in zip(got.gather(), chosen, strict=True):
        own = values[fleet.engine == i][-30:]
        assert np.array_equal(window, np.concatenate([own[:1].repeat(30 - len(own), 0), own]))


def test_labels_count_down_to_the_last_cycle_and_are_capped() -> None:
    fleet = fleet_of([160, 40], [0, 17])
    got = cmapss.windows(fleet, fleet.features.astype(np.float32))
    first, second = got.true[got.engine == 0], got.true[got.engine == 1]
    assert first.tolist() == list(range(130, -1, -1))
    assert second.tolist() == list(range(27, 16, -1))
    assert got.rul.max() == cmapss.MAX_RUL
    assert np.array_equal(got.rul, np.minimum(got.true, 125))
    assert np.array_equal(got.health, cmapss.health_state(got.rul))


@pytest.mark.parametrize(
    ("rul", "state"), [(125, 0), (81, 0), (80.5, 0), (80, 1), (31, 1), (30.5, 1), (30, 2), (0, 2)]
)
def test_health_states_at_their_edges(rul: float, state: int) -> None:
    assert cmapss.health_state(np.array([rul])).tolist() == [state]


def test_windows_share_one_array(tiny: Path) -> None:
    data = cmapss.load("FD002", 0, tiny)
    assert np.shares_memory(data.train.values, data.val.values)
    rows = sum(TRAIN_LENGTHS)
    assert data.train.values.shape == (rows, 17)
    held = sum(getattr(data.train, n).nbytes for n in ("values", "last", "rul", "true", "health"))
    assert held < 3 * rows * 17 * 4  # copies of every window would be up to 30 times the rows
    copies = data.train.gather(np.array([0, 3]))
    assert copies.shape == (2, 30, 17)
    assert not np.shares_memory(copies, data.train.values)


@pytest.mark.parametrize("stride", [0, -1])
def test_a_stride_below_one_is_named(stride: int) -> None:
    fleet = fleet_of([40], [0])
    with pytest.raises(ValueError, match=f"stride .* not {stride}"):
        cmapss.windows(fleet, fleet.features.astype(np.float32), stride=stride)


@pytest.mark.parametrize("rul", [np.nan, [20.0, np.nan]])
def test_nan_is_no_health_state(rul: Any) -> None:
    with pytest.raises(ValueError, match="NaN"):
        cmapss.health_state(rul)
