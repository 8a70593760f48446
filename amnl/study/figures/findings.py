"""Chapters 6 and 9: what a comparison found, as a mark with a colour and a shape of its own."""

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amnl.study.figures.style import (
    MARGIN_BAND,
    MUTED,
    ROUNDING_BAND,
    columns,
    rounding_handle,
)


class Look(NamedTuple):
    """How a finding is drawn, and what the legend calls it."""

    colour: str
    marker: str
    text: str


FINDINGS = {
    "worse": Look("#B2182B", "o", "worse than 0.5"),
    "better": Look("#2166AC", "s", "better than 0.5"),
    "equivalent": Look("#1B7837", "D", "equivalent to 0.5"),
    "undecided": Look(MUTED, "x", "undecided"),
}


def draw_margin(ax: Axes, margin: float, rounding: float = 0.0) -> None:
    """Shade ± `margin` around a line at zero, and in grey the ± `rounding` that means nothing."""
    ax.axvspan(-margin, margin, color=MARGIN_BAND, linewidth=0)
    ax.axvspan(-rounding, rounding, color=ROUNDING_BAND, linewidth=0)
    ax.axvline(0, color=MUTED, linewidth=1)


def draw_finding(ax: Axes, place: float, judged: "pd.Series[Any]") -> None:
    """A row of `judge` at height `place`: its `mean`, `low` and `high` (cycles), its `finding`."""
    colour, marker, _ = FINDINGS[judged["finding"]]
    ax.hlines(place, judged["low"], judged["high"], color=colour, linewidth=1.6)
    ax.plot(judged["mean"], place, marker, color=colour, markersize=6, mfc="white", mew=1.6)


def findings_legend(fig: Figure) -> None:
    """Say above the panels what the marks and the grey band mean."""
    handles = [
        Line2D([], [], color=colour, marker=marker, mfc="white", mew=1.6, label=text)
        for colour, marker, text in FINDINGS.values()
    ]
    fig.legend(
        handles=[*handles, rounding_handle()], loc="outside upper left", ncols=columns(3, 2),
        fontsize=9.5,
    )  # fmt: skip
