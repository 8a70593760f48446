"""Names of subsets."""

from pathlib import Path

import pytest

from amnl import cmapss
from amnl.cmapss import DataError


@pytest.mark.parametrize("subset", ["FD005", "fd001", "", "1"])
def test_an_unknown_subset_lists_the_known(tiny: Path, subset: str) -> None:
    for call in (cmapss.load, lambda s, _, d: cmapss.read(cmapss.find(d), s, "train")):
        with pytest.raises(DataError, match=f"unknown subset '{subset}'.*FD001, FD002, FD003, FD0"):
            call(subset, 0, tiny)
