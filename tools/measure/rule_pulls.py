"""What each rule makes of the two gradients, epoch by epoch: `amnl/study/rows/rule_pulls.csv`.

Chapter 9 plays the rows. Every rival of the protocol, and a fixed half, trains the compact network
on FD001 with seed 0, in both RUL units. Before the first epoch and after each one, the factors that
the rule puts on the two losses and the lengths of the losses' gradients are taken on four fixed
batches. Needs NASA's files; about ten minutes on one core. Finished runs are kept:
`python tools/measure/rule_pulls.py`.
"""

import copy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from by_epoch import fixed_batches, measure_all

from amnl.combiners import task_gradients
from amnl.study.protocol import family
from amnl.sweep import grid
from amnl.training import TrainConfig, Trainer

TABLE = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows" / "rule_pulls.csv"
KEYS = ["combiner", "combiner_settings", "sample_weighted", "rul_unit", "subset", "seed"]


def cells() -> list[TrainConfig]:
    """The runs: the protocol's with a rule, and what they are compared with, in either unit."""
    rivals = [cell for cell in family("e") if (cell.subset, cell.seed) == ("FD001", 0)]
    fixed = grid(["FD001"], [0])
    return [replace(cell, rul_unit=unit) for unit in (1.0, 125.0) for cell in [*rivals, *fixed]]


def measure(trainer: Trainer) -> dict[str, float]:
    """Mean over four batches: both losses, the factor that the rule multiplies each of them by, and
    the length of each loss's gradient on the trunk. Nothing of it reaches the training: it works on
    copies, and the run's random state is put back."""
    rows = []
    with fixed_batches(trainer) as batches:
        rule = copy.deepcopy(trainer.mtl_loss).eval()  # it tells its weights and does not move them
        shared = list(trainer.model.trunk.parameters())
        for index in batches:
            losses = trainer.task_losses(index)
            rul, health = task_gradients(losses, shared)
            leaves = [loss.detach().requires_grad_() for loss in losses]
            factors = torch.autograd.grad(rule(*leaves), leaves)
            rows.append(
                {
                    "rul_loss": losses[0].item(),
                    "health_loss": losses[1].item(),
                    "rul_factor": factors[0].item(),
                    "health_factor": factors[1].item(),
                    "rul_norm": float(rul.norm()),
                    "health_norm": float(health.norm()),
                }
            )
    return pd.DataFrame(rows).mean().to_dict()


def main() -> None:
    measure_all(TABLE, KEYS, cells(), measure, digits=5)


if __name__ == "__main__":
    main()
