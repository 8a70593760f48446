"""How hard each task pulls on the parameters that both reach."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from amnl.combiners import task_gradients
from amnl.minus import minus_signs
from amnl.weigh.check_losses import two_losses
from amnl.weigh.data import batches
from amnl.weigh.problem import Problem, ProblemError

_PROBED = 4  # batches for gradient norms
_ALIKE = 1.05  # pulls that differ by less are called alike


@dataclass(frozen=True)
class Scale:
    """How hard the two tasks pull on the parameters that both reach; means over batches.

    Examples
    --------
    >>> loud = Scale(primary=30.0, auxiliary=10.0, cosine=0.1)
    >>> loud.ratio, loud.balanced_lam
    (3.0, 0.25)
    """

    primary: float  # length of the gradient of the primary loss, unweighted
    auxiliary: float  # and of the auxiliary one
    cosine: float  # of the angle between them

    @property
    def ratio(self) -> float | None:
        """Pull of the primary task over that of the auxiliary one; None where one does not pull."""
        pulls = self.primary > 0 and self.auxiliary > 0
        return self.primary / self.auxiliary if pulls else None

    @property
    def balanced_lam(self) -> float | None:
        """The λ at which both pull equally. Dividing the primary loss by `ratio` makes it 0.5."""
        return None if self.ratio is None else 1.0 / (1.0 + self.ratio)

    def __str__(self) -> str:
        if self.ratio is None:
            idle = "auxiliary" if self.primary > 0 else "primary"
            return f"the {idle} task does not pull at all (a last layer that starts at zero?)"
        louder = "primary" if self.ratio >= 1 else "auxiliary"
        times = max(self.ratio, 1 / self.ratio)
        cosine = minus_signs(f"cosine {self.cosine:+.2f}")
        if times < _ALIKE:
            return f"both tasks pull alike at 0.5 ({cosine})"
        return (
            f"the {louder} task pulls {three_digits(times)} times as hard as the other "
            f"({cosine}); both pull alike at λ = {self.balanced_lam:.3g}, or at 0.5 with "
            f"the primary loss divided by {three_digits(self.ratio)} (a squared error: its unit "
            f"times {three_digits(math.sqrt(self.ratio))})"
        )


def three_digits(value: float) -> str:
    """1590, not 1.59e+03."""
    return f"{float(f'{value:.3g}'):.15g}"


def mean_scale(scales: Sequence[Scale]) -> Scale:
    """The mean of each of the three numbers."""
    return Scale(*np.mean([dataclasses.astuple(s) for s in scales], axis=0).tolist())


def measured_scale(problem: Problem, model: nn.Module, shared: Sequence[Tensor]) -> Scale:
    """The scale of a model on a few batches. Raises `ProblemError` where it is not finite."""
    found = []
    order = torch.Generator().manual_seed(0)
    for batch in itertools.islice(batches(problem.train, problem.batch_size, order), _PROBED):
        primary, auxiliary = task_gradients(two_losses(problem, model, batch), shared)
        cosine = torch.cosine_similarity(primary, auxiliary, dim=0)
        found.append(Scale(float(primary.norm()), float(auxiliary.norm()), float(cosine)))
    mean = mean_scale(found)
    if not all(map(math.isfinite, dataclasses.astuple(mean))):
        raise ProblemError(f"a gradient is not finite: {mean}; look for a root or a norm at zero")
    return mean
