"""How hard each task pulls on the trunk while it trains: `amnl/study/rows/gradient_norms.csv`.

Chapter 7 reads the rows. For every subset, three seeds and two RUL units the compact network
trains at λ = 0.5 under the sweep's settings. Before the first epoch and after each one, the
gradients of the two task losses are taken on four fixed batches. Needs NASA's files; about ten
minutes on one core. Finished runs are kept: `python tools/measure/gradient_norms.py`.
"""

from pathlib import Path

import pandas as pd
import torch
from by_epoch import fixed_batches, measure_all

from amnl.combiners import task_gradients
from amnl.sweep import grid
from amnl.training import Trainer

TABLE = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows" / "gradient_norms.csv"
KEYS = ["subset", "seed", "rul_unit"]


def measure(trainer: Trainer) -> dict[str, float]:
    """Mean over the batches: loss and gradient norm of each task, on the trunk, and their cosine;
    `total_norm` is that of the mixed loss over all parameters, before clipping. Nothing of it
    reaches the training: it works on a copy, and the run's random state is put back."""
    rows = []
    with fixed_batches(trainer) as batches:
        shared, every = list(trainer.model.trunk.parameters()), list(trainer.model.parameters())
        for index in batches:
            losses = trainer.task_losses(index)
            rul, health = task_gradients(losses, shared)
            total = torch.autograd.grad(trainer.mtl_loss(*losses), every)
            rows.append(
                {
                    "rul_loss": losses[0].item(),
                    "health_loss": losses[1].item(),
                    "rul_norm": float(rul.norm()),
                    "health_norm": float(health.norm()),
                    "cosine": float(torch.cosine_similarity(rul, health, dim=0)),
                    "total_norm": float(torch.cat([g.flatten() for g in total]).norm()),
                }
            )
    return pd.DataFrame(rows).mean().to_dict()


def main() -> None:
    measure_all(TABLE, KEYS, grid(seeds=range(3), rul_units=[1.0, 125.0]), measure, digits=6)


if __name__ == "__main__":
    main()
