"""A grid has no cell that nobody could train."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from amnl.study.protocol import family
from amnl.sweep import fixed, grid


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: family("z"), r"'z'.*a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q"),
        (lambda: grid(("FD009",)), r"'FD009'.*FD001, FD002, FD003, FD004"),
        (lambda: fixed(1.01), r"1\.01"),
        (lambda: fixed(float("nan")), "nan"),
        (lambda: grid(lams=[0.5], combiners=[("dwa", {})]), "combiners and lams both"),
        (lambda: grid(lams=[0.5, 1.5]), r"1\.5"),
        (lambda: grid(rul_units=[0.0]), r"rul_unit.*0\.0"),
        (lambda: grid(preset="huge"), "'huge'.*compact"),
        (lambda: family("a", "huge"), "'huge'.*compact"),
        (lambda: grid(combiners=[("fixd", {})]), "'fixd'.*fixed"),
        (lambda: grid(combiners=[("amnl", {"weight": 1.0})]), "'weight'.*rul_weight"),
    ],
)
def test_bad_cells_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    "settings",
    [{"weight_decay": float("nan")}, {"min_lr": float("inf")}, {"ema": np.float64("nan")},
     {"seeds": [-1]}, {"epochs": 2.5}],
    ids=str,
)  # fmt: skip
def test_a_grid_has_no_cell_that_nobody_could_train(settings: dict[str, Any]) -> None:
    name = next(iter(settings)).removesuffix("s") if "seeds" in settings else next(iter(settings))
    with pytest.raises(ValueError, match=name):
        grid(**settings)
