"""The warning where a combiner's own parameters were forgotten in the optimiser."""

import warnings

import pytest
import torch

from amnl.combiners import GradNormLoss


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_weights_that_nothing_pulls_at_are_not_called_forgotten(scale: float) -> None:
    """Without a label in any batch they have to stand still, whatever the optimiser does."""
    combiner, matrix = GradNormLoss(), torch.ones(2, 2, requires_grad=True)
    said = []
    for _ in range(102):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            losses = matrix[0, 0], 3 * scale * matrix[0, 1]
            combiner(*losses, shared_params=[matrix]).backward()
        said.append(len(caught))
    assert said == [0] * 100 + [int(scale > 0), 0], "once, after a hundred passes"
