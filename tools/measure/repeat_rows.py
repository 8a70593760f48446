"""Train rows of a published sweep again, from the row alone, and compare every RMSE.

`python tools/measure/repeat_rows.py amnl/study/rows/sweep-compact-*.csv [--rows 2] [--seed 0]`
draws that many rows of each table. On the hardware and with the torch version that a row names, its
RMSEs come back to within a millionth; exits with 1 where they do not, or are no numbers. Elsewhere
float32 rounds differently and training amplifies it, so the difference is judged at a tenth. So is
that of a row that was trained beside others, with dropout masks that one training alone does not
draw. Needs NASA's files.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from amnl.study.rows import read_rows
from amnl.sweep import config_of, to_rows
from amnl.training import pick_device, provenance, train

SAME, ELSEWHERE = 1e-6, 0.1  # relative
METRICS = ("val_rmse", "test_rmse", "test_rmse_last", "test_rmse_leaked", "test_rmse_uncapped")
SAME_MACHINE = ("hardware", "torch", "system", "threads")


def repeat(row: "pd.Series[object]") -> tuple[float, float]:
    """Largest relative difference over the RMSEs, and the tolerance that fits this machine."""
    again = to_rows([train(config_of(row))]).iloc[0]
    worst = np.max([abs(again[m] - row[m]) / abs(row[m]) for m in METRICS])  # NaN, where one is
    here = provenance(pick_device())
    same = all(row[k] == here[k] for k in SAME_MACHINE) and not row.get("together", 1) > 1
    return float(worst), SAME if same else ELSEWHERE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    failed = 0
    for table in options.tables:
        drawn = read_rows(table.read_text(encoding="utf-8")).sample(
            options.rows, random_state=options.seed
        )
        for number, row in drawn.iterrows():
            worst, tolerance = repeat(row)
            failed += not worst <= tolerance
            verdict = "ok" if worst <= tolerance else "DIFFERS"
            cell = f"{row['subset']} seed {row['seed']} λ {row['lam']:g} unit {row['rul_unit']:g}"
            print(f"{table.name} row {number}, {cell}: off by {worst:.1e}, {verdict}", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
