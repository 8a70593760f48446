"""A problem of ten lines, for every test of the sweep."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import IterableDataset

from amnl import five_point_sweep
from amnl.combine import FIVE
from amnl.combiners import FixedWeightLoss
from amnl.weigh import FivePoint, Problem, ProblemError

draw = torch.Generator().manual_seed(0)
X = torch.randn(40, 3, generator=draw)
Y = X.sum(1) + torch.randn(40, generator=draw)
Z = (X[:, 0] > 0).long()
TRAIN = (X, Y, Z)


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))


def losses(model: nn.Module, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    out = model(batch[0])
    return mse_loss(out[:, 0], batch[1]), cross_entropy(out[:, 1:], batch[2])


def metric(model: nn.Module, val: Sequence[Tensor]) -> float:
    return float(mse_loss(model(val[0])[:, 0], val[1]))


SMALL: dict[str, Any] = {"margin": 0.1, "epochs": 2, "batch_size": 20, "lr": 0.02}


def sweep(**changes: Any) -> FivePoint:
    """The small problem, with changes."""
    parts: dict[str, Any] = {"build": build, "losses": losses, "metric": metric}
    return five_point_sweep(
        **{**parts, "train": TRAIN, "val": TRAIN, "seeds": 2, **SMALL, **changes}
    )


def seeded_build() -> nn.Module:
    torch.manual_seed(0)
    return build()


class Plain(nn.Module):
    """A combiner that does not take extras."""

    def __init__(self, lam: float) -> None:
        super().__init__()
        self.lam = lam

    def forward(self, primary: Tensor, auxiliary: Tensor) -> Tensor:
        return self.lam * primary + (1 - self.lam) * auxiliary


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(zip(*TRAIN, strict=True))


class LongStream(Stream):
    def __len__(self) -> int:
        return 40


class Scored(NamedTuple):
    rmse: float


FRAME = pd.DataFrame({"a": X[:, 0].numpy(), "y": Y.numpy()})


def problem(**changes: Any) -> Problem:
    parts: dict[str, Any] = {"build": build, "losses": losses, "metric": metric}
    parts |= {"train": TRAIN, "val": TRAIN, "combiner": FixedWeightLoss.convex}
    parts |= {"epochs": 2, "batch_size": 20, "lr": 0.02, "dtype": torch.float32}
    return Problem(**{**parts, **changes})


def table(means: Sequence[float], spread: float = 0.1, seeds: int = 5) -> dict[float, list[float]]:
    """Scores at the five weights with these means exactly, and luck that seeds mostly share."""
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(len(means), seeds))
    noise -= noise.mean(axis=1, keepdims=True)
    shared = rng.normal(size=seeds) * 10
    values = np.array(means)[:, None] + spread * noise + shared - shared.mean()
    return dict(zip(FIVE, values.tolist(), strict=True))


def assert_refused(changes: dict[str, Any], words: str, folder: Path) -> None:
    """Nothing is written, and the message is one line."""
    with pytest.raises(ProblemError, match=words) as caught:
        sweep(**{"store": folder / "runs", **changes})
    assert "\n" not in str(caught.value)
    assert not list(folder.rglob("*.json"))
