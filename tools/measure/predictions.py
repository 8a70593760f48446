"""What every cell of a sweep over λ predicts for the test engines, as one small file.

`python tools/measure/predictions.py STORE NAME` writes amnl/study/rows/predictions-NAME.npz from a
store that holds whole families: every weight of every seed of every subset.
`amnl.study.rows.load_predictions` reads it, and a test compares it with the rows of the same name.
"""

import argparse
from io import BytesIO
from pathlib import Path

import numpy as np

from amnl.cmapss import SUBSETS
from amnl.files import write_atomically
from amnl.sweep import Store
from amnl.training import RunResult

RESULTS = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows"


def arrays(results: list[RunResult]) -> dict[str, np.ndarray]:
    """Seeds, weights, and for each subset (weights, seeds, engines) or, for the truth, (engines,).

    Raises `KeyError` where a cell is missing.
    """
    cells = {(r.config.subset, r.config.lam, r.config.seed): r.predictions for r in results}
    lams, seeds = sorted({lam for _, lam, _ in cells}), sorted({seed for _, _, seed in cells})
    found: dict[str, np.ndarray] = {"lams": np.array(lams), "seeds": np.array(seeds)}
    for subset in SUBSETS:
        mine = [[cells[subset, lam, seed] for seed in seeds] for lam in lams]
        for name, kind in (("pred", np.float32), ("health_pred", np.int8)):
            found[f"{subset}_{name}"] = np.array([[c[name] for c in row] for row in mine], kind)
        for name, kind in (("rul", np.float32), ("true", np.float32), ("health", np.int8)):
            found[f"{subset}_{name}"] = np.array(mine[0][0][name], kind)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("name")
    parser.add_argument("--rul-unit", type=float, help="cycles; of a store with several")
    options = parser.parse_args()
    whole = BytesIO()
    results = [
        result
        for result in Store(options.store, make=False)
        if options.rul_unit in (None, result.config.rul_unit)
    ]
    np.savez_compressed(whole, **arrays(results))
    write_atomically(RESULTS / f"predictions-{options.name}.npz", whole.getvalue())


if __name__ == "__main__":
    main()
