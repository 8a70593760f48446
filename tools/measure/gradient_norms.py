"""How hard each task pulls on the trunk while it trains: `amnl/study/rows/gradient_norms.csv`.

Chapter 7 reads the rows. For every subset, three seeds and two RUL units the compact network
trains at λ = 0.5 under the sweep's settings. Before the first epoch and after each one, the
gradients of the two task losses are taken on four fixed batches. Needs NASA's files; about ten
minutes on one core. Finished runs are kept: `python tools/measure/gradient_norms.py`.
"""

import copy
from pathlib import Path

import pandas as pd
import torch

from amnl import cmapss
from amnl.combiners import task_gradients
from amnl.files import write_atomically
from amnl.study.rows import read_rows
from amnl.sweep import grid
from amnl.training import Trainer

TABLE = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows" / "gradient_norms.csv"
KEYS = ["subset", "seed", "rul_unit"]


def measure(trainer: Trainer) -> dict[str, float]:
    """Mean over the batches: loss and gradient norm of each task, on the trunk, and their cosine;
    `total_norm` is that of the mixed loss over all parameters, before clipping. Nothing of it
    reaches the training: it works on a copy, and the run's random state is put back."""
    order = torch.Generator().manual_seed(0)
    batches = list(trainer.train.shuffled(trainer.config.batch_size, order))[:4]
    live, random, rows = trainer.model, trainer.isolation.random, []
    trainer.model = copy.deepcopy(live).train()
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
    trainer.model, trainer.isolation.random = live, random
    return pd.DataFrame(rows).mean().to_dict()


def main() -> None:
    torch.set_num_threads(1)
    done = (
        read_rows(TABLE.read_text(encoding="utf-8"))
        if TABLE.exists()
        else pd.DataFrame(columns=KEYS)
    )
    for config in grid(seeds=range(3), rul_units=[1.0, 125.0]):
        key = {name: getattr(config, name) for name in KEYS}
        if len(done) and (done[KEYS] == pd.Series(key)).all(axis=1).any():
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
        write_atomically(TABLE, done.to_csv(index=False, float_format="%.6g").encode())
        print(*key.values(), "done", flush=True)


if __name__ == "__main__":
    main()
