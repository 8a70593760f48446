"""A bidirectional LSTM layer of many cells, with a backward pass of its own.

A layer is one product over all cycles for its inputs, and a product and an element-wise step a
cycle for the recurrence. The gates of all cycles lie in one array: the forward pass overwrites them
with their activations, the backward pass with their gradients, and the gradient of a weight is one
product over all cycles again. Autograd, left alone, would keep a dozen arrays a cycle.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def bidirectional(x: Tensor, forwards: Sequence[Tensor], backwards: Sequence[Tensor]) -> Tensor:
    """(C, T, B, F) → (C, T, B, 2H): a cycle of all cells and windows is one view.

    Parameters
    ----------
    x
        Inputs.
    forwards, backwards
        Weights of the two directions, as `nn.LSTM` orders its gates: of the inputs (C, 4H, F), of
        the recurrence (C, 4H, H), and both biases added up (C, 4H).
    """
    out: Tensor = _BiLSTM.apply(x.contiguous(), *forwards, *backwards)  # type: ignore[no-untyped-call]
    return out


class _BiLSTM(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        cells, steps, batch, _ = x.shape
        hidden = weights[1].shape[-1]
        out = x.new_empty(cells, steps, batch, 2 * hidden)
        activations = []
        for way in range(2):
            w_ih, w_hh, bias = weights[3 * way : 3 * way + 3]
            gates = torch.bmm(x.flatten(1, 2), w_ih.mT).view(cells, steps, batch, -1)
            h = out[..., way * hidden : (way + 1) * hidden]
            # the cell state stays in single precision where products are in half
            c = h.new_empty(h.shape, dtype=torch.promote_types(x.dtype, torch.float32))
            before = None
            for t in _cycles(steps, way):
                if before is None:
                    _step(gates[:, t], bias, None, None, c[:, t], h[:, t])
                else:
                    recurrent = torch.bmm(h[:, before], w_hh.mT)
                    _step(gates[:, t], bias, recurrent, c[:, before], c[:, t], h[:, t])
                before = t
            activations += [gates, c]
        ctx.save_for_backward(x, out, *weights)
        ctx.activations = activations  # overwritten by the backward pass, so not autograd's to keep
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        x, out, *weights = ctx.saved_tensors
        cells, steps, batch, _ = x.shape
        hidden = weights[1].shape[-1]
        if d_out.stride(-1) != 1:
            d_out = d_out.contiguous()
        d_x: Tensor | None = None
        found: list[Tensor | None] = []
        for way in range(2):
            w_ih, w_hh, bias = weights[3 * way : 3 * way + 3]
            gates, c = ctx.activations[2 * way : 2 * way + 2]
            mine = slice(way * hidden, (way + 1) * hidden)
            h, d_h = out[..., mine], d_out[..., mine]
            order = _cycles(steps, way)
            d_c = c.new_empty(cells, batch, hidden)
            after: Tensor | None = None
            for t, before in zip(order[::-1], [*order[-2::-1], None], strict=True):
                earlier = None if before is None else c[:, before]
                _step_back(gates[:, t], earlier, c[:, t], d_h[:, t], after, d_c)
                after = torch.bmm(gates[:, t], w_hh)
            d_gates = gates.flatten(1, 2)
            late, early = (slice(1, None), slice(-1)) if way == 0 else (slice(-1), slice(1, None))
            d_w_hh = torch.bmm(gates[:, late].flatten(1, 2).mT, h[:, early].flatten(1, 2))
            d_w_ih = torch.bmm(d_gates.mT, x.flatten(1, 2))
            if ctx.needs_input_grad[0]:
                if d_x is None:
                    d_x = torch.bmm(d_gates, w_ih)
                else:
                    d_x.baddbmm_(d_gates, w_ih)
            found += [d_w_ih, d_w_hh, d_gates.sum(1, dtype=bias.dtype)]
        ctx.activations = None
        return None if d_x is None else d_x.view_as(x), *found


def _cycles(steps: int, way: int) -> range:
    return range(steps) if way == 0 else range(steps - 1, -1, -1)


def _step(
    gates: Tensor,
    bias: Tensor,
    recurrent: Tensor | None,
    before: Tensor | None,
    c: Tensor,
    h: Tensor,
) -> None:
    """One cycle: gates (C, B, 4H) → activations, in place; cell state and output (C, B, H).

    The bias is (C, 4H). The first cycle has neither a recurrent part of the gates, (C, B, 4H), nor
    a cell state before it.
    """
    if gates.is_cuda:
        from amnl.training.lstm_kernels import step

        step(gates, bias, recurrent, before, c, h)
        return
    gates += bias.unsqueeze(1)
    if recurrent is not None:
        gates += recurrent
    i, f, g, o = gates.chunk(4, dim=-1)
    for gate in (i, f, o):
        gate.sigmoid_()
    g.tanh_()
    c.copy_(i * g if before is None else f * before + i * g)
    h.copy_(o * c.tanh())


def _step_back(
    gates: Tensor,
    before: Tensor | None,
    c: Tensor,
    d_h: Tensor,
    after: Tensor | None,
    d_c: Tensor,
) -> None:
    """Back through one cycle: activations (C, B, 4H) → gradients of the gates, in place.

    `after` (C, B, H) is the gradient of this cycle's output through the next one, None at the last;
    `d_c` (C, B, H) that of the cell state: the next cycle's, and then the one before's.
    """
    if gates.is_cuda:
        from amnl.training.lstm_kernels import step_back

        step_back(gates, before, c, d_h, after, d_c)
        return
    i, f, g, o = (gate.to(c.dtype) for gate in gates.chunk(4, dim=-1))
    d_h = d_h.to(c.dtype) if after is None else d_h.to(c.dtype) + after
    squashed = c.tanh()
    d_state = d_h * o * (1 - squashed.square())
    if after is not None:
        d_state = d_state + d_c
    forgotten = torch.zeros_like(c) if before is None else before
    d_c.copy_(d_state * f)
    parts = (
        d_state * g * i * (1 - i),
        d_state * forgotten * f * (1 - f),
        d_state * i * (1 - g.square()),
        d_h * squashed * o * (1 - o),
    )
    gates.copy_(torch.cat(parts, dim=-1))
