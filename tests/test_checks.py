"""The page on checks shows what the reports say."""

import json
from pathlib import Path

import checks
import pages
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from shared import Rendered

from amnl.study.rows import read_rows

XML = """<testsuites><testsuite time="90.0" timestamp="2026-01-02T03:04:05">
<testcase classname="tests.test_stats" name="a" time="1.5"/>
<testcase classname="tests.test_stats" name="b" time="1.5"><skipped/></testcase>
<testcase classname="tests.test_stats.TestX" name="c" time="0"><failure/></testcase>
<testcase classname="tests.study.test_bench" name="d" time="2"/>
<testcase classname="notebooks.01-page.ipynb" name="Cell 0" time="7"/>
</testsuite></testsuites>"""


def test_tests_are_counted_by_file(tmp_path: Path) -> None:
    (tmp_path / "tests.xml").write_text(XML)
    lines = checks.tests_table(tmp_path, tmp_path).splitlines()
    assert lines[2] == "| Every cell of every page, run and compared | 1 | 0 | 7 s |"
    assert lines[3].startswith("| `amnl bench`: the two sides") and lines[3].endswith(
        "| 1 | 0 | 2 s |"
    )
    assert lines[4].endswith("counted by hand | 1 | 1 | 3 s |")
    assert lines[5] == "| all | 3 | 1 | 1.5 min |"
    assert lines[-1].startswith("From 2026-01-02") and lines[-1].endswith("1 failed.")


def test_outputs_are_counted_by_how_they_are_checked() -> None:
    out = [new_output("stream", text="1")]
    ignored = new_code_cell("1", outputs=out, metadata={"tags": ["nbval-ignore-output"]})
    picture = new_output("display_data", {"image/png": "…", "text/plain": "<Figure size 1x1>"})
    inline = new_output("display_data", {"text/html": '<div class="drawn" role="img">…</div>'})
    cells = [
        new_code_cell("1", outputs=out),
        new_code_cell("2"),
        ignored,
        new_code_cell("draw", outputs=[picture]),
        new_code_cell("show", outputs=[inline]),
        new_code_cell("print and draw", outputs=[*out, picture]),
    ]
    found = checks.counts(new_notebook(cells=cells))
    assert found == {"cells": 6, "compared": 2, "drawn": 2, "ignored": 1}


@pytest.mark.parametrize(
    ("commits", "counted"),
    [(["a1", "a1+", "b2"], 2), ([None, None, None], 0), ([None, "a1", "a1"], 1), ([12, 12, 34], 2)],
)
def test_commits_are_counted_where_rows_know_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: list[object], counted: int
) -> None:
    """Rows that were trained from a wheel know none."""
    (tmp_path / "amnl" / "study" / "rows").mkdir(parents=True)
    (tmp_path / "amnl" / "study" / "rows" / "rows.csv").touch()
    rows = pd.DataFrame({"commit": commits, "hardware": ["a", None, "b"]})
    text = rows.to_csv(index=False)
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    monkeypatch.setattr(checks, "load_rows", lambda name: read_rows(text))
    assert f"| `rows` | a, b | 3 | {counted} |" in checks.rows_table(tmp_path, tmp_path)


def test_a_run_is_told_page_by_page(tmp_path: Path) -> None:
    name, other, *_ = pages.page_names(pages.ROOT)
    checks.write_pages_report(tmp_path, {name: 12.3, other: "needs NASA's files"})
    text = checks.pages_table(pages.ROOT, tmp_path)
    rows = {line.split("](../notebooks/")[-1]: line for line in text.splitlines()}
    row = {n: next(line for key, line in rows.items() if key.startswith(n)) for n in (name, other)}
    assert row[name].endswith("| 12 s |") and row[other].endswith("| needs NASA's files |")
    assert json.loads((tmp_path / "pages.json").read_text())["date"] in text


def test_without_reports_the_page_says_so(tmp_path: Path) -> None:
    assert "No full run lies beside" in checks.pages_table(pages.ROOT, tmp_path)
    assert "No full run of the tests" in checks.tests_table(pages.ROOT, tmp_path)


@pytest.mark.parametrize("title", checks.TABLES)
def test_every_table_has_its_place(book: Rendered, title: str) -> None:
    source = (pages.ROOT / "book" / "checks.md").read_text()
    assert f"% table of {title}\n" in source
    page = (book.html / "book" / "checks.html").read_text()
    assert "% table of" not in page and page.count("<table") == len(checks.TABLES) - (
        "No full run of the tests" in page
    )
