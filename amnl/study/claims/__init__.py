"""The source's 17 claims, each judged by the rule that the protocol fixed before the runs.

Every `claim_N` returns a `Ruling`; `ledger` puts them beside what the source says. Tables are those
of `Families`, one row a cell. Holm's correction runs over the ten other weights of a subset;
comparisons that are none of these ten (claims 12, 13, 14, and 15 against unweighted samples) come
once a subset, and are corrected over the four.
"""

from amnl.study.claims.behind import Curve, Evidence, Mark, evidence, tables_of
from amnl.study.claims.rules_algebra import (
    claim_1,
    claim_2,
    claim_6,
    claim_7,
    claim_8,
    claim_9,
    claim_16,
)
from amnl.study.claims.rules_rivals import (
    ADAPTIVE,
    claim_12,
    judge_rivals,
    rival_differences,
    with_rivals,
)
from amnl.study.claims.rules_sweep import (
    OF_ONE_SWEEP,
    claim_3,
    claim_4,
    claim_5,
    claim_10,
    claim_11,
    claim_13,
    claim_14,
    claim_15,
    claim_17,
    in_one_unit,
)
from amnl.study.claims.ruling import CONDITION, FAILS, HOLDS, OPEN, Ruling
from amnl.study.claims.statements import CLAIMS, RULES, Statement
from amnl.study.claims.verdicts import Families, Verdict, ledger, to_frame
from amnl.study.protocol import RIVALS

__all__ = [  # noqa: RUF022 (by what they are for)
    "Families", "Verdict", "ledger", "to_frame",
    "evidence", "Evidence", "Mark", "Curve", "tables_of",
    "CLAIMS", "RULES", "Statement", "Ruling", "HOLDS", "CONDITION", "FAILS", "OPEN",
    "claim_3", "claim_4", "claim_5", "claim_10", "claim_11", "claim_13", "claim_14", "claim_15",
    "claim_17", "in_one_unit", "OF_ONE_SWEEP",
    "claim_12", "ADAPTIVE", "RIVALS", "with_rivals", "rival_differences", "judge_rivals",
    "claim_1", "claim_2", "claim_6", "claim_7", "claim_8", "claim_9", "claim_16",
]  # fmt: skip
