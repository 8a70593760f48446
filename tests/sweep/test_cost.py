"""What a sweep is said to cost."""

from pathlib import Path

import pytest
from sweep_cells import CELLS

from amnl.sweep import Store, estimate
from amnl.training import train

pytestmark = pytest.mark.usefixtures("own_cache")


def test_an_estimate_counts_each_cell_once_and_times_groups(folder: Path, store: Store) -> None:
    cells = [*CELLS[:6], *CELLS[:2]]
    single = estimate(cells, store, workers=1, data_dir=folder)
    grouped = estimate(cells, store, workers=1, together=3, data_dir=folder)
    for found in (single, grouped):
        assert (found.cells, found.left, found.workers) == (6, 6, 1)
        assert 0 < found.seconds < 600
        assert 1e8 < found.memory < 1e11, "bytes"
    store.put(train(CELLS[0], folder))
    assert estimate(cells, store, data_dir=folder).finished == 1
