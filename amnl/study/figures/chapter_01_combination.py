"""Chapter 1: two gradients and their convex combination."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from amnl.study.figures.style import HEALTH_COLOUR, MUTED, RUL_COLOUR, TOTAL_COLOUR, Numbers


def gradient_fan(ax: Axes, g_rul: Sequence[float], g_hs: Sequence[float], title: str) -> None:
    """Draw two 2-D gradients, the segment between them, and λ·g_rul + (1-λ)·g_hs at quarters.

    Arrows start at the origin; both axes have one scale, so that angles are true.
    """
    rul, hs = np.asarray(g_rul, float), np.asarray(g_hs, float)
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
    ax.set_title(title)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.22)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _arrow(ax: Axes, tip: Numbers, colour: str) -> None:
    ax.annotate(
        "", xy=(tip[0], tip[1]), xytext=(0, 0),
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip
