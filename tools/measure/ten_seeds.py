"""Train the compact model on FD001 with λ = 0.5 for ten seeds: `amnl/study/rows/fd001_compact.csv`.

Chapter 5 reads the rows to show what choosing the epoch on the test set is worth. Needs NASA's
files; about a minute and a half a seed on one core. Finished seeds are kept, so it can be stopped
and started again, by one process at a time: `python tools/measure/ten_seeds.py [--seeds 0 2 4]`.
"""

import argparse
from pathlib import Path

import pandas as pd
import torch

from amnl.files import write_atomically
from amnl.study.rows import read_rows
from amnl.training import RunResult, TrainConfig, train

TABLE = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows" / "fd001_compact.csv"


def row(result: RunResult) -> dict[str, object]:
    config = result.config
    settings = {"subset": config.subset, "preset": config.preset, "seed": config.seed}
    weights = {"rul_weight": result.history[0]["rul_weight"], "rul_unit": config.rul_unit}
    return {**settings, **weights, **result.metrics, **result.provenance}


def add(new: dict[str, object]) -> None:
    """Put one row into the table, in the order of seeds."""
    rows = pd.DataFrame([new])
    if TABLE.exists():
        rows = pd.concat([read_rows(TABLE.read_text(encoding="utf-8")), rows]).sort_values("seed")
    write_atomically(TABLE, rows.to_csv(index=False).encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(10))
    torch.set_num_threads(1)
    for seed in parser.parse_args().seeds:
        if TABLE.exists() and seed in set(read_rows(TABLE.read_text(encoding="utf-8"))["seed"]):
            continue
        add(row(train(TrainConfig(seed=seed))))
        print(f"seed {seed} done", flush=True)


if __name__ == "__main__":
    main()
