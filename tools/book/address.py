"""The address of the repository that the book is published from, and its places in the files.

`AMNL_REPOSITORY=https://github.com/OWNER/REPO python tools/book/address.py` writes it into README
and metadata of this checkout, as the branch that is published has them.
"""

import os
import re
from pathlib import Path

# The line of a page's first cell that holds the repository's address, as a notebook's JSON has it.
ADDRESS_LINE = r"REPOSITORY = \"{}\""


def repository() -> str:
    """Address of the repository that the book is published from; empty where nothing is published.

    Raises `SystemExit` for an `AMNL_REPOSITORY` that Colab could not open.
    """
    address = os.environ.get("AMNL_REPOSITORY", "")
    if address and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        raise SystemExit(
            f"AMNL_REPOSITORY is {address!r}; it must look like https://github.com/OWNER/REPO"
        )
    return address


def discussions() -> dict[str, str]:
    """Where readers discuss a page, in GitHub Discussions through giscus; empty without.

    `AMNL_DISCUSSIONS` holds three words that giscus.app gives for a repository: its id, the name of
    the category and the id of that. Raises `SystemExit` for other than three, and for a repository
    without an address.
    """
    words = os.environ.get("AMNL_DISCUSSIONS", "").split()
    if not words:
        return {}
    if len(words) != 3 or not repository():
        raise SystemExit(
            f"AMNL_DISCUSSIONS is {' '.join(words)!r}; it takes three words, the repository's id, "
            "the name of a category and its id, and AMNL_REPOSITORY beside it"
        )
    name = repository().removeprefix("https://github.com/")
    keys = ("repository", "repository_id", "category", "category_id")
    return dict(zip(keys, (name, *words), strict=True))


def fill_notebooks(root: Path, address: str) -> None:
    """Write the address into every notebook's first cell, for a machine that lacks the package.

    Raises `SystemExit` that names a notebook with no empty place for it.
    """
    for path in sorted(root.glob("notebooks/*.ipynb")):
        text = path.read_text(encoding="utf-8")
        if text.count(ADDRESS_LINE.format("")) != 1:
            raise SystemExit(
                f'{path.name}: its first cell has no line `REPOSITORY = ""` to fill in'
            )
        filled = text.replace(ADDRESS_LINE.format(""), ADDRESS_LINE.format(address))
        path.write_text(filled, encoding="utf-8")


def fill_texts(root: Path, address: str) -> None:
    """Write the address into the line that installs the package, and into its metadata.

    Raises `SystemExit` for a file without a place for it.
    """
    own = f'Repository = "{address}"\nIssues = "{address}/issues"\n'
    places = {
        "README.md": {
            ", with this repository's address for REPOSITORY:": ":",
            "git+REPOSITORY": f"git+{address}",
        },
        "pyproject.toml": {"[project.urls]\n": f"[project.urls]\n{own}"},
    }
    for name, filled in places.items():
        path = root / name
        text = path.read_text(encoding="utf-8")
        for place, by in filled.items():
            if place not in text or own in text:
                raise SystemExit(f"{name} has no empty place for the address: {place.strip()!r}")
            text = text.replace(place, by)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if not (own := repository()):
        raise SystemExit("AMNL_REPOSITORY is not set: it holds the address to write")
    fill_texts(Path(__file__).resolve().parents[2], own)
