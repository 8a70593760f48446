"""Stored notebooks are the record of one clean run, and of no machine in particular."""

import ast
import re
from pathlib import Path

import checks
import halves
import nbformat
import numpy as np
import pages
import papermill
import pytest
import torch
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from amnl.cmapss import emulator
from amnl.study import machines
from amnl.study.html_table import show_table
from amnl.sweep import fixed
from amnl.task_losses import rmse
from amnl.training import TrainConfig, train

# Folders of somebody's machine; a Colab or GitHub path says as little to a reader.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|root|tmp|work|usr|opt|var|private|mnt|Users|content)/|[A-Z]:\\Users\\"
)

NAMES = pages.page_names(pages.ROOT)


def load(name: str) -> NotebookNode:
    return nbformat.read(pages.executed_half(pages.ROOT, name), as_version=4)


def printed(notebook: NotebookNode) -> str:
    """All text that the outputs show, pictures left out."""
    parts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            parts.append(str(output.get("text", "")))
            if not checks.is_picture(output):
                parts += map(str, output.get("data", {}).values())
    return "\n".join(parts)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def first_code(notebook: NotebookNode) -> str:
    return str(code(notebook)[0].source)


def names_read(source: str) -> set[str]:
    """The variables that a cell reads."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return {node.id for node in nodes if isinstance(node.ctx, ast.Load)}


def all_code(name: str) -> str:
    return "\n".join(cell.source for cell in code(load(name)))


TRAINING = [name for name in NAMES if "Trainer(" in all_code(name)]


def stderr(notebook: NotebookNode) -> str:
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    return "".join(output.text for output in outputs if output.get("name") == "stderr")


@pytest.mark.parametrize("name", NAMES)
def test_ran_once_from_top_to_bottom(name: str) -> None:
    assert halves.execution_faults(load(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_shows_no_path_of_a_machine(name: str) -> None:
    assert MACHINE_PATH.search(printed(load(name))) is None


@pytest.mark.parametrize("name", NAMES)
def test_shows_no_warning(name: str) -> None:
    assert stderr(load(name)) == ""


# What a cell shows only as its last expression.
SHOWN_LAST = ("show_table", "show_trends", "figures.show", "code_stepper", "claims_ledger", "Code")


def lost(notebook: NotebookNode) -> list[str]:
    """Tables and pictures that a cell makes before its last line, where nobody sees them."""
    return [
        ast.unparse(statement)
        for cell in notebook.cells
        if cell.cell_type == "code"
        for statement in parsed(cell.source)[:-1]
        if isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and ast.unparse(statement.value.func) in SHOWN_LAST
    ]


def parsed(source: str) -> list[ast.stmt]:
    """Its statements, less the magics of Jupyter."""
    return ast.parse(re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE)).body


@pytest.mark.parametrize("name", NAMES)
def test_what_a_cell_makes_to_be_seen_is_seen(name: str) -> None:
    assert lost(load(name)) == []


def test_a_lost_table_is_named() -> None:
    cells = ["show_table(x)\nprint(y)", "print(y)\nshow_table(x)", "%pip list\nx = show_table(y)"]
    assert lost(new_notebook(cells=[*map(new_code_cell, cells)])) == ["show_table(x)"]


def test_pages_open_with_the_same_cell() -> None:
    assert {first_code(load(name)).splitlines()[0] for name in NAMES} == {
        "# In Colab this installs the book's package; after `make book` there is nothing to do."
    }
    assert len({first_code(load(name)) for name in NAMES}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_says_its_data_and_its_device(name: str) -> None:
    source, text = all_code(name), printed(load(name))
    if "cmapss.find(" in source or "cmapss.load(" in source:
        kinds = r"NASA C-MAPSS, 12 files, checksum \w{12}|emulated fleet, seed \d+"
        kinds += r"(, 3 files, checksum \w{12})?"
        assert re.search(f"^data: ({kinds})$", text, re.MULTILINE)
    if name in TRAINING or "torch.optim" in source:
        assert re.search("^device: cpu", text, re.MULTILINE)


@pytest.mark.parametrize("page", TRAINING)
def test_training_pages_take_parameters_and_use_them(page: str) -> None:
    cells = code(load(page))
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert cells.index(tagged[0]) == 1 and len(tagged) == 1
    assigned = [node.targets[0].id for node in ast.parse(tagged[0].source).body]
    # Chapter 9 trains every combiner there is, and has no λ of its own.
    assert assigned == [
        name
        for name in ("SUBSET", "PRESET", "LAM", "SEED", "DATA")
        if name != "LAM" or "fixed(" in all_code(page)
    ]
    assert set(assigned) <= set().union(*(names_read(cell.source) for cell in cells[2:]))


@pytest.mark.parametrize("rul", [[5.0, 50.0, 100.0, 125.0], [5.0, 125.0], [60.0]])
def test_a_small_fleet_may_lack_engines_near_failure_or_far_from_it(
    rul: list[float],
) -> None:
    """Chapter 5 takes anybody's fleet."""
    cells = [cell.source for cell in code(load("05-train-cmapss"))]
    (source,) = [source for source in cells if "for low, high in ((0, 30)" in source]
    checked: list[str] = []

    def held(name: str, value: float) -> tuple[str, str, str]:
        checked.append(name)
        return name, f"{value}", "as here"

    true = np.array(rul)
    given = {"rul": true, "pred": true + 1, "rmse": rmse, "held": held, "np": np}
    given["show_table"] = show_table
    exec(source, given)
    bands = given["bands"]
    assert len(bands) == 4 and len(checked) == len(rul)
    for _, engines, error, late, others in bands:
        assert (engines, error, late, others) == (1, 1.0, 1.0, "as here") or (
            (engines, others) == (0, "") and np.isnan(error) and np.isnan(late)
        )


def test_papermill_trains_what_it_is_told(tmp_path: Path, own_cache: None) -> None:
    folder = emulator.write_fleet(tmp_path / "fleet", "FD003", 7, engines=3, test_engines=40)
    told = {"SUBSET": "FD003", "LAM": 0.3, "SEED": 1, "DATA": str(folder)}
    page, copy = pages.executed_half(pages.ROOT, "05-train-cmapss"), tmp_path / "copy.ipynb"
    text = printed(papermill.execute_notebook(page, copy, told, cwd=tmp_path, progress_bar=False))
    assert "data: emulated fleet, seed 7" in text
    assert re.search(r"validation +1 ", text)
    rows = machines.table()
    held = rows[(rows.page == "05-train-cmapss") & (rows.cell == "check")]
    assert text.count(">no other machine ran it with these values<") == len(held)

    torch.set_num_threads(1)  # as the page does
    metrics = train(
        TrainConfig("FD003", "compact", seed=1, combiner_settings=fixed(0.3)), folder
    ).metrics
    score = f"test RMSE, epoch {metrics['best_epoch']} by validation: {metrics['test_rmse']:5.2f}"
    assert score in text


def run_record(*counts: int | None) -> NotebookNode:
    cells = [new_code_cell("print(1)", execution_count=count) for count in counts]
    return new_notebook(cells=cells)


@pytest.mark.parametrize("counts", [(None,), (1, None), (2, 1), (1, 3), (2,)])
def test_a_partial_run_is_named(counts: tuple[int | None, ...]) -> None:
    assert "execution counts" in halves.execution_faults(run_record(*counts))[0]


def test_a_clean_run_has_no_fault() -> None:
    assert halves.execution_faults(run_record(1, 2)) == []


def test_a_stored_error_is_named() -> None:
    notebook = run_record(1)
    notebook.cells[0].outputs = [
        new_output("error", ename="ValueError", evalue="lam = 2", traceback=[])
    ]
    assert halves.execution_faults(notebook) == ["code cell 1 ends in ValueError: lam = 2"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"saved to {Path('/home')}/someone/run.csv", True),
        ("File /tmp/ipykernel_1/2.py:3", True),
        (r"C:\Users\someone", True),
        ("see https://example.org/home/page", False),
        ("ratio 3/4, ../data/train.txt", False),
    ],
)
def test_machine_paths_are_seen(text: str, found: bool) -> None:
    assert bool(MACHINE_PATH.search(text)) is found
