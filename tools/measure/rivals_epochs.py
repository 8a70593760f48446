"""Write amnl/study/rows/rivals_epochs.csv: the weights of families e and f, epoch by epoch.

`python tools/measure/rivals_epochs.py STORE` reads the finished cells of seeds 0 to 2 and keeps the
columns that chapter 9 draws, to five digits.
"""

import sys
from pathlib import Path

from amnl import cmapss
from amnl.files import write_atomically
from amnl.study.protocol import family
from amnl.sweep import Store, to_history

TARGET = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows" / "rivals_epochs.csv"
CELL = ["combiner", "combiner_settings", "sample_weighted", "rul_unit", "subset", "seed", "epoch"]
DRAWN = ["rul_weight", "health_weight", "rul_loss", "health_loss"]


def main() -> None:
    store, source = Store(sys.argv[1]), str(cmapss.find())
    cells = [cell for name in "ef" for cell in family(name) if cell.seed < 3]
    table = to_history(store.load(store.path(cell, source)) for cell in cells)
    text = table[CELL + DRAWN].to_csv(index=False, float_format="%.5g")
    write_atomically(TARGET, text.encode())


if __name__ == "__main__":
    main()
