"""rul-datasets 0.18 as a second opinion on the windows and labels that `amnl.cmapss` builds.

Its settings that correspond to ours: windows of 30 cycles over our 17 columns, with its scaling
switched off, so that raw values are compared. It validates on the last fifth of the engines in a
file, we draw ours by seed; so all of them are compared, engine by engine.

It counts remaining life in two ways. In the test files it counts as NASA does, in cycles after the
last one seen. In the training files the last cycle has 1 left, where we have 0, as NASA's
definition says. The labels must agree but for that one cycle, which is taken off before the cap.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from amnl import cmapss
from amnl.cmapss import SENSORS, SHA256, SUBSETS, Fleet, Source

WINDOW, MAX_RUL = 30, 125  # cycles, as the book states them
COLUMNS = [*(2 + s for s in SENSORS), 0, 1, 2]


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Source]]:
    """Their reader over a copy of NASA's files (it writes its own files beside them)."""
    root = tmp_path_factory.mktemp("peer")
    with pytest.MonkeyPatch.context() as patch:
        source = cmapss.find()
        patch.setenv("AMNL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("RUL_DATASETS_DATA_ROOT", str(root))  # read once, at import
        folder = root / "CMAPSS"
        folder.mkdir()
        for name in SHA256:
            (folder / name).write_bytes(cmapss.raw_bytes(source, name))
        from rul_datasets.reader import CmapssReader

        patch.setattr(CmapssReader, "_CMAPSS_ROOT", str(folder))
        patch.setattr(CmapssReader, "_scale_features", lambda self, features, _: features)
        yield CmapssReader, source


def their_split(
    reader: Any, subset: str, split: str, max_rul: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own split and of the engines it pads
        made = reader(int(subset[-1]), WINDOW, max_rul, feature_select=COLUMNS)
        made.prepare_data()
        features, targets = made.load_split(split)
    return features, targets


def ours(fleet: Fleet, engines: np.ndarray, *, last_only: bool = False) -> cmapss.Windows:
    return cmapss.windows(fleet, fleet.features.astype(np.float32), engines, last_only=last_only)


@pytest.mark.nasa
@pytest.mark.parametrize("subset", SUBSETS)
def test_training_windows_and_labels_are_theirs(peer: tuple[Any, Source], subset: str) -> None:
    reader, source = peer
    fleet = cmapss.read(source, subset, "train")
    first_held = int(0.8 * fleet.engines)
    for split, engines in (
        ("dev", np.arange(first_held)),
        ("val", np.arange(first_held, fleet.engines)),
    ):
        features, targets = their_split(reader, subset, split, MAX_RUL + 1)
        mine = ours(fleet, engines)
        assert len(features) == len(engines)
        assert len(mine) == sum(map(len, features))
        for engine, theirs, labels in zip(engines, features, targets, strict=True):
            rows = np.flatnonzero(mine.engine == engine)
            assert np.array_equal(mine.gather(rows), theirs.astype(np.float32))
            assert np.array_equal(mine.rul[rows], labels - 1)


@pytest.mark.nasa
@pytest.mark.parametrize("subset", SUBSETS)
def test_test_windows_and_labels_are_theirs(peer: tuple[Any, Source], subset: str) -> None:
    reader, source = peer
    fleet = cmapss.read(source, subset, "test")
    features, targets = their_split(reader, subset, "test", MAX_RUL)
    mine = ours(fleet, np.arange(fleet.engines), last_only=True)
    assert np.array_equal(mine.rul, np.concatenate(targets))
    seen = np.minimum(fleet.lengths, WINDOW)
    for window, theirs, cycles in zip(mine.gather(), features, seen, strict=True):
        # Where an engine is short they fill with zeros, we with its first row.
        assert np.array_equal(window[-cycles:], theirs[0, -cycles:].astype(np.float32))
