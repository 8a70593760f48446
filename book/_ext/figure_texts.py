"""Sphinx extension: a figure that a page's cell draws has a number, a caption and a description.

The cell's metadata hold them, under `mystnb`: `figure: {name, caption}` and `image: {alt}`. MyST-NB
numbers and captions the figure, and knows the description of image files alone; here the inline
drawings of `amnl.drawing` get theirs. A figure that lacks one of the three is a warning.
"""

from html import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

UNNAMED = '<div class="drawn" role="img" aria-label="figure">'


class DescribeFigures(SphinxTransform):
    default_priority = 400

    def apply(self, **kwargs: object) -> None:
        for cell in self.document.findall(nodes.container):
            if cell.get("nb_element") != "cell_code":
                continue
            said = cell["cell_metadata"].get("mystnb", {})
            alt = " ".join(said.get("image", {}).get("alt", "").split())
            for drawing in list(cell.findall(nodes.raw)):
                if UNNAMED not in drawing.astext():
                    continue
                figure = said.get("figure", {})
                given = {"name": figure.get("name"), "caption": figure.get("caption"), "alt": alt}
                for what in (what for what, text in given.items() if not text):
                    logging.getLogger(__name__).warning("a figure has no %s", what, location=cell)
                html = drawing.astext().replace(
                    'aria-label="figure"', f'aria-label="{escape(alt)}"'
                )
                drawing.children = [nodes.Text(html)]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(DescribeFigures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
