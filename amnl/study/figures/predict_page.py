"""The page on prediction: engines as they age, and how often the interval holds."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from amnl.study.figures.style import MUTED, PALETTE, RUL_COLOUR, columns, panels


def ageing(engines: Mapping[str, pd.DataFrame], cap: float) -> Figure:
    """True and predicted remaining life against the cycle, with the interval, a panel an engine.

    Each table has `cycle`, `true`, `rul`, `low` and `high` (cycles). An interval without an upper
    end is drawn to `cap`, as is a longer true life.
    """
    shape = 2, -(-len(engines) // 2)
    fig, axes = panels(shape, (7.0, 5.0), len(engines), "cycle", "remaining life (cycles)")
    for ax, (name, rows) in zip(axes.flat, engines.items(), strict=False):
        cycle = rows["cycle"].to_numpy()
        low, high = rows["low"].to_numpy(), np.minimum(rows["high"].to_numpy(), cap)
        ax.fill_between(cycle, low, high, color="#D6E4F2", label="interval")
        true = np.minimum(rows["true"].to_numpy(), cap)
        ax.plot(cycle, true, color=MUTED, dashes=(4, 2), label=f"true, as far as {cap:g}")
        ax.plot(cycle, rows["rul"], color=RUL_COLOUR, label="predicted")
        ax.set(title=name, ylim=(0, 1.15 * cap))
    fig.legend(
        *axes.flat[0].get_legend_handles_labels(), loc="outside upper left", ncols=columns(3, 1)
    )
    return fig


def coverage_by_life(rows: pd.DataFrame, asked: float) -> Figure:
    """Shares of engines whose life lies in the interval, by fifth of the predicted life.

    `rows` has `subset`, `calibration`, `fifth` (0 to 4) and `covered` (in [0, 1]), one value each;
    a panel a calibration.
    """
    kinds = {"split": "a fifth of the engines judges", "cross": "all engines judge"}
    fig, axes = panels((1, 2), (7.0, 3.6), 2, "fifth of the predicted life", "% covered")
    for ax, (kind, title) in zip(axes.flat, kinds.items(), strict=True):
        ax.axhspan(85, 95, color="#E4EFE4")
        ax.axhline(100 * asked, color=MUTED, linewidth=1)
        for subset, part in rows[rows["calibration"] == kind].groupby("subset"):
            part = part.sort_values("fifth")
            at, covered = part["fifth"] + 1, 100 * part["covered"]
            ax.plot(at, covered, "o-", color=PALETTE[str(subset)], label=subset)
        ax.set(title=title, ylim=(55, 102), xticks=range(1, 6))
    fig.legend(
        *axes.flat[0].get_legend_handles_labels(), loc="outside upper left", ncols=columns(4, 2)
    )
    return fig
