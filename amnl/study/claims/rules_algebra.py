"""Claims settled by algebra: a formula, a gradient or a call decides, no run."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from amnl.combine import LAMBDAS, LOSS_HS, LOSS_RUL, SOURCE_LAMS, combine_losses, simulate_sweep
from amnl.study.claims.ruling import CONDITION, FAILS, HOLDS, OPEN, Ruling

Vector = npt.NDArray[np.float64]


def claim_1() -> Ruling:
    """The total against its two losses, on random triples."""
    outside, n = 0, 0
    for a, b, total in random_totals():
        slack = 1e-12 * max(a, b)  # rounding
        outside += not min(a, b) - slack <= total <= max(a, b) + slack
        n += 1
    measured = f"{outside} of {n:,} random totals lie outside their two losses"
    return Ruling(FAILS if outside else HOLDS, measured)


def random_totals() -> Iterator[tuple[float, float, float]]:
    """Two losses and their total, 100,000 times."""
    rng = np.random.default_rng(0)
    losses, lams = rng.exponential(10.0, size=(2, 100_000)), rng.uniform(size=100_000)
    for a, b, lam in zip(*losses, lams, strict=True):
        yield a, b, combine_losses(a, b, lam)


def claim_2() -> Ruling:
    """Autograd's gradients against the formulas, at the source's ten weights."""
    agree = sum(agrees for _, agrees in slopes().values())
    measured = f"autograd agrees with both formulas at {agree} of {len(SOURCE_LAMS)} weights"
    return Ruling(HOLDS if agree == len(SOURCE_LAMS) else FAILS, measured)


def slopes() -> dict[float, tuple[float, bool]]:
    """λ → autograd's ∂L/∂L_rul, and whether it and the shared gradient are as claim 2 says."""
    import torch

    from amnl.combiners import FixedWeightLoss

    theta = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    found = {}
    for lam in SOURCE_LAMS:
        rul, hs = 4.0 * (theta - 2.0).square().sum(), theta.square().sum() + theta.prod()
        total = FixedWeightLoss.convex(lam)(rul, hs)
        g, g_rul, g_hs = (
            torch.autograd.grad(loss, theta, retain_graph=True)[0] for loss in (total, rul, hs)
        )
        (slope,) = torch.autograd.grad(total, rul)
        mixture = lam * g_rul + (1.0 - lam) * g_hs
        agrees = math.isclose(float(slope), lam) and torch.allclose(g, mixture, rtol=1e-12)
        found[lam] = float(slope), agrees
    return found


def claim_6() -> Ruling:
    """The source's own sweep, run."""
    best = simulate_sweep(LOSS_RUL, LOSS_HS, LAMBDAS)["best"]
    measured = "lowest at " + ", ".join(f"{lam:g} on {subset}" for subset, lam in best.items())
    return Ruling(HOLDS if set(best.values()) == {0.5} else FAILS, measured)


def claim_7(odds: pd.DataFrame) -> Ruling:
    """A factor common to both losses against one on RUL alone.

    `odds` shows what the unit does: the columns `subset`, `rul_unit` and `test_rmse` (cycles). It
    does not enter the verdict. Means are over the runs that did not fail.
    """
    both, alone = _moved(rul=2.0, hs=2.0), _moved(rul=2.0, hs=1.0)
    means = odds.groupby(["subset", "rul_unit"])["test_rmse"].mean().groupby(level="subset")
    ranges = ", ".join(
        f"{low:.2f} to {high:.2f} cycles on {subset}"
        for subset, low, high in means.agg(["min", "max"]).itertuples()
    )
    measured = (
        "doubling both losses moves the lowest point of chapter 2's sweep on "
        f"{both} of {len(LOSS_RUL)} subsets, doubling the RUL loss on "
        f"{alone}; over {odds['rul_unit'].nunique()} RUL units at λ = 0.5 "
        f"mean test RMSE is {ranges}; {odds['test_rmse'].isna().sum()} of {len(odds)} runs failed"
    )
    if both or not alone:
        return Ruling(OPEN, measured)
    return Ruling(CONDITION, measured, "for a factor common to both losses")


def _moved(rul: float, hs: float) -> int:
    """On how many subsets the sweep's lowest weight moves when its losses are multiplied."""
    before = simulate_sweep(LOSS_RUL, LOSS_HS, LAMBDAS)["best"]
    louder = [
        {name: factor * loss for name, loss in losses.items()}
        for factor, losses in ((rul, LOSS_RUL), (hs, LOSS_HS))
    ]
    after = simulate_sweep(louder[0], louder[1], LAMBDAS)["best"]
    return sum(before[name] != after[name] for name in before)


def claim_8() -> Ruling:
    """Cross-entropy of a confident wrong answer, against log 3."""
    logit, bound = 10.0, math.log(3)
    loss = wrong_answer(logit)
    measured = (
        f"a logit of {logit:g} on the wrong class of three costs {loss:.3f}; log 3 is {bound:.4f}"
    )
    return Ruling(FAILS if loss > bound else OPEN, measured)


def wrong_answer(logit: float = 10.0) -> float:
    """Cross-entropy over three classes when a wrong one has such a logit and the others 0."""
    import torch
    from torch.nn import functional as F

    return float(F.cross_entropy(torch.tensor([[logit, 0.0, 0.0]]), torch.tensor([1])))


def claim_9() -> Ruling:
    """Adding a constant to one loss moves the total and no gradient."""
    (low, before), (high, after) = total_and_gradient(0.0), total_and_gradient(100.0)
    turn = np.abs(after - before).max()
    measured = (
        f"adding 100 to the health loss lifts the total from {low:.3f} to {high:.3f} and changes "
        f"its gradient by {turn:.2f}"
    )
    return Ruling(FAILS if low < high and turn < 1e-6 else OPEN, measured)


def total_and_gradient(constant: float) -> tuple[float, Vector]:
    """The total where chapter 1 stands and its slopes there, with a constant on the health loss."""
    here, step = np.array([0.5, -1.0]), 1e-4 * np.eye(2)

    def total(theta: Vector) -> float:
        rul = 4.0 * np.sum((theta - [2.0, 0.0]) ** 2)
        hs = np.sum((theta - [-1.0, 1.5]) ** 2) + 0.3 * theta[0] * theta[1] + constant
        return combine_losses(rul, hs, 0.5)

    rises = [total(here + s) - total(here - s) for s in step]
    return total(here), np.array(rises) / 2e-4


def claim_16() -> Ruling:
    """Two combiners, called as the trainer calls them."""
    fits = swaps()
    outcome = {True: "runs", False: "raises TypeError"}
    bare, fixed = fits.values()
    measured = (
        f"called as the trainer calls it, the bare formula {outcome[bare]}, "
        f"FixedWeightLoss {outcome[fixed]}"
    )
    return Ruling(HOLDS if fixed and not bare else FAILS, measured)


def swaps() -> dict[str, bool]:
    """A combiner without extra keyword arguments and one with them → whether the trainer's call
    runs."""
    import torch
    from torch import Tensor, nn

    from amnl.combiners import FixedWeightLoss

    class Bare(nn.Module):
        def forward(self, rul_loss: Tensor, health_loss: Tensor) -> Tensor:
            return 0.5 * rul_loss + 0.5 * health_loss

    def fits(combiner: nn.Module) -> bool:
        try:
            combiner(torch.tensor(1.95), torch.tensor(1.10), shared_params=[], model=combiner)
        except TypeError:
            return False
        return True

    return {"the bare formula": fits(Bare()), "FixedWeightLoss": fits(FixedWeightLoss())}
