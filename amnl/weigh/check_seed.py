"""Does a seed, and nothing else, decide what `build` makes?"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from amnl.weigh.problem import ProblemError


def check_seed(models: Sequence[Any], same_start: bool) -> None:
    """Raises `ProblemError` unless models built with seeds 0, 0 and 1 are alike, alike, and not.

    With `same_start` the third may be as the others.
    """
    for model in models:
        if not isinstance(model, nn.Module):
            raise ProblemError(f"build() returned {type(model).__name__}, not a torch.nn.Module")
        if any(nn.parameter.is_lazy(p) for p in model.parameters()):
            raise ProblemError(
                "build() returned a model with lazy layers, which have no weights yet; give their "
                "sizes, or run the model once on a batch in build"
            )
    first, again, other = (
        {name: p for name, p in m.named_parameters() if p.requires_grad} for m in models
    )
    if not first:
        raise ProblemError("build() returned a model without parameters to train")
    if {id(p) for p in first.values()} & {id(p) for p in again.values()}:
        raise ProblemError(
            "build() returns the same parameters each time, so that each run would go on where the "
            "last one stopped; make the model inside build, or copy.deepcopy what it starts from"
        )
    if not _equal(first, again):
        raise ProblemError(
            "build() gives other weights for the same seed: it draws from a generator of its own, "
            "or keeps something between calls. Runs could not be paired; draw from torch's, "
            "NumPy's or Python's global random state"
        )
    if _equal(first, other) and not same_start:
        raise ProblemError(
            "the seed is ignored: build() gives the same weights for seeds 0 and 1. Take "
            "torch.manual_seed out of it; where it starts from stored weights on purpose, say "
            "same_start=True"
        )


def _equal(some: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    return some.keys() == others.keys() and all(torch.equal(p, others[k]) for k, p in some.items())
