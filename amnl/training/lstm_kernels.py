"""The two element-wise steps of `amnl.training.lstm` on a GPU, a Triton kernel each.

Each reads and writes every number once, in place where the four gates lie side by side.
"""

import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024


def step(
    gates: Tensor,
    bias: Tensor,
    recurrent: Tensor | None,
    before: Tensor | None,
    c: Tensor,
    h: Tensor,
) -> None:
    """`amnl.training.lstm._step`: the same arguments, on a GPU."""
    _, batch, hidden = c.shape
    first = before is None
    inputs = gates, bias, gates if recurrent is None else recurrent, c if first else before
    strides = gates.stride(0), c.stride(0), h.stride(0), h.stride(1)
    sizes = {"HIDDEN": hidden, "BLOCK": _BLOCK}
    _forward[_grid(c)](*inputs, c, h, *strides, batch * hidden, FIRST=first, **sizes)


def step_back(
    gates: Tensor,
    before: Tensor | None,
    c: Tensor,
    d_h: Tensor,
    after: Tensor | None,
    d_c: Tensor,
) -> None:
    """`amnl.training.lstm._step_back`: the same arguments, on a GPU."""
    _, batch, hidden = c.shape
    first, last = before is None, after is None
    inputs = gates, c if first else before, c, d_h, d_c if last else after
    strides = gates.stride(0), c.stride(0), d_h.stride(0), d_h.stride(1)
    sizes = {"HIDDEN": hidden, "BLOCK": _BLOCK}
    _backward[_grid(c)](*inputs, d_c, *strides, batch * hidden, FIRST=first, LAST=last, **sizes)


def _grid(c: Tensor) -> tuple[int, int]:
    cells, batch, hidden = c.shape
    return triton.cdiv(batch * hidden, _BLOCK), cells


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def _tanh(x):
    return 2.0 / (1.0 + tl.exp(-2.0 * x)) - 1.0


@triton.jit
def _forward(
    gates, bias, recurrent, before, c, h,
    gates_stride, c_stride, h_stride, h_row, size,
    FIRST: tl.constexpr, HIDDEN: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    cell = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)  # number of a (window, unit)
    inside = at < size
    row = at // HIDDEN
    unit = at % HIDDEN
    real = c.dtype.element_ty
    gate = gates + cell * gates_stride + row * (4 * HIDDEN) + unit
    shift = bias + cell * (4 * HIDDEN) + unit
    i = tl.load(gate, mask=inside).to(real) + tl.load(shift, mask=inside)
    f = tl.load(gate + HIDDEN, mask=inside).to(real) + tl.load(shift + HIDDEN, mask=inside)
    g = tl.load(gate + 2 * HIDDEN, mask=inside).to(real) + tl.load(shift + 2 * HIDDEN, mask=inside)
    o = tl.load(gate + 3 * HIDDEN, mask=inside).to(real) + tl.load(shift + 3 * HIDDEN, mask=inside)
    if not FIRST:
        part = recurrent + cell * (4 * size) + row * (4 * HIDDEN) + unit
        i += tl.load(part, mask=inside).to(real)
        f += tl.load(part + HIDDEN, mask=inside).to(real)
        g += tl.load(part + 2 * HIDDEN, mask=inside).to(real)
        o += tl.load(part + 3 * HIDDEN, mask=inside).to(real)
    i = _sigmoid(i)
    f = _sigmoid(f)
    g = _tanh(g)
    o = _sigmoid(o)
    state = i * g
    if not FIRST:
        state += f * tl.load(before + cell * c_stride + at, mask=inside)
    tl.store(c + cell * c_stride + at, state, mask=inside)
    kind = gates.dtype.element_ty
    tl.store(h + cell * h_stride + row * h_row + unit, (o * _tanh(state)).to(kind), mask=inside)
    tl.store(gate, i.to(kind), mask=inside)
    tl.store(gate + HIDDEN, f.to(kind), mask=inside)
    tl.store(gate + 2 * HIDDEN, g.to(kind), mask=inside)
    tl.store(gate + 3 * HIDDEN, o.to(kind), mask=inside)


@triton.jit
def _backward(
    gates, before, c, d_h, after, d_c,
    gates_stride, c_stride, h_stride, h_row, size,
    FIRST: tl.constexpr, LAST: tl.constexpr, HIDDEN: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    cell = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    row = at // HIDDEN
    unit = at % HIDDEN
    real = c.dtype.element_ty
    gate = gates + cell * gates_stride + row * (4 * HIDDEN) + unit
    i = tl.load(gate, mask=inside).to(real)
    f = tl.load(gate + HIDDEN, mask=inside).to(real)
    g = tl.load(gate + 2 * HIDDEN, mask=inside).to(real)
    o = tl.load(gate + 3 * HIDDEN, mask=inside).to(real)
    d_out = tl.load(d_h + cell * h_stride + row * h_row + unit, mask=inside).to(real)
    if not LAST:
        d_out += tl.load(after + cell * size + at, mask=inside).to(real)
    squashed = _tanh(tl.load(c + cell * c_stride + at, mask=inside))
    d_state = d_out * o * (1.0 - squashed * squashed)
    if not LAST:
        d_state += tl.load(d_c + cell * size + at, mask=inside)
    tl.store(d_c + cell * size + at, d_state * f, mask=inside)
    d_f = tl.zeros_like(f)
    if not FIRST:
        d_f = d_state * tl.load(before + cell * c_stride + at, mask=inside) * f * (1.0 - f)
    kind = gates.dtype.element_ty
    tl.store(gate, (d_state * g * i * (1.0 - i)).to(kind), mask=inside)
    tl.store(gate + HIDDEN, d_f.to(kind), mask=inside)
    tl.store(gate + 2 * HIDDEN, (d_state * i * (1.0 - g * g)).to(kind), mask=inside)
    tl.store(gate + 3 * HIDDEN, (d_out * squashed * o * (1.0 - o)).to(kind), mask=inside)
