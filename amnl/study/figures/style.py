"""One look for all figures: the palette, the defaults, and grids of panels with outer labels."""

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from amnl.drawing import NARROW as NARROW
from amnl.drawing import WIDE as WIDE
from amnl.drawing import sheet as sheet
from amnl.palette import HEALTH_COLOUR as HEALTH_COLOUR
from amnl.palette import MARKERS as MARKERS
from amnl.palette import MUTED as MUTED
from amnl.palette import PALETTE as PALETTE
from amnl.palette import RUL_COLOUR as RUL_COLOUR
from amnl.palette import TOTAL_COLOUR as TOTAL_COLOUR

Numbers = npt.NDArray[Any]  # an array of any real type

MARGIN_BAND = "#E4EFE4"  # behind what counts as equal
ROUNDING_BAND = "#CFCFCF"  # behind what rounding alone can do
SECOND_UNIT = (0, (2, 1.5))  # the dashes of the second of two tasks or units
LAM_LABEL = "λ, the weight of the RUL loss"
RMSE_LABEL = "test RMSE (cycles)"


def is_narrow() -> bool:
    """Whether what is drawn now is for a phone."""
    return bool(plt.rcParams["figure.figsize"][0] == NARROW)


def columns(wide: int, narrow: int = 1) -> int:
    """How many columns a legend has here."""
    return narrow if is_narrow() else wide


def plain_log(axis: Axis) -> None:
    """A log axis with ticks such as 0.01: an exponent would be set in type too small to read."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def panels(
    shape: tuple[int, int],
    size: tuple[float, float],
    shown: int | None = None,
    xlabel: str = "",
    ylabel: str = "",
    abreast: int = 1,
    **options: Any,
) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure of `size` inches and its (rows, columns) of axes, the first `shown` of them in use.

    On a narrow sheet there are `abreast` of them in a row, whatever the shape that is returned. The
    bottom row bears `xlabel`, once where it has more than three panels, and the left column
    `ylabel`; `options` go to `plt.subplots`.
    """
    asked = shape
    if is_narrow():
        rows = math.ceil((shown or math.prod(shape)) / abreast)
        height = min(size[1] / shape[0], 0.75 * NARROW)
        shape, size = (rows, abreast), (NARROW, rows * height)
    fig, grid = plt.subplots(*shape, figsize=size, squeeze=False, **options)
    if grid.shape[1] > 3:  # no room for a label each
        fig.supxlabel(xlabel, fontsize="medium")
    else:
        for ax in grid[-1]:
            ax.set_xlabel(xlabel)
    for ax in grid[:, 0]:
        ax.set_ylabel(ylabel)
    for ax in grid.flat[shown or grid.size :]:
        ax.axis("off")
    return fig, grid.reshape(asked) if grid.size == math.prod(asked) else grid


def rounding_handle() -> Patch:
    """For a legend: the band behind what rounding alone can do."""
    return Patch(color=ROUNDING_BAND, linewidth=0, label="rounding alone")


def ring_lowest(ax: Axes, x: Numbers, y: Numbers, colour: str) -> None:
    """Draw a ring around every point with the lowest `y`."""
    lowest = y == y.min()
    ax.plot(x[lowest], y[lowest], "o", mfc="none", mec=colour, markersize=12, mew=1.6)
