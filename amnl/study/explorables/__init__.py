"""Things to play with: the book's numbers, moved by hand on a page or in a notebook."""

from amnl.study.explorables.explorable import SCRIPTS, Explorable

__all__ = ["SCRIPTS", "Explorable"]
