"""The figure of a comparison. Matplotlib is loaded when it is drawn."""

from typing import TYPE_CHECKING, Any

import numpy as np

from amnl.compare.table import shown
from amnl.palette import MUTED, PALETTE, RUL_COLOUR, STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from amnl.compare.result import Compared

_ACROSS = 4  # panels side by side


def intervals_by_group(found: "Compared") -> "Figure":
    """A panel a group, a line a comparison: a mark a seed, the mean, its interval, the margin."""
    import matplotlib.pyplot as plt

    panels = dict(tuple(found.comparisons.groupby("group", sort=False)))
    across = min(_ACROSS, len(panels))
    down = -(-len(panels) // across)
    lines = max(len(part) for part in panels.values())
    labels = [_label(found, row) for row in found.comparisons.itertuples(index=False)]
    room = min(0.09 * max(map(len, labels)), 4.0)
    size = ((room + 2.6) * across + 0.6, (0.28 * lines + 1.1) * down)
    with plt.rc_context(STYLE):
        fig, axes = plt.subplots(down, across, figsize=size, squeeze=False, sharex=True)
        for ax in axes.flat[len(panels) :]:
            ax.remove()
        for ax, (of, part) in zip(axes.flat, panels.items(), strict=False):
            at = np.arange(len(part))[::-1]
            if found.margin is not None:
                ax.axvspan(
                    -found.margin, found.margin, color=PALETTE["FD003"], alpha=0.15, linewidth=0
                )
            ax.axvline(0, color=MUTED, linewidth=1)
            for y, row in zip(at, part.itertuples(index=False), strict=True):
                seeds = found.differences[of, row.method, row.against]
                ax.plot(seeds, [y] * len(seeds), "|", color=MUTED, markersize=6, alpha=0.7)
                ax.plot([row.low, row.high], [y, y], color=RUL_COLOUR)
                ax.plot([row.mean], [y], "o", color=RUL_COLOUR, markersize=5)
            ax.set_yticks(at, [_label(found, row) for row in part.itertuples(index=False)])
            ax.locator_params(axis="x", nbins=5)
            ax.set(title=_as_it_is(shown(of)) if found.group else "", ylim=(-0.7, len(part) - 0.3))
            ax.grid(axis="y", visible=False)
        side = "left" if found.better == "lower" else "right"
        what, first = "the first less the second", "the first"
        if found.reference is not None:
            what, first = f"less that of {shown(found.reference)}", "it"
        label = f"{found.score}, {what}\n({side} of 0: {first} is better)"
        fig.supxlabel(_as_it_is(label), fontsize=11)
    return fig


def _label(found: "Compared", row: Any) -> str:
    if found.reference is not None:
        return _as_it_is(shown(row.method))
    return _as_it_is(f"{shown(row.method)} − {shown(row.against)}")


def _as_it_is(name: str) -> str:
    """Text that Matplotlib takes for no formula."""
    return name.replace("$", r"\$")
