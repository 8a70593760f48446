"""What weightings and scores themselves give away: an edge, a lost balance, a score that peeks."""

from collections.abc import Mapping, Sequence

import numpy as np

from amnl.weigh.arms import ALONE, BALANCED, YOURS, Arm, present
from amnl.weigh.choice import Choice, Scores

_PROPORTIONAL = 0.999  # of the variance between weightings that the weights explain


def notes_on_choice(
    arms: Sequence[Arm],
    choice: Choice,
    scores: Scores,
    untrained: float | None,
    larger: bool,
) -> list[str]:
    """What the weightings and scores themselves give away; `larger` says that larger is better."""
    kept = {arm.name: arm.share for arm in arms if None not in scores[arm.name]}
    means = {name: float(np.mean(np.array(scores[name], dtype=float))) for name in kept}
    top = (max if larger else min)(means.values())
    notes, balanced = [], present(arms, BALANCED)
    if untrained is not None and not (top > untrained if larger else top < untrained):
        notes.append(
            f"training did not improve the metric: {untrained:.4g} on a fresh model, at best "
            f"{top:.4g} after it. Is {'larger' if larger else 'smaller'} better "
            "(higher_is_better=), and is the primary loss the first?"
        )
    if choice.reference != YOURS:
        notes.append(
            "your weighting failed in a training, so the others are compared with "
            f"{choice.reference}"
        )
    won = choice.recommended if choice.verdict == "better" else ""
    swept = {name: share for name, share in kept.items() if not name.startswith("without ")}
    if won in swept and swept[won] in (min(swept.values()), max(swept.values())):
        notes.append(_edge_note(won, swept))
    if choice.verdict == "better" and choice.recommended != balanced and balanced in means:
        notes.append(
            f"the balance point lost: {means[balanced]:.4g} there, {means[choice.recommended]:.4g} "
            f"at {choice.recommended}. Equal pull is the unit of this sweep, never a recommendation"
        )
    lengths = [arm.length for arm in arms if arm.length is not None]
    if lengths and max(lengths) > 1.05 * min(lengths):
        notes.append(
            f"first steps are not alike, {min(lengths):.3g} to {max(lengths):.3g}: gradients "
            "nearly cancel at some weighting, and a longer step may be what wins there"
        )
    return notes


def notes_on_score(arms: Sequence[Arm], scores: Scores) -> list[str]:
    """A note on a score that seems to know the weights, as a reader's own loop may let it."""
    if not _proportional(arms, scores):
        return []
    return [
        "the scores follow the weights almost exactly, in every seed: is the score the weighted "
        "loss? Score with something that does not know the weights"
    ]


def _edge_note(won: str, swept: Mapping[str, float]) -> str:
    edge = f"the best weighting, {won}, lies on the edge of the sweep"
    if won != ALONE:
        return f"{edge}: the best may lie beyond"
    near = max(swept.keys() - {ALONE}, key=lambda name: swept[name])
    return (
        f"{edge}, where only the primary loss weighs: the best may lie beyond {near}, between its "
        f"share of {swept[near]:.3g} and 1"
    )


def _proportional(arms: Sequence[Arm], scores: Scores) -> bool:
    """Whether in each seed the score is a sum of the weights, each times a number of its own."""
    kept = [arm for arm in arms if None not in scores[arm.name]]
    weights = np.array([arm.weights for arm in kept])
    table = np.array([scores[arm.name] for arm in kept], dtype=float)
    if len(kept) < weights.shape[1] + 3 or (np.ptp(table, axis=0) == 0).any():
        return False
    fitted = weights @ np.linalg.lstsq(weights, table, rcond=None)[0]
    rest = ((table - fitted) ** 2).sum(axis=0)
    whole = ((table - table.mean(axis=0)) ** 2).sum(axis=0)
    return bool((rest < (1 - _PROPORTIONAL) * whole).all())
