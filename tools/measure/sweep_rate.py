"""How fast is `amnl sweep`? Fifteen cells in two ways, one after the other, on a quiet machine.

`python tools/measure/sweep_rate.py` runs the five-point sweep on FD001 with three seeds: first as
the command, one process of one thread a core; then the command again, which must find nothing to
do; then the same cells one after another in one process whose PyTorch uses all cores. Wall time
counts from start to end of each process. Needs NASA's files.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

GRID = ("--subsets", "FD001", "--lams", "0.3,0.4,0.5,0.6,0.7", "--seeds", "3")
ONE_BY_ONE = """
import torch
from amnl.sweep import fixed, grid
from amnl.training import train
torch.set_num_threads({threads})
for cell in grid(["FD001"], range(3), [("fixed", fixed(l)) for l in (0.3, 0.4, 0.5, 0.6, 0.7)]):
    train(cell)
"""


def timed(*command: str) -> tuple[float, str]:
    """Wall seconds of a command and what it printed; `OMP_NUM_THREADS` does not reach it."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], check=True, text=True, stdout=subprocess.PIPE, env=environment
    )
    return time.perf_counter() - start, done.stdout


def main() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with tempfile.TemporaryDirectory() as store:
        sweep = ("-m", "amnl", "sweep", "--preset", "compact", *GRID, "--store", store)
        first, out = timed(*sweep, "--json")
        done = json.loads(out)["done"]
        second, out = timed(*sweep, "--json")
        again = json.loads(out)["done"]
    loop, _ = timed("-c", ONE_BY_ONE.format(threads=cores))
    rows = (
        (f"amnl sweep, {cores} workers", done, first),
        ("the same command again", again, second),
        (f"one by one, {cores} threads", done, loop),
    )
    for what, cells, seconds in rows:
        rate = f", {3600 * cells / seconds:.0f} an hour" if cells else ""
        print(f"{what:<26s} {cells:2d} cells in {seconds:4.0f} s{rate}")
    print(f"ratio {loop / first:.2f}")


if __name__ == "__main__":
    main()
