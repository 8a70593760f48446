"""The stacked network against the single one: its layers, and what it refuses."""

import copy
import dataclasses

import pytest
import torch
from torch import Tensor, nn

from amnl.training import adamw, model, stacked_network
from amnl.training.model import make_model
from amnl.training.stacked_network import Noise, StackedModel

CPU = torch.device("cpu")


def stack(single: model.DualTaskModel, cells: int = 2) -> StackedModel:
    return StackedModel([single] * cells, Noise(range(cells), CPU), CPU)


@pytest.mark.parametrize("preset", sorted(model.PRESETS | model.LADDER))
def test_names_and_shapes_are_the_single_models(preset: str) -> None:
    single = make_model(preset)
    many = stack(single)
    assert list(many.parts) == [name for name, _ in single.named_parameters()]
    for name, parameter in single.named_parameters():
        assert many.parts[name].shape == (2, *parameter.shape)


def test_a_change_of_the_model_reaches_the_stacked_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trunk with a residual connection, and another normaliser: written once."""

    class Changed(model.Trunk):
        def __init__(self, config: model.ModelConfig, inputs: int) -> None:
            super().__init__(config, inputs)
            self.extra = nn.Linear(2 * config.hidden, 2 * config.hidden)

        def forward(self, x: Tensor) -> Tensor:
            x, _ = self.lstm(self.conv(x))
            last = x[..., -1, :] + x.mean(-2)
            out: Tensor = self.funnel(self.norm(last + self.extra(last).tanh()))
            return out

    monkeypatch.setattr(model, "Trunk", Changed)
    torch.manual_seed(0)
    single = make_model("compact").double().eval()
    many = stack(single)
    x = torch.randn(2, 5, 30, 17, dtype=torch.float64)
    with torch.no_grad():
        rul, logits = many.evaluate(many.parameters, many.buffers, x)
        for c in range(2):
            alone = single(x[c])
            torch.testing.assert_close(rul[c], alone[0], rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(logits[c], alone[1], rtol=1e-10, atol=1e-12)


def test_a_layer_that_cannot_be_stacked_is_refused_by_name() -> None:
    single = make_model("compact")
    single.trunk.funnel.append(nn.PReLU())
    with pytest.raises(TypeError, match=r"trunk\.funnel\.3 is a PReLU"):
        stack(single)


def test_the_models_that_are_stacked_are_left_alone() -> None:
    single = make_model("compact")
    before = copy.deepcopy(single)
    stack(single)
    assert all("forward" not in vars(layer) for layer in single.modules())
    for ours, theirs in zip(single.parameters(), before.parameters(), strict=True):
        assert torch.equal(ours, theirs) and ours.requires_grad


def test_what_a_gpu_compiles_can_be_compiled_and_is_the_same() -> None:
    """Traced and derived as `torch.compile` does for a GPU, without making kernels."""
    torch.manual_seed(0)
    cells, batch, steps, features, out = 4, 6, 30, 5, 3
    x = torch.randn(cells, batch, steps, features, dtype=torch.float64)
    parts = [
        torch.randn(cells, out, features, 1, 3),
        torch.rand(cells, out),
        torch.rand(cells, out),
    ]
    parts = [p.double().requires_grad_() for p in parts]
    seen = (torch.arange(batch) < 4).double().expand(cells, batch)
    keep, of_seed = torch.rand(2, batch, steps, out) > 0.2, torch.tensor([0, 0, 1, 1])
    calls = [
        (stacked_network._block, (x, *parts, seen, keep, of_seed, 0.2, 1e-5)),
        (stacked_network._block_at_rest, (x, *parts, parts[1], parts[2], 1e-5)),
        (stacked_network._masked_large, (x, keep[..., :1], of_seed, 0.2)),
    ]
    for function, given in calls:
        plain = function.__wrapped__  # type: ignore[attr-defined]
        traced = torch.compile(plain, backend="aot_eager", fullgraph=True, dynamic=False)
        pairs = [[*r] if isinstance(r, tuple) else [r] for r in (traced(*given), plain(*given))]
        for ours, theirs in zip(*pairs, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
        if pairs[0][0].requires_grad:
            ours, theirs = (torch.autograd.grad(p[0].sin().sum(), parts) for p in pairs)
            for mine, his in zip(ours, theirs, strict=True):
                torch.testing.assert_close(mine, his, rtol=1e-9, atol=1e-12)
    arrays, columns = [torch.rand(cells, 50) for _ in range(5)], [torch.rand(cells, 1) + 0.1] * 6
    step = adamw._step.__wrapped__  # type: ignore[attr-defined]
    one, two = ([a.clone() for a in arrays] for _ in range(2))
    torch.compile(step, backend="aot_eager", fullgraph=True, dynamic=False)(*one, *columns)
    step(*two, *columns)
    for ours, theirs in zip(one, two, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_dropout_between_lstm_layers_keeps_the_order_of_its_draws() -> None:
    """Masks are drawn for (B, T, F), whatever the order in memory: rows can be repeated."""
    preset = dataclasses.replace(model.PRESETS["compact"], layers=2)
    single = model.DualTaskModel(preset)
    noise = Noise([7], CPU)
    many = StackedModel([single], noise, CPU)
    drawn: list[tuple[int, ...]] = []
    masks = noise.masks
    noise.masks = lambda shape, p: drawn.append(tuple(shape)) or masks(shape, p)  # type: ignore
    many(torch.randn(1, 4, 30, 17), torch.ones(1, 4), torch.ones(1))
    assert (4, 30, 64) in drawn


def low_bits(seed: int, epoch: int) -> int:
    """What a CPU's generator keeps of the seed of a stream."""
    return stacked_network._stream_seed(seed, epoch) % 2**32


def test_no_two_seeds_share_their_dropout() -> None:
    """A CPU's generator keeps 32 bits: packed as seed · 2^20 + epoch, every 4096th was the same."""
    pairs = [(0, 4096), (42, 4138), (1, 2**32 - 4095), (0, 2**31), (4096, 8192)]
    for one, other in pairs:
        for epoch in (0, 1, 40):
            assert low_bits(one, epoch) != low_bits(other, epoch)
    seeds = [*range(3), *(2**k + j for k in range(12, 32) for j in (0, 1))]
    streams = {low_bits(seed, epoch) for seed in seeds for epoch in range(20)}
    assert len(streams) == len(seeds) * 20
    assert low_bits(1, 0) != low_bits(0, 2**20)
    Noise([2**32 - 1], CPU).start(3)


def test_masks_differ_where_the_packed_seeds_met() -> None:
    noise = Noise([0, 4096], CPU)
    noise.start(1)
    one, other = noise.masks((1000,), 0.5)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (9, 40), (4095, 7)])
def test_published_rows_keep_their_streams(seed: int, epoch: int) -> None:
    assert stacked_network._stream_seed(seed, epoch) == seed * 2**20 + epoch
