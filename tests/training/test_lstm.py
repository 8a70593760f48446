"""The LSTM of many cells against PyTorch's."""

import pytest
import torch
from torch import Tensor, nn

from amnl.training.lstm import bidirectional


def weights(cells: int, features: int, hidden: int, dtype: torch.dtype) -> list[Tensor]:
    shapes = ((4 * hidden, features), (4 * hidden, hidden), (4 * hidden,))
    return [0.3 * torch.randn(cells, *shape, dtype=dtype) for shape in shapes * 2]


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_lstm_is_pytorchs_and_so_are_its_gradients(steps: int) -> None:
    torch.manual_seed(0)
    cells, batch, features, hidden = 3, 5, 4, 6
    ours = weights(cells, features, hidden, torch.float64)
    x = torch.randn(cells, steps, batch, features, dtype=torch.float64)
    wanted = torch.randn(cells, steps, batch, 2 * hidden, dtype=torch.float64)
    for tensor in (x, *ours):
        tensor.requires_grad_()
    out = bidirectional(x, ours[:3], ours[3:])
    found = torch.autograd.grad((out * wanted).sum(), (x, *ours))
    for c in range(cells):
        single = nn.LSTM(features, hidden, bidirectional=True, dtype=torch.float64)
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0")
        names += tuple(f"{name}_reverse" for name in names)
        with torch.no_grad():
            for name, value in zip(names, ours, strict=True):
                getattr(single, name).copy_(value[c])
            single.bias_hh_l0.zero_()
            single.bias_hh_l0_reverse.zero_()
        alone = x[c].detach().requires_grad_()
        expected, _ = single(alone)
        torch.testing.assert_close(out[c], expected, rtol=1e-12, atol=1e-14)
        inputs = (alone, *(getattr(single, name) for name in names))
        gradients = torch.autograd.grad((expected * wanted[c]).sum(), inputs)
        for mine, theirs in zip(found, gradients, strict=True):
            torch.testing.assert_close(mine[c], theirs, rtol=1e-10, atol=1e-12)


def test_products_in_bfloat16_keep_the_cell_state_in_single_precision() -> None:
    torch.manual_seed(0)
    exact = weights(2, 4, 8, torch.float32)
    x = torch.randn(2, 30, 16, 4)
    low = [w.bfloat16() if w.dim() == 3 else w for w in exact]
    for tensor in low:
        tensor.requires_grad_()
    rough = bidirectional(x.bfloat16(), low[:3], low[3:])
    assert rough.dtype == torch.bfloat16
    fine = bidirectional(x, exact[:3], exact[3:])
    error = (rough.float() - fine).norm() / fine.norm()
    assert 1e-4 < error < 2e-2, "rounded to 7 bits, and the errors do not add up over 30 cycles"
    rough.float().sum().backward()
    assert [w.grad.dtype for w in low] == [w.dtype for w in low]  # type: ignore[union-attr]
