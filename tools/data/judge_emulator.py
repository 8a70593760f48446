"""How far is an emulated fleet from NASA's? Writes `amnl/study/rows/emulator.json`.

    python tools/data/judge_emulator.py /folder/with/nasa/files [--epochs 40]

Two answers. By training: a compact model learns FD001 from one source alone (its normalisation and
its validation engines too) and is scored on the test engines of both; three seeds, each with an
emulated fleet of its own. By statistics: the training halves of all four subsets, side by side.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.files import write_atomically
from amnl.task_losses import rmse
from amnl.training import Batches, TrainConfig, Trainer

SEEDS = (0, 1, 2)


def score(trained_on: str, sources: dict[str, str], config: TrainConfig) -> dict[str, Any]:
    """Train on one source, score on both: the epoch is the one its own validation chose."""
    data = cmapss.load(config.subset, config.seed, sources[trained_on])
    trainer = Trainer(config, data)
    result = trainer.fit()
    trainer.average.module.load_state_dict(trainer.log.best.weights)
    row: dict[str, Any] = {"trained_on": trained_on, "seed": config.seed}
    for name, folder in sources.items():
        fleet = cmapss.read(cmapss.find(folder), config.subset, "test")
        test = cmapss.windows(fleet, data.normaliser(fleet), last_only=True)
        predicted, _ = trainer.predict(Batches(test, trainer.device, trainer.dtype))
        row[f"rmse_on_{name}"] = round(rmse(predicted, test.rul), 3)
        row[f"constant_on_{name}"] = round(float(test.rul.std()), 3)
    row |= {k: round(result.metrics[k], 3) for k in ("val_rmse", "best_epoch")}
    return row | {"provenance": result.provenance}


def levels(fleet: cmapss.Fleet, like: cmapss.Fleet) -> dict[str, NDArray[np.float64]]:
    """Statistics of the 14 sensors, each (14,), in deviations of `like`'s rows in its condition."""
    scale = cmapss.Normaliser.fit(like, np.arange(like.engines))
    values = scale(fleet)[:, :14].astype(float)
    same = fleet.engine[1:] == fleet.engine[:-1]
    first, last = fleet.cycle <= 30, fleet.rul < 15
    count = np.arange(fleet.engines)
    engines = np.array([values[last & (fleet.engine == i)].mean(0) for i in count])
    return {
        "new": values[first].mean(0),
        "worn": values[last].mean(0),
        "spread_of_worn": engines.std(0),
        "step": (values[1:] - values[:-1])[same].std(0),
    }


def compare(subset: str, nasa: str, emulated: str) -> dict[str, Any]:
    """The largest gaps over the 14 sensors, in NASA's deviations, and the lives in cycles."""
    real, made = (cmapss.read(cmapss.find(f), subset, "train") for f in (nasa, emulated))
    a, b = levels(real, real), levels(made, real)
    quantiles = (5, 50, 95)
    return {
        **{f"gap_{k}": round(float(abs(a[k] - b[k]).max()), 3) for k in a},
        "median_gap_new": round(float(np.median(abs(a["new"] - b["new"]))), 3),
        "median_gap_worn": round(float(np.median(abs(a["worn"] - b["worn"]))), 3),
        "life_quantiles_nasa": np.percentile(real.lengths, quantiles).round(0).tolist(),
        "life_quantiles_emulated": np.percentile(made.lengths, quantiles).round(0).tolist(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nasa", help="the folder with NASA's files")
    parser.add_argument("--epochs", type=int, default=TrainConfig.epochs)
    options = parser.parse_args()
    rows, statistics = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        for seed in SEEDS:
            config = TrainConfig(preset="compact", epochs=options.epochs, seed=seed)
            folder = emulator.write_fleet(Path(temporary) / str(seed), "FD001", seed)
            sources = {"nasa": options.nasa, "emulator": str(folder)}
            for trained_on in sources:
                rows.append(score(trained_on, sources, config))
                print({k: v for k, v in rows[-1].items() if k != "provenance"}, flush=True)
        everything = emulator.write_all(Path(temporary) / "all", seed=0)
        for subset in cmapss.SUBSETS:
            statistics[subset] = compare(subset, options.nasa, str(everything))
            print(subset, statistics[subset])
    transfer = [
        r["rmse_on_nasa"] / r["constant_on_nasa"] for r in rows if r["trained_on"] != "nasa"
    ]
    report = {
        "emulator": emulator.table()["emulator"],
        "subset": "FD001",
        "preset": "compact",
        "epochs": options.epochs,
        "fraction_of_constant": {
            "mean": round(float(np.mean(transfer)), 3),
            "worst": max(transfer),
        },
        "runs": rows,
        "statistics_seed_0": statistics,
    }
    out = Path(__file__).parents[2] / "amnl" / "study" / "rows" / "emulator.json"
    text = json.dumps(report, indent=1) + "\n"
    write_atomically(out, text.encode())
    print(f"wrote {out.name}; of the best constant's RMSE: {report['fraction_of_constant']}")


if __name__ == "__main__":
    main()
