"""The ledger judges whole families, and names what it cannot judge."""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from invented_rows import bowl, cells, rivals

from amnl.study import claims
from amnl.study.claims import CLAIMS, CONDITION, FAILS, HOLDS, OPEN, Families
from amnl.study.protocol import GRIDS, family
from amnl.study.tables import check_cells


@pytest.fixture(scope="module")
def families() -> Families:
    adaptive = [rivals(name, lambda *_: 1.0) for name in "ef"]
    return Families(*(cells(name, bowl) for name in "abcd"), *adaptive)


def tables(families: Families) -> dict[str, pd.DataFrame]:
    """The tables by their letter in the protocol."""
    return dict(zip("abcdef", vars(families).values(), strict=True))


def test_the_ledger_of_a_world_in_which_the_source_is_right(families: Families) -> None:
    shuffled = [rows.sample(frac=1.0, random_state=0) for rows in tables(families).values()]
    verdicts = claims.ledger(Families(*shuffled))
    assert [v.number for v in verdicts] == list(range(1, 18))
    held = {v.number for v in verdicts if v.verdict == HOLDS}
    assert held == {1, 2, 3, 4, 5, 10, 11, 12, 13, 16, 17}
    assert {v.verdict for v in verdicts} <= {HOLDS, CONDITION, FAILS, OPEN}
    for verdict in verdicts:
        assert (verdict.claim, verdict.source, verdict.evidence) == CLAIMS[verdict.number]
        assert bool(verdict.condition) == (verdict.verdict == CONDITION)
        assert verdict.measured and "\n" not in verdict.measured + verdict.source
    frame = claims.to_frame(verdicts)
    assert frame.index.name == "number" and len(frame) == 17
    assert frame.loc[3, "verdict"] == HOLDS
    assert "0.5 wins 40 of 40 contests (91% to 100%, chance 10%)" in frame.loc[3, "measured"]


@pytest.mark.parametrize("name", "abcdef")
def test_an_incomplete_family_is_named(families: Families, name: str) -> None:
    whole = tables(families)
    what = f"lam {whole[name]['lam'].iloc[0]}" if name in "abcd" else "rival"
    named = rf"family {name} lacks cells, 2: subset FD001 seed 0 {what} .*Finish"
    with pytest.raises(ValueError, match=named):
        claims.ledger(Families(*(whole | {name: whole[name][2:]}).values()))


def test_swapped_and_doubled_families_are_refused(families: Families) -> None:
    a, b, d = families.cycles2, families.unit125, families.unweighted
    with pytest.raises(ValueError, match=r"family a lacks cells, 440: .* rul_unit 1\.0"):
        claims.ledger(replace(families, cycles2=b, unit125=a))
    with pytest.raises(ValueError, match=r"family d repeats cells, 1"):
        claims.ledger(replace(families, unweighted=pd.concat([d, d[:1]])))
    with pytest.raises(ValueError, match=r"family b has foreign cells, 440"):
        claims.ledger(replace(families, unit125=pd.concat([a, b])))


def test_families_survive_a_csv(families: Families, tmp_path: Path) -> None:
    for name, rows in tables(families).items():
        rows.to_csv(tmp_path / "family.csv", index=False)
        read = pd.read_csv(tmp_path / "family.csv")
        read = read if name in "abcd" else claims.with_rivals(read)
        check_cells(read, GRIDS[name], f"family {name}")


@pytest.mark.parametrize("name", "abcdef")
def test_the_sweep_trains_what_the_ledger_judges(name: str) -> None:
    rows = pd.DataFrame(
        dataclasses.asdict(cell)
        | {
            "lam": cell.combiner_settings.get("rul_weight"),
            "combiner_settings": json.dumps(cell.combiner_settings),
        }
        for cell in family(name)
    )
    rows = rows if name in "abcd" else claims.with_rivals(rows)
    check_cells(rows, GRIDS[name], f"family {name}")


def test_the_grids_are_the_protocols() -> None:
    sizes = {name: int(np.prod([len(v) for v in grid.values()])) for name, grid in GRIDS.items()}
    assert sizes == {"a": 440, "b": 440, "c": 130, "d": 80, "e": 320, "f": 200}
    units = np.array(GRIDS["c"]["rul_unit"])
    assert (1 / units**2).min() == pytest.approx(1e-6)
    assert (1 / units**2).max() == pytest.approx(1e2)
