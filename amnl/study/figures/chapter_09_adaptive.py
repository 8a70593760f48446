"""Chapter 9: combiners that adapt, beside a weight that stands still."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amnl.study.figures.findings import draw_finding, draw_margin, findings_legend
from amnl.study.figures.style import (
    MARGIN_BAND,
    MUTED,
    PALETTE,
    SECOND_UNIT,
    TOTAL_COLOUR,
    columns,
    panels,
    plain_log,
)


def trajectories(rows: pd.DataFrame, balance: tuple[float, float]) -> Figure:
    """Effective odds of RUL against health by epoch, a panel a rival, a line a subset and unit.

    Parameters
    ----------
    rows
        Columns `rival`, `subset`, `rul_unit` (cycles), `epoch`, `odds`.
    balance
        The band of odds, low and high, in which both tasks pull equally.
    """
    names = list(dict.fromkeys(rows["rival"]))
    shape, size = (2, -(-len(names) // 2)), (9.6, 5.2)
    fig, axes = panels(
        shape, size, len(names), "epoch", "effective odds", abreast=2, sharex=True, sharey=True
    )
    for ax, rival in zip(axes.flat, names, strict=False):
        ax.axhspan(*balance, color=MARGIN_BAND, linewidth=0)
        part = rows[rows["rival"] == rival]
        for (subset, unit), line in part.groupby(["subset", "rul_unit"]):
            dashes = "-" if unit == 1 else SECOND_UNIT
            colour = PALETTE[subset]
            ax.semilogy(line["epoch"], line["odds"], color=colour, linestyle=dashes, lw=1.4)
        ax.set_title(rival.replace(", ", ",\n"), fontsize=10)
        plain_log(ax.yaxis)
    handles = [Line2D([], [], color=PALETTE[s], label=s) for s in sorted(set(rows["subset"]))]
    handles += [
        Line2D([], [], color=TOTAL_COLOUR, label="cycles²"),
        Line2D([], [], color=TOTAL_COLOUR, linestyle=SECOND_UNIT, label="(125 cycles)²"),
    ]
    fig.legend(
        handles=handles,
        loc="outside upper left",
        ncols=columns(6, 2),
        fontsize=10,
        handlelength=1.3,
    )
    return fig


def rule_pulls(rows: pd.DataFrame) -> Figure:
    """Gradients and pulls, RUL's over health's, by epoch: a panel a rule.

    `rows` have the columns `rule`, `epoch`, `gradients` and `pull`.
    """
    names = list(dict.fromkeys(rows["rule"]))
    shape, size = (-(-len(names) // 3), 3), (9.6, 6.6)
    fig, axes = panels(
        shape, size, len(names), "epoch", "RUL over health", abreast=2, sharex=True, sharey=True
    )
    for ax, name in zip(axes.flat, names, strict=False):
        line = rows[rows["rule"] == name]
        ax.axhline(1, color=TOTAL_COLOUR, linewidth=0.8)
        ax.semilogy(line["epoch"], line["gradients"], color=MUTED, linestyle=SECOND_UNIT, lw=1.4)
        ax.semilogy(line["epoch"], line["pull"], color=PALETTE["FD001"])
        ax.set_title(name.replace(", ", ",\n"), fontsize=10)
        plain_log(ax.yaxis)
    handles = [
        Line2D([], [], color=MUTED, linestyle=SECOND_UNIT, label="the gradients alone"),
        Line2D([], [], color=PALETTE["FD001"], label="after the rule's weights"),
        Line2D([], [], color=TOTAL_COLOUR, linewidth=0.8, label="equal pulls"),
    ]
    fig.legend(handles=handles, loc="outside upper left", ncols=columns(3), fontsize=10)
    return fig


def rivals(
    differences: pd.DataFrame, judged: pd.DataFrame, margin: float, rounding: Mapping[str, float]
) -> Figure:
    """Every seed's difference from a reference, a panel a subset, a row a rival; ± `margin` shaded.

    Parameters
    ----------
    differences
        Rows (rival, seed), one column a subset (cycles).
    judged
        Rows (rival, subset), columns `mean`, `low`, `high` (cycles), `finding`.
    margin
        Cycles within which two scores count as equal.
    rounding
        A subset → the cycles within which a mean difference may be rounding, in grey.
    """
    names = list(dict.fromkeys(judged.index.get_level_values("rival")))
    subsets = list(differences.columns)
    shape, size = (1, len(subsets)), (9.6, 0.36 * len(names) + 1.4)
    fig, (axes,) = panels(shape, size, xlabel="cycles of RMSE", sharex=True, sharey=True)
    for ax, subset in zip(axes, subsets, strict=True):
        draw_margin(ax, margin, rounding[subset])
        for place, rival in enumerate(names):
            seeds = differences.loc[rival, subset]
            ax.plot(seeds, np.full(len(seeds), place + 0.2), ".", color=MUTED, ms=5, alpha=0.6)
            draw_finding(ax, place, judged.loc[(rival, subset)])
        ax.set(title=subset)
        ax.set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    findings_legend(fig)
    return fig
