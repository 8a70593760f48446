"""A problem of two tasks, to be weighed as it is and then replaced by your own.

    amnl weigh my_problem.py               in a terminal
    python my_problem.py                   the same, from Python

A beam is bent, let go, and swings. From 64 noisy readings of the swing a network predicts two
things: the damping, in percent of critical damping (the primary task: it grows as a crack does),
and in which of three clamps the beam sits (the auxiliary task: each is of another stiffness). Both
shape one signal, x(t) = a · exp(-ζωt) · cos(ωt · √(1 - ζ²)), so one network reads it for both.

Six names are all that is needed: build, losses, metric, train, val and margin. Where the defaults
do not suit you, add epochs, batch_size, lr, higher_is_better, or yours, the weights that you use
today (equal ones, if you say nothing). With a training loop of your own, two names are enough:
train(weights, seed), which returns the score, and margin; losses = ["mse", "ce"] names the weights.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from amnl.weigh import weigh_losses

# ----------------------------------------------------------------------------------------- the data


def measure(beams: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Readings (beams, 64), damping (beams,) in percent, clamp (beams,) 0 to 2."""
    draw = torch.Generator().manual_seed(seed)
    clamp = torch.randint(3, (beams,), generator=draw)
    damping = 1 + 9 * torch.rand(beams, generator=draw)  # percent
    spread = 1 + 0.05 * torch.randn(beams, generator=draw)  # no two beams are alike
    frequency = torch.tensor([8.0, 10.0, 12.0])[clamp] * spread  # Hz
    bend = 0.8 + 0.4 * torch.rand(beams, generator=draw)

    t = torch.linspace(0, 0.3, 64)  # s
    omega, zeta = 2 * math.pi * frequency[:, None], damping[:, None] / 100
    swing = torch.exp(-zeta * omega * t) * torch.cos(omega * t * (1 - zeta**2).sqrt())
    noise = 0.1 * torch.randn(beams, len(t), generator=draw)
    return bend[:, None] * swing + noise, damping, clamp


# A tuple of tensors, one row a sample, or any PyTorch Dataset. Never the data you will report on.
train = measure(1000, seed=1)
val = measure(1000, seed=2)

# -------------------------------------------------------------------------------- model and losses


class TwoHeads(nn.Module):
    """One trunk, two heads: 64 readings in, damping and three scores of the clamps out."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.damping, self.clamp = nn.Linear(32, 1), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Damping in percent, (B,), and logits, (B, 3)."""
        features = self.trunk(x)
        return self.damping(features).squeeze(-1), self.clamp(features)


def build() -> nn.Module:
    """A fresh model. Set no seed here: the sweep does. For a GPU, return model.to("cuda")."""
    return TwoHeads()


def losses(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The primary loss, then the auxiliary ones, on a batch of rows; the tool combines them."""
    x, damping, clamp = batch  # for a GPU: x.to("cuda"), and so on
    predicted, logits = model(x)
    # Any units will do, as `amnl weigh` balances them. `amnl weigh --plain` sweeps λ in these: in
    # units of 4 percent the two losses pull about alike, and in percent² one would drown the other.
    return {
        "damping": mse_loss(predicted / 4, damping / 4),
        "clamp": cross_entropy(logits, clamp),
    }


def metric(model: nn.Module, val: tuple[Tensor, ...]) -> float:
    """What you care about: here the error of the damping, RMSE in percent. Smaller is better."""
    x, damping, _ = val
    return math.sqrt(mse_loss(model(x)[0], damping))


# The smallest difference of the metric that you would pay for. Name it before you look.
margin = 0.1  # percent of critical damping
epochs = 20
lr = 3e-3

if __name__ == "__main__":
    print(
        weigh_losses(
            build, losses, metric, train, val, margin=margin, epochs=epochs, lr=lr, tell=print
        )
    )
