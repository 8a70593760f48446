"""The book's figures: one style, one palette, and the drawing code too long for a page.

A page calls `style()` once. Functions draw the arrays they are given and return the matplotlib
figure; they compute nothing that the page states as a number.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import scipy.stats
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

# Okabe and Ito's colours, told apart with any colour vision; the marker says it once more.
PALETTE = {
    "FD001": "#0072B2",
    "FD002": "#D55E00",
    "FD003": "#009E73",
    "FD004": "#AA4499",
    "mean": "#333333",
}
MARKERS = {"FD001": "o", "FD002": "s", "FD003": "^", "FD004": "D", "mean": "P"}
RUL_COLOUR, HEALTH_COLOUR, TOTAL_COLOUR = "#4B3F9E", "#B26B00", "#111111"
MUTED = "#8A8A8A"


def style() -> None:
    """Set the book's matplotlib defaults for the rest of the session.

    The background is white, not transparent: the site's dark mode leaves figures as they are.
    """
    plt.rcParams.update(
        {
            "figure.figsize": (6.4, 3.8),
            "figure.dpi": 150,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 11.5,
            "axes.titlesize": 11.5,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#E6E6E6",
            "lines.linewidth": 1.8,
            "legend.frameon": False,
        }
    )


def gradient_fan(ax: Axes, g_rul: Sequence[float], g_hs: Sequence[float], title: str) -> None:
    """Draw two 2-D gradients, the segment between them, and λ·g_rul + (1-λ)·g_hs at quarters.

    Arrows start at the origin; both axes have one scale, so that angles are true.
    """
    rul, hs = np.asarray(g_rul, float), np.asarray(g_hs, float)
    ax.plot(*np.transpose([rul, hs]), color=MUTED, linewidth=1.2, linestyle="--", zorder=1)
    for tip, colour, label in ((rul, RUL_COLOUR, "RUL"), (hs, HEALTH_COLOUR, "health")):
        _arrow(ax, tip, colour)
        away = tip / np.linalg.norm(tip)
        ax.annotate(
            label, (tip[0], tip[1]), xytext=13 * away, textcoords="offset points", color=colour,
            ha="center", va="center",
        )  # fmt: skip
    for lam in (0.25, 0.5, 0.75):
        ax.plot(*(lam * rul + (1 - lam) * hs), "o", color=TOTAL_COLOUR, markersize=3.5, zorder=3)
    _arrow(ax, (rul + hs) / 2, TOTAL_COLOUR)
    ax.plot(0, 0, "o", color=MUTED, markersize=4)
    ax.set_title(title)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.22)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def effective_share(
    lambdas: npt.ArrayLike, shares: Mapping[float, npt.ArrayLike], best: float = 0.5
) -> Figure:
    """RUL's share of the step against λ, one curve for each scale ratio; λ = `best` is marked."""
    fig, ax = plt.subplots()
    shades = plt.get_cmap("Purples")(np.linspace(0.45, 0.95, len(shares)))
    for (ratio, share), colour in zip(shares.items(), shades, strict=True):
        ax.plot(lambdas, share, color=colour, label=f"{ratio:,.0f} : 1")
    ax.axvline(best, color=MUTED, linewidth=1, linestyle=":")
    ax.set(xlabel="λ as written", ylabel="RUL's share of the step", xlim=(0, 1), ylim=(0, 1.02))
    ax.legend(title="RUL gradient :\nhealth gradient", loc="lower right")
    return fig


def curves_over_lambda(
    lambdas: npt.ArrayLike, curves: Mapping[str, npt.ArrayLike], ylabel: str
) -> Figure:
    """One line a subset (keys of `PALETTE`) against λ, named; every lowest value is ringed."""
    fig, ax = plt.subplots(figsize=(6.4, 4.2))
    lam = np.asarray(lambdas, float)
    for name, values in curves.items():
        y = np.asarray(values, float)
        dashes = (4, 2) if name == "mean" else (None, None)
        ax.plot(
            lam, y, color=PALETTE[name], marker=MARKERS[name], markersize=4.5, dashes=dashes
        )  # fmt: skip
        at = y == y.min()
        ax.plot(lam[at], y[at], "o", mfc="none", mec=PALETTE[name], markersize=12, mew=1.6)
        ax.annotate(
            name, (lam[-1], y[-1]), xytext=(8, 0), textcoords="offset points",
            color=PALETTE[name], va="center",
        )  # fmt: skip
    ax.set(xlabel="λ, the weight of the RUL loss", ylabel=ylabel)
    return fig


def curves_side_by_side(
    panels: Mapping[str, tuple[Sequence[float], Mapping[str, Sequence[float]]]],
) -> Figure:
    """Title → λ and curves, one panel each on one vertical axis; every lowest value is ringed."""
    fig, (axes,) = plt.subplots(
        1, len(panels), figsize=(8.4, 4.6), sharex=True, sharey=True, squeeze=False
    )
    for ax, (title, (lambdas, curves)) in zip(axes, panels.items(), strict=True):
        lam = np.asarray(lambdas, float)
        for name, values in curves.items():
            y = np.asarray(values, float)
            dashes = (4, 2) if name == "mean" else (None, None)
            ax.plot(
                lam, y, color=PALETTE[name], marker=MARKERS[name], markersize=4.5,
                dashes=dashes, label=name,
            )  # fmt: skip
            at = y == y.min()
            ax.plot(lam[at], y[at], "o", mfc="none", mec=PALETTE[name], ms=12, mew=1.6)
        ax.set(title=title.replace(", ", ",\n"), xlabel="λ")
    axes[0].set_ylabel("test RMSE (cycles)")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return fig


def bowl(
    lambdas: npt.ArrayLike,
    errors: npt.NDArray[Any],
    fine: npt.ArrayLike,
    derived: npt.ArrayLike,
    parts: Mapping[str, npt.ArrayLike],
    best: float,
) -> Figure:
    """Simulated errors (repeats × λ) as means with 95 % bars over the derived curve and its parts.

    `derived` and `parts` are given at the λ in `fine`. A bar is ±1.96 standard errors of the mean
    over repeats; `best` is marked λ*.
    """
    fig, ax = plt.subplots(figsize=(6.4, 4.2))
    lam = np.asarray(lambdas, float)
    for (label, part), colour in zip(parts.items(), (RUL_COLOUR, HEALTH_COLOUR), strict=True):
        ax.plot(fine, part, color=colour, linestyle="--", linewidth=1.3, label=label)
    ax.plot(fine, derived, color=TOTAL_COLOUR, label="derived by hand")
    bars = 1.96 * errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
    ax.errorbar(
        lam, errors.mean(axis=0), yerr=bars, fmt="o", color=PALETTE["FD001"], markersize=4,
        capsize=3, label=f"simulated, {len(errors)} data sets",
    )  # fmt: skip
    bottom = float(np.min(derived))
    ax.plot([best, best], [0, bottom], color=MUTED, linewidth=1, linestyle=":")
    ax.annotate("λ*", (best, 0), xytext=(4, 4), textcoords="offset points")
    ax.set(xlabel="λ, the weight of the primary loss", ylabel="held-out error above the noise")
    ax.set(xlim=(-0.02, 1.02), ylim=(0, None))
    ax.legend(loc="upper center")
    return fig


def optimum_knobs(
    panels: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]],
) -> Figure:
    """The best λ against each of four knobs: title → x and y of the line, x and y of the dots."""
    fig, axes = plt.subplots(2, 2, figsize=(6.4, 5.2), sharey=True)
    for ax, (title, (x, line, at, dots)) in zip(axes.flat, panels.items(), strict=True):
        ax.plot(x, line, color=TOTAL_COLOUR, label="derived")
        ax.plot(at, dots, "o", color=PALETTE["FD001"], markersize=5, label="swept")
        ax.axhline(0.5, color=MUTED, linewidth=1, linestyle=":")
        ax.set(title=title, ylim=(0, 1))
    for ax in axes[:, 0]:
        ax.set_ylabel("best λ")
    axes[0, 0].legend(loc="upper right")
    return fig


def argmin_histogram(lambdas: npt.ArrayLike, counts: Mapping[str, npt.ArrayLike]) -> Figure:
    """How often each λ came out best: one group of bars a label, as shares of all sweeps."""
    fig, ax = plt.subplots(figsize=(6.4, 3.4))
    lam = np.asarray(lambdas, float)
    width = 0.8 * (lam[1] - lam[0]) / len(counts)
    colours = (MUTED, PALETTE["FD001"])
    for k, ((label, count), colour) in enumerate(zip(counts.items(), colours, strict=True)):
        share = np.asarray(count, float) / np.sum(count)
        ax.bar(lam + (k - (len(counts) - 1) / 2) * width, share, width, color=colour, label=label)
    ax.set(xlabel="λ with the lowest error", ylabel="share of sweeps", xticks=lam)
    ax.legend(loc="upper left")
    return fig


def three_halves(
    losses: Mapping[str, npt.ArrayLike],
    totals: Mapping[str, npt.ArrayLike],
    shares: Mapping[str, npt.ArrayLike],
) -> Figure:
    """Two loss curves, the totals that three losses called 0.5/0.5 log, and RUL's share of each.

    `totals` and `shares` have the same keys. All are indexed by training step.
    """
    fig, axes = plt.subplots(3, 1, figsize=(6.4, 7.0), sharex=True)
    for (label, values), colour in zip(losses.items(), (RUL_COLOUR, HEALTH_COLOUR), strict=True):
        axes[0].plot(values, color=colour, label=label)
    colours = (TOTAL_COLOUR, PALETTE["FD002"], PALETTE["FD001"])
    for ax, series in ((axes[1], totals), (axes[2], shares)):
        for (label, values), colour in zip(series.items(), colours, strict=True):
            ax.plot(values, color=colour, label=label)
    axes[0].set(title="The two task losses", yscale="log")
    axes[1].set(title="What the log shows: the total", yscale="log")
    axes[2].set(
        title="What the trunk feels: RUL's share of the weight", yscale="log", xlabel="step"
    )
    axes[0].legend()
    axes[1].legend()
    return fig


def _arrow(ax: Axes, tip: npt.NDArray[Any], colour: str) -> None:
    ax.annotate(
        "", xy=(tip[0], tip[1]), xytext=(0, 0),
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip


# ------------------------------------------------------------------ chapter 4: the data as pictures

STATE_COLOURS = {"healthy": "#A9CCE3", "degrading": "#E3A857", "critical": "#9C2A1A"}


def _condition_colours(n: int) -> npt.NDArray[Any]:
    # Viridis less its palest end, which would vanish on white.
    return np.asarray(plt.get_cmap("viridis")(np.linspace(0, 0.88, n)))


def sensor_life(cycle: npt.ArrayLike, sensors: Mapping[str, npt.NDArray[Any]]) -> Figure:
    """Each sensor of one engine over its cycles: dots, and their running mean over 15 cycles, or
    over all of a shorter life."""
    x = np.asarray(cycle)
    width = min(15, len(x))
    rows = -(-len(sensors) // 2)
    fig, axes = plt.subplots(rows, 2, figsize=(6.4, 2.1 * rows), dpi=120, squeeze=False)
    for ax in axes.flat[len(sensors) :]:
        ax.axis("off")
    for ax, (label, values) in zip(axes.flat, sensors.items(), strict=False):
        ax.plot(x, values, ".", markersize=3, color=MUTED, alpha=0.6)
        mean = np.convolve(values, np.ones(width) / width, mode="valid")
        ax.plot(x[width // 2 :][: len(mean)], mean, color=PALETTE["FD001"])
        ax.set_title(label, fontsize=10.5)
        ax.ticklabel_format(axis="y", useOffset=False)
        if np.ptp(values) == 0:
            ax.set_ylim(values[0] - 1, values[0] + 1)
    for ax in axes[-1]:
        ax.set_xlabel("cycle")
    return fig


def flight_conditions(settings: npt.NDArray[Any], share: npt.NDArray[Any]) -> Figure:
    """Six operating conditions, each a dot at (Mach, altitude) with an area for its share.

    settings  (6, 3) altitude in thousands of feet, Mach number, throttle angle in degrees
    share     (6,) share of the rows
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    ax.set_axisbelow(True)
    ax.scatter(
        settings[:, 1],
        settings[:, 0],
        s=3000 * share,
        color=_condition_colours(len(settings)),
    )
    for (altitude, mach, throttle), part in zip(settings, share, strict=True):
        left = mach > 0.5
        ax.annotate(
            f"{part:.0%} of rows, throttle {throttle:.0f}",
            (mach, altitude),
            xytext=(-21 if left else 21, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
        )
    ax.set(xlabel="Mach number", ylabel="altitude (1000 ft)", xlim=(-0.07, 0.95), ylim=(-5, 49))
    return fig


def before_and_after(
    cycle: npt.NDArray[Any],
    raw: npt.NDArray[Any],
    normalised: npt.NDArray[Any],
    condition: npt.NDArray[Any],
    unit: str,
) -> Figure:
    """One sensor of one engine, raw and normalised per condition; colours are conditions."""
    fig, axes = plt.subplots(2, 1, figsize=(6.4, 5.6), sharex=True, dpi=120)
    colours = _condition_colours(6)[condition]
    axes[0].plot(cycle, raw, color=MUTED, linewidth=0.3, alpha=0.6)
    axes[0].scatter(cycle, raw, s=12, color=colours)
    axes[0].set(title="As measured: the flight decides", ylabel=unit)
    axes[1].scatter(cycle, normalised, s=12, color=colours)
    axes[1].set(
        title="Normalised within its condition: the wear shows",
        xlabel="cycle",
        ylabel="standard deviations",
    )
    return fig


def end_of_life(values: Mapping[str, npt.NDArray[Any]], xlabel: str) -> Figure:
    """A histogram for each subset, one under another: a number each engine ends its life with."""
    fig, axes = plt.subplots(len(values), 1, figsize=(6.4, 4.4), sharex=True, squeeze=False)
    axes = axes[:, 0]
    span = np.concatenate(list(values.values()))
    bins = np.linspace(span.min(), span.max(), 41)
    for ax, (subset, each) in zip(axes, values.items(), strict=True):
        ax.set_axisbelow(True)
        ax.hist(each, bins, color=PALETTE[subset])
        ax.axvline(0, color=TOTAL_COLOUR, linewidth=1)
        ax.set(title=subset, ylabel="engines")
    axes[-1].set_xlabel(xlabel)
    return fig


def windows_over_rows(
    last: npt.NDArray[Any], offsets: npt.NDArray[Any], colours: Sequence[str], length: int
) -> Figure:
    """Every window as a bar over the rows of the array that it covers; engines as bands.

    last     (n,) row of each window's last cycle
    offsets  (engines + 1,) first row of each engine, and the end
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    for start, stop, colour in zip(offsets[:-1], offsets[1:], colours, strict=True):
        ax.axvspan(start, stop, color=colour, alpha=0.12, linewidth=0)
        ax.text((start + stop) / 2, len(last) + 1.5, f"rows {start} to {stop - 1}", ha="center")
        inside = (last >= start) & (last < stop)
        height = np.flatnonzero(inside)
        ax.barh(height, length, left=last[inside] - length + 1, height=0.7, color=colour)
    ax.set(xlabel="row of the array", ylabel="window", ylim=(-1, len(last) + 4))
    ax.grid(visible=False)
    return fig


def labels_over_life(
    cycle: npt.NDArray[Any],
    true: npt.NDArray[Any],
    capped: npt.NDArray[Any],
    weight: npt.NDArray[Any],
    edges: tuple[float, float],
) -> Figure:
    """True and capped remaining life over an engine's cycles, and the weight of each sample below.

    edges  remaining life at which an engine stops to be healthy, and starts to be critical (cycles)
    """
    fig, axes = plt.subplots(2, 1, figsize=(6.4, 5.2), sharex=True, height_ratios=(2, 1))
    spans = ((edges[0], 200.0), (edges[1], edges[0]), (0.0, edges[1]))
    for (state, colour), (low, high) in zip(STATE_COLOURS.items(), spans, strict=True):
        inside = cycle[(capped > low) & (capped <= high)] if low else cycle[capped <= high]
        for ax in axes:
            ax.axvspan(inside.min() - 0.5, inside.max() + 0.5, color=colour, alpha=0.3, linewidth=0)
        axes[0].text(inside.mean(), 1.06 * true.max(), state, ha="center", fontsize=10.5)
    axes[0].plot(cycle, true, "--", color=MUTED)
    axes[0].plot(cycle, capped, color=RUL_COLOUR)
    sixth = len(cycle) // 6
    axes[0].text(cycle[sixth] + 3, true[sixth], "true", color="#666666")
    axes[0].text(cycle[2], capped[2] - 3, "capped: the label", color=RUL_COLOUR, va="top")
    axes[0].set(ylabel="remaining life (cycles)", ylim=(0, 1.15 * true.max()))
    axes[1].plot(cycle, weight, color=TOTAL_COLOUR)
    axes[1].set(xlabel="cycle", ylabel="weight in\nthe RUL loss", ylim=(0.9, 2.1))
    return fig


def class_shares(shares: Mapping[str, npt.NDArray[Any]]) -> Figure:
    """Stacked bars of the three health states; `shares` maps a row's label to (3,) shares."""
    fig, ax = plt.subplots(figsize=(6.4, 0.42 * len(shares) + 1.1))
    table, left = np.array(list(shares.values())), np.zeros(len(shares))
    for (state, colour), part in zip(STATE_COLOURS.items(), table.T, strict=True):
        bars = ax.barh(list(shares), part, left=left, color=colour, label=state, height=0.72)
        text = "white" if state == "critical" else TOTAL_COLOUR
        ax.bar_label(bars, [f"{x:.0%}" for x in part], label_type="center", color=text, fontsize=10)
        left += part
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(left=False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return fig


def cut_lives(seen: npt.NDArray[Any], left: npt.NDArray[Any], window: int) -> Figure:
    """Test engines from short to long: the cycles that were seen, and those that remain."""
    order = np.argsort(seen)
    seen, left, x = seen[order], left[order], np.arange(len(seen))
    fig, ax = plt.subplots(figsize=(6.4, 3.8))
    ax.bar(x, seen, width=1.0, color=PALETTE["FD002"], label="seen")
    ax.bar(
        x, left, width=1.0, bottom=seen, color=MUTED, alpha=0.45, label="remains, to be predicted"
    )
    ax.axhline(window, color=TOTAL_COLOUR, linewidth=1.2)
    ax.annotate(
        f"one window, {window} cycles",
        (0.985 * len(x), window),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        color="white",
    )
    ax.set(xlabel="test engines, by the length seen", ylabel="cycles", xlim=(-0.5, len(x) - 0.5))
    ax.legend(loc="upper left")
    ax.grid(visible=False)
    return fig


def label_distributions(
    val: Mapping[str, npt.NDArray[Any]], test: Mapping[str, npt.NDArray[Any]]
) -> Figure:
    """Share of labels in bins of 12.5 cycles: bars for the test engines, a line for validation."""
    fig, axes = plt.subplots(2, 2, figsize=(6.4, 5.0), sharex=True, sharey=True)
    bins = np.linspace(0, 125, 11)
    for ax in axes.flat[len(val) :]:
        ax.axis("off")
    for ax, subset in zip(axes.flat, val, strict=False):
        ax.set_axisbelow(True)
        for labels, kind in ((test[subset], "bar"), (val[subset], "step")):
            share = np.histogram(labels, bins)[0] / len(labels)
            if kind == "bar":
                ax.bar(bins[:-1], share, 12.5, align="edge", color=PALETTE[subset], alpha=0.7)
            else:
                ax.stairs(share, bins, color=TOTAL_COLOUR, linewidth=1.8)
        ax.set_title(subset)
    for ax in axes[-1]:
        ax.set_xlabel("label (cycles)")
    for ax in axes[:, 0]:
        ax.set_ylabel("share")
    return fig


# --------------------------------------------------------------------------- chapter 5: training


def learning_curves(history: Sequence[Mapping[str, float]], chosen: int) -> Figure:
    """Task losses and RMSE by epoch; the epoch chosen on validation is marked."""
    epoch = [r["epoch"] for r in history]
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.4))
    axes[0].semilogy(epoch, [r["rul_loss"] for r in history], color=RUL_COLOUR)
    axes[0].semilogy(epoch, [r["health_loss"] for r in history], color=HEALTH_COLOUR)
    for key, label, colour in (
        ("rul_loss", "RUL (cycles²)", RUL_COLOUR),
        ("health_loss", "health (nats)", HEALTH_COLOUR),
    ):
        axes[0].text(epoch[-1], 1.5 * history[-1][key], label, color=colour, ha="right")
    axes[0].set(title="training losses", xlabel="epoch")
    rmse_by_epoch(axes[1], history, chosen)
    axes[1].set(title="RMSE (cycles)")
    axes[1].legend()
    return fig


def rmse_by_epoch(ax: Axes, history: Sequence[Mapping[str, float]], chosen: int) -> None:
    """Validation and test RMSE by epoch; a ring at the epoch chosen on validation, a cross at the
    epoch that is best on the test set."""
    epoch = np.array([r["epoch"] for r in history])
    val = np.array([r["val_rmse"] for r in history])
    test = np.array([r["test_rmse"] for r in history])
    ax.plot(epoch, val, color=MUTED, label="validation engines")
    ax.plot(epoch, test, color=PALETTE["FD001"], label="test engines")
    ax.plot(
        chosen,
        test[epoch == chosen],
        "o",
        mfc="none",
        ms=10,
        mew=1.8,
        color=TOTAL_COLOUR,
        label="chosen on validation",
    )
    best = int(test.argmin())
    ax.plot(epoch[best], test[best], "x", ms=8, mew=2, color=PALETTE["FD002"], label="best on test")
    ax.set(xlabel="epoch", ylim=(0.9 * min(val.min(), test.min()), 1.6 * test.min()))


def predicted_against_true(pred: npt.NDArray[Any], rul: npt.NDArray[Any]) -> Figure:
    """One dot a test engine, the diagonal, and the errors sorted into bands of true RUL."""
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.9), width_ratios=(1.15, 1))
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
    axes[1].set(xlabel="true RUL (cycles)", title="error by RUL: late above 0, early below")
    return fig


def error_prices(errors: npt.NDArray[Any], price: npt.NDArray[Any]) -> Figure:
    """NASA's price of each test engine's error, and the share of the total that the worst pay."""
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.2))
    axes[0].plot(errors, price, "o", color=PALETTE["FD001"], alpha=0.65, ms=5, mew=0)
    axes[0].set(
        xlabel="predicted − true (cycles)",
        ylabel="price",
        title="of two equal errors, late costs more",
    )
    share = np.cumsum(np.sort(price)[::-1]) / price.sum()
    axes[1].step(np.arange(1, len(share) + 1), 100 * share, where="mid", color=TOTAL_COLOUR)
    axes[1].set(xlabel="dearest engines", ylabel="share of the score (%)", title="a few decide it")
    axes[1].set(ylim=(0, 101))
    return fig


def two_histories(left: Mapping[str, Any], right: Mapping[str, Any]) -> Figure:
    """`rmse_by_epoch` of two runs side by side, on one scale: title, history, chosen."""
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), sharey=True)
    for ax, run in zip(axes, (left, right), strict=True):
        rmse_by_epoch(ax, run["history"], run["chosen"])
        ax.set(title=run["title"])
    lows = [min(min(r["val_rmse"], r["test_rmse"]) for r in x["history"]) for x in (left, right)]
    axes[0].set(ylabel="RMSE (cycles)", ylim=(0.9 * min(lows), 1.7 * min(lows)))
    axes[0].legend()
    return fig


def leak_by_seed(seeds: Any) -> Figure:
    """Test RMSE of each seed at the last epoch, the chosen one, and the one best on the test set.

    seeds  table with columns seed, test_rmse, test_rmse_leaked, test_rmse_last (cycles)
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    seed = np.arange(len(seeds))
    ax.hlines(seed, seeds.test_rmse_leaked, seeds.test_rmse_last, color="#D8D8D8", linewidth=3)
    for column, marker, colour, label in (
        ("test_rmse_leaked", "x", PALETTE["FD002"], "chosen on test"),
        ("test_rmse", "o", PALETTE["FD001"], "chosen on validation"),
        ("test_rmse_last", "|", TOTAL_COLOUR, "last epoch"),
    ):
        ax.plot(seeds[column], seed, marker, color=colour, label=label, mfc="none", mew=2, ms=9)
    ax.set_yticks(seed, seeds.seed)
    ax.set(xlabel="test RMSE (cycles)", ylabel="seed")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.17), ncols=3)
    return fig


# ------------------------------------------------------------ chapter 6: the sweep over the weight


def sweep_curves(rows: Any, intervals: Mapping[tuple[str, float], Any], source: Any) -> Figure:
    """Test RMSE against λ, one panel a subset: every seed, the mean with its interval, the source.

    rows       table with columns subset, seed, lam, test_rmse (cycles)
    intervals  (subset, λ) → (low, high) of the mean over seeds
    source     the source's table: column lambda, and one column a subset
    """
    fig, axes = plt.subplots(2, 2, figsize=(8.4, 6.6), sharex=True)
    subsets = rows.groupby("subset")
    for ax in axes.flat[len(subsets) :]:
        ax.axis("off")
    for ax, (subset, part) in zip(axes.flat, subsets, strict=False):
        table = part.pivot(index="lam", columns="seed", values="test_rmse")
        lam, mean = table.index.to_numpy(), table.mean(axis=1).to_numpy()
        ax.plot(lam, table, color=PALETTE[subset], linewidth=0.8, alpha=0.3)
        bounds = np.array([intervals[subset, value] for value in lam])
        ax.fill_between(lam, *bounds.T, color=PALETTE[subset], alpha=0.25, linewidth=0)
        ax.plot(lam, mean, color=PALETTE[subset], marker=MARKERS[subset], markersize=4.5)
        low = mean == mean.min()
        ax.plot(lam[low], mean[low], "o", mfc="none", mec=TOTAL_COLOUR, markersize=12, mew=1.6)
        ax.plot(source["lambda"], source[subset], color=MUTED, linestyle="--", linewidth=1.3)
        ax.axvline(0.5, color=MUTED, linewidth=1, linestyle=":")
        ax.set(title=subset)
    handles = [
        Line2D([], [], color=TOTAL_COLOUR, marker="o", label="our mean, 95 % band, seeds"),
        Line2D([], [], color=MUTED, linestyle="--", label="the source's mean"),
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=2)
    for ax in axes[1]:
        ax.set_xlabel("λ, the weight of the RUL loss")
    for ax in axes[:, 0]:
        ax.set_ylabel("test RMSE (cycles)")
    return fig


FINDINGS = {
    "worse": ("#B2182B", "o", "worse than 0.5"),
    "better": ("#2166AC", "s", "better than 0.5"),
    "equivalent": ("#1B7837", "D", "the same within the margin"),
    "undecided": (MUTED, "x", "undecided"),
}


def claim_and_finding(source: Any, found: Mapping[str, Any], *, stacked: bool = False) -> Figure:
    """RMSE against λ, a line a subset: as the source prints it, then as measured, in each unit.

    source  the source's table: column lambda, and one column a subset
    found   title → table with columns subset, seed, lam, test_rmse (cycles); a band is 95 % of the
            mean over seeds, by Student's t, for the eye alone
    stacked panels below each other, for a phone
    """
    panels = 1 + len(found)
    shape, size = ((panels, 1), (4.2, 2.5 * panels)) if stacked else ((1, panels), (9.6, 4.0))
    fig, grid = plt.subplots(*shape, figsize=size, sharey=True, sharex=True, squeeze=False)
    axes = grid.ravel()
    subsets = sorted(set(PALETTE) - {"mean"})
    for subset in subsets:
        look: dict[str, Any] = {"color": PALETTE[subset], "marker": MARKERS[subset]}
        axes[0].plot(source["lambda"], source[subset], markersize=4, **look)
        for ax, rows in zip(axes[1:], found.values(), strict=True):
            table = rows[rows["subset"] == subset].pivot(
                index="seed", columns="lam", values="test_rmse"
            )
            ax.plot(table.columns, table.mean(), markersize=4, **look)
            n = len(table)
            half = scipy.stats.t.ppf(0.975, n - 1) * table.std() / n**0.5
            ax.fill_between(
                table.columns, table.mean() - half, table.mean() + half,
                color=PALETTE[subset], alpha=0.2, linewidth=0,
            )  # fmt: skip
    for ax, title in zip(axes, ["the source's table", *found], strict=True):
        ax.axvline(0.5, color=MUTED, linewidth=1.2, linestyle="--", zorder=1)
        ax.set(title=title, xticks=(0.1, 0.3, 0.5, 0.7, 0.9))
    for ax in grid[-1]:
        ax.set_xlabel("λ")
    for ax in grid[:, 0]:
        ax.set_ylabel("test RMSE (cycles)")
    handles = [Line2D([], [], color=PALETTE[s], marker=MARKERS[s], label=s) for s in subsets]
    fig.legend(handles=handles, loc="outside upper center", ncols=2 if stacked else 4)
    return fig


def differences(tables: Mapping[str, Any], margin: float) -> Figure:
    """Paired differences from λ = 0.5 with 95 % intervals, a panel a subset; ±`margin` shaded.

    tables  subset → table indexed by λ with columns mean, low, high (cycles), finding
    """
    fig, axes = plt.subplots(1, len(tables), figsize=(9.6, 3.9), sharey=True, sharex=True)
    reach = 1.1 * max(margin, *(t[["low", "high"]].abs().to_numpy().max() for t in tables.values()))
    for ax, (subset, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
        ax.axvspan(-margin, margin, color="#E4EFE4", linewidth=0)
        ax.axvline(0, color=MUTED, linewidth=1)
        for place, row in enumerate(table.itertuples()):
            colour, marker, _ = FINDINGS[row.finding]
            ax.hlines(place, row.low, row.high, color=colour, linewidth=1.6)
            ax.plot(row.mean, place, marker, color=colour, markersize=6, mfc="white", mew=1.6)
        ax.set(title=subset, xlabel="RMSE(λ) − RMSE(0.5)", xlim=(-reach, reach))
        ax.set_yticks(range(len(table)), [f"{lam:g}" for lam in table.index])
    np.atleast_1d(axes)[0].set_ylabel("λ (left of 0: better than 0.5)")
    handles = [
        Line2D([], [], color=c, marker=m, mfc="white", mew=1.6, label=text)
        for c, m, text in FINDINGS.values()
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=10)
    return fig


def winners(counts: Mapping[str, Mapping[float, int]], lambdas: Sequence[float], n: int) -> Figure:
    """How often each λ has the smallest error; one bar a way of choosing the epoch.

    The dotted line is blind luck: `n` cells shared evenly.
    """
    fig, ax = plt.subplots(figsize=(6.8, 3.6))
    ax.set_axisbelow(True)
    place, width = np.arange(len(lambdas)), 0.8 / len(counts)
    colours = (TOTAL_COLOUR, "#B7BDC5")
    for k, ((label, count), colour) in enumerate(zip(counts.items(), colours, strict=True)):
        heights = [count.get(lam, 0) for lam in lambdas]
        at = place + (k - (len(counts) - 1) / 2) * width
        ax.bar(at, heights, width, color=colour, label=label)
    luck = n / len(lambdas)
    ax.axhline(luck, color=RUL_COLOUR, linestyle=":", linewidth=1.8, label="luck alone")
    ax.set_xticks(place, [f"{lam:g}" for lam in lambdas])
    ax.set(xlabel="λ", ylabel=f"wins, of {n} (subset, seed)")
    ax.legend()
    return fig


def regrets(columns: Mapping[str, Mapping[str, npt.NDArray[Any]]]) -> Figure:
    """One dot a seed: test RMSE minus that of the best λ in hindsight, for ways of choosing λ.

    columns  way → subset → regrets of its seeds (cycles); a bar marks each mean
    """
    fig, ax = plt.subplots(figsize=(7.6, 3.9))
    subsets = list(next(iter(columns.values())))
    shift = np.linspace(-0.3, 0.3, len(subsets))
    for k, regret in enumerate(columns.values()):
        for dx, (subset, values) in zip(shift, regret.items(), strict=True):
            x = np.full(len(values), k + dx)
            ax.plot(x, values, MARKERS[subset], color=PALETTE[subset], alpha=0.5, ms=4.5, mew=0)
            ax.hlines(values.mean(), k + dx - 0.07, k + dx + 0.07, color=PALETTE[subset])
    for subset in subsets:
        ax.plot([], [], MARKERS[subset], color=PALETTE[subset], label=subset, linestyle="none")
    ax.set_xticks(range(len(columns)), list(columns))
    ax.set(ylabel="regret (cycles of test RMSE)", ylim=(0, None))
    ax.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.16))
    return fig


# ------------------------------------------------------------------ chapter 7: units and scale


def pulls(rows: Any) -> Figure:
    """Gradient norms of both tasks on the trunk, and their cosine, by epoch; a column a unit.

    rows  table with columns subset, seed, rul_unit, epoch, rul_norm, health_norm, cosine
    """
    units = sorted(rows["rul_unit"].unique())
    fig, axes = plt.subplots(
        2, len(units), figsize=(8.4, 5.4), sharex=True, sharey="row", height_ratios=(1.5, 1),
        squeeze=False,
    )  # fmt: skip
    for (top, bottom), unit in zip(axes.T, units, strict=True):
        for subset, part in rows[rows["rul_unit"] == unit].groupby("subset"):
            mean = part.groupby("epoch")[["rul_norm", "health_norm", "cosine"]].mean()
            top.semilogy(mean["rul_norm"], color=PALETTE[subset])
            top.semilogy(mean["health_norm"], color=PALETTE[subset], linestyle=(0, (2, 1.5)))
            bottom.plot(mean["cosine"], color=PALETTE[subset], label=subset)
        bottom.axhline(0, color=MUTED, linewidth=1)
        bottom.set(xlabel="epoch")
        name = "cycles²" if unit == 1 else f"({unit:g} cycles)²"
        top.set(title=f"RUL loss in {name}")
    axes[0, 0].plot([], [], color=TOTAL_COLOUR, label="RUL")
    axes[0, 0].plot([], [], color=TOTAL_COLOUR, linestyle=(0, (2, 1.5)), label="health")
    axes[0, 0].legend()
    axes[0, 0].set(ylabel="gradient norm on the trunk")
    axes[1, 0].set(ylabel="cosine")
    axes[1, 0].legend(ncols=2, fontsize=9)
    return fig


def one_curve(points: Any, cells: Any) -> Figure:
    """Test RMSE against the effective odds λ/(1 − λ)/unit², a panel a subset.

    points  table with columns subset, family (a, b or c), odds, mean, low, high (cycles)
    cells   table with columns subset, rul_unit, test_rmse: the single runs of family c
    """
    subsets = sorted(points["subset"].unique())
    fig, axes = plt.subplots(1, len(subsets), figsize=(8.8, 3.9), sharey=True)
    looks = {
        "c": ("o", TOTAL_COLOUR, "λ = 0.5, the unit varies"),
        "a": ("s", RUL_COLOUR, "λ varies, cycles²"),
        "b": ("^", HEALTH_COLOUR, "λ varies, (125 cycles)²"),
    }
    for ax, subset in zip(np.atleast_1d(axes), subsets, strict=True):
        for family, (marker, colour, label) in looks.items():
            part = points[(points["subset"] == subset) & (points["family"] == family)]
            part = part.sort_values("odds")
            bars = np.abs(part[["low", "high"]].to_numpy().T - part["mean"].to_numpy())
            ax.errorbar(
                part["odds"], part["mean"], yerr=bars, fmt=marker, color=colour, label=label,
                markersize=5, capsize=2, linewidth=1.2, linestyle="-" if family == "c" else "",
            )  # fmt: skip
        part = cells[cells["subset"] == subset]
        ax.plot(part["rul_unit"] ** -2.0, part["test_rmse"], ".", color=MUTED, ms=4, alpha=0.6)
        ax.set(xscale="log", xlabel="effective odds λ/(1 − λ)/unit²")
        unit = ax.secondary_xaxis("top", functions=(_power(-0.5), _power(-2.0)))
        unit.set_xlabel(f"{subset}: unit in cycles at λ = 0.5")
    np.atleast_1d(axes)[0].set(ylabel="test RMSE (cycles)")
    np.atleast_1d(axes)[0].legend(fontsize=9.5)
    return fig


def five_point(
    lams: npt.NDArray[Any],
    differences: npt.NDArray[Any],
    half: npt.NDArray[Any],
    reference: float,
    margin: float,
    better: str,
) -> Figure:
    """A reader's own sweep: metric minus metric at the reference, a grey line a seed.

    differences  (weights, seeds); half  (weights,) half widths of 95 % intervals of the means, 0
    for none; the band is ±margin; `better` is "above" or "below"
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    ax.axhspan(-margin, margin, color=PALETTE["FD003"], alpha=0.15, linewidth=0, label="margin")
    ax.axhline(0, color=MUTED, linewidth=1)
    ax.plot(lams, differences, color=MUTED, linewidth=0.8, alpha=0.6)
    ax.errorbar(
        lams, differences.mean(axis=1), yerr=half, fmt="o-", color=RUL_COLOUR, capsize=3,
        label="mean, 95 % interval",
    )  # fmt: skip
    ax.set(xlabel="λ, the weight of the primary loss", xticks=lams)
    ax.set(ylabel=f"metric − metric at {reference:g}\n({better} 0: better)")
    ax.legend(fontsize=10)
    return fig


def verdict_rates(rates: Any) -> Figure:
    """Shares of right, undecided and wrong verdicts by number of seeds, a panel a planted problem.

    rates  table with columns planted, seeds, right, undecided, wrong; shares in [0, 1]
    """
    problems = list(dict.fromkeys(rates["planted"]))
    columns = -(-(len(problems) + 1) // 2)
    fig, axes = plt.subplots(2, columns, figsize=(6.9, 4.6), sharey=True, squeeze=False)
    shades = {"right": PALETTE["FD003"], "undecided": "#D0D0D0", "wrong": PALETTE["FD002"]}
    for ax, problem in zip(axes.flat, problems, strict=False):
        part = rates[rates["planted"] == problem]
        at, bottom = np.arange(len(part)), np.zeros(len(part))
        for verdict, colour in shades.items():
            share = 100 * part[verdict].to_numpy()
            ax.bar(at, share, bottom=bottom, color=colour, width=0.85, label=verdict)
            bottom += share
        ax.set(title=problem, xlabel="seeds")
        ax.set_xticks(at, part["seeds"])
        ax.grid(False)
    for ax in axes[:, 0]:
        ax.set_ylabel("% of problems")
    for ax in axes.flat[len(problems) :]:
        ax.axis("off")
    axes.flat[-1].legend(*axes.flat[0].get_legend_handles_labels(), loc="center")
    return fig


def _power(exponent: float) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    def power(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
        with np.errstate(divide="ignore"):  # an axis is first laid out from 0 to 1
            return np.asarray(value, dtype=float) ** exponent

    return power


# ---------------------------------------------------------------- chapter 8: adaptive combiners


def trajectories(rows: Any, balance: tuple[float, float]) -> Figure:
    """Effective odds of RUL against health by epoch, a panel a rival, a line a subset and unit.

    rows     table with columns rival, subset, rul_unit, epoch, odds
    balance  the band of odds, low and high, in which both tasks pull equally
    """
    rivals = list(dict.fromkeys(rows["rival"]))
    fig, axes = plt.subplots(
        2, -(-len(rivals) // 2), figsize=(9.6, 5.2), sharex=True, sharey=True, squeeze=False
    )
    for ax in axes.flat[len(rivals) :]:
        ax.axis("off")
    for ax, rival in zip(axes.flat, rivals, strict=False):
        ax.axhspan(*balance, color="#E4EFE4", linewidth=0)
        part = rows[rows["rival"] == rival]
        for (subset, unit), line in part.groupby(["subset", "rul_unit"]):
            style = "-" if unit == 1 else (0, (2, 1.5))
            ax.semilogy(line["epoch"], line["odds"], color=PALETTE[subset], linestyle=style, lw=1.4)
        ax.set_title(rival, fontsize=10)
    for ax in axes[1]:
        ax.set_xlabel("epoch")
    for ax in axes[:, 0]:
        ax.set_ylabel("effective odds")
    handles = [Line2D([], [], color=PALETTE[s], label=s) for s in sorted(set(rows["subset"]))]
    handles += [
        Line2D([], [], color=TOTAL_COLOUR, label="cycles²"),
        Line2D([], [], color=TOTAL_COLOUR, linestyle=(0, (2, 1.5)), label="(125 cycles)²"),
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=6, fontsize=10)
    return fig


def rivals(differences: Any, judged: Any, margin: float) -> Figure:
    """Every seed's difference from a reference, a panel a subset, a row a rival; ±`margin` shaded.

    differences  table over (rival, seed) with one column a subset (cycles)
    judged       table over (rival, subset) with columns mean, low, high (cycles), finding
    """
    names = list(dict.fromkeys(judged.index.get_level_values("rival")))
    subsets = list(differences.columns)
    fig, (axes,) = plt.subplots(
        1, len(subsets), figsize=(9.6, 0.42 * len(names) + 1.4), sharex=True, sharey=True,
        squeeze=False,
    )  # fmt: skip
    for ax, subset in zip(axes, subsets, strict=True):
        ax.axvspan(-margin, margin, color="#E4EFE4", linewidth=0)
        ax.axvline(0, color=MUTED, linewidth=1)
        for place, rival in enumerate(names):
            seeds = differences.loc[rival, subset]
            ax.plot(seeds, np.full(len(seeds), place + 0.2), ".", color=MUTED, ms=5, alpha=0.6)
            row = judged.loc[(rival, subset)]
            colour, marker, _ = FINDINGS[row["finding"]]
            ax.hlines(place, row["low"], row["high"], color=colour, linewidth=1.6)
            ax.plot(row["mean"], place, marker, color=colour, markersize=6, mfc="white", mew=1.6)
        ax.set(title=subset, xlabel="cycles of RMSE")
        ax.set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    handles = [
        Line2D([], [], color=c, marker=m, mfc="white", mew=1.6, label=text)
        for c, m, text in FINDINGS.values()
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=10)
    return fig
