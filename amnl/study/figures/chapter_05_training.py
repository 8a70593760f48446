"""Chapter 5: one training, its epochs and its errors."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amnl.study.figures.style import (
    HEALTH_COLOUR,
    MUTED,
    PALETTE,
    RMSE_LABEL,
    RUL_COLOUR,
    TOTAL_COLOUR,
    Numbers,
    columns,
    is_narrow,
    panels,
    plain_log,
)

History = Sequence[Mapping[str, float]]


class TitledRun(TypedDict):
    """A run's title, its history (a mapping an epoch), and the epoch chosen on validation."""

    title: str
    history: History
    chosen: int


def learning_curves(history: History, chosen: int) -> Figure:
    """Task losses and RMSE by epoch; the epoch chosen on validation is marked.

    Parameters
    ----------
    history
        A mapping an epoch: `epoch`, `rul_loss` (cycles²), `health_loss` (nats), `val_rmse` and
        `test_rmse` (cycles).
    chosen
        The epoch chosen on validation.
    """
    epoch = [r["epoch"] for r in history]
    fig, ((losses, errors),) = panels((1, 2), (7.0, 3.2), xlabel="epoch")
    for key, label, colour in (
        ("rul_loss", "RUL (cycles²)", RUL_COLOUR),
        ("health_loss", "health (nats)", HEALTH_COLOUR),
    ):
        losses.semilogy(epoch, [r[key] for r in history], color=colour)
        losses.text(epoch[-1], 1.8 * history[-1][key], label, color=colour, ha="right")
    losses.set(title="training losses", xlabel="epoch")
    plain_log(losses.yaxis)
    _rmse_by_epoch(errors, history, chosen)
    errors.set(title="RMSE (cycles)")
    errors.legend()
    return fig


def _rmse_by_epoch(ax: Axes, history: History, chosen: int) -> None:
    """Validation and test RMSE; a ring at the epoch chosen on validation, a cross at the epoch that
    is best on the test set."""
    columns = "epoch", "val_rmse", "test_rmse"
    epoch, val, test = (np.array([r[column] for r in history]) for column in columns)
    ax.plot(epoch, val, color=MUTED, label="validation engines")
    ax.plot(epoch, test, color=PALETTE["FD001"], label="test engines")
    ax.plot(
        chosen, test[epoch == chosen], "o", mfc="none", ms=10, mew=1.8, color=TOTAL_COLOUR,
        label="chosen on validation",
    )  # fmt: skip
    best = int(test.argmin())
    ax.plot(epoch[best], test[best], "x", ms=8, mew=2, color=PALETTE["FD002"], label="best on test")
    ax.set(xlabel="epoch", ylim=(0.9 * min(val.min(), test.min()), 1.6 * test.min()))


def predicted_against_true(pred: Numbers, rul: Numbers) -> Figure:
    """One dot a test engine, the diagonal, and the errors sorted into bands of true RUL."""
    fig, (axes,) = panels((1, 2), (7.0, 3.4), width_ratios=None if is_narrow() else (1.15, 1))
    axes[0].plot([0, 130], [0, 130], color=MUTED, linewidth=1)
    axes[0].plot(rul, pred, "o", color=PALETTE["FD001"], alpha=0.65, ms=5.5, mew=0)
    axes[0].set(xlabel="true RUL, capped (cycles)", ylabel="predicted (cycles)")
    axes[0].set(title="each test engine", aspect="equal")
    edges = [0, 30, 80, 124, 125]
    bands = np.digitize(rul, edges[1:], right=True)
    names = ["0-30", "31-80", "81-124", "capped"]
    jitter = np.random.default_rng(0).uniform(-0.18, 0.18, len(rul))
    axes[1].axhline(0, color=MUTED, linewidth=1)
    axes[1].plot(bands + jitter, pred - rul, "o", color=PALETTE["FD001"], alpha=0.55, ms=5, mew=0)
    for band in np.unique(bands):  # a small fleet may have none in another
        mean = float((pred - rul)[bands == band].mean())
        axes[1].hlines(mean, band - 0.3, band + 0.3, color=TOTAL_COLOUR)
    axes[1].set_xticks(range(4), names)
    axes[1].set(xlabel="true RUL (cycles)", title="error: late above 0, early below")
    return fig


def error_prices(errors: Numbers, price: Numbers) -> Figure:
    """NASA's price of each test engine's error, and the share of the total that the worst pay."""
    fig, (axes,) = panels((1, 2), (7.0, 3.0))
    axes[0].plot(errors, price, "o", color=PALETTE["FD001"], alpha=0.65, ms=5, mew=0)
    axes[0].set(xlabel="predicted − true (cycles)", ylabel="price")
    axes[0].set(title="late costs more than early")
    share = np.cumsum(np.sort(price)[::-1]) / price.sum()
    axes[1].step(np.arange(1, len(share) + 1), 100 * share, where="mid", color=TOTAL_COLOUR)
    axes[1].set(xlabel="dearest engines", ylabel="share of the score (%)", title="a few decide it")
    axes[1].set(ylim=(0, 101))
    return fig


def two_histories(left: TitledRun, right: TitledRun) -> Figure:
    """Validation and test RMSE by epoch of two runs, on one scale."""
    fig, (axes,) = panels((1, 2), (7.0, 3.4), ylabel="RMSE (cycles)", sharey=True)
    for ax, run in zip(axes, (left, right), strict=True):
        _rmse_by_epoch(ax, run["history"], run["chosen"])
        ax.set(title=run["title"])
    lows = [min(min(r["val_rmse"], r["test_rmse"]) for r in x["history"]) for x in (left, right)]
    axes[0].set(ylim=(0.9 * min(lows), 1.7 * min(lows)))
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper left", ncols=columns(2))
    return fig


def leak_by_seed(seeds: pd.DataFrame) -> Figure:
    """Test RMSE of each seed at the last epoch, the chosen one, and the one best on the test set.

    `seeds` has the columns `seed`, `test_rmse`, `test_rmse_leaked`, `test_rmse_last` (cycles).
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    seed = np.arange(len(seeds))
    spans = seeds.test_rmse_leaked, seeds.test_rmse_last
    ax.hlines(seed, *spans, color=MUTED, alpha=0.35, linewidth=3)
    for column, marker, colour, label in (
        ("test_rmse_leaked", "x", PALETTE["FD002"], "chosen on test"),
        ("test_rmse", "o", PALETTE["FD001"], "chosen on validation"),
        ("test_rmse_last", "|", TOTAL_COLOUR, "last epoch"),
    ):
        ax.plot(seeds[column], seed, marker, color=colour, label=label, mfc="none", mew=2, ms=9)
    ax.set_yticks(seed, seeds.seed)
    ax.set(xlabel=RMSE_LABEL, ylabel="seed")
    fig.legend(loc="outside upper left", ncols=columns(3))
    return fig
