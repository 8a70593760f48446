"""How often a saved model's interval holds: `amnl/study/rows/interval_coverage.csv`.

`python tools/measure/interval_coverage.py STORE [--seeds 0 1]` trains the compact network with
cross calibration, five trainings a subset and seed, by the strides of the book's sweeps; then it
asks each model about NASA's test engines, at 90 %. A training takes about a minute on one core.
Epochs and models are kept in STORE, so that it can be stopped and started again.

A row is a subset, a seed, a calibration ("split": the fifth of the engines that the saved model
left out; "cross": all of them), a moment ("stop": where a test engine's record ends; "all": each of
its cycles, an engine counting once) and a fifth of the predicted life, or "all" of them. `covered`
is the share of engines whose true life lies within, of `engines` that have such a moment, and
`width` the mean length of the interval in cycles, as far as the cap.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from amnl import cmapss
from amnl.cmapss import SUBSETS, Fleet, Source
from amnl.files import write_atomically
from amnl.predict import Calibration, Predictor, load_predictor, train_model
from amnl.predict.conformal import FIFTHS
from amnl.sweep.grid import STRIDES
from amnl.training import TrainConfig

TABLE = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows" / "interval_coverage.csv"
LEVEL = 0.9


def calibrations(predictor: Predictor, engines: int) -> list[Calibration]:
    """The model's own, and the part of it that one training alone would have."""
    whole = predictor.calibration
    _, left_out = cmapss.split_engines(engines, predictor.config.seed)
    mine = np.isin(whole.engine, left_out)
    arrays = {name: getattr(whole, name)[mine] for name in ("engine", "pred", "rul")}
    return [replace(whole, kind="split", **arrays), whole]


def rows(predictor: Predictor, source: Source) -> list[dict[str, object]]:
    """What one model's intervals are worth on the test engines."""
    config = predictor.config
    fleet: Fleet = cmapss.read(source, config.subset, "test")
    table = pd.DataFrame(fleet.features, columns=list(predictor.inputs.features))
    pred = predictor.predict(table.assign(unit=fleet.engine, cycle=fleet.cycle), every=1)["rul"]
    moments = {"stop": fleet.offsets[1:] - 1, "all": np.arange(len(fleet.values))}
    found = []
    for judged in calibrations(predictor, cmapss.read(source, config.subset, "train").engines):
        low, high = judged.interval(pred.to_numpy(), LEVEL)
        seen = pd.DataFrame(
            {
                "engine": fleet.engine,
                "fifth": judged.fifth(pred.to_numpy()),
                "covered": (low <= fleet.rul) & (fleet.rul <= high),
                "width": np.minimum(high, judged.cap) - low,
            }
        )
        for moment, at in moments.items():
            for fifth in ("all", *range(len(FIFTHS) + 1)):
                here = seen.iloc[at]
                here = here if fifth == "all" else here[here.fifth == fifth]
                engines = here.groupby("engine")[["covered", "width"]].mean()
                found.append(
                    {
                        "subset": config.subset, "preset": config.preset, "seed": config.seed,
                        "stride": config.stride, "epochs": config.epochs, "level": LEVEL,
                        "calibration": judged.kind, "calibration_engines": judged.engines,
                        "moment": moment, "fifth": fifth, "engines": len(engines),
                        "covered": round(engines.covered.mean(), 4),
                        "width": round(engines.width.mean(), 2),
                        "test_rmse": round(predictor.record["metrics"]["test_rmse"], 3),
                        **predictor.record["provenance"],
                    }
                )  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    torch.set_num_threads(1)
    source, found = cmapss.find(), []
    for seed in options.seeds:
        for subset in SUBSETS:
            folder = options.store / f"{subset}-seed{seed}"
            if not (folder / "model.json").exists():
                config = TrainConfig(subset=subset, seed=seed, stride=STRIDES[subset])
                train_model(config, source, folder, cross=True)
            found += rows(load_predictor(folder), source)
            write_atomically(TABLE, pd.DataFrame(found).to_csv(index=False).encode())
            print(f"{subset}, seed {seed}: done", flush=True)


if __name__ == "__main__":
    main()
