"""Families of cells whose verdict is known: every cost is invented."""

import itertools
import json
from collections.abc import Callable

import numpy as np
import pandas as pd

from amnl.study import claims
from amnl.study.claims import Ruling
from amnl.study.protocol import GRIDS

BASE = {"FD001": 12.0, "FD002": 18.0, "FD003": 12.0, "FD004": 18.0}
Cost = Callable[[str, int, float], float]


def cells(family: str, cost: Cost, believed: Cost | None = None) -> pd.DataFrame:
    """A whole family: test RMSE is the subset's base, the seed's luck, the cost, and a jitter.

    Validation sees `believed` in place of the cost; by default it sees the truth.
    """
    grid = GRIDS[family]
    rows = pd.DataFrame(itertools.product(*grid.values()), columns=list(grid))
    keys = list(zip(rows["subset"], rows["seed"], rows["lam"], strict=True))
    luck = rows["subset"].map(BASE) + rows["seed"] / 100
    luck += np.random.default_rng(0).normal(0.0, 0.01, size=len(rows))
    rows["test_rmse"] = luck + [cost(*key) for key in keys]
    rows["val_rmse"] = luck + [(believed or cost)(*key) for key in keys]
    rows["val_rmse_e15"] = rows["val_rmse"] + 1.0
    rows["test_rmse_last"] = rows["test_rmse"] + 1.0
    rows["constant_rmse"] = 42.0
    return rows


def flat(*_: object) -> float:
    return 0.0


def bowl(_subset: str, _seed: int, lam: float) -> float:
    return 10.0 * abs(lam - 0.5)


def ramp(_subset: str, _seed: int, lam: float) -> float:
    return 10.0 * (1.0 - lam)


def coin(_subset: str, seed: int, lam: float) -> float:
    """As often three cycles better than 0.5 as three cycles worse."""
    return 0.0 if lam == 0.5 else 3.0 * (-1) ** seed


def one_gamble(subset: str, seed: int, lam: float) -> float:
    return coin(subset, seed, lam) * (lam == 1.0)


def worse_alone(_subset: str, _seed: int, lam: float) -> float:
    """Without the health task, and nowhere else."""
    return 2.0 * (lam == 1.0)


def only_on(*subsets: str, otherwise: Cost = flat) -> Cost:
    return lambda subset, seed, lam: (bowl if subset in subsets else otherwise)(subset, seed, lam)


def bowl_but_one_cell(subset: str, seed: int, lam: float) -> float:
    return -1.0 if (subset, seed, lam) == ("FD002", 3, 0.4) else bowl(subset, seed, lam)


def half_a_cycle_or_so(_subset: str, seed: int, lam: float) -> float:
    return 0.0 if lam == 0.5 else 0.5 + 0.5 * (-1) ** seed


def worse_at_three_neighbours(subset: str, _seed: int, lam: float) -> float:
    return 2.0 * ((subset, lam) in {("FD001", 0.4), ("FD003", 0.4), ("FD003", 0.6)})


def in_both(claim: Callable[..., Ruling], cost: Cost, believed: Cost | None = None) -> Ruling:
    return claim(cells("a", cost, believed), cells("b", cost, believed))


def rivals(family: str, cost: Callable[[str, str, int], float]) -> pd.DataFrame:
    """A whole family of adaptive combiners: `cost(rival, subset, seed)` over what 0.5 scores."""
    grid = GRIDS[family]
    rows = pd.DataFrame(itertools.product(*grid.values()), columns=list(grid))
    kinds = [claims.RIVALS[rival] for rival in rows.pop("rival")]
    rows["combiner"] = [name for name, _, _ in kinds]
    rows["combiner_settings"] = [json.dumps(options) for _, options, _ in kinds]
    rows["sample_weighted"] = [weighted for _, _, weighted in kinds]
    luck = rows["subset"].map(BASE) + rows["seed"] / 100
    luck += np.random.default_rng(1).normal(0.0, 0.01, size=len(rows))
    named = claims.with_rivals(rows)
    keys = zip(named["rival"], rows["subset"], rows["seed"], strict=True)
    rows["test_rmse"] = luck + [cost(*key) for key in keys]
    return rows
