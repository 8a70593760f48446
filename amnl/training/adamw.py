"""AdamW and the weight average of many cells, in one pass over (C, P) arrays."""

import torch
from torch import Tensor

from amnl.training.config import TrainConfig
from amnl.training.stacked_network import StackedModel, compiled_on_gpu

_BETAS, _EPS = (0.9, 0.999), 1e-8  # as in `torch.optim`


class AdamW:
    """Clipping, AdamW and the weight average, cell by cell, as `Trainer` has them for one."""

    lr: Tensor  # (C, 1) learning rates of the next step
    steps: Tensor  # (C, 1) that each cell has taken
    moments: tuple[Tensor, Tensor]  # (C, P) running means of the gradient and of its square
    average: Tensor  # (C, P) of the weights
    average_buffers: Tensor  # (C, Q) of BatchNorm's running statistics

    def __init__(self, model: StackedModel, config: TrainConfig, lr: Tensor) -> None:
        self.model, self.config, self.lr = model, config, lr
        self.steps = torch.zeros_like(lr)
        self.moments = torch.zeros_like(model.parameters), torch.zeros_like(model.parameters)
        self.average, self.average_buffers = model.parameters.clone(), model.buffers.clone()

    @torch.no_grad()
    def step(self, gradient: Tensor, active: Tensor) -> None:
        """One step by a gradient (C, P) of the cells that are `active`, (C, 1) of 1 and 0."""
        norm = gradient.norm(dim=1, keepdim=True)
        scale = (self.config.clip / (norm + 1e-6)).clamp(max=1.0)
        done = self.steps  # before this one
        self.steps = done + active
        decay = ((1 + done) / (10 + done)).clamp(max=self.config.ema)
        pace = torch.where(done == 0, torch.ones_like(done), 1 - decay) * active
        first, second = (1 - beta ** (done + 1) for beta in _BETAS)
        lr = self.lr * active
        arrays = (self.model.parameters.detach(), gradient, *self.moments, self.average)
        left = 1 - lr * self.config.weight_decay
        _step(*arrays, scale, active, left, lr / first, second.sqrt(), pace)
        self.average_buffers += (self.model.buffers - self.average_buffers) * pace


@compiled_on_gpu
def _step(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, average: Tensor,
    scale: Tensor, active: Tensor, left: Tensor, lr: Tensor, root: Tensor, pace: Tensor,
) -> None:  # fmt: skip
    """AdamW and the average of the weights, in place on (C, P) arrays.

    All others are (C, 1): what clipping leaves of the gradient, 1 where a cell takes the step, what
    decay leaves of the weights, the learning rate over m's bias, the root of v's, and the pace of
    the average.
    """
    g = g * scale
    m += (g - m) * ((1 - _BETAS[0]) * active)
    v += (g.square() - v) * ((1 - _BETAS[1]) * active)
    p *= left
    p -= lr * m / (v.sqrt() / root + _EPS)
    average += (p - average) * pace
