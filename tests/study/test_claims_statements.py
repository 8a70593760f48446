"""What the source says is quoted from its table."""

import csv
from importlib.resources import files

from amnl.cmapss import SUBSETS
from amnl.combine import SOURCE_LAMS
from amnl.study.claims import (
    CLAIMS,
)
from amnl.study.tables import LAMS


def test_the_sources_figures_are_those_of_its_table() -> None:
    text = (files("amnl.study.rows") / "source_ablation.csv").read_text(encoding="utf-8")
    table = csv.DictReader(line for line in text.splitlines() if line[0] != "#")
    rows = {float(row["lambda"]): row for row in table}
    assert tuple(rows) == SOURCE_LAMS == LAMS[:-1]
    quoted = {
        lam: ", ".join(row[subset] for subset in SUBSETS) + " cycles" for lam, row in rows.items()
    }
    assert quoted[0.5] in CLAIMS[3][1]
    assert quoted[0.75] in CLAIMS[10][1]
    assert quoted[0.5].removesuffix(" cycles") in CLAIMS[10][1]
    assert quoted[0.9] in CLAIMS[11][1]
    assert all(rows[lam]["mean"] + f" at {lam}" in CLAIMS[4][1] for lam in (0.5, 0.4, 0.6))
    half = rows[0.5]
    pairs = "{FD002} to {FD001} and {FD004} to {FD003}".format(**half)
    assert pairs in CLAIMS[17][1]
