"""Chapter 3: what a log shows of a loss, and what the trunk feels of it."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy.typing as npt
from matplotlib.figure import Figure

from amnl.study.figures.style import HEALTH_COLOUR, PALETTE, RUL_COLOUR, TOTAL_COLOUR


def three_halves(
    losses: Mapping[str, npt.ArrayLike],
    totals: Mapping[str, npt.ArrayLike],
    shares: Mapping[str, npt.ArrayLike],
) -> Figure:
    """Two loss curves, the totals that three losses called 0.5/0.5 log, and RUL's share of each.

    `totals` and `shares` have the same keys. All are indexed by training step.
    """
    fig, axes = plt.subplots(3, 1, figsize=(6.4, 7.0), sharex=True)
    colours = (TOTAL_COLOUR, PALETTE["FD002"], PALETTE["FD001"])
    for ax, series, its_colours, title in (
        (axes[0], losses, (RUL_COLOUR, HEALTH_COLOUR), "The two task losses"),
        (axes[1], totals, colours, "What the log shows: the total"),
        (axes[2], shares, colours, "What the trunk feels: RUL's share of the weight"),
    ):
        for (label, values), colour in zip(series.items(), its_colours, strict=True):
            ax.plot(values, color=colour, label=label)
        ax.set(title=title, yscale="log")
    axes[2].set_xlabel("step")
    axes[0].legend()
    axes[1].legend()
    return fig
