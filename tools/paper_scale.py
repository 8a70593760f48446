"""The source's ablation at the source's size, on a GPU: families g and h of the protocol.

`python tools/paper_scale.py STORE` runs what STORE does not hold yet, in the protocol's order: five
seeds of family g, five of h, then the other five of each. Kill it when you like and run it again.
It says after each part what the cells cost, and what share of the source's grid of 200 is done.
Then `amnl report STORE --family g --csv amnl/results/sweep-paper-cycles2.csv`, and for h
`…/sweep-paper-unit125.csv`, make the tables that the pages read. Measure the card first, with
`python tools/population_rate.py --presets paper`.
"""

import argparse
import sys

from amnl import cmapss
from amnl.combine import SOURCE_LAMS
from amnl.sweep import Progress, Store, config_of, family, fixed, run, to_rows
from amnl.train import TrainConfig, pick_device

PARTS = [("g", range(5)), ("h", range(5)), ("g", range(5, 10)), ("h", range(5, 10))]


def show(progress: Progress) -> None:
    """A line an epoch of the cells that train now."""
    if progress.epoch:
        first = progress.running[0]
        print(
            f"{first.subset} unit {first.rul_unit:g}: {len(progress.running)} side by side, "
            f"epoch {progress.epoch} of {first.epochs}; {progress.left} cells left",
            flush=True,
        )


def cost(store: Store, source: str, cells: list[TrainConfig]) -> str:
    """What the finished ones of these cells took."""
    paths = [store.path(cell, source) for cell in cells]
    rows = to_rows(store.load(path) for path in paths if path.exists())
    if not len(rows):
        return "none finished"
    grid = [config_of(row) for _, row in rows.iterrows()]
    ten = [fixed(lam) for lam in SOURCE_LAMS]
    sources = [c.seed < 5 and c.combiner_settings in ten for c in grid]
    seconds = float(rows["seconds"][sources].sum())
    return (
        f"{len(rows)} of {len(cells)} cells in {rows['seconds'].sum() / 60:.1f} min; of the "
        f"source's grid {sum(sources)} of 200 in {seconds / 60:.1f} min"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store")
    parser.add_argument("--data-dir")
    parser.add_argument("--together", type=int)
    options = parser.parse_args()
    if pick_device().type != "cuda":
        sys.exit("no GPU: on a CPU these cells take weeks; `amnl sweep --family g` runs them there")
    store, source = Store(options.store), str(cmapss.find(options.data_dir))
    for name, seeds in PARTS:
        cells = [cell for cell in family(name) if cell.seed in seeds]
        run(cells, store, together=options.together, data_dir=options.data_dir, on_change=show)
        print(f"family {name}: {cost(store, source, family(name))}", flush=True)


if __name__ == "__main__":
    main()
