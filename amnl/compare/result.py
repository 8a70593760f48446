"""What a comparison found: as text, HTML, JSON, a table and a figure."""

import html
import itertools
import json
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from amnl.compare.figure import intervals_by_group
from amnl.compare.judging import Better, judge
from amnl.compare.table import (
    Name,
    Scores,
    find_name,
    listed,
    pairs_of,
    read_table,
    scores_of,
    shown,
)
from amnl.minus import minus_signs
from amnl.stats import ALPHA, DRAWN, MOST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNTESTABLE = "not testable"
_WIDTH = 88  # what fits a page of a book
_NO_SPREAD = 1e-9  # of the largest difference: a rounding, not luck
_PLAIN = 1e-4, 1e4  # differences of that size are tested as they are
_JUDGED = ["mean", "low", "high", "p", "p_holm", "p_equivalent_holm", "finding", "smallest"]
LIMITS = (
    "this cannot show what other data would say, as all seeds share yours; and which seeds, "
    "methods and margin are compared must have been settled before the scores were seen"
)


@dataclass(frozen=True, repr=False)
class Compared:
    """What a comparison found. Prints as text, shows as HTML in a notebook."""

    by: str
    score: str
    seed: str
    group: str  # empty without one
    margin: float | None
    better: Better
    reference: Name | None
    scores: dict[Name, Scores]  # group → method → seed → score, NaN where it is missing
    comparisons: pd.DataFrame  # see `table`
    differences: dict[tuple[Name, Name, Name], list[float]]  # (group, method, against), by seed

    def table(self) -> pd.DataFrame:
        """One row a comparison.

        Columns: the group, `method` and `against`; `n` pairs of seeds and the `lost` seeds; what
        `judge` finds about method − against; and `tests`, how many Holm corrected together.
        """
        return self.comparisons.copy()

    def means(self) -> pd.DataFrame:
        """One row a group and method: `n` scores, their `mean` and `sd`."""
        rows = []
        for of, scores in self.scores.items():
            for method, by_seed in scores.items():
                values = np.array([v for v in by_seed.values() if not math.isnan(v)])
                mean = float(values.mean()) if len(values) else math.nan
                sd = float(values.std(ddof=1)) if len(values) > 1 else math.nan
                rows.append((of, method, len(values), mean, sd))
        return pd.DataFrame(rows, columns=["group", "method", "n", "mean", "sd"])

    @property
    def best(self) -> dict[Name, Name]:
        """Group → the method with the best mean score, the first on ties."""
        sign = 1 if self.better == "lower" else -1
        found = self.means().dropna(subset=["mean"])
        return {of: part.method[(sign * part["mean"]).idxmin()] for of, part in found.groupby(
            "group", sort=False
        )}  # fmt: skip

    def figure(self) -> "Figure":
        """Mean differences with their 95 % intervals and a mark a seed, a panel a group."""
        return intervals_by_group(self)

    def to_json(self) -> str:
        """One JSON object: settings, means and comparisons; what is not finite is null."""
        found = {
            "by": self.by, "score": self.score, "seed": self.seed, "group": self.group,
            "better": self.better, "margin": self.margin, "reference": self.reference,
            "alpha": ALPHA, "best": [{"group": g, "method": m} for g, m in self.best.items()],
            "means": _records(self.means()), "comparisons": _records(self.comparisons),
        }  # fmt: skip
        return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        above = [("compared", self._compared()), *(("found", line) for line in self._found())]
        below = [("legend", self._legend()), *(("note", n) for n in self._notes())]
        opening, closing = (
            "\n".join(_filled(*line) for line in lines)
            for lines in (above, [*below, ("limits", LIMITS)])
        )
        return f"{opening}\n\n{_aligned(self._cells())}\n\n{closing}"

    __repr__ = __str__  # at a prompt, the finding and not the fields

    def _repr_html_(self) -> str:
        head, *body = self._cells()
        drawn = pd.DataFrame(body, columns=head).to_html(index=False, border=0)
        texts = [self._compared(), *(f"Found: {line}" for line in self._found())]
        above = "".join(f"<p>{html.escape(text)}.</p>" for text in texts)
        notes = (f"<li>{html.escape(n)}.</li>" for n in (self._legend(), *self._notes(), LIMITS))
        return f"{above}{drawn}<ul>{''.join(notes)}</ul>"

    def _compared(self) -> str:
        within = f" within {self.group}" if self.group else ""
        direction = "smaller" if self.better == "lower" else "larger"
        against = "" if self.reference is None else f", against {shown(self.reference)}"
        paired = f"{self.score} by {self.by}, paired by {self.seed}{within}{against}"
        return f"{paired}; {direction} is better"

    def _found(self) -> list[str]:
        """A line a group: the best mean, and how many comparisons ended how."""
        lines = []
        for of, part in self.comparisons.groupby("group", sort=False):
            ended = []
            for finding, some in part.groupby("finding", sort=False):
                pairs = zip(some.method, some.against, strict=True)
                words = listed(
                    (shown(m) if self.reference is not None else f"{shown(m)} to {shown(a)}")
                    for m, a in pairs
                )
                ended.append(f"{len(some)} {finding} ({words})")
            best = f"; best mean: {shown(self.best[of])}" if of in self.best else ""
            where = f"{shown(of)}: " if self.group else ""
            lines.append(f"{where}{', '.join(ended)}{best}")
        return lines

    def _cells(self) -> list[list[str]]:
        """A header and a row a comparison, as text."""
        head = ["difference", "n", "mean", "95 %", "p", "shown from", "finding"]
        lines = [[self.group, *head] if self.group else head]
        for row in self.comparisons.itertuples(index=False):
            numbers = [""] * 4
            if row.finding != UNTESTABLE:
                ends = minus_signs(f"[{row.low:+.3g}, {row.high:+.3g}]")
                least = "never" if math.isinf(row.smallest) else f"{row.smallest:.2g}"
                least = "0" if row.no_spread and least != "never" else least
                numbers = [minus_signs(f"{row.mean:+.3g}"), ends, f"{row.p_holm:.2g}", least]
            finding = row.finding
            if finding in ("better", "worse") and row.p_equivalent_holm < ALPHA:
                finding += f", yet within ±{self.margin:g}"
            if row.no_spread:
                finding += ", no spread"
            cells = [f"{shown(row.method)} − {shown(row.against)}", str(row.n), *numbers, finding]
            lines.append([shown(row.group), *cells] if self.group else cells)
        return lines

    def _legend(self) -> str:
        side = "above" if self.better == "lower" else "below"
        same = "no margin is named, so equivalence is not asked for"
        if self.margin is not None:
            same = (
                f"equivalent: within ±{self.margin:g}, by two one-sided tests, corrected likewise"
            )
        within = f", within {self.group}" if self.group else ""
        return (
            f"a mean {side} 0 speaks against the first of the two; n: pairs; 95 %: bootstrap "
            "interval, not corrected; p: exact sign-flip test, by Holm's correction over "
            f"{self._tests()}{within}; better, worse: p below {ALPHA:g}; {same}; shown from: the "
            "true difference that so many pairs would have shown four times in five"
        )

    def _tests(self) -> str:
        counts = [int(count) for count in sorted(set(self.comparisons.tests)) if count]
        plural = "s" if counts[-1] > 1 else ""
        return f"{' or '.join(map(str, counts))} comparison{plural}"

    def _notes(self) -> list[str]:
        table = self.comparisons
        notes = [
            f"{shown(of)}: has {listed(map(shown, scores))} alone, so nothing is compared"
            for of, scores in self.scores.items()
            if not (table.group == of).any()
        ]
        for row in table.itertuples(index=False):
            where = f"{shown(row.group)}, " if self.group else ""
            pair = f"{where}{shown(row.method)} − {shown(row.against)}"
            if row.finding == UNTESTABLE:
                has = "no seed" if not row.n else "one seed"
                notes.append(f"{pair}: {has} with both scores, so it is not tested")
            if row.lost:
                notes.append(f"{pair}: left out for want of a score: {self.seed} {row.lost}")
        if (table.lost != "").any():
            notes.append("the best mean is over all scores of a method, not over pairs")
        if table.no_spread.any():
            notes.append("no spread: the difference is the same for every seed; is that luck?")
        few = table[(table.finding != UNTESTABLE) & np.isinf(table.smallest)]
        if len(few):
            tests = int(few.tests.max())
            need = next(n for n in itertools.count(2) if tests * 2.0 ** (1 - n) < ALPHA)
            notes.append(
                f"{int(few.n.min())} pairs can never show a difference here, whatever it is; "
                f"{need} could, with {tests} comparison{'s' * (tests > 1)}"
            )
        if (table.n > MOST).any():
            notes.append(
                f"above {MOST} pairs the signs are flipped in {DRAWN:,} random ways, not in all"
            )
        return notes


def compare(
    rows: pd.DataFrame | str | Path,
    by: str | Sequence[str],
    score: str,
    seed: str = "seed",
    group: str | Sequence[str] | None = None,
    margin: float | None = None,
    better: Better = "lower",
    reference: object = None,
) -> Compared:
    """Which method is better, which are the same, and what could not have been seen?

    Every two methods are compared, or each with the `reference`. Scores are paired by seed, within
    a group; a seed that has no score for one of the two is left out of that pair, and named. Holm's
    correction goes over the comparisons of one group.

    Parameters
    ----------
    rows
        One score a row, or the CSV file that holds them.
    by
        The column that names the method, or several.
    score
        The column of scores. An empty one is missing.
    seed
        The column that pairs: what the methods share, as a seed, a fold, a patient.
    group
        The column of groups that are compared each by itself, as data sets; or several.
    margin
        The smallest difference that matters, in the unit of the score. It decides what equivalent
        means, so name it before you look. None asks for no equivalence.
    better
        Which scores are the better ones, "lower" or "higher".
    reference
        The method that all others are compared with.

    Raises
    ------
    ValueError
        For a column that is not there, doubled rows, rows that cannot be paired, scores that are no
        numbers, and fewer than two methods; names them, and the way out.

    Examples
    --------
    >>> rows = pd.DataFrame(
    ...     {
    ...         "method": ["old"] * 6 + ["new"] * 6,
    ...         "seed": [0, 1, 2, 3, 4, 5] * 2,
    ...         "rmse": [14.1, 15.2, 13.9, 14.8, 14.4, 15.0, 13.0, 14.2, 13.1, 13.5, 13.6, 13.9],
    ...     }
    ... )
    >>> found = compare(rows, by="method", score="rmse", margin=0.5, reference="old")
    >>> print(found.table()[["method", "n", "mean", "p_holm", "finding"]].round(3).to_string())
      method  n   mean  p_holm finding
    0    new  6 -1.017   0.031  better
    """
    if better not in ("lower", "higher"):
        raise ValueError(f"better is 'lower' or 'higher', got {better!r}")
    if margin is not None and not (isinstance(margin, Real) and 0 < margin < math.inf):
        raise ValueError(f"margin is a positive number in the unit of the score, got {margin!r}")
    table = rows if isinstance(rows, pd.DataFrame) else read_table(rows)
    methods = [by] if isinstance(by, str) else list(by)
    groups = [group] if isinstance(group, str) else list(group or [])
    scores = scores_of(table, methods, score, seed, groups)
    named = ", ".join(methods)
    every = list(dict.fromkeys(m for found in scores.values() for m in found))
    if len(every) < 2:
        raise ValueError(f"{named} has one method, {shown(every[0])!r}; two are wanted to compare")
    against = None if reference is None else find_name(reference, every, named)
    parts: list[pd.DataFrame] = []
    differences: dict[tuple[Name, Name, Name], list[float]] = {}
    for of, found in scores.items():
        pairs = _pairs(found, against)
        if not pairs:
            continue
        part, of_pairs = _judged(found, pairs, margin, better)
        parts.append(part.assign(group=of))
        differences |= {(of, *pair): d for pair, d in of_pairs.items()}
    if not parts or all((part.finding == UNTESTABLE).all() for part in parts):
        raise ValueError(_unpaired(scores, seed))
    whole = pd.concat(parts, ignore_index=True)
    columns = ["group", "method", "against", "n", *_JUDGED, "tests", "no_spread", "lost"]
    return Compared(
        named, score, seed, ", ".join(groups), margin, better, against, scores,
        whole[columns], differences,
    )  # fmt: skip


def _pairs(scores: Scores, reference: Name | None) -> list[tuple[Name, Name]]:
    if reference is None:
        return list(itertools.combinations(scores, 2))
    return [(method, reference) for method in scores if method != reference and reference in scores]


def _judged(
    scores: Scores, pairs: Sequence[tuple[Name, Name]], margin: float | None, better: Better
) -> tuple[pd.DataFrame, dict[tuple[Name, Name], list[float]]]:
    """The comparisons of one group, and their differences; those of one pair are not tested."""
    rows, differences = [], {}
    for a, b in pairs:
        both, lost = pairs_of(scores, a, b)
        differences[a, b] = [scores[a][seed] - scores[b][seed] for seed in both]
        rows.append({"method": a, "against": b, "n": len(both), "lost": listed(map(shown, lost))})
    table = pd.DataFrame(rows)
    tested = {k: np.array(differences[pair]) for k, pair in enumerate(pairs) if table.n[k] > 1}
    largest = max((float(np.abs(d).max()) for d in tested.values()), default=0.0)
    # The tests round at a billionth, so tiny and huge scores go in a unit of their own size. A
    # power of two costs no digit.
    unit = 1.0
    if largest and not _PLAIN[0] <= largest <= _PLAIN[1]:
        unit = 2.0 ** round(math.log2(largest))
    if tested:
        scaled = {k: d / unit for k, d in tested.items()}
        judged = judge(scaled, margin and margin / unit, better)
        judged[["mean", "low", "high", "smallest"]] *= unit
        table = table.join(judged)
    else:
        table = table.assign(**dict.fromkeys(_JUDGED, math.nan))
    table["finding"] = table["finding"].astype(object).where(table.n > 1, UNTESTABLE)
    spread = {k: float(np.ptp(d)) for k, d in tested.items()}
    table["no_spread"] = [spread.get(k, math.inf) <= _NO_SPREAD * largest for k in table.index]
    return table.assign(tests=len(tested)), differences


def _unpaired(scores: dict[Name, Scores], seed: str) -> str:
    of, found = next(iter(scores.items()))
    has = (
        f"{shown(method)} has {listed(shown(s) for s, v in by_seed.items() if v == v) or 'none'}"
        for method, by_seed in found.items()
    )
    where = f" in {shown(of)}" if of != "" else ""
    return (
        f"no two methods share two values of {seed}, so nothing can be paired{where}: "
        f"{'; '.join(itertools.islice(has, 4))}"
    )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    def plain(value: Any) -> Any:
        value = value.item() if isinstance(value, np.generic) else value
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return [{k: plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def _filled(head: str, text: str) -> str:
    return textwrap.fill(
        f"{head:10s}{text}", _WIDTH, subsequent_indent=" " * 10, break_on_hyphens=False
    )


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns to the right, but for the last."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join([*map(str.rjust, cells, widths), last]) for *cells, last in rows)
    return "\n".join(map(str.rstrip, lines))
