"""Rows that meet all rows: every broadcast by accident is refused, and no loss that is meant."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from amnl import five_point_sweep
from amnl.weigh import ProblemError

B, T = 16, 6  # rows a batch, steps a row
draw = torch.Generator().manual_seed(0)
X = torch.randn(40, T, generator=draw)
Y = X.sum(1) + torch.randn(40, generator=draw)
Z = (X[:, 0] > 0).long()
GRID = torch.linspace(0, 1, B)  # as long as a batch by accident


class Net(nn.Module):
    """A column and two logits a row; `many` is one prediction a step."""

    def __init__(self, many: int = T) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(T, B), nn.Tanh(), nn.Dropout(0.1))
        self.one, self.two, self.many = nn.Linear(B, 1), nn.Linear(B, 2), nn.Linear(B, many)
        self.norm = nn.BatchNorm1d(B)
        self.codes = nn.Parameter(torch.randn(B, B))
        self.register_buffer("book", torch.randn(B, B))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.norm(self.trunk(x))
        return self.one(h), self.two(h)


Primary = Callable[[Tensor, Tensor, Any], Tensor]


def sweep(primary: Primary, **changes: Any) -> Any:
    """The smallest sweep with this loss of a column (B, 1), targets (B,) and the whole rest."""

    def losses(model: Any, batch: Any) -> Any:
        x, y, z = batch
        h = model.norm(model.trunk(x))
        column = model.one(h)
        return primary(column, y, (model, h, x, z)), F.cross_entropy(model.two(h), z)

    def metric(model: nn.Module, val: Any) -> float:
        return float((model(X)[0][:, 0] - Y).square().mean())

    parts: dict[str, Any] = {"build": Net, "losses": losses, "metric": metric}
    parts |= {"train": (X, Y, Z), "val": (X, Y, Z), "margin": 0.1, "epochs": 3, "seeds": 1}
    return five_point_sweep(**{**parts, "lams": (0.3, 0.7), "lr": 0.02, "batch_size": B, **changes})


class OwnLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Tensor, y: Tensor) -> Tensor:
        ctx.shape = p.shape
        return (p * y).mean()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        return grad.expand(ctx.shape), None


@torch.jit.script
def scripted(p: Tensor, y: Tensor) -> Tensor:
    return (p - y).abs().mean()


ACCIDENTS: dict[str, Primary] = {
    "by hand": lambda p, y, rest: (p - y).pow(2).mean(),
    "target first": lambda p, y, rest: ((y - p) ** 2).sum(),
    "a column of targets": lambda p, y, rest: (p[:, 0] - y[:, None]).abs().mean(),
    "two axes too many": lambda p, y, rest: (p[:, :, None] - y).square().mean(),
    "one axis too many": lambda p, y, rest: (p[:, :, None] - y[:, None]).square().mean(),
    "a root": lambda p, y, rest: (p - y).square().mean().sqrt(),
    "a norm": lambda p, y, rest: torch.linalg.vector_norm(p - y),
    "the mean of rows": lambda p, y, rest: (p - y).square().mean(1).mean(),
    "rows summed": lambda p, y, rest: (p - y).square().sum(dim=-1).mean(),
    "the largest": lambda p, y, rest: (p - y).abs().max(),
    "log-cosh": lambda p, y, rest: torch.log(torch.cosh(p - y)).mean(),
    "pinball": lambda p, y, rest: torch.maximum(0.9 * (y - p), -0.1 * (y - p)).mean(),
    "where": lambda p, y, rest: torch.where(y > 0, p, -p).mean(),
    "rows that a mask leaves": lambda p, y, rest: (p - y).square()[y > 0].mean(),
    "rows times a mask": lambda p, y, rest: ((p - y).square() * (y > 0)).mean(),
    "weights alone": lambda p, y, rest: (y.abs() * (p - y[:, None]).square()).mean(),
    "smooth_l1_loss": lambda p, y, rest: F.smooth_l1_loss(p, y),
    "l1_loss": lambda p, y, rest: F.l1_loss(p, y),
    "huber_loss": lambda p, y, rest: F.huber_loss(p, y),
    "MSELoss": lambda p, y, rest: nn.MSELoss()(p, y),
    "poisson_nll_loss": lambda p, y, rest: F.poisson_nll_loss(p, y.abs()),
    "kl_div": lambda p, y, rest: F.kl_div(p, y.softmax(0)),
    "an autograd function": lambda p, y, rest: OwnLoss.apply(p, y),
    "scaled by the model": lambda p, y, rest: (p * rest[0].codes[0, 0] - y / 3).square().mean(),
    "of sequences": lambda p, y, rest: (
        rest[0].many(rest[1]).reshape(-1, 1) - rest[2].flatten()
    ).square().mean(),
    "beside logits that are right": lambda p, y, rest: (
        (p - y).square().mean() + F.cross_entropy(rest[0].two(rest[1]), rest[3])
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ACCIDENTS)
def test_a_prediction_that_meets_every_target_is_refused(what: str) -> None:
    with pytest.raises(ProblemError, match=r"(?s)Every prediction would meet every target.*\.squ"):
        sweep(ACCIDENTS[what])


def test_the_line_is_named() -> None:
    def wrong(p: Tensor, y: Tensor, rest: Any) -> Tensor:
        return (p - y).pow(2).mean()

    line = wrong.__code__.co_firstlineno + 1
    with pytest.raises(
        ProblemError, match=rf"\(16, 1\) and \(16,\) \(test_broadcast.py, line {line}\)"
    ):
        sweep(wrong)


def test_as_many_steps_as_rows_are_no_way_around() -> None:
    """(B, T) less (B,) is an error, unless a batch has T rows; each target then meets a step."""

    def primary(p: Tensor, y: Tensor, rest: Any) -> Tensor:
        return (rest[0].many(rest[1]) - y).square().mean()

    with pytest.raises(ProblemError, match=r"\(20, 20\) and \(20,\).*Every prediction"):
        sweep(primary, build=lambda: Net(20), batch_size=20)


@pytest.mark.parametrize("batch_size", [2, 3, 40, 64])
def test_every_size_of_batch_is_looked_at(batch_size: int) -> None:
    with pytest.raises(ProblemError, match="Every prediction"):
        sweep(ACCIDENTS["by hand"], batch_size=batch_size)


def test_a_dataset_with_dicts_is_looked_at() -> None:
    class Rows(Dataset[Any]):
        def __len__(self) -> int:
            return 40

        def __getitem__(self, k: int) -> dict[str, Any]:
            return {"x": X[k], "y": Y[k].item(), "z": Z[k]}

    def losses(model: Any, batch: Any) -> Any:
        p, q = model(batch["x"])
        return (p - batch["y"]).square().mean(), F.cross_entropy(q, batch["z"])

    with pytest.raises(ProblemError, match="Every prediction"):
        sweep(ACCIDENTS["by hand"], train=Rows(), losses=losses)


# ---------------------------------------------------------------------------- what must be let pass


def info_nce(p: Tensor, y: Tensor, rest: Any) -> Tensor:
    model, h, x, _ = rest
    a, b = F.normalize(h, dim=1), F.normalize(model.trunk(x), dim=1)
    return F.cross_entropy(a @ b.T / 0.1, torch.arange(len(a)))


def supervised_contrastive(p: Tensor, y: Tensor, rest: Any) -> Tensor:
    _, h, _, z = rest
    a = F.normalize(h, dim=1)
    same = (z.unsqueeze(1) == z).float() - torch.eye(len(z))
    likely = (a @ a.T / 0.5).log_softmax(1)
    return -(same * likely).sum(1).div(same.sum(1).clamp(min=1)).mean()


def triplet(p: Tensor, y: Tensor, rest: Any) -> Tensor:
    _, h, _, z = rest
    squares = h.square().sum(1)
    apart = (squares[:, None] + squares - 2 * h @ h.T).clamp(min=1e-6).sqrt()
    same = z[:, None] == z
    return F.relu(
        apart.masked_fill(~same, 0).max(1)[0] - apart.masked_fill(same, 9).min(1)[0] + 1
    ).mean()


def distances_to_targets(p: Tensor, y: Tensor, rest: Any) -> Tensor:
    """The usual formula for squared distances, between predictions and draws of a prior."""
    h, prior = rest[1], torch.randn(len(y), B)
    apart = h.square().sum(1, keepdim=True) + prior.square().sum(1) - 2 * h @ prior.T
    return torch.exp(-apart / B).mean().neg() + 2


def cox(p: Tensor, y: Tensor, rest: Any) -> Tensor:
    at_risk = (y >= y.unsqueeze(1)).float()
    return (torch.log((at_risk * p[:, 0].exp()).sum(1)) - p[:, 0]).mean()


def uncertain(p: Tensor, y: Tensor, rest: Any) -> Tensor:
    log_variance = rest[0].two(rest[1])[:, 0]
    return F.gaussian_nll_loss(p[:, 0], y, log_variance.exp())


def attention(p: Tensor, y: Tensor, rest: Any) -> Tensor:
    model, h, *_ = rest
    score = model.one(h) + model.two(h)[:, 0]  # a column and a row, of all pairs
    mixed = score.softmax(1) @ h
    return (model.one(mixed)[:, 0] - y).square().mean()


def in_a_loop(p: Tensor, y: Tensor, rest: Any) -> Tensor:
    return torch.stack([(p[k] - y[k]).square().sum() for k in range(len(y))]).mean()


def penalty(p: Tensor, y: Tensor, rest: Any) -> Tensor:
    x = rest[2].clone().requires_grad_()
    (slope,) = torch.autograd.grad(rest[0](x)[0].sum(), x, create_graph=True)
    return (p[:, 0] - y).square().mean() + 0.01 * (slope.norm(dim=1) - 1).square().mean()


def per_row(p: Tensor, y: Tensor, rest: Any) -> Tensor:
    return torch.func.vmap(lambda a, b: (a - b).square().mean())(p, y).mean()


LEGITIMATE: dict[str, Primary] = {
    "plain": lambda p, y, rest: F.mse_loss(p[:, 0], y),
    "by hand": lambda p, y, rest: (p.squeeze(-1) - y).pow(2).mean(),
    "both columns": lambda p, y, rest: (p - y[:, None]).abs().mean(),
    "summed": lambda p, y, rest: (p[:, 0] - y).square().sum(),
    "weighted mean": lambda p, y, rest: ((p[:, 0] - y).square() * y.abs()).sum() / y.abs().sum(),
    "masked rows": lambda p, y, rest: (p[:, 0] - y)[y > -9].square().mean(),
    "rows times a mask": lambda p, y, rest: ((p[:, 0] - y).square() * (y > 0)).mean(),
    "constant target": lambda p, y, rest: (p - 1.0).square().mean(),
    "constant tensor": lambda p, y, rest: F.mse_loss(p, torch.tensor(1.0)),
    "constant of one": lambda p, y, rest: F.mse_loss(p, torch.ones(1)),
    "constant (1, 1)": lambda p, y, rest: F.l1_loss(p, torch.ones(1, 1)),
    "the mean of the targets": lambda p, y, rest: (p - y.mean()).square().mean(),
    "centred": lambda p, y, rest: (p - p.mean(0) - (y - y.mean())[:, None]).square().mean(),
    "sequences": lambda p, y, rest: (rest[0].many(rest[1]) - rest[2]).square().mean(),
    "steps weighted": lambda p, y, rest: (
        (rest[0].many(rest[1]) - rest[2]).square() * torch.linspace(1, 2, T)).mean(),
    "a row of one target": lambda p, y, rest: (rest[0].many(rest[1]) - y[:, None]).square().mean(),
    "a grid as long as a batch": lambda p, y, rest: (p * GRID - y[:, None]).square().mean(),
    "a code book as long as a batch": lambda p, y, rest: (
        rest[1].square().sum(1, keepdim=True) + rest[0].book.square().sum(1)).mean(),
    "an outer product of weights": lambda p, y, rest: (
        rest[0].codes[:, :1] * rest[0].book[0]).square().mean() + (p[:, 0] - y).square().mean(),
    "features as many as rows": lambda p, y, rest: (rest[1] - GRID).square().mean(),
    "all pairs, written": lambda p, y, rest: torch.exp(-(p[:, 0, None] - y[None, :])**2).mean(),
    "all pairs of predictions": lambda p, y, rest: F.relu(
        1 - (p - p[:, 0]) * torch.sign(y[:, None] - y)).mean(),
    "a kernel": lambda p, y, rest: (
        torch.exp(-(p - p[:, 0]) ** 2) - 2 * torch.exp(-(p - y) ** 2)).mean() + 2,
    "the nearest target": lambda p, y, rest: (p - y).square().min(dim=1).values.mean(),
    "soft matches": lambda p, y, rest: (p - y).square().neg().logsumexp(1).mean().neg(),
    "cdist": lambda p, y, rest: torch.cdist(p, y[:, None]).mean(),
    "embedding loss": lambda p, y, rest: F.margin_ranking_loss(
        p[:-1, 0], p[1:, 0], torch.sign(y[:-1] - y[1:])),
    "cosine": lambda p, y, rest: 1 - F.cosine_similarity(p[:, 0], y, dim=0),
    "correlation": lambda p, y, rest: 1 - torch.corrcoef(torch.stack([p[:, 0], y]))[0, 1],
    "binary": lambda p, y, rest: F.binary_cross_entropy_with_logits(p[:, 0], (y > 0).float()),
    "contrastive": info_nce, "supervised contrastive": supervised_contrastive,
    "triplet": triplet, "distances to draws": distances_to_targets, "Cox": cox,
    "uncertain": uncertain, "attention over the batch": attention, "in a loop": in_a_loop,
    "gradient penalty": penalty, "vmap": per_row,
    "scripted": lambda p, y, rest: scripted(p[:, 0], y),
}  # fmt: skip


@pytest.mark.parametrize("what", LEGITIMATE)
def test_a_loss_that_is_meant_passes(what: str) -> None:
    assert sweep(LEGITIMATE[what]).verdict


@pytest.mark.parametrize("batch_size", [1, 2, 13, 39, 40, 64])
def test_any_size_of_batch_passes(batch_size: int) -> None:
    class Plain(Net):
        def __init__(self) -> None:
            super().__init__()
            if batch_size == 1:
                self.norm = nn.Identity()  # type: ignore[assignment]

    assert sweep(LEGITIMATE["by hand"], build=Plain, batch_size=batch_size).verdict


def test_a_loss_for_batches_of_one_size_passes() -> None:
    weights = torch.linspace(1, 2, 20)

    def primary(p: Tensor, y: Tensor, rest: Any) -> Tensor:
        return (weights * (p[:, 0] - y).square()).mean()

    assert sweep(primary, batch_size=20).verdict


def test_the_check_leaves_no_trace() -> None:
    """Running statistics, random states and what a loss counts for itself decide no score."""
    assert sweep(LEGITIMATE["plain"]).scores == sweep(LEGITIMATE["by hand"]).scores


@pytest.mark.parametrize("compiled", ["model", "loss"])
def test_compiled_code_passes_and_is_looked_at(compiled: str) -> None:
    def net() -> Any:
        return torch.compile(Net(), backend="eager") if compiled == "model" else Net()

    def primary(p: Tensor, y: Tensor, rest: Any) -> Tensor:
        return (p - y).square().mean()

    wrong = torch.compile(primary, backend="eager") if compiled == "loss" else primary
    assert sweep(LEGITIMATE["by hand"], build=net).verdict
    with pytest.raises(ProblemError, match="Every prediction"):
        sweep(wrong, build=net)


# --------------------------------------------------------------------------------------- the metric


def batches(val: Any) -> tuple[Tensor, Tensor]:
    return next(iter(val))[0], next(iter(val))[1]


class Y1(Dataset[Any]):
    def __len__(self) -> int:
        return 40

    def __getitem__(self, k: int) -> Any:
        return X[k], Y[k]


WRONG_METRICS: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "rmse": (lambda m, v: (m(v[0])[0] - v[1]).square().mean().sqrt(), (X, Y)),
    "a list": (lambda m, v: (m(v[0])[0] - v[1]).abs().mean(), [X, Y]),
    "a dict": (lambda m, v: float((m(v["x"])[0] - v["y"]).abs().mean()), {"x": X, "y": Y}),
    "mse_loss": (lambda m, v: F.mse_loss(m(v[0])[0], v[1]), (X, Y)),
    "median": (lambda m, v: (m(v[0])[0] - v[1]).abs().median(), (X, Y)),
    "accuracy": (lambda m, v: ((m(v[0])[0] > 0) == (v[1] > 0)).float().mean(), (X, Y)),
    "R²": (lambda m, v: 1 - (v[1] - m(v[0])[0]).square().mean() / v[1].var(), (X, Y)),
    "a dataset of tensors": (
        lambda m, v: (m(v.tensors[0])[0] - v.tensors[1]).abs().mean(), TensorDataset(X, Y)),
    "a loader": (
        lambda m, v: sum((m(x)[0] - y).abs().mean() for x, y in v) / len(v),
        DataLoader(TensorDataset(X, Y), 20)),
    "a loader of one batch": (
        lambda m, v: np.mean([(m(x)[0] - y).abs().mean() for x, y in v]), DataLoader(Y1(), 64)),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG_METRICS)
def test_a_metric_that_broadcasts_is_refused(what: str) -> None:
    metric, val = WRONG_METRICS[what]
    with pytest.raises(ProblemError, match=r"(?s)metric.*Every prediction would meet every target"):
        sweep(LEGITIMATE["plain"], metric=metric, val=val)


def concordance(model: Any, val: Any) -> float:
    p, y = model(val[0])[0], val[1]
    right = ((p - p[:, 0]) * (y[:, None] - y) > 0).float()
    return float(right.sum() / (len(y) * (len(y) - 1)))


def auc(model: Any, val: Any) -> float:
    p = model(val[0])[0][:, 0][val[1].argsort()]
    low, high = p[:20], p[20:]
    return float((high[:, None] > low).float().mean())


METRICS: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "rmse": (lambda m, v: (m(v[0])[0][:, 0] - v[1]).square().mean().sqrt(), (X, Y)),
    "numpy": (lambda m, v: np.abs(m(v[0])[0][:, 0].numpy() - v[1].numpy()).mean(), (X, Y)),
    "concordance": (concordance, (X, Y)),
    "auc": (auc, (X, Y)),
    "one number to compare with": (lambda m, v: F.mse_loss(m(v[0])[0], torch.ones(1)), (X, Y)),
    "two loaders": (lambda m, v: (m(batches(v[0])[0])[0][:, 0] - batches(v[1])[1]).abs().mean(),
                    (DataLoader(TensorDataset(X, Y), 40), DataLoader(TensorDataset(X, Y), 40))),
    "a metric of features": (lambda m, v: (m.one.weight.T - m.one.weight[0] + m(v[0])[0].mean()
                                           ).abs().mean(), (X, Y)),
}  # fmt: skip


@pytest.mark.parametrize("what", METRICS)
def test_a_metric_that_is_meant_passes(what: str) -> None:
    metric, val = METRICS[what]
    assert sweep(LEGITIMATE["plain"], metric=metric, val=val).verdict
