"""Things to play with: the book's numbers, moved by hand on a page or in a notebook."""

from amnl.study.explorables.claims_ledger import claims_ledger
from amnl.study.explorables.explorable import SCRIPTS, Explorable
from amnl.study.explorables.lambda_explorer import lambda_explorer
from amnl.study.explorables.loss_bowl import loss_bowl
from amnl.study.explorables.mixing_board import mixing_board

__all__ = ["SCRIPTS", "Explorable", "claims_ledger", "lambda_explorer", "loss_bowl", "mixing_board"]
