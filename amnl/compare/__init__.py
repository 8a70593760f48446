"""The protocol's statistics for anybody's table: methods compared seed by seed.

A row holds one score of one method with one seed. `compare` pairs the scores, tests every
difference exactly and corrects all together, asks for sameness within a margin, and says what so
few seeds could not have shown. Source: the page "The protocol".
"""

from amnl.compare.judging import judge
from amnl.compare.result import Compared, compare
from amnl.compare.table import read_table

__all__ = ["Compared", "compare", "judge", "read_table"]
