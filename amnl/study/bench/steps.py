"""Training steps: ours, and those of the plain trainer.

The plain trainer is what a careful reader would write from the source's description: a `Dataset` of
stacked windows, a `DataLoader`, `nn.MultiheadAttention` at all 30 cycles, stock AdamW. Same widths,
losses, clipping and weight average, so that the ratio is about the way and not about the work.
"""

import itertools
import statistics
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

from amnl import cmapss
from amnl.cmapss import Data
from amnl.task_losses import moderate_weighted_mse_loss
from amnl.training import TrainConfig, Trainer
from amnl.training.model import PRESETS, DualTaskModel, ModelConfig, Trunk


class PlainTrunk(nn.Module):
    """The trunk as written down: `Conv1d`, stock dropout, attention with 30 queries of which the
    last is used."""

    def __init__(self, config: ModelConfig, trunk: Trunk) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for c_in, c_out in itertools.pairwise((len(cmapss.FEATURES), *config.conv)):
            blocks += [
                nn.Conv1d(c_in, c_out, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm1d(c_out),
                nn.ReLU(),
                nn.Dropout(config.conv_dropout),
            ]
        self.conv = nn.Sequential(*blocks)
        self.lstm, self.norm, self.funnel = trunk.lstm, trunk.norm, trunk.funnel
        self.attention = nn.MultiheadAttention(
            2 * config.hidden, config.heads, config.attention_dropout, batch_first=True
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 30, 17) → (B, shared features)."""
        x = self.conv(x.transpose(1, 2)).transpose(1, 2)
        x, _ = self.lstm(x)
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        out: Tensor = self.funnel(x[:, -1])
        return out


def plain_model(preset: str) -> DualTaskModel:
    """The same network, its trunk as written down."""
    model = DualTaskModel(PRESETS[preset])
    model.trunk = PlainTrunk(PRESETS[preset], model.trunk)  # type: ignore[assignment]
    return model


def plain_steps(preset: str, data: Data, batch_size: int = 256) -> Iterator[int]:
    """Train the plain way for ever; yields the number of windows of each step."""
    train = data.train
    dataset = TensorDataset(
        *(torch.as_tensor(a) for a in (train.gather(), train.rul, train.health))
    )
    loader = DataLoader(dataset, batch_size, shuffle=True)
    model = plain_model(preset)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    decay = get_ema_multi_avg_fn(0.999)  # type: ignore[no-untyped-call]
    average = AveragedModel(model, multi_avg_fn=decay, use_buffers=True)
    while True:
        for x, rul, health in loader:
            pred, logits = model(x)
            loss = 0.5 * moderate_weighted_mse_loss(pred, rul)
            loss = loss + 0.5 * nn.functional.cross_entropy(logits, health)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            average.update_parameters(model)
            loss.item()
            yield len(rul)


def our_steps(preset: str, data: Data, batch_size: int = 256) -> Iterator[int]:
    """Train our way for ever; yields the number of windows of each step."""
    config = TrainConfig(subset=data.subset, preset=preset, seed=data.seed, stride=data.stride)
    trainer = Trainer(config, data, device=torch.device("cpu"))
    trainer.model.train()
    while True:
        for index in trainer.train.shuffled(batch_size, trainer.order):
            trainer.step(index)
            yield len(index)


def compare(
    ours: Iterator[int], plain: Iterator[int], steps: int, rounds: int
) -> tuple[float, float, float]:
    """Windows a second of both, and the ratio of the first to the second.

    They take turns, `steps` steps each, for a round that warms up and `rounds` that count; all
    three are medians over rounds.
    """
    rates = [(_rate(ours, steps), _rate(plain, steps)) for _ in range(rounds + 1)][1:]
    triples = [(a, b, a / b) for a, b in rates]
    of_ours, of_plain, ratio = map(statistics.median, zip(*triples, strict=True))
    return of_ours, of_plain, ratio


def _rate(steps: Iterator[int], count: int) -> float:
    start = time.perf_counter()
    windows = sum(itertools.islice(steps, count))
    return windows / (time.perf_counter() - start)
