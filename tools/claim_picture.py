"""Draw README's picture, `book/_static/claim.png`: the source's table, as chapter 1 draws it."""

from importlib.resources import files
from pathlib import Path

import pandas as pd

from amnl import plots

TARGET = Path(__file__).resolve().parent.parent / "book" / "_static" / "claim.png"


def main() -> None:
    with (files("amnl.results") / "source_ablation.csv").open() as table:
        rows = pd.read_csv(table, comment="#")
    # The row at 0.75 repeats the one at 0.70 under another name.
    rows = rows[rows["variant"].isna()]
    plots.style()
    figure = plots.curves_over_lambda(
        rows["lambda"].to_numpy(),
        {name: rows[name].to_numpy() for name in plots.PALETTE},
        "RMSE on the test engines (cycles)",
    )
    figure.savefig(TARGET, metadata={"Software": None})


if __name__ == "__main__":
    main()
