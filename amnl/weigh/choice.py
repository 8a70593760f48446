"""Which weighting to take, and what each auxiliary loss does: the tests of `decision`, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amnl.minus import minus_signs
from amnl.weigh.decision import MOST_SEEDS, PairedTests, more_seeds, paired_tests
from amnl.weigh.problem import ProblemError

Scores = Mapping[str, Sequence[float | None]]  # by weighting, one a seed; None: it failed
_ANSWERS = {
    "same": "harmless",
    "better": "harms",  # without it the metric is better
    "worse": "helps",
    "not better": "harmless",
    "open": "undecided",
}


@dataclass(frozen=True)
class Compared:
    """One weighting against the reference, over paired seeds; the fields are `Comparison`'s."""

    name: str
    finding: str
    mean: float
    half: float
    p: float
    p_same: float
    p_not_better: float


@dataclass(frozen=True)
class Choice:
    """What paired scores say of several weightings."""

    verdict: str  # "flat", "keep", "better" or "undecided", as `decide` has them
    recommended: str
    reference: str
    margin: float
    seeds: int
    comparisons: tuple[Compared, ...] = ()
    failed: tuple[str, ...] = ()  # weightings with a seed that has no score; never recommended
    more_seeds: int | None = None

    def __str__(self) -> str:
        ref, margin, seeds = self.reference, f"{self.margin:g}", f"{self.seeds} seeds"
        failed = f"; failed: {', '.join(self.failed)}" * bool(self.failed)
        if self.verdict == "better":
            c = next(c for c in self.comparisons if c.name == self.recommended)
            return (
                f"take {c.name}: better than {ref} by {abs(c.mean):.2g} ± {c.half:.2g} ({seeds}, "
                f"95 % interval, p = {c.p:.2g}){failed}"
            )
        if self.verdict == "flat":
            return f"flat: all are within ±{margin} of {ref} ({seeds}): keep {ref}{failed}"
        if self.verdict == "keep":
            return f"keep {ref}: none is better by {margin} ({seeds}){failed}"
        if self.seeds == 1:
            return (
                "undecided: one seed cannot tell a weight from luck. Take five; till then keep "
                f"{ref}{failed}"
            )
        more = self.more_seeds
        need = f"about {more} more would tell" if more else f"not even {MOST_SEEDS} would tell"
        return f"undecided after {seeds}: {need}. Until then keep {ref}{failed}"


@dataclass(frozen=True)
class Answer:
    """What an auxiliary loss does to the metric, by leaving it out of the balanced weighting."""

    name: str
    answer: str  # "helps", "harmless", "harms" or "undecided"
    mean: float | None  # of metric(without it) − metric(with it); None where one of them failed
    half: float | None  # the width of its 95 % t-interval; None for one seed
    more_seeds: int | None = None  # when undecided: how many more would tell, if under 1000

    def __str__(self) -> str:
        if self.mean is None:
            return f"{self.name}: undecided, as a training with it or without it failed"
        known = "" if self.half is None else f" ± {self.half:.2g}"
        found = f"without it the metric moves by {minus_signs(f'{self.mean:+.2g}')}{known}"
        if self.answer != "undecided":
            return f"{self.name}: {self.answer}; {found}"
        wanted = f"about {self.more_seeds} more seeds would tell" if self.more_seeds else ""
        if not wanted and self.half is not None:
            wanted = f"not even {MOST_SEEDS} seeds would tell"
        return f"{self.name}: undecided, {wanted or 'one seed cannot tell'}; {found}"


def choose(scores: Scores, reference: str, margin: float, higher_is_better: bool = False) -> Choice:
    """Which of several weightings to take: the rule of `decide`, against a reference of one's own.

    A weighting with a failed seed is compared with nothing and never recommended; Holm's correction
    counts it, so the others' findings are not made easier by its failure. Where the reference
    failed, the first that did not takes its place.

    Raises
    ------
    ProblemError
        Where fewer than two weightings have all their scores.

    Examples
    --------
    >>> scores = {"yours": [3.1, 3.0, 3.2], "alone": [1, 1.1, 1], "balanced": [3.0, None, 3.1]}
    >>> found = choose(scores, "yours", margin=0.5)
    >>> found.verdict, found.recommended, found.failed
    ('better', 'alone', ('balanced',))
    """
    failed = tuple(name for name, values in scores.items() if None in values)
    names = [name for name in scores if name not in failed]
    if len(names) < 2:
        raise ProblemError(
            f"trainings fail at {', '.join(failed)}, so that there is nothing to compare; a "
            "smaller lr usually helps"
        )
    reference = reference if reference in names else names[0]
    table = np.array([scores[name] for name in names], dtype=float).T
    n = len(table)
    if n == 1:
        return Choice("undecided", reference, reference, margin, n, failed=failed)
    tests = paired_tests(
        table, names.index(reference), margin, higher_is_better, failed=len(failed)
    )
    others = [name for name in names if name != reference]
    verdict, best, more = tests.verdict()
    compared = tuple(
        Compared(name, word, *row)
        for name, word, row in zip(others, tests.finding, tests.numbers, strict=True)
    )
    recommended = reference if best is None else others[best]
    return Choice(verdict, recommended, reference, margin, n, compared, failed, more)


def answers(
    scores: Scores,
    whole: str,
    left_out: Mapping[str, str],
    margin: float,
    higher_is_better: bool = False,
) -> tuple[Answer, ...]:
    """What each auxiliary loss does; `left_out` maps it to the weighting `whole` without it.

    *harms*: without it the metric is better (Holm's correction over the losses), and not shown to
    be the same; *helps*: worse; *harmless*: the same within the margin, or shown not to be better
    by the margin without it; else *undecided*.

    Examples
    --------
    >>> errors = {"all": [3.0, 3.1, 2.9, 3.2, 3.0, 3.1], "less": [2.0, 2.2, 1.9, 2.1, 2.1, 2.0]}
    >>> (found,) = answers(errors, "all", {"b": "less"}, margin=0.5)
    >>> str(found.answer)
    'harms'
    """
    kept = {name: arm for name, arm in left_out.items() if None not in scores[arm]}
    if None in scores[whole]:
        kept = {}
    found = {name: Answer(name, "undecided", None, None) for name in left_out}
    if kept:
        table = np.array([scores[whole], *(scores[arm] for arm in kept.values())], dtype=float).T
        for k, name in enumerate(kept):
            if len(table) == 1:
                mean = float(table[0, k + 1] - table[0, 0])
                found[name] = Answer(name, "undecided", mean, None)
        if len(table) > 1:
            missing = len(left_out) - len(kept)
            tests = paired_tests(table, 0, margin, higher_is_better, failed=missing)
            found |= {name: _answer(name, tests, k, margin) for k, name in enumerate(kept)}
    return tuple(found.values())


def _answer(name: str, tests: PairedTests, k: int, margin: float) -> Answer:
    answer, (mean, half, *_) = _ANSWERS[tests.finding[k]], tests.numbers[k]
    more = None
    if answer == "undecided":
        more = more_seeds(tests.loss[:, [k]], margin, tests.rounding)
    return Answer(name, answer, mean, half, more)
