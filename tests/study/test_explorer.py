"""The λ explorer holds the numbers of the stored tables, as data and as HTML tables."""

import hashlib
import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pages
import pytest
from shared import Rendered

from amnl import stats
from amnl.cmapss import SUBSETS
from amnl.study import figures, tables
from amnl.study.explorer import Curve, Explorer, Sweep, explorer, our_sweep, source_sweep
from amnl.study.rows import load_rows

STATIC = pages.ROOT / "book" / "_static"
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
    sweep = our_sweep(rows, "units of 125 cycles")
    assert sweep.lambdas == sorted(rows.lam.unique())
    assert list(sweep.curves) == NAMES
    for subset, part in rows.groupby("subset"):
        curve = sweep.curves[subset]
        np.testing.assert_allclose(curve.rmse, part.groupby("lam").test_rmse.mean(), atol=1e-6)
        for i, (_, cell) in enumerate(part.groupby("lam")):
            np.testing.assert_allclose(sorted(curve.seeds[i]), sorted(cell.test_rmse), atol=5e-3)
            interval = stats.interval(cell.sort_values("seed").test_rmse)
            np.testing.assert_allclose((curve.low[i], curve.high[i]), interval, atol=5e-3)


def test_the_mean_curve_averages_subsets_and_resamples_within_them() -> None:
    rows = load_rows("sweep-compact-cycles2")
    curve, at_half = our_sweep(rows, "cycles").curves["mean"], rows[rows.lam == 0.5]
    i = tables.LAMS.index(0.5)
    by_seed = at_half.groupby("seed").test_rmse.mean()
    assert curve.rmse[i] == pytest.approx(at_half.test_rmse.mean(), abs=1e-6)
    np.testing.assert_allclose(curve.seeds[i], by_seed, atol=5e-3)
    samples = [part.sort_values("seed").test_rmse for _, part in at_half.groupby("subset")]
    np.testing.assert_allclose((curve.low[i], curve.high[i]), stats.interval(*samples), atol=5e-3)


def test_a_missing_cell_is_named() -> None:
    rows = load_rows("sweep-compact-cycles2")
    with pytest.raises(ValueError, match=r"FD003.*0\.5"):
        our_sweep(rows.drop(rows[(rows.subset == "FD003") & (rows.lam == 0.5)].index[3]), "cycles")


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
    title="Five < six & seven",
    unit="</script>",
    digits=1,
    lambdas=[0.1, 1.0],
    curves={"FD001": Curve([2.0, 1.0], [1.5, 0.5], [2.5, 1.5], [[2.0, 2.0], [1.0, 1.0]])},
)


def test_the_table_reads_without_a_script() -> None:
    shown = Cells(Explorer([TWO])._repr_html_())
    assert shown.within == []
    assert [[" ".join(cell.split()) for cell in row] for row in shown.rows] == [
        ["λ", "FD001"],
        ["0.1", "2.0 1.5 – 2.5"],
        ["1", "1.0 0.5 – 1.5"],
    ]
    assert shown.bold == ["1.0"]


def test_the_data_survive_the_page() -> None:
    text = Explorer([TWO])._repr_html_()
    data, rest = re.fullmatch(r"(?s).*?<script[^>]*>(.*?)</script>(.*)", text).groups()  # type: ignore[union-attr]
    assert json.loads(data)[0]["unit"] == "</script>"
    assert html.escape(TWO.title) in rest


def test_it_says_what_it_is_where_html_is_not_shown() -> None:
    runs = {"cycles": load_rows("sweep-compact-cycles2")}
    shown = repr(explorer(load_rows("source_ablation"), runs))
    assert shown == "Explorer(The source's table, Our runs, error in cycles)"


def test_the_browser_has_the_books_shapes() -> None:
    script = (STATIC / "lambda-explorer.js").read_text()
    (symbols,) = re.findall(r"const SYMBOLS = \{ (.*) \};", script)
    shapes = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "P"}
    drawn = {name: shapes[shape] for name, shape in re.findall(r'(\w+): "(\w+)"', symbols)}
    assert drawn == {name: figures.MARKERS[name] for name in NAMES}


def test_the_browser_has_the_books_palette() -> None:
    light = (STATIC / "lambda-explorer.css").read_text().partition("}")[0]
    palette = {name: value.upper() for name, value in re.findall(r"--curve-(\w+): (#\w+);", light)}
    assert palette == {name: figures.PALETTE[name].upper() for name in NAMES}


def test_vendored_scripts_are_the_ones_their_readme_names() -> None:
    readme = (STATIC / "vendor" / "README.md").read_text()
    scripts = sorted((STATIC / "vendor").glob("*.js"))
    assert len(scripts) == 1
    for script in scripts:
        assert f"`{hashlib.sha256(script.read_bytes()).hexdigest()}`" in readme, script.name


def test_only_the_explorers_page_loads_its_scripts(book: Rendered) -> None:
    loading = [
        page
        for page in pages.html_pages(pages.ROOT)
        if "plot.umd" in (book.html / page).read_text()
    ]
    assert loading == ["notebooks/00-lambda-explorer.html"]
