"""The figure of a sweep. Matplotlib is loaded when it is drawn."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from amnl.palette import MUTED, PALETTE, RUL_COLOUR, STYLE
from amnl.weigh.decision import Decision

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def paired_differences(
    scores: Mapping[float, Sequence[float]], decision: Decision, higher_is_better: bool
) -> "Figure":
    """The metric minus the metric at the reference, against λ: a grey line a seed, and their mean.

    Bars are the 95 % intervals of the means, and the band is the margin.
    """
    import matplotlib.pyplot as plt

    lams, better = sorted(scores), "above" if higher_is_better else "below"
    differences = np.subtract([scores[lam] for lam in lams], scores[decision.reference])
    half = {c.lam: c.half for c in decision.comparisons}
    with plt.rc_context(STYLE):
        fig, ax = plt.subplots(figsize=(6.4, 3.6))
        ax.axhspan(
            -decision.margin, decision.margin, color=PALETTE["FD003"], alpha=0.15, linewidth=0,
            label="margin",
        )  # fmt: skip
        ax.axhline(0, color=MUTED, linewidth=1)
        ax.plot(lams, differences, color=MUTED, linewidth=0.8, alpha=0.6)
        ax.errorbar(
            lams, differences.mean(axis=1), yerr=[half.get(lam, 0.0) for lam in lams], fmt="o-",
            color=RUL_COLOUR, capsize=3, label="mean, 95 % interval",
        )  # fmt: skip
        ax.set(xlabel="λ, the weight of the primary loss", xticks=lams)
        ax.set(ylabel=f"metric − metric at {decision.reference:g}\n({better} 0: better)")
        ax.legend(fontsize=10)
    return fig
