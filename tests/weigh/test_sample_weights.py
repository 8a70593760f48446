"""Samples that are weighted twice are found."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from small_problem import TRAIN, Y, losses, sweep
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, huber_loss, mse_loss

from amnl.task_losses import moderate_weighted_mse_loss


def with_column(model: nn.Module, batch: Any) -> Any:
    out = model(batch[0])
    primary = (batch[3] * (out[:, 0] - batch[1]) ** 2).mean()
    return primary, cross_entropy(out[:, 1:], batch[2])


def inside(model: nn.Module, batch: Any) -> Any:
    out = model(batch[0])
    rul = 62.5 + 20 * batch[1].clamp(-3, 3)
    return moderate_weighted_mse_loss(out[:, 0], rul), cross_entropy(out[:, 1:], batch[2])


def of_classes(model: nn.Module, batch: Any) -> Any:
    out = model(batch[0])
    weights = torch.tensor([1.0, 5.0])
    return cross_entropy(out[:, 1:], batch[2], weights), mse_loss(out[:, 0], batch[1])


@pytest.mark.parametrize(
    ("weighted", "fold"), [(with_column, 4.0), (inside, None), (of_classes, 5.0)]
)
def test_sample_weights_are_detected(weighted: Any, fold: float | None) -> None:
    """A column of weights, weights that follow the target, and class weights."""
    rows = (*TRAIN, torch.linspace(1, 4, 40))
    found = sweep(losses=weighted, train=rows, batch_size=40)
    note = next(note for note in found.notes if note.startswith("doubly weighted"))
    if fold is None:
        life = 62.5 + 20 * Y.clamp(-3, 3)
        weight = 1 + (1 - life / 125).clamp(0, 1)
        fold = float(weight.max() / weight.min())
    assert f"differ {fold:.3g}-fold" in note and f"{fold * 0.7 / 0.5:.3g} times" in note


@pytest.mark.parametrize(
    "plain",
    [losses, lambda m, b: losses(m, b)[::-1], lambda m, b: (7 * losses(m, b)[0], losses(m, b)[1])],
)
def test_plain_losses_are_not_taken_for_weighted(plain: Any) -> None:
    found = sweep(losses=plain)
    assert not any("doubly" in note for note in found.notes)


@pytest.mark.parametrize(
    ("unseen", "why"),
    [
        (lambda m, b: ((m(b[0])[:, 0] - b[1]).abs().mean(), losses(m, b)[1]), "once"),
        (lambda m, b: _of_one_call(m, b, lambda p, y: (p - y).abs().mean()), "no curvature"),
        (lambda m, b: _of_one_call(m, b, lambda p, y: huber_loss(p, y, delta=0.1)), "no curvature"),
    ],
)
def test_where_weights_cannot_be_seen_the_result_says_so(unseen: Any, why: str) -> None:
    found = sweep(losses=unseen)
    assert any(note.startswith("sample weights: not checked") and why in note
               for note in found.notes), found.notes  # fmt: skip


def _of_one_call(model: nn.Module, batch: Any, loss: Callable[..., Tensor]) -> Any:
    out = model(batch[0])
    return loss(out[:, 0], batch[1]), cross_entropy(out[:, 1:], batch[2])


class TwoRows(nn.Module):
    """A mean and a spread, (B,) each."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out = self.layer(x)
        return out[:, 0], out[:, 1], out[:, 2:]


@pytest.mark.parametrize("weighted", [0, 1])
def test_weights_are_detected_in_either_of_two_outputs(weighted: int) -> None:
    def of_two(model: nn.Module, batch: Any) -> Any:
        mean, spread, logits = model(batch[0])
        weights = [torch.linspace(1, 4, len(mean)) if k == weighted else 1.0 for k in range(2)]
        squares = weights[0] * (mean - batch[1]) ** 2, weights[1] * (spread - batch[1]) ** 2
        return 0.1 * sum(squares).mean(), cross_entropy(logits, batch[2])

    found = sweep(build=TwoRows, losses=of_two, metric=lambda m, v: mse_loss(m(v[0])[0], v[1]))
    assert any(note.startswith("doubly weighted") for note in found.notes), found.notes
