"""Sphinx extension: a page loads the scripts of its explorables once, and no others.

`tools/book/pages.py` copies them from the package into the book's static files.
"""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FOLDER = Path("book", "_static", "explorables")


def load_scripts(app: Sphinx, page: str, template: str, context: Any, doctree: Any) -> None:
    body = context.get("body", "")
    folder = Path(app.srcdir) / FOLDER
    names = [script.stem for script in sorted(folder.glob("*-*.js")) if f"<{script.stem} " in body]
    if not names:
        return
    for name in ("explorables", *names):
        if (folder / f"{name}.css").exists():
            app.add_css_file(f"explorables/{name}.css")
    for name in ("d3.min", "explorables", *names):
        app.add_js_file(f"explorables/{name}.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", load_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
