"""The figure of a sweep."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from small_problem import sweep

from amnl.weigh import FivePoint


@pytest.fixture(scope="module")
def result() -> FivePoint:
    return sweep(seeds=3)


def test_the_figure_draws_paired_differences(result: FivePoint) -> None:
    before = dict(plt.rcParams)
    figure = result.figure()
    lines = figure.axes[0].get_lines()
    drawn = [line.get_ydata() for line in lines if len(line.get_ydata()) == 5]
    scores = np.array(list(result.scores.values()))
    for seed in range(3):
        wanted = scores[:, seed] - scores[2, seed]
        assert any(np.allclose(y, wanted) for y in drawn)
    plt.close(figure)
    assert dict(plt.rcParams) == before, "the reader's own style stays"
