"""The protocol's families of cells as grids, and the rivals of its families e and f."""

from collections.abc import Sequence
from typing import Any

from amnl.cmapss import SUBSETS
from amnl.study.tables import LAMS

# The protocol's families: the values of each column, and all their combinations are the cells.
GRIDS: dict[str, dict[str, Sequence[Any]]] = {
    "a": {
        "subset": SUBSETS,
        "seed": range(10),
        "lam": LAMS,
        "rul_unit": (1.0,),
        "sample_weighted": (True,),
    },
    "b": {
        "subset": SUBSETS,
        "seed": range(10),
        "lam": LAMS,
        "rul_unit": (125.0,),
        "sample_weighted": (True,),
    },
    "c": {
        "subset": ("FD001", "FD002"),
        "seed": range(5),
        "lam": (0.5,),
        "rul_unit": (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 125.0, 250.0, 500.0, 1000.0),
        "sample_weighted": (True,),
    },
    "d": {
        "subset": SUBSETS,
        "seed": range(10),
        "lam": (0.5, 0.75),
        "rul_unit": (1.0,),
        "sample_weighted": (False,),
    },
}
# The rivals of families e and f: combiner, settings, whether samples are weighted.
RIVALS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "AMNL, running means": ("amnl", {}, True),
    "AMNL, batch values": ("amnl", {"normalise": "batch"}, True),
    "GRACE": ("grace", {}, True),
    "GABA": ("gaba", {}, False),
    "GradNorm": ("gradnorm", {}, True),
    "uncertainty": ("uncertainty", {}, True),
    "uncertainty, 25 times as fast": ("uncertainty", {"speed": 25.0}, True),
    "DWA": ("dwa", {}, True),
}
GRIDS["e"] = {"subset": SUBSETS, "seed": range(10), "rival": tuple(RIVALS), "rul_unit": (1.0,)}
GRIDS["f"] = {
    "subset": SUBSETS,
    "seed": range(10),
    "rival": ("GRACE", "GradNorm", "uncertainty", "uncertainty, 25 times as fast", "DWA"),
    "rul_unit": (125.0,),
}
