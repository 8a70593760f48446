"""`amnl compare`: what it prints, draws and refuses."""

import json
import re
import shlex
from pathlib import Path

import nbformat
import pages
import pytest
from test_cli import amnl

from amnl.compare import compare

ROWS = "method,seed,rmse,auc\n" + "".join(
    f"{method},{seed},{14 + k + 0.1 * seed * (k + 1)},{0.9 - 0.1 * k}\n"
    for k, method in enumerate(("old", "new", "[red]"))
    for seed in range(7)
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text(ROWS)
    return tmp_path


BASE = ("compare", "rows.csv", "--by", "method", "--score", "rmse")


def test_it_prints_what_python_has(here: Path) -> None:
    done = amnl(*BASE, "--margin", 0.5)
    assert done.exit_code == 0 and done.stderr == ""
    assert done.stdout == f"{compare('rows.csv', 'method', 'rmse', margin=0.5)}\n"
    assert "[red]" in done.stdout


def test_json_and_the_figure(here: Path) -> None:
    done = amnl(*BASE, "--reference", "old", "--json", "--figure", "a.svg")
    assert done.exit_code == 0
    assert [c["method"] for c in json.loads(done.stdout)["comparisons"]] == ["new", "[red]"]
    assert Path("a.svg").read_text().startswith("<?xml")


def test_the_direction_and_several_columns(here: Path) -> None:
    done = amnl("compare", "rows.csv", "--by", "method", "--score", "auc", "--better", "higher")
    assert "larger is better" in done.stdout and "best mean: old" in done.stdout
    nets = ROWS.replace("method,", "method,net,").replace("[red],", "[red],b,")
    Path("two.csv").write_text(nets.replace("old,", "old,a,").replace("new,", "new,a,"))
    done = amnl("compare", "two.csv", "--by", "method", "--by", "net", "--score", "rmse")
    assert done.exit_code == 0 and "[red], b" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--score", "rsme"), 1, ("rows.csv", "'rsme'", "'rmse' meant")),
        (("--seed", "fold"), 1, ("rows.csv", "'fold'", "method, seed, rmse, auc")),
        (("--reference", "older"), 1, ("rows.csv", "'older'", "'old' meant")),
        (("--margin", "-1"), 1, ("margin", "-1")),
        (("--better", "up"), 1, ("'up'", "lower")),
        (("--group", "method"), 1, ("'method'", "named twice")),
        (("--figure", "a.txt"), 2, ("a.txt", ".png, .svg, .pdf")),
        (("--figure", "nowhere/a.png"), 1, ("nowhere", "make it first")),
    ],
)
def test_bad_input_is_one_line(
    here: Path, arguments: tuple[str, ...], status: int, words: tuple[str, ...]
) -> None:
    done = amnl(*BASE, *arguments)
    assert done.exit_code == status and done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert message.startswith("error: ") and all(word in message for word in words), message
    assert sorted(path.name for path in here.iterdir() if path.name != "cache") == ["rows.csv"]


def test_the_figure_does_not_take_the_place_of_the_rows(here: Path) -> None:
    Path("rows.csv").rename("rows.png")
    done = amnl("compare", "rows.png", "--by", "method", "--score", "rmse", "--figure", "rows.png")
    assert done.exit_code == 2 and "is read; name another" in done.stderr
    assert Path("rows.png").read_text() == ROWS


def test_a_file_that_is_not_there(here: Path) -> None:
    done = amnl("compare", "row.csv", "--by", "method", "--score", "rmse")
    assert done.exit_code == 1 and done.stderr == "error: row.csv: no such file\n"


def test_the_command_of_chapter_6_prints_what_its_cell_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(pages.ROOT)
    page = nbformat.read(pages.executed_half(pages.ROOT, "06-weight-sweep"), as_version=4)
    (command,) = (
        match[1]
        for cell in page.cells
        if (match := re.search(r"^```\namnl (compare .*?)\n```", cell.source, re.M | re.S))
    )
    (cell,) = (cell for cell in page.cells if cell.source.endswith("print(asked)"))
    done = amnl(*shlex.split(command.replace("\\\n", "")))
    assert done.exit_code == 0 and done.stdout == cell.outputs[0].text
