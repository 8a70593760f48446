"""One look for all figures: the palette, the defaults, and grids of panels with outer labels."""

from typing import Any

import matplotlib.pyplot as plt
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Numbers = npt.NDArray[Any]  # an array of any real type

# Okabe and Ito's colours, told apart with any colour vision; the marker says it once more. The
# explorer draws with both in `book/_static/lambda-explorer.css` and `.js`; a test compares them.
PALETTE = {
    "FD001": "#0072B2",
    "FD002": "#D55E00",
    "FD003": "#009E73",
    "FD004": "#AA4499",
    "mean": "#333333",
}
MARKERS = {"FD001": "o", "FD002": "s", "FD003": "^", "FD004": "D", "mean": "P"}
RUL_COLOUR, HEALTH_COLOUR, TOTAL_COLOUR = "#4B3F9E", "#B26B00", "#111111"
MUTED = "#8A8A8A"
MARGIN_BAND = "#E4EFE4"  # behind what counts as equal
SECOND_UNIT = (0, (2, 1.5))  # the dashes of the second of two tasks or units
LAM_LABEL = "λ, the weight of the RUL loss"
RMSE_LABEL = "test RMSE (cycles)"


def style() -> None:
    """Set the book's matplotlib defaults for the rest of the session.

    The background is white, not transparent: the site's dark mode leaves figures as they are.
    """
    plt.rcParams.update(
        {
            "figure.figsize": (6.4, 3.8),
            "figure.dpi": 150,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 11.5,
            "axes.titlesize": 11.5,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#E6E6E6",
            "lines.linewidth": 1.8,
            "legend.frameon": False,
        }
    )


def panels(
    shape: tuple[int, int],
    size: tuple[float, float],
    shown: int | None = None,
    xlabel: str = "",
    ylabel: str = "",
    **options: Any,
) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure of `size` inches and its (rows, columns) of axes, the first `shown` of them in use.

    The bottom row bears `xlabel`, the left column `ylabel`; `options` go to `plt.subplots`.
    """
    fig, grid = plt.subplots(*shape, figsize=size, squeeze=False, **options)
    for ax in grid[-1]:
        ax.set_xlabel(xlabel)
    for ax in grid[:, 0]:
        ax.set_ylabel(ylabel)
    for ax in grid.flat[shown or grid.size :]:
        ax.axis("off")
    return fig, grid


def ring_lowest(ax: Axes, x: Numbers, y: Numbers, colour: str) -> None:
    """Draw a ring around every point with the lowest `y`."""
    lowest = y == y.min()
    ax.plot(x[lowest], y[lowest], "o", mfc="none", mec=colour, markersize=12, mew=1.6)
