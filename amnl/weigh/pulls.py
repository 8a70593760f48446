"""How hard each of K losses pulls on the parameters it shares with the primary one.

Gradient norms and the angles between gradients, nothing else: no logarithm, ratio or sign of a
loss's value is taken, so a constant added to a loss changes nothing here.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from amnl.combiners import task_gradients
from amnl.minus import minus_signs
from amnl.weigh.check_losses import check_each
from amnl.weigh.data import batches, row_count
from amnl.weigh.problem import NotFinite, Problem, ProblemError
from amnl.weigh.run import trained
from amnl.weigh.scale import three_digits
from amnl.weigh.seeding import seeded

_PROBED = 4  # batches of a fresh model
_OPPOSED = 0.1  # gradients that cancel: a step is never called shorter than this share of its parts
_ALIKE = 1.05  # pulls that differ by less are called alike


@dataclass(frozen=True)
class Pulls:
    """Lengths of the losses' gradients, and the cosines between them; the primary loss is first.

    Examples
    --------
    >>> pulls = Pulls(("mse", "ce"), (300.0, 3.0), ((1.0, 0.0), (0.0, 1.0)))
    >>> print(pulls)
    mse pulls 100 times as hard as ce (cosine +0.00)
    >>> pulls.shares((0.5, 0.5))
    (0.9900990099009901, 0.009900990099009901)
    """

    names: tuple[str, ...]
    norms: tuple[float, ...]
    cosines: tuple[tuple[float, ...], ...] = ()  # (K, K); empty where only the norms are known
    step: int = 0  # of training, at which they were measured first; 0 is a fresh model
    first: tuple[int, ...] = ()  # the step from which each loss pulls, where not all do at 0

    def shares(self, weights: Sequence[float]) -> tuple[float, ...]:
        """What part of all pull each loss has under these weights."""
        pulled = [w * n for w, n in zip(weights, self.norms, strict=True)]
        return tuple(p / sum(pulled) for p in pulled)

    def length(self, weights: Sequence[float]) -> float:
        """How long the gradient of the weighted sum is."""
        parts = np.multiply(weights, self.norms)
        if not self.cosines:
            return math.sqrt(float(parts @ parts))  # as of gradients at right angles
        square = float(parts @ np.array(self.cosines) @ parts)
        return math.sqrt(max(square, _OPPOSED**2 * float(parts @ parts)))

    def __str__(self) -> str:
        (main, *others), (pull, *norms) = self.names, self.norms
        said = []
        for k, (name, norm) in enumerate(zip(others, norms, strict=True), start=1):
            loud, quiet = (main, name) if pull >= norm else (name, main)
            times = max(pull, norm) / min(pull, norm)
            how = (
                f"{loud} pulls {three_digits(times)} times as hard as {quiet}"
                if times >= _ALIKE
                else f"{main} and {name} pull alike"
            )
            angle = minus_signs(f" (cosine {self.cosines[0][k]:+.2f})") if self.cosines else ""
            said.append(how + angle)
        for k, one in enumerate(self.names[1:], start=1):
            for m, other in enumerate(self.names[k + 1 :], start=k + 1):
                if self.cosines:
                    cosine = minus_signs(f"{self.cosines[k][m]:+.2f}")
                    said.append(f"{one} to {other}: cosine {cosine}")
        return "; ".join(said)


def measured_pulls(losses: Mapping[str, Tensor], parameters: Iterable[Tensor]) -> Pulls:
    """How hard each loss of one batch pulls on the parameters, such as those of a shared trunk.

    Parameters
    ----------
    losses
        0-D tensors with a graph, by name, the primary one first. The graph is kept.
    parameters
        Where gradients are compared; frozen ones are left out, and one that a loss does not reach
        counts as 0.

    Raises
    ------
    ProblemError
        For a loss without a gradient, or whose gradient is 0 or not finite there.

    Examples
    --------
    >>> w = torch.tensor([1.0, 1.0], requires_grad=True)
    >>> measured_pulls({"a": 3 * w[0], "b": w[1]}, [w]).norms
    (3.0, 1.0)
    """
    check_each({f"the loss {name}": loss for name, loss in losses.items()})
    found = mean_pulls(tuple(losses), [pulls_of([*losses.values()], _trained(parameters))])
    for name, norm in zip(losses, found.norms, strict=True):
        if not norm:
            raise ProblemError(
                f"the pull of the loss {name} is 0 at these parameters: it does not reach them "
                "(.detach()?), or does not pull yet; then measure it later in training"
            )
    return found


def _trained(parameters: Iterable[Tensor]) -> list[Tensor]:
    return [p for p in parameters if p.requires_grad]


def pulls_of(losses: Sequence[Tensor], parameters: Sequence[Tensor]) -> tuple[list[float], Tensor]:
    """Gradient norms of losses, and the cosines between them (K, K); a loss that does not reach a
    parameter has the gradient 0 there, and a gradient of 0 the cosine 0."""
    gradients = [g.double() for g in task_gradients(losses, parameters)]
    norms = [float(g.norm()) for g in gradients]
    units = [g / norm if norm else g for g, norm in zip(gradients, norms, strict=True)]
    stacked = torch.stack(units)
    return norms, stacked @ stacked.T


def mean_pulls(
    names: Sequence[str],
    measured: Sequence[tuple[Sequence[float], Tensor]],
    step: int = 0,
    first: tuple[int, ...] = (),
) -> Pulls:
    """Means over batches. Raises `NotFinite` where a gradient is not."""
    norms = np.mean([norms for norms, _ in measured], axis=0)
    cosines = np.mean([table.cpu().numpy() for _, table in measured], axis=0)
    np.fill_diagonal(cosines, 1.0)
    for name, norm in zip(names, norms, strict=True):
        if not math.isfinite(norm):
            raise NotFinite(
                f"the gradient of {name} is not finite; look for a root or a norm at zero"
            )
    rows = tuple(map(tuple, cosines.tolist()))
    return Pulls(tuple(names), tuple(norms.tolist()), rows, step, first)


def fresh_pulls(
    problem: Problem, model: nn.Module, shared: Sequence[Tensor], names: Sequence[str]
) -> Pulls:
    """The pulls of a model as it is, over a few batches; a norm may be 0."""
    order = torch.Generator().manual_seed(0)
    some = itertools.islice(batches(problem.train, problem.batch_size, order), _PROBED)
    return mean_pulls(names, [pulls_of(problem.each_loss(model, batch), shared) for batch in some])


class _Enough(Exception):
    """Ends a training that is only watched."""


def later_pulls(
    problem: Problem, shared: Sequence[str], names: Sequence[str], weights: Sequence[float]
) -> Pulls:
    """The pulls over one epoch from the first step at which every loss pulls.

    For a loss that is 0 at the start, or a layer that starts at zero. The model is trained with
    `weights` till then. Raises `ProblemError` that names a loss which never pulls.
    """
    epoch = -(-row_count(problem.train) // problem.batch_size)
    steps: list[tuple[list[float], Tensor]] = []
    first = [0] * len(names)

    def watch(losses: Sequence[Tensor], common: Sequence[Tensor]) -> None:
        steps.append(pulls_of(losses, common))
        for k, norm in enumerate(steps[-1][0]):
            first[k] = first[k] or len(steps) * (norm > 0)
        if all(first) and len(steps) >= max(first) + epoch - 1:
            raise _Enough

    try:
        with seeded(0, problem.dtype):
            trained(problem, shared, tuple(weights), 0, "your weights", watch)
    except _Enough:
        pass
    for name, step in zip(names, first, strict=True):
        if not step:
            raise ProblemError(
                f"the loss {name} has the gradient 0 at the shared parameters in all "
                f"{len(steps)} steps of a training: no weight of it changes the others. Is it cut "
                "off (.detach()), or does it begin later than that (epochs=)?"
            )
    at = max(first)
    return mean_pulls(names, steps[at - 1 :], at, tuple(first))
