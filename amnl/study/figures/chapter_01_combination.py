"""Chapter 1: two gradients and their convex combination."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amnl.study.figures.style import (
    HEALTH_COLOUR,
    MUTED,
    RUL_COLOUR,
    TOTAL_COLOUR,
    Numbers,
    panels,
)


def gradient_fans(pairs: Mapping[str, tuple[Numbers, Numbers]]) -> Figure:
    """Two 2-D gradients a panel, the segment between them, and their combination at quarters.

    Arrows start at the origin; both axes have one scale, so that angles are true.

    Parameters
    ----------
    pairs
        A panel's title → the (2,) gradients of the RUL loss and of the health loss.
    """
    fig, axes = panels((1, len(pairs)), (7.0, 2.6))
    for ax, (title, (rul, hs)) in zip(axes.flat, pairs.items(), strict=True):
        _fan(ax, rul, hs)
        ax.set_title(title)
    return fig


def shares(lambdas: npt.ArrayLike, curves: Mapping[float, npt.ArrayLike]) -> Figure:
    """RUL's share of a step against λ, a curve a ratio of the two gradients' lengths."""
    fig, ax = plt.subplots()
    shades = plt.get_cmap("Purples")(np.linspace(0.5, 0.95, len(curves)))
    for (ratio, curve), colour in zip(curves.items(), shades, strict=True):
        ax.plot(lambdas, curve, color=colour, label=f"{ratio:,.0f} : 1")
    ax.axvline(0.5, color=MUTED, linewidth=1, linestyle=":")
    ax.set(xlabel="λ as written", ylabel="RUL's share of the step", xlim=(0, 1), ylim=(0, 1.02))
    ax.legend(title="RUL gradient :\nhealth gradient", loc="lower right")
    return fig


def _fan(ax: Axes, rul: Numbers, hs: Numbers) -> None:
    ax.plot(*np.transpose([rul, hs]), color=MUTED, linewidth=1.2, linestyle="--", zorder=1)
    for tip, colour, label in ((rul, RUL_COLOUR, "RUL"), (hs, HEALTH_COLOUR, "health")):
        _arrow(ax, tip, colour)
        away = tip / np.linalg.norm(tip)
        ax.annotate(
            label, (tip[0], tip[1]), xytext=13 * away, textcoords="offset points", color=colour,
            ha="center", va="center",
        )  # fmt: skip
    for lam in (0.25, 0.5, 0.75):
        ax.plot(*(lam * rul + (1 - lam) * hs), "o", color=TOTAL_COLOUR, markersize=3.5, zorder=3)
    _arrow(ax, (rul + hs) / 2, TOTAL_COLOUR)
    ax.plot(0, 0, "o", color=MUTED, markersize=4)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.25, 0.35)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _arrow(ax: Axes, tip: Numbers, colour: str) -> None:
    ax.annotate(
        "", xy=(tip[0], tip[1]), xytext=(0, 0),
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip
