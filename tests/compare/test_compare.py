"""Anybody's table, compared seed by seed: what must come out, and what is refused by name.

Several cases come from public reports about other packages, where they went wrong.
"""

import json
import math
import warnings
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from amnl.compare import Compared, compare, judge, read_table
from amnl.compare.table import shown
from amnl.stats import ALPHA, DRAWN, MARGIN, holm, sign_flip
from amnl.study import tables
from amnl.study.rows import load_rows

NAN = math.nan


def rows_of(**scores: list[float]) -> pd.DataFrame:
    """Methods and their scores at seeds 1, 2, …"""
    return pd.DataFrame(
        [(m, seed, s) for m, every in scores.items() for seed, s in enumerate(every, 1)],
        columns=["method", "seed", "score"],
    )


def compared(rows: pd.DataFrame, **options: Any) -> Compared:
    return compare(rows, by="method", score="score", **options)


def words(found: Compared) -> str:
    """Its text, wherever it breaks its lines."""
    return " ".join(str(found).split())


def only(found: Compared) -> Any:
    (row,) = found.table().itertuples(index=False)
    return row


# -------------------------------------------------------------------------- from public reports


def test_missing_scores_are_left_out_pair_by_pair() -> None:
    rows = rows_of(A=[1, NAN, 3, 4, 5], B=[2, 3, 4, NAN, 6, 7])
    found = compared(rows)
    row = only(found)
    assert found.differences["", "A", "B"] == [-1, -1, -1]
    assert (row.n, row.mean, row.p, row.lost) == (3, -1, 2 / 8, "2, 4, 6")
    assert "A − B: left out for want of a score: seed 2, 4, 6" in words(found)


@pytest.mark.parametrize(
    ("differences", "p"),
    [([1] * 5, 2 / 32), ([0] * 5, 1), ([1, -1, 1, -1], 1)],
)
def test_sign_patterns_as_extreme_as_the_one_seen_are_counted(
    differences: list[float], p: float
) -> None:
    row = only(compared(rows_of(A=differences, B=[0.0] * len(differences))))
    assert row.p == row.p_holm == p


@pytest.mark.parametrize(
    ("raw", "corrected"), [((0.01, 0.011), (0.02, 0.02)), ((0.01, 0.04, 0.03), (0.03, 0.06, 0.06))]
)
def test_corrected_values_never_fall(raw: tuple[float], corrected: tuple[float]) -> None:
    assert holm(raw).tolist() == pytest.approx(corrected)


def test_two_methods_without_a_common_seed_are_named_and_cost_the_others_nothing() -> None:
    rows = rows_of(A=[1, 2, 3, 4, 5, 6], B=[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    late = pd.DataFrame({"method": "C", "seed": range(7, 13), "score": np.arange(6.0)})
    found = compared(pd.concat([rows, late]))
    table = found.table().set_index(["method", "against"])
    assert table.finding["A", "C"] == "not testable" and table.n["A", "C"] == 0
    assert set(table.tests) == {2} and "over 2 comparisons" in words(found)
    assert table.p_holm["A", "B"] == table.p_holm["B", "C"] == pytest.approx(2 * 2 / 2**6)
    assert "A − C: no seed with both scores" in words(found)


def test_two_methods_need_no_correction() -> None:
    row = only(compared(rows_of(A=[1, 2, 3, 4, 5, 6], B=[2, 4, 5, 6, 8, 9])))
    assert row.p_holm == row.p == 2 / 2**6 and row.finding == "better" and row.tests == 1


def test_one_method_is_a_plain_message() -> None:
    with pytest.raises(ValueError, match="method has one method, 'A'; two are wanted"):
        compared(rows_of(A=[1, 2, 3]))


def test_differences_that_are_always_the_same_are_flagged() -> None:
    a = np.array([0.1, 0.7, 2.3, 1.1, 5.9, 3.3])  # less one another, not 1 to the last digit
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compared(rows_of(A=list(a), B=list(a + 1), C=list(a + 2)), margin=5.0)
    table = found.table()
    assert table.p.tolist() == [0.03125] * 3 and table.p_holm.round(3).tolist() == [0.094] * 3
    assert table.low.tolist() == table.high.tolist() == pytest.approx([-1, -2, -1])
    assert table.no_spread.all() and "no spread" in str(found) and "nan" not in str(found)


def test_the_direction_is_said_and_can_be_turned() -> None:
    draw = np.random.default_rng(0)
    rows = rows_of(A=list(draw.normal(3, 1, 8)), B=list(draw.normal(5, 1, 8)))
    down = compared(rows, margin=0.3)
    up = compared(rows.assign(score=-rows.score), margin=0.3, better="higher")
    assert "smaller is better" in str(down) and "larger is better" in str(up)
    assert down.best == up.best == {"": "A"}
    one, other = only(down), only(up)
    assert one.mean == -other.mean < 0 and one.finding == other.finding == "better"
    for column in ("p", "p_holm", "p_equivalent_holm", "smallest"):
        assert getattr(one, column) == pytest.approx(getattr(other, column))


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    """Methods called None, NA and physics; one score is blank."""
    lines = ["method,seed,rmse"]
    for k, method in enumerate(("None", "NA", "physics")):
        lines += [f"{method},{s},{s + k + 0.1 * s * k}" for s in range(1, 7)]
    lines[3] = "None,3,"
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines))
    return path


def test_a_method_may_be_called_none(baseline: Path) -> None:
    found = compare(baseline, by="method", score="rmse", reference="None")
    assert [(r.method, r.n, r.lost) for r in found.table().itertuples()] == [
        ("NA", 5, "3"), ("physics", 5, "3")
    ]  # fmt: skip
    assert found.means()["n"].tolist() == [5, 6, 6]


# ------------------------------------------------------------------------------------- the book


def test_the_verdicts_of_chapter_6_from_its_published_rows() -> None:
    settings = {"by": "lam", "score": "test_rmse", "group": "subset"}
    with as_file(files("amnl.study.rows") / "sweep-compact-cycles2.csv") as path:
        found = compare(path, **settings, reference=0.5, margin=MARGIN)
    ours = found.table().set_index(["group", "method"])
    theirs = tables.compare(load_rows("sweep-compact-cycles2"))
    assert len(ours) == 40 and ours.finding.to_dict() == theirs.finding.to_dict()
    for column in ("mean", "low", "high", "p_holm", "p_equivalent_holm", "smallest"):
        np.testing.assert_allclose(ours[column], theirs.loc[ours.index, column], atol=1e-12)


# ----------------------------------------------------------------------------------- the table


def test_a_group_is_corrected_and_paired_by_itself() -> None:
    one = rows_of(A=[1, 2, 3, 4, 5, 6], B=[2, 4, 5, 6, 8, 9])
    other = rows_of(A=[9, 9, 9], C=[9, 8, 9], B=[8, 8, 8])
    found = compared(pd.concat([one.assign(of="x"), other.assign(of="y")]), group="of")
    table = found.table()
    assert table.groupby("group").tests.max().to_dict() == {"x": 1, "y": 3}
    alone = only(compared(one))
    assert table[table.group == "x"].p_holm.item() == alone.p_holm
    assert found.best == {"x": "A", "y": "B"}


@pytest.mark.parametrize("reference", [None, "B"])
def test_a_group_without_a_comparison_is_named(reference: str | None) -> None:
    """It must not vanish without a word."""
    rows = rows_of(A=[1, 2, 3, 4, 5, 6], B=[2, 4, 5, 6, 8, 9]).assign(of="x")
    found = compared(
        pd.concat([rows, rows_of(A=[1, 2]).assign(of="y")]), group="of", reference=reference
    )
    assert set(found.table().group) == {"x"} and set(found.means().group) == {"x", "y"}
    assert "y: has A alone, so nothing is compared" in words(found)


def test_a_margin_may_be_numpys() -> None:
    rows = rows_of(A=[1.0] * 8, B=[1.0] * 8)
    assert only(compared(rows, margin=np.float32(0.5))).finding == "equivalent"


def test_several_columns_name_a_method() -> None:
    rows = rows_of(A=[1, 2, 3], B=[2, 4, 5])
    twice = pd.concat([rows.assign(weighted=True), rows.assign(weighted=False)])
    found = compare(twice, by=["method", "weighted"], score="score")
    assert set(found.means().method) == {"A, True", "A, False", "B, True", "B, False"}
    assert len(found.table()) == 6


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (["0.5", "0.50"], {"0.5"}),
        (["007", "7"], {"007", "7"}),
        (["1", "1.0"], {"1"}),
        (["1e-3", "0.001"], {"0.001"}),
        (["0.5", "half"], {"0.5", "half"}),
        ([" A", "A "], {"A"}),
        (["None", "NA"], {"None", "NA"}),
    ],
)
def test_a_name_is_what_is_written(tmp_path: Path, written: list[str], names: set[str]) -> None:
    lines = [f"{name},{s},{s * 0.1}" for s, name in enumerate(written * 3)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["m,seed,x", *lines, *(f"9,{s},{s}" for s in range(6))]))
    found = compare(path, by="m", score="x")
    assert {shown(method) for method in found.means().method} == names | {"9"}


@pytest.mark.parametrize("blank", ["", "nan", "NaN", "NA", "n/a", "None", "null", " "])
def test_a_blank_score_is_missing_however_it_is_written(tmp_path: Path, blank: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"method,seed,score\nA,1,1\nA,2,{blank}\nA,3,2\nB,1,3\nB,2,3\nB,3,3\n")
    assert only(compare(path, by="method", score="score")).n == 2


def test_a_file_may_have_a_mark_and_comments_before_its_header(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\ufeff# where from\n# and when\nmethod,seed\nA #1,1\n", encoding="utf-8")
    table = read_table(path)
    assert list(table) == ["method", "seed"] and table.method.tolist() == ["A #1"]


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_the_unit_of_the_score_changes_no_verdict(scale: float) -> None:
    draw = np.random.default_rng(1)
    a = draw.normal(14, 1, 8)
    every = {"A": a, "B": a + draw.normal(0.5, 0.2, 8), "C": a + draw.normal(0.0, 0.05, 8)}
    plain = compared(rows_of(**{k: list(v) for k, v in every.items()}), margin=0.3).table()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = rows_of(**{k: list(v * scale) for k, v in every.items()})
        scaled = compared(rows, margin=0.3 * scale).table()
    assert scaled.finding.tolist() == plain.finding.tolist()
    assert set(plain.finding) == {"better", "worse", "equivalent"}
    for column in ("mean", "low", "high", "smallest"):
        np.testing.assert_allclose(scaled[column] / scale, plain[column], rtol=1e-6)


def test_many_pairs_are_tested_with_drawn_patterns() -> None:
    draw = np.random.default_rng(2)
    a = draw.normal(size=30)
    found = compared(rows_of(A=list(a), B=list(a + 1.0), C=list(a + draw.normal(0, 1, 30))))
    table = found.table()
    assert table.p.min() >= 1 / (DRAWN + 1) and table.finding[0] == "better"
    assert "above 20 pairs the signs are flipped in 99,999 random ways" in words(found)
    assert (
        compared(rows_of(A=list(a), B=list(a + 1.0)))
        .table()
        .equals(compared(rows_of(A=list(a), B=list(a + 1.0))).table())
    )


def test_drawn_patterns_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    d = np.random.default_rng(3).normal(0.4, 1, 14)
    exact = sign_flip(d)
    monkeypatch.setattr("amnl.stats.MOST", 10)
    assert sign_flip(d, rng=0) == pytest.approx(exact, abs=0.005)


# ------------------------------------------------------------------------------- what it tells


@pytest.fixture(scope="module")
def found() -> Compared:
    draw = np.random.default_rng(4)
    a = draw.normal(14, 1, 7)
    rows = rows_of(A=list(a), B=list(a + 1), C=[*a[:3], NAN, *a[4:]], D=[1.0] + [NAN] * 6)
    return compared(rows, margin=0.5, reference="A")


def test_the_findings_are_printed(found: Compared) -> None:
    text = str(found)
    assert "score by method, paired by seed, against A; smaller is better" in text
    assert "B − A  7" in text and "+1" in text and "worse" in text
    assert "D − A: one seed with both scores, so it is not tested" in text
    assert max(map(len, text.splitlines())) <= 88


def test_too_few_pairs_are_said_to_be_too_few() -> None:
    found = compared(rows_of(A=[1, 2, 3, 4, 5], B=[2, 3, 5, 6, 9]))
    assert "5 pairs can never show a difference here, whatever it is; 6 could" in words(found)
    assert "never" in words(found) and only(found).smallest == math.inf


def test_a_difference_that_does_not_matter_is_called_so() -> None:
    d = [0.1, 0.11, 0.12, 0.1, 0.13, 0.11]
    found = compared(rows_of(A=d, B=[0.0] * 6), margin=0.5)
    assert only(found).finding == "worse" and "worse, yet within ±0.5" in str(found)


def test_without_a_margin_nothing_is_equivalent() -> None:
    found = compared(rows_of(A=[1.0] * 8, B=[1.0] * 8))
    assert only(found).finding == "undecided" and "no margin is named" in words(found)


def test_html_escapes_what_is_in_the_table() -> None:
    rows = rows_of(**{"<b>": [1, 2, 3], "B": [2, 3, 5]})
    drawn = compared(rows)._repr_html_()
    assert "&lt;b&gt; − B" in drawn and "<b>" not in drawn


def test_json_has_no_nan(found: Compared) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    told = json.loads(found.to_json(), parse_constant=refuse)
    by_method = {c["method"]: c for c in told["comparisons"]}
    assert by_method["D"]["p"] is None and by_method["D"]["n"] == 1
    assert by_method["B"]["finding"] == "worse" and told["best"][0]["method"] == "D"
    assert told["better"] == "lower" and told["margin"] == 0.5 and told["alpha"] == ALPHA


@pytest.mark.parametrize("grouped", [False, True])
def test_the_figure_has_a_panel_a_group_and_a_line_a_comparison(grouped: bool) -> None:
    rows = rows_of(**{"$A$": [1, 2, 4], "B_": [2, 3, 3], "C": [2, 2, 2]})
    rows = pd.concat([rows.assign(of=of) for of in "vwxyz"]) if grouped else rows.assign(of="")
    figure = compared(rows, group="of" if grouped else None, margin=0.5).figure()
    figure.canvas.draw()
    assert len(figure.axes) == (5 if grouped else 1)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == 3 and labels[0] == r"\$A\$ − B_"
    plt.close(figure)


def test_judging_takes_comparisons_of_different_length() -> None:
    judged = judge({"a": [1.0] * 8, ("b", 2): [-1.0] * 9}, margin=None)
    assert judged.finding.tolist() == ["worse", "better"]
    assert judged.p_equivalent_holm.isna().all() and list(judged.index) == ["a", ("b", 2)]


# ----------------------------------------------------------------------------------- bad input


def two(**columns: object) -> pd.DataFrame:
    return rows_of(A=[1, 2, 3], B=[2, 3, 5]).assign(**columns)


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        (two(), {"by": "methode"}, "no column 'methode'; it has method, seed, score. Is 'method'"),
        (two(), {"score": "rmse"}, "no column 'rmse'; it has method, seed, score"),
        (two(), {"group": "seed"}, "'seed' is named twice"),
        (two().iloc[:0], {}, "no rows, only a header"),
        (pd.concat([two(), two()]), {}, "A, seed 1 has 2 scores, in rows 1, 7; 5 more are doubled. "
         "Keep one row of each"),
        (pd.concat([two(net="a"), two(net="b")]), {}, "differ in net: add one to `by` or to"),
        (pd.concat([two(of=1), two(of=1)]), {"group": "of"}, "A, seed 1, 1 has 2 scores"),
        (two(seed=[1, 2, None, 1, 2, 3]), {}, "seed is empty in row 3: such a row cannot be"),
        (two(method=["A", "A", "A", " ", "", "B"]), {}, "method is empty in rows 4, 5"),
        (two(score=["1", "2", "x", "1", "2", "3"]), {}, "score is 'x' in row 3, which is no"),
        (two(score=["1", "0,52", "1", "1", "2", "3"]), {}, "'0,52' in row 2.*a decimal point"),
        (two(score=[1, 2, math.inf, 1, 2, 3]), {}, "score is inf in row 3: a failed run"),
        (two(seed=[1, 2, 3, 4, 5, 6]), {}, "share two values of seed.*A has 1, 2, 3; B has 4, 5"),
        (two(seed=[1, 2, 3, 1, 5, 6]), {}, "no two methods share two"),
        (two(), {"reference": "C"}, "method has no 'C'; it has A, B"),
        (two(), {"reference": "a"}, "method has no 'a'; it has A, B"),
        (two(), {"margin": 0.0}, "margin is a positive number.*got 0.0"),
        (two(), {"margin": -1.0}, "margin is a positive number.*got -1.0"),
        (two(), {"margin": NAN}, "margin is a positive number.*got nan"),
        (two(), {"better": "smaller"}, "'lower' or 'higher', got 'smaller'"),
        (pd.DataFrame({"method;seed": ["A;1"]}), {}, "separated by ';'"),
        (pd.DataFrame([["A", 1, 1, 2]], columns=["method", "seed", "score", "score"]), {},
         "2 columns called 'score'; rename one"),
    ],
)  # fmt: skip
def test_bad_input_is_named(rows: pd.DataFrame, options: dict[str, Any], words: str) -> None:
    settings = {"by": "method", "score": "score"} | options
    with pytest.raises(ValueError, match=words) as told:
        compare(rows, **settings)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (
            b"method,seed\nA,1\nB,2,3,4\n",
            "no table with commas: Expected 2 fields in line 3, saw 4",
        ),
        (b"m\xe9thode,seed\n", "no text in UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_named(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "rows.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as told:
        read_table(path)
    assert str(told.value).startswith(str(path)) and "\n" not in str(told.value)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder"):
        read_table(tmp_path)
