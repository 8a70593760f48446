"""What a trainer asks of a combiner that it is given."""

from pathlib import Path

import pytest
import torch
from small_runs import ONE, SMALL, Stranger, comparable

from amnl import cmapss
from amnl.combiners import FixedWeightLoss, make_combiner
from amnl.training import Trainer


@pytest.fixture(scope="module")
def data(ten_engines: Path, own_cache: None) -> cmapss.Data:
    return cmapss.load("FD001", SMALL.seed, ten_engines, stride=SMALL.stride)


def test_weights_that_are_no_numbers_are_named(data: cmapss.Data) -> None:
    combiner = Stranger()
    combiner.get_weights = lambda: {"rul_weight": torch.ones(2)}  # type: ignore
    with pytest.raises(ValueError, match="get_weights of Stranger must give a number"):
        Trainer(ONE, data, combiner=combiner).fit()


@pytest.mark.parametrize("name", ["amnl", "gaba", "gradnorm", "uncertainty", "dwa"])
def test_a_combiner_with_a_state_trains_once(data: cmapss.Data, name: str) -> None:
    """The second would go on from the first's weights."""
    combiner = make_combiner(name)
    Trainer(ONE, data, combiner=combiner)
    with pytest.raises(ValueError, match=r"was given to another trainer.*make a new one for each"):
        Trainer(ONE, data, combiner=combiner)


def test_a_combiner_without_a_state_may_train_again(data: cmapss.Data) -> None:
    combiner = FixedWeightLoss.convex(0.3)
    first, second = (Trainer(ONE, data, combiner=combiner).fit() for _ in range(2))
    assert comparable(first) == comparable(second)
