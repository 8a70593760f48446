"""Data that cannot be put in an order are named."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_problem import FRAME, TRAIN, LongStream, Stream, X, Y, Z, assert_refused, sweep
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": tuple(t[:3] for t in TRAIN)}, "train has 3 rows.*10"),
        ({"val": tuple(t[:3] for t in TRAIN)}, "val has 3 rows"),
        ({"val": DataLoader(TensorDataset(*(t[:3] for t in TRAIN)))}, "val has 3 rows"),
        ({"train": (X, Y[:30], Z)}, r"\[30, 40\] rows"),
        ({"train": (X.numpy(), Y.numpy())}, "ndarray, ndarray.*as_tensor"),
        ({"train": DataLoader(TensorDataset(*TRAIN))}, "DataLoader.*train.dataset"),
        ({"train": 7}, "train is int"),
        ({"train": FRAME}, "train is DataFrame; .*tuple of tensors.*to_numpy"),
        ({"train": FRAME["y"]}, "train is Series; .*tuple of tensors"),
        ({"train": pd.DataFrame(np.zeros((40, 40)))}, "train is DataFrame"),
        ({"train": (FRAME, FRAME)}, "tuple of DataFrame, DataFrame"),
        ({"train": {"x": X, "y": Y}}, r"train is dict of x, y; .*tuple\(train.values"),
        ({"train": Stream()}, "train is Stream; .*Dataset with a length"),
        ({"train": LongStream()}, "train is LongStream; .*Dataset with a length"),
        ({"train": (row for row in zip(*TRAIN, strict=True))}, "train is generator; .*Dataset"),
        ({"train": "train.csv and so on"}, "train is str; .*Dataset"),
        ({"train": Path("train.csv")}, "train is .*Path; .*Dataset"),
        ({"train": list(X.repeat(1, 2))}, r"list of 40 tensors of 6 rows.*torch.stack\(train\)"),
        ({"train": (X, Y, torch.tensor(1.0))}, r"\[0, 40\] rows"),
        ({"train": [(x, None) for x in X]}, "rows of train do not make a batch.*NoneType"),
        ({"train": [X[0, : 1 + k % 2] for k in range(40)]}, r"tensors of train have \[1, 2\] rows"),
        ({"train": [(X[0, : 1 + k % 2], 1) for k in range(40)]}, "do not make a batch.*equal size"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_a_way_out(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert_refused(changes, words, tmp_path)


def test_a_last_batch_of_one_is_dropped() -> None:
    def with_norm() -> nn.Module:
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 3))

    for batch_size in (13, 3):  # 40 = 3 · 13 + 1
        sweep(build=with_norm, batch_size=batch_size)
        sweep(build=with_norm, batch_size=batch_size, train=list(zip(*TRAIN, strict=True)))
