"""Sphinx extension: a page loads the scripts of its explorables once, and no others.

`tools/book/pages.py` copies them from the package into the book's static files. Links of an
explorable are those of a notebook, to `NN-page.ipynb` and to `page.md`; in the book they lead to
its pages.
"""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FOLDER = Path("book", "_static", "explorables")
ELEMENT = re.compile(r'<([a-z]+-[a-z-]+) class="explorable".*?</\1>', re.DOTALL)
LINK = re.compile(r'(<a [^>]*href="[\w./-]+)\.(?:ipynb|md)(?=["#])')


def link_to_pages(body: str) -> str:
    return ELEMENT.sub(lambda element: LINK.sub(r"\1.html", element[0]), body)


def load_scripts(app: Sphinx, page: str, template: str, context: Any, doctree: Any) -> None:
    body = context.get("body", "")
    folder = Path(app.srcdir) / FOLDER
    names = [script.stem for script in sorted(folder.glob("*-*.js")) if f"<{script.stem} " in body]
    if not names:
        return
    context["body"] = link_to_pages(body)
    for name in ("explorables", *names):
        if (folder / f"{name}.css").exists():
            app.add_css_file(f"explorables/{name}.css")
    for name in ("d3.min", "explorables", *names):
        app.add_js_file(f"explorables/{name}.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", load_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
