"""The ledger of the stored rows, once a process: it takes ten seconds."""

from functools import cache
from typing import NamedTuple

import pandas as pd

from amnl.study import claims
from amnl.study.explorables import Explorable, claims_ledger
from amnl.study.rows import load_rows

NAMES = ("cycles2", "unit125", "odds", "unweighted", "rivals-cycles2", "rivals-unit125")


class Whole(NamedTuple):
    verdicts: list[claims.Verdict]
    evidence: dict[int, claims.Evidence]
    copies: pd.DataFrame
    explorable: Explorable
    balanced: dict[int, dict[int, claims.Ruling]]


@cache
def whole() -> Whole:
    """What the page shows, without the source's size but for claim 10."""
    families = claims.Families(*(load_rows(f"sweep-compact-{name}") for name in NAMES))
    copies = load_rows("sweep-compact-nudged")
    verdicts, evidence = claims.ledger(families), claims.evidence(families, copies)
    unit15 = load_rows("sweep-compact-unit15")
    balanced = {10: {15: claims.in_one_unit(10, unit15)}}
    big = claims.claim_10(*(load_rows(f"sweep-paper-{name}") for name in NAMES[:2]))
    shown = claims_ledger(verdicts, evidence, families, balanced, {10: big})
    return Whole(verdicts, evidence, copies, shown, balanced)
