"""A result as text, HTML and files."""

import dataclasses
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_problem import (
    sweep,
)

from amnl.weigh import FivePoint, Scale


@pytest.fixture(scope="module")
def result() -> FivePoint:
    return sweep(seeds=3)


def test_the_text_opens_with_the_scale_and_has_all_rows(result: FivePoint) -> None:
    text = str(result)
    assert text.startswith("scale    before training, the ")
    assert "divided by" in text.split("verdict")[0]
    fresh = f"smaller is better; {result.untrained:.4g} on a fresh model. 3 seeds, 2 epochs"
    assert fresh in " ".join(text.split())
    assert str(result.decision)[:20] in text
    rows = [line.split()[0] for line in text.splitlines() if line.strip()[:2] == "0."]
    assert rows == ["0.3", "0.4", "0.5", "0.6", "0.7"]
    assert "λ weighs the primary loss" in text and "same: within ±" in " ".join(text.split())
    assert "cannot show" in text
    assert max(len(line) for line in text.splitlines()) <= 100


class Cells(HTMLParser):
    """The text of each table cell, and every attribute and tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.attributes: list[Any] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.attributes += attrs
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def test_the_html_says_what_the_text_says_without_colours_of_its_own(result: FivePoint) -> None:
    page = Cells(result._repr_html_())
    assert page.open == [] and page.attributes == [("class", "dataframe")]  # as pandas' tables
    assert len(page.cells) == 6 * 7
    assert page.cells[7::7] == ["0.3", "0.4", "0.5", "0.6", "0.7"]
    for cell in page.cells:
        assert cell in str(result)


def test_html_escapes(result: FivePoint) -> None:
    odd = dataclasses.replace(result, notes=("a < b & <script>",))
    assert "a &lt; b &amp; &lt;script&gt;" in odd._repr_html_()


def test_saved_files_say_the_same(result: FivePoint, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    result.save(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["figure.png", "result.json", "runs.csv"]
    assert FivePoint.load(folder) == result
    runs = pd.read_csv(folder / "runs.csv")
    assert runs.groupby("lam", sort=False)["metric"].apply(list).to_dict() == result.scores
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_one_seed_saves_and_prints(tmp_path: Path) -> None:
    found = sweep(seeds=1)
    assert "one seed" in str(found) and "one seed" in found._repr_html_()
    found.save(tmp_path)
    assert FivePoint.load(tmp_path) == found


def test_a_result_prints_itself_at_a_prompt(result: FivePoint) -> None:
    assert repr(result) == str(result)
    large = Scale(1590.4, 1.0, 0.5)
    assert "1590 times" in str(large) and "e+" not in str(large)


def test_the_spread_is_that_of_paired_differences_in_margins(result: FivePoint) -> None:
    """A shift of a seed's scores at all weights is no spread."""
    scores = {lam: np.array(values) for lam, values in result.scores.items()}
    variances = [(scores[lam] - scores[0.5]).var(ddof=1) for lam in (0.3, 0.4, 0.6, 0.7)]
    right = np.sqrt(np.mean(variances)) / result.decision.margin
    assert result.spread == pytest.approx(right) and right > 0
    shifted = [dataclasses.replace(run, score=run.score + run.seed) for run in result.runs]
    moved = dataclasses.replace(result, runs=tuple(shifted))
    assert moved.spread == pytest.approx(result.spread)


def test_one_seed_has_no_spread() -> None:
    assert np.isnan(sweep(seeds=1).spread)
