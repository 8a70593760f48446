"""What does a step cost with each combiner? Writes amnl/study/rows/combiner_cost.csv.

`python tools/measure/combiner_cost.py` trains the compact network on FD001 with every combiner, one
thread, in turns: five steps of one, five of the next, and again, 41 rounds, of which the first
warms up, on the CPU. A ratio is that of two neighbours in one round. Run it on a quiet machine.
Needs NASA's files.
"""

import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch

from amnl import cmapss
from amnl.combiners import names
from amnl.files import write_atomically
from amnl.training import TrainConfig, Trainer, provenance

TABLE = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows" / "combiner_cost.csv"
STEPS, ROUNDS = 5, 40


def steps(trainer: Trainer) -> Iterator[None]:
    """Train for ever, a step at a time."""
    trainer.model.train()
    trainer.mtl_loss.train()
    while True:
        for index in trainer.train.shuffled(256, trainer.order):
            trainer.step(index)
            yield


def main() -> None:
    torch.set_num_threads(1)
    data = cmapss.load("FD001", 0)
    order = ["fixed", *(name for name in names() if name != "fixed")]
    here = torch.device("cpu")  # where a step has ended when it returns
    runs = {n: steps(Trainer(TrainConfig(combiner=n), data, device=here)) for n in order}
    times: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(ROUNDS + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            next(itertools.islice(run, STEPS - 1, None))
            times[name].append((time.perf_counter() - start) / STEPS)
    rows = []
    for name in order:
        ratios = [a / b for a, b in zip(times[name][1:], times["fixed"][1:], strict=True)]
        rows.append(
            {
                "combiner": name,
                "ms": 1e3 * statistics.median(times[name][1:]),
                "ratio": statistics.median(ratios),
                "ratio_low": min(ratios),
                "ratio_high": max(ratios),
            }
        )
    table = pd.DataFrame(rows)
    print(table.round(2).to_string(index=False))
    table = table.assign(**provenance(here))
    write_atomically(TABLE, table.to_csv(index=False, float_format="%.4g").encode())


if __name__ == "__main__":
    main()
