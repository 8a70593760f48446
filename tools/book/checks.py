"""The figures of `book/checks.md`: what is compared on each page, and what the last runs said.

`make test` leaves `_build/reports/tests.xml` and `make book` `_build/reports/pages.json`; a table
whose report is not there says so.
"""

import json
import platform
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
from nbformat import NotebookNode

from amnl.study import machines
from amnl.study.rows import load_rows

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "_build" / "reports"
PLACE = re.compile(r"^% table of (\w+)$", re.MULTILINE)
TEST_FILE = re.compile(r"tests(?:\.\w+)*?\.test_\w+")  # a class of tests may follow


def write_pages_report(reports: Path, became: dict[str, float | str]) -> None:
    """Keep what became of each page of a run: the seconds it took, or why it did not run."""
    report = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "pages": became}
    reports.mkdir(parents=True, exist_ok=True)
    (reports / "pages.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n")


def machine() -> str:
    return f"Python {platform.python_version()} on {platform.system()}"


def fill(staged: Path, reports: Path = REPORTS) -> None:
    """Put the tables in their places on the staged page."""
    page = staged / "book" / "checks.md"
    page.write_text(PLACE.sub(lambda m: TABLES[m[1]](staged, reports), page.read_text()))


def table(head: Iterable[str], rows: Iterable[Iterable[object]], numbers: int) -> str:
    """A Markdown table whose last columns, so many of them, hold numbers."""
    head = list(head)
    rule = ["---"] * (len(head) - numbers) + ["--:"] * numbers
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, rule, *rows))


# ------------------------------------------------------------------------------------- the pages


def counts(notebook: NotebookNode) -> dict[str, int]:
    """Of a page's code cells: all, those with text that is compared, those with a picture alone, of
    which nothing is, and those whose output is not compared."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    printing = [cell for cell in cells if cell.outputs]
    ignored = [c for c in printing if "nbval-ignore-output" in c.metadata.get("tags", [])]
    drawn = [c for c in printing if c not in ignored and all(map(is_picture, c.outputs))]
    return {
        "cells": len(cells),
        "compared": len(printing) - len(ignored) - len(drawn),
        "drawn": len(drawn),
        "ignored": len(ignored),
    }


def is_picture(output: NotebookNode) -> bool:
    data = output.get("data", {})
    drawn = data.get("text/html", "").startswith('<div class="drawn"')
    return drawn or any(kind.startswith("image/") for kind in data)


def title(notebook: NotebookNode) -> str:
    return str(notebook.cells[0].source.partition("\n")[0].removeprefix("# "))


def pages_table(staged: Path, reports: Path) -> str:
    report = reports / "pages.json"
    last: dict[str, Any] = json.loads(report.read_text()) if report.is_file() else {"pages": {}}
    rows = []
    total: Counter[str] = Counter()
    for path in sorted(staged.glob("notebooks/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        found, became = counts(notebook), last["pages"].get(path.stem, "–")
        total.update(found)
        shown = f"{became:.0f} s" if isinstance(became, float) else became
        rows.append([f"[{title(notebook)}](../notebooks/{path.name})", *found.values(), shown])
    rows.append(["all", *total.values(), ""])
    head = ["page", "code cells", "text compared", "picture alone", "not compared", "last run"]
    said = (
        f"The last column is from {last['date']}, {last['machine']}, two pages at a time."
        if "date" in last
        else "No full run lies beside this copy, so the last column is empty."
    )
    return f"{table(head, rows, 5)}\n\n{said}"


# ------------------------------------------------------------------------------------- the tests


def about(module: Path) -> str:
    """The first line of a test file's docstring, which says what the file is for."""
    return module.read_text(encoding="utf-8").partition('"""')[2].partition("\n")[0].strip(' ."')


def how_it_ended(case: ElementTree.Element) -> str:
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in kinds else "passed"


def tests_table(staged: Path, reports: Path) -> str:
    report = reports / "tests.xml"
    if not report.is_file():
        return "No full run of the tests lies beside this copy. `make test` makes one."
    (suite,) = ElementTree.parse(report).iter("testsuite")
    ended: dict[str, Counter[str]] = {end: Counter() for end in ("passed", "skipped", "failed")}
    seconds: Counter[str] = Counter()
    for case in suite.iter("testcase"):
        place = TEST_FILE.match(case.get("classname") or "")
        name = place[0].replace(".", "/") if place else "notebooks"
        seconds[name] += float(case.get("time") or 0)
        ended[how_it_ended(case)][name] += 1
    passed, skipped = ended["passed"], ended["skipped"]
    rows = []
    for name in sorted(seconds):
        module = ROOT / f"{name}.py"
        text = about(module) if module.is_file() else "Every cell of every page, run and compared"
        rows.append([text, passed[name], skipped[name], f"{seconds[name]:.0f} s"])
    whole = float(suite.get("time") or 0) / 60
    rows.append(["all", passed.total(), skipped.total(), f"{whole:.1f} min"])
    date = (suite.get("timestamp") or "").partition("T")[0]
    said = f"From {date}. {ended['failed'].total()} failed."
    head = ["what is tested", "passed", "skipped, with a reason", "time"]
    return f"{table(head, rows, 3)}\n\n{said}"


# ------------------------------------------------------------------------------- the stored rows


def rows_table(staged: Path, reports: Path) -> str:
    rows = []
    for path in sorted((ROOT / "amnl" / "study" / "rows").glob("*.csv")):
        stored = load_rows(path.stem)
        if "commit" not in stored:
            continue  # copied from the source: no run of ours
        commits = stored["commit"].dropna().str.rstrip("+").nunique()  # a wheel knows none
        machines_of = stored["hardware"].dropna().unique() if "hardware" in stored else []
        hardware = ", ".join(sorted(map(str, machines_of)))
        rows.append([f"`{path.stem}`", hardware, len(stored), commits])
    for path in sorted((ROOT / "amnl" / "study" / "rows").glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        if hardware := told.get("provenance", {}).get("hardware"):
            rows.append([f"`{path.stem}`", hardware, len(told.get("runs", [1])), 1])
    return table(["table or run", "trained or timed on", "rows", "commits"], rows, 2)


# ------------------------------------------------------------------------------ the other machines


def machines_table(staged: Path, reports: Path) -> str:
    """Every number that a page holds against other machines, and what those found."""
    found = machines.table()
    names = machines.machine_names(found)
    rows = []
    for _, row in found[found.cell == "check"].iterrows():
        try:
            values = row[names].astype(float)
            ends = [f"{values.min():.4g}", f"{values.max():.4g}"]
        except ValueError:  # words
            counted = Counter(row[names])
            ends = [", ".join(f"{word} {n}" for word, n in counted.most_common()), ""]
        rows.append([f"[](../notebooks/{row.page}.ipynb)", row.what, *ends])
    moved = found[found.cell != "check"].groupby("page").size()
    said = (
        f"{len(names)} machines: {', '.join(names)}. Besides these checks, {moved.sum()} numbers "
        f"that {len(moved)} pages print differ between machines in the digits shown; they are in "
        "`amnl/study/rows/machines.csv`, too, and the text claims no more of them than holds on "
        "all. "
        "What the other pages print is the same on every machine."
    )
    return f"{table(['page', 'number', 'lowest', 'highest'], rows, 2)}\n\n{said}"


TABLES: dict[str, Callable[[Path, Path], str]] = {
    "pages": pages_table,
    "tests": tests_table,
    "rows": rows_table,
    "machines": machines_table,
}
