"""The λ explorer holds the numbers of the stored tables, as data and as HTML tables."""

import html
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from amnl import stats
from amnl.cmapss import SUBSETS, health_state
from amnl.study import figures, tables
from amnl.study.explorables import SCRIPTS
from amnl.study.explorables.lambda_explorer import (
    Curve,
    Sweep,
    explorable,
    lambda_explorer,
    our_sweep,
    pull_ratios,
    source_sweep,
)
from amnl.study.rows import load_predictions, load_rows
from amnl.task_losses import macro_f1, rmse

NAMES = [*SUBSETS, "mean"]


def test_the_sources_table_is_carried_over() -> None:
    table = load_rows("source_ablation")
    sweep = source_sweep(table)
    assert sweep.lambdas == table["lambda"].tolist()
    assert {name: curve.rmse for name, curve in sweep.curves.items()} == {
        name: table[name].tolist() for name in NAMES
    }
    assert all(curve.seeds == curve.low == curve.high == [] for curve in sweep.curves.values())


def test_our_runs_are_carried_over() -> None:
    rows = load_rows("sweep-compact-unit125")
    sweep = our_sweep(rows)
    assert (sweep.name, sweep.unit) == ("unit125", 125.0)
    assert sweep.lambdas == sorted(rows.lam.unique())
    assert list(sweep.curves) == NAMES
    for subset, part in rows.groupby("subset"):
        curve = sweep.curves[subset]
        np.testing.assert_allclose(curve.rmse, part.groupby("lam").test_rmse.mean(), atol=1e-6)
        for i, (_, cell) in enumerate(part.groupby("lam")):
            np.testing.assert_allclose(sorted(curve.seeds[i]), sorted(cell.test_rmse), atol=5e-5)
            interval = stats.interval(cell.sort_values("seed").test_rmse)
            np.testing.assert_allclose((curve.low[i], curve.high[i]), interval, atol=5e-3)


def test_the_mean_curve_averages_subsets_and_resamples_within_them() -> None:
    rows = load_rows("sweep-compact-cycles2")
    curve, at_half = our_sweep(rows).curves["mean"], rows[rows.lam == 0.5]
    i = tables.LAMS.index(0.5)
    by_seed = at_half.groupby("seed").test_rmse.mean()
    assert curve.rmse[i] == pytest.approx(at_half.test_rmse.mean(), abs=1e-6)
    np.testing.assert_allclose(curve.seeds[i], by_seed, atol=5e-5)
    samples = [part.sort_values("seed").test_rmse for _, part in at_half.groupby("subset")]
    np.testing.assert_allclose((curve.low[i], curve.high[i]), stats.interval(*samples), atol=5e-3)


def test_a_missing_cell_is_named() -> None:
    rows = load_rows("sweep-compact-cycles2")
    with pytest.raises(ValueError, match=r"FD003.*0\.5"):
        our_sweep(rows.drop(rows[(rows.subset == "FD003") & (rows.lam == 0.5)].index[3]))


class Cells(HTMLParser):
    """The texts of every table cell, row by row, and those in bold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.bold: list[str] = []
        self.within: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            return
        self.within.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.within.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"th", "td"} & set(self.within):
            self.rows[-1][-1] += data + " "
        if "b" in self.within:
            self.bold.append(data)


TWO = Sweep(
    name="two",
    title="five < six & seven",
    unit=1.0,
    digits=1,
    lambdas=[0.1, 1.0],
    curves={"FD001": Curve([2.0, 1.0], [1.5, 0.5], [2.5, 1.5], [[2.0, 2.0], [1.0, 1.0]])},
)


def tables_of(*sweeps: Sweep) -> str:
    return explorable(sweeps).stands_in.partition('<div class="scrolls"')[2]


def test_the_table_reads_without_a_script() -> None:
    text = tables_of(TWO)
    shown = Cells("<div" + text)
    assert shown.within == []
    assert [[" ".join(cell.split()) for cell in row] for row in shown.rows] == [
        ["λ", "FD001"],
        ["0.1", "2.0 1.5 – 2.5"],
        ["1", "1.0 0.5 – 1.5"],
    ]
    assert shown.bold == ["1.0"]
    assert html.escape("Five < six & seven") in text


@pytest.mark.parametrize(
    ("values", "lowest"), [([2.0, 1.0, 3.0], 1), ([1.0, 2.0, 1.0], 2), ([1.0, 1.0, 1.0], 3)]
)
def test_every_lowest_value_is_bold(values: list[float], lowest: int) -> None:
    sweep = Sweep("source", "source", None, 1, [0.1, 0.5, 0.9], {"FD001": Curve(values)})
    assert tables_of(sweep).count("<b>") == lowest


def test_the_health_state_of_a_sweep_is_that_of_its_rows() -> None:
    rows, predictions = load_rows("sweep-compact-unit15"), load_predictions("sweep-compact-unit15")
    sweep = our_sweep(rows, predictions)
    half, seed0 = sweep.lambdas.index(0.5), predictions[predictions.seed == 0]
    for subset in SUBSETS:
        curve = sweep.curves[subset]
        means = rows[rows.subset == subset].groupby("lam").health_macro_f1.mean()
        assert curve.head[-1] is None  # nothing trains that head
        np.testing.assert_allclose(np.array(curve.head[:-1], float), means[:-1], atol=5e-4)
        cells = predictions[(predictions.subset == subset) & (predictions.lam == 0.5)]
        cuts = [macro_f1(health_state(cell.pred), cell.health) for _, cell in cells.groupby("seed")]
        assert curve.cut[half] == pytest.approx(np.mean(cuts), abs=5e-4)
        cell = seed0[(seed0.subset == subset) & (seed0.lam == 0.5)].sort_values("engine")
        np.testing.assert_allclose(np.array(curve.tenths[half]) / 10, cell.pred, atol=0.051)
    assert sweep.curves["mean"].head == sweep.curves["mean"].cut == []


@pytest.mark.parametrize("unit", [15, 35])
def test_the_engines_shown_have_the_error_of_their_row(unit: int) -> None:
    rows = load_rows(f"sweep-compact-unit{unit}")
    kept = {float(unit): load_predictions(f"sweep-compact-unit{unit}")}
    shown = lambda_explorer(load_rows("source_ablation"), [rows], load_rows("gradient_norms"), kept)
    truth, curves = shown.numbers["truth"], shown.numbers["sweeps"][1]["curves"]
    first = rows[rows.seed == 0].set_index(["subset", "lam"]).test_rmse
    for subset in SUBSETS:
        for lam, tenths in zip(tables.LAMS, curves[subset]["tenths"], strict=True):
            error = rmse(np.array(tenths) / 10, truth[subset])
            assert error == pytest.approx(first[subset, lam], abs=0.02)


def test_predictions_that_were_not_kept_are_not_shown() -> None:
    curves = our_sweep(load_rows("sweep-compact-unit125")).curves
    assert all(curve.cut == curve.tenths == [] for curve in curves.values())
    assert all(len(curves[subset].head) == len(tables.LAMS) for subset in SUBSETS)


def test_the_pulls_are_those_of_their_own_time() -> None:
    rows = [(1.0, 0, 4.0, 1.0), (2.0, 0, 1.0, 1.0), (1.0, 9, 99.0, 1.0), (1.0, 10, 9.0, 1.0)]
    table = pd.DataFrame(rows, columns=["rul_unit", "epoch", "rul_norm", "health_norm"])
    assert pull_ratios(table) == {"start": pytest.approx(4.0), "later": pytest.approx(9.0)}


def test_the_browser_has_the_books_shapes() -> None:
    script = (SCRIPTS / "lambda-explorer.js").read_text(encoding="utf-8")
    (symbols,) = re.findall(r"const SYMBOLS = \{ (.*) \};", script)
    shapes = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "P"}
    drawn = {name: shapes[shape] for name, shape in re.findall(r'(\w+): "(\w+)"', symbols)}
    assert drawn == {name: figures.MARKERS[name] for name in NAMES}


@pytest.mark.parametrize(
    ("file", "colours"),
    [
        ("explorables.css", {f"curve-{name}": figures.PALETTE[name] for name in NAMES}),
        ("lambda-explorer.css", {"rul": figures.RUL_COLOUR, "health": figures.HEALTH_COLOUR}),
    ],
)
def test_the_browser_has_the_books_palette(file: str, colours: dict[str, str]) -> None:
    light = re.findall(r"\{[^{}]*#[^{}]*\}", (SCRIPTS / file).read_text(encoding="utf-8"))[0]
    found = {name: value.upper() for name, value in re.findall(r"--([\w-]+): (#\w+);", light)}
    found.pop("accent", None)
    assert found == {name: value.upper() for name, value in colours.items()}
