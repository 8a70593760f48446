"""Did the runs differ where they should?"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from amnl.weigh.problem import ProblemError

_SAME = 1e-5  # relative: pulls closer than that come from one and the same training


class _Ended(Protocol):
    """A training that ended."""

    @property
    def score(self) -> Any: ...
    @property
    def pulls(self) -> tuple[float, ...]: ...


def check_scores(runs: Sequence[_Ended]) -> None:
    """Raises `ProblemError` where all scores are one."""
    scores = np.array([run.score for run in runs])
    if np.ptp(scores) == 0:
        raise ProblemError(
            f"all {len(runs)} runs have the metric {scores[0]:.6g}: it does not look at the model, "
            "or it is saturated. Take one that moves"
        )


def check_runs(runs: Sequence[_Ended], lams: int, seeds: int) -> None:
    """Raises `ProblemError` where all scores are one, or no λ or no seed changes the training.

    `runs` has all `lams` weights of a seed, then those of the next. Trainings are told apart by the
    pulls after them, as scores may tie.
    """
    check_scores(runs)
    pulls = np.array([run.pulls for run in runs])
    pulls = pulls.reshape(seeds, lams, -1)
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
