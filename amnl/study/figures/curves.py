"""Chapters 0, 1 and 2: curves over λ, one a subset."""

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amnl.study.figures.style import (
    LAM_LABEL,
    MARKERS,
    PALETTE,
    RMSE_LABEL,
    Numbers,
    columns,
    panels,
    ring_lowest,
)


def curves_over_lambda(
    lambdas: npt.ArrayLike, curves: Mapping[str, npt.ArrayLike], ylabel: str
) -> Figure:
    """One named curve a subset against λ; every lowest value is ringed.

    Parameters
    ----------
    lambdas
        The (n,) weights.
    curves
        A key of `PALETTE` → (n,) values.
    ylabel
        What the values are.
    """
    fig, ax = plt.subplots(figsize=(6.4, 4.2))
    lam = np.asarray(lambdas, float)
    for name, values in curves.items():
        y = np.asarray(values, float)
        _curve(ax, lam, y, name)
        ax.annotate(
            name, (lam[-1], y[-1]), xytext=(8, 0), textcoords="offset points",
            color=PALETTE[name], va="center",
        )  # fmt: skip
    ax.set(xlabel=LAM_LABEL, ylabel=ylabel)
    return fig


def curves_side_by_side(
    sweeps: Mapping[str, tuple[Sequence[float], Mapping[str, Sequence[float]]]],
) -> Figure:
    """Several sweeps in panels on one vertical axis; every lowest value is ringed.

    Parameters
    ----------
    sweeps
        A panel's title → its weights, and its curves of test RMSE (cycles) as in
        `curves_over_lambda`.
    """
    n = len(sweeps)
    shape = (math.ceil(n / 3), min(n, 3))
    size = (8.4, 3.2 * shape[0] + 0.6)
    fig, axes = panels(shape, size, n, xlabel="λ", ylabel=RMSE_LABEL, sharey=True)
    weights = [lam for lambdas, _ in sweeps.values() for lam in lambdas]
    for ax, (title, (lambdas, curves)) in zip(axes.flat[:n], sweeps.items(), strict=True):
        for name, values in curves.items():
            _curve(ax, np.asarray(lambdas, float), np.asarray(values, float), name)
        ax.set(title=title, xlim=(min(weights) - 0.05, max(weights) + 0.05))
    fig.legend(
        *axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns(5, 3)
    )
    return fig


def _curve(ax: Axes, lam: Numbers, y: Numbers, name: str) -> None:
    dashes = (4, 2) if name == "mean" else (None, None)
    colour, marker = PALETTE[name], MARKERS[name]
    ax.plot(lam, y, color=colour, marker=marker, markersize=4.5, dashes=dashes, label=name)
    ring_lowest(ax, lam, y, colour)
