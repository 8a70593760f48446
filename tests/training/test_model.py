"""The network: its size, its attention, its dropout, its start."""

import dataclasses

import pytest
import torch
from torch import nn

from amnl.training.model import LADDER, Dropout, LastQueryAttention, count_parameters, make_model

PARTS = {"conv": 52_928, "lstm": 2_236_416, "attention": 1_050_624, "norm": 1_024}


def test_paper_preset_has_the_source_parameter_counts() -> None:
    model = make_model("paper")
    trunk = dict(model.trunk.named_children())
    assert {name: count_parameters(trunk[name]) for name in PARTS} == PARTS
    assert count_parameters(trunk["funnel"]) == 149_856
    assert count_parameters(model.rul_head) == 4_737
    assert count_parameters(model.health_head) == 1_635
    assert count_parameters(model) == 3_497_220


@pytest.mark.parametrize(
    ("preset", "parameters"),
    [
        ("compact-11k", 11_124),
        ("compact", 41_700),
        ("compact-133k", 132_882),
        ("compact-404k", 404_230),
    ],
)
def test_the_ladder_has_one_shape_at_four_widths(preset: str, parameters: int) -> None:
    made, compact = make_model(preset), make_model("compact")
    assert count_parameters(made) == parameters
    assert [type(m) for m in made.modules()] == [type(m) for m in compact.modules()]
    width = LADDER[preset].hidden
    same = dataclasses.replace(
        LADDER["compact"],
        conv=(width, width),
        hidden=width,
        funnel=(width,),
        rul=(width // 2,),
        health=(width // 2,),
    )
    assert LADDER[preset] == same


def test_compact_preset_is_about_forty_thousand() -> None:
    assert 35_000 < count_parameters(make_model("compact")) < 45_000


def test_unknown_preset_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"'huge'; there are compact-11k, .*, paper$"):
        make_model("huge")


@pytest.mark.parametrize("preset", [*LADDER, "paper"])
def test_outputs(preset: str) -> None:
    torch.manual_seed(0)
    rul, logits = make_model(preset).eval()(torch.randn(3, 30, 17))
    assert rul.shape == (3,)
    assert logits.shape == (3, 3)
    assert (rul >= 0).all()


def test_last_query_attention_equals_multihead_attention() -> None:
    """Values and gradients, at the last position, with every bias away from zero."""
    torch.manual_seed(0)
    stock = nn.MultiheadAttention(16, 4, batch_first=True, dtype=torch.float64)
    ours = LastQueryAttention(16, 4, dropout=0.0).double()
    with torch.no_grad():
        stock.in_proj_bias.normal_()
        stock.out_proj.bias.normal_()
    ours.load_state_dict(stock.state_dict())
    x = torch.randn(5, 7, 16, dtype=torch.float64, requires_grad=True)
    expected = stock(x, x, x, need_weights=False)[0][:, -1]
    actual = ours(x)
    torch.testing.assert_close(actual, expected)
    seed = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, [x, *stock.parameters()], seed)
    got = torch.autograd.grad(actual, [x, *ours.parameters()], seed)
    torch.testing.assert_close(got, wanted)


def test_convolution_equals_conv1d() -> None:
    """The 2-D convolution with channels last is the Conv1d of the source."""
    torch.manual_seed(0)
    trunk = make_model("compact").trunk.double().eval()
    x = torch.randn(4, 30, 17, dtype=torch.float64)
    expected = x.transpose(1, 2)
    for i in (0, 4):
        conv, norm = trunk.conv[i], trunk.conv[i + 1]
        expected = nn.functional.conv1d(expected, conv.weight.squeeze(2), padding=1)
        expected = nn.functional.batch_norm(
            expected, norm.running_mean, norm.running_var, norm.weight, norm.bias
        ).relu()
    torch.testing.assert_close(trunk.conv(x).transpose(1, 2), expected)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_drops_at_its_rate_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    layer = Dropout(p)
    out = layer(torch.ones(1001, 999, requires_grad=True))
    dropped = (out == 0).float()
    sd = (p * (1 - p) / out.numel()) ** 0.5
    assert abs(dropped.mean().item() - p) < 5 * sd
    assert sorted(out.unique().tolist()) == pytest.approx([0.0, 1 / (1 - p)], rel=1e-4)
    # neighbours share a 64-bit draw; they must be independent all the same
    together = (dropped.view(-1)[:-1] * dropped.view(-1)[1:]).mean().item()
    assert abs(together - p * p) < 5 * (p * p * (1 - p * p) / out.numel()) ** 0.5


def test_dropout_is_nothing_in_evaluation_and_refuses_bad_rates() -> None:
    x = torch.randn(3, 5)
    assert Dropout(0.5).eval()(x) is x
    with pytest.raises(ValueError, match=r"1\.0"):
        Dropout(1.0)


@pytest.mark.parametrize("preset", ["compact", "paper"])
def test_no_seed_starts_with_a_shut_output(preset: str) -> None:
    """PyTorch's default bias shuts the final ReLU in about half of the seeds, for good."""
    for seed in range(8):
        torch.manual_seed(seed)
        model = make_model(preset)
        assert (model(torch.randn(16, 30, 17))[0] > 0).all()


@pytest.mark.parametrize("p", [0.999995, 1 - 2**-17, 1 - 2**-16])
def test_the_highest_rates_of_dropout_leave_finite_numbers(p: float) -> None:
    out = Dropout(p).train()(torch.ones(1000))
    assert bool(out.isfinite().all())


def test_dropout_on_another_device_is_pytorchs() -> None:
    assert Dropout(0.5).train()(torch.ones(4, device="meta")).shape == (4,)
