"""The protocol's families of cells, once: what is trained, and what the claims expect of the rows.

The page protocol.md says which family answers which question.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from amnl.cmapss import SUBSETS, TWO_FAULTS
from amnl.study.tables import LAMS

if TYPE_CHECKING:
    from amnl.training import TrainConfig

UNITS = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 125.0, 250.0, 500.0, 1000.0)  # cycles
ODDS = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 1.0, 10.0)  # λ/(1 − λ)
FAULT_ODDS = (1e-3, 0.01, 0.1, 1.0)


class Rival(NamedTuple):
    """A combiner that compares the tasks as they train, which 0.5 is compared with."""

    combiner: str
    settings: dict[str, Any]
    sample_weighted: bool = True


RIVALS = {
    "AMNL, running means": Rival("amnl", {}),
    "AMNL, batch values": Rival("amnl", {"normalise": "batch"}),
    "GRACE": Rival("grace", {}),
    "GABA": Rival("gaba", {}, sample_weighted=False),
    "GradNorm": Rival("gradnorm", {}),
    "uncertainty": Rival("uncertainty", {}),
    "uncertainty, 25 times as fast": Rival("uncertainty", {"speed": 25.0}),
    "DWA": Rival("dwa", {}),
}
NEWER_RULES = {
    "IMTL-G": Rival("torchjd", {"rule": "IMTLG"}),
    "MGDA": Rival("torchjd", {"rule": "MGDA"}),
    "Aligned-MTL": Rival("torchjd", {"rule": "AlignedMTL"}),
    "random weights": Rival("torchjd", {"rule": "Random"}),
}
# AMNL's two and GABA ignore the unit of a loss.
_IN_EITHER_UNIT = ("GRACE", "GradNorm", "uncertainty", "uncertainty, 25 times as fast", "DWA")


@dataclass(frozen=True)
class Grid:
    """All combinations of these values."""

    subsets: Sequence[str] = SUBSETS
    seeds: Sequence[int] = range(10)
    lams: Sequence[float] = LAMS  # of the fixed combiner
    rivals: Sequence[str] = ()  # keys of `RIVALS` or `NEWER_RULES`, instead of `lams`
    units: Sequence[float] = (1.0,)  # of the RUL error, cycles
    weighted: bool = True  # samples; a rival says it for itself
    settings: dict[str, Any] = field(default_factory=dict)  # other fields of `TrainConfig`

    def cells(self, preset: str) -> "list[TrainConfig]":
        """The cells, without an order that matters."""
        if not self.rivals:
            return self._grid(preset, self.weighted, lams=self.lams)
        found = []
        for weighted in (True, False):
            rivals = [(RIVALS | NEWER_RULES)[name] for name in self.rivals]
            mine = [(r.combiner, r.settings) for r in rivals if r.sample_weighted == weighted]
            found += self._grid(preset, weighted, combiners=mine)
        return found

    def _grid(self, preset: str, weighted: bool, **combiners: Any) -> "list[TrainConfig]":
        from amnl.sweep import grid  # with PyTorch, which no judge of rows needs

        return grid(
            self.subsets, self.seeds, rul_units=self.units, preset=preset,
            sample_weighted=weighted, **combiners, **self.settings,
        )  # fmt: skip

    def columns(self) -> dict[str, Sequence[Any]]:
        """Columns of the rows and their values, for `amnl.stats.check_cells`."""
        columns: dict[str, Sequence[Any]] = {"subset": self.subsets, "seed": self.seeds}
        if self.rivals:
            return columns | {"rival": self.rivals, "rul_unit": self.units}
        return columns | {
            "lam": self.lams, "rul_unit": self.units, "sample_weighted": (self.weighted,)
        }  # fmt: skip


@dataclass(frozen=True)
class Family:
    """Grids of one question, and the sizes of model that they are registered for."""

    grids: tuple[Grid, ...]
    presets: tuple[str, ...] = ("compact",)


_PAPER = ("paper",)
LADDER = ("compact-11k", "compact", "compact-133k", "compact-404k")
_ALL_WINDOWS = {"stride": 1}
UNCLIPPED = 1e9  # a gradient norm that no step reaches
OPTIMISERS: dict[str, dict[str, Any]] = {
    "AdamW": {},
    "SGD": {"optimiser": "sgd"},
    "SGD, not clipped": {"optimiser": "sgd", "clip": UNCLIPPED},
}
RATES = {"adamw": (1e-4, 3e-4, 1e-3, 3e-3, 0.01), "sgd": (0.003, 0.01, 0.03, 0.1, 0.3)}
ALIKE = ("FD001", "FD003")  # subsets with one operating condition
FIVE_LAMS = (0.1, 0.3, 0.5, 0.7, 0.9)
FEW_ENGINES = (5, 10, 20, 40)
FAMILIES = {
    "a": Family((Grid(),)),
    "b": Family((Grid(units=(125.0,)),)),
    "c": Family((Grid(("FD001", "FD002"), range(5), lams=(0.5,), units=UNITS),)),
    "d": Family((Grid(lams=(0.5, 0.75), weighted=False),)),
    "e": Family((Grid(rivals=tuple(RIVALS)),)),
    "f": Family((Grid(rivals=_IN_EITHER_UNIT, units=(125.0,)),)),
    "g": Family((Grid(settings=_ALL_WINDOWS),), _PAPER),
    "h": Family((Grid(units=(125.0,), settings=_ALL_WINDOWS),), _PAPER),
    "i": Family((Grid(),), _PAPER),
    "j": Family((Grid(units=(125.0,)),), _PAPER),
    "k": Family((Grid(units=(15.0,)),)),
    "l": Family((Grid(units=(35.0,)),)),
    "m": Family((Grid(lams=(0.0, *(d / (1 + d) for d in ODDS), 1.0)),)),
    "n": Family(
        (
            Grid(seeds=range(10, 25), lams=(0.1, 0.5)),
            Grid(("FD004",), range(10, 17), (0.5, 1.0), units=(125.0,)),
        )
    ),
    "o": Family(tuple(Grid(lams=(0.5,), settings={"nudge": nudge}) for nudge in (1e-6, -1e-6))),
    "p": Family(
        (
            Grid(
                TWO_FAULTS,
                lams=(*(d / (1 + d) for d in FAULT_ODDS), 1.0),
                settings={"auxiliary": "fault"},
            ),
        )
    ),
    "q": Family((Grid(("FD001",), lams=(0.1, 0.5, 0.9, 1.0), units=(1.0, 35.0)),), LADDER),
    "r": Family(
        tuple(
            Grid(ALIKE, range(3), FIVE_LAMS, units=(15.0,), settings=how | {"lr": rate})
            for how in OPTIMISERS.values()
            for rate in RATES[how.get("optimiser", "adamw")]
        )
    ),
    "t": Family(
        tuple(
            Grid(("FD001",), lams=(0.5, 0.9, 1.0), units=(1.0, 35.0), settings={"engines": kept})
            for kept in FEW_ENGINES
        )
    ),
    "u": Family((Grid(("FD001", "FD002"), lams=(0.1, 0.5, 0.9, 1.0), settings=_ALL_WINDOWS),)),
    "v": Family((Grid(ALIKE, rivals=tuple(NEWER_RULES), units=(1.0, 15.0, 125.0)),)),
}

PUBLISHED = {  # the tables of `amnl.study.rows` by family; g and h never ran
    "a": "sweep-compact-cycles2",
    "b": "sweep-compact-unit125",
    "c": "sweep-compact-odds",
    "d": "sweep-compact-unweighted",
    "e": "sweep-compact-rivals-cycles2",
    "f": "sweep-compact-rivals-unit125",
    "i": "sweep-paper-cycles2",
    "j": "sweep-paper-unit125",
    "k": "sweep-compact-unit15",
    "l": "sweep-compact-unit35",
    "m": "sweep-compact-front",
    "n": "sweep-compact-more-seeds",
    "o": "sweep-compact-nudged",
    "p": "sweep-compact-fault",
    "q": "sweep-ladder",
    "r": "sweep-compact-rates",
    "s": "sweep-compact-tuned",
    "t": "sweep-compact-few-engines",
}

# What the rows of a family must be: the values of each column, and all their combinations.
GRIDS = {name: FAMILIES[name].grids[0].columns() for name in "abcdef"}


def family(name: str, preset: str | None = None) -> "list[TrainConfig]":
    """The cells of one family, seeds outermost.

    Parameters
    ----------
    preset
        Size of the model, instead of the protocol's.

    Raises
    ------
    ValueError
        For a name or a preset that there is not, and for family s before r has rows.

    Examples
    --------
    >>> len(family("a"))
    440
    """
    if name == "s":
        from amnl.study.tuned_rates import fresh_cells

        return fresh_cells(preset)
    if name not in FAMILIES:
        known = ", ".join(sorted([*FAMILIES, "s"]))
        raise ValueError(f"unknown family {name!r}; the protocol has {known}")
    chosen = FAMILIES[name]
    cells = [
        cell
        for size in ((preset,) if preset else chosen.presets)
        for part in chosen.grids
        for cell in part.cells(size)
    ]
    return sorted(cells, key=lambda cell: cell.seed)
