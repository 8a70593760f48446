"""Chapter 6: the sweep over the weight."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amnl.study.figures.findings import draw_finding, draw_margin, findings_legend
from amnl.study.figures.style import (
    LAM_LABEL,
    MARKERS,
    MUTED,
    PALETTE,
    RMSE_LABEL,
    RUL_COLOUR,
    TOTAL_COLOUR,
    Numbers,
    columns,
    is_narrow,
    panels,
    ring_lowest,
)


def sweep_curves(
    rows: pd.DataFrame,
    intervals: Mapping[tuple[str, float], tuple[float, float]],
    source: pd.DataFrame,
) -> Figure:
    """Test RMSE against λ, one panel a subset: every seed, the mean with its interval, the source.

    Parameters
    ----------
    rows
        Columns `subset`, `seed`, `lam`, `test_rmse` (cycles).
    intervals
        (subset, λ) → (low, high) of the mean over seeds (cycles).
    source
        The source's table: column `lambda`, and one column a subset (cycles).
    """
    subsets = rows.groupby("subset")
    fig, axes = panels((2, 2), (8.4, 6.6), len(subsets), LAM_LABEL, RMSE_LABEL, sharex=True)
    for ax, (subset, part) in zip(axes.flat, subsets, strict=False):
        table = part.pivot(index="lam", columns="seed", values="test_rmse")
        lam, mean = table.index.to_numpy(), table.mean(axis=1).to_numpy()
        ax.plot(lam, table, color=PALETTE[subset], linewidth=0.8, alpha=0.3)
        bounds = np.array([intervals[subset, value] for value in lam])
        ax.fill_between(lam, *bounds.T, color=PALETTE[subset], alpha=0.25, linewidth=0)
        ax.plot(lam, mean, color=PALETTE[subset], marker=MARKERS[subset], markersize=4.5)
        ring_lowest(ax, lam, mean, TOTAL_COLOUR)
        ax.plot(source["lambda"], source[subset], color=MUTED, linestyle="--", linewidth=1.3)
        ax.axvline(0.5, color=MUTED, linewidth=1, linestyle=":")
        ax.set(title=subset)
    handles = [
        Line2D([], [], color=TOTAL_COLOUR, marker="o", label="our mean, 95 % band, seeds"),
        Line2D([], [], color=MUTED, linestyle="--", label="the source's mean"),
    ]
    fig.legend(handles=handles, loc="outside upper left", ncols=columns(2))
    return fig


def differences(
    tables: Mapping[str, pd.DataFrame], margin: float, rounding: Mapping[str, float]
) -> Figure:
    """Paired differences from λ = 0.5 with 95 % intervals, a panel a subset; ± `margin` shaded.

    `tables` maps a subset to a table over λ with the columns `mean`, `low`, `high` (cycles) and
    `finding`; `rounding` to the difference (cycles) within which a mean may be rounding, in grey.
    """
    fig, (axes,) = panels(
        (1, len(tables)), (9.6, 3.9), xlabel="RMSE(λ) − RMSE(0.5), cycles", ylabel="λ",
        sharex=True, sharey=True,
    )  # fmt: skip
    reach = 1.1 * max(margin, *(t[["low", "high"]].abs().to_numpy().max() for t in tables.values()))
    for ax, (subset, table) in zip(axes, tables.items(), strict=True):
        draw_margin(ax, margin, rounding[subset])
        for place, (_, judged) in enumerate(table.iterrows()):
            draw_finding(ax, place, judged)
        ax.set(title=subset, xlim=(-reach, reach), ylim=(-0.7, len(table) - 0.3))
        ax.set_yticks(range(len(table)), [f"{lam:g}" for lam in table.index])
    findings_legend(fig)
    return fig


def winners(counts: Mapping[str, Mapping[float, int]], lambdas: Sequence[float], n: int) -> Figure:
    """How often each λ has the smallest error; one bar a way of choosing the epoch.

    The dotted line is blind luck: `n` cells shared evenly.
    """
    fig, ax = plt.subplots(figsize=(6.8, 3.6))
    ax.set_axisbelow(True)
    place, width = np.arange(len(lambdas)), 0.8 / len(counts)
    colours = (TOTAL_COLOUR, "#B7BDC5")
    for k, ((label, count), colour) in enumerate(zip(counts.items(), colours, strict=True)):
        heights = [count.get(lam, 0) for lam in lambdas]
        at = place + (k - (len(counts) - 1) / 2) * width
        ax.bar(at, heights, width, color=colour, label=label)
    luck = n / len(lambdas)
    ax.axhline(luck, color=RUL_COLOUR, linestyle=":", linewidth=1.8, label="luck alone")
    ax.set_xticks(place, [f"{lam:g}" for lam in lambdas])
    ax.set(xlabel="λ", ylabel=f"wins, of {n} contests")
    fig.legend(loc="outside upper left", ncols=columns(2))
    return fig


def regrets(ways: Mapping[str, Mapping[str, Numbers]]) -> Figure:
    """One dot a seed: test RMSE minus that of the best λ in hindsight, for ways of choosing λ.

    `ways` maps a way of choosing to subset → regrets of its seeds (cycles); a bar marks each mean.
    """
    fig, ax = plt.subplots(figsize=(7.6, 3.9))
    subsets = list(next(iter(ways.values())))
    shift = np.linspace(-0.3, 0.3, len(subsets))
    for k, regret in enumerate(ways.values()):
        for dx, (subset, values) in zip(shift, regret.items(), strict=True):
            x = np.full(len(values), k + dx)
            ax.plot(x, values, MARKERS[subset], color=PALETTE[subset], alpha=0.5, ms=4.5, mew=0)
            ax.hlines(values.mean(), k + dx - 0.07, k + dx + 0.07, color=PALETTE[subset])
    for subset in subsets:
        ax.plot([], [], MARKERS[subset], color=PALETTE[subset], label=subset, linestyle="none")
    # Lines of a tick's width: its neighbours are one in seven of the sheet away.
    words = [way if is_narrow() else textwrap.fill(way, 11) for way in ways]
    ax.set_xticks(range(len(ways)), words)
    if is_narrow():
        plt.setp(ax.get_xticklabels(), rotation=60, ha="right")
    ax.set(ylabel="regret (cycles)", ylim=(0, None))
    fig.legend(loc="outside upper left", ncols=columns(4, 2), handletextpad=0.2)
    return fig
