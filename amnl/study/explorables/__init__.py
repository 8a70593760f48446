"""Things to play with: the book's numbers, moved by hand on a page or in a notebook."""

from amnl.study.explorables.explorable import SCRIPTS, Explorable
from amnl.study.explorables.lambda_explorer import lambda_explorer

__all__ = ["SCRIPTS", "Explorable", "lambda_explorer"]
