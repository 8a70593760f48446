"""Does a second task help once its label has noise of its own? `amnl/study/rows/shared_noise.csv`.

`python tools/measure/shared_noise.py` trains the book's network on emulated engines, where the true
remaining life (RUL) is known. What follows was committed before the first run.

**Question.** Chapter 2 with a shared label says that a second task of the same rows helps only as
far as its label errs on its own. If the second label is computed from the first, whatever else it
loses on the way, its best weight is 0; the error grows as the square of its share. Does the network
behave so?

**Design.** Ten emulated fleets of FD001 (fleet seed = training seed, 0 to 9), 100 engines each, and
200 test engines. `compact` network and the recipe of the sweep but for: every 16th window, batches
of 64 (some 14 steps an epoch, as in the sweep), no sample weights. Each training label of the RUL
(capped) gets an error e1, normal, standard deviation 50 cycles, drawn anew for each window, and not
cut. The health state of a training window is that of the capped RUL plus an error e2, of

- *shared*: e2 = e1. The state is computed from the noisy label, as C-MAPSS's is from its label;
- *half*: the same deviation, correlation 0.5 with e1;
- *own*: the same deviation, independent of e1;
- *clean*: none.

Validation and test windows keep clean labels, so errors are against the true (capped) RUL and the
choice of the epoch is no part of the question. The unit of the RUL loss is 25 cycles; λ is 0.1
(odds 1:5600 in cycles², next to the 1:5000 that two independent likelihoods would give), 0.5, 0.9,
and 1, which is one training for the four kinds, as it never sees a health state.

**Comparison.** In each kind each λ less 1, test RMSE, paired by seed: exact sign-flip test, two-
sided, Holm over the three, margin half a cycle (`amnl.study.tables.judge`). A kind has an optimum
in the middle where a weight below 1 is better than 1. And the trend: the mean of a seed's three
differences, its slope over the correlation of e1 and e2 (0, 0.5, 1), tested against 0.

**Expected.** *shared*: no weight is better than 1; 0.9 is within half a cycle of it, and 0.1 is
worse, by 0.3 to 2 cycles. *own* and *clean*: a weight below 1 is better than 1, by 0.3 to 1.5
cycles, and *clean* by more. *half* lies between *shared* and *own*, and the slope is above 0. The
explanation is contradicted by a weight that is better than 1 in *shared*, and not supported where
none is in *own* and *clean*.

Known before: how long an epoch takes (one core, about 0.2 s), and no error of any such run.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from gradient_norms import measure

from amnl import cmapss
from amnl.cmapss import Data, emulator
from amnl.files import write_atomically
from amnl.training import TrainConfig, Trainer, provenance

TABLE = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows" / "shared_noise.csv"
SEEDS, LAMS, NOISE = range(10), (0.1, 0.5, 0.9), 50.0  # cycles
# Of the health state's error: its deviation in that of the RUL's, and their correlation.
KINDS = {"shared": (1.0, 1.0), "half": (1.0, 0.5), "own": (1.0, 0.0), "clean": (0.0, 0.0)}


def with_noise(data: Data, kind: str, noise: float = NOISE) -> Data:
    """The same data with errors in the training labels; a seed's are the same for every kind."""
    # [seed, 1] and [seed, 2] are drawn from elsewhere: the signs of a nudge, the fewer engines
    first, second = np.random.default_rng([data.seed, 3]).normal(size=(2, len(data.train)))
    size, shared = KINDS[kind]
    own = shared * first + np.sqrt(1 - shared**2) * second
    rul = data.train.rul + noise * first
    health = data.framing.health(data.train.rul + size * noise * own)
    return replace(data, train=replace(data.train, rul=rul.astype(np.float32), health=health))


def config_of(seed: int, lam: float) -> TrainConfig:
    """The settings of a training, whatever the kind."""
    return TrainConfig(
        seed=seed, stride=16, batch_size=64, rul_unit=25.0, sample_weighted=False,
        combiner_settings={"rul_weight": lam, "health_weight": 1 - lam},
    )  # fmt: skip


def trained(data: Data, kind: str, lam: float) -> dict[str, object]:
    """One row: errors in cycles, and RUL's pull over health's on the trunk, before λ."""
    device = torch.device("cpu")
    trainer = Trainer(config_of(data.seed, lam), with_noise(data, kind), device=device)
    before = measure(trainer)
    metrics = trainer.fit().metrics
    after = measure(trainer)
    pulls = {
        name: found["rul_norm"] / found["health_norm"]
        for name, found in (("pull_before", before), ("pull_after", after))
    }
    kept = {name: metrics[name] for name in ("test_rmse", "val_rmse", "best_epoch")}
    own = {"kind": kind, "lam": lam, "seed": data.seed, "rul_unit": trainer.config.rul_unit}
    return {**own, "noise": NOISE, **kept, **pulls}


def main() -> None:
    torch.set_num_threads(1)
    machine, start, rows = provenance(torch.device("cpu")), time.monotonic(), []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            emulator.write_fleet(folder, "FD001", seed, test_engines=200)
            data = cmapss.load("FD001", seed, folder, stride=16)
        rows.append({**trained(data, "shared", 1.0), "kind": "any"})
        rows += [trained(data, kind, lam) for kind in KINDS for lam in LAMS]
        table = pd.DataFrame(rows).assign(**machine)
        write_atomically(TABLE, table.to_csv(index=False, float_format="%.6g").encode())
        print(f"seed {seed}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
