"""How often is the five-point sweep right? Writes amnl/study/rows/five_point_rates.csv.

`python tools/measure/five_point_rates.py` plants problems whose best weight is known, and counts
verdicts at 1, 3, 5 and 10 seeds. Two levels:

- *scores*: tables of scores drawn around a known curve, 1,000 a row. The spread of a paired
  difference between seeds is 0.25 to 2 margins (in the book's sweeps it was 0.15 to 3.6),
  normal or heavy-tailed: Student's t with three degrees of freedom.
- *trained*: two linear regressions that share a vector, 1,000 problems a row. The errors of the
  vectors that each task alone would learn are orthogonal by construction, so that a share s of the
  primary task has the error A·s² + B·(1 − s)² above the noise, and the optimum is at B/(A + B), in
  each problem exactly. Seeds differ in initial weights and batch order. All runs of a part train
  side by side, step for step as `amnl.five_point_sweep` trains them one by one; a test compares.
  *longer* is the same with four times as many epochs, for the optima at 0.3 and 0.5.

Planted are: the optimum at 0.3; at 0.5; "flat", where nothing differs by a margin; "rescaled", the
optimum of 0.3 with the primary loss times 100, so that the five weights lie on one side of it and
hardly differ; "divided", the same after the primary loss is divided by what the scale check says.

With d the planted difference from 0.5 (positive is worse), a verdict is counted as

- *right*: "better" with d < 0 at its weight, "flat" with all |d| < margin, "keep" with all
  d > −margin; for "rescaled" there must also be the note that the weights miss the balance;
- *undecided*, which keeps 0.5;
- *wrong*: any other.

*harmful*, whatever the verdict: the weight it recommends has d > margin. `naive_harmful` counts the
same for the rule "take the best mean". `regret` and `naive_regret`: the mean planted error of the
recommended weight above that of the best of the five, in margins. `trained_best` is the weight with
the lowest mean over all runs of a part: training stops short of the exact optimum, and this shows
whether that moved it. Nothing was tuned on these rates.
"""

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from amnl.combine import FIVE
from amnl.files import write_atomically
from amnl.training import provenance
from amnl.weigh import Decision, Losses, decide, seeded

TABLE = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows" / "five_point_rates.csv"
SEEDS = (1, 3, 5, 10)
MARGIN = 0.04
# A and B: errors of the vectors that each task alone would learn.
PLANTED = {
    "optimum 0.3": (1.0, 3 / 7),
    "optimum 0.5": (0.7, 0.7),
    "flat": (0.05, 0.05),
    "rescaled": (1.0, 3 / 7),
    "divided": (1.0, 3 / 7),
}
FACTOR = 100.0  # of the primary loss, in "rescaled" and "divided"
DIM, ROWS = 6, 64


def curve(name: str, factor: float = 1.0) -> np.ndarray:
    """Planted error of the primary task at each of the five weights, its loss times `factor`."""
    a, b = PLANTED[name]
    odds = np.array(FIVE) / (1 - np.array(FIVE)) * factor
    share = odds / (1 + odds)
    return a * share**2 + b * (1 - share) ** 2


def verdict_of(decision: Decision, d: dict[float, float]) -> str:
    """ "right", "wrong" or "undecided", by the true differences."""
    right = {
        "better": d[decision.recommended] < 0,
        "flat": all(abs(x) < MARGIN for x in d.values()),
        "keep": all(x > -MARGIN for x in d.values()),
    }
    if decision.verdict == "undecided":
        return "undecided"
    return "right" if right[decision.verdict] else "wrong"


def row(
    level: str,
    name: str,
    noise: str,
    seeds: int,
    tables: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    noted: Sequence[bool] = (),
) -> dict[str, Any]:
    """Rates over problems; a table has shape (seeds, five weights), a truth (five weights,)."""
    counted = []
    for k, (table, truth) in enumerate(zip(tables, truths, strict=True)):
        d = dict(zip(FIVE, (truth - truth[FIVE.index(0.5)]).tolist(), strict=True))
        decision = decide(dict(zip(FIVE, table[:seeds].T.tolist(), strict=True)), MARGIN)
        seen = verdict_of(decision, d)
        if name == "rescaled" and seen == "right" and not noted[k]:
            seen = "wrong"
        naive = FIVE[int(table[:seeds].mean(axis=0).argmin())]
        counted.append(
            {
                **{word: seen == word for word in ("right", "undecided", "wrong")},
                **{word: decision.verdict == word for word in ("better", "flat", "keep")},
                "harmful": d[decision.recommended] > MARGIN,
                "naive_harmful": d[naive] > MARGIN,
                "regret": (d[decision.recommended] - min(d.values())) / MARGIN,
                "naive_regret": (d[naive] - min(d.values())) / MARGIN,
            }
        )
    gaps = np.delete(tables, 2, axis=2) - np.asarray(tables)[:, :, [2]]
    return {
        "level": level,
        "planted": name,
        "noise": noise,
        "spread": math.sqrt(float(gaps.var(axis=1, ddof=1).mean())) / MARGIN,
        "seeds": seeds,
        "problems": len(tables),
        **pd.DataFrame(counted).astype(float).mean().to_dict(),
        "scale_noted": float(np.mean(noted)) if noted else None,
    }


def drawn(problems: int) -> Iterator[dict[str, Any]]:
    """The level of scores."""
    for name in ("optimum 0.3", "optimum 0.5", "flat"):
        for noise in ("normal", "heavy"):
            for spread in (0.25, 0.5, 1.0, 2.0):
                rng = np.random.default_rng(20261123)
                shape = (problems, max(SEEDS), len(FIVE))
                luck = rng.normal(size=shape)
                if noise == "heavy":
                    luck = rng.standard_t(3, size=shape) / math.sqrt(3)
                tables = curve(name) + luck * spread * MARGIN / math.sqrt(2)
                for seeds in SEEDS:
                    found = row(
                        "scores", name, noise, seeds, list(tables), [curve(name)] * problems
                    )
                    yield {**found, "spread": spread}


def white(rng: np.random.Generator) -> np.ndarray:
    """ROWS inputs with x.T @ x = ROWS · I."""
    return math.sqrt(ROWS) * np.linalg.qr(rng.normal(size=(ROWS, DIM))).Q


def plant(name: str, rng: np.random.Generator) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Training and validation tensors of one problem."""
    a, b = PLANTED[name]
    truth = rng.normal(size=DIM) / math.sqrt(DIM)
    errors = np.linalg.qr(rng.normal(size=(DIM, 2))).Q.T * np.sqrt([[a], [b]])
    columns = []
    for error in errors:
        x = white(rng)
        noise = rng.normal(size=ROWS)
        noise -= x @ (x.T @ noise) / ROWS  # moves no solution; makes batches differ
        columns += [x, x @ (truth + error) + noise]
    x = white(rng)
    train = tuple(torch.tensor(c, dtype=torch.float32) for c in columns)
    return train, (torch.tensor(x, dtype=torch.float32), torch.tensor(x @ truth).float())


def build() -> nn.Module:
    return nn.Linear(DIM, 1, bias=False)


def metric(model: nn.Module, val: tuple[Tensor, ...]) -> float:
    """Error above the noise floor, as if the validation set had no end."""
    return float(mse_loss(model(val[0])[:, 0], val[1]))


def losses_of(factor: float) -> Losses:
    """Both losses of a problem, the primary one times `factor`."""

    def losses(model: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x, y, other_x, other_y = batch
        auxiliary = mse_loss(model(other_x)[:, 0], other_y)
        return factor * mse_loss(model(x)[:, 0], y), auxiliary

    return losses


SETTINGS: dict[str, Any] = {"margin": MARGIN, "epochs": 10, "batch_size": 32, "lr": 0.1}


def slopes(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Gradients of the mean squared error; w (…, D), x (…, B, D), y (…, B)."""
    error = (x @ w[..., None])[..., 0] - y
    return 2 * (error[..., None, :] @ x)[..., 0, :] / y.shape[-1]


def orders(seed: int, epochs: int) -> Tensor:
    """Batches of a seed as the sweep draws them, (steps, batch size)."""
    order = torch.Generator().manual_seed(seed)
    batch = SETTINGS["batch_size"]
    return torch.cat([torch.randperm(ROWS, generator=order) for _ in range(epochs)]).view(-1, batch)


def start(seed: int) -> Tensor:
    """Initial weights of a seed, (D,)."""
    with seeded(seed):
        return next(build().parameters()).detach()[0]


def ratios(data: Sequence[Tensor]) -> Tensor:
    """The scale check's ratio of each problem, (P,), before any factor."""
    x, y, other_x, other_y = data
    rows, w = orders(0, 1), start(0)
    pulls = (slopes(w, x[:, rows], y[:, rows]), slopes(w, other_x[:, rows], other_y[:, rows]))
    primary, auxiliary = (g.norm(dim=-1).mean(dim=-1) for g in pulls)
    return primary / auxiliary


def train_all(data: Sequence[Tensor], factor: Tensor, epochs: int = SETTINGS["epochs"]) -> Tensor:
    """Vectors of every problem, seed and weight side by side, (P, seeds, weights, D).

    Step for step what `amnl.weigh.run.run` does: AdamW, gradients clipped to norm 1.
    """
    x, y, other_x, other_y = data
    lam = torch.tensor(FIVE)[:, None]
    w = torch.stack([start(seed) for seed in range(max(SEEDS))])[None, :, None]
    w = w.repeat(len(x), 1, len(FIVE), 1)
    mean, square = torch.zeros_like(w), torch.zeros_like(w)
    batches = torch.stack([orders(seed, epochs) for seed in range(max(SEEDS))])
    lr = SETTINGS["lr"]
    for t in range(batches.shape[1]):
        rows = batches[:, t]
        primary = slopes(w, x[:, rows][:, :, None], y[:, rows][:, :, None])
        auxiliary = slopes(w, other_x[:, rows][:, :, None], other_y[:, rows][:, :, None])
        g = lam * factor[:, None, None, None] * primary + (1 - lam) * auxiliary
        g = g * (1 / (g.norm(dim=-1, keepdim=True) + 1e-6)).clamp(max=1)
        mean = 0.9 * mean + 0.1 * g
        square = 0.999 * square + 0.001 * g**2
        deviation = (square / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8
        w = (1 - 0.01 * lr) * w - lr / (1 - 0.9 ** (t + 1)) * mean / deviation
    return w


def trained(
    name: str, problems: int, level: str = "trained", epochs: int = SETTINGS["epochs"]
) -> Iterator[dict[str, Any]]:
    """The levels of real trainings."""
    planted = [plant(name, np.random.default_rng([20261123, k])) for k in range(problems)]
    data = [torch.stack(column) for column in zip(*(train for train, _ in planted), strict=True)]
    val_x, val_y = (torch.stack(c) for c in zip(*(val for _, val in planted), strict=True))
    factor = torch.full((problems,), FACTOR if name in ("rescaled", "divided") else 1.0)
    if name == "divided":
        factor = factor / (factor * ratios(data))
    w = train_all(data, factor, epochs)
    scores = (w @ val_x[:, None].mT - val_y[:, None, None]).square().mean(dim=-1)
    tables = list(scores.double().numpy())
    truths = [curve(name, f) for f in factor.tolist()]
    balanced = 1 / (1 + factor * ratios(data))
    noted = ((balanced < FIVE[0]) | (balanced > FIVE[-1])).tolist()
    means = np.mean(tables, axis=(0, 1))
    print(name, "planted", np.mean(truths, axis=0).round(3), "trained", means.round(3), flush=True)
    for seeds in SEEDS:
        found = row(level, name, "batches", seeds, tables, truths, noted)
        yield {**found, "trained_best": FIVE[int(means.argmin())]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=1000, help="in each row")
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.monotonic()
    rows = [*drawn(options.problems), *(r for p in PLANTED for r in trained(p, options.problems))]
    for name in ("optimum 0.3", "optimum 0.5"):
        rows += trained(name, options.problems, "longer", 4 * SETTINGS["epochs"])
    table = pd.DataFrame(rows).assign(**provenance(torch.device("cpu")))
    write_atomically(TABLE, table.to_csv(index=False, float_format="%.4g").encode())
    print(f"{len(table)} rows in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
