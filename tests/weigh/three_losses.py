"""Small problems of two and three losses, for the tests of weighing."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from amnl.weigh import Weighed, weigh_losses

draw = torch.Generator().manual_seed(0)
X = torch.randn(60, 3, generator=draw)
Y = X @ torch.tensor([1.0, -1.0, 0.5]) + 0.1 * torch.randn(60, generator=draw)
Z = X @ torch.tensor([1.0, -0.8, 0.3]) + 0.1 * torch.randn(60, generator=draw)
TRAIN = (X, Y, Z)


class Heads(nn.Module):
    """A shared layer, and a head for each of three tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.heads = nn.Linear(3, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.heads(torch.tanh(self.trunk(x)))


def losses(model: nn.Module, batch: Any) -> dict[str, Tensor]:
    """a and b are like tasks, c pulls a's prediction to zero."""
    x, y, z = batch
    out = model(x)
    return {
        "a": mse_loss(out[:, 0], y),
        "b": mse_loss(out[:, 1], z),
        "c": out[:, 0].square().mean(),
    }


def only(*names: str, of: Callable[..., dict[str, Tensor]] = losses) -> Callable[..., Any]:
    """Some of the losses."""
    return lambda model, batch: {k: v for k, v in of(model, batch).items() if k in names}


def metric(model: nn.Module, val: Any) -> float:
    return mse_loss(model(val[0])[:, 0], val[1]).sqrt().item()


SMALL: dict[str, Any] = {"margin": 0.1, "epochs": 3, "batch_size": 20, "lr": 0.02, "seeds": 2}


def weigh(**changes: Any) -> Weighed:
    """The small problem, with changes."""
    parts = {"build": Heads, "losses": losses, "metric": metric, "train": TRAIN, "val": TRAIN}
    return weigh_losses(**{**parts, **SMALL, **changes})
