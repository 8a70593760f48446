"""Chapter 2: the error of the smallest model, derived and simulated."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from amnl.study.figures.style import (
    HEALTH_COLOUR,
    MUTED,
    PALETTE,
    RUL_COLOUR,
    TOTAL_COLOUR,
    Numbers,
    columns,
    is_narrow,
    panels,
)


def bowl(
    lambdas: npt.ArrayLike,
    errors: Numbers,
    fine: npt.ArrayLike,
    derived: npt.ArrayLike,
    parts: Mapping[str, npt.ArrayLike],
    best: float,
) -> Figure:
    """Simulated errors as means with 95 % bars over the derived curve and its two parts.

    Parameters
    ----------
    lambdas, errors
        The (n,) simulated weights and the (repeats, n) errors; a bar is ±1.96 standard errors.
    fine, derived, parts
        The (m,) weights of the curves, the derived error at each, and its parts by label.
    best
        The λ to be marked λ*.
    """
    fig, ax = plt.subplots(figsize=(6.4, 4.2))
    lam = np.asarray(lambdas, float)
    for (label, part), colour in zip(parts.items(), (RUL_COLOUR, HEALTH_COLOUR), strict=True):
        ax.plot(fine, part, color=colour, linestyle="--", linewidth=1.3, label=label)
    ax.plot(fine, derived, color=TOTAL_COLOUR, label="derived by hand")
    bars = 1.96 * errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
    ax.errorbar(
        lam, errors.mean(axis=0), yerr=bars, fmt="o", color=PALETTE["FD001"], markersize=4,
        capsize=3, label=f"simulated, {len(errors)} data sets",
    )  # fmt: skip
    bottom = float(np.min(derived))
    ax.plot([best, best], [0, bottom], color=MUTED, linewidth=1, linestyle=":")
    ax.annotate("λ*", (best, 0), xytext=(4, 4), textcoords="offset points")
    ax.set(xlabel="λ, the weight of the primary loss", ylabel="held-out error above the noise")
    ax.set(xlim=(-0.02, 1.02), ylim=(0, None))
    fig.legend(loc="outside upper left", ncols=1 if is_narrow() else 2)
    return fig


def bowls(
    lambdas: npt.ArrayLike, curves: Mapping[str, Numbers], best: Mapping[str, float]
) -> Figure:
    """A derived error against λ a panel, all on one scale, its lowest point ringed.

    Parameters
    ----------
    lambdas, curves
        The (n,) weights, and a panel's title → the (n,) errors.
    best
        A panel's title → the λ to be ringed.
    """
    fig, axes = panels(
        (2, 2), (7.0, 4.6), len(curves), "λ", "error above the noise", sharex=True, sharey=True
    )
    for ax, (title, curve) in zip(axes.flat, curves.items(), strict=False):
        ax.plot(lambdas, curve, color=TOTAL_COLOUR)
        bottom = np.interp(best[title], np.asarray(lambdas, float), curve)
        ax.plot(best[title], bottom, "o", mfc="none", mec=TOTAL_COLOUR, markersize=11)
        ax.set(title=title, xlim=(-0.04, 1.04))
    return fig


def knobs(
    settings: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]],
) -> Figure:
    """The best λ against one property of the data a panel, derived as a line and swept as dots.

    Parameters
    ----------
    settings
        The property → the line's values of it and its best λ, and the dots'.
    """
    fig, axes = panels((2, 2), (7.0, 5.2), len(settings), ylabel="best λ", sharey=True)
    for ax, (title, (x, line, at, dots)) in zip(axes.flat, settings.items(), strict=False):
        ax.plot(x, line, color=TOTAL_COLOUR, label="derived")
        ax.plot(at, dots, "o", color=PALETTE["FD001"], markersize=5, label="swept")
        ax.axhline(0.5, color=MUTED, linewidth=1, linestyle=":")
        ax.set(title=title, ylim=(0, 1))
    axes.flat[0].legend(loc="upper right")
    return fig


def wins_by_weight(lambdas: Numbers, single: Numbers, five: Numbers) -> Figure:
    """The share of sweeps that each λ wins: over one data set, and over means of five."""
    fig, ax = plt.subplots(figsize=(7.0, 3.4))
    ax.set_axisbelow(True)
    ax.bar(lambdas - 0.02, single / single.sum(), 0.04, color=MUTED, label="one data set")
    ax.bar(lambdas + 0.02, five / five.sum(), 0.04, color=PALETTE["FD001"], label="mean of five")
    ax.set(xlabel="λ with the lowest error", ylabel="share of sweeps", xticks=lambdas)
    ax.legend(loc="upper left")
    return fig


def shared_noise(
    relations: npt.ArrayLike,
    lines: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    at: npt.ArrayLike,
    dots: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
) -> Figure:
    """The best λ, and what it saves, against the correlation of the two labels' noise.

    Parameters
    ----------
    relations, lines
        The (n,) correlations, and a label → its (n,) best λ and savings (per cent), derived.
    at, dots
        The same as simulated, (m,).
    """
    ylabels = ("best λ", "saved by it (%)")
    x = "correlation of the noise"
    fig, (axes,) = panels((1, 2), (7.0, 3.6), xlabel=x)
    for k, (ax, ylabel) in enumerate(zip(axes, ylabels, strict=True)):
        for (label, line), colour in zip(lines.items(), PALETTE.values(), strict=False):
            ax.plot(relations, line[k], color=colour, label=label)
            ax.plot(at, dots[label][k], "o", color=colour, markersize=5)
        ax.set(xlim=(-0.04, 1.04), xlabel=x, ylabel=ylabel)
    axes[0].set_ylim(0, 1.05)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper left", ncols=columns(2))
    return fig
