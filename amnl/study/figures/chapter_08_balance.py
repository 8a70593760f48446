"""Chapter 8: where both tasks pull alike, and what health costs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from amnl.study.figures.style import (
    HEALTH_COLOUR,
    MARGIN_BAND,
    MUTED,
    PALETTE,
    RMSE_LABEL,
    ROUNDING_BAND,
    RUL_COLOUR,
    TOTAL_COLOUR,
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
        (2, 2), (9.2, 6.8), len(alone), "RUL's share of the pull on the trunk (%)", RMSE_LABEL,
        sharex=True,
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
    fig.legend(handles, labels, loc="outside upper center", ncols=4)
    return fig


def front(
    scores: pd.DataFrame, health_alone: Mapping[str, float], named: Mapping[float, str]
) -> Figure:
    """Test RMSE against macro-F1 of the health state by weight, a panel a subset.

    Parameters
    ----------
    scores
        Over (subset, λ), columns `rmse` (cycles), `head` and `cut` (macro-F1 of the health head and
        of the RUL cut at its thresholds); NaN where there is none.
    health_alone
        A subset → the macro-F1 of λ = 0, which has no RUL.
    named
        The weights that the figure names, and how.
    """
    fig, axes = panels(
        (2, 2), (9.2, 6.8), None, RMSE_LABEL, "macro-F1 of the health state",
    )  # fmt: skip
    for ax, (subset, table) in zip(axes.flat, scores.groupby(level="subset"), strict=True):
        table = table.droplevel("subset")
        ax.plot(table["rmse"], table["head"], "o", color=PALETTE[subset], label="its head")
        ax.plot(
            table["rmse"], table["cut"], "s", mfc="white", mec=TOTAL_COLOUR, ms=5,
            label="its RUL, cut at 80 and 30",
        )  # fmt: skip
        for lam, name in named.items():
            y = "head" if np.isfinite(table.at[lam, "head"]) else "cut"
            ax.annotate(
                name, (table.at[lam, "rmse"], table.at[lam, y]), xytext=(6, 7),
                textcoords="offset points", fontsize=9.5,
            )  # fmt: skip
        line = {"color": MUTED, "linestyle": "--", "linewidth": 1.2}
        ax.axhline(health_alone[subset], label="the head of λ = 0", **line)
        ax.set(title=subset)
        ax.margins(0.12, 0.2)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return fig


def _odds(share: "float | pd.Series") -> "float | pd.Series":
    return share / (1 - share)


def _unit(unit: float) -> str:
    return "RUL loss in cycles²" if unit == 1 else f"in ({unit:g} cycles)²"
