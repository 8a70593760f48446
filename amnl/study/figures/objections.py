"""The page of objections: what a sceptic asks, and what came of it."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from amnl.study.figures.style import (
    HEALTH_COLOUR,
    LAM_LABEL,
    MARGIN_BAND,
    MUTED,
    PALETTE,
    RMSE_LABEL,
    ROUNDING_BAND,
    RUL_COLOUR,
    TOTAL_COLOUR,
    columns,
    panels,
)

_LOOKS = {  # of a family
    "a": ("s", RUL_COLOUR),
    "b": ("^", HEALTH_COLOUR),
    "c": ("x", "#7B3294"),
    "k": ("o", "#1B7837"),
    "l": ("D", TOTAL_COLOUR),
    "m": ("*", "#A6611A"),
}
# Of two pairs of weights, whose marks stand side by side.
_PAIRS = (("D", HEALTH_COLOUR, 1 / 1.06), ("o", RUL_COLOUR, 1.06))
# Of five weights, from the health colour to the RUL colour.
_WEIGHTS = (
    ("v", "#B26B00"), ("s", "#C79A5B"), ("o", "#8A8A8A"), ("D", "#8F87BF"), ("^", "#4B3F9E"),
)  # fmt: skip
# Of two ways of training, the usual one first.
_WAYS = (("s--", MUTED, -0.012), ("o-", RUL_COLOUR, 0.012))


def likelihood_odds(
    points: pd.DataFrame,
    asked: Mapping[str, float],
    equal: tuple[float, float],
    alone: Mapping[str, float],
    rounding: Mapping[str, float],
) -> Figure:
    """Mean test RMSE against effective odds, a panel a subset, and the odds that two rules ask for.

    Parameters
    ----------
    points
        Columns `subset`, `family` (a, b, c, k, l, m), `odds` and `mean` (cycles).
    asked
        A subset → the odds of two independent likelihoods: a dotted line.
    equal
        The odds between which both tasks pull alike, at one time of training or another.
    alone, rounding
        A subset → the mean of λ = 1, and half the band of rounding around it (cycles).
    """
    x = "effective odds of RUL over health"
    fig, axes = panels((2, 2), (7.0, 6.0), len(asked), ylabel=RMSE_LABEL, sharex=True)
    for ax, subset in zip(axes.flat, asked, strict=False):
        ax.axvspan(*equal, color=MARGIN_BAND, linewidth=0)
        level, half = alone[subset], rounding[subset]
        ax.axhspan(level - half, level + half, color=ROUNDING_BAND, linewidth=0)
        ax.axhline(level, color=MUTED, linewidth=1)
        ax.axvline(asked[subset], color=TOTAL_COLOUR, linestyle=":", linewidth=1.5)
        for family, part in points[points["subset"] == subset].groupby("family"):
            marker, colour = _LOOKS[str(family)]
            ax.plot(part["odds"], part["mean"], marker, color=colour, markersize=4.5)
        ax.set(title=subset, xscale="log")
        ax.set_xticks([1e-6, 1e-4, 0.01, 1, 100], ["10⁻⁶", "10⁻⁴", "0.01", "1", "100"])
        ax.minorticks_off()
    for ax in axes[-1]:
        ax.set_xlabel(x)
    handles: list[Artist] = [
        Line2D([], [], color=c, marker=m, linestyle="", label=f"family {family}")
        for family, (m, c) in _LOOKS.items()
    ]
    handles += [
        Line2D([], [], color=TOTAL_COLOUR, linestyle=":", label="likelihood"),
        Patch(color=MARGIN_BAND, label="equal pulls"),
        Patch(color=ROUNDING_BAND, label="RUL alone"),
    ]
    fig.legend(handles=handles, loc="outside upper left", ncols=columns(5, 2), fontsize=10)
    return fig


def shared_label(found: pd.DataFrame, margin: float) -> Figure:
    """Test RMSE less that of λ = 1, by what the second label shares with the first, in 95 % bars.

    Parameters
    ----------
    found
        One row a kind and λ, kinds in the order of the axis: columns `kind`, `lam`, and `mean`,
        `low`, `high` (cycles).
    margin
        Cycles; within it, on both sides of 0, differences are too small to matter.
    """
    fig, ax = plt.subplots(figsize=(7.0, 3.8))
    kinds = list(dict.fromkeys(found["kind"]))
    lams = sorted(found["lam"].unique())
    ax.axhspan(-margin, margin, color=MARGIN_BAND, linewidth=0)
    ax.axhline(0, color=MUTED, linewidth=1)
    looks = zip(lams, ("s", "o", "D", "^"), PALETTE.values(), strict=False)
    for k, (lam, marker, colour) in enumerate(looks):
        part = found[found["lam"] == lam].set_index("kind").loc[kinds]
        bars = np.abs(part[["low", "high"]].to_numpy().T - part["mean"].to_numpy())
        at = np.arange(len(kinds)) + 0.18 * (k - (len(lams) - 1) / 2)
        ax.errorbar(
            at, part["mean"], yerr=bars, fmt=marker, color=colour, capsize=3, label=f"λ = {lam:g}"
        )
    ax.set_xticks(np.arange(len(kinds)), kinds)
    ax.set(xlim=(-0.5, len(kinds) - 0.5), ylabel="RMSE less that of λ = 1")
    fig.legend(loc="outside upper left", ncols=columns(3, 3))
    return fig


def effects_over(
    points: pd.DataFrame, cells: pd.DataFrame, margin: float, xlabel: str, ticks: dict[float, str]
) -> Figure:
    """Differences of the RMSE between two weights, against what was varied; a panel a unit.

    Parameters
    ----------
    points
        Columns `unit` (cycles), `pair` (what less what, two of them), `x` (what was varied), and
        `mean`, `low`, `high` of the difference (cycles).
    cells
        The differences of single seeds: columns `unit`, `pair`, `x`, `gap` (cycles).
    margin
        Cycles; what counts as equal is shaded.
    xlabel, ticks
        Of the log axis of what was varied.
    """
    units = sorted(points["unit"].unique())
    fig, (axes,) = panels(
        (1, len(units)), (8.8, 4.2), None, xlabel, "difference of the RMSE (cycles)", sharey=True
    )
    looks = dict(zip(points["pair"].unique(), _PAIRS, strict=True))
    for ax, unit in zip(axes, units, strict=True):
        ax.axhspan(-margin, margin, color=MARGIN_BAND, linewidth=0)
        ax.axhline(0, color=MUTED, linewidth=1)
        for pair, (marker, colour, aside) in looks.items():
            dots = cells[(cells["unit"] == unit) & (cells["pair"] == pair)]
            ax.plot(dots["x"] * aside, dots["gap"], ".", color=colour, ms=4, alpha=0.35)
            part = points[(points["unit"] == unit) & (points["pair"] == pair)].sort_values("x")
            bars = np.abs(part[["low", "high"]].to_numpy().T - part["mean"].to_numpy())
            ax.errorbar(
                part["x"] * aside, part["mean"], yerr=bars, fmt=marker, color=colour, markersize=6,
                capsize=2, linewidth=1.4, label=pair,
            )  # fmt: skip
        ax.set(title="cycles²" if unit == 1 else f"units of {unit:g} cycles", xscale="log")
        ax.set_xticks(list(ticks), list(ticks.values()))
        ax.minorticks_off()
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper left", ncols=columns(2, 2), fontsize=10)
    return fig


def rates_tried(tried: pd.DataFrame, across: int, size: tuple[float, float], top: float) -> Figure:
    """Mean validation RMSE against the learning rate, a panel a case and a line a λ.

    Parameters
    ----------
    tried
        One row a `case`, `lam` (five of them) and `lr`, in the order of the panels: columns `mean`
        (cycles) and `chosen` (bool), the rate of each λ that is ringed.
    across
        Panels in a row.
    size
        Inches.
    top
        Cycles; means above it are not drawn.
    """
    cases = list(dict.fromkeys(tried["case"]))
    shape = -(-len(cases) // across), across
    label = "validation RMSE (cycles)"
    fig, axes = panels(shape, size, len(cases), "learning rate", label, sharey=True)
    looks = dict(zip(sorted(tried["lam"].unique()), _WEIGHTS, strict=True))
    for ax, case in zip(axes.flat, cases, strict=False):
        for lam, (marker, colour) in looks.items():
            part = tried[(tried["case"] == case) & (tried["lam"] == lam)].sort_values("lr")
            ax.plot(
                part["lr"], part["mean"], marker + "-", color=colour, ms=4.5, label=f"λ = {lam:g}"
            )
            best = part[part["chosen"]]
            ax.plot(best["lr"], best["mean"], "o", ms=11, mfc="none", mec=colour, mew=1.4)
        ax.set(title=case, xscale="log", ylim=(tried["mean"].min() - 0.5, top))
        rates = sorted(tried[tried["case"] == case]["lr"].unique())
        ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
        ax.minorticks_off()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper left", ncols=columns(5, 3))
    return fig


def weights_compared(means: pd.DataFrame, across: int, size: tuple[float, float]) -> Figure:
    """Mean test RMSE against λ with 95 % bars, a panel a case, for two ways of training.

    Parameters
    ----------
    means
        One row a `case`, `way` (two of them, the usual one first) and `lam`, in the order of the
        panels: columns `mean`, `low`, `high` (cycles).
    across
        Panels in a row.
    size
        Inches.
    """
    cases = list(dict.fromkeys(means["case"]))
    shape = -(-len(cases) // across), across
    fig, axes = panels(shape, size, len(cases), LAM_LABEL, RMSE_LABEL, sharex=True, sharey=True)
    looks = dict(zip(dict.fromkeys(means["way"]), _WAYS, strict=True))
    for ax, case in zip(axes.flat, cases, strict=False):
        for way, (style, colour, aside) in looks.items():
            part = means[(means["case"] == case) & (means["way"] == way)].sort_values("lam")
            bars = np.abs(part[["low", "high"]].to_numpy().T - part["mean"].to_numpy())
            ax.errorbar(
                part["lam"] + aside, part["mean"], yerr=bars, fmt=style, color=colour,
                markersize=5, capsize=2, linewidth=1.4, label=way,
            )  # fmt: skip
        ax.set(title=case)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper left", ncols=columns(2))
    return fig
