"""What each rule makes of the two gradients, epoch by epoch: `amnl/study/rows/rule_pulls.csv`.

Chapter 9 plays the rows. Every rival of the protocol, and a fixed half, trains the compact network
on FD001 with seed 0, in both RUL units. Before the first epoch and after each one, the factors that
the rule puts on the two losses and the lengths of the losses' gradients are taken on four fixed
batches. Needs NASA's files; about ten minutes on one core. Finished runs are kept:
`python tools/measure/rule_pulls.py`.
"""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from amnl import cmapss
from amnl.combiners import task_gradients
from amnl.files import write_atomically
from amnl.study.protocol import family
from amnl.study.rows import read_rows
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
    order = torch.Generator().manual_seed(0)
    batches = list(trainer.train.shuffled(trainer.config.batch_size, order))[:4]
    live, random, rows = trainer.model, trainer.isolation.random, []
    trainer.model = copy.deepcopy(live).train()
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
    trainer.model, trainer.isolation.random = live, random
    return pd.DataFrame(rows).mean().to_dict()


def main() -> None:
    torch.set_num_threads(1)
    done = read_rows(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else pd.DataFrame()
    kept = {tuple(row) for row in done[KEYS].to_numpy().tolist()} if len(done) else set()
    for config in cells():
        key = {name: getattr(config, name) for name in KEYS}
        key["combiner_settings"] = json.dumps(config.combiner_settings)
        if tuple(key.values()) in kept:
            continue
        trainer = Trainer(config, cmapss.load(config.subset, config.seed, stride=config.stride))
        rows = [{"epoch": 0, **measure(trainer)}]
        result = trainer.fit(
            on_epoch=lambda record, t=trainer, r=rows: r.append(
                {"epoch": record["epoch"], **measure(t)}
            )
        )
        new = pd.DataFrame(rows).assign(**key, commit=result.provenance["commit"])
        new = new[[*KEYS, *(c for c in new.columns if c not in KEYS)]]
        done = pd.concat([done, new]) if len(done) else new
        write_atomically(TABLE, done.to_csv(index=False, float_format="%.5g").encode())
        print(*key.values(), "done", flush=True)


if __name__ == "__main__":
    main()
