"""What weights and scores themselves give away."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from amnl.weigh.decision import Decision, luck
from amnl.weigh.scale import Scale, three_digits

_MANY = 9  # weights; more, or closer ones than _CLOSE, call for a warning
_CLOSE = 0.1
_NEAR = 0.005  # share of the pull; a loss divided by three digits of a ratio is that near a half


def notes_on(
    decision: Decision,
    scores: Mapping[float, Sequence[float]],
    scale: Scale,
    untrained: float,
    higher_is_better: bool,
) -> list[str]:
    """Notes on a sweep; `scale` and the metric `untrained` are of a fresh model."""
    lams = sorted(scores)
    means = {lam: float(np.mean(scores[lam])) for lam in lams}
    best = (max if higher_is_better else min)(lams, key=lambda lam: means[lam])
    notes = []
    # Swapped losses and a metric read the wrong way round look like this.
    if not (means[best] > untrained if higher_is_better else means[best] < untrained):
        way = "larger" if higher_is_better else "smaller"
        notes.append(
            f"training did not improve the metric: {untrained:.4g} on a fresh model, at best "
            f"{means[best]:.4g} after it. Is {way} better (higher_is_better=), and is the primary "
            "loss the first?"
        )
    if decision.reference != 0.5:
        notes.append(f"0.5 was not tried; the reference is {decision.reference:g}, the nearest")
    ratio = scale.ratio or 1.0
    low, high = (lam * ratio / (lam * ratio + 1 - lam) for lam in (lams[0], lams[-1]))
    if scale.balanced_lam is not None and not low - _NEAR <= 0.5 <= high + _NEAR:
        notes.append(
            f"the weights tried, {lams[0]:g} to {lams[-1]:g}, are all on one side of the balance "
            f"(λ = {scale.balanced_lam:.3g}): they give the primary task {low:.3g} to {high:.3g} "
            "of the pull. Balance need not be best, but to try it divide the primary loss by "
            f"{three_digits(ratio)} and sweep again"
        )
    if decision.verdict == "better" and best in (lams[0], lams[-1]) and 0 < best < 1:
        notes.append(f"the best weight, {best:g}, is the last one tried; look beyond it")
    closest = min(b - a for a, b in itertools.pairwise(lams))
    if len(lams) > _MANY or closest < _CLOSE - 1e-9:
        what = f"finely tuned: {len(lams)} weights, the closest {closest:.3g} apart"
        notes.append(what + _luck_of(best, means, scores))
    return notes


def _luck_of(
    best: float, means: Mapping[float, float], scores: Mapping[float, Sequence[float]]
) -> str:
    """Pitfall 1: the more weights, the more of a winner's lead is luck. How much, is measured."""
    seeds, lams = len(scores[best]), list(means)
    if seeds < 2:
        return "; the best of them was picked for its luck, too"
    at = lams.index(best)
    neighbours = lams[max(at - 1, 0) : at] + lams[at + 1 : at + 2]
    near = min(neighbours, key=lambda lam: abs(means[lam] - means[best]))
    gap = np.subtract(scores[best], scores[near])
    error = float(np.std(gap, ddof=1)) / math.sqrt(seeds)
    return (
        f". Were all alike, the best would still beat their mean by {luck(scores):.2g}, by luck. "
        f"The best, {best:g}, is ahead of {near:g} by {abs(float(gap.mean())):.2g}, standard error "
        f"{error:.2g}"
    )
