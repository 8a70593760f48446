"""Many networks of one shape as one: every parameter has a leading axis of cells.

The network is `amnl.training.model`'s. Its layers that PyTorch cannot run under such an axis (an
LSTM cannot be mapped by `torch.vmap`, nor can BatchNorm keep its statistics there) are given a
stacked forward pass each, below; all else of it runs as it is written. On a GPU the element-wise
parts are compiled into few kernels, and the LSTM keeps its activations in place
(`amnl.training.lstm`).
"""

import copy
from collections.abc import Callable, Sequence
from functools import cache, partial, wraps
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from amnl.training.lstm import bidirectional
from amnl.training.model import Convolutions, Dropout, DualTaskModel, LastQueryAttention, linear

_F = TypeVar("_F", bound=Callable[..., Any])


def compiled_on_gpu(function: _F) -> _F:
    """The function, through `torch.compile` where its first argument lies on a GPU."""

    @cache
    def fast() -> Callable[..., Any]:  # the compiler's import takes seconds: only where it is used
        return torch.compile(function, dynamic=False)

    @wraps(function)
    def call(first: Tensor, *others: Any) -> Any:
        return (fast() if first.is_cuda else function)(first, *others)

    return cast(_F, call)


class Noise:
    """Dropout masks of C cells, drawn by seed: cells of one seed get the same.

    Reseeded every epoch, so that steps which a seed with more windows takes after a cell's last
    leave no trace in the cell's next epoch.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self.seeds = sorted(set(seeds))
        self.of_seed = torch.tensor([self.seeds.index(seed) for seed in seeds], device=device)
        self.streams = [torch.Generator(device) for _ in self.seeds]
        self.start(0)

    def start(self, epoch: int) -> None:
        """Begin the streams of an epoch."""
        for seed, stream in zip(self.seeds, self.streams, strict=True):
            stream.manual_seed(_stream_seed(seed, epoch))

    def masks(self, shape: Sequence[int], p: float) -> Tensor:
        """(S, …) of S seeds, False with probability `p`; a cell's are at `of_seed`."""
        keep = torch.empty((len(self.seeds), *shape), dtype=torch.bool, device=self.of_seed.device)
        for mask, stream in zip(keep, self.streams, strict=True):
            mask.bernoulli_(1 - p, generator=stream)
        return keep


def _stream_seed(seed: int, epoch: int) -> int:
    """A number of its own for each epoch of each seed.

    A CPU's generator keeps the low 32 bits of it, which the plain packing outgrows from seed 4096
    on. Below, published rows were drawn by it.
    """
    if seed < 2**12 and epoch < 2**20:
        return seed << 20 | epoch
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)


class _Pass:
    """What the layers of one forward pass share."""

    noise: Noise | None = None  # None in evaluation
    seen: Tensor  # (C, B), 1 for a window and 0 for padding
    active: Tensor  # (C,), 1 where running statistics may move
    low: torch.dtype | None = None  # of the LSTM's products, or None for that of its weights


class StackedModel:
    """C dual-task models as one.

    Parameters
    ----------
    models
        The single ones.
    noise
        Of dropout.
    device
        Where it is to be.
    low
        Dtype of the LSTM's products, or None for that of its weights.

    Raises
    ------
    TypeError
        For a layer with parameters that no stacked forward pass is written for.
    """

    parameters: Tensor  # (C, P), all weights
    buffers: Tensor  # (C, Q), the running statistics of BatchNorm
    # Views into them, under the names that the single model gives them.
    parts: dict[str, Tensor]
    statistics: dict[str, Tensor]

    def __init__(
        self,
        models: Sequence[DualTaskModel],
        noise: Noise,
        device: torch.device,
        low: torch.dtype | None = None,
    ) -> None:
        self.noise = noise
        self.parameters, self.parts = _flatten([dict(m.named_parameters()) for m in models], device)
        floats = [{k: b for k, b in m.named_buffers() if b.is_floating_point()} for m in models]
        self.buffers, self.statistics = _flatten(floats, device)
        for view in self.parts.values():
            view.requires_grad_()
        self._pass = _Pass()
        self._pass.low = low
        self._network = _stackable(models[0], self._pass)

    def __call__(self, x: Tensor, seen: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """(C, B, 30, 17) → RUL (C, B) in cycles and logits (C, B, 3), in training mode.

        `seen` (C, B) is 1 for a window and 0 for padding, `active` (C,) 1 where running statistics
        may move.
        """
        self._pass.noise, self._pass.seen, self._pass.active = self.noise, seen, active
        return self._run(self.parts, self.statistics, x)

    def evaluate(self, parameters: Tensor, buffers: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """The same with weights (C, P) and statistics (C, Q), in evaluation mode."""
        self._pass.noise = None
        parts, statistics = _views(parameters, self.parts), _views(buffers, self.statistics)
        return self._run(parts, statistics, x)

    def _run(
        self, parts: dict[str, Tensor], statistics: dict[str, Tensor], x: Tensor
    ) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = functional_call(self._network, {**parts, **statistics}, (x,))
        return found


def _stackable(model: DualTaskModel, batch: _Pass) -> DualTaskModel:
    """A copy of the model whose layers take parameters with a leading axis of cells.

    Raises `TypeError` for a layer with parameters that no stacked forward pass is written for.
    """
    network = copy.deepcopy(model)
    inside: set[nn.Module] = set()
    for name, layer in network.named_modules():
        if layer in inside:
            continue
        if forward := _STACKED.get(type(layer)):
            layer.forward = partial(forward, layer, batch)
            inside.update(layer.modules())
        elif not isinstance(layer, LastQueryAttention) and [*layer.parameters(recurse=False)]:
            raise TypeError(
                f"{name} is a {type(layer).__name__}; `amnl.training.stacked_network` has no such "
                "layer"
            )
    return network


# ----------------------------------------------------------------------------------------- layers


def _linear(layer: nn.Linear, _: _Pass, x: Tensor) -> Tensor:
    return linear(x, layer.weight, layer.bias)


def _layer_norm(layer: nn.LayerNorm, _: _Pass, x: Tensor) -> Tensor:
    y = F.layer_norm(x, layer.normalized_shape, eps=layer.eps)
    return y * layer.weight.unsqueeze(1) + layer.bias.unsqueeze(1)


def _dropout(layer: Dropout, batch: _Pass, x: Tensor) -> Tensor:
    if not (batch.noise and layer.p):
        return x
    keep = batch.noise.masks(x.shape[1:], layer.p)
    return _masked(x, keep, batch.noise.of_seed, layer.p)


def _masked(x: Tensor, keep: Tensor, of_seed: Tensor, p: float) -> Tensor:
    return x * (keep[of_seed].to(x.dtype) / (1 - p))


_masked_large = compiled_on_gpu(_masked)  # worth its seconds of compiling


def _lstm(layer: nn.LSTM, batch: _Pass, x: Tensor) -> tuple[Tensor, None]:
    """(C, B, T, F) → (C, B, T, 2H)."""
    dtype, low = x.dtype, batch.low or x.dtype
    x = x.transpose(1, 2).to(low)
    for k in range(layer.num_layers):
        if k and batch.noise and layer.dropout:
            keep = batch.noise.masks((*x.shape[2:0:-1], x.shape[3]), layer.dropout)
            x = _masked_large(x, keep.transpose(1, 2), batch.noise.of_seed, layer.dropout)
        directions = layer.all_weights[2 * k : 2 * k + 2]  # forwards, backwards
        x = bidirectional(
            x, *([w_ih.to(low), w_hh.to(low), b_ih + b_hh] for w_ih, w_hh, b_ih, b_hh in directions)
        )
    # in the order of the other layers: attention would make a copy of its own for each product
    return x.transpose(1, 2).to(dtype, memory_format=torch.contiguous_format).contiguous(), None


def _convolutions(layer: Convolutions, batch: _Pass, x: Tensor) -> Tensor:
    """(C, B, T, F): a block is a product with three shifted copies, BatchNorm, ReLU, dropout."""
    for conv, norm, drop in layer.blocks():
        affine = (conv.weight, norm.weight, norm.bias)
        usual = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        if not batch.noise:
            x = _block_at_rest(x, *affine, *usual, norm.eps)
            continue
        p, (_, size, steps, _) = drop.p, x.shape
        keep = batch.noise.masks((size, steps, conv.out_channels), p) if p else None
        x, mean, var = _block(x, *affine, batch.seen, keep, batch.noise.of_seed, p, norm.eps)
        with torch.no_grad():
            pace = (norm.momentum or 0.0) * batch.active.unsqueeze(1)
            count = batch.seen.sum(1, keepdim=True) * steps
            unbiased = var * count / (count - 1).clamp(min=1)
            for running, now in zip(usual, (mean, unbiased), strict=True):
                running += (now - running) * pace
    return x


def _taps(x: Tensor, weight: Tensor) -> Tensor:
    """(C, B, T, F), (C, out, F, 1, 3) → (C, B, T, out)."""
    steps = x.shape[2]
    padded = F.pad(x, (0, 0, 1, 1))
    taps = torch.cat([padded[:, :, k : k + steps] for k in range(3)], dim=-1)
    kernel = weight.squeeze(3).permute(0, 3, 2, 1).flatten(1, 2)  # (C, 3 · F, out)
    return torch.bmm(taps.flatten(1, 2), kernel).view(*x.shape[:3], -1)


@compiled_on_gpu
def _block(
    x: Tensor,
    weight: Tensor,
    gamma: Tensor,
    beta: Tensor,
    seen: Tensor,
    keep: Tensor | None,
    of_seed: Tensor,
    p: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """A block in training; also the batch's mean and biased variance, (C, out)."""
    y = _taps(x, weight)
    share = seen / (seen.sum(1, keepdim=True) * x.shape[2]).clamp(min=1)
    share = share[:, :, None, None]
    mean = (y * share).sum((1, 2))
    centred = y - mean[:, None, None]
    var = (centred.square() * share).sum((1, 2))
    y = centred * (gamma * (var + eps).rsqrt())[:, None, None] + beta[:, None, None]
    y = y.relu()
    if keep is not None:
        y = y * (keep[of_seed].to(y.dtype) / (1 - p))
    return y, mean.detach(), var.detach()


@compiled_on_gpu
def _block_at_rest(
    x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Tensor:
    scale = gamma * (var + eps).rsqrt()
    shift = beta - mean * scale
    return (_taps(x, weight) * scale[:, None, None] + shift[:, None, None]).relu()


_STACKED: dict[type[nn.Module], Callable[..., Any]] = {
    nn.Linear: _linear,
    nn.LayerNorm: _layer_norm,
    nn.LSTM: _lstm,
    Convolutions: _convolutions,
    Dropout: _dropout,
}


# ------------------------------------------------------------------------------------- flat arrays


def _flatten(
    cells: Sequence[dict[str, Tensor]], device: torch.device
) -> tuple[Tensor, dict[str, Tensor]]:
    """Tensors of the same names in every cell → one (C, n) array and named views into it."""
    rows = [torch.cat([t.detach().flatten() for t in cell.values()]) for cell in cells]
    flat = torch.stack(rows).to(device)
    return flat, _views(flat, cells[0], axis=0)


def _views(flat: Tensor, like: dict[str, Tensor], axis: int = 1) -> dict[str, Tensor]:
    """Views into (C, n) with the shapes of `like`, whose own axis of cells, if any, is `axis`."""
    out, start = {}, 0
    for name, tensor in like.items():
        shape = tensor.shape[axis:]
        size = shape.numel()
        out[name] = flat[:, start : start + size].view(len(flat), *shape)
        start += size
    return out
