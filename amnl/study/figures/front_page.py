"""The front page: the claim and the finding."""

from collections.abc import Mapping

import pandas as pd
import scipy.stats
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amnl.study.figures.style import MARKERS, MUTED, PALETTE, RMSE_LABEL, columns, panels


def claim_and_finding(source: pd.DataFrame, found: Mapping[str, pd.DataFrame]) -> Figure:
    """RMSE against λ, a line a subset: as the source prints it, then as measured, in each unit.

    Parameters
    ----------
    source
        The source's table: column `lambda`, and one column a subset (cycles).
    found
        Title → table with the columns `subset`, `seed`, `lam`, `test_rmse` (cycles). A band is 95 %
        of the mean over seeds, by Student's t, for the eye alone.
    """
    shape = (1, 1 + len(found))
    fig, grid = panels(shape, (7, 3.6), xlabel="λ", ylabel=RMSE_LABEL, sharey=True, sharex=True)
    axes = grid.ravel()
    subsets = sorted(set(PALETTE) - {"mean"})
    for subset in subsets:
        look = {"color": PALETTE[subset], "marker": MARKERS[subset], "markersize": 4}
        axes[0].plot(source["lambda"], source[subset], **look)
        for ax, rows in zip(axes[1:], found.values(), strict=True):
            part = rows[rows["subset"] == subset]
            table = part.pivot(index="seed", columns="lam", values="test_rmse")
            mean, seeds = table.mean(), len(table)
            ax.plot(table.columns, mean, **look)
            half = scipy.stats.t.ppf(0.975, seeds - 1) * table.std() / seeds**0.5
            band = {"color": PALETTE[subset], "alpha": 0.2, "linewidth": 0}
            ax.fill_between(table.columns, mean - half, mean + half, **band)
    for ax, title in zip(axes, ["the source's table", *found], strict=True):
        ax.axvline(0.5, color=MUTED, linewidth=1.2, linestyle="--", zorder=1)
        ax.set(title=title, xticks=(0.1, 0.3, 0.5, 0.7, 0.9))
    handles = [Line2D([], [], color=PALETTE[s], marker=MARKERS[s], label=s) for s in subsets]
    fig.legend(handles=handles, loc="outside upper center", ncols=columns(4, 2))
    return fig
