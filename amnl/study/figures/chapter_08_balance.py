"""Chapter 8: where both tasks pull alike, and what health costs."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amnl.study.figures.style import (
    HEALTH_COLOUR,
    MARGIN_BAND,
    MUTED,
    RMSE_LABEL,
    ROUNDING_BAND,
    RUL_COLOUR,
    TOTAL_COLOUR,
    columns,
    panels,
)

_LOOKS = {  # of a sweep, by its unit in cycles
    1: ("s", RUL_COLOUR),
    15: ("o", "#1B7837"),
    35: ("D", TOTAL_COLOUR),
    125: ("^", HEALTH_COLOUR),
}
_SHARES = {1e-3: "0.1", 1e-2: "1", 0.1: "10", 0.5: "50", 0.9: "90", 0.99: "99", 0.999: "99.9"}


def pull_curve(
    points: pd.DataFrame,
    alone: Mapping[str, float],
    rounding: Mapping[str, float],
    equal: tuple[float, float],
) -> Figure:
    """Mean test RMSE against the RUL task's share of the pull on the trunk, a panel a subset.

    Parameters
    ----------
    points
        Columns `subset`, `unit` (cycles), `lam`, `share` (0 to 1), and `mean`, `low`, `high`
        (cycles).
    alone, rounding
        A subset → the mean of λ = 1, and half the band of rounding around it (cycles).
    equal
        The shares between which both tasks pull alike, at one time of training or another.
    """
    fig, axes = panels(
        (2, 2), (9.2, 6.8), len(alone), "RUL's share of the pull (%)", RMSE_LABEL, sharex=True,
    )  # fmt: skip
    for ax, subset in zip(axes.flat, alone, strict=False):
        mine = points[points["subset"] == subset]
        ax.axvspan(*map(_odds, equal), color=MARGIN_BAND, linewidth=0)
        level, half = alone[subset], rounding[subset]
        ax.axhspan(level - half, level + half, color=ROUNDING_BAND, linewidth=0)
        ax.axhline(level, color=MUTED, linewidth=1)
        for unit, part in mine.groupby("unit"):
            marker, colour = _LOOKS[int(unit)]
            part, label = part.sort_values("share"), _unit(unit)
            bars = np.abs(part[["low", "high"]].to_numpy().T - part["mean"].to_numpy())
            ax.errorbar(
                _odds(part["share"]), part["mean"], yerr=bars, fmt=marker, color=colour,
                markersize=4.5, capsize=1.5, linewidth=1, label=label,
            )  # fmt: skip
            half_weight = part[part["lam"] == 0.5]
            ax.plot(
                _odds(half_weight["share"]), half_weight["mean"], marker, ms=11, mfc="none",
                mec=colour, mew=1.4,
            )  # fmt: skip
        ax.set(title=subset, xscale="log")
        ax.set_xticks([_odds(share) for share in _SHARES], list(_SHARES.values()))
        ax.minorticks_off()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper left", ncols=columns(4, 2), fontsize=10)
    return fig


def front(scores: pd.DataFrame, margin: float) -> Figure:
    """Test RMSE against macro-F1 of the health state by weight, a panel a subset.

    A line joins what the head of a network says of the states and what its predicted RUL says. The
    head's mark is ringed where the weight is on the front.

    Parameters
    ----------
    scores
        Over (subset, odds), columns `rmse` (cycles), `head` and `cut` (macro-F1 of the health head
        and of the RUL cut at its thresholds; NaN where there is none) and `on_front`. Odds of
        infinity are λ = 1.
    margin
        Of macro-F1; drawn as a bar of that length.
    """
    fig, axes = panels((2, 2), (9.2, 7.4), None, RMSE_LABEL, "macro-F1 of the states")
    odds = sorted(set(scores.index.get_level_values("odds")))
    colours = dict(zip(odds, _shades(len(odds)), strict=True))
    for ax, (subset, table) in zip(axes.flat, scores.groupby(level="subset"), strict=True):
        for row in table.droplevel("subset").itertuples():
            colour = colours[row.Index]
            ax.plot([row.rmse] * 2, [row.head, row.cut], color=colour, linewidth=1, alpha=0.6)
            ax.plot(row.rmse, row.cut, "s", mfc="white", mec=colour, ms=5)
            ax.plot(row.rmse, row.head, "o", color=colour, ms=6)
            if row.on_front:
                ax.plot(row.rmse, row.head, "o", mfc="none", mec=TOTAL_COLOUR, ms=11)
        ax.set(title=subset)
        ax.margins(0.14, 0.2)
        x, y = (low + 0.97 * (high - low) for low, high in (ax.get_xlim(), ax.get_ylim()))
        ax.plot([x, x], [y - margin, y], color=MUTED, linewidth=3, solid_capstyle="butt")
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colours[value], label=_ratio(value))
        for value in odds
    ]
    handles += [
        Line2D([], [], marker="o", linestyle="", color=MUTED, label="its head"),
        Line2D([], [], marker="s", linestyle="", mfc="white", mec=MUTED, label="its cut RUL"),
        Line2D(
            [], [], marker="o", linestyle="", ms=11, mfc="none", mec=TOTAL_COLOUR, label="front"
        ),
        Line2D([], [], color=MUTED, linewidth=3, label=f"margin {margin:g}"),
    ]
    fig.legend(handles=handles, loc="outside upper left", ncols=columns(5, 2), fontsize=10)
    return fig


def _shades(n: int) -> list[str]:
    """From the health task's colour to the RUL task's, for odds from small to large."""
    scale = LinearSegmentedColormap.from_list("odds", [HEALTH_COLOUR, "#1B7837", RUL_COLOUR])
    return [to_hex(scale(place)) for place in np.linspace(0, 1, n)]


def _ratio(odds: float) -> str:
    if math.isinf(odds):
        return "λ = 1"
    return f"{odds:g}:1" if odds >= 1 else f"1:{1 / odds:,.0f}"


def _odds(share: "float | pd.Series") -> "float | pd.Series":
    return share / (1 - share)


def _unit(unit: float) -> str:
    return "RUL loss in cycles²" if unit == 1 else f"in ({unit:g} cycles)²"
