"""Sweeps over C-MAPSS cells: which there are, the store of their results, and running the rest.

A cell is one training, and a `TrainConfig` says all about it.
"""

from amnl.runs import Progress, StoreError
from amnl.sweep.cost import Estimate, estimate
from amnl.sweep.grid import STRIDES, fixed, grid
from amnl.sweep.running import TOGETHER, run
from amnl.sweep.store import OtherVersionError, Store
from amnl.sweep.table import config_of, to_history, to_rows

__all__ = [  # noqa: RUF022 - in groups
    # which cells
    "grid",
    "fixed",
    "STRIDES",
    # running them
    "run",
    "Progress",
    "TOGETHER",
    "estimate",
    "Estimate",
    # their results
    "Store",
    "StoreError",
    "OtherVersionError",
    "to_rows",
    "to_history",
    "config_of",
]
