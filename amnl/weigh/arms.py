"""The weightings that are tried: the reader's own, five shares of the pull, and losses left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from amnl.combine import FIVE
from amnl.weigh.pulls import Pulls

YOURS, BALANCED, ALONE = "yours", "balanced", "alone"


@dataclass(frozen=True)
class Arm:
    """A weighting: what the losses are multiplied by."""

    name: str
    weights: tuple[float, ...]  # the primary one first
    share: float  # of all pull before training, that of the primary loss
    length: float | None  # of the first whole gradient; None where pulls are not known


def without(name: str) -> str:
    """What the arm that leaves this loss out is called."""
    return f"without {name}"


def left_out(names: Sequence[str]) -> dict[str, str]:
    """Auxiliary loss → the arm that leaves it out; of two losses that is the primary one alone."""
    return {name: ALONE if len(names) == 2 else without(name) for name in names[1:]}


def arms_of(pulls: Pulls, yours: Sequence[float]) -> tuple[Arm, ...]:
    """Every weighting, first the reader's own.

    A share of s gives the primary loss s of the pull, and the others equal parts of the rest. Each
    weighting is scaled until its first gradient is as long as with the reader's own weights: where
    steps follow the gradient's length, none wins or loses by longer steps.

    Examples
    --------
    >>> pulls = Pulls(("mse", "ce"), (300.0, 3.0), ((1.0, 0.0), (0.0, 1.0)))
    >>> for arm in arms_of(pulls, (0.5, 0.5)):
    ...     print(arm.name, [round(w, 2) for w in arm.weights], round(arm.share, 2))
    yours [0.5, 0.5] 0.99
    share 0.3 [0.2, 45.96] 0.3
    share 0.4 [0.28, 41.6] 0.4
    balanced [0.35, 35.36] 0.5
    share 0.6 [0.42, 27.74] 0.6
    share 0.7 [0.46, 19.7] 0.7
    alone [0.5, 0.0] 1.0
    """
    own, length = tuple(map(float, yours)), pulls.length(yours)
    found = [Arm(YOURS, own, pulls.shares(own)[0], length)]
    for name, parts in _wanted(pulls.names).items():
        raw = [part / norm for part, norm in zip(parts, pulls.norms, strict=True)]
        scale = length / pulls.length(raw)
        weights = tuple(scale * w for w in raw)
        found.append(Arm(name, weights, pulls.shares(weights)[0], pulls.length(weights)))
    return _apart(found)


def unmeasured_arms(names: Sequence[str], yours: Sequence[float]) -> tuple[Arm, ...]:
    """The same where pulls are not known: shares of the weights, which sum to that of yours."""
    own, whole = tuple(map(float, yours)), sum(yours)
    found = [Arm(YOURS, own, own[0] / whole, None)]
    for name, parts in _wanted(names).items():
        weights = tuple(whole * part / sum(parts) for part in parts)
        found.append(Arm(name, weights, parts[0] / sum(parts), None))
    return _apart(found)


def present(arms: Sequence[Arm], name: str) -> str:
    """The arm of this name; your own, where that one is the same."""
    return name if any(arm.name == name for arm in arms) else YOURS


def _wanted(names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """By name, what part of the pull each loss has."""
    rest = len(names) - 1
    wanted = {
        BALANCED if share == 0.5 else f"share {share:g}": (share, *[(1 - share) / rest] * rest)
        for share in FIVE
    }
    wanted[ALONE] = (1.0, *[0.0] * rest)
    if rest > 1:
        for k, name in enumerate(names[1:], start=1):
            kept = list(wanted[BALANCED])
            kept[k] = 0.0
            wanted[without(name)] = tuple(kept)
    return wanted


def _apart(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """The first one, and those that are not the same."""
    own = arms[0].weights
    new = [arm for arm in arms[1:] if not all(map(_alike, arm.weights, own))]
    return (arms[0], *new)


def _alike(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6)
