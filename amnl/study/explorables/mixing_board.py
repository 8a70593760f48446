"""Chapter 1's mixing board: two gradients to drag, their mixture, the unit of the first loss."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from amnl.study import figures
from amnl.study.explorables.explorable import Explorable
from amnl.study.html_table import show_table

__all__ = ["mixing_board"]

Vector = npt.NDArray[np.float64]

# In cycles, from the source's to that of a life of 125 cycles; 15 makes the first gradients equal.
UNITS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 125]
ANGLE = 120.0  # degrees between the two gradients at the start: they conflict


def mixing_board(
    ratio: float,
    useful_interval: Callable[[Vector, Vector], tuple[float, float]],
    share: Callable[[float, float], float],
) -> Explorable:
    """Two gradients, RUL and health, whose mixture is dragged along the segment between them.

    Parameters
    ----------
    ratio
        Length of the RUL gradient over that of the health gradient, RUL in cycles².
    useful_interval
        From two (2,) gradients, the λ between which a small step lowers both losses.
    share
        From λ and the ratio of the lengths, RUL's share of the pull.
    """
    health = _at_angle(ANGLE, 1.0)
    rul = {unit: _at_angle(0.0, ratio / unit**2) for unit in UNITS}
    shown = (1, 5, 15, 45, 125)
    lengths = np.array([ratio / unit**2 for unit in shown])
    intervals = [useful_interval(_at_angle(0.0, length), health) for length in lengths]
    low, high = np.transpose(intervals)
    table = {
        "unit of the RUL error (cycles)": shown,
        "RUL gradient / health gradient": lengths,
        "RUL's share at λ = 0.5": [share(0.5, length) for length in lengths],
        "both fall from λ": low,
        "to λ": high,
    }
    formats = dict(zip(table, ("", ".3g", ".3f", ".4f", ".4f"), strict=True))
    pairs = {f"units of {unit} cycles": (rul[unit], health) for unit in (8, 15, 30)}
    picture = figures.show(lambda: figures.gradient_fans(pairs))
    stands_in = (picture, show_table(table, formats))
    return Explorable(
        "mixing-board",
        "Mixing board: two gradients and their combination",
        {"ratio": ratio, "units": UNITS, "angle": ANGLE},
        "\n".join(part._repr_html_() for part in stands_in),
    )


def _at_angle(degrees: float, length: float) -> Vector:
    angle = np.radians(degrees)
    return length * np.array([np.cos(angle), np.sin(angle)])
