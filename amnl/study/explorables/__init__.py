"""Things to play with: the book's numbers, moved by hand on a page or in a notebook."""

from amnl.study.explorables.claims_ledger import claims_ledger
from amnl.study.explorables.explorable import SCRIPTS, Explorable
from amnl.study.explorables.lambda_explorer import lambda_explorer

__all__ = ["SCRIPTS", "Explorable", "claims_ledger", "lambda_explorer"]
