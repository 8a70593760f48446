"""What weighing K losses found: as text, a card in a notebook, a figure, and files."""

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from amnl.weigh.arms import Arm
from amnl.weigh.choice import Answer, Choice, Compared
from amnl.weigh.pulls import Pulls
from amnl.weigh.trial import Trial

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LIMITS = (
    "it cannot see what other data would say, as all trainings share yours; what longer training "
    "would; weightings that were not tried, or that move during training; what the metric does not "
    "measure, such as how well the other tasks do; and pulls that change after they were measured"
)


@dataclass(frozen=True, repr=False)
class Weighed:
    """What weighing found. Prints as text, shows as a card in a notebook; `save` writes files."""

    names: tuple[str, ...]  # of the losses, the primary one first
    pulls: Pulls | None  # None where a training loop of one's own brought none
    arms: tuple[Arm, ...]  # what was tried, the reader's own weighting first
    choice: Choice
    answers: tuple[Answer, ...]  # one an auxiliary loss
    trials: tuple[Trial, ...]  # all weightings of seed 0, then those of seed 1, and so on
    notes: tuple[str, ...]
    untrained: float | None  # the metric of a fresh model; None where it is not known
    higher_is_better: bool
    how: str  # how it was trained, in words

    @property
    def verdict(self) -> str:
        """ "better", "flat", "keep" or "undecided", against the reader's own weighting."""
        return self.choice.verdict

    @property
    def recommended(self) -> str:
        """The name of the weighting to take."""
        return self.choice.recommended

    @property
    def weights(self) -> dict[str, float]:
        """What to multiply each loss by."""
        return dict(zip(self.names, self.arm(self.recommended).weights, strict=True))

    @property
    def scores(self) -> dict[str, list[float | None]]:
        """The metric at each weighting, one a seed; None where a training failed."""
        return scores_by_arm(self.arms, self.trials)

    @property
    def minutes(self) -> float:
        """Time of all trainings, on one core."""
        return sum(t.seconds for t in self.trials) / 60

    def arm(self, name: str) -> Arm:
        """The weighting of this name."""
        return next(arm for arm in self.arms if arm.name == name)

    def mean(self, name: str) -> float:
        """The mean metric of a weighting; NaN where a training failed."""
        values = self.scores[name]
        return math.nan if None in values else float(np.mean(np.array(values, dtype=float)))

    def sentence(self) -> str:
        """The verdict, and the weights to take, in a sentence."""
        parts = " + ".join(f"{w:.3g} · {name}" for name, w in self.weights.items())
        return f"{self.choice}; the loss is {parts}"

    def table(self) -> "pd.DataFrame":
        """One row a weighting: its weights, share, and the paired comparison with yours."""
        import pandas as pd

        compared = {c.name: c for c in self.choice.comparisons}
        rows = []
        for arm in self.arms:
            word = "reference" if arm.name == self.choice.reference else "failed"
            c = compared.get(arm.name) or Compared(arm.name, word, *[math.nan] * 5)
            word = "" if self.choice.seeds == 1 and word == "failed" else c.finding
            rows.append(
                (arm.name, *arm.weights, arm.share, self.mean(arm.name), c.mean, c.half, c.p, word)
            )
        tested = ["metric", "difference", "half", "p", "finding"]
        return pd.DataFrame(rows, columns=["weighting", *self.names, "share", *tested])

    def figure(self) -> "Figure":
        """Differences from the reader's own weighting, one row a weighting, with the margin."""
        from amnl.weigh.card import rows_figure

        return rows_figure(self)

    def __str__(self) -> str:
        from amnl.weigh.card import as_text

        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from amnl.weigh.card import as_html

        return as_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        stored = dataclasses.asdict(self)
        return {
            "verdict": self.sentence(),
            "weights": self.weights,
            "limits": LIMITS,
            **stored,
        }

    def save(self, folder: str | Path) -> None:
        """Write result.json, runs.csv and figure.png into a folder, each whole or not at all."""
        from amnl.weigh.files import save_all

        text = json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)
        arms = {arm.weights: arm.name for arm in self.arms}
        lines = ["weighting,seed,metric,seconds"]
        for t in self.trials:
            score = "" if t.score is None else repr(t.score)
            lines.append(f"{arms[t.weights]},{t.seed},{score},{t.seconds}")
        save_all(folder, text, "\n".join(lines) + "\n", self.figure())

    @classmethod
    def load(cls, place: str | Path) -> "Weighed":
        """Read what `save` wrote: a folder, or the result.json in it under any name."""
        path = Path(place)
        path = path / "result.json" if path.is_dir() else path
        stored = json.loads(path.read_text(encoding="utf-8"))
        pulls, choice = stored["pulls"], stored["choice"]
        for name in ("names", "norms", "first"):
            if pulls:
                pulls[name] = tuple(pulls[name])
        if pulls:
            pulls["cosines"] = tuple(map(tuple, pulls["cosines"]))
        choice["comparisons"] = tuple(Compared(**c) for c in choice["comparisons"])
        choice["failed"] = tuple(choice["failed"])
        return cls(
            names=tuple(stored["names"]),
            pulls=Pulls(**pulls) if pulls else None,
            arms=tuple(Arm(**{**arm, "weights": tuple(arm["weights"])}) for arm in stored["arms"]),
            choice=Choice(**choice),
            answers=tuple(Answer(**answer) for answer in stored["answers"]),
            trials=tuple(map(Trial.parse, stored["trials"])),
            notes=tuple(stored["notes"]),
            untrained=stored["untrained"],
            higher_is_better=stored["higher_is_better"],
            how=stored["how"],
        )


def scores_by_arm(arms: Sequence[Arm], trials: Iterable[Trial]) -> dict[str, list[float | None]]:
    """Weighting → scores, in the order of the trials."""
    scores: dict[str, list[float | None]] = {arm.name: [] for arm in arms}
    names = {arm.weights: arm.name for arm in arms}
    for trial in trials:
        scores[names[trial.weights]].append(trial.score)
    return scores
