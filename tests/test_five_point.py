"""The five-point sweep: its rule on planted tables, help for wrong use, its store, its output."""

import dataclasses
import functools
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import five_point_rates
import matplotlib.pyplot as plt
import numpy as np
import pages
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, huber_loss, mse_loss
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from typer.testing import CliRunner, Result

import amnl
from amnl import five_point_sweep
from amnl.cli.app import app
from amnl.combine import FIVE
from amnl.combiners import FixedWeightLoss, make_combiner
from amnl.losses import moderate_weighted_mse_loss
from amnl.stats import MARGIN
from amnl.study.rows import load_five_point, load_rows
from amnl.sweep import StoreError, connect
from amnl.weigh import my_problem
from amnl.weigh.decide import decide, luck, more_seeds, reference_of
from amnl.weigh.five_point import FivePoint, _notes
from amnl.weigh.kept import identity
from amnl.weigh.problem import Problem, ProblemError, Scale

# ------------------------------------------------------------------------- a problem of ten lines

draw = torch.Generator().manual_seed(0)
X = torch.randn(40, 3, generator=draw)
Y = X.sum(1) + torch.randn(40, generator=draw)
Z = (X[:, 0] > 0).long()
TRAIN = (X, Y, Z)


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))


def losses(model: nn.Module, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    out = model(batch[0])
    return mse_loss(out[:, 0], batch[1]), cross_entropy(out[:, 1:], batch[2])


def metric(model: nn.Module, val: Sequence[Tensor]) -> float:
    return float(mse_loss(model(val[0])[:, 0], val[1]))


SMALL: dict[str, Any] = {"margin": 0.1, "epochs": 2, "batch_size": 20, "lr": 0.02}


def sweep(**changes: Any) -> FivePoint:
    """The small problem, with changes."""
    parts: dict[str, Any] = {"build": build, "losses": losses, "metric": metric}
    return five_point_sweep(
        **{**parts, "train": TRAIN, "val": TRAIN, "seeds": 2, **SMALL, **changes}
    )


@pytest.fixture(scope="module")
def result() -> FivePoint:
    return sweep(seeds=3)


def scores_of(found: FivePoint) -> dict[float, list[float]]:
    return found.scores


# --------------------------------------------------------------------------------------- the rule


def table(means: Sequence[float], spread: float = 0.1, seeds: int = 5) -> dict[float, list[float]]:
    """Scores at the five weights with these means exactly, and luck that seeds mostly share."""
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(len(means), seeds))
    noise -= noise.mean(axis=1, keepdims=True)
    shared = rng.normal(size=seeds) * 10
    values = np.array(means)[:, None] + spread * noise + shared - shared.mean()
    return dict(zip(FIVE, values.tolist(), strict=True))


@pytest.mark.parametrize(
    ("means", "spread", "verdict", "recommended", "findings"),
    [
        ([5, 5, 5, 5, 5], 0.1, "flat", 0.5, "same same same same"),
        ([5, 5, 5, 5, 3.8], 0.1, "better", 0.7, "same same same better"),
        ([4.0, 4.4, 5, 6, 7], 0.1, "better", 0.3, "better better worse worse"),
        ([6, 5.2, 5, 5.2, 6], 0.1, "keep", 0.5, "worse same same worse"),
        ([5, 5, 5, 5, 3.8], 4.0, "undecided", 0.5, "open open open open"),
        # A gain that is surely smaller than the margin moves nobody.
        ([4.8, 5, 5, 5, 7], 0.05, "keep", 0.5, "same same same worse"),
    ],
)
def test_verdicts_on_planted_tables(
    means: list[float], spread: float, verdict: str, recommended: float, findings: str
) -> None:
    for higher in (False, True):
        scores = table([-m for m in means] if higher else means, spread)
        found = decide(scores, margin=0.5, higher_is_better=higher)
        assert (found.verdict, found.recommended) == (verdict, recommended)
        assert " ".join(c.finding for c in found.comparisons) == findings


def test_the_numbers_of_a_comparison_are_scipys() -> None:
    import scipy.stats

    scores = table([4, 4.5, 5, 5.5, 6], 0.5)
    found = decide(scores, margin=0.5)
    d = np.subtract(scores[0.3], scores[0.5])
    one = found.comparisons[0]
    low, high = scipy.stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert [one.mean - one.half, one.mean + one.half] == pytest.approx([low, high])
    least = min(scipy.stats.ttest_1samp(np.subtract(scores[k], scores[0.5]), 0).pvalue for k in
                FIVE if k != 0.5)  # fmt: skip
    assert min(c.p for c in found.comparisons) == pytest.approx(4 * least)
    not_better = scipy.stats.ttest_1samp(d, -0.5, alternative="greater").pvalue
    not_worse = scipy.stats.ttest_1samp(d, 0.5, alternative="less").pvalue
    assert one.p_not_better == pytest.approx(not_better)
    assert one.p_same == pytest.approx(max(not_better, not_worse))


def test_one_seed_decides_nothing() -> None:
    found = decide({0.3: [1.0], 0.5: [9.0]}, margin=0.5)
    assert (found.verdict, found.recommended, found.more_seeds) == ("undecided", 0.5, None)
    assert "one seed" in str(found)


def steps_of(kind: Any, seeds: int, others: int) -> dict[float, list[float]]:
    """Accuracies in hundredths: every weight but the reference is better by 0.1 at each seed."""
    lams = (0.5, 0.7, 0.3, 0.6, 0.4)[: others + 1]
    worse = [0.5 + k / 100 for k in range(seeds)]
    return {lam: [float(kind(a if lam == 0.5 else a + 0.1)) for a in worse] for lam in lams}


@pytest.mark.parametrize("others", [1, 4])
@pytest.mark.parametrize("kind", [float, np.float32], ids=["double", "single"])
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e4])
def test_ties_in_any_rounding_are_judged_by_their_sign_and_so_is_what_would_tell(
    kind: Any, others: int, scale: float
) -> None:
    enough = {1: 6, 4: 8}[others]  # 2 · others · 0.5ⁿ < 0.05
    for seeds in range(2, enough + 2):
        scores = steps_of(lambda a: float(kind(scale * a)), seeds, others)
        found = decide(scores, 0.05 * scale, higher_is_better=True)
        assert found.verdict == ("undecided" if seeds < enough else "better")
        if seeds < enough:
            assert found.more_seeds == enough - seeds


def test_a_tie_beside_a_spread_is_counted_too() -> None:
    loss = np.array([[-0.1, -0.1, -0.1, -0.1], [-0.1, -0.3, 0.2, -0.1]]).T
    assert more_seeds(loss, 0.01, 1e-9) == 7 - 4


@pytest.mark.parametrize(("seeds", "verdict"), [(2, "undecided"), (5, "undecided"), (6, "better")])
def test_differences_without_spread_are_judged_by_their_sign(seeds: int, verdict: str) -> None:
    """As the exact test does: two equal accuracies prove nothing, six one-sided coins do."""
    scores = {0.5: [0.8] * seeds, 0.7: [0.9] * seeds}
    assert decide(scores, 0.05, higher_is_better=True).verdict == verdict


@pytest.mark.parametrize(
    ("lams", "reference"),
    [((0.1, 0.5, 0.9), 0.5), ((0.4, 0.6), 0.4), ((0.6, 0.4), 0.4), ((0.7, 0.9), 0.7)],
)
def test_the_reference_is_the_nearest_to_a_half(lams: tuple[float, ...], reference: float) -> None:
    assert reference_of(lams) == reference


def test_the_power_calculation_is_borne_out() -> None:
    """With the number of seeds it names, about 80 % of sweeps of this kind are settled."""
    rng = np.random.default_rng(1)
    truth = np.array([0.4, 0.4, 0.4, -0.6])  # one of four is better, by more than the margin
    pilot = rng.normal(size=(5, 4))
    pilot = (pilot - pilot.mean(axis=0)) / pilot.std(axis=0, ddof=1) + truth
    n = 5 + (more_seeds(pilot, 0.5) or 0)
    assert 15 < n < 60
    settled = 0
    for _ in range(300):
        d = truth + rng.normal(size=(n, 4))
        scores = {0.5: np.zeros(n), **dict(zip((0.3, 0.4, 0.6, 0.7), d.T, strict=True))}
        settled += decide({k: v.tolist() for k, v in scores.items()}, 0.5).verdict != "undecided"
    assert 0.7 < settled / 300 < 0.95


def test_more_than_a_thousand_seeds_are_not_named() -> None:
    rng = np.random.default_rng(1)
    d = rng.normal(size=(5, 4)) * 100
    assert more_seeds(d - d.mean(axis=0), 0.5) is None


def test_luck_is_the_expected_lead_of_the_best_of_equals() -> None:
    rng = np.random.default_rng(2)
    tables = rng.normal(size=(400, 5, 9))  # seeds, weights
    lead = np.mean([t.mean(axis=0).max() - t.mean() for t in tables])
    said = np.mean([luck(dict(enumerate(t.T.tolist()))) for t in tables])
    assert said == pytest.approx(lead, rel=0.05)


@pytest.mark.parametrize(
    ("scores", "margin", "words"),
    [
        ({0.3: [1.0, 2.0], 0.5: [1.0]}, 0.5, "0.5: 2 finite"),
        ({0.3: [1.0, math.nan], 0.5: [1.0, 2.0]}, 0.5, "finite.*nan"),
        ({0.5: [1.0, 2.0]}, 0.5, "two λ"),
        ({0.3: [1.0], 0.5: [1.0]}, 0.0, "margin.*0.0"),
        ({0.3: [], 0.5: []}, 0.5, "1 finite"),
    ],
)
def test_scores_that_do_not_pair_are_refused(scores: Any, margin: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decide(scores, margin)


# -------------------------------------------------------------------------------------- wrong use


def one_loss(model: nn.Module, batch: Any) -> Any:
    return sum(losses(model, batch))


def of_rows(model: nn.Module, batch: Any) -> Any:
    return (model(batch[0])[:, 0] - batch[1]) ** 2, losses(model, batch)[1]


def detached(model: nn.Module, batch: Any) -> Any:
    first, second = losses(model, batch)
    return first.detach(), second


def infinite(model: nn.Module, batch: Any) -> Any:
    first, second = losses(model, batch)
    return first / 0, second


def of_columns(model: nn.Module, batch: Any) -> Any:
    out = model(batch[0])
    return mse_loss(out[:, :1], batch[1]), cross_entropy(out[:, 1:], batch[2])


def wearing(model: nn.Module, val: Any) -> float:
    val[0].mul_(0.97)
    return metric(model, val)


def seeded_build() -> nn.Module:
    torch.manual_seed(0)
    return build()


own_generator = np.random.default_rng()


def moody_build() -> nn.Module:
    model = build()
    nn.init.constant_(model[0].bias, own_generator.random())
    return model


ONE_MODEL = build()


class TwoModels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 1), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.a(x), self.b(x)], 1)


class Plain(nn.Module):
    """A combiner that does not take extras."""

    def __init__(self, lam: float) -> None:
        super().__init__()
        self.lam = lam

    def forward(self, primary: Tensor, auxiliary: Tensor) -> Tensor:
        return self.lam * primary + (1 - self.lam) * auxiliary


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"losses": one_loss}, "one tensor.*primary and the auxiliary"),
        ({"losses": lambda m, b: (*losses(m, b), losses(m, b)[0])}, "tuple of 3"),
        ({"losses": of_rows}, r"primary loss.*\(20,\).*0-D"),
        ({"losses": detached}, "primary loss.*without a gradient.*detach"),
        ({"losses": infinite}, "primary loss is inf"),
        ({"losses": lambda m, b: (losses(m, b)[0], 0.0)}, "auxiliary loss is float"),
        ({"losses": lambda m, b: (losses(m, b)[0],) * 2}, "both losses are .* itself"),
        ({"metric": lambda m, v: math.nan}, "metric is nan.*before training"),
        ({"metric": lambda m, v: float(torch.rand(()))}, "metric of one model is .* at random"),
        ({"metric": wearing, "val": tuple(t.clone() for t in TRAIN)}, "changes the model or val"),
        ({"losses": of_columns}, r"different shapes.*\[20\].*\[20, 1\].*squeeze"),
        ({"metric": lambda m, v: None}, "metric.*NoneType.*one number"),
        ({"metric": lambda m, v: m(v[0])}, r"metric.*Tensor.*one number"),
        ({"metric": lambda m, v: 3.0}, "all 10 runs have the metric 3.*saturated"),
        ({"train": tuple(t[:3] for t in TRAIN)}, "train has 3 rows.*10"),
        ({"val": tuple(t[:3] for t in TRAIN)}, "val has 3 rows"),
        ({"val": DataLoader(TensorDataset(*(t[:3] for t in TRAIN)))}, "val has 3 rows"),
        ({"train": (X, Y[:30], Z)}, r"\[30, 40\] rows"),
        ({"train": (X.numpy(), Y.numpy())}, "ndarray, ndarray.*as_tensor"),
        ({"train": DataLoader(TensorDataset(*TRAIN))}, "DataLoader.*train.dataset"),
        ({"train": 7}, "train is int"),
        ({"lams": (0.5, 1.2)}, r"λ.*\[0, 1\].*1\.2"),
        ({"lams": (-0.1, 0.5)}, r"λ.*\[0, 1\].*-0\.1"),
        ({"lams": (0.5, math.nan)}, r"λ.*nan"),
        ({"lams": (0.5,)}, "at least two λ"),
        ({"lams": (0.5, 0.5)}, "each once"),
        ({"margin": 0}, "margin.*pay for"),
        ({"seeds": 0}, "seeds.*0"),
        ({"epochs": 0}, "epochs.*0"),
        ({"lr": -1.0}, "lr.*-1"),
        ({"lr": 1e30}, "not finite.*lr"),
        ({"build": seeded_build}, "seed is ignored.*torch.manual_seed.*same_start"),
        ({"build": moody_build}, "other weights for the same seed"),
        ({"build": lambda: ONE_MODEL}, "same parameters each time"),
        ({"build": lambda: None}, "build.*NoneType.*Module"),
        ({"build": nn.Flatten}, "without parameters"),
        ({"build": TwoModels, "losses": lambda m, b: (
            mse_loss(m.a(b[0])[:, 0], b[1]), cross_entropy(m.b(b[0]), b[2]))}, "two models in one"),
        ({"combiner": lambda lam: lam}, "combiner.*float.*FixedWeightLoss.convex"),
        ({"combiner": lambda lam: lambda a, b, **extras: 1.0}, "combiner.*float.*0-D"),
        ({"combiner": lambda lam: FixedWeightLoss()}, "no λ changes the training"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_a_way_out(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ProblemError, match=f"(?s){words}"):
        sweep(**changes)


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(zip(*TRAIN, strict=True))


class LongStream(Stream):
    def __len__(self) -> int:
        return 40


class Scored(NamedTuple):
    rmse: float


def of_one(batch: Any) -> Any:
    return losses(build(), batch)


def _of_weight(weight: float, model: nn.Module, batch: Any) -> Any:
    return weight * losses(model, batch)[0], losses(model, batch)[1]


FRAME = pd.DataFrame({"a": X[:, 0].numpy(), "y": Y.numpy()})


# What people bring that is of another kind: said in one line, with what was expected and what came.
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": FRAME}, "train is DataFrame; .*tuple of tensors.*to_numpy"),
        ({"train": FRAME["y"]}, "train is Series; .*tuple of tensors"),
        ({"train": pd.DataFrame(np.zeros((40, 40)))}, "train is DataFrame"),
        ({"train": (FRAME, FRAME)}, "tuple of DataFrame, DataFrame"),
        ({"train": {"x": X, "y": Y}}, r"train is dict of x, y; .*tuple\(train.values"),
        ({"train": Stream()}, "train is Stream; .*Dataset with a length"),
        ({"train": LongStream()}, "train is LongStream; .*Dataset with a length"),
        ({"train": (row for row in zip(*TRAIN, strict=True))}, "train is generator; .*Dataset"),
        ({"train": "train.csv and so on"}, "train is str; .*Dataset"),
        ({"train": Path("train.csv")}, "train is .*Path; .*Dataset"),
        ({"train": list(X.repeat(1, 2))}, r"list of 40 tensors of 6 rows.*torch.stack\(train\)"),
        ({"train": (X, Y, torch.tensor(1.0))}, r"\[0, 40\] rows"),
        ({"train": [(x, None) for x in X]}, "rows of train do not make a batch.*NoneType"),
        ({"train": [X[0, : 1 + k % 2] for k in range(40)]}, r"tensors of train have \[1, 2\] rows"),
        ({"train": [(X[0, : 1 + k % 2], 1) for k in range(40)]}, "do not make a batch.*equal size"),
        ({"val": DataLoader(TensorDataset(X, Y), 7, shuffle=True),
          "metric": lambda m, v: torch.cat([m(b[0])[:, 0] for b in v])[0]},
         "order each time.*shuffle=True.*shuffle=False"),
        ({"val": {"test": DataLoader(TensorDataset(X, Y), 7, shuffle=True)},
          "metric": lambda m, v: next(m(b[0])[0, 0] for b in v["test"])}, "shuffle=True"),
        ({"seeds": [0, 1]}, r"seeds must be a whole number.*\[0, 1\] \(list\).*2 means"),
        ({"seeds": range(3)}, r"seeds.*range\(0, 3\)"),
        ({"seeds": True}, "seeds.*True"),
        ({"seeds": 2.5}, r"seeds.*2\.5"),
        ({"seeds": None}, "seeds.*None"),
        ({"seeds": math.inf}, "seeds.*inf"),
        ({"seeds": math.nan}, "seeds.*nan"),
        ({"seeds": "2"}, r"seeds.*'2' \(str\)"),
        ({"epochs": "3"}, r"epochs must be a whole number.*'3' \(str\)"),
        ({"epochs": -1}, "epochs.*-1"),
        ({"batch_size": 0.5}, r"batch_size.*0\.5"),
        ({"batch_size": None}, "batch_size.*None"),
        ({"lr": "fast"}, r"lr must be a positive number.*'fast' \(str\)"),
        ({"lr": [1e-3, 1e-4]}, r"lr.*\(list\)"),
        ({"lr": np.array([1e-3])}, r"lr.*\(ndarray\)"),
        ({"margin": None}, r"margin must be a positive number, got None.*pay for"),
        ({"margin": "0.1"}, r"margin.*'0\.1' \(str\).*pay for"),
        ({"margin": torch.ones(2)}, r"margin.*\(Tensor\)"),
        ({"margin": math.nan}, "margin.*nan"),
        ({"lams": 0.5}, "two λ.*got 0.5.*such as"),
        ({"lams": "0.3,0.5"}, r"two λ.*'0.3,0.5' \(str\)"),
        ({"lams": ("0.3", "0.5")}, r"two λ, each a number.*'0.3'"),
        ({"lams": None}, "two λ.*None"),
        ({"lams": [[0.3, 0.5]]}, r"two λ.*\[\[0.3"),
        ({"higher_is_better": "no"}, "higher_is_better must be True or False.*'no'"),
        ({"same_start": None}, "same_start must be True or False"),
        ({"store": 7}, "store must be the name of a folder, got 7"),
        ({"client": "tcp://here:8786"}, r"client must be.*Dask.*'tcp://here:8786' \(str\)"),
        ({"build": build()}, "build is a model, Sequential; a function"),
        ({"build": lambda width: nn.Linear(3, width)}, r"called as build\(\).*\(width\) does not"),
        ({"build": nn.Linear}, r"called as build\(\).*Linear\(in_features"),
        ({"build": lambda: nn.Linear}, "returned type, not a torch.nn.Module"),
        ({"build": lambda: nn.LazyLinear(3)}, "lazy layers"),
        ({"losses": of_one}, r"called as losses\(model, batch\), but of_one\(batch.*does not"),
        ({"losses": (mse_loss, cross_entropy)}, r"losses is \(.*a function losses\(model, batch\)"),
        ({"losses": None}, "losses is None.*a function"),
        ({"losses": lambda m, b: None}, r"losses\(model, batch\) returned NoneType"),
        ({"losses": lambda m, b: dict(zip("ab", losses(m, b), strict=True))}, "returned dict"),
        ({"metric": lambda model: 1.0}, r"called as metric\(model, val\).*\(model\) does not"),
        ({"metric": 0.5}, "metric is 0.5; a function"),
        ({"metric": Scored}, r"called as metric\(model, val\), but Scored"),
        ({"metric": lambda m, v: {"rmse": 1.0}}, "metric.*returned dict; one number"),
        ({"metric": lambda m, v: Scored(1.0)}, "metric.*returned Scored; one number"),
        ({"metric": lambda m, v: torch.ones(3)}, r"metric.*Tensor torch.Size\(\[3\]\); one number"),
        ({"metric": lambda m, v: "0.5"}, "metric.*returned str; one number"),
        ({"combiner": "amnl"}, r"combiner is 'amnl' \(str\); a function combiner\(lam\)"),
        ({"combiner": FixedWeightLoss.convex(0.5)}, r"called as combiner\(lam\)"),
        ({"tell": True}, "tell is True; a function"),
    ],
)  # fmt: skip
def test_another_kind_of_input_is_named(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    """Nothing is written, and the message is one line."""
    with pytest.raises(ProblemError, match=words) as caught:
        sweep(**{"store": tmp_path / "runs", **changes})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


def test_a_forgotten_margin_is_named() -> None:
    with pytest.raises(TypeError, match="'margin'"):
        five_point_sweep(build, losses, metric, TRAIN, TRAIN)  # type: ignore[call-arg]


class Frozen(nn.Module):
    """The first layer does not learn, the second is shared."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Linear(4, 3))
        self.layers[0].requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


def as_dict(model: nn.Module, batch: Any) -> Any:
    return losses(model, (batch["x"], batch["y"], batch["z"]))


DICTS = [{"x": x, "y": y, "z": z} for x, y, z in zip(*TRAIN, strict=True)]
HALF = (X.bfloat16(), Y.bfloat16(), Z)
LOADER = DataLoader(TensorDataset(*TRAIN), 16)


def of_loader(model: nn.Module, val: Any) -> float:
    return float(np.mean([metric(model, batch) for batch in val]))


@pytest.mark.parametrize(
    "changes",
    [
        {"margin": 0.05 * Y.std()},
        {"margin": np.float32(0.1), "lr": np.float32(0.02), "epochs": np.int64(2)},
        {"seeds": 2.0, "epochs": torch.tensor(1), "batch_size": np.float64(20)},
        {"lams": np.linspace(0.3, 0.7, 3)},
        {"lams": torch.tensor([0.25, 0.5])},
        {"lams": range(2)},
        {"higher_is_better": np.bool_(True)},
        {"metric": lambda m, v: np.float32(metric(m, v))},
        {"metric": lambda m, v: torch.tensor([metric(m, v)])},
        {"train": TensorDataset(*TRAIN)},
        {"train": list(TRAIN)},
        {"train": list(zip(*TRAIN, strict=True))},
        {"train": Subset(TensorDataset(*TRAIN), range(30))},
        {"train": dict(enumerate(zip(*TRAIN, strict=True)))},
        {"train": DICTS, "losses": as_dict},
        {"train": np.hstack([X.numpy(), Y[:, None].numpy()]), "losses": lambda m, b: losses(
            m, (b[:, :3], b[:, 3], (b[:, 0] > 0).long()))},
        {"val": LOADER, "metric": of_loader},
        {"val": (LOADER, LOADER), "metric": lambda m, v: of_loader(m, v[1])},
        {"val": (X.numpy(), Y.numpy()), "metric": lambda m, v: np.square(
            m(torch.as_tensor(v[0]))[:, 0].numpy() - v[1]).mean()},
        {"val": {"x": X, "y": Y}, "metric": lambda m, v: metric(m, (v["x"], v["y"]))},
        {"val": {str(k): X[k] for k in range(12)},
         "metric": lambda m, v: m(torch.stack(list(v.values()))).square().mean()},
        {"val": FRAME, "metric": lambda m, v: metric(m, (X, torch.as_tensor(v["y"].to_numpy())))},
        {"val": (X, Y, torch.tensor(2.0))},
        {"val": (X, Y, torch.ones(1))},
        {"val": None, "metric": lambda m, v: metric(m, TRAIN)},
        {"build": lambda: build().bfloat16(), "train": HALF, "val": HALF},
        {"build": lambda: build().double(), "train": (X.double(), Y.double(), Z),
         "val": (X.double(), Y.double())},
        {"train": (X, Y.round().long(), Z)},
        {"build": lambda: nn.Sequential(nn.Embedding(9, 3), nn.Flatten(), nn.Linear(9, 3)),
         "train": ((X + 4).long(), Y, Z), "val": ((X + 4).long(), Y)},
        {"build": Frozen},
        {"losses": functools.partial(_of_weight, 2.0)},
        {"losses": lambda *given: losses(*given)},
        {"losses": lambda m, b, extra=1: list(losses(m, b))},
        {"build": functools.wraps(nn.Linear)(lambda *args: build())},
    ],
)  # fmt: skip
def test_odd_input_that_is_right_runs_and_saves(changes: dict[str, Any], tmp_path: Path) -> None:
    found = sweep(**{"store": tmp_path / "runs", **changes})
    found.save(tmp_path / "found")
    assert FivePoint.load(tmp_path / "found") == found
    again: list[str] = []
    sweep(**{"store": tmp_path / "runs", "tell": again.append, **changes})
    assert any(line.endswith("runs are in the store") for line in again)


def test_val_may_be_a_stream(tmp_path: Path) -> None:
    def of_stream(model: nn.Module, val: Any) -> float:
        return metric(model, next(iter(DataLoader(val, 40))))

    assert sweep(val=LongStream(), metric=of_stream, store=tmp_path).scores == sweep().scores


@pytest.mark.parametrize("where", ["build", "losses", "metric", "combiner"])
def test_the_readers_own_errors_keep_their_type_and_line(where: str) -> None:
    class Own(Exception):
        pass

    def fails(*given: Any) -> Any:
        raise Own("mine")

    with pytest.raises(Own, match="mine") as caught:
        sweep(**{where: fails})
    assert caught.traceback[-1].name == "fails"


def test_a_seed_that_changes_nothing_is_noticed_in_the_runs() -> None:
    """A stored start, all rows in one batch, no dropout: the order of rows is all that is left."""
    with pytest.raises(ProblemError, match="seed is ignored: all 2 seeds"):
        sweep(build=seeded_build, same_start=True, batch_size=40)


def test_scores_may_tie_where_trainings_differ() -> None:
    """A coarse metric that no λ moves is a finding, not a fault."""

    def coarse(model: nn.Module, val: Any) -> float:
        counted.append(1)
        return float(max(0, len(counted) - 3) // 5 % 2)  # the first two calls are the check's

    counted: list[int] = []
    found = sweep(metric=coarse, seeds=6)
    assert found.verdict == "flat" and found.scores[0.3] == [0, 1, 0, 1, 0, 1]


def test_a_stored_start_is_fine_when_it_is_meant() -> None:
    found = sweep(build=seeded_build, same_start=True)
    assert any("same_start" in note for note in found.notes)


def test_a_metric_that_turns_nan_names_its_run() -> None:
    def turning(model: nn.Module, val: Any) -> float:
        calls.append(1)
        return math.nan if len(calls) > 5 else float(max(2, len(calls)))

    calls: list[int] = []
    with pytest.raises(ProblemError, match=r"metric is nan \(λ = 0\.6, seed 0\)"):
        sweep(metric=turning)


# -------------------------------------------------------------------------------------- the scale


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_the_scale_check_finds_a_rescaled_loss(result: FivePoint, factor: float) -> None:
    def rescaled(model: nn.Module, batch: Any) -> Any:
        primary, auxiliary = losses(model, batch)
        return factor * primary, auxiliary

    found = sweep(losses=rescaled)
    ratio = result.before.ratio or math.nan
    assert found.before.ratio == pytest.approx(factor * ratio, rel=1e-4)
    assert found.before.balanced_lam == pytest.approx(1 / (1 + factor * ratio), rel=1e-4)
    note = next(note for note in found.notes if "one side of the balance" in note)
    assert f"{factor * ratio:.3g}" in note

    def divided(model: nn.Module, batch: Any) -> Any:
        primary, auxiliary = rescaled(model, batch)
        return primary / (found.before.ratio or math.nan), auxiliary

    again = sweep(losses=divided)
    assert again.before.balanced_lam == pytest.approx(0.5, abs=1e-4)
    assert not any("balance" in note for note in again.notes)


def test_a_head_that_starts_at_zero_is_no_error() -> None:
    def zero_head() -> nn.Module:
        model = build()
        nn.init.zeros_(model[2].weight)
        return model

    assert sweep(build=zero_head).before.primary > 0  # the head itself still feels it
    idle = Scale(0.0, 1.0, 0.0)
    assert idle.ratio is None and "primary task does not pull" in str(idle)


# ------------------------------------------------------------------------------- the three pitfalls


def test_finely_tuned_weights_are_noted_with_what_luck_does() -> None:
    lams = [0.45, 0.5, 0.55]
    found = sweep(lams=lams, seeds=3)
    note = next(note for note in found.notes if note.startswith("finely tuned"))
    assert "3 weights" in note and f"{luck(found.scores):.2g}" in note and "0.05 apart" in note
    ten = sweep(lams=[k / 10 for k in range(1, 11)])
    assert any(note.startswith("finely tuned: 10 weights") for note in ten.notes)


def test_five_points_are_not_finely_tuned(result: FivePoint) -> None:
    assert not any("finely" in note for note in result.notes)


def with_column(model: nn.Module, batch: Any) -> Any:
    out = model(batch[0])
    primary = (batch[3] * (out[:, 0] - batch[1]) ** 2).mean()
    return primary, cross_entropy(out[:, 1:], batch[2])


def inside(model: nn.Module, batch: Any) -> Any:
    out = model(batch[0])
    rul = 62.5 + 20 * batch[1].clamp(-3, 3)
    return moderate_weighted_mse_loss(out[:, 0], rul), cross_entropy(out[:, 1:], batch[2])


def of_classes(model: nn.Module, batch: Any) -> Any:
    out = model(batch[0])
    weights = torch.tensor([1.0, 5.0])
    return cross_entropy(out[:, 1:], batch[2], weights), mse_loss(out[:, 0], batch[1])


@pytest.mark.parametrize(
    ("weighted", "fold"), [(with_column, 4.0), (inside, None), (of_classes, 5.0)]
)
def test_sample_weights_are_detected(weighted: Any, fold: float | None) -> None:
    """A column of weights, weights that follow the target, and class weights."""
    rows = (*TRAIN, torch.linspace(1, 4, 40))
    found = sweep(losses=weighted, train=rows, batch_size=40)
    note = next(note for note in found.notes if note.startswith("doubly weighted"))
    if fold is None:
        life = 62.5 + 20 * Y.clamp(-3, 3)
        weight = 1 + (1 - life / 125).clamp(0, 1)
        fold = float(weight.max() / weight.min())
    assert f"differ {fold:.3g}-fold" in note and f"{fold * 0.7 / 0.5:.3g} times" in note


@pytest.mark.parametrize(
    "plain",
    [losses, lambda m, b: losses(m, b)[::-1], lambda m, b: (7 * losses(m, b)[0], losses(m, b)[1])],
)
def test_plain_losses_are_not_taken_for_weighted(plain: Any) -> None:
    found = sweep(losses=plain)
    assert not any("doubly" in note for note in found.notes)


@pytest.mark.parametrize(
    ("unseen", "why"),
    [
        (lambda m, b: ((m(b[0])[:, 0] - b[1]).abs().mean(), losses(m, b)[1]), "once"),
        (lambda m, b: _of_one_call(m, b, lambda p, y: (p - y).abs().mean()), "no curvature"),
        (lambda m, b: _of_one_call(m, b, lambda p, y: huber_loss(p, y, delta=0.1)), "no curvature"),
    ],
)
def test_where_weights_cannot_be_seen_the_result_says_so(unseen: Any, why: str) -> None:
    found = sweep(losses=unseen)
    assert any(note.startswith("sample weights: not checked") and why in note
               for note in found.notes), found.notes  # fmt: skip


def _of_one_call(model: nn.Module, batch: Any, loss: Callable[..., Tensor]) -> Any:
    out = model(batch[0])
    return loss(out[:, 0], batch[1]), cross_entropy(out[:, 1:], batch[2])


class TwoRows(nn.Module):
    """A mean and a spread, (B,) each."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out = self.layer(x)
        return out[:, 0], out[:, 1], out[:, 2:]


@pytest.mark.parametrize("weighted", [0, 1])
def test_weights_are_detected_in_either_of_two_outputs(weighted: int) -> None:
    def of_two(model: nn.Module, batch: Any) -> Any:
        mean, spread, logits = model(batch[0])
        weights = [torch.linspace(1, 4, len(mean)) if k == weighted else 1.0 for k in range(2)]
        squares = weights[0] * (mean - batch[1]) ** 2, weights[1] * (spread - batch[1]) ** 2
        return 0.1 * sum(squares).mean(), cross_entropy(logits, batch[2])

    found = sweep(build=TwoRows, losses=of_two, metric=lambda m, v: mse_loss(m(v[0])[0], v[1]))
    assert any(note.startswith("doubly weighted") for note in found.notes), found.notes


def test_a_layer_that_is_not_the_models_is_noted() -> None:
    """No run trains it, and all share it."""
    head = nn.Linear(2, 1)

    def outside(model: nn.Module, batch: Any) -> Any:
        out = model(batch[0])
        return mse_loss(head(out[:, :2])[:, 0], batch[1]), cross_entropy(out[:, 1:], batch[2])

    def steep(model: nn.Module, batch: Any) -> Any:
        x = batch[0].clone().requires_grad_()
        (slope,) = torch.autograd.grad(model(x)[:, 0].sum(), x, create_graph=True)
        return losses(model, batch)[0] + 0.1 * slope.square().mean(), losses(model, batch)[1]

    (note,) = [n for n in sweep(losses=outside).notes if "not the model's" in n]
    assert note.startswith("losses() goes through 3 parameters")
    assert not any("not the model's" in note for note in sweep(losses=steep).notes)
    frozen = head.requires_grad_(False)
    assert not any("not the model's" in note for note in sweep(losses=outside).notes), frozen


def test_a_combiner_goes_where_the_model_is() -> None:
    class Moved(FixedWeightLoss):
        def to(self, *where: Any, **more: Any) -> Any:
            seen.append(where)
            return super().to(*where, **more)

    seen: list[Any] = []
    sweep(combiner=lambda lam: Moved(lam, 1 - lam), seeds=1)
    assert seen == [(torch.device("cpu"),)] * 6  # the trial, and five runs


def test_a_combiner_without_extras_is_noted_and_used(result: FivePoint) -> None:
    found = sweep(combiner=Plain, seeds=3)
    assert any("takes no extras" in note and "**extras" in note for note in found.notes)
    assert found.scores == result.scores  # the same weights, so the same runs
    assert not any("extras" in note for note in result.notes)


@pytest.mark.parametrize("name", ["amnl", "gaba"])
def test_registered_combiners_fit(name: str) -> None:
    """GABA gets the parameters that both losses reach; it ignores λ, and that is noticed."""

    def make(lam: float) -> Any:
        given = {"rul_weight": lam, "health_weight": 1 - lam} if name == "amnl" else {}
        return make_combiner(name, **given)

    if name == "amnl":
        assert not any("extras" in note for note in sweep(combiner=make).notes)
    else:
        with pytest.raises(ProblemError, match="no λ changes the training"):
            sweep(combiner=make)


# --------------------------------------------------------------------------------------- the runs


def test_ten_lines_are_enough(result: FivePoint) -> None:
    assert result.verdict in ("flat", "keep", "better", "undecided")
    assert [len(v) for v in result.scores.values()] == [3] * 5
    assert list(result.scores) == list(FIVE)


def test_the_same_call_gives_the_same_scores_and_leaves_random_states_alone(
    result: FivePoint,
) -> None:
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    assert sweep(seeds=3).scores == result.scores
    assert torch.equal(torch.rand(1), before)


def test_a_dataset_reaches_the_metric_as_given_and_one_of_tensors_trains_as_they_do() -> None:
    class Rows(Dataset[Any]):
        def __len__(self) -> int:
            return 40

        def __getitem__(self, k: int) -> tuple[Tensor, Tensor, Tensor]:
            return X[k], Y[k], Z[k]

    seen = []

    def of_dataset(model: nn.Module, val: Any) -> float:
        seen.append(val)
        return metric(model, next(iter(DataLoader(val, 40))))

    rows = Rows()
    found = sweep(train=rows, val=rows, metric=of_dataset)
    assert all(val is rows for val in seen), "val is handed on as it was given"
    assert [len(v) for v in found.scores.values()] == [2] * 5
    assert sweep(train=TensorDataset(*TRAIN)).scores == sweep().scores


def test_a_last_batch_of_one_is_dropped() -> None:
    def with_norm() -> nn.Module:
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 3))

    for batch_size in (13, 3):  # 40 = 3 · 13 + 1
        sweep(build=with_norm, batch_size=batch_size)
        sweep(build=with_norm, batch_size=batch_size, train=list(zip(*TRAIN, strict=True)))


def test_a_fresh_model_is_scored_as_it_was_built() -> None:
    """Trying the losses out moves the statistics of a BatchNorm."""

    def with_norm() -> nn.Module:
        return nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3))

    torch.manual_seed(0)
    fresh = with_norm().eval()
    shifted = (10 * X + 5, Y, Z)
    assert sweep(build=with_norm, train=shifted).untrained == metric(fresh, TRAIN)


def test_a_missing_half_is_said() -> None:
    found = sweep(lams=(0.2, 0.4, 0.8))
    assert found.decision.reference == 0.4
    assert any("0.5 was not tried; the reference is 0.4" in note for note in found.notes)


def test_common_random_numbers() -> None:
    """Of one seed, runs at different weights start from the same weights and see the same rows."""
    seen: dict[float, list[Tensor]] = {}

    def noting(lam: float) -> Any:
        class Noting(FixedWeightLoss):
            def forward(self, primary: Tensor, auxiliary: Tensor, **extras: Any) -> Tensor:
                seen.setdefault(lam, []).append(primary.detach())
                return super().forward(primary, auxiliary, **extras)

        return Noting(lam, 1 - lam)

    sweep(combiner=noting, lams=(0.4, 0.6), seeds=2)
    some, others = seen[0.4][1:], seen[0.6]  # the trial is at the first weight
    assert len(some) == len(others) == 2 * 4  # steps of two seeds
    assert torch.equal(some[0], others[0]) and torch.equal(some[4], others[4])
    assert not torch.equal(some[0], some[4])


# -------------------------------------------------------------------------------------- the store


def test_a_sweep_goes_on_where_it_stopped(tmp_path: Path, result: FivePoint) -> None:
    trained = []

    def stop(line: str) -> None:
        if line.startswith("λ"):
            trained.append(line)
            if len(trained) == 7:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(seeds=3, store=tmp_path, tell=stop)
    assert len(list(tmp_path.glob("*.json"))) == 7
    lines: list[str] = []
    found = sweep(seeds=3, store=tmp_path, tell=lines.append)
    assert "7 of 15 runs are in the store" in lines
    assert sum(line.startswith("λ") for line in lines) == 8
    assert found.scores == result.scores
    again: list[str] = []
    assert sweep(seeds=3, store=tmp_path, tell=again.append).runs == found.runs
    assert not any(line.startswith("λ") for line in again)


@pytest.mark.parametrize("damage", [b"", b"{", b"null"])
def test_a_damaged_record_is_named(tmp_path: Path, damage: bytes) -> None:
    sweep(store=tmp_path)
    path = sorted(tmp_path.glob("*.json"))[3]
    path.write_bytes(damage)
    with pytest.raises(StoreError, match=rf"{path.name} is damaged.*Delete it"):
        sweep(store=tmp_path)


def test_a_changed_score_and_a_renamed_record_are_refused(tmp_path: Path) -> None:
    sweep(store=tmp_path)
    one, other = sorted(tmp_path.glob("*.json"))[:2]
    whole = one.read_text()
    stored = json.loads(whole)
    stored["run"]["score"] += 1e-9
    text = json.dumps(stored, sort_keys=True, separators=(",", ":"))  # as it is written
    assert len(text) == pytest.approx(len(whole), abs=5)
    one.write_text(text)
    with pytest.raises(StoreError, match="checksum"):
        sweep(store=tmp_path)
    one.write_text(other.read_text())
    with pytest.raises(StoreError, match="its name is that of another run"):
        sweep(store=tmp_path)


def problem(**changes: Any) -> Problem:
    parts: dict[str, Any] = {"build": build, "losses": losses, "metric": metric}
    parts |= {"train": TRAIN, "val": TRAIN, "combiner": FixedWeightLoss.convex}
    parts |= {"epochs": 2, "batch_size": 20, "lr": 0.02, "dtype": torch.float32}
    return Problem(**{**parts, **changes})


def closing_over(value: Any) -> Any:
    return lambda model, val: float(value)


def _helper(x: float) -> float:
    return x + 1


def _calls_helper(model: nn.Module, val: Any) -> float:
    return _helper(1.0)


class Fancy(nn.Module):
    width = 4


def test_what_decides_a_run_decides_its_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    def nudge(t: Tensor) -> tuple[Tensor, ...]:
        moved = t.clone()
        moved[17, 1] += 1e-6  # neither the first, the middle nor the last row
        return moved, Y, Z

    kinds = {
        "as it is": problem(),
        "epochs": problem(epochs=3),
        "batch size": problem(batch_size=21),
        "lr": problem(lr=0.021),
        "a number in the data": problem(train=nudge(X)),
        "the validation data": problem(val=nudge(X)),
        "code": problem(metric=lambda m, v: 1.0),
        "a constant": problem(metric=lambda m, v: 2.0),
        "a closure": problem(metric=closing_over(1.0)),
        "its value": problem(metric=closing_over(2.0)),
        "a tensor in a closure": problem(metric=closing_over(torch.ones(()))),
        "a class": problem(build=Fancy),
        "a helper": problem(metric=_calls_helper),
        "combiner": problem(combiner=Plain),
        "the dtype": problem(dtype=torch.float64),
        "a dataset": problem(train=list(zip(*TRAIN, strict=True))),
    }
    names = {what: identity(p) for what, p in kinds.items()}
    monkeypatch.setattr(sys.modules[__name__], "_helper", lambda x: x + 2)
    names["a helper's code"] = identity(problem(metric=_calls_helper))
    monkeypatch.setattr(Fancy, "width", 5)
    names["a class's code"] = identity(problem(build=Fancy))
    assert len(set(names.values())) == len(names), names
    assert identity(problem()) == names["as it is"]


IDENTITY = """
import sys
sys.path[:0] = [{folder!r}]
import importlib.util
import torch
spec = importlib.util.spec_from_file_location("mine", {path!r})
mine = importlib.util.module_from_spec(spec)
sys.modules["mine"] = mine
spec.loader.exec_module(mine)
from amnl.combiners import FixedWeightLoss
from amnl.weigh.kept import identity
from amnl.weigh.problem import Problem
print(identity(Problem(mine.build, mine.losses, mine.metric, mine.train, mine.val,
                       FixedWeightLoss.convex, 1, 2, 3.0, torch.float32)))
"""


def test_identity_is_the_same_in_another_process_and_blind_to_comments(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    text = Path(my_problem.__file__).read_text(encoding="utf-8")
    code = IDENTITY.format(folder=str(tmp_path), path=str(path))

    def printed(text: str, hash_seed: str) -> str:
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=300,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = printed(text, "1")
    assert printed(text.replace("def build", "# a comment\n\n\ndef build"), "2") == first
    assert printed(text.replace("nn.ReLU()", "nn.Tanh()"), "1") != first


CRITERION = nn.HuberLoss(delta=1.0)


def with_criterion(model: nn.Module, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    out = model(batch[0])
    return CRITERION(out[:, 0], batch[1]), cross_entropy(out[:, 1:], batch[2])


def test_a_changed_loss_is_trained_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(losses=with_criterion, store=tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "CRITERION", nn.HuberLoss(delta=0.01))
    fresh = sweep(losses=with_criterion)
    assert sweep(losses=with_criterion, store=tmp_path).scores == fresh.scores


class Caching(Dataset[Any]):
    """It keeps what it has read."""

    def __init__(self, hidden: bool) -> None:
        self.cache: dict[int, Any] = {}
        self.hidden = hidden

    def __getstate__(self) -> dict[str, Any]:
        return {"hidden": self.hidden, "cache": {} if self.hidden else self.cache}

    def __len__(self) -> int:
        return 40

    def __getitem__(self, k: int) -> Any:
        return self.cache.setdefault(k, (X[k], Y[k], Z[k]))


class Filed(Caching):
    """It holds what cannot be looked into."""

    def __init__(self) -> None:
        super().__init__(False)
        self.file = (k for k in range(3))

    def __getstate__(self) -> dict[str, Any]:
        return vars(self)


@pytest.mark.parametrize(
    ("make", "words", "found_again"),
    [
        (lambda: Caching(False), "changes as they are used.*__getstate__", False),
        (lambda: Caching(True), None, True),
        (Filed, "no run is kept: train holds a builtins.generator.*__getstate__", False),
    ],
)
def test_what_cannot_be_found_again_is_said(
    make: Callable[[], Any], words: str | None, found_again: bool, tmp_path: Path
) -> None:
    rows, lines = make(), []
    found = sweep(train=rows, store=tmp_path, tell=lines.append)
    said = [line for line in lines if words and re.search(words, line)]
    assert bool(said) == bool(words) and all(line in found.notes for line in said)
    sweep(train=rows, store=tmp_path, tell=lines.append)
    assert ("10 of 10 runs are in the store" in lines) == found_again


def test_a_killed_sweep_leaves_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    CliRunner().invoke(app, ["init", str(path)])
    store = tmp_path / "runs" / "mine"
    command = [
        sys.executable,
        "-m",
        "amnl.cli.app",
        "sweep",
        "--module",
        str(path),
        "--epochs",
        "1",
    ]
    command += ["--store", str(tmp_path / "runs"), "--seeds", "200"]
    quiet = subprocess.DEVNULL
    sweeping = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    deadline = time.monotonic() + 240
    while len(list(store.glob("[!.]*.json"))) < 3:
        assert sweeping.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    sweeping.send_signal(signal.SIGKILL)
    sweeping.wait()
    records = list(store.glob("[!.]*.json"))
    assert len(records) >= 3
    for record in records:
        assert set(json.loads(record.read_text())) == {"sha256", "run"}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with connect(None, 2) as client:
        yield client


def test_dask_gives_what_one_process_gives(
    client: Any, tmp_path: Path, result: FivePoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Functions of this file, which workers cannot import, travel by value; so does the dtype."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        found = sweep(seeds=3, client=client, store=tmp_path)
        assert found.scores == result.scores
        assert found.decision == result.decision
        assert len(list(tmp_path.glob("*.json"))) == 15
        with pytest.raises(ProblemError, match=r"not finite.*lr"):
            sweep(client=client, lr=1e30)
        monkeypatch.setattr(sys.modules[__name__], "TRAIN", (X.double(), Y.double(), Z))
        torch.set_default_dtype(torch.float64)
        assert sweep(client=client).scores == sweep().scores
    finally:
        torch.set_default_dtype(torch.float32)
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_a_worker_that_dies_takes_no_sweep_with_it(tmp_path: Path) -> None:
    """The problem lay in its memory, and nowhere else."""
    import cloudpickle

    ours, fuse = os.getpid(), tmp_path / "fuse"
    fuse.touch()

    def deadly(model: nn.Module, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        if os.getpid() != ours and fuse.exists():
            fuse.unlink()
            os._exit(1)
        return losses(model, batch)

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        with connect(None, 1) as alone:
            found = sweep(losses=deadly, client=alone)
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert not fuse.exists()
    assert found.scores == sweep().scores


class Futures:
    """A client whose data are lost at the first so many calls."""

    def __init__(self, lost: int) -> None:
        self.lost, self.cancelled = lost, 0

    def scatter(self, data: bytes, hash: bool) -> bytes:
        self.lost -= 1
        return data

    def submit(self, run: Any, whole: bytes, *cell: Any, pure: bool) -> Any:
        from distributed.client import FutureCancelledError

        def result() -> Any:
            if self.lost >= 0:
                raise FutureCancelledError("run", "already forgotten")
            return run(whole, *cell)

        future = type("Future", (), {})()
        future.result = result
        return future

    def cancel(self, futures: Any) -> None:
        self.cancelled += 1


def test_data_that_are_lost_again_and_again_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    monkeypatch.setattr(distributed, "as_completed", iter)
    monkeypatch.setattr("cloudpickle.dumps", lambda value: value)
    monkeypatch.setattr("amnl.weigh.five_point.pickle.loads", lambda value: value)
    assert sweep(client=Futures(3)).scores == sweep().scores
    with pytest.raises(RuntimeError, match=r"lost 10 runs 4 times.*in the store"):
        sweep(client=Futures(99))


def test_an_error_of_tell_ends_the_tasks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a notebook the traceback keeps whatever was running alive."""
    import distributed

    def tell(line: str) -> None:
        if line.startswith("λ"):
            raise BrokenPipeError

    monkeypatch.setattr(distributed, "as_completed", iter)
    monkeypatch.setattr("cloudpickle.dumps", lambda value: value)
    monkeypatch.setattr("amnl.weigh.five_point.pickle.loads", lambda value: value)
    futures = Futures(0)
    with pytest.raises(BrokenPipeError) as raised:
        sweep(client=futures, tell=tell)
    assert futures.cancelled == 1, raised.traceback


# -------------------------------------------------------------------------------------- the output


def test_the_text_opens_with_the_scale_and_has_all_rows(result: FivePoint) -> None:
    text = str(result)
    assert text.startswith("scale    before training, the ")
    assert "divided by" in text.split("verdict")[0]
    fresh = f"smaller is better; {result.untrained:.4g} on a fresh model. 3 seeds, 2 epochs"
    assert fresh in " ".join(text.split())
    assert str(result.decision)[:20] in text
    rows = [line.split()[0] for line in text.splitlines() if line.strip()[:2] == "0."]
    assert rows == ["0.3", "0.4", "0.5", "0.6", "0.7"]
    assert "λ weighs the primary loss" in text and "same: within ±" in " ".join(text.split())
    assert "cannot show" in text
    assert max(len(line) for line in text.splitlines()) <= 100


class Cells(HTMLParser):
    """The text of each table cell, and every attribute and tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.attributes: list[Any] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.attributes += attrs
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def test_the_html_says_what_the_text_says_without_colours_of_its_own(result: FivePoint) -> None:
    page = Cells(result._repr_html_())
    assert page.open == [] and page.attributes == [("class", "dataframe")]  # as pandas' tables
    assert len(page.cells) == 6 * 7
    assert page.cells[7::7] == ["0.3", "0.4", "0.5", "0.6", "0.7"]
    for cell in page.cells:
        assert cell in str(result)


def test_html_escapes(result: FivePoint) -> None:
    odd = dataclasses.replace(result, notes=("a < b & <script>",))
    assert "a &lt; b &amp; &lt;script&gt;" in odd._repr_html_()


def test_saved_files_say_the_same(result: FivePoint, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    result.save(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["figure.png", "result.json", "runs.csv"]
    assert FivePoint.load(folder) == result
    runs = pd.read_csv(folder / "runs.csv")
    assert runs.groupby("lam", sort=False)["metric"].apply(list).to_dict() == result.scores
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_one_seed_saves_and_prints(tmp_path: Path) -> None:
    found = sweep(seeds=1)
    assert "one seed" in str(found) and "one seed" in found._repr_html_()
    found.save(tmp_path)
    assert FivePoint.load(tmp_path) == found


def test_the_figure_draws_paired_differences(result: FivePoint) -> None:
    before = dict(plt.rcParams)
    figure = result.figure()
    lines = figure.axes[0].get_lines()
    drawn = [line.get_ydata() for line in lines if len(line.get_ydata()) == 5]
    scores = np.array(list(result.scores.values()))
    for seed in range(3):
        wanted = scores[:, seed] - scores[2, seed]
        assert any(np.allclose(y, wanted) for y in drawn)
    plt.close(figure)
    assert dict(plt.rcParams) == before, "the reader's own style stays"


# ------------------------------------------------------------------ template and command line


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


SHORT = ("--seeds", 2, "--epochs", 1)


def test_the_template_runs_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("init", "bells.py")
    assert done.exit_code == 0 and "amnl sweep --module bells.py" in done.output
    done = cli("sweep", "--module", "bells.py", *SHORT, "--out", "found", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["settings"]["epochs"] == 1 and len(found["runs"]) == 10
    assert found["settings"]["lr"] == my_problem.lr, "what the file sets counts"
    assert found["decision"]["margin"] == my_problem.margin
    assert (tmp_path / "found" / "result.json").exists()
    shown = cli("sweep", "--module", "bells.py", *SHORT, "--margin", 50)
    assert "10 of 10 runs are in the store" in shown.stderr
    assert "within ±50 of 0.5" in shown.stdout


def test_the_template_is_balanced_and_learns() -> None:
    """What its comments say: the losses pull alike, and the network beats a constant."""
    given = {name: getattr(my_problem, name) for name in ("build", "losses", "metric", "lr")}
    found = five_point_sweep(
        **given, train=my_problem.train, val=my_problem.val, margin=0.1, lams=(0.4, 0.5), seeds=1,
        epochs=8,
    )  # fmt: skip
    assert 0.35 < (found.before.balanced_lam or 0) < 0.65
    assert found.scores[0.5][0] < 0.75 * float(my_problem.val[1].std())
    assert not any("weight" in note for note in found.notes if "finely" not in note)


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("precious")
    done = cli("init", path)
    assert done.exit_code == 1 and "is there already" in done.stderr
    assert path.read_text() == "precious"
    assert cli("init", tmp_path / "nowhere" / "mine.py").exit_code == 1


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (None, (), "no such file.*amnl init"),
        ("build = 1", (), "has no losses.*amnl init"),
        ("x = (", (), "mine.py, line 1"),
        ("x = 1\ny = unknown", (), "mine.py, line 2.*NameError.*unknown"),
        ("import nowhere_to_be_found", (), "line 1.*ModuleNotFoundError"),
        ("import sys\nsys.exit('bye')", (), "mine.py ends the program.*'bye'.*__main__"),
        ("import argparse\nargparse.ArgumentParser().parse_args(['x'])", (),
         "mine.py ends the program"),
        ("x = 1\0", (), "mine.py.*null bytes"),
        ("import beside_it", (), r"beside_it.py, line 2, in <module>: KeyError: 'gone'"),
        ("def build():\n    return {}['x']", (), r"line \d+, in build: KeyError"),
        ("", ("--subsets", "FD001"), "--subsets is not for --module"),
        ("", ("--dry-run",), "--dry-run is not for --module"),
        ("", ("--seeds", "4-9"), "--seeds '4-9'.*number"),
        ("", ("--lams", "0.5,1.5"), r"λ.*\[0, 1\].*1\.5"),
        ("", ("--margin", "-1"), "margin.*positive"),
        ("", ("--workers", "0"), "--workers 0: at least one"),
        ("", ("--workers", "-1"), "--workers -1: at least one"),
        ("x = (", ("--workers", "-1"), "--workers -1: at least one"),
        ("margin = '0.1'\ndef build(): pass  # build()", (), r"margin.*'0\.1' \(str\)"),
        ("seeds = [0, 1]\n# build()", (), r"seeds.*\[0, 1\] \(list\)"),
        ("def losses(batch): pass  # build()", (), r"losses\(model, batch\), but losses\(batch\)"),
        ("import beside_it_too as b\nlosses = b.losses  # build()", (),
         r"beside_it_too.py, line 2, in losses: AttributeError: 'TwoHeads'.*nothing"),
    ],
)  # fmt: skip
def test_a_bad_module_is_named(
    tmp_path: Path, text: str | None, options: tuple[str, ...], words: str
) -> None:
    path = tmp_path / "mine.py"
    (tmp_path / "beside_it.py").write_text("\nraise KeyError('gone')")
    (tmp_path / "beside_it_too.py").write_text("def losses(model, batch):\n    model.nothing\n")
    if text is not None:
        whole = Path(my_problem.__file__).read_text(encoding="utf-8")
        path.write_text(whole + "\n" + text if "build()" in text or not text else text)
    short = () if "seeds =" in (text or "") else SHORT
    done = cli("sweep", "--module", path, "--store", tmp_path / "runs", *short, *options)
    assert done.exit_code in (1, 2), done.output
    assert re.search(words, " ".join(done.stderr.split())), done.stderr


@pytest.mark.parametrize(
    "name", ["my-problem.py", "my problem.py", "class.py", "a.b.py", "sub/x.py", "~/x.py", "ä's.py"]
)
def test_what_init_writes_can_be_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the command that it names is the one to type."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    done = cli("init", name)
    assert done.exit_code == 0, done.output
    words = shlex.split(done.stdout.partition("Next: amnl ")[2])
    assert len(words) == 3 and Path(words[2]).is_file()
    done = cli(*words, "--seeds", 1, "--epochs", 1, "--lams", "0.3,0.7")
    assert done.exit_code == 0, done.output
    assert cli("sweep", "--module", name, "--seeds", 1, "--epochs", 1, "--lams", "0.3,0.7",
               ).exit_code == 0  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my_problem", "ends in .py; name it my_problem.py"),
        ("prob.txt", "ends in .py; name it prob.py"),
        ("prob.ipynb", "ends in .py; name it prob.py"),
        (".", "is a folder; name a file in it"),
        ("sub", "is a folder; name a file in it: sub/my_problem.py"),
        ("torch.py", "would hide the module torch.*name it my_torch.py"),
        ("sub/random.py", "would hide the module random.*name it sub/my_random.py"),
        ("pandas.py", "would hide the module pandas"),
        ("amnl.py", "would hide the module amnl"),
        ('a"""b.py', "without quotation marks"),
        ("nowhere/x.py", "nowhere"),
    ],
)
def test_names_that_init_and_the_sweep_refuse(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    done = cli("init", name)
    assert done.exit_code == 1 and re.search(words, done.stderr), done.output
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    if name != "nowhere/x.py" and "sub" not in name and name != ".":
        Path(name).write_text("")
    done = cli("sweep", "--module", name)
    assert done.exit_code == 1 and re.search(words, done.stderr), done.output


LOUD = """
import os, warnings
print("printed at import")
os.write(1, b"written at import")
_losses, _metric = losses, metric
def losses(model, batch):
    print("printed in losses")
    warnings.warn("a warning")
    return _losses(model, batch)
def metric(model, val):
    print("printed in metric")
    os.system("echo printed by a command")
    return _metric(model, val)
train = tuple(column[:100] for column in train)
"""


@pytest.mark.parametrize("workers", [(), ("--workers", 2)])
def test_what_a_module_prints_is_no_result(tmp_path: Path, workers: tuple[Any, ...]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        Path(my_problem.__file__).read_text(encoding="utf-8").partition("\nif __na")[0] + LOUD
    )
    command = [sys.executable, "-m", "amnl", "sweep", "--module", path, *SHORT, "--json"]
    command += ["--store", tmp_path / "runs", "--lams", "0.3,0.7", *workers]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runs"]
    for loud in ("printed at import", "written at import", "printed in losses", "by a command",
                 "a warning", "printed in metric"):  # fmt: skip
        assert loud in done.stderr


def test_a_misspelt_setting_is_mentioned(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    whole = Path(my_problem.__file__).read_text(encoding="utf-8")
    path.write_text(whole.replace("epochs = 20", "epoch = 20") + "\nstep = 3\n")
    done = cli("sweep", "--module", path, "--store", tmp_path / "runs", *SHORT)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("note:") == 1
    assert "sets epoch, which no sweep knows. Is epochs meant?" in " ".join(done.stderr.split())


@pytest.mark.parametrize(("higher", "noted"), [(False, False), (True, True)])
def test_a_metric_read_the_wrong_way_round_is_noted(higher: bool, noted: bool) -> None:
    found = sweep(epochs=5, higher_is_better=higher)
    assert any("did not improve the metric" in note for note in found.notes) == noted


def test_grid_and_module_keep_their_options_apart() -> None:
    done = cli("sweep", "--margin", 1, "--lams", "0.5")
    assert done.exit_code == 2 and "--margin and --out go with --module" in done.stderr


def test_the_name_is_imported_when_it_is_asked_for() -> None:
    assert "five_point_sweep" in dir(amnl)
    code = "import sys, amnl; assert 'torch' not in sys.modules; amnl.five_point_sweep"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


# -------------------------------------------------------------------------------- the stored rates


def test_planted_problems_are_what_they_claim() -> None:
    """The optimum of a planted problem lies where it is said to, in closed form on its data."""
    for name, best in (("optimum 0.3", 0.3), ("optimum 0.5", 0.5)):
        train, val = five_point_rates.plant(name, np.random.default_rng(3))
        x, y, other_x, other_y = (t.double() for t in train)
        errors = []
        for lam in FIVE:
            a, b = lam / len(x), (1 - lam) / len(other_x)
            fitted = torch.linalg.solve(
                a * x.T @ x + b * other_x.T @ other_x, a * x.T @ y + b * other_x.T @ other_y
            )
            errors.append(float(((val[0].double() @ fitted - val[1]) ** 2).mean()))
        assert errors == pytest.approx(five_point_rates.curve(name), rel=1e-4)
        assert FIVE[int(np.argmin(errors))] == best


def test_verdicts_are_counted_as_the_tool_says() -> None:
    d = {0.3: -1.0, 0.4: -0.5, 0.5: 0.0, 0.6: 0.01, 0.7: 0.02}
    found = decide(table([5, 5, 5, 5, 5], 0.001), five_point_rates.MARGIN)
    assert found.verdict == "flat"
    assert five_point_rates.verdict_of(found, d) == "wrong"
    assert five_point_rates.verdict_of(found, dict.fromkeys(d, 0.0)) == "right"
    better = dataclasses.replace(found, verdict="better", recommended=0.3)
    assert five_point_rates.verdict_of(better, d) == "right"
    assert five_point_rates.verdict_of(dataclasses.replace(better, recommended=0.7), d) == "wrong"
    keep = dataclasses.replace(found, verdict="keep")
    assert five_point_rates.verdict_of(keep, d) == "wrong"
    assert five_point_rates.verdict_of(keep, {k: abs(v) for k, v in d.items()}) == "right"


@pytest.mark.parametrize("factor", [1.0, 100.0])
def test_runs_side_by_side_are_those_of_the_sweep(factor: float) -> None:
    problems = [five_point_rates.plant("optimum 0.3", np.random.default_rng(k)) for k in (4, 5)]
    data = [torch.stack(c) for c in zip(*(train for train, _ in problems), strict=True)]
    vectors = five_point_rates.train_all(data, torch.tensor([factor, factor]))
    for k, (train, val) in enumerate(problems):
        found = five_point_sweep(
            five_point_rates.build, five_point_rates.losses_of(factor), five_point_rates.metric,
            train, val, seeds=2, **five_point_rates.SETTINGS,
        )  # fmt: skip
        ratio = factor * five_point_rates.ratios(data)[k]
        assert found.before.ratio == pytest.approx(float(ratio), rel=1e-4)
        for at, lam in enumerate(FIVE):
            errors = (val[0] @ vectors[k, :2, at].T - val[1][:, None]).square().mean(dim=0)
            assert found.scores[lam] == pytest.approx(errors.tolist(), rel=1e-3)


# ------------------------------------------------------------------------------ what chapter 9 says


def test_the_page_shows_the_lines_that_swept_fd003() -> None:
    tool = (pages.ROOT / "tools/measure/five_point_fd003.py").read_text(encoding="utf-8")
    shown = tool.split("# Chapter 9 shows these lines; a test compares.\n")[1]
    shown = shown.split("\n\n\n# The end of what chapter 9 shows.")[0]
    page = pages.source_half(pages.ROOT, "09-your-own-problem").read_text(encoding="utf-8")
    assert f"```python\n{shown}\n```" in page


@pytest.mark.parametrize("name", ["cycles2", "divided"])
def test_stored_sweeps_say_what_the_rule_says_of_their_runs(name: str) -> None:
    found = load_five_point(f"five_point-fd003-{name}")
    assert decide(found.scores, MARGIN) == found.decision
    domains = load_rows("domains").set_index("evidence")
    row = domains.loc[f"five_point-fd003-{name}"]
    assert (row["verdict"], float(row["weight"])) == (found.verdict, found.recommended)


def test_each_domain_has_its_evidence() -> None:
    domains = load_rows("domains")
    assert not domains.isna().any().any()
    assert (domains["evidence"] == "the source").sum() == 5
    assert ((domains["evidence"] == "the source") == (domains["verdict"] == "claimed")).all()


def test_the_templates_verdict_is_its_row() -> None:
    names = ("build", "losses", "metric", "train", "val", "margin", "epochs", "lr")
    found = five_point_sweep(**{name: getattr(my_problem, name) for name in names})
    row = load_rows("domains").set_index("evidence").loc["amnl init"]
    assert (row["verdict"], float(row["weight"])) == (found.verdict, found.recommended)
    assert found.decision.seeds == int(row["seeds"])


def test_a_stored_sweep_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="five_point-fd003-cycles2"):
        load_five_point("five_point-fd009")


# A balance within rounding of a half is no reason to divide by 1.
@pytest.mark.parametrize(("ratio", "noted"), [(1.001, False), (1.1, True), (0.9, False)])
def test_the_note_on_the_balance_leaves_room_for_rounding(ratio: float, noted: bool) -> None:
    scores = {0.5: [1.0, 1.1], 0.9: [1.0, 1.2]}
    notes = _notes(decide(scores, 0.5), scores, Scale(ratio, 1.0, 0.0), False)
    assert any("side of the balance" in note for note in notes) == noted
    assert ("alike at 0.5" in str(Scale(ratio, 1.0, 0.0))) == (ratio == 1.001)


def test_there_is_nothing_to_look_for_beyond_one() -> None:
    for last, told in ((0.9, True), (1.0, False)):
        scores = {0.5: [5.0, 5.1, 5.0, 5.2], last: [1.0, 1.0, 1.1, 1.0]}
        notes = _notes(decide(scores, 0.5), scores, Scale(1.0, 1.0, 0.0), False)
        assert any("look beyond" in note for note in notes) == told


def test_a_result_prints_itself_at_a_prompt(result: FivePoint) -> None:
    assert repr(result) == str(result)
    large = Scale(1590.4, 1.0, 0.5)
    assert "1590 times" in str(large) and "e+" not in str(large)
