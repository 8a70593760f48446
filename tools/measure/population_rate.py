"""How much faster are cells side by side? Writes amnl/study/rows/population_rate-DEVICE.csv.

`python tools/measure/population_rate.py` times training steps of the same cells in two ways, in
turns, in one process: one at a time (`Trainer`) and side by side (`Population`), for growing
numbers of them. The floor is the arithmetic of a stacked step, counted by PyTorch, over the rate of
a large matrix product on this device, measured here in the precision of the cells. `--presets
paper`, `--cells 25,110` and `--precisions tf32,bf16-lstm` narrow it down; rows of other presets,
numbers and precisions stay in the file, and each row is kept as soon as it is measured. The engines
are emulated; a CPU works on one thread.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from amnl import cmapss
from amnl.cmapss import Data, emulator
from amnl.files import write_atomically
from amnl.study.rows import read_rows
from amnl.sweep import fixed, grid
from amnl.training import TrainConfig, Trainer, pick_device, provenance
from amnl.training.population import Population

BATCH = 256
CPU = torch.device("cpu")
KEYS = ["preset", "cells", "precision"]


def timed(work: Callable[[], object], device: torch.device, least: float = 1.0) -> float:
    """Seconds of one call: the median of at least five, and of `least` seconds together."""
    seconds: list[float] = []
    while len(seconds) < 6 or sum(seconds) < least:
        seconds.append(once(work, device))
    return statistics.median(seconds[1:])


def once(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call."""
    wait(device)
    start = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - start


def wait(device: torch.device) -> None:
    """Until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large square matrix product, the fastest of a few sizes."""
    rates = []
    for n in (4096, 8192) if device.type == "cuda" else (1024, 1536):
        a, b = torch.randn(2, n, n, device=device, dtype=dtype)
        rates.append(2 * n**3 / timed(lambda a=a, b=b: a @ b, device, 0.3))
    return max(rates)


def step(population: Population, index: torch.Tensor) -> Callable[[], object]:
    """A training step of every cell on whole batches of these windows."""
    many = index.repeat(len(population.configs), 1)
    seen = torch.ones_like(many, dtype=population.dtype)
    return lambda: population.step(many, seen, population.alive)


def gflop(config: TrainConfig, data: dict[int, Data]) -> float:
    """Of a training window: the products of a step, counted on a small batch."""
    with FlopCounterMode(display=False) as counter:
        step(Population([config], data, device=CPU), torch.arange(8))()
    return counter.get_total_flops() / 8e9


def measure(
    configs: list[TrainConfig], data: dict[int, Data], device: torch.device, precision: str
) -> dict[str, object]:
    """One row: the same cells side by side, and one of them alone."""
    index = torch.arange(BATCH, device=device)
    on_gpu = device.type == "cuda"
    dtype = torch.bfloat16 if precision == "bf16-lstm" else torch.float32
    population = Population(configs, data, device=device, precision=precision)
    together = step(population, index)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    first = once(together, device)
    trainer = Trainer(configs[0], data[configs[0].seed], device=device)
    trainer.model.train()
    pairs = [
        (timed(lambda: trainer.step(index), device), timed(together, device)) for _ in range(3)
    ]
    alone, stacked = (statistics.median(t) for t in zip(*pairs, strict=True))
    memory = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None
    work = gflop(configs[0], data) * BATCH * len(configs)
    top = peak(device, dtype)
    return {
        "preset": configs[0].preset,
        "cells": len(configs),
        "precision": precision,
        "one_by_one_ms": 1e3 * alone * len(configs),
        "together_ms": 1e3 * stacked,
        "ratio": statistics.median(len(configs) * a / b for a, b in pairs),
        "windows_a_second": len(configs) * BATCH / stacked,
        "gflop": work,
        "times_the_floor": stacked * top / (1e9 * work),
        "peak_tflops": top / 1e12,
        "first_step_s": first,
        "memory_gib": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", default="compact,paper")
    parser.add_argument("--cells", default="1,2,5,10,25,50")
    parser.add_argument("--precisions")
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).resolve().parents[2] / "amnl/study/rows"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = pick_device()
    precisions = options.precisions or ("tf32" if device.type == "cuda" else "float32")
    with tempfile.TemporaryDirectory() as folder:
        emulator.write_fleet(folder, "FD001")
        data = {seed: cmapss.load("FD001", seed, folder, stride=4) for seed in range(10)}
    path = options.results / f"population_rate-{device.type}.csv"
    table = read_rows(path.read_text(encoding="utf-8")) if path.exists() else pd.DataFrame()
    lams = [("fixed", fixed(lam / 11)) for lam in range(1, 12)]
    for preset in options.presets.split(","):
        every = grid(("FD001",), range(10), lams, preset=preset)
        for count in (int(n) for n in options.cells.split(",")):
            for precision in precisions.split(","):
                row = measure(every[:count], data, device, precision)
                print(
                    {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items()},
                    flush=True,
                )
                if len(table):
                    same = (table[KEYS] == [row[key] for key in KEYS]).all(axis=1)
                    table = table[~same]
                table = pd.concat([table, pd.DataFrame([row | provenance(device)])])
                table = table.sort_values(KEYS)
                text = table.to_csv(index=False, float_format="%.4g")
                write_atomically(path, text.encode())


if __name__ == "__main__":
    main()
