"""Settings and functions of another kind are named."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_problem import TRAIN, Scored, assert_refused, build, losses, metric
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from amnl import five_point_sweep
from amnl.combiners import FixedWeightLoss


def of_one(batch: Any) -> Any:
    return losses(build(), batch)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lams": (0.5, 1.2)}, r"λ.*\[0, 1\].*1\.2"),
        ({"lams": (-0.1, 0.5)}, r"λ.*\[0, 1\].*-0\.1"),
        ({"lams": (0.5, math.nan)}, r"λ.*nan"),
        ({"lams": (0.5,)}, "at least two λ"),
        ({"lams": (0.5, 0.5)}, "each once"),
        ({"margin": 0}, "margin.*pay for"),
        ({"seeds": 0}, "seeds.*0"),
        ({"epochs": 0}, "epochs.*0"),
        ({"lr": -1.0}, "lr.*-1"),
        ({"seeds": [0, 1]}, r"seeds must be a whole number.*\[0, 1\] \(list\).*2 means"),
        ({"seeds": range(3)}, r"seeds.*range\(0, 3\)"),
        ({"seeds": True}, "seeds.*True"),
        ({"seeds": 2.5}, r"seeds.*2\.5"),
        ({"seeds": None}, "seeds.*None"),
        ({"seeds": math.inf}, "seeds.*inf"),
        ({"seeds": math.nan}, "seeds.*nan"),
        ({"seeds": "2"}, r"seeds.*'2' \(str\)"),
        ({"epochs": "3"}, r"epochs must be a whole number.*'3' \(str\)"),
        ({"epochs": -1}, "epochs.*-1"),
        ({"batch_size": 0.5}, r"batch_size.*0\.5"),
        ({"batch_size": None}, "batch_size.*None"),
        ({"lr": "fast"}, r"lr must be a positive number.*'fast' \(str\)"),
        ({"lr": [1e-3, 1e-4]}, r"lr.*\(list\)"),
        ({"lr": np.array([1e-3])}, r"lr.*\(ndarray\)"),
        ({"margin": None}, r"margin must be a positive number, got None.*pay for"),
        ({"margin": "0.1"}, r"margin.*'0\.1' \(str\).*pay for"),
        ({"margin": torch.ones(2)}, r"margin.*\(Tensor\)"),
        ({"margin": math.nan}, "margin.*nan"),
        ({"lams": 0.5}, "two λ.*got 0.5.*such as"),
        ({"lams": "0.3,0.5"}, r"two λ.*'0.3,0.5' \(str\)"),
        ({"lams": ("0.3", "0.5")}, r"two λ, each a number.*'0.3'"),
        ({"lams": None}, "two λ.*None"),
        ({"lams": [[0.3, 0.5]]}, r"two λ.*\[\[0.3"),
        ({"higher_is_better": "no"}, "higher_is_better must be True or False.*'no'"),
        ({"same_start": None}, "same_start must be True or False"),
        ({"store": 7}, "store must be the name of a folder, got 7"),
        ({"client": "tcp://here:8786"}, r"client must be.*Dask.*'tcp://here:8786' \(str\)"),
        ({"build": build()}, "build is a model, Sequential; a function"),
        ({"build": lambda width: nn.Linear(3, width)}, r"called as build\(\).*\(width\) does not"),
        ({"build": nn.Linear}, r"called as build\(\).*Linear\(in_features"),
        ({"losses": of_one}, r"called as losses\(model, batch\), but of_one\(batch.*does not"),
        ({"losses": (mse_loss, cross_entropy)}, r"losses is \(.*a function losses\(model, batch\)"),
        ({"losses": None}, "losses is None.*a function"),
        ({"metric": lambda model: 1.0}, r"called as metric\(model, val\).*\(model\) does not"),
        ({"metric": 0.5}, "metric is 0.5; a function"),
        ({"metric": Scored}, r"called as metric\(model, val\), but Scored"),
        ({"combiner": "amnl"}, r"combiner is 'amnl' \(str\); a function combiner\(lam\)"),
        ({"combiner": FixedWeightLoss.convex(0.5)}, r"called as combiner\(lam\)"),
        ({"tell": True}, "tell is True; a function"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_a_way_out(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert_refused(changes, words, tmp_path)


def test_a_forgotten_margin_is_named() -> None:
    with pytest.raises(TypeError, match="'margin'"):
        five_point_sweep(build, losses, metric, TRAIN, TRAIN)  # type: ignore[call-arg]
