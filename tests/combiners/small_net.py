"""A small net with two losses, and what a combiner does to its gradients."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from amnl.combiners import Combiner, make_combiner

Batch = tuple[Tensor, Tensor, Tensor]


SHORT = {name: {"warmup": 2, "beta": 0.5} for name in ("gaba", "grace")}  # or 0.5 for 100 steps


class Net(nn.Module):
    """Two shared layers and two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())
        self.rul, self.health = nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.trunk(x)
        return self.rul(z)[:, 0], self.health(z)

    @property
    def shared(self) -> list[nn.Parameter]:
        return list(self.trunk.parameters())

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        rul, logits = self(batch[0])
        return mse_loss(rul, batch[1]), cross_entropy(logits, batch[2])


def batch(seed: int, rows: int = 24) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 4, generator=generator)
    return x, 3 * x[:, 0] + 5, (x[:, 1] > 0).long() + (x[:, 2] > 1).long()


def make(name: str) -> Combiner:
    return make_combiner(name, **SHORT.get(name, {}))


def learner(*modules: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for m in modules for p in m.parameters()], 1e-2)


def trained(name: str, steps: int = 5) -> tuple[Net, Combiner]:
    """A net and its combiner after two short epochs."""
    torch.manual_seed(0)
    net, combiner = Net(), make(name)
    optimiser = learner(net, combiner)
    for step in range(2 * steps):
        total = combiner(*net.losses(batch(step)), shared_params=net.shared, model=net)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        if step % steps == steps - 1:
            combiner.end_epoch()
    net.zero_grad()
    combiner.zero_grad()
    return net, combiner


def felt(net: Net, combiner: Combiner, total: Tensor) -> list[Tensor]:
    """The total and its gradients at all that learns."""
    total.backward()
    everything = (*net.parameters(), *combiner.parameters())
    found = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in everything]
    net.zero_grad()
    combiner.zero_grad()
    return [total.detach(), *found]


def call(
    pair: tuple[Net, Combiner], change: Callable[..., Any] | None = None, **extras: Any
) -> Any:
    """One training call on a copy; `change` makes other losses of the two."""
    net, combiner = copy.deepcopy(pair)
    losses = net.losses(batch(99))
    losses = losses if change is None else change(*losses)
    extras = {key: of(net) for key, of in extras.items()}
    return felt(net, combiner, combiner(*losses, **{"shared_params": net.shared, **extras}))


def assert_equal(ours: list[Tensor], theirs: list[Tensor], rel: float = 1e-5) -> None:
    """As vectors: within `rel` of their length."""
    for a, b in zip(ours, theirs, strict=True):
        assert (a.double() - b.double()).norm() <= rel * b.double().norm() + 1e-9, (a, b)


def assert_same_state(one: Combiner, other: Combiner, rel: float = 0.0) -> None:
    for key, value in one.state_dict().items():
        torch.testing.assert_close(
            value, other.state_dict()[key], rtol=rel, atol=rel, equal_nan=True, msg=key
        )
    assert one.get_weights() == pytest.approx(other.get_weights(), rel=rel or 1e-12)


def right_or_refused(message: str, check: Callable[[], None]) -> None:
    """Either the check holds, or it ends in a `ValueError` that says this."""
    try:
        check()
    except ValueError as error:
        assert re.search(message, str(error)), error
