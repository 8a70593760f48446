"""One look for all figures: the palette, the defaults, and grids of panels with outer labels."""

from typing import Any

import matplotlib.pyplot as plt
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amnl.palette import HEALTH_COLOUR as HEALTH_COLOUR
from amnl.palette import MARKERS as MARKERS
from amnl.palette import MUTED as MUTED
from amnl.palette import PALETTE as PALETTE
from amnl.palette import RUL_COLOUR as RUL_COLOUR
from amnl.palette import STYLE
from amnl.palette import TOTAL_COLOUR as TOTAL_COLOUR

Numbers = npt.NDArray[Any]  # an array of any real type

MARGIN_BAND = "#E4EFE4"  # behind what counts as equal
ROUNDING_BAND = "#CFCFCF"  # behind what rounding alone can do
SECOND_UNIT = (0, (2, 1.5))  # the dashes of the second of two tasks or units
LAM_LABEL = "λ, the weight of the RUL loss"
RMSE_LABEL = "test RMSE (cycles)"


def style() -> None:
    """Set the book's matplotlib defaults for the rest of the session."""
    plt.rcParams.update(STYLE)


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
