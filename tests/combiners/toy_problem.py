"""A trunk with two heads, and losses without one: small enough to reason about."""

import math

import torch
from torch import Tensor, nn

from amnl.combiners import Combiner


class Toy(nn.Module):
    """A trunk and two heads, small enough to reason about; float64."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.trunk = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4)).double()
        self.rul, self.health = nn.Linear(4, 1).double(), nn.Linear(4, 3).double()
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(torch.randn(p.shape, generator=generator, dtype=p.dtype) / 2)
        self.x = torch.randn(20, 3, generator=generator, dtype=torch.float64)
        self.y = torch.randn(20, generator=generator, dtype=torch.float64) * 3
        self.c = torch.randint(3, (20,), generator=generator)

    @property
    def shared(self) -> list[Tensor]:
        return list(self.trunk.parameters())

    def losses(self, rul_scale: float = 1.0, hs_scale: float = 1.0) -> tuple[Tensor, Tensor]:
        z = self.trunk(self.x)
        rul = ((self.rul(z)[:, 0] - self.y) ** 2).mean()
        return rul_scale * rul, hs_scale * nn.functional.cross_entropy(self.health(z), self.c)

    def norms(self) -> tuple[float, float]:
        """Lengths of the two trunk gradients, written out."""
        out = []
        for loss in self.losses():
            grads = slope(loss, self.shared)
            out.append(math.sqrt(sum(float((g**2).sum()) for g in grads)))
        return out[0], out[1]


def run(combiner: Combiner, steps: int, epochs: int = 1, lr: float = 1e-2) -> list[Tensor]:
    """Train a toy and return its parameters."""
    toy = Toy()
    optimiser = torch.optim.AdamW([*toy.parameters(), *combiner.parameters()], lr)
    for _ in range(epochs):
        for _ in range(steps):
            total = combiner(*toy.losses(), shared_params=toy.shared, model=toy)
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
        combiner.end_epoch()
    return [p.detach().clone() for p in toy.parameters()]


def slope(loss: Tensor, parameters: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, parameters, retain_graph=True)


def weights(combiner: Combiner) -> tuple[float, float]:
    w = combiner.get_weights()
    return w["rul_weight"], w["health_weight"]


def pair(a: float, b: float) -> tuple[Tensor, Tensor]:
    return (
        torch.tensor(a, dtype=torch.float64, requires_grad=True),
        torch.tensor(b, dtype=torch.float64, requires_grad=True),
    )


def gradients(combiner: nn.Module, a: float, b: float) -> list[float]:
    leaves = pair(a, b)
    return [g.item() for g in torch.autograd.grad(combiner(*leaves), leaves)]
