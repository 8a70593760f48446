"""The five-point sweep on a reader's own two-task problem, with an answer that can say "flat".

Bring a function that builds a model, one that gives its two losses on a batch, one that scores it,
and data. `five_point_sweep` first measures how hard each task pulls, then trains a few weights with
a few seeds, pairs them by seed, and says which weight to take and how sure that is: `decide` has
the rule. Source: the advice of chapter 15.1, five weights and short runs; the checks and the
statistics are ours.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from amnl.combine import FIVE
from amnl.combiners import FixedWeightLoss
from amnl.weigh.check import check
from amnl.weigh.check_runs import check_runs
from amnl.weigh.data import check_data
from amnl.weigh.decision import decide
from amnl.weigh.grid import Work, all_runs
from amnl.weigh.inputs import (
    check_functions,
    check_rest,
    count,
    positive,
    seeds_and_margin,
    weights,
)
from amnl.weigh.notes import notes_on
from amnl.weigh.problem import Losses, Metric, Problem
from amnl.weigh.result import FivePoint, Settings, scores_by_lam
from amnl.weigh.run import Run, run
from amnl.weigh.scale import mean_scale
from amnl.weigh.store import RunStore

if TYPE_CHECKING:
    from distributed import Client


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

    A seed fixes the initial weights, the batch order and whatever else draws from global random
    states, for every λ alike. Training is AdamW at a constant `lr`, gradients clipped to norm 1,
    for `epochs`. A last batch of one row is dropped: too few for BatchNorm.

    The five points mean little where one task pulls a hundred times as hard as the other; the scale
    check at the top of the result says what to divide by.

    Parameters
    ----------
    build
        () → a model with fresh weights, from PyTorch's, NumPy's or Python's global random state;
        put it on a GPU here if you want one.
    losses
        (model, batch) → the primary and the auxiliary loss, two 0-D tensors.
    metric
        (model, val) → the primary score as a float; called once, after the last epoch, in eval
        mode, without gradients, with `val` just as you gave it. The last epoch, since the best
        epoch of the very score that is compared would flatter every weight.
    train
        A Dataset, or a tuple of tensors with one row a sample; a batch is what a DataLoader gives,
        or a tuple of tensors.
    val
        Whatever `metric` takes.
    margin
        The smallest difference of the metric that you would pay for. It decides what "flat" means,
        so name it before you look.
    lams
        The weights to try, in [0, 1].
    seeds
        How many; 2 means the seeds 0 and 1.
    combiner
        λ → what combines the two losses, called `combiner(primary, auxiliary, shared_params=…,
        model=…)`; for a registered one
        `lambda lam: make_combiner("amnl", rul_weight=lam, health_weight=1 - lam)`.
    same_start
        `build` starts from stored weights on purpose; seeds then differ in batch order, dropout and
        the like alone.
    store
        A folder that keeps finished runs: the same call goes on from there, and another problem, or
        more seeds, may share it. Two sweeps at once may do a run twice, which harms nothing. A run
        is known by the bytecode of your functions and of the helpers in your modules, the values
        they hold, every byte of tensors and arrays, every row of a Dataset, and the settings.
        Changes in installed packages, and in files that a function or a stream reads, go unnoticed:
        take another folder then. Where a value cannot be looked into, as an open file, nothing is
        kept, and a note says so.
    client
        A Dask client: each run becomes one task; without one, runs go one after another here. Each
        run has one thread and your default dtype, so both give the same numbers. On other machines
        the modules that your functions import must be installed.
    tell
        Called with lines of progress, such as `print`.

    Raises
    ------
    ProblemError
        For a problem that cannot be swept; it names the way out.
    StoreError
        For a damaged record.

    Examples
    --------
    >>> x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    >>> data = x, torch.stack([x.sum(1), x[:, 0]], 1)
    >>> def errors(model, rows):
    ...     return (model(rows[0]) - rows[1]).square().mean(0)
    >>> found = five_point_sweep(
    ...     build=lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)),
    ...     losses=lambda model, batch: tuple(errors(model, batch)),
    ...     metric=lambda model, val: errors(model, val)[0],
    ...     train=data, val=data, margin=1.0, seeds=3, epochs=5, batch_size=20, lr=0.02,
    ... )
    >>> found.verdict, found.recommended
    ('flat', 0.5)
    """
    lams = weights(lams)
    seeds, margin = seeds_and_margin(seeds, margin)
    epochs, batch_size = count("epochs", epochs), count("batch_size", batch_size)
    lr = positive("lr", lr)
    check_functions(build=build, losses=losses, metric=metric, combiner=combiner, tell=tell)
    check_rest(higher_is_better, same_start, store, client)
    larger = bool(higher_is_better)
    check_data(train, val)
    dtype = torch.get_default_dtype()
    problem = Problem(build, losses, metric, train, val, combiner, epochs, batch_size, lr, dtype)
    stored = RunStore(store, problem, Run)
    checked = check(problem, lams, same_start)
    stored.look_again(problem)
    for note in stored.notes:
        tell(note)
    tell(f"before training, {checked.scale}")
    cells = [(lam, seed) for seed in range(seeds) for lam in lams]  # early stops have whole seeds
    work = Work(run, (problem, checked.shared), client)
    runs = all_runs(cells, stored, work, tell, lambda r: f"λ = {r.lam:g}, seed {r.seed}")
    check_runs(runs, len(lams), seeds)
    scores = scores_by_lam(runs)
    decision = decide(scores, margin, larger)
    noted = notes_on(decision, scores, checked.scale, checked.untrained, larger)
    settings = Settings(epochs=epochs, batch_size=batch_size, lr=lr, higher_is_better=larger)
    return FivePoint(
        before=checked.scale,
        after=mean_scale([run.scale for run in runs if run.lam == decision.reference]),
        untrained=checked.untrained,
        decision=decision,
        runs=tuple(runs),
        notes=(*checked.notes, *stored.notes, *noted),
        settings=settings,
    )
