"""The five-point sweep on a reader's own two-task problem, with an answer that can say "flat".

Bring a function that builds a model, one that gives its two losses on a batch, one that scores it,
and data. `five_point_sweep` first measures how hard each task pulls, then trains a few weights with
a few seeds, pairs them by seed, and says which weight to take and how sure that is. The rule is in
`amnl.weigh.decide`. Source: the advice of chapter 15.1, five weights and short runs; the checks and
the statistics are ours.
"""

import dataclasses
import html
import itertools
import json
import math
import pickle
import textwrap
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from amnl.combine import FIVE
from amnl.combiners import FixedWeightLoss
from amnl.files import write_atomically
from amnl.stats import ALPHA
from amnl.sweep import keep_freed_memory
from amnl.weigh.decide import Comparison, Decision, decide, luck
from amnl.weigh.inputs import check_data, check_functions, check_rest, check_settings
from amnl.weigh.kept import Kept
from amnl.weigh.problem import (
    Losses,
    Metric,
    Problem,
    ProblemError,
    Run,
    Scale,
    check,
    mean_scale,
    run,
    three_digits,
)

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client
    from matplotlib.figure import Figure

LIMITS = (
    "this cannot show what other data would say, as all runs share yours, nor what longer training "
    "would, nor weights that were not tried"
)
_MANY = 9  # weights; more, or closer ones than _CLOSE, call for a warning
_CLOSE = 0.1
_NEAR = 0.005  # share of the pull; a loss divided by three digits of a ratio is that near a half
_TRIES = 4  # as often as Dask itself lets a task's workers die
_SAFE = "Finished runs are in the store, if you named one"
_SAME = 1e-5  # relative: pulls closer than that come from one and the same training


@dataclass(frozen=True, repr=False)
class FivePoint:
    """What a sweep found. Prints as text, shows as HTML in a notebook; `save` writes files.

    before, after  how hard the tasks pull: on a fresh model, and after training at the reference
    untrained      the metric of a fresh model
    notes          what the tool's own checks have to say
    """

    before: Scale
    after: Scale
    untrained: float
    decision: Decision
    runs: tuple[Run, ...]
    notes: tuple[str, ...]
    settings: dict[str, Any]

    @property
    def verdict(self) -> str:
        """ "better", "flat", "keep" or "undecided": see `amnl.weigh.decide.Decision`."""
        return self.decision.verdict

    @property
    def recommended(self) -> float:
        """The λ to freeze."""
        return self.decision.recommended

    @property
    def scores(self) -> dict[float, list[float]]:
        """The metric at each λ, one a seed."""
        return _scores(self.runs)

    @property
    def minutes_a_seed(self) -> float:
        """Time of one run at each λ, on one core."""
        return sum(r.seconds for r in self.runs) / 60 / self.decision.seeds

    def table(self) -> "pd.DataFrame":
        """One row a λ: mean and standard deviation of the metric, and the paired comparison."""
        import pandas as pd

        compared = {c.lam: dataclasses.asdict(c) for c in self.decision.comparisons}
        rows = []
        for lam, values in self.scores.items():
            sd = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
            c = compared.get(lam, {})
            row: dict[str, Any] = {"lam": lam, "metric": float(np.mean(values)), "sd": sd}
            row["difference"] = c.get("mean", math.nan)
            row |= {k: c.get(k, math.nan) for k in ("half", "p", "p_same", "p_not_better")}
            row["finding"] = c.get("finding", "")
            if lam == self.decision.reference:
                row["finding"] = "reference"
            rows.append(row)
        return pd.DataFrame(rows).sort_values("lam", ignore_index=True)

    def table_of_runs(self) -> "pd.DataFrame":
        """One row a run: λ, seed, metric, seconds, and both pulls after training."""
        import pandas as pd

        return pd.DataFrame(
            {
                "lam": r.lam,
                "seed": r.seed,
                "metric": r.score,
                "primary_pull": r.scale.primary,
                "auxiliary_pull": r.scale.auxiliary,
                "cosine": r.scale.cosine,
                "seconds": r.seconds,
            }
            for r in self.runs
        )

    def figure(self) -> "Figure":
        """Paired differences from the reference, a line a seed, with the band of the margin."""
        import matplotlib.pyplot as plt

        from amnl.study import figures

        table, reference = self.table(), self.decision.reference
        scores = np.array([self.scores[lam] for lam in table["lam"]])
        with plt.rc_context():
            figures.style()
            return figures.five_point(
                table["lam"].to_numpy(),
                scores - self.scores[reference],
                table["half"].fillna(0.0).to_numpy(),
                reference,
                self.decision.margin,
                "above" if self.settings["higher_is_better"] else "below",
            )

    def __str__(self) -> str:
        paragraphs = (
            f"scale    before training, {self.before}",
            f"after    training at λ = {self.decision.reference:g}, {self.after}",
            f"metric   {self._metric()}",
            f"verdict  {self._verdict()}",
        )
        notes = (
            f"legend   {self._legend()}",
            *(f"note     {note}" for note in self.notes),
            f"limits   {LIMITS}",
        )
        above, below = (
            [textwrap.fill(text, 100, subsequent_indent=" " * 9) for text in texts]
            for texts in (paragraphs, notes)
        )
        return "\n".join([*above, "", *_lines(self.table()), "", *below])

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
        cost = _minutes(more * self.minutes_a_seed)
        return f"{self.decision} (seeds={self.decision.seeds + more}: {cost} more on one core)"

    def _legend(self) -> str:
        reference, margin = f"{self.decision.reference:g}", f"{self.decision.margin:g}"
        return (
            "λ weighs the primary loss, 1 - λ the other. The difference is to λ = "
            f"{reference}, with its 95 % interval; p is Holm's, for all weights together. Better "
            f"and worse: p below {ALPHA:g}; same: within ±{margin}; not better: not by {margin}; "
            "open: none of these is shown. The verdict comes from the metric alone, and the scale "
            f"says what λ = {reference} means"
        )

    def _repr_html_(self) -> str:
        def row(tag: str, cells: Sequence[str]) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

        head, *body = _cells(self.table())
        paragraphs = (
            html.escape(f"Before training, {self.before}."),
            html.escape(f"After training at λ = {self.decision.reference:g}, {self.after}."),
            html.escape(f"Metric: {self._metric()}."),
            f"<strong>{html.escape(self._verdict())}</strong>",
        )
        notes = "".join(
            f"<li>{html.escape(note)}</li>" for note in (self._legend(), *self.notes, LIMITS)
        )
        return (
            "".join(f"<p>{p}</p>" for p in paragraphs)
            + f"<table class='dataframe'><thead>{row('th', head)}</thead><tbody>"
            + "".join(row("td", cells) for cells in body)
            + f"</tbody></table><ul>{notes}</ul>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return {**dataclasses.asdict(self), "verdict": str(self.decision)}

    def save(self, folder: str | Path) -> None:
        """Write result.json, runs.csv and figure.png into a folder, each whole or not at all."""
        import matplotlib.pyplot as plt

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)
        write_atomically(place / "result.json", f"{text}\n".encode())
        write_atomically(place / "runs.csv", self.table_of_runs().to_csv(index=False).encode())
        figure, drawn = self.figure(), BytesIO()
        figure.savefig(drawn, format="png")
        plt.close(figure)
        write_atomically(place / "figure.png", drawn.getvalue())

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
            tuple(Run(**{**one, "scale": Scale(**one["scale"])}) for one in stored["runs"]),
            tuple(stored["notes"]),
            stored["settings"],
        )


# ---------------------------------------------------------------------------------------- the sweep


def five_point_sweep(
    build: Callable[[], nn.Module],
    losses: Losses,
    metric: Metric,
    train: Any,
    val: Any,
    *,
    margin: float,
    lams: Sequence[float] = FIVE,
    seeds: int = 5,
    epochs: int = 10,
    batch_size: int = 64,
    lr: float = 1e-3,
    higher_is_better: bool = False,
    combiner: Callable[[float], Any] = FixedWeightLoss.convex,
    same_start: bool = False,
    store: str | Path | None = None,
    client: "Client | None" = None,
    tell: Callable[[str], object] = lambda line: None,
) -> FivePoint:
    """Which weight λ should the primary loss have? Try a few, with the same seeds for each.

    build       () → a model with fresh weights, from PyTorch's, NumPy's or Python's global random
                state; put it on a GPU here if you want one
    losses      (model, batch) → the primary and the auxiliary loss, two 0-D tensors
    metric      (model, val) → the primary score as a float; called once, after the last epoch, in
                eval mode, without gradients, with `val` just as you gave it. The last epoch, since
                the best epoch of the very score that is compared would flatter every weight
    train       a Dataset, or a tuple of tensors with one row a sample; a batch is what a DataLoader
                gives, or a tuple of tensors
    margin      the smallest difference of the metric that you would pay for. It decides what
                "flat" means, so name it before you look
    combiner    λ → what combines the two losses, called `combiner(primary, auxiliary,
                shared_params=…, model=…)`; for a registered one
                `lambda lam: make_combiner("amnl", rul_weight=lam, health_weight=1 - lam)`
    same_start  `build` starts from stored weights on purpose; seeds then differ in batch order,
                dropout and the like alone
    store       a folder that keeps finished runs: the same call goes on from there, and another
                problem, or more seeds, may share it. Two sweeps at once may do a run twice, which
                harms nothing. A run is known by the bytecode of your functions and of the helpers
                in your modules, the values they hold, every byte of tensors and arrays, every row
                of a Dataset, and the settings. Changes in installed packages, and in files that a
                function or a stream reads, go unnoticed: take another folder then. Where a value
                cannot be looked into, as an open file, nothing is kept, and a note says so
    client      a Dask client: each run becomes one task; without one, runs go one after another
                here. Each run has one thread and your default dtype, so both give the same numbers.
                On other machines the modules that your functions import must be installed
    tell        called with lines of progress, such as `print`

    A seed fixes the initial weights, the batch order and whatever else draws from global random
    states, for every λ alike. Training is AdamW at a constant `lr`, gradients clipped to norm 1,
    for `epochs`. A last batch of one row is dropped: too few for BatchNorm.

    The five points mean little where one task pulls a hundred times as hard as the other; the scale
    check at the top of the result says what to divide by.

    Raises `ProblemError` for a problem that cannot be swept, and names the way out; `StoreError`
    for a damaged record.
    """
    s = check_settings(lams, margin, seeds, epochs, batch_size, lr)
    check_functions(build=build, losses=losses, metric=metric, combiner=combiner, tell=tell)
    check_rest(higher_is_better, same_start, store, client)
    check_data(train, val)
    problem = Problem(
        build, losses, metric, train, val, combiner, s.epochs, s.batch_size, s.lr,
        torch.get_default_dtype(),
    )  # fmt: skip
    kept = Kept(store, problem)
    checked = check(problem, s.lams, same_start)
    kept.look_again(problem)
    for note in kept.notes:
        tell(note)
    tell(f"before training, {checked.scale}")
    runs = _all_runs(problem, checked.shared, s.lams, s.seeds, kept, client, tell)
    _check_runs(runs, s.lams, s.seeds)
    scores = _scores(runs)
    decision = decide(scores, s.margin, higher_is_better)
    at_reference = [one.scale for one in runs if one.lam == decision.reference]
    notes = (
        *checked.notes,
        *kept.notes,
        *_hardly_learned(scores, checked.untrained, higher_is_better),
        *_notes(decision, scores, checked.scale, higher_is_better),
    )
    settings: dict[str, Any] = {"epochs": s.epochs, "batch_size": s.batch_size, "lr": s.lr}
    settings |= {"higher_is_better": bool(higher_is_better)}
    return FivePoint(
        checked.scale,
        mean_scale(at_reference),
        checked.untrained,
        decision,
        tuple(runs),
        notes,
        settings,
    )


def _all_runs(
    problem: Problem,
    shared: Sequence[str],
    lams: Sequence[float],
    seeds: int,
    kept: Kept,
    client: "Client | None",
    tell: Callable[[str], object],
) -> list[Run]:
    """Every run, stored or trained; seeds outermost, so that an early stop has whole ones."""
    cells = [(lam, seed) for seed in range(seeds) for lam in lams]
    found = {cell: one for cell in cells if (one := kept.get(*cell))}
    waiting, start = [cell for cell in cells if cell not in found], time.monotonic()
    if found:
        tell(f"{len(found)} of {len(cells)} runs are in the store")
    if client is not None:
        fresh = _on_dask(client, problem, shared, waiting)
    else:
        fresh = (run(problem, shared, *cell) for cell in waiting)
    with closing(fresh):  # an error of `tell` ends it now, its tasks too
        for done, one in enumerate(fresh, start=1):
            kept.put(one)
            found[one.lam, one.seed] = one
            left = (time.monotonic() - start) / done * (len(waiting) - done)
            tell(
                f"λ = {one.lam:g}, seed {one.seed}: {one.score:.4g}; {len(found)} of {len(cells)} "
                f"runs, {_minutes(left / 60)} to go"
            )
    return [found[cell] for cell in cells]


def _on_dask(
    client: "Client", problem: Problem, shared: Sequence[str], cells: Sequence[tuple[float, int]]
) -> Generator[Run, None, None]:
    import cloudpickle
    from distributed import KilledWorker, as_completed

    pickled = cloudpickle.dumps((problem, shared))
    lost, tries = list(cells), 0
    while lost:
        if tries == _TRIES:
            raise RuntimeError(
                f"Dask lost {len(lost)} runs {_TRIES} times, as workers died that held the data; "
                f"{_SAFE}"
            )
        tries += 1
        whole = client.scatter(pickled, hash=False)
        futures = {client.submit(_run_pickled, whole, *c, pure=False): c for c in lost}
        lost = []
        try:
            for future in as_completed(futures):
                try:
                    one = future.result()
                except CancelledError:  # the worker that held the problem is gone
                    lost.append(futures[future])
                else:
                    yield one
        except KilledWorker as error:
            raise RuntimeError(
                f"a run took its worker down several times; is there enough memory? {_SAFE}"
            ) from error
        finally:
            client.cancel(list(futures))


def _run_pickled(whole: bytes, lam: float, seed: int) -> Run:
    """On a worker."""
    keep_freed_memory()
    problem, shared = pickle.loads(whole)
    return run(problem, shared, lam, seed)


def _scores(runs: Sequence[Run]) -> dict[float, list[float]]:
    scores: dict[float, list[float]] = {}
    for one in runs:
        scores.setdefault(one.lam, []).append(one.score)
    return scores


# ---------------------------------------------------------------------------------------- the notes


def _check_runs(runs: Sequence[Run], lams: Sequence[float], seeds: int) -> None:
    """Runs that should differ must differ; told by the pulls after training, as scores may tie."""
    scores = np.array([one.score for one in runs])
    if np.ptp(scores) == 0:
        raise ProblemError(
            f"all {len(runs)} runs have the metric {scores[0]:.6g}: it does not look at the model, "
            "or it is saturated. Take one that moves"
        )
    pulls = np.array([[one.scale.primary, one.scale.auxiliary] for one in runs])
    pulls = pulls.reshape(seeds, len(lams), 2)
    near = _SAME * pulls.max()
    if (np.ptp(pulls, axis=1) <= near).all():
        raise ProblemError(
            "no λ changes the training: does the combiner use it, and is neither loss so large "
            "that it drowns the other at every weight?"
        )
    if seeds > 1 and (np.ptp(pulls, axis=0) <= near).all():
        raise ProblemError(
            f"the seed is ignored: all {seeds} seeds train alike. Something sets its own seed in "
            "build or losses; take torch.manual_seed out, and let batches be smaller than the data"
        )


def _notes(
    decision: Decision,
    scores: Mapping[float, Sequence[float]],
    scale: Scale,
    higher_is_better: bool,
) -> list[str]:
    """What the weights and the scores themselves give away."""
    lams = sorted(scores)
    notes = []
    if decision.reference != 0.5:
        notes.append(f"0.5 was not tried; the reference is {decision.reference:g}, the nearest")
    balanced, ratio = scale.balanced_lam, scale.ratio or 1.0
    low, high = (lam * ratio / (lam * ratio + 1 - lam) for lam in (lams[0], lams[-1]))
    if balanced is not None and not low - _NEAR <= 0.5 <= high + _NEAR:
        notes.append(
            f"the weights tried, {lams[0]:g} to {lams[-1]:g}, are all on one side of the balance "
            f"(λ = {balanced:.3g}): they give the primary task {low:.3g} to {high:.3g} of the "
            "pull. Balance need not be best, but to try it divide the primary loss by "
            f"{three_digits(ratio)} and sweep again"
        )
    means = {lam: float(np.mean(scores[lam])) for lam in lams}
    best = (max if higher_is_better else min)(lams, key=lambda lam: means[lam])
    if decision.verdict == "better" and best in (lams[0], lams[-1]) and 0 < best < 1:
        notes.append(f"the best weight, {best:g}, is the last one tried; look beyond it")
    closest = min(b - a for a, b in itertools.pairwise(lams))
    if len(lams) > _MANY or closest < _CLOSE - 1e-9:
        notes.append(_finely_tuned(lams, closest, best, scores))
    return notes


def _hardly_learned(
    scores: Mapping[float, Sequence[float]], untrained: float, higher_is_better: bool
) -> list[str]:
    """Swapped losses and a metric read the wrong way round look like this."""
    means = [float(np.mean(values)) for values in scores.values()]
    best = max(means) if higher_is_better else min(means)
    if (best > untrained) if higher_is_better else (best < untrained):
        return []
    way = "larger" if higher_is_better else "smaller"
    return [
        f"training did not improve the metric: {untrained:.4g} on a fresh model, at best "
        f"{best:.4g} after it. Is {way} better (higher_is_better=), and is the primary loss the "
        "first?"
    ]


def _finely_tuned(
    lams: Sequence[float], closest: float, best: float, scores: Mapping[float, Sequence[float]]
) -> str:
    """Pitfall 1: the more weights, the more of a winner's lead is luck. How much, is measured."""
    what = f"finely tuned: {len(lams)} weights, the closest {closest:.3g} apart"
    seeds = len(scores[best])
    if seeds < 2:
        return f"{what}; the best of them was picked for its luck, too"
    at = lams.index(best)
    neighbours = [lams[k] for k in (at - 1, at + 1) if 0 <= k < len(lams)]
    near = min(neighbours, key=lambda lam: abs(float(np.mean(scores[lam])) - np.mean(scores[best])))
    gap = np.subtract(scores[best], scores[near])
    error = float(np.std(gap, ddof=1)) / math.sqrt(seeds)
    return (
        f"{what}. Were all alike, the best would still beat their mean by {luck(scores):.2g}, by "
        f"luck. The best, {best:g}, is ahead of {near:g} by {abs(float(gap.mean())):.2g}, standard "
        f"error {error:.2g}"
    )


# ------------------------------------------------------------------------------------------- tables


def _cells(table: "pd.DataFrame") -> list[list[str]]:
    """A header and a row a λ, as text."""
    lines = [["λ", "metric", "± sd", "difference", "95 %", "p", "finding"]]
    for row in table.itertuples(index=False):
        sd = "" if math.isnan(row.sd) else f"{row.sd:.2g}"
        compared = [f"{row.difference:+.3g}", f"± {row.half:.2g}", f"{row.p:.2g}"]
        shown = [""] * 3 if math.isnan(row.p) else compared
        lines.append([f"{row.lam:g}", f"{row.metric:.4g}", sd, *shown, row.finding])
    return lines


def _lines(table: "pd.DataFrame") -> list[str]:
    cells = _cells(table)
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    return [
        "  ".join(
            text.ljust(width) if k == len(row) - 1 else text.rjust(width)
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _minutes(minutes: float) -> str:
    return f"{60 * minutes:.0f} s" if minutes < 1.5 else f"{minutes:.0f} min"
