"""Both halves of every page say the same: `book/NN-slug.md` and `notebooks/NN-slug.ipynb`."""

from collections.abc import Callable
from pathlib import Path

import halves
import jupytext
import nbformat
import pages
import pytest

PAGE = """\
---
amnl:
  needs: nasa
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

# A page

```{code-cell} ipython3
:tags: [nbval-ignore-output]

print(1)
```
"""


@pytest.mark.parametrize("name", pages.page_names(pages.ROOT))
def test_halves_agree(name: str) -> None:
    assert halves.pair_differences(pages.ROOT, name) == []


def test_contents_list_every_page() -> None:
    listed = [Path(page).stem for page in pages.html_pages(pages.ROOT) if "notebooks/" in page]
    assert sorted(listed) == pages.page_names(pages.ROOT)
    chapters = [name for name in listed if name[0].isdigit()]
    assert chapters == sorted(chapters)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A checkout with one page whose halves agree."""
    (tmp_path / "book").mkdir()
    (tmp_path / "notebooks").mkdir()
    pages.source_half(tmp_path, "01-page").write_text(PAGE)
    notebook = jupytext.reads(PAGE, fmt="md:myst")
    nbformat.write(notebook, pages.executed_half(tmp_path, "01-page"))
    return tmp_path


def test_an_untouched_pair_agrees(pair: Path) -> None:
    assert halves.pair_differences(pair, "01-page") == []


def test_outputs_are_no_difference(pair: Path) -> None:
    def ran(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[1].execution_count = 1
        notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="1\n")]

    edit(pair, ran)
    assert halves.pair_differences(pair, "01-page") == []


def edit(root: Path, change: Callable[[nbformat.NotebookNode], None]) -> None:
    path = pages.executed_half(root, "01-page")
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


def change_code(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[1].source = "print(2)"


def change_prose(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[0].source += "\n\nOne more line."


def change_type(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[0].cell_type = "raw"


def drop_tag(notebook: nbformat.NotebookNode) -> None:
    del notebook.cells[1].metadata["tags"]


def drop_needs(notebook: nbformat.NotebookNode) -> None:
    del notebook.metadata["amnl"]


def add_cell(notebook: nbformat.NotebookNode) -> None:
    notebook.cells.append(nbformat.v4.new_code_cell("print(3)"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (change_code, "cell 2, source"),
        (change_prose, "cell 1, source"),
        (change_type, "cell 1, type"),
        (drop_tag, "cell 2, metadata"),
        (drop_needs, "notebook metadata 'amnl'"),
        (add_cell, "2 cells in the source, 3 in the notebook"),
    ],
)
def test_drift_is_named(
    pair: Path, change: Callable[[nbformat.NotebookNode], None], complaint: str
) -> None:
    edit(pair, change)
    assert any(found.startswith(complaint) for found in halves.pair_differences(pair, "01-page"))


@pytest.mark.parametrize("half", [pages.source_half, pages.executed_half])
def test_a_missing_half_is_named(pair: Path, half: Callable[[Path, str], Path]) -> None:
    half(pair, "01-page").unlink()
    assert pages.page_names(pair) == ["01-page"]
    assert halves.pair_differences(pair, "01-page") == [
        f"{half(Path(), '01-page')} is missing",
    ]
