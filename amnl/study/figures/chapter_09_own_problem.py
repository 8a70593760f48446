"""Chapter 9: a problem of one's own."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from amnl.study.figures.style import MUTED, PALETTE, RUL_COLOUR, Numbers, panels


def five_point(
    lams: Numbers, differences: Numbers, half: Numbers, reference: float, margin: float, better: str
) -> Figure:
    """A reader's own sweep: metric minus metric at the reference, a grey line a seed.

    Parameters
    ----------
    lams, differences
        The (n,) weights and the (n, seeds) differences.
    half
        (n,) half widths of 95 % intervals of the means, 0 for none.
    reference
        The weight that the others are compared with.
    margin
        Half the width of the band.
    better
        On which side of zero the metric is better: "above" or "below".
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


def verdict_rates(rates: pd.DataFrame) -> Figure:
    """Shares of right, undecided and wrong verdicts by number of seeds, a panel a planted problem.

    `rates` has the columns `planted`, `seeds`, `right`, `undecided`, `wrong`; shares in [0, 1].
    """
    problems = list(dict.fromkeys(rates["planted"]))
    shape = 2, -(-(len(problems) + 1) // 2)  # the last one is the legend's
    fig, axes = panels(shape, (6.9, 4.6), len(problems), ylabel="% of problems", sharey=True)
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
    axes.flat[-1].legend(*axes.flat[0].get_legend_handles_labels(), loc="center")
    return fig
