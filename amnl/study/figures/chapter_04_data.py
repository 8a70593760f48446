"""Chapter 4: the data as pictures."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from amnl.study.figures.style import (
    MUTED,
    PALETTE,
    RUL_COLOUR,
    TOTAL_COLOUR,
    Numbers,
    columns,
    is_narrow,
    panels,
)

STATE_COLOURS = {"healthy": "#A9CCE3", "degrading": "#E3A857", "critical": "#9C2A1A"}


def _condition_colours(n: int) -> Numbers:
    # Viridis less its palest end, which would vanish on white.
    return np.asarray(plt.get_cmap("viridis")(np.linspace(0, 0.88, n)))


def sensor_life(cycle: npt.ArrayLike, sensors: Mapping[str, Numbers]) -> Figure:
    """Each sensor of one engine over its cycles: dots, and their running mean over 15 cycles, or
    over all of a shorter life."""
    x = np.asarray(cycle)
    width = min(15, len(x))
    rows = -(-len(sensors) // 2)
    fig, axes = panels((rows, 2), (6.4, 2.1 * rows), len(sensors), xlabel="cycle")
    for ax, (label, values) in zip(axes.flat, sensors.items(), strict=False):
        ax.plot(x, values, ".", markersize=3, color=MUTED, alpha=0.6)
        mean = np.convolve(values, np.ones(width) / width, mode="valid")
        ax.plot(x[width // 2 :][: len(mean)], mean, color=PALETTE["FD001"])
        ax.set_title(label, fontsize=10)
        ax.ticklabel_format(axis="y", useOffset=False)
        if np.ptp(values) == 0:
            ax.set_ylim(values[0] - 1, values[0] + 1)
    return fig


def flight_conditions(settings: Numbers, share: Numbers) -> Figure:
    """Six operating conditions, each a dot at (Mach, altitude) with an area for its share.

    Parameters
    ----------
    settings
        (6, 3) altitude in thousands of feet, Mach number, throttle angle in degrees.
    share
        (6,) share of the rows.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.8))
    ax.set_axisbelow(True)
    altitudes, machs, _ = settings.T
    ax.scatter(machs, altitudes, s=3000 * share, color=_condition_colours(len(settings)))
    of_rows = "" if is_narrow() else " of rows"
    for (altitude, mach, throttle), part in zip(settings, share, strict=True):
        left = mach > 0.5
        ax.annotate(
            f"{100 * part:.0f} %{of_rows}, throttle {throttle:.0f}", (mach, altitude), va="center",
            xytext=(-21 if left else 21, 0), textcoords="offset points",
            ha="right" if left else "left",
        )  # fmt: skip
    ax.set(xlabel="Mach number", ylabel="altitude (1000 ft)", xlim=(-0.07, 0.95), ylim=(-5, 49))
    return fig


def before_and_after(
    cycle: Numbers,
    raw: Numbers,
    normalised: Numbers,
    condition: Numbers,
    altitudes: Numbers,
    unit: str,
) -> Figure:
    """One sensor of one engine, raw and normalised per condition; colours are conditions.

    `condition` has the index of each cycle's, and `altitudes` theirs (thousands of feet).
    """
    fig, ((above,), (below,)) = panels((2, 1), (6.4, 5.6), xlabel="cycle", sharex=True)
    above.plot(cycle, raw, color=MUTED, linewidth=0.3, alpha=0.6)
    for k, (altitude, colour) in enumerate(
        zip(altitudes, _condition_colours(len(altitudes)), strict=True)
    ):
        here = condition == k
        above.plot(cycle[here], raw[here], "o", ms=3.5, mew=0, color=colour, label=f"{altitude:g}")
        below.plot(cycle[here], normalised[here], "o", ms=3.5, mew=0, color=colour)
    above.set(title="as measured", ylabel=unit)
    below.set(title="normalised within its condition", ylabel="standard deviations")
    fig.legend(
        title="altitude (1000 ft)", loc="outside upper left", ncols=columns(6, 3), markerscale=2
    )
    return fig


def end_of_life(values: Mapping[str, Numbers], xlabel: str) -> Figure:
    """A histogram for each subset, one under another: a number each engine ends its life with."""
    fig, axes = panels((len(values), 1), (6.4, 4.4), None, xlabel, "engines", sharex=True)
    span = np.concatenate(list(values.values()))
    bins = np.linspace(span.min(), span.max(), 41)
    for ax, (subset, each) in zip(axes.flat, values.items(), strict=True):
        ax.set_axisbelow(True)
        ax.hist(each, bins, color=PALETTE[subset])
        ax.axvline(0, color=TOTAL_COLOUR, linewidth=1)
        ax.set(title=subset)
    return fig


def windows_over_rows(
    last: Numbers, offsets: Numbers, colours: Sequence[str], length: int
) -> Figure:
    """Every window as a bar over the rows of the array that it covers; engines as bands.

    Parameters
    ----------
    last
        (n,) row of each window's last cycle.
    offsets
        (engines + 1,) first row of each engine, and the end.
    colours
        One for each engine.
    length
        Rows of a window.
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
    cycle: Numbers, true: Numbers, capped: Numbers, weight: Numbers, edges: tuple[float, float]
) -> Figure:
    """True and capped remaining life over an engine's cycles, and the weight of each sample below.

    `edges` are the remaining lives at which an engine stops to be healthy, and starts to be
    critical (cycles).
    """
    fig, ((lives,), (weights,)) = panels(
        (2, 1), (6.4, 5.2), xlabel="cycle", sharex=True,
        height_ratios=None if is_narrow() else (2, 1),
    )  # fmt: skip
    spans = ((edges[0], 200.0), (edges[1], edges[0]), (0.0, edges[1]))
    for (state, colour), (low, high) in zip(STATE_COLOURS.items(), spans, strict=True):
        inside = cycle[(capped > low) & (capped <= high)] if low else cycle[capped <= high]
        for ax in (lives, weights):
            ax.axvspan(inside.min() - 0.5, inside.max() + 0.5, color=colour, alpha=0.3, linewidth=0)
        x, ha = inside.mean(), "center"
        if is_narrow() and state != "healthy":  # these bands are narrower than their names
            late = state == "critical"
            x, ha = (inside.min() + 2, "left") if late else (inside.max() - 2, "right")
        lives.text(x, 1.06 * true.max(), state, ha=ha, fontsize=9.5 if is_narrow() else 10.5)
    lives.plot(cycle, true, "--", color=MUTED)
    lives.plot(cycle, capped, color=RUL_COLOUR)
    sixth = len(cycle) // 6
    lives.text(cycle[sixth] + 3, true[sixth] + 3, "true", color="#666666")
    lives.text(cycle[2], capped[2] - 3, "the label", color=RUL_COLOUR, va="top")
    lives.set(ylabel="remaining life (cycles)", ylim=(0, 1.15 * true.max()))
    weights.plot(cycle, weight, color=TOTAL_COLOUR)
    weights.set(ylabel="weight in\nthe RUL loss", ylim=(0.9, 2.1))
    return fig


def class_shares(shares: Mapping[str, Numbers]) -> Figure:
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
    fig.legend(loc="outside upper left", ncols=3, columnspacing=1)
    return fig


def cut_lives(seen: Numbers, left: Numbers, window: int) -> Figure:
    """Test engines from short to long: the cycles that were seen, and those that remain."""
    order = np.argsort(seen)
    seen, left, x = seen[order], left[order], np.arange(len(seen))
    fig, ax = plt.subplots(figsize=(6.4, 3.8))
    ax.fill_between(x, seen, step="mid", linewidth=0, color=PALETTE["FD002"], label="seen")
    ax.fill_between(
        x, seen, seen + left, step="mid", linewidth=0, color=MUTED, alpha=0.45,
        label="remains, to be predicted",
    )  # fmt: skip
    ax.axhline(window, color=TOTAL_COLOUR, linewidth=1.2)
    ax.annotate(
        f"one window, {window} cycles", (0.985 * len(x), window), color="white",
        xytext=(0, 3), textcoords="offset points", ha="right",
    )  # fmt: skip
    ax.set(xlabel="test engines, by the length seen", ylabel="cycles", xlim=(-0.5, len(x) - 0.5))
    fig.legend(loc="outside upper left", ncols=columns(2))
    ax.grid(visible=False)
    return fig


def label_distributions(val: Mapping[str, Numbers], test: Mapping[str, Numbers]) -> Figure:
    """Share of labels in bins of 12.5 cycles: bars for the test engines, a line for validation."""
    fig, axes = panels(
        (2, 2), (6.4, 5.0), len(val), "label (cycles)", "share", sharex=True, sharey=True
    )
    bins = np.linspace(0, 125, 11)
    for ax, subset in zip(axes.flat, val, strict=False):
        ax.set_axisbelow(True)
        in_test, in_val = (np.histogram(s[subset], bins)[0] / len(s[subset]) for s in (test, val))
        ax.bar(bins[:-1], in_test, 12.5, align="edge", color=PALETTE[subset], alpha=0.7)
        ax.stairs(in_val, bins, color=TOTAL_COLOUR, linewidth=1.8)
        ax.set_title(subset)
    return fig
