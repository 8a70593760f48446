"""What a five-point sweep found: as text, HTML, tables, a figure, and files."""

import dataclasses
import html
import json
import math
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from amnl.minus import minus_signs
from amnl.stats import ALPHA
from amnl.weigh.decision import Comparison, Decision
from amnl.weigh.duration import duration
from amnl.weigh.figure import paired_differences
from amnl.weigh.files import save_all
from amnl.weigh.layout import aligned, elements
from amnl.weigh.run import Run
from amnl.weigh.scale import Scale

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LIMITS = (
    "this cannot show what other data would say, as all runs share yours, nor what longer training "
    "would, nor weights that were not tried"
)


class Settings(TypedDict):
    """How a sweep trained, and which way its metric is read."""

    epochs: int
    batch_size: int
    lr: float
    higher_is_better: bool


@dataclass(frozen=True, repr=False)
class FivePoint:
    """What a sweep found. Prints as text, shows as HTML in a notebook; `save` writes files."""

    before: Scale  # how hard the tasks pull on a fresh model
    after: Scale  # and after training at the reference, mean over seeds
    untrained: float  # the metric of a fresh model
    decision: Decision
    runs: tuple[Run, ...]  # all weights of seed 0, then those of seed 1, and so on
    notes: tuple[str, ...]  # what the tool's own checks have to say
    settings: Settings

    @property
    def verdict(self) -> str:
        """ "better", "flat", "keep" or "undecided": see `decide`."""
        return self.decision.verdict

    @property
    def recommended(self) -> float:
        """The λ to freeze."""
        return self.decision.recommended

    @property
    def scores(self) -> dict[float, list[float]]:
        """The metric at each λ, one a seed."""
        return scores_by_lam(self.runs)

    @property
    def minutes_a_seed(self) -> float:
        """Time of one run at each λ, on one core."""
        return sum(r.seconds for r in self.runs) / 60 / self.decision.seeds

    @property
    def spread(self) -> float:
        """How far a paired difference scatters between seeds: a standard deviation, in margins.

        NaN for one seed.
        """
        scores = self.scores
        reference = scores.pop(self.decision.reference)
        differences = np.subtract(list(scores.values()), reference)
        if len(reference) == 1:
            return math.nan
        return math.sqrt(differences.var(axis=1, ddof=1).mean()) / self.decision.margin

    def table(self) -> "pd.DataFrame":
        """One row a λ: mean and standard deviation of the metric, and the paired comparison."""
        import pandas as pd

        compared = {c.lam: c for c in self.decision.comparisons}
        rows = []
        for lam, values in sorted(self.scores.items()):
            alone = "reference" if lam == self.decision.reference else ""
            c = compared.get(lam) or Comparison(lam, alone, *[math.nan] * 5)
            sd = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
            tested = c.mean, c.half, c.p, c.p_same, c.p_not_better, c.finding
            rows.append((lam, float(np.mean(values)), sd, *tested))
        columns = ["lam", "metric", "sd", "difference", "half", "p", "p_same", "p_not_better"]
        return pd.DataFrame(rows, columns=[*columns, "finding"])

    def table_of_runs(self) -> "pd.DataFrame":
        """One row a run: λ, seed, metric, seconds, and both pulls after training."""
        import pandas as pd

        columns = ["lam", "seed", "metric", "primary_pull", "auxiliary_pull", "cosine", "seconds"]
        rows = [
            (r.lam, r.seed, r.score, *dataclasses.astuple(r.scale), r.seconds) for r in self.runs
        ]
        return pd.DataFrame(rows, columns=columns)

    def figure(self) -> "Figure":
        """Paired differences from the reference, a line a seed, with the band of the margin."""
        return paired_differences(self.scores, self.decision, self.settings["higher_is_better"])

    def __str__(self) -> str:
        above = [
            ("scale", f"before training, {self.before}"),
            ("after", f"training at λ = {self.decision.reference:g}, {self.after}"),
            ("metric", self._metric()),
            ("verdict", self._verdict()),
        ]
        notes = [("note", note) for note in self.notes]
        opening, closing = (
            "\n".join(textwrap.fill(f"{k:9s}{v}", 100, subsequent_indent=" " * 9) for k, v in part)
            for part in (above, [("legend", self._legend()), *notes, ("limits", LIMITS)])
        )
        return f"{opening}\n\n{aligned(_cells(self.table()))}\n\n{closing}"

    __repr__ = __str__  # at a prompt, the finding and not the fields

    def _metric(self) -> str:
        s, seeds = self.settings, self.decision.seeds
        return (
            f"{'larger' if s['higher_is_better'] else 'smaller'} is better; {self.untrained:.4g} "
            f"on a fresh model. {seeds} seed{'s' * (seeds > 1)}, {s['epochs']} epochs, batches of "
            f"{s['batch_size']}, lr {s['lr']:g}"
        )

    def _verdict(self) -> str:
        more = self.decision.more_seeds
        if not more:
            return str(self.decision)
        cost = duration(more * self.minutes_a_seed)
        return f"{self.decision} (seeds={self.decision.seeds + more}: {cost} more on one core)"

    def _legend(self) -> str:
        reference, margin = f"{self.decision.reference:g}", f"{self.decision.margin:g}"
        return (
            "λ weighs the primary loss, 1 − λ the other. The difference is to λ = "
            f"{reference}, with its 95 % interval; p is Holm's, for all weights together. Better "
            f"and worse: p below {ALPHA:g}; same: within ±{margin}; not better: not by {margin}; "
            "open: none of these is shown. The verdict comes from the metric alone, and the scale "
            f"says what λ = {reference} means"
        )

    def _repr_html_(self) -> str:
        head, *body = ([html.escape(cell) for cell in row] for row in _cells(self.table()))
        before, after, metric, verdict, *notes = map(
            html.escape,
            (
                f"Before training, {self.before}.",
                f"After training at λ = {self.decision.reference:g}, {self.after}.",
                f"Metric: {self._metric()}.",
                self._verdict(),
                self._legend(),
                *self.notes,
                LIMITS,
            ),
        )
        return (
            elements("p", (before, after, metric, f"<strong>{verdict}</strong>"))
            + f"<table class='dataframe'><thead>{elements('tr', [elements('th', head)])}</thead>"
            + f"<tbody>{elements('tr', (elements('td', row) for row in body))}</tbody></table>"
            + f"<ul>{elements('li', notes)}</ul>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return {**dataclasses.asdict(self), "verdict": str(self.decision)}

    def save(self, folder: str | Path) -> None:
        """Write result.json, runs.csv and figure.png into a folder, each whole or not at all."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)
        save_all(folder, text, self.table_of_runs().to_csv(index=False), self.figure())

    @classmethod
    def load(cls, place: str | Path) -> "FivePoint":
        """Read what `save` wrote: a folder, or the result.json in it under any name."""
        path = Path(place)
        path = path / "result.json" if path.is_dir() else path
        stored = json.loads(path.read_text(encoding="utf-8"))
        decision = stored["decision"]
        decision["comparisons"] = tuple(Comparison(**c) for c in decision["comparisons"])
        return cls(
            Scale(**stored["before"]),
            Scale(**stored["after"]),
            stored["untrained"],
            Decision(**decision),
            tuple(map(Run.parse, stored["runs"])),
            tuple(stored["notes"]),
            stored["settings"],
        )


def scores_by_lam(runs: Iterable[Run]) -> dict[float, list[float]]:
    """λ → scores, both in the order of the runs."""
    scores: dict[float, list[float]] = {}
    for run in runs:
        scores.setdefault(run.lam, []).append(run.score)
    return scores


def _cells(table: "pd.DataFrame") -> list[list[str]]:
    """A header and a row a λ, as text."""
    lines = [["λ", "metric", "± sd", "difference", "95 %", "p", "finding"]]
    for row in table.itertuples(index=False):
        sd = "" if math.isnan(row.sd) else f"{row.sd:.2g}"
        compared = [minus_signs(f"{row.difference:+.3g}"), f"± {row.half:.2g}", f"{row.p:.2g}"]
        shown = [""] * 3 if math.isnan(row.p) else compared
        lines.append([f"{row.lam:g}", f"{row.metric:.4g}", sd, *shown, row.finding])
    return lines
