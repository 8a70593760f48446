"""How often is `amnl.weigh.weigh_losses` right? Writes amnl/study/rows/weigh_rates.csv.

`python tools/measure/weigh_rates.py` plants problems whose best weights are known, and counts
answers at 3, 5, 8 and 10 seeds. K regressions share a vector, as in `five_point_rates.py`: the
errors of the vectors that each task alone would learn are orthogonal, so that weights w, with
losses times `factor`, give the primary task the error Σ s_k² e_k, where s is w · factor over its
sum. All trainings of a kind run side by side, step for step as the tool trains one by one; a test
compares.

Two losses: the planted optimum in the reader's own units is at 0.5 ("yours is best"), there is
nothing to gain ("flat"), the primary loss is 100 times too loud or too quiet, or the auxiliary task
harms ("harmful", and "harmful, drowned" where the primary loss is 100 times as large, so that the
harm is not done today). Three losses: both auxiliary tasks are harmless, or the third one harms,
as a penalty that shrinks the vector to 0 does, or less, as a task with a target far away: it pulls
hard at the start, so that an equal pull gives it little weight.

Of each arm d is the planted error above that of the reader's weights. The verdict is *right* as in
`five_point_rates.py`, and *harmful* says that the recommended arm has d above the margin. *regret*
is the planted error of what is recommended above that of the best arm, in margins. `b_harms`,
`b_helps` and so on are the shares of problems in which the second and the third loss are said to do
so, `b_harm` and `c_harm` what they do: by how many margins the planted error of the balance falls
without them, on average. `b_harms_advised` and `c_harms_advised` are the shares after the tool's
own advice was followed once: where it is undecided and asks for so many more seeds, the answer with
those, if ten are enough for it.

The level *longer* trains for four times as many epochs, until the vectors come to rest, on 300
problems at most.

Rows of other rules, on the same problems, are of their weights:

- *yours*, *balanced*, *alone*: no sweep at all.
- *plain five points*: `five_point_sweep`, in the reader's units; two losses.
- *best mean*: the arm with the best mean of these seeds and no statistics. That is how tuned fixed
  weights are chosen by Xin et al. (2022); ours are shares of the pull, which have no unit.
- *AutoScale*: a reconstruction from the abstract (Yang et al. 2025, arXiv 2508.13979) and a review
  of it, not the authors' code. In each of 5 windows of the first fifth of a training the weights of
  best gradient magnitude similarity are found, those with equally long weighted gradients, and the
  mean of them is kept fixed. One training explores; its weights are what is judged.

Nothing was tuned on these rates.
"""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import five_point_rates as five
import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from amnl.combine import FIVE
from amnl.files import write_atomically
from amnl.training import provenance
from amnl.weigh import Arm, Pulls, answers, choose, decide
from amnl.weigh.arms import BALANCED, YOURS, arms_of, left_out, present

TABLE = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows" / "weigh_rates.csv"
SEEDS = (3, 5, 8, 10)
LONGER = 300  # problems of the level that takes four times as long
MARGIN, DIM, ROWS = five.MARGIN, five.DIM, five.ROWS
# Errors of the vectors that each task alone would learn, and what each loss is multiplied by.
PLANTED: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "yours is best": ((0.7, 0.7), (1.0, 1.0)),
    "flat": ((0.05, 0.05), (1.0, 1.0)),
    "too loud": ((0.7, 0.7), (100.0, 1.0)),
    "too quiet": ((0.7, 0.7), (0.01, 1.0)),
    "harmful": ((0.2, 4.0), (1.0, 1.0)),
    "harmful, drowned": ((0.2, 4.0), (100.0, 1.0)),
    "three, harmless": ((0.3, 0.3, 0.3), (1.0, 1.0, 1.0)),
    "three, one harmful": ((0.05, 0.05, 1.5), (1.0, 1.0, 1.0)),
    "three, one less harmful": ((0.05, 0.05, 5.0), (1.0, 1.0, 1.0)),
}
SHRINKS = {"three, one harmful"}  # the last task's own vector is 0


def plant(name: str, rng: np.random.Generator) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Training and validation tensors of one problem: x and y of each task in turn."""
    errors_of, _ = PLANTED[name]
    truth = rng.normal(size=DIM) / np.sqrt(DIM)
    directions = rng.normal(size=(DIM, len(errors_of)))
    if name in SHRINKS:
        truth *= np.sqrt(errors_of[-1]) / np.linalg.norm(truth)
        directions[:, 0] = truth
    units = np.linalg.qr(directions).Q.T
    if name in SHRINKS:
        units = [*units[1:], -truth / np.linalg.norm(truth)]
    columns = []
    for unit, square in zip(units, errors_of, strict=True):
        x, error = five.white(rng), np.sqrt(square) * unit
        noise = rng.normal(size=ROWS)
        noise -= x @ (x.T @ noise) / ROWS  # moves no solution; makes batches differ
        columns += [x, x @ (truth + error) + noise]
    x = five.white(rng)
    train = tuple(torch.tensor(c, dtype=torch.float32) for c in columns)
    return train, (torch.tensor(x, dtype=torch.float32), torch.tensor(x @ truth).float())


def losses_of(name: str) -> Any:
    """The losses of a problem, times its factors."""
    factors = PLANTED[name][1]

    def losses(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        pairs = zip(batch[::2], batch[1::2], factors, strict=True)
        return {
            "abc"[k]: factor * mse_loss(model(x)[:, 0], y) for k, (x, y, factor) in enumerate(pairs)
        }

    return losses


def planted_error(name: str, weights: Sequence[float]) -> float:
    """Error of the primary task where the weighted sum of the losses is smallest."""
    errors, factors = map(np.array, PLANTED[name])
    parts = np.multiply(weights, factors)
    return float(((parts / parts.sum()) ** 2 * errors).sum())


def slopes_of(w: Tensor, data: Sequence[Tensor], rows: Tensor, factors: Sequence[float]) -> Tensor:
    """Gradients of each loss on rows of its batch, (K, ..., D)."""
    pairs = zip(data[::2], data[1::2], factors, strict=True)
    return torch.stack([f * five.slopes(w, x[:, rows], y[:, rows]) for x, y, f in pairs])


def pulls_of(name: str, data: Sequence[Tensor]) -> list[Pulls]:
    """What the tool measures before training, of every problem."""
    factors = PLANTED[name][1]
    rows, w = five.orders(0, 1), five.start(0)
    g = slopes_of(w, data, rows, factors)  # (K, P, batches, D)
    norms = g.norm(dim=-1)
    units = g / norms[..., None]
    cosines = torch.einsum("kpbd,lpbd->pbkl", units, units).mean(dim=1)
    return [
        Pulls(tuple("abc"[: len(factors)]), tuple(n.tolist()), tuple(map(tuple, c.tolist())))
        for n, c in zip(norms.mean(dim=-1).T, cosines, strict=True)
    ]


def train_all(
    name: str, data: Sequence[Tensor], weights: Tensor, epochs: int = five.SETTINGS["epochs"]
) -> Tensor:
    """Vectors of every problem, seed and arm side by side, (P, seeds, arms, D).

    `weights` has shape (P, arms, K). Step for step what `amnl.weigh.run.trained` does: AdamW,
    gradients clipped to norm 1.
    """
    factors, lr = PLANTED[name][1], five.SETTINGS["lr"]
    each = weights.permute(2, 0, 1)[:, :, None, :, None]  # (K, P, 1, arms, 1)
    w = torch.stack([five.start(seed) for seed in range(max(SEEDS))])[None, :, None]
    w = w.repeat(len(weights), 1, weights.shape[1], 1)
    mean, square = torch.zeros_like(w), torch.zeros_like(w)
    batches = torch.stack([five.orders(seed, epochs) for seed in range(max(SEEDS))])
    for t in range(batches.shape[1]):
        rows = batches[:, t]
        g = torch.zeros_like(w)
        for k, factor in enumerate(factors):
            x, y = data[2 * k][:, rows][:, :, None], data[2 * k + 1][:, rows][:, :, None]
            g = g + each[k] * factor * five.slopes(w, x, y)
        g = g * (1 / (g.norm(dim=-1, keepdim=True) + 1e-6)).clamp(max=1)
        mean = 0.9 * mean + 0.1 * g
        square = 0.999 * square + 0.001 * g**2
        deviation = (square / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8
        w = (1 - 0.01 * lr) * w - lr / (1 - 0.9 ** (t + 1)) * mean / deviation
    return w


def autoscale(
    name: str, data: Sequence[Tensor], epochs: int = five.SETTINGS["epochs"]
) -> np.ndarray:
    """Weights (P, K) of one exploring training each; see the head of the file."""
    factors, windows = PLANTED[name][1], 5
    count = len(factors)
    steps = five.orders(0, epochs)
    w = five.start(0).repeat(len(data[0]), 1)
    weights = torch.full((len(w), count), 1 / count)
    explored, inside = [], []
    length = max(1, len(steps) // 5 // windows)
    mean, square, lr = torch.zeros_like(w), torch.zeros_like(w), five.SETTINGS["lr"]
    for t, rows in enumerate(steps[: windows * length]):
        g = torch.stack(
            [
                f * five.slopes(w, data[2 * k][:, rows], data[2 * k + 1][:, rows])
                for k, f in enumerate(factors)
            ]
        )
        inside.append(g.norm(dim=-1).T)
        if len(inside) == length:
            inverse = 1 / torch.stack(inside).mean(dim=0)
            weights = inverse / inverse.sum(dim=1, keepdim=True)
            explored.append(weights)
            inside = []
        total = (weights.T[..., None] * g).sum(dim=0)
        total = total * (1 / (total.norm(dim=-1, keepdim=True) + 1e-6)).clamp(max=1)
        mean, square = 0.9 * mean + 0.1 * total, 0.999 * square + 0.001 * total**2
        deviation = (square / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8
        w = (1 - 0.01 * lr) * w - lr / (1 - 0.9 ** (t + 1)) * mean / deviation
    return torch.stack(explored).mean(dim=0).double().numpy()


def is_right(verdict: str, recommended: str, d: Mapping[str, float]) -> str:
    """*right*, *undecided* or *wrong*, by the planted differences from yours."""
    right = {
        "better": d[recommended] < 0,
        "flat": all(abs(x) < MARGIN for x in d.values()),
        "keep": all(x > -MARGIN for x in d.values()),
    }
    if verdict == "undecided":
        return "undecided"
    return "right" if right[verdict] else "wrong"


class Counted:
    """Rates of each rule over the problems of a kind."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def add(self, rule: str, error: float, d: float, best: float, **more: Any) -> None:
        """The planted error of what a rule recommends, d of it, and the best arm's error."""
        row = {"harmful": d > MARGIN, "gains": d < -MARGIN, "regret": (error - best) / MARGIN}
        self.rows.setdefault(rule, []).append({**row, **more})


def counted(
    name: str, problems: int, level: str = "trained", epochs: int = five.SETTINGS["epochs"]
) -> Iterator[dict[str, Any]]:
    """The rows of one kind."""
    planted = [plant(name, np.random.default_rng([20261127, k])) for k in range(problems)]
    data = [torch.stack(column) for column in zip(*(train for train, _ in planted), strict=True)]
    val_x, val_y = (torch.stack(c) for c in zip(*(val for _, val in planted), strict=True))
    count = len(PLANTED[name][0])
    own = (1 / count,) * count
    arms = [arms_of(pulls, own) for pulls in pulls_of(name, data)]
    tried = [[arm.weights for arm in some] for some in arms]
    plain = [(lam, 1 - lam) for lam in FIVE] if count == 2 else []
    weights = torch.tensor([[*some, *plain] for some in tried])
    w = train_all(name, data, weights, epochs)
    scores = (w @ val_x[:, None].mT - val_y[:, None, None]).square().mean(dim=-1).double().numpy()
    explored = autoscale(name, data, epochs)
    for seeds in SEEDS:
        found = Counted()
        for k, some in enumerate(arms):
            _judge(found, name, some, scores[k], explored[k], seeds)
        for rule, rows in found.rows.items():
            yield {
                "level": level, "planted": name, "rule": rule, "seeds": seeds, "problems": problems,
                **pd.DataFrame(rows).astype(float).mean().to_dict(),
            }  # fmt: skip


def _judge(
    found: Counted,
    name: str,
    arms: Sequence[Arm],
    every: np.ndarray,
    explored: np.ndarray,
    seeds: int,
) -> None:
    """Count one problem at its first `seeds` of `every` seed's scores, (seeds, arms)."""
    names, table = [arm.name for arm in arms], every[:seeds]
    scores = dict(zip(names, table.T.tolist()[: len(arms)], strict=True))
    errors = {arm.name: planted_error(name, arm.weights) for arm in arms}
    d = {arm: error - errors[YOURS] for arm, error in errors.items()}
    best = min(errors.values())
    choice = choose(scores, YOURS, MARGIN)
    seen = is_right(choice.verdict, choice.recommended, d)
    parts = {k: present(arms, arm) for k, arm in left_out("abc"[: len(PLANTED[name][0])]).items()}
    balanced = present(arms, BALANCED)
    asked = answers(scores, balanced, parts, MARGIN)
    said = {a.name: a.answer for a in asked}
    advised = dict(said)
    for one in asked:
        wanted = seeds + one.more_seeds if one.more_seeds else 0
        if one.answer == "undecided" and seeds < wanted <= len(every):
            more_scores = dict(zip(names, every[:wanted].T.tolist()[: len(arms)], strict=True))
            again = answers(more_scores, balanced, parts, MARGIN)
            advised |= {a.name: a.answer for a in again if a.name == one.name}
    more: dict[str, Any] = {word: seen == word for word in ("right", "undecided", "wrong")}
    for answer in ("harms", "helps"):
        more |= {f"{k}_{answer}": said.get(k) == answer for k in "bc"}
    more |= {f"{k}_harms_advised": advised.get(k) == "harms" for k in "bc"}
    whole = errors[balanced]
    more |= {f"{k}_harm": (whole - errors[arm]) / MARGIN for k, arm in parts.items()}
    taken = choice.recommended
    found.add("weigh", errors[taken], d[taken], best, **more)
    for rule in (YOURS, BALANCED, "alone"):
        arm = present(arms, rule)
        found.add(rule, errors[arm], d[arm], best)
    lowest = min(scores, key=lambda arm: float(np.mean(scores[arm])))
    found.add("best mean", errors[lowest], d[lowest], best)
    error = planted_error(name, explored)
    found.add("AutoScale", error, error - errors[YOURS], best)
    if table.shape[1] > len(arms):
        columns = table.T.tolist()[len(arms) :]
        lam = decide(dict(zip(FIVE, columns, strict=True)), MARGIN).recommended
        error = planted_error(name, (lam, 1 - lam))
        found.add("plain five points", error, error - errors[YOURS], best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=1000, help="in each row")
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.monotonic()
    rows = []
    for name in PLANTED:
        rows += counted(name, options.problems)
        fewer = min(LONGER, options.problems)
        rows += counted(name, fewer, "longer", 4 * five.SETTINGS["epochs"])
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    table = pd.DataFrame(rows).assign(**provenance(torch.device("cpu")))
    write_atomically(TABLE, table.to_csv(index=False, float_format="%.4g").encode())
    print(f"{len(table)} rows in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
