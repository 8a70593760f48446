"""One training: what a seed fixes, and where it ends."""

from typing import Any

import pytest
import torch
from small_problem import sweep
from torch import Tensor

from amnl.combiners import FixedWeightLoss
from amnl.weigh import ProblemError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": 1e30}, "not finite.*lr"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_a_way_out(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ProblemError, match=f"(?s){words}"):
        sweep(**changes)


def test_common_random_numbers() -> None:
    """Of one seed, runs at different weights start from the same weights and see the same rows."""
    seen: dict[float, list[Tensor]] = {}

    def noting(lam: float) -> Any:
        class Noting(FixedWeightLoss):
            def forward(self, primary: Tensor, auxiliary: Tensor, **extras: Any) -> Tensor:
                seen.setdefault(lam, []).append(primary.detach())
                return super().forward(primary, auxiliary, **extras)

        return Noting(lam, 1 - lam)

    sweep(combiner=noting, lams=(0.4, 0.6), seeds=2)
    some, others = seen[0.4][1:], seen[0.6]  # the trial is at the first weight
    assert len(some) == len(others) == 2 * 4  # steps of two seeds
    assert torch.equal(some[0], others[0]) and torch.equal(some[4], others[4])
    assert not torch.equal(some[0], some[4])
