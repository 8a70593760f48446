"""The front page: the claim and the finding."""

from collections.abc import Mapping

import pandas as pd
import scipy.stats
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amnl.study.figures.style import MARKERS, MUTED, PALETTE, RMSE_LABEL, panels


def claim_and_finding(
    source: pd.DataFrame, found: Mapping[str, pd.DataFrame], *, stacked: bool = False
) -> Figure:
    """RMSE against λ, a line a subset: as the source prints it, then as measured, in each unit.

    Parameters
    ----------
    source
        The source's table: column `lambda`, and one column a subset (cycles).
    found
        Title → table with the columns `subset`, `seed`, `lam`, `test_rmse` (cycles). A band is 95 %
        of the mean over seeds, by Student's t, for the eye alone.
    stacked
        Panels below each other, for a phone.
    """
    n = 1 + len(found)
    shape, size = ((n, 1), (4.2, 2.5 * n)) if stacked else ((1, n), (9.6, 4.0))
    fig, grid = panels(shape, size, xlabel="λ", ylabel=RMSE_LABEL, sharey=True, sharex=True)
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
    fig.legend(handles=handles, loc="outside upper center", ncols=2 if stacked else 4)
    return fig
