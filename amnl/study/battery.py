"""A simulated battery with two tasks: how much charge it still holds, and which fault it has.

The problem on which three pages show the five-point sweep. All tensors have the default dtype; the
pages take float64.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

__all__ = ["FAULTS", "TwoHeads", "discharge", "losses", "metric", "minutes"]

FAULTS = ("none", "loose contact", "clogged pores")

Batch = tuple[Tensor, Tensor, Tensor]  # volts, state of health, fault: see `discharge`


def minutes() -> Tensor:
    """When the voltage is read, (60,): every 12 seconds."""
    return torch.arange(0, 12, 0.2)


def discharge(batteries: int, seed: int) -> Batch:
    """Volts (batteries, 60); state of health in percent and fault, (batteries,) each."""
    draw = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(batteries, 1, generator=draw)

    soh, charge = uniform(0.6, 1.0), uniform(0.75, 0.95)
    fault = torch.randint(3, (batteries, 1), generator=draw)
    r0 = 0.030 * uniform(0.9, 1.1) * (2 - soh) * torch.where(fault == 1, 1.5, 1.0)
    r1 = 0.015 * uniform(0.9, 1.1) * torch.where(fault == 2, 2.0, 1.0)
    lag = 1.0 * uniform(0.8, 1.2)  # minutes

    time = minutes()
    on = time.clamp(max=8)  # minutes of current so far
    z = charge - 2.5 * on / 60 / (2.5 * soh)
    at_rest = 3.6 - 0.01 / z + 0.5 * z + 0.05 * z.log() - 0.02 * (1 - z).log()
    slow = (1 - (-on / lag).exp()) * (-(time - on) / lag).exp()
    volts = at_rest - 2.5 * (r0 * (time < 8) + r1 * slow)
    volts += 0.003 * torch.randn(volts.shape, generator=draw)
    return volts, 100 * soh[:, 0], fault[:, 0]


class TwoHeads(nn.Module):
    """A trunk of two layers, and a head of one layer for each task."""

    def __init__(self) -> None:
        super().__init__()
        layers = nn.Linear(60, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU()
        self.trunk = nn.Sequential(*layers)
        self.soh, self.fault = nn.Linear(32, 1), nn.Linear(32, 3)

    def forward(self, volts: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk((volts - 3.9) / 0.1)
        return 80 + 10 * self.soh(features)[:, 0], self.fault(features)


def losses(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """The primary loss, in percent², and the auxiliary one."""
    volts, soh, fault = batch
    predicted, logits = model(volts)
    return mse_loss(predicted, soh), cross_entropy(logits, fault)


def metric(model: nn.Module, val: Batch) -> float:
    """Root mean square error of the state of health, in points. Less is better."""
    volts, soh, _ = val
    return math.sqrt(mse_loss(model(volts)[0], soh))
