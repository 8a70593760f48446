"""A model that the seed does not decide is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_problem import (
    assert_refused,
    build,
    seeded_build,
    sweep,
)
from torch import nn

own_generator = np.random.default_rng()


def moody_build() -> nn.Module:
    model = build()
    nn.init.constant_(model[0].bias, own_generator.random())
    return model


ONE_MODEL = build()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"build": seeded_build}, "seed is ignored.*torch.manual_seed.*same_start"),
        ({"build": moody_build}, "other weights for the same seed"),
        ({"build": lambda: ONE_MODEL}, "same parameters each time"),
        ({"build": lambda: None}, "build.*NoneType.*Module"),
        ({"build": nn.Flatten}, "without parameters"),
        ({"build": lambda: nn.Linear}, "returned type, not a torch.nn.Module"),
        ({"build": lambda: nn.LazyLinear(3)}, "lazy layers"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_a_way_out(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert_refused(changes, words, tmp_path)


def test_a_stored_start_is_fine_when_it_is_meant() -> None:
    found = sweep(build=seeded_build, same_start=True)
    assert any("same_start" in note for note in found.notes)
