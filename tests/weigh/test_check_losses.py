"""Losses that no sweep can combine are named."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_problem import assert_refused, losses, sweep
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss


def one_loss(model: nn.Module, batch: Any) -> Any:
    return sum(losses(model, batch))


def of_rows(model: nn.Module, batch: Any) -> Any:
    return (model(batch[0])[:, 0] - batch[1]) ** 2, losses(model, batch)[1]


def detached(model: nn.Module, batch: Any) -> Any:
    first, second = losses(model, batch)
    return first.detach(), second


def infinite(model: nn.Module, batch: Any) -> Any:
    first, second = losses(model, batch)
    return first / 0, second


def of_columns(model: nn.Module, batch: Any) -> Any:
    out = model(batch[0])
    return mse_loss(out[:, :1], batch[1]), cross_entropy(out[:, 1:], batch[2])


class TwoModels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 1), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.a(x), self.b(x)], 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"losses": one_loss}, "one tensor.*primary and the auxiliary"),
        ({"losses": lambda m, b: (*losses(m, b), losses(m, b)[0])}, "tuple of 3"),
        ({"losses": of_rows}, r"primary loss.*\(20,\).*0-D"),
        ({"losses": detached}, "primary loss.*without a gradient.*detach"),
        ({"losses": infinite}, "primary loss is inf"),
        ({"losses": lambda m, b: (losses(m, b)[0], 0.0)}, "auxiliary loss is float"),
        ({"losses": of_columns}, r"different shapes.*\[20\].*\[20, 1\].*squeeze"),
        ({"build": TwoModels, "losses": lambda m, b: (
            mse_loss(m.a(b[0])[:, 0], b[1]), cross_entropy(m.b(b[0]), b[2]))}, "two models in one"),
        ({"losses": lambda m, b: None}, r"losses\(model, batch\) returned NoneType"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_a_way_out(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert_refused(changes, words, tmp_path)


def test_a_layer_that_is_not_the_models_is_noted() -> None:
    """No run trains it, and all share it."""
    head = nn.Linear(2, 1)

    def outside(model: nn.Module, batch: Any) -> Any:
        out = model(batch[0])
        return mse_loss(head(out[:, :2])[:, 0], batch[1]), cross_entropy(out[:, 1:], batch[2])

    def steep(model: nn.Module, batch: Any) -> Any:
        x = batch[0].clone().requires_grad_()
        (slope,) = torch.autograd.grad(model(x)[:, 0].sum(), x, create_graph=True)
        return losses(model, batch)[0] + 0.1 * slope.square().mean(), losses(model, batch)[1]

    (note,) = [n for n in sweep(losses=outside).notes if "not the model's" in n]
    assert note.startswith("losses() goes through 3 parameters")
    assert not any("not the model's" in note for note in sweep(losses=steep).notes)
    frozen = head.requires_grad_(False)
    assert not any("not the model's" in note for note in sweep(losses=outside).notes), frozen
