"""Windows on a device, and how an epoch of them is cut."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import ONE, SMALL

from amnl import cmapss
from amnl.training import (
    Batches,
    Trainer,
)
from amnl.training.batches import in_batches


@pytest.fixture(scope="module")
def data(ten_engines: Path, own_cache: None) -> cmapss.Data:
    return cmapss.load("FD001", SMALL.seed, ten_engines, stride=SMALL.stride)


def test_batches_are_the_windows(data: cmapss.Data) -> None:
    batches = Batches(data.train, torch.device("cpu"), torch.float32)
    index = torch.tensor([5, 0, len(batches) - 1])
    np.testing.assert_array_equal(batches.inputs(index).numpy(), data.train.gather(index.numpy()))


@pytest.mark.parametrize(
    ("windows", "batch_size", "sizes"),
    [
        (5, 1, [1] * 5),
        (1, 1, [1]),
        (1, 256, [1]),
        (5, 2, [2, 2]),
        (4, 2, [2, 2]),
        (3, 2, [2]),
        (5, 8, [5]),
    ],
)
def test_a_lone_window_is_left_out_where_it_is_left_over(
    windows: int, batch_size: int, sizes: list[int]
) -> None:
    assert [len(b) for b in in_batches(torch.arange(windows), batch_size)] == sizes


def test_batches_of_one_train(data: cmapss.Data) -> None:
    trained = Trainer(dataclasses.replace(ONE, batch_size=1), data).fit()
    assert np.isfinite(trained.history[0]["loss"])
