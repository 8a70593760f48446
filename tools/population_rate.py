"""How much faster are cells side by side? Writes amnl/results/population_rate-DEVICE.csv.

`python tools/population_rate.py` times training steps of the same cells in two ways, in turns, in
one process: one after another (`Trainer`) and side by side (`Population`), for growing numbers of
cells. The floor is the arithmetic of a stacked step, counted by PyTorch, over the rate of a large
matrix product on this device, measured here. `--presets paper --cells 1,10,25,50` narrows it down;
rows of other presets and numbers stay in the file, and each row is kept as soon as it is measured.
Emulated engines; on a GPU matrix products are in TF32, on a CPU in float32 on one thread.
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

from amnl import cmapss, simulate
from amnl.population import Population
from amnl.sweep import fixed, grid
from amnl.train import Trainer, pick_device, provenance

BATCH = 256


def timed(work: Callable[[], object], device: torch.device, least: float = 1.0) -> float:
    """Seconds of one call: the median of at least five, and of `least` seconds together."""
    seconds: list[float] = []
    while len(seconds) < 5 or sum(seconds) < least:
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak(device: torch.device) -> float:
    """Operations a second of a large square matrix product, the fastest of three sizes."""
    rates = []
    for n in (1024, 2048, 4096 if device.type == "cuda" else 1536):
        a, b = torch.randn(2, n, n, device=device)
        rates.append(2 * n**3 / timed(lambda a=a, b=b: a @ b, device, 0.5))
    return max(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", default="compact,paper")
    parser.add_argument("--cells", default="1,2,5,10,25,50")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = pick_device()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    top = peak(device)
    print(f"{device}: {top / 1e12:.3g} TFLOP/s in a large matrix product", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        simulate.write_fleet(folder, "FD001")
        data = {seed: cmapss.load("FD001", seed, folder) for seed in range(5)}
    name = f"population_rate-{device.type}.csv"
    path = Path(__file__).resolve().parent.parent / "amnl" / "results" / name
    table = pd.read_csv(path) if path.exists() else pd.DataFrame()
    for preset in options.presets.split(","):
        lams = [("fixed", fixed(lam / 11)) for lam in range(1, 11)]
        every = grid(("FD001",), range(5), lams, preset=preset, stride=1)
        for count in (int(n) for n in options.cells.split(",")):
            configs = every[:count]
            index = torch.arange(BATCH, device=device)
            trainers = [Trainer(c, data[c.seed], device=device) for c in configs]
            population = Population(configs, data, device=device)
            for trainer in trainers:
                trainer.model.train()

            many = index.repeat(count, 1)

            def one_by_one(ts: list[Trainer] = trainers, i: torch.Tensor = index) -> None:
                for trainer in ts:
                    trainer.step(i)

            def together(p: Population = population, i: torch.Tensor = many) -> None:
                p.step(i, None, p.alive)

            with FlopCounterMode(display=False) as counter:
                together()
            pairs = [(timed(one_by_one, device), timed(together, device)) for _ in range(3)]
            alone, stacked = (statistics.median(t) for t in zip(*pairs, strict=True))
            row = {
                "preset": preset,
                "cells": count,
                "one_by_one_ms": 1e3 * alone,
                "together_ms": 1e3 * stacked,
                "ratio": statistics.median(a / b for a, b in pairs),
                "windows_a_second": count * BATCH / stacked,
                "gflop": counter.get_total_flops() / 1e9,
                "times_the_floor": stacked * top / counter.get_total_flops(),
                "peak_tflops": top / 1e12,
            }
            print(
                {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items()}, flush=True
            )
            row |= provenance(device)
            if len(table):
                table = table[(table["preset"] != preset) | (table["cells"] != count)]
            table = pd.concat([table, pd.DataFrame([row])]).sort_values(["preset", "cells"])
            cmapss.write_atomically(path, table.to_csv(index=False, float_format="%.4g").encode())
            del trainers, population, one_by_one, together


if __name__ == "__main__":
    main()
