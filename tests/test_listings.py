"""What a page lists fits its column on a desk, or its ends are cut off."""

from collections.abc import Iterator

import nbformat
import pages
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

FITS = 87  # characters of the page's column at 1280 pixels
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


def listed(notebook: NotebookNode) -> Iterator[str]:
    """Lines of what is open: cells and blocks in the text. What a cell prints wraps."""
    for cell in notebook.cells:
        tags = set(cell.metadata.get("tags", ()))
        if cell.cell_type == "markdown":
            fence = None
            for line in cell.source.splitlines():
                if line.lstrip().startswith("```"):
                    fence = line if fence is None else None
                elif fence is not None and "{" not in fence:
                    yield line
        elif cell.cell_type == "code" and not tags & FOLDED:
            yield from cell.source.splitlines()


@pytest.mark.parametrize("name", pages.page_names(pages.ROOT))
def test_no_line_of_a_listing_is_cut(name: str) -> None:
    notebook = nbformat.read(pages.executed_half(pages.ROOT, name), as_version=4)
    assert [line for line in listed(notebook) if len(line) > FITS] == []


def test_open_listings_are_seen_and_folded_ones_are_not() -> None:
    folded = new_code_cell("plumbing", metadata={"tags": ["hide-input"]})
    text = "Words\n```\nmake book\n```\nmore\n:::{note}\n```{figure} x\nname\n```\n:::"
    notebook = new_notebook(cells=[new_markdown_cell(text), new_code_cell("x = 1"), folded])
    assert [*listed(notebook)] == ["make book", "x = 1"]
