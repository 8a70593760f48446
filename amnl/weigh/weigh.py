"""How should K losses be weighed? The reader's own weights, the balance, and the primary alone.

`weigh_losses` measures how hard each loss pulls, sweeps the primary one's share of the pull, tries
each auxiliary loss left out, and compares all of it with the reader's own weights: paired by seed,
by the rule of `decide`. `weigh_callable` does the same with a training loop of the reader's own.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from amnl.weigh.arms import BALANCED, YOURS, Arm, arms_of, left_out, present, unmeasured_arms
from amnl.weigh.check_losses import letters
from amnl.weigh.check_runs import check_runs, check_scores
from amnl.weigh.check_weighing import check_weighing, own_weights
from amnl.weigh.choice import answers, choose
from amnl.weigh.data import check_data
from amnl.weigh.grid import Work, all_runs
from amnl.weigh.inputs import (
    check_functions,
    check_rest,
    count,
    each_number,
    one_number,
    positive,
    seeds_and_margin,
)
from amnl.weigh.notes_on_choice import notes_on_choice, notes_on_score
from amnl.weigh.problem import Losses, Metric, Problem, ProblemError
from amnl.weigh.pulls import Pulls
from amnl.weigh.store import RunStore
from amnl.weigh.trial import Trial, trial, weighted
from amnl.weigh.weighing import Weighed, scores_by_arm

if TYPE_CHECKING:
    from distributed import Client


def weigh_losses(
    build: Callable[[], nn.Module],
    losses: Losses,
    metric: Metric,
    train: Any,
    val: Any,
    *,
    margin: float,
    yours: Sequence[float] | Mapping[str, float] | None = None,
    seeds: int = 5,
    epochs: int = 10,
    batch_size: int = 64,
    lr: float = 1e-3,
    higher_is_better: bool = False,
    same_start: bool = False,
    store: str | Path | None = None,
    client: "Client | None" = None,
    tell: Callable[[str], object] = lambda line: None,
) -> Weighed:
    """Which weights should K ≥ 2 losses have? Yours, balanced ones, or the primary loss alone?

    Tried are your own weights; five shares of the pull for the primary loss, 0.3 to 0.7, where
    *balanced* is 0.5; the primary loss alone; and with K > 2 losses the balance without each
    auxiliary one. All start with a gradient as long as with your weights. Training, `train`, `val`,
    `store`, `client`, `tell` and the other arguments are those of `five_point_sweep`.

    Balance is a unit, never a recommendation: the metric decides.

    Parameters
    ----------
    losses
        (model, batch) → K 0-D tensors, the primary loss first; a dict gives them names.
    yours
        The weights you use today, one a loss; equal ones by default. They are the reference.

    Returns
    -------
    Weighed
        The weighting to take, and of each auxiliary loss whether it helps, is harmless or harms.

    Raises
    ------
    ProblemError
        For a problem that cannot be weighed; it names the way out. A training that ends in NaN is
        no error: its weighting is shown as failed, and not recommended.
    StoreError
        For a damaged record.

    Examples
    --------
    >>> x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    >>> data = x, torch.stack([x.sum(1), x[:, 0], x[:, 1]], 1)
    >>> def errors(model, rows):
    ...     return (model(rows[0]) - rows[1]).square().mean(0)
    >>> found = weigh_losses(
    ...     build=lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 3)),
    ...     losses=lambda model, batch: dict(zip("abc", errors(model, batch))),
    ...     metric=lambda model, val: errors(model, val)[0],
    ...     train=data, val=data, margin=1.0, seeds=3, epochs=5, batch_size=20, lr=0.02,
    ... )
    >>> found.verdict, found.recommended, [str(answer.answer) for answer in found.answers]
    ('flat', 'yours', ['harmless', 'harmless'])
    """
    seeds, margin = seeds_and_margin(seeds, margin)
    epochs, batch_size = count("epochs", epochs), count("batch_size", batch_size)
    lr = positive("lr", lr)
    check_functions(build=build, losses=losses, metric=metric, tell=tell)
    check_rest(higher_is_better, same_start, store, client)
    larger = bool(higher_is_better)
    check_data(train, val)
    dtype = torch.get_default_dtype()
    problem = Problem(build, losses, metric, train, val, weighted, epochs, batch_size, lr, dtype)
    stored = RunStore(store, problem, Trial)
    checked = check_weighing(problem, yours, same_start)
    stored.look_again(problem)
    for note in stored.notes:
        tell(note)
    when = f"at step {checked.pulls.step}" if checked.pulls.step else "before training"
    tell(f"{when}, {checked.pulls}")
    arms = arms_of(checked.pulls, checked.yours)
    work = Work(trial, (problem, checked.shared), client)
    trials = _all_trials(arms, seeds, stored, work, tell)
    ended = [t for t in trials if t.score is not None]
    if len(ended) == len(trials):
        check_runs(trials, len(arms), seeds)
    return _weighed(
        checked.pulls.names, checked.pulls, arms, trials, margin, larger,
        untrained=checked.untrained,
        notes=(*checked.notes, *stored.notes),
        how=f", {epochs} epochs, batches of {batch_size}, lr {lr:g}",
    )  # fmt: skip


@dataclass(frozen=True)
class Loop:
    """A training loop of the reader's own: all that decides its runs."""

    train: Callable[[Any, int], Any]
    names: tuple[str, ...]


def weigh_callable(
    train: Callable[[dict[str, float], int], float],
    losses: Sequence[str] | int = 2,
    *,
    margin: float,
    pulls: "Pulls | Sequence[float] | None" = None,
    yours: Sequence[float] | Mapping[str, float] | None = None,
    seeds: int = 5,
    higher_is_better: bool = False,
    store: str | Path | None = None,
    tell: Callable[[str], object] = lambda line: None,
) -> Weighed:
    """The same for a training loop of your own: Lightning, Hugging Face, Keras, a shell script.

    Parameters
    ----------
    train
        (weights, seed) → the score: `weights` is a dict of each loss's weight. Train a fresh model
        with that seed and that weighted sum, and return what you care about, never the weighted
        loss itself. NaN marks a training that failed.
    losses
        Their names, the primary one first, or how many.
    pulls
        What `measured_pulls` gives for a batch at the start, or the length of each loss's gradient.
        Without it the tool cannot balance: shares are then of the weights, in your units.
    yours, margin, seeds, higher_is_better, store, tell
        As in `weigh_losses`. In `store` a run is known by the code of `train` and what it holds.

    Raises
    ------
    ProblemError
        For arguments that cannot be used, and a score that is no number.

    Examples
    --------
    >>> def train(weights, seed):
    ...     share = weights["mse"] / (weights["mse"] + weights["ce"])
    ...     return (share - 0.4) ** 2 * (1 + 0.1 * seed)
    >>> print(weigh_callable(train, ["mse", "ce"], margin=0.005, seeds=5).recommended)
    share 0.4
    """
    seeds, margin = seeds_and_margin(seeds, margin)
    check_functions(train=train, tell=tell)
    check_rest(higher_is_better, False, store, None)
    names = loss_names(losses)
    own = own_weights(yours, names)
    known = None if pulls is None else _known(pulls, names)
    loop = Loop(train, names)
    stored = RunStore(store, loop, Trial)
    arms = arms_of(known, own) if known else unmeasured_arms(names, own)
    trials = _all_trials(arms, seeds, stored, Work(loop_trial, (loop,)), tell)
    if all(t.score is not None for t in trials):
        check_scores(trials)
    notes = [*stored.notes, *notes_on_score(arms, scores_by_arm(arms, trials))]
    if known is None:
        notes = [
            *notes,
            "pulls were not measured, so a share of 0.5 is equal weights in the units of your "
            "losses, not equal pull; amnl.weigh.measured_pulls measures them, pulls= brings them",
        ]
    return _weighed(
        names, known, arms, trials, margin, bool(higher_is_better),
        untrained=None, notes=notes, how="",
    )  # fmt: skip


def loop_trial(loop: Loop, weights: tuple[float, ...], seed: int) -> Trial:
    """One call of the reader's loop."""
    start = time.perf_counter()
    given = loop.train(dict(zip(loop.names, weights, strict=True)), seed)
    score = one_number(given)
    if score is None:
        raise ProblemError(
            f"train(weights, seed) returned {type(given).__name__}; one number is wanted, the score"
        )
    finite = math.isfinite(score)
    return Trial(
        weights, seed, score if finite else None, "" if finite else f"the score is {score}",
        (), round(time.perf_counter() - start, 3),
    )  # fmt: skip


def loss_names(losses: Any) -> tuple[str, ...]:
    """Names of the losses. Raises `ProblemError` for fewer than two, and for doubles."""
    if isinstance(losses, int) and not isinstance(losses, bool) and losses >= 2:
        return tuple(map(letters, range(losses)))
    texts = not isinstance(losses, str) and isinstance(losses, Sequence)
    if texts and len(set(losses)) == len(losses) >= 2 and all(isinstance(n, str) for n in losses):
        return tuple(losses)
    raise ProblemError(
        f"losses must be two names or more, each once, or a number from 2 on; got {losses!r}"
    )


def _known(pulls: Any, names: tuple[str, ...]) -> Pulls:
    """The pulls that a reader brought. Raises `ProblemError` for any that cannot be balanced."""
    cosines: tuple[tuple[float, ...], ...] = ()
    norms = None
    if not isinstance(pulls, Pulls):
        norms = each_number(pulls, names)
    elif pulls.names == names:
        norms, cosines = pulls.norms, pulls.cosines
    if norms is None or not all(0 < n < math.inf for n in norms):
        raise ProblemError(
            f"pulls must be {len(names)} positive numbers, for {', '.join(names)}, got {pulls!r}; "
            "measure a loss that does not pull at the start later in training"
        )
    return Pulls(names, norms, cosines)


def _all_trials(
    arms: Sequence[Arm],
    seeds: int,
    stored: RunStore[Trial],
    work: Work,
    tell: Callable[[str], object],
) -> list[Trial]:
    named = {arm.weights: arm.name for arm in arms}
    cells = [(weights, seed) for seed in range(seeds) for weights in named]
    return all_runs(cells, stored, work, tell, lambda t: f"{named[t.weights]}, seed {t.seed}")


def _weighed(
    names: tuple[str, ...],
    pulls: Pulls | None,
    arms: tuple[Arm, ...],
    trials: Sequence[Trial],
    margin: float,
    larger: bool,
    *,
    untrained: float | None,
    notes: Sequence[str],
    how: str,
) -> Weighed:
    scores = scores_by_arm(arms, trials)
    choice = choose(scores, YOURS, margin, larger)
    parts = {name: present(arms, arm) for name, arm in left_out(names).items()}
    return Weighed(
        names=names,
        pulls=pulls,
        arms=arms,
        choice=choice,
        answers=answers(scores, present(arms, BALANCED), parts, margin, larger),
        trials=tuple(trials),
        notes=(*notes, *notes_on_choice(arms, choice, scores, untrained, larger)),
        untrained=untrained,
        higher_is_better=larger,
        how=how,
    )
