"""Chapter 3: what a log shows of a loss, and what the trunk feels of it."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from amnl.study.figures.style import (
    HEALTH_COLOUR,
    PALETTE,
    RUL_COLOUR,
    TOTAL_COLOUR,
    is_narrow,
    plain_log,
)


def three_halves(
    losses: Mapping[str, npt.ArrayLike],
    totals: Mapping[str, npt.ArrayLike],
    shares: Mapping[str, npt.ArrayLike],
) -> Figure:
    """Two loss curves, the totals that three losses called 0.5/0.5 log, and RUL's share of each.

    `totals` and `shares` have the same keys. All are indexed by training step.
    """
    fig, axes = plt.subplots(3, 1, figsize=(6.4, 7.6), sharex=True)
    colours = (TOTAL_COLOUR, PALETTE["FD002"], PALETTE["FD001"])
    for ax, series, its_colours, title in (
        (axes[0], losses, (RUL_COLOUR, HEALTH_COLOUR), "The two task losses"),
        (axes[1], totals, colours, "What the log shows: the total"),
        (axes[2], shares, colours, "The factor on RUL, as a share of both"),
    ):
        for (label, values), colour in zip(series.items(), its_colours, strict=True):
            every_third = np.asarray(values)[::3]
            ax.plot(3 * np.arange(len(every_third)), every_third, color=colour, label=label)
        ax.set(title=title, yscale="log")
        plain_log(ax.yaxis)
    axes[2].set_xlabel("step")
    # A narrow sheet has room for words between the curves alone.
    between = {"loc": "center right", "bbox_to_anchor": (1, 0.4)} if is_narrow() else {}
    axes[0].legend(**between)
    axes[1].legend(**between)
    return fig
