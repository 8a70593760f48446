"""The ledger: every claim, judged from the six families of the protocol."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from amnl.study.claims import rules_algebra, rules_rivals, rules_sweep
from amnl.study.claims.statements import CLAIMS
from amnl.study.protocol import GRIDS
from amnl.study.tables import check_cells


@dataclass(frozen=True)
class Families:
    """The protocol's families a to f: tables with one row a cell, such as `load_rows` gives.

    Each has the columns `subset`, `seed`, `rul_unit` (cycles), `sample_weighted` and `test_rmse`
    (cycles); the first four also `lam`, the last two `combiner` and `combiner_settings` (JSON). The
    rules read from `cycles2` and `unit125` besides `val_rmse`, `val_rmse_e15` (of epochs 1 to 15),
    `test_rmse_last` and `constant_rmse` (cycles).
    """

    cycles2: pd.DataFrame  # a: eleven weights, RUL loss in cycles²
    unit125: pd.DataFrame  # b: the same with the RUL error divided by 125 cycles
    odds: pd.DataFrame  # c: thirteen RUL units at λ = 0.5
    unweighted: pd.DataFrame  # d: λ = 0.5 and 0.75 in cycles², samples not weighted
    rivals_cycles2: pd.DataFrame  # e: adaptive combiners, cycles²
    rivals_unit125: pd.DataFrame  # f: adaptive combiners, error divided by 125 cycles


@dataclass(frozen=True)
class Verdict:
    """One line of the ledger. `evidence` is a link to its section of the book."""

    number: int
    claim: str
    source: str
    evidence: str
    verdict: str
    measured: str
    condition: str = ""


def ledger(families: Families) -> list[Verdict]:
    """All 17 verdicts, in order.

    Raises
    ------
    ValueError
        Names the family and its first cells that are missing, doubled or foreign; or a failed cell
        that a rule would have to pair.
    """
    for letter, field in zip("abcdef", dataclasses.fields(families), strict=True):
        rows, grid = getattr(families, field.name), GRIDS[letter]
        named = rules_rivals.with_rivals(rows) if "rival" in grid else rows
        check_cells(named, grid, f"family {letter}")
    units = families.cycles2, families.unit125
    adaptive = families.unweighted, families.rivals_cycles2, families.rivals_unit125
    rulings = {
        1: rules_algebra.claim_1(),
        2: rules_algebra.claim_2(),
        3: rules_sweep.claim_3(*units),
        4: rules_sweep.claim_4(*units),
        5: rules_sweep.claim_5(*units),
        6: rules_algebra.claim_6(),
        7: rules_algebra.claim_7(families.odds),
        8: rules_algebra.claim_8(),
        9: rules_algebra.claim_9(),
        10: rules_sweep.claim_10(*units),
        11: rules_sweep.claim_11(*units),
        12: rules_rivals.claim_12(*units, *adaptive),
        13: rules_sweep.claim_13(*units),
        14: rules_sweep.claim_14(*units),
        15: rules_sweep.claim_15(families.cycles2, families.unweighted),
        16: rules_algebra.claim_16(),
        17: rules_sweep.claim_17(families.cycles2),
    }
    return [Verdict(number, *CLAIMS[number], *ruling) for number, ruling in rulings.items()]


def to_frame(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """One row a claim, indexed by its `number`; the columns are the fields of `Verdict`."""
    return pd.DataFrame([dataclasses.asdict(v) for v in verdicts]).set_index("number")
