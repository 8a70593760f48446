"""Chapter 7: units and scale."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amnl.study.figures.style import (
    HEALTH_COLOUR,
    MUTED,
    PALETTE,
    RMSE_LABEL,
    ROUNDING_BAND,
    RUL_COLOUR,
    SECOND_UNIT,
    TOTAL_COLOUR,
    Numbers,
    columns,
    is_narrow,
    panels,
    plain_log,
    rounding_handle,
)


def pulls(rows: pd.DataFrame) -> Figure:
    """Gradient norms of both tasks on the trunk, and their cosine, by epoch; a column a unit.

    `rows` has the columns `subset`, `seed`, `rul_unit` (cycles), `epoch`, `rul_norm`,
    `health_norm`, `cosine`.
    """
    units = sorted(rows["rul_unit"].unique())
    fig, axes = panels(
        (2, len(units)), (8.4, 5.4), xlabel="epoch", abreast=2, sharex=True, sharey="row",
        height_ratios=None if is_narrow() else (1.5, 1),
    )  # fmt: skip
    for (top, bottom), unit in zip(axes.T, units, strict=True):
        for subset, part in rows[rows["rul_unit"] == unit].groupby("subset"):
            mean = part.groupby("epoch")[["rul_norm", "health_norm", "cosine"]].mean()
            top.semilogy(mean["rul_norm"], color=PALETTE[subset])
            top.semilogy(mean["health_norm"], color=PALETTE[subset], linestyle=SECOND_UNIT)
            bottom.plot(mean["cosine"], color=PALETTE[subset], label=subset)
        bottom.axhline(0, color=MUTED, linewidth=1)
        name = "cycles²" if unit == 1 else f"({unit:g} cycles)²"
        top.set(title=name)
        plain_log(top.yaxis)
    axes[0, 0].set(ylabel="gradient norm")
    axes[1, 0].set(ylabel="cosine")
    handles, _ = axes[1, 0].get_legend_handles_labels()
    handles += [
        Line2D([], [], color=TOTAL_COLOUR, label="RUL"),
        Line2D([], [], color=TOTAL_COLOUR, linestyle=SECOND_UNIT, label="health"),
    ]
    fig.legend(handles=handles, loc="outside upper left", ncols=columns(6, 3), fontsize=10)
    return fig


def one_curve(points: pd.DataFrame, cells: pd.DataFrame, rounding: Mapping[str, float]) -> Figure:
    """Test RMSE against the effective odds λ/(1 − λ)/unit², a panel a subset.

    Parameters
    ----------
    points
        Columns `subset`, `family` (a, b or c), `odds`, and `mean`, `low`, `high` (cycles).
    cells
        Columns `subset`, `rul_unit`, `test_rmse` (cycles): the single runs of family c.
    rounding
        A subset → half the band (cycles), around the mean of a unit of one cycle, within which a
        mean of family c may differ from that one by rounding; in grey.
    """
    subsets = sorted(points["subset"].unique())
    odds = "effective odds λ/(1 − λ)/unit²"
    fig, (axes,) = panels((1, len(subsets)), (8.8, 4.4), None, odds, RMSE_LABEL, sharey=True)
    looks = {
        "c": ("o", TOTAL_COLOUR, "λ = 0.5, the unit varies"),
        "a": ("s", RUL_COLOUR, "λ varies, cycles²"),
        "b": ("^", HEALTH_COLOUR, "λ varies, (125 cycles)²"),
    }
    for ax, subset in zip(axes, subsets, strict=True):
        part = cells[cells["subset"] == subset]
        level, half = part.loc[part["rul_unit"] == 1, "test_rmse"].mean(), rounding[subset]
        ax.axhspan(level - half, level + half, color=ROUNDING_BAND, linewidth=0)
        ax.plot(part["rul_unit"] ** -2.0, part["test_rmse"], ".", color=MUTED, ms=4, alpha=0.6)
        for family, (marker, colour, label) in looks.items():
            part = points[(points["subset"] == subset) & (points["family"] == family)]
            part = part.sort_values("odds")
            bars = np.abs(part[["low", "high"]].to_numpy().T - part["mean"].to_numpy())
            ax.errorbar(
                part["odds"], part["mean"], yerr=bars, fmt=marker, color=colour, label=label,
                markersize=5, capsize=2, linewidth=1.2, linestyle="-" if family == "c" else "",
            )  # fmt: skip
        ax.set(xscale="log")
        plain_log(ax.xaxis)
        ax.set_xticks([1e-6, 1e-4, 0.01, 1, 100], ["10⁻⁶", "10⁻⁴", "0.01", "1", "100"])
        unit = ax.secondary_xaxis("top", functions=(_power(-0.5), _power(-2.0)))
        unit.set_xlabel(f"{subset}: unit (cycles)")
        unit.set_xticks([1000, 100, 10, 1, 0.1], ["1000", "100", "10", "1", "0.1"])
    handles, _ = axes[0].get_legend_handles_labels()
    handles = [*handles, rounding_handle()]
    fig.legend(handles=handles, loc="outside upper left", ncols=columns(2), fontsize=10)
    return fig


def _power(exponent: float) -> Callable[[Numbers], Numbers]:
    def power(value: Numbers) -> Numbers:
        with np.errstate(divide="ignore"):  # an axis is first laid out from 0 to 1
            return np.asarray(value, dtype=float) ** exponent

    return power
