"""How far to believe a five-point sweep."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from amnl.study.figures.style import PALETTE, columns, is_narrow, panels


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
    named = axes.flat[0].get_legend_handles_labels()
    if is_narrow():  # no panel is left for it
        fig.legend(*named, loc="outside upper left", ncols=columns(3, 3))
    else:
        axes.flat[-1].legend(*named, loc="center")
    return fig
