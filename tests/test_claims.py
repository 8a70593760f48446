"""The rules that turn rows into verdicts, on invented rows whose verdict is known."""

import csv
import dataclasses
import itertools
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from amnl import sweep
from amnl.cmapss import SUBSETS
from amnl.combine import SOURCE_LAMS
from amnl.study import claims
from amnl.study.claims import CLAIMS, CONDITION, FAILS, GRIDS, HOLDS, OPEN, Ruling, in_either_unit
from amnl.study.tables import LAMS

BASE = {"FD001": 12.0, "FD002": 18.0, "FD003": 12.0, "FD004": 18.0}
Cost = Callable[[str, int, float], float]


def cells(family: str, cost: Cost, believed: Cost | None = None) -> pd.DataFrame:
    """A whole family: test RMSE is the subset's base, the seed's luck, the cost, and a jitter.

    Validation sees `believed` in place of the cost; by default it sees the truth.
    """
    grid = GRIDS[family]
    rows = pd.DataFrame(itertools.product(*grid.values()), columns=list(grid))
    keys = list(zip(rows["subset"], rows["seed"], rows["lam"], strict=True))
    luck = rows["subset"].map(BASE) + rows["seed"] / 100
    luck += np.random.default_rng(0).normal(0.0, 0.01, size=len(rows))
    rows["test_rmse"] = luck + [cost(*key) for key in keys]
    rows["val_rmse"] = luck + [(believed or cost)(*key) for key in keys]
    rows["val_rmse_e15"] = rows["val_rmse"] + 1.0
    rows["test_rmse_last"] = rows["test_rmse"] + 1.0
    rows["constant_rmse"] = 42.0
    return rows


def flat(*_: object) -> float:
    return 0.0


def bowl(_subset: str, _seed: int, lam: float) -> float:
    return 10.0 * abs(lam - 0.5)


def ramp(_subset: str, _seed: int, lam: float) -> float:
    return 10.0 * (1.0 - lam)


def coin(_subset: str, seed: int, lam: float) -> float:
    """As often three cycles better than 0.5 as three cycles worse."""
    return 0.0 if lam == 0.5 else 3.0 * (-1) ** seed


def one_gamble(subset: str, seed: int, lam: float) -> float:
    return coin(subset, seed, lam) * (lam == 1.0)


def worse_alone(_subset: str, _seed: int, lam: float) -> float:
    """Without the health task, and nowhere else."""
    return 2.0 * (lam == 1.0)


def only_on(*subsets: str, otherwise: Cost = flat) -> Cost:
    return lambda subset, seed, lam: (bowl if subset in subsets else otherwise)(subset, seed, lam)


def bowl_but_one_cell(subset: str, seed: int, lam: float) -> float:
    return -1.0 if (subset, seed, lam) == ("FD002", 3, 0.4) else bowl(subset, seed, lam)


def half_a_cycle_or_so(_subset: str, seed: int, lam: float) -> float:
    return 0.0 if lam == 0.5 else 0.5 + 0.5 * (-1) ** seed


def worse_at_three_neighbours(subset: str, _seed: int, lam: float) -> float:
    return 2.0 * ((subset, lam) in {("FD001", 0.4), ("FD003", 0.4), ("FD003", 0.6)})


def in_both(claim: Callable[..., Ruling], cost: Cost, believed: Cost | None = None) -> Ruling:
    return claim(cells("a", cost, believed), cells("b", cost, believed))


# ------------------------------------------------------------------------- claims about the sweep


@pytest.mark.parametrize(
    ("claim", "cost", "verdict", "condition"),
    [
        (claims.claim_3, bowl, HOLDS, ""),
        (claims.claim_3, bowl_but_one_cell, CONDITION, "on average over the seeds"),
        (claims.claim_3, only_on("FD001", "FD002", "FD004", otherwise=ramp), FAILS, ""),
        (claims.claim_4, bowl, HOLDS, ""),
        (claims.claim_4, half_a_cycle_or_so, OPEN, ""),
        (claims.claim_4, flat, FAILS, ""),
        (claims.claim_4, lambda s, k, lam: 2 * bowl(s, k, lam), FAILS, ""),
        (claims.claim_4, lambda s, k, lam: bowl(s, k, lam) * (lam < 0.5), FAILS, ""),
        (claims.claim_5, bowl, HOLDS, ""),
        (
            claims.claim_5,
            worse_at_three_neighbours,
            CONDITION,
            "for 0.4 on FD001, 0.4 on FD003 and 0.6 on FD003",
        ),
        (claims.claim_5, flat, FAILS, ""),
        (claims.claim_5, coin, FAILS, ""),
        (claims.claim_10, bowl, HOLDS, ""),
        (claims.claim_10, only_on("FD002", otherwise=coin), CONDITION, "on FD002"),
        (
            claims.claim_10,
            only_on("FD002", "FD003", "FD004"),
            CONDITION,
            "on FD002, FD003 and FD004",
        ),
        (claims.claim_10, flat, FAILS, ""),
        (claims.claim_10, coin, OPEN, ""),
        (claims.claim_11, worse_alone, HOLDS, ""),
        (claims.claim_11, ramp, FAILS, ""),
        (claims.claim_13, bowl, HOLDS, ""),
        (claims.claim_13, ramp, FAILS, ""),
    ],
)
def test_each_rule_gives_each_of_its_verdicts(
    claim: Callable[..., Ruling], cost: Cost, verdict: str, condition: str
) -> None:
    ruling = in_both(claim, cost)
    assert (ruling.verdict, ruling.condition) == (verdict, condition)


def test_a_better_weight_on_one_subset_is_enough_to_refute_and_open_ones_are_not() -> None:
    mixed = in_both(claims.claim_10, lambda s, k, lam: (ramp if s == "FD003" else coin)(s, k, lam))
    assert mixed.verdict == FAILS
    assert "FD001 +0.00 undecided" in mixed.measured
    assert "FD003 -2.50 better" in mixed.measured


def test_the_coarse_sweep_can_be_enough_at_full_length_alone() -> None:
    families = [cells(name, bowl) for name in "ab"]
    for rows in families:
        rows["val_rmse_e15"] = abs(rows["lam"] - 0.3)
    ruling = claims.claim_13(*families)
    assert (ruling.verdict, ruling.condition) == (CONDITION, "for runs of full length")
    assert "with all epochs FD001 +0.00" in ruling.measured
    assert "with epochs 1 to 15 FD001 +2.0" in ruling.measured


def test_the_coarse_sweep_can_stay_undecided() -> None:
    # Among all eleven, validation prefers 1.0, which is as often better as it is worse.
    ruling = in_both(claims.claim_13, coin, believed=ramp)
    assert ruling.verdict == HOLDS  # 0.7 and 1.0 cost the same here
    for costly_at in (None, 0.3):
        rows = cells("a", one_gamble, believed=ramp)
        if costly_at:  # short runs that choose badly refute nothing
            rows.loc[rows["lam"] == costly_at, "test_rmse"] += 10.0
            rows["val_rmse_e15"] = abs(rows["lam"] - costly_at)
        assert claims.claim_13(rows, rows).verdict == OPEN


def test_one_costly_subset_refutes_the_coarse_sweep() -> None:
    cost = only_on("FD001", "FD002", "FD003", otherwise=ramp)
    assert in_both(claims.claim_13, cost).verdict == FAILS


@pytest.mark.parametrize(
    ("cost", "believed", "verdict", "condition"),
    [
        (worse_alone, ramp, HOLDS, ""),
        (only_on("FD004"), ramp, CONDITION, "on FD004"),
        (bowl, bowl, FAILS, ""),
        (ramp, ramp, FAILS, ""),
        (coin, ramp, OPEN, ""),
    ],
)
def test_tuning_is_judged_by_what_validation_chose(
    cost: Cost, believed: Cost, verdict: str, condition: str
) -> None:
    ruling = in_both(claims.claim_14, cost, believed)
    assert (ruling.verdict, ruling.condition) == (verdict, condition)


@pytest.mark.parametrize(
    ("weighted", "unweighted", "verdict"),
    [
        (bowl, flat, HOLDS),
        (flat, flat, FAILS),
        (bowl, bowl, OPEN),  # loses to 0.5, but not to unweighted samples
        (coin, flat, OPEN),
        (only_on("FD001"), flat, OPEN),
    ],
)
def test_double_weighting_must_lose_twice(weighted: Cost, unweighted: Cost, verdict: str) -> None:
    ruling = claims.claim_15(cells("a", weighted), cells("d", unweighted))
    assert ruling.verdict == verdict
    assert ruling.measured.startswith("0 of 40 runs fail")


@pytest.mark.parametrize("last", [np.nan, 42.1])
def test_one_doubly_weighted_run_that_fails_settles_it(last: float) -> None:
    rows = cells("a", flat)
    cell = (rows["subset"] == "FD002") & (rows["seed"] == 7) & (rows["lam"] == 0.75)
    rows.loc[cell, "test_rmse_last"] = last
    ruling = claims.claim_15(rows, cells("d", flat))
    assert ruling.verdict == HOLDS
    assert ruling.measured.startswith("1 of 40 runs")


def test_a_failure_at_another_weight_is_none_of_double_weighting() -> None:
    rows = cells("a", flat)
    rows.loc[rows["lam"] == 0.8, "test_rmse_last"] = 99.0
    assert claims.claim_15(rows, cells("d", flat)).verdict == FAILS


@pytest.mark.parametrize(
    ("hard", "spread", "verdict"),
    [(0.0, 0.0, HOLDS), (-6.0, 0.0, FAILS), (6.0, 0.0, FAILS), (-2.4, 2.0, OPEN)],
)
def test_the_ratio_of_the_hard_subsets(hard: float, spread: float, verdict: str) -> None:
    def cost(subset: str, seed: int, _lam: float) -> float:
        return (hard + spread * (-1) ** seed) * (subset in {"FD002", "FD004"})

    ruling = claims.claim_17(cells("a", cost))
    assert ruling.verdict == verdict
    assert f"FD002 / FD001 {(18 + hard) / 12:.2f}" in ruling.measured


def test_one_ratio_outside_is_enough() -> None:
    rows = cells("a", lambda subset, *_: 6.0 * (subset == "FD004"))
    assert claims.claim_17(rows).verdict == FAILS


@pytest.mark.parametrize(
    ("in_cycles", "in_125", "verdict", "condition"),
    [
        (HOLDS, HOLDS, HOLDS, ""),
        (FAILS, FAILS, FAILS, ""),
        (OPEN, FAILS, OPEN, ""),
        (FAILS, OPEN, FAILS, ""),
        (HOLDS, FAILS, CONDITION, "with the RUL loss in cycles²"),
        (HOLDS, OPEN, CONDITION, "with the RUL loss in cycles²"),
        (FAILS, HOLDS, CONDITION, "with the RUL error divided by 125 cycles"),
        (CONDITION, FAILS, CONDITION, "on A with the RUL loss in cycles²"),
        (OPEN, CONDITION, CONDITION, "on B with the RUL error divided by 125 cycles"),
        (CONDITION, HOLDS, CONDITION, "on A"),
        (HOLDS, CONDITION, HOLDS, ""),
    ],
)
def test_the_sources_unit_decides_unless_the_claim_holds_in_one_alone(
    in_cycles: str, in_125: str, verdict: str, condition: str
) -> None:
    a, b = (
        Ruling(given, f"numbers of {where}", f"on {where}" if given == CONDITION else "")
        for given, where in ((in_cycles, "A"), (in_125, "B"))
    )
    ruling = in_either_unit(lambda family: family, a, b)
    assert (ruling.verdict, ruling.condition) == (verdict, condition)
    assert "numbers of A" in ruling.measured and "numbers of B" in ruling.measured


def test_a_real_claim_that_holds_in_one_unit_says_so() -> None:
    ruling = claims.claim_10(cells("a", flat), cells("b", only_on("FD001", "FD003")))
    assert ruling.verdict == CONDITION
    assert ruling.condition == "on FD001 and FD003 with the RUL error divided by 125 cycles"


# ------------------------------------------------------------ what must not change, and what must


def test_a_seeds_luck_changes_no_paired_finding() -> None:
    a, b = cells("a", bowl_but_one_cell), cells("b", flat)
    lucky = a.assign(test_rmse=a["test_rmse"] + 5.0 * np.sin(a["seed"] + a["subset"].map(BASE)))
    for claim in (claims.claim_3, claims.claim_4, claims.claim_10):
        assert claim(lucky, b)[::2] == claim(a, b)[::2]


@pytest.mark.parametrize("cost", [bowl_but_one_cell, worse_at_three_neighbours])
def test_a_change_of_unit_of_the_score_changes_only_what_is_in_cycles(cost: Cost) -> None:
    a, b = cells("a", cost), cells("b", cost)
    twice = [rows.assign(test_rmse=2.0 * rows["test_rmse"]) for rows in (a, b)]
    for claim in (claims.claim_3, claims.claim_5):
        assert claim(*twice)[::2] == claim(a, b)[::2]
    assert claims.claim_17(twice[0]) == claims.claim_17(a)


def test_lam_one_is_no_rival_in_the_sources_contest() -> None:
    for contest, verdict in ((bowl, HOLDS), (bowl_but_one_cell, CONDITION)):
        rows = cells("a", contest)
        rows.loc[rows["lam"] == 1.0, "test_rmse"] = 5.0
        assert claims.claim_3(rows, rows).verdict == verdict


# --------------------------------------------------------------------- claims settled by algebra


def test_the_settled_claims_and_their_numbers() -> None:
    c = cells("c", lambda subset, *_: 0.0)
    assert claims.claim_1() == (HOLDS, "0 of 10,000 random totals lie outside their two losses", "")
    assert claims.claim_2()[:2] == (HOLDS, "autograd agrees with both formulas at 10 of 10 weights")
    assert claims.claim_6()[:2] == (
        FAILS,
        "argmin 0.9 on FD001, 0.1 on FD002, 0.9 on FD003, 0.1 on FD004",
    )
    assert claims.claim_7(c)[::2] == (CONDITION, "for a factor common to both losses")
    assert claims.claim_8()[0] == FAILS and "costs 10.000; log 3 is 1.0986" in claims.claim_8()[1]
    assert claims.claim_9()[0] == FAILS and "gradient by 0.00" in claims.claim_9()[1]
    assert claims.claim_16()[0] == HOLDS and "raises TypeError" in claims.claim_16()[1]


def test_the_range_over_units_is_that_of_the_means() -> None:
    c = cells("c", flat)
    c["test_rmse"] = np.where(c["rul_unit"] == 1000.0, 30.0, 14.0) + (c["seed"] - 2)
    c.loc[c.index[0], "test_rmse"] = np.nan
    measured = claims.claim_7(c).measured
    assert "on 0 of 4 subsets" in measured and "RUL loss on 2" in measured
    assert "over 13 RUL units" in measured
    assert "14.00 to 30.00 cycles on FD002; 1 of 130 runs failed" in measured


def test_the_settled_claims_notice_broken_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "combine_losses", lambda a, b, lam: lam * a + b)
    assert claims.claim_1().verdict == FAILS
    monkeypatch.setattr(claims, "combine_losses", lambda a, b, lam: lam * a * (1 - lam) * b)
    assert claims.claim_9().verdict == OPEN
    half = dict.fromkeys(SUBSETS, 0.5)
    monkeypatch.setattr(claims, "simulate_sweep", lambda *_: {"best": half})
    assert claims.claim_6().verdict == HOLDS
    assert claims.claim_7(cells("c", flat)).verdict == OPEN


def test_the_torch_claims_notice_broken_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from amnl.combiners import FixedWeightLoss

    monkeypatch.setattr(FixedWeightLoss, "forward", lambda self, rul, hs: self.rul_weight * rul)
    assert claims.claim_2().verdict == FAILS
    assert claims.claim_16().verdict == FAILS
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", lambda *_: torch.tensor(1.0))
    assert claims.claim_8().verdict == OPEN


# -------------------------------------------------------------------------------------- the rivals


def rivals(family: str, cost: Callable[[str, str, int], float]) -> pd.DataFrame:
    """A whole family of adaptive combiners: `cost(rival, subset, seed)` over what 0.5 scores."""
    grid = GRIDS[family]
    rows = pd.DataFrame(itertools.product(*grid.values()), columns=list(grid))
    kinds = [claims.RIVALS[rival] for rival in rows.pop("rival")]
    rows["combiner"] = [name for name, _, _ in kinds]
    rows["combiner_settings"] = [json.dumps(options) for _, options, _ in kinds]
    rows["sample_weighted"] = [weighted for _, _, weighted in kinds]
    luck = rows["subset"].map(BASE) + rows["seed"] / 100
    luck += np.random.default_rng(1).normal(0.0, 0.01, size=len(rows))
    named = claims.with_rivals(rows)
    keys = zip(named["rival"], rows["subset"], rows["seed"], strict=True)
    rows["test_rmse"] = luck + [cost(*key) for key in keys]
    return rows


def judged_12(
    in_cycles: Callable[[str, str, int], float], in_125: Callable[[str, str, int], float]
) -> Ruling:
    a, b, d = cells("a", flat), cells("b", flat), cells("d", flat)
    return claims.claim_12(a, b, d, rivals("e", in_cycles), rivals("f", in_125))


def test_half_that_nobody_beats() -> None:
    ruling = judged_12(lambda *_: 0.0, lambda *_: 1.0)
    assert (ruling.verdict, ruling.condition) == (HOLDS, "")
    assert "GRACE +1.00 (4 worse)" in ruling.measured
    assert "GABA" in ruling.measured and "AMNL" not in ruling.measured


def test_one_better_rival_on_one_subset_limits_the_claim_to_the_others() -> None:
    def cost(rival: str, subset: str, seed: int) -> float:
        return -1.0 if (rival, subset) == ("DWA", "FD003") else 0.0

    expected = "against GRACE, GABA, GradNorm and uncertainty"
    assert judged_12(cost, cost)[::2] == (CONDITION, expected)


def test_rivals_that_do_not_count_do_not_count() -> None:
    def cost(rival: str, subset: str, seed: int) -> float:
        return 0.0 if rival in claims.ADAPTIVE else -5.0

    assert judged_12(cost, cost).verdict == HOLDS


def test_rivals_that_all_win_refute_it_and_a_gamble_leaves_it_open() -> None:
    def better(*_: object) -> float:
        return -1.0

    def gamble(_rival: str, _subset: str, seed: int) -> float:
        return 3.0 * (-1) ** seed

    assert judged_12(better, better).verdict == FAILS
    assert judged_12(gamble, gamble).verdict == OPEN
    one_unit = judged_12(better, lambda *_: 0.0)
    assert one_unit.verdict == CONDITION and "divided by 125" in one_unit.condition


def test_gaba_is_compared_with_unweighted_samples() -> None:
    a, b, d = cells("a", flat), cells("b", flat), cells("d", flat)
    d["test_rmse"] += 2.0  # without sample weights everything is harder
    e = rivals("e", lambda rival, *_: 2.0 * (rival == "GABA"))
    assert claims.claim_12(a, b, d, e, rivals("f", lambda *_: 0.0)).verdict == HOLDS


@pytest.mark.parametrize("rival", claims.RIVALS)
@pytest.mark.parametrize(
    "odd",
    [
        {"combiner_settings": '{"speed": 3.0}'},
        {"combiner_settings": '{"floor": 0.1}'},
        {"combiner_settings": "{"},
        {"sample_weighted": "the other"},
        {"combiner": "uncertainty", "combiner_settings": '{"gain": 1}'},
    ],
    ids=lambda odd: "-".join(odd),
)
def test_a_run_of_other_settings_is_no_rival(rival: str, odd: dict[str, Any]) -> None:
    rows = rivals("e", lambda *_: 0.0)
    half = claims.by_lam(cells("a", flat), (0.5,))[0.5]
    chosen = claims.with_rivals(rows)["rival"] == rival
    if "sample_weighted" in odd:
        odd = {"sample_weighted": not claims.RIVALS[rival][2]}
    for column, value in odd.items():
        rows.loc[chosen, column] = value
    named = set(claims.with_rivals(rows)["rival"])
    assert len(named - set(claims.RIVALS)) == 1 and rival not in named
    with pytest.raises(ValueError, match="is no rival"):
        claims.rival_differences(rows, lambda weighted: half)


@pytest.mark.parametrize("written", ['{"speed": 25}', '{"speed":25.0}', '{"speed": 2.5e1}'])
def test_a_setting_is_compared_as_a_number(written: str) -> None:
    rows = rivals("f", lambda *_: 0.0)
    before = claims.with_rivals(rows)["rival"]
    rows["combiner_settings"] = rows["combiner_settings"].replace('{"speed": 25.0}', written)
    assert (claims.with_rivals(rows)["rival"] == before).all()


# -------------------------------------------------------------------------------------- the ledger


@pytest.fixture(scope="module")
def families() -> list[pd.DataFrame]:
    adaptive = [rivals(name, lambda *_: 1.0) for name in "ef"]
    return [*(cells(name, bowl) for name in "abcd"), *adaptive]


def test_the_ledger_of_a_world_in_which_the_source_is_right(families: list[pd.DataFrame]) -> None:
    shuffled = [rows.sample(frac=1.0, random_state=0) for rows in families]
    verdicts = claims.ledger(*shuffled)
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
    assert "0.5 wins 40 of 40 cells (91% to 100%, chance 10%)" in frame.loc[3, "measured"]


@pytest.mark.parametrize("k", range(6))
def test_an_incomplete_family_is_named(families: list[pd.DataFrame], k: int) -> None:
    tables = list(families)
    first = families[k].iloc[0]
    tables[k] = families[k][2:]
    what = f"lam {first['lam']}" if k < 4 else "rival"
    named = rf"family {'abcdef'[k]} lacks cells, 2: subset FD001 seed 0 {what} .*Finish"
    with pytest.raises(ValueError, match=named):
        claims.ledger(*tables)


def test_swapped_and_doubled_families_are_refused(families: list[pd.DataFrame]) -> None:
    a, b, c, d, e, f = families
    with pytest.raises(ValueError, match=r"family a lacks cells, 440: .* rul_unit 1\.0"):
        claims.ledger(b, a, c, d, e, f)
    with pytest.raises(ValueError, match=r"family d repeats cells, 1"):
        claims.ledger(a, b, c, pd.concat([d, d[:1]]), e, f)
    with pytest.raises(ValueError, match=r"family b has foreign cells, 440"):
        claims.ledger(a, pd.concat([a, b]), c, d, e, f)


def test_families_survive_a_csv(families: list[pd.DataFrame], tmp_path) -> None:
    for name, rows in zip("abcdef", families, strict=True):
        rows.to_csv(tmp_path / "family.csv", index=False)
        read = pd.read_csv(tmp_path / "family.csv")
        read = read if name in "abcd" else claims.with_rivals(read)
        claims.check_cells(read, GRIDS[name], f"family {name}")


@pytest.mark.parametrize("name", "abcdef")
def test_the_sweep_trains_what_the_ledger_judges(name: str) -> None:
    rows = pd.DataFrame(
        dataclasses.asdict(cell)
        | {
            "lam": cell.combiner_settings.get("rul_weight"),
            "combiner_settings": json.dumps(cell.combiner_settings),
        }
        for cell in sweep.family(name)
    )
    rows = rows if name in "abcd" else claims.with_rivals(rows)
    claims.check_cells(rows, GRIDS[name], f"family {name}")


def test_the_grids_are_the_protocols() -> None:
    sizes = {name: int(np.prod([len(v) for v in grid.values()])) for name, grid in GRIDS.items()}
    assert sizes == {"a": 440, "b": 440, "c": 130, "d": 80, "e": 320, "f": 200}
    units = np.array(GRIDS["c"]["rul_unit"])
    assert (1 / units**2).min() == pytest.approx(1e-6)
    assert (1 / units**2).max() == pytest.approx(1e2)


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
