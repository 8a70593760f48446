"""A metric that is of no use is named."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_problem import (
    TRAIN,
    Scored,
    X,
    Y,
    Z,
    assert_refused,
    metric,
    sweep,
)
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from amnl.weigh import ProblemError


def wearing(model: nn.Module, val: Any) -> float:
    val[0].mul_(0.97)
    return metric(model, val)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": lambda m, v: math.nan}, "metric is nan.*before training"),
        ({"metric": lambda m, v: float(torch.rand(()))}, "metric of one model is .* at random"),
        ({"metric": wearing, "val": tuple(t.clone() for t in TRAIN)}, "changes the model or val"),
        ({"metric": lambda m, v: None}, "metric.*NoneType.*one number"),
        ({"metric": lambda m, v: m(v[0])}, r"metric.*Tensor.*one number"),
        ({"val": DataLoader(TensorDataset(X, Y), 7, shuffle=True),
          "metric": lambda m, v: torch.cat([m(b[0])[:, 0] for b in v])[0]},
         "order each time.*shuffle=True.*shuffle=False"),
        ({"val": {"test": DataLoader(TensorDataset(X, Y), 7, shuffle=True)},
          "metric": lambda m, v: next(m(b[0])[0, 0] for b in v["test"])}, "shuffle=True"),
        ({"metric": lambda m, v: {"rmse": 1.0}}, "metric.*returned dict; one number"),
        ({"metric": lambda m, v: Scored(1.0)}, "metric.*returned Scored; one number"),
        ({"metric": lambda m, v: torch.ones(3)}, r"metric.*Tensor torch.Size\(\[3\]\); one number"),
        ({"metric": lambda m, v: "0.5"}, "metric.*returned str; one number"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_a_way_out(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert_refused(changes, words, tmp_path)


def test_a_metric_that_turns_nan_names_its_run() -> None:
    def turning(model: nn.Module, val: Any) -> float:
        calls.append(1)
        return math.nan if len(calls) > 5 else float(max(2, len(calls)))

    calls: list[int] = []
    with pytest.raises(ProblemError, match=r"metric is nan \(λ = 0\.6, seed 0\)"):
        sweep(metric=turning)


def test_a_fresh_model_is_scored_as_it_was_built() -> None:
    """Trying the losses out moves the statistics of a BatchNorm."""

    def with_norm() -> nn.Module:
        return nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3))

    torch.manual_seed(0)
    fresh = with_norm().eval()
    shifted = (10 * X + 5, Y, Z)
    assert sweep(build=with_norm, train=shifted).untrained == metric(fresh, TRAIN)
