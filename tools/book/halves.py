"""The two halves of a page, its source `book/NN-slug.md` and `notebooks/NN-slug.ipynb`.

They hold the same cells; the notebook also has what those printed.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat

# Notebook metadata that both halves must agree on; the rest is the kernel's business.
SHARED_METADATA = ("amnl", "kernelspec")


def page_names(root: Path) -> list[str]:
    """Names of all pages that have either half, in reading order."""
    halves = [*root.glob("book/[0-9][0-9]-*.md"), *root.glob("notebooks/*.ipynb")]
    return sorted({half.stem for half in halves})


def source_half(root: Path, name: str) -> Path:
    return root / "book" / f"{name}.md"


def executed_half(root: Path, name: str) -> Path:
    return root / "notebooks" / f"{name}.ipynb"


def pair_differences(root: Path, name: str) -> list[str]:
    """Every way in which the two halves of a page differ; empty when they agree."""
    source, executed = source_half(root, name), executed_half(root, name)
    for half in (source, executed):
        if not half.exists():
            return [f"{half.relative_to(root)} is missing"]
    left, right = jupytext.read(source), nbformat.read(executed, as_version=4)
    found = [
        f"notebook metadata {key!r}: {left.metadata.get(key)!r} != {right.metadata.get(key)!r}"
        for key in SHARED_METADATA
        if left.metadata.get(key) != right.metadata.get(key)
    ]
    if len(left.cells) != len(right.cells):
        found.append(f"{len(left.cells)} cells in the source, {len(right.cells)} in the notebook")
    for number, (a, b) in enumerate(zip(left.cells, right.cells, strict=False), start=1):
        found += [
            f"cell {number}, {part}: {x!r} != {y!r}"
            for part, x, y in (
                ("type", a.cell_type, b.cell_type),
                ("source", a.source, b.source),
                ("metadata", a.metadata, b.metadata),
            )
            if x != y
        ]
    return found


def execution_faults(notebook: Any) -> list[str]:
    """Why a notebook is not the record of one clean run from top to bottom; empty when it is."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    counts = [cell.execution_count for cell in code]
    found = []
    if counts != list(range(1, len(code) + 1)):
        found.append(f"execution counts {counts}, expected 1 to {len(code)}")
    for number, cell in enumerate(code, start=1):
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"code cell {number} ends in {output.ename}: {output.evalue}")
    return found


def is_current(root: Path, name: str) -> bool:
    """Whether the notebook holds its source's cells, and their outputs."""
    if pair_differences(root, name):
        return False
    return not execution_faults(nbformat.read(executed_half(root, name), as_version=4))


def pair(root: Path, source: Path, executed: Path) -> None:
    """Carry a source's cells over to its notebook, formatted alike in both."""

    def run_module(*arguments: str | Path) -> None:
        subprocess.run([sys.executable, "-m", *arguments], cwd=root, check=True)

    # jupytext follows the newer file; the MyST half is the source, so make it the newer one.
    os.utime(source)
    run_module("jupytext", "--quiet", "--sync", source)
    run_module("ruff", "format", "--quiet", executed)
    os.utime(executed)
    run_module("jupytext", "--quiet", "--sync", source)
