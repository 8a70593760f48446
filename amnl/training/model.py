"""The dual-task network: one trunk, a RUL head and a health head, in two sizes.

After the source's chapter 15 section 1 and its printed layer sizes. `paper` is its size (3,497,220
parameters); `compact` is the same family at about 40 thousand, which two CPU cores can sweep, and
`LADDER` has its shape from 11 to 404 thousand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amnl.cmapss import FEATURES, HEALTH_STATES, MAX_RUL


@dataclass(frozen=True)
class ModelConfig:
    """Layer widths and dropout rates."""

    conv: tuple[int, ...]  # channels of the convolutions (kernel 3)
    hidden: int  # LSTM units a direction
    layers: int  # stacked LSTM layers
    heads: int  # attention heads over 2 × hidden features
    funnel: tuple[int, ...]  # widths from 2 × hidden down to the shared features
    rul: tuple[int, ...]  # hidden widths of the RUL head
    health: tuple[int, ...]  # and of the health head
    conv_dropout: float = 0.15  # share of a layer's outputs that a step sets to 0
    lstm_dropout: float = 0.3  # between LSTM layers
    attention_dropout: float = 0.1  # of attention weights
    funnel_dropout: float = 0.15


def _compact(width: int) -> ModelConfig:
    """Two convolutions, one LSTM layer, and heads of half the width."""
    return ModelConfig(
        conv=(width, width),
        hidden=width,
        layers=1,
        heads=4,
        funnel=(width,),
        rul=(width // 2,),
        health=(width // 2,),
    )


PRESETS = {
    "paper": ModelConfig(  # the source's size: 3,497,220 parameters
        conv=(64, 128, 64),
        hidden=256,
        layers=2,
        heads=8,
        funnel=(256, 64, 32),
        rul=(64, 32, 16),
        health=(32, 16),
    ),
    "compact": _compact(32),
}
# The shape of `compact` at other widths: whether what is found is a matter of size.
LADDER = {
    "compact-11k": _compact(16),  # 11,124 parameters
    "compact": PRESETS["compact"],  # 41,700
    "compact-133k": _compact(58),  # 132,882
    "compact-404k": _compact(102),  # 404,230
}


def _linears(widths: Sequence[int], dropout: float = 0.0, *, last: bool = False) -> nn.Sequential:
    """Linear layers with ReLU and dropout between them; `last` leaves the last one bare."""
    layers: list[nn.Module] = []
    pairs = list(pairwise(widths))
    for i, (inputs, outputs) in enumerate(pairs):
        layers.append(nn.Linear(inputs, outputs))
        if not (last and i == len(pairs) - 1):
            layers.append(nn.ReLU())
            if dropout:
                layers.append(Dropout(dropout))
    return nn.Sequential(*layers)


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`F.linear`, also with a leading axis in common: (C, B, in), (C, out, in), (C, out)."""
    if weight.dim() == 2:
        return F.linear(x, weight, bias)
    return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)


class Dropout(nn.Module):
    """Dropout that costs little on a CPU, where PyTorch's takes longer than the convolutions.

    One 64-bit draw decides four entries, 16 bits each, so `p` is rounded to a multiple of 2⁻¹⁶ and
    the scale 1/(1 − p) to match. On any other device it is PyTorch's own.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ValueError(f"a dropout rate must lie in [0, 1), got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; in training, entries are 0 with probability `p`, else scaled up."""
        if not self.training or self.p == 0.0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        dropped = min(round(self.p * 2**16), 2**16 - 1)  # all of them would leave nothing to scale
        draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device="cpu")
        draws.random_(-(2**63), None)
        keep = draws.view(torch.int16)[: x.numel()].view(x.shape) >= dropped - 2**15
        return x * keep.to(x.dtype).mul_(2**16 / (2**16 - dropped))


class Convolutions(nn.Sequential):
    """Blocks of a convolution over cycles, BatchNorm, ReLU and dropout."""

    def __init__(self, channels: Sequence[int], dropout: float) -> None:
        blocks: list[nn.Module] = []
        for c_in, c_out in pairwise(channels):
            blocks += [
                # A Conv1d over cycles, said in 2-D, where channels may come last: no copies.
                nn.Conv2d(c_in, c_out, kernel_size=(1, 3), padding=(0, 1), bias=False),
                nn.BatchNorm2d(c_out),
                nn.ReLU(inplace=True),
                Dropout(dropout),
            ]
        super().__init__(*blocks)

    def blocks(self) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d, Dropout]]:
        """Convolution, normalisation and dropout of each block; its ReLU has nothing to tell."""
        layers = list(self)
        for conv, norm, _, dropout in zip(*(layers[k::4] for k in range(4)), strict=True):
            yield conv, norm, dropout

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, channels in) → (B, T, channels out)."""
        out: Tensor = super().forward(x.transpose(1, 2).unsqueeze(2))  # type: ignore[no-untyped-call]
        return out.squeeze(2).transpose(1, 2)


class LastQueryAttention(nn.Module):
    """Multi-head self-attention, computed for the last cycle alone.

    Same parameters and same result as `nn.MultiheadAttention(...)` at the last position. With one
    query there is no need to project 30 keys and values: fold the key projection into the query,
    average the inputs, project the average. A key bias cannot change a softmax, so it is not used.

    Inputs and parameters may have leading axes in common (`amnl.training.stacked_network`).
    """

    def __init__(self, features: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = Dropout(dropout)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * features, features))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * features))
        self.out_proj = nn.Linear(features, features)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(…, B, T, E) → (…, B, E)."""
        features = x.shape[-1]
        size = features // self.heads
        split = (3, self.heads, size)
        w_q, w_k, w_v = torch.unflatten(self.in_proj_weight, -2, split).unbind(
            -4
        )  # (…, H, size, E)
        b_q, _, b_v = torch.unflatten(self.in_proj_bias, -1, split).unbind(-3)  # (…, H, size)
        query = linear(x[..., -1, :], w_q.flatten(-3, -2), b_q.flatten(-2))
        query = torch.unflatten(query, -1, split[1:]).transpose(-3, -2)  # (…, H, B, size)
        folded = (query @ w_k).transpose(-3, -2)  # (…, B, H, E)
        scores = folded @ x.mT * size**-0.5  # (…, B, H, T)
        weights = self.dropout(scores.softmax(-1))
        mean = (weights @ x).transpose(-3, -2)  # (…, H, B, E)
        value = (mean @ w_v.mT).transpose(-3, -2)  # (…, B, H, size)
        b_v = b_v.unsqueeze(-3)  # with dropout the weights need not sum to 1
        value = value + weights.sum(-1, keepdim=True) * b_v
        out: Tensor = self.out_proj(value.flatten(-2))
        return out


class Trunk(nn.Module):
    """What both tasks share: convolutions, bidirectional LSTM, attention, funnel."""

    def __init__(self, config: ModelConfig, inputs: int = len(FEATURES)) -> None:
        super().__init__()
        self.conv = Convolutions((inputs, *config.conv), config.conv_dropout)
        self.lstm = nn.LSTM(
            config.conv[-1],
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.lstm_dropout if config.layers > 1 else 0.0,
        )
        features = 2 * config.hidden
        self.attention = LastQueryAttention(features, config.heads, config.attention_dropout)
        self.norm = nn.LayerNorm(features)
        self.funnel = _linears((features, *config.funnel), config.funnel_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 30, 17) normalised windows → (B, shared features) at the last cycle."""
        x, _ = self.lstm(self.conv(x))
        x = self.norm(x[..., -1, :] + self.attention(x))
        out: Tensor = self.funnel(x)
        return out


class DualTaskModel(nn.Module):
    """Trunk and two heads.

    `forward((B, 30, 17))` returns the RUL in cycles, (B,), never negative, and the logits of the
    three health states, (B, 3). Windows may have another length, and, of a fleet of a reader's own,
    another number of `inputs`. `cap` is the largest RUL that it learns.
    """

    def __init__(
        self, config: ModelConfig, inputs: int = len(FEATURES), cap: float = MAX_RUL
    ) -> None:
        super().__init__()
        self.trunk = Trunk(config, inputs)
        shared = config.funnel[-1]
        self.rul_head = _linears((shared, *config.rul, 1))  # ends in a ReLU: no negative lives
        # With the usual bias near 0 that ReLU is shut for every window in many seeds, and the RUL
        # loss cannot open it (chapter 5 counts them). Start in mid-range instead.
        nn.init.constant_(self.rul_head[-2].bias, cap / 2)  # type: ignore[arg-type]
        self.health_head = _linears((shared, *config.health, len(HEALTH_STATES)), last=True)

    def shared_parameters(self) -> list[nn.Parameter]:
        """What both tasks train: the trunk's."""
        return list(self.trunk.parameters())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shared = self.trunk(x)
        return self.rul_head(shared).squeeze(-1), self.health_head(shared)


def make_model(preset: str, inputs: int = len(FEATURES), cap: float = MAX_RUL) -> DualTaskModel:
    """Build a preset with fresh weights from torch's global generator.

    Raises `ValueError` that lists the presets for an unknown one.
    """
    known = {**LADDER, **PRESETS}
    if preset not in known:
        raise ValueError(f"unknown preset {preset!r}; there are {', '.join(known)}")
    return DualTaskModel(known[preset], inputs, cap)


def count_parameters(module: nn.Module) -> int:
    """Number of trainable scalars."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
