"""Chapter 11: the battery."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy.typing as npt
from matplotlib.figure import Figure

from amnl.study.figures.style import PALETTE, columns


def discharges(minutes: npt.ArrayLike, volts: Mapping[str, Mapping[str, npt.ArrayLike]]) -> Figure:
    """Voltages over time: a colour a fault, a line a battery, named by its state of health.

    `volts` maps a fault to the states of health and curves of its batteries.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.8))
    for (fault, batteries), colour in zip(volts.items(), PALETTE.values(), strict=False):
        for (health, curve), dashes in zip(batteries.items(), ("-", "--"), strict=False):
            ax.plot(minutes, curve, dashes, color=colour, label=f"{fault}, {health}")
    ax.set(xlabel="minutes", ylabel="volts")
    fig.legend(loc="outside upper left", ncols=columns(3, 1))
    return fig
