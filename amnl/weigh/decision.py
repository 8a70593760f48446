"""The decision rule of the five-point sweep: from a few paired scores a weight, or "flat".

Why t and not the protocol's exact sign-flip test? With five seeds that test cannot reject: its
smallest two-sided p-value is 2/2⁵ = 0.0625. The price is an assumption, that differences between
seeds are roughly normal. `tools/measure/five_point_rates.py` measures what the rule does when they
are not. Differences without any spread, but for the rounding of float32, are judged by their sign
alone, as the exact test does it: two equal accuracies do not prove a weight.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr, stdtrit

from amnl.stats import ALPHA, holm

POWER = 0.8
MOST_SEEDS = 1000  # beyond that, nobody trains them
_NO_SPREAD = 1e-6  # of the largest score: its rounding in float32, not luck

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One weight against the reference, over paired seeds. Differences are in the metric's unit."""

    lam: float
    finding: str  # "same", "better", "worse", "not better" or "open"
    mean: float  # of metric(λ) − metric(reference)
    half: float  # the width of its 95 % t-interval, not widened for several comparisons
    p: float  # of "no difference", Holm-corrected over the other weights
    p_same: float  # of "the difference is not within ±margin"
    p_not_better: float  # of "λ is better by the margin or more"


@dataclass(frozen=True)
class Decision:
    """What paired scores say; as text, one line."""

    # "flat": every weight is the same as the reference; "keep": none is better by the margin;
    # "better": the recommended one beats the reference; else "undecided"
    verdict: str
    recommended: float  # the weight to take; the reference, unless another one is better
    reference: float  # 0.5, or of the weights tried the nearest to it
    margin: float
    seeds: int
    comparisons: tuple[Comparison, ...] = ()
    # When undecided: how many more would tell; None for one seed, and for more than 1000.
    more_seeds: int | None = None

    def __str__(self) -> str:
        ref, margin, seeds = f"{self.reference:g}", f"{self.margin:g}", f"{self.seeds} seeds"
        if self.verdict == "better":
            c = next(c for c in self.comparisons if c.lam == self.recommended)
            return (
                f"λ = {c.lam:g} is better than {ref} by {abs(c.mean):.2g} ± {c.half:.2g} "
                f"({seeds}, 95 % interval, p = {c.p:.2g}): take {c.lam:g}"
            )
        if self.verdict == "flat":
            return f"flat: all are within ±{margin} of {ref} ({seeds}): keep {ref}"
        if self.verdict == "keep":
            worse = ", ".join(f"{c.lam:g}" for c in self.comparisons if c.finding == "worse")
            also = f"; worse: {worse}" if worse else ""
            return f"keep {ref}: no other weight is better by {margin} ({seeds}){also}"
        if self.seeds == 1:
            return f"undecided: one seed cannot tell a weight from luck. Take five; till then {ref}"
        more = self.more_seeds
        need = f"about {more} more would tell" if more else f"not even {MOST_SEEDS} would tell"
        return f"undecided after {seeds}: {need}. Until then keep {ref}"


def reference_of(lams: Sequence[float]) -> float:
    """What the others are compared with: 0.5, else the nearest to it, the smaller on ties."""
    return min(sorted(lams), key=lambda lam: round(abs(lam - 0.5), 12))


def decide(
    scores: Mapping[float, Sequence[float]], margin: float, higher_is_better: bool = False
) -> Decision:
    """From paired scores the weight to take, or that it does not matter, or that more are wanted.

    Each weight is compared with the reference by its differences, seed by seed, in three tests of
    Student's t: *different*, two-sided, with Holm's correction over the weights; *the same*,
    within the margin, in two one-sided tests; *not better*, one-sided, by the margin or more.

    In this order: "flat" when every weight is the same as the reference; "keep" when none is better
    by `margin` or more (neither needs a correction: each claim needs all of its tests); "better"
    when some weight is, of those the one with the best mean; else "undecided". A gain that is shown
    to be smaller than the margin thus moves nobody. The gain of a winner is an overestimate, as it
    was picked for it.

    Parameters
    ----------
    scores
        The metric at each λ, one a seed, seeds in the same order throughout.
    margin
        The smallest difference worth having, in the metric's unit.

    Raises
    ------
    ValueError
        For scores that do not pair, are not finite, or are of fewer than two λ, and for a margin
        that is not positive.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal
    of Statistics 6(2), 65-70.

    Examples
    --------
    >>> scores = {0.3: [3.1, 3.0, 3.2], 0.5: [3.0, 3.1, 3.1], 0.7: [5.1, 4.9, 5.0]}
    >>> print(decide(scores, margin=0.5))
    keep 0.5: no other weight is better by 0.5 (3 seeds); worse: 0.7
    """
    margin = float(margin)  # of NumPy or PyTorch, too
    lams, table = _paired(scores, margin)
    reference, n = reference_of(lams), len(table)
    undecided = Decision("undecided", reference, reference, margin, n)
    if n == 1:
        return undecided
    tests = paired_tests(table, lams.index(reference), margin, higher_is_better)
    others = [lam for lam in lams if lam != reference]
    comparisons = tuple(
        Comparison(lam, word, *row)
        for lam, word, row in zip(others, tests.finding, tests.numbers, strict=True)
    )
    verdict, best, more = tests.verdict()
    recommended = reference if best is None else others[best]
    return replace(
        undecided,
        verdict=verdict,
        recommended=recommended,
        comparisons=comparisons,
        more_seeds=more,
    )


@dataclass(frozen=True)
class PairedTests:
    """The three tests of each column against a reference column, and the verdict on all of them."""

    finding: list[str]  # a word a column, as in `Comparison`
    numbers: list[list[float]]  # a row a column: mean, half, p, p_same, p_not_better
    loss: Array  # (seeds, columns), positive: worse than the reference
    margin: float
    rounding: float  # differences that spread by less have no spread

    def verdict(self) -> tuple[str, int | None, int | None]:
        """The verdict, the column that is better, and how many more seeds an "undecided" wants."""
        if set(self.finding) == {"same"}:
            return "flat", None, None
        if all(p_not_better < ALPHA for *_, p_not_better in self.numbers):
            return "keep", None, None
        better = [k for k, word in enumerate(self.finding) if word == "better"]
        if better:
            gain = -self.loss.mean(axis=0)
            return "better", max(better, key=lambda k: gain[k]), None
        return "undecided", None, more_seeds(self.loss, self.margin, self.rounding)


def paired_tests(
    table: Array, at: int, margin: float, higher_is_better: bool, *, failed: int = 0
) -> PairedTests:
    """Compare the columns of a table, (seeds, columns), with column `at`; see `decide`.

    `failed` counts columns that were tried and have no scores: Holm's correction counts them too.
    """
    n = len(table)
    d = np.delete(table, at, axis=1) - table[:, [at]]
    loss = -d if higher_is_better else d  # positive: worse than the reference
    rounding = _NO_SPREAD * float(np.abs(table).max())
    above, below = _p_above(loss, 0.0, rounding), _p_above(-loss, 0.0, rounding)
    raw = np.minimum(1.0, 2 * np.minimum(above, below))
    p = holm(np.append(raw, np.ones(failed)))[: len(raw)]
    not_better = _p_above(loss, -margin, rounding)
    same = np.maximum(not_better, _p_above(-loss, -margin, rounding))
    mean, half = d.mean(axis=0), stdtrit(n - 1, 0.975) * d.std(axis=0, ddof=1) / math.sqrt(n)
    different, gain = p < ALPHA, -loss.mean(axis=0)
    finding = np.select(
        [same < ALPHA, different & (gain > 0), different & (gain < 0), not_better < ALPHA],
        ["same", "better", "worse", "not better"],
        "open",
    ).tolist()
    numbers = np.column_stack([mean, half, p, same, not_better]).tolist()
    return PairedTests(finding, numbers, loss, margin, rounding)


def more_seeds(loss: Array, margin: float, rounding: float = 0.0) -> int | None:
    """About how many more seeds would end an "undecided"; None when that is more than 1000.

    `loss`, shape (seeds, m): differences from the reference, positive is worse. Takes their means
    and their pooled spread for the truth and asks at which number of seeds one weight is found
    better, or all are found not better, with a probability of 80 % (noncentral t; Bonferroni over
    the m weights for the first, and for the probability of all in the second). Two or three seeds
    know their spread badly, so take it as an order of magnitude. Weights whose differences spread
    by no more than `rounding` are judged by their sign, so for them it is counted, not estimated.
    """
    from scipy.stats import nct  # a second; scipy.special.nctdtr is NaN at some of these arguments

    n, m = loss.shape
    flat, mean = _flat(loss, rounding), loss.mean(axis=0)
    spread = math.sqrt(float(loss[:, ~flat].var(axis=0, ddof=1).mean())) if not flat.all() else 1.0
    counts = np.unique(np.geomspace(n + 1, MOST_SEEDS, 60).astype(int))
    step = mean[:, None] * np.sqrt(counts) / spread
    room = step + margin * np.sqrt(counts) / spread
    better = nct.sf(stdtrit(counts - 1, 1 - ALPHA / (2 * m)), counts - 1, -step)
    not_better = nct.sf(stdtrit(counts - 1, 1 - ALPHA), counts - 1, room)
    sign = 0.5**counts
    better[flat] = (mean[flat, None] < 0) & (2 * m * sign < ALPHA)
    not_better[flat] = (mean[flat, None] + margin > 0) & (sign < ALPHA)
    enough = (better >= POWER).any(axis=0) | (not_better >= 1 - (1 - POWER) / m).all(axis=0)
    return int(counts[enough][0]) - n if enough.any() else None


def luck(scores: Mapping[float, Sequence[float]]) -> float:
    """By how much the best of these weights would beat their mean, were they all alike; NaN for one
    seed. The noise is what remains of the scores without the means of seeds and of weights.
    """
    table = np.array(list(scores.values()), dtype=float).T
    n, k = table.shape
    if n < 2:
        return math.nan
    rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    noise = math.sqrt(float((rest**2).sum()) / ((n - 1) * (k - 1)) / n)
    z = np.linspace(-8, 8, 4001)
    density = k * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * ndtr(z) ** (k - 1)
    return noise * float(np.trapezoid(z * density, z))


def _paired(scores: Mapping[float, Sequence[float]], margin: float) -> tuple[list[float], Array]:
    """The weights, and their scores as (seeds, weights)."""
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin must be positive and finite, got {margin}")
    lams = list(scores)
    if len(lams) < 2:
        raise ValueError(f"at least two λ are wanted, got {lams}")
    n = len(scores[lams[0]])
    for lam, values in scores.items():
        if n < 1 or len(values) != n or not np.isfinite(values).all():
            raise ValueError(f"λ = {lam}: {max(n, 1)} finite scores wanted, got {list(values)}")
    return lams, np.array([scores[lam] for lam in lams], dtype=float).T


def _flat(d: Array, rounding: float) -> NDArray[np.bool_]:
    """Of each column, whether its differences are one number, but for `rounding`."""
    return np.asarray(np.ptp(d, axis=0) <= rounding)


def _p_above(d: Array, bound: float, rounding: float) -> Array:
    """One-sided p-values, shape (m,), of "the mean of d[:, k] is not above `bound`"."""
    n = len(d)
    excess = d.mean(axis=0) - bound
    spread = d.std(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = stdtr(n - 1, -excess * math.sqrt(n) / spread)
    return np.where(_flat(d, rounding), np.where(excess > 0, 0.5**n, 1.0), p)
