"""Small tables of a reader's own."""

from pathlib import Path

import numpy as np
import pandas as pd

from amnl.cmapss import Fleet, OwnFleet, read_table


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def read(folder: Path, *rows: str, separator: str = ",") -> pd.DataFrame:
    """A CSV file of these lines, read."""
    path = folder / "my.csv"
    path.write_text(lines(*rows))
    return read_table(path, separator)


def fleet_of(table: pd.DataFrame, **how: object) -> OwnFleet:
    """A table with the columns `unit` and `cycle`."""
    return Fleet.from_frame(table, "unit", "cycle", **how)  # type: ignore[arg-type]


def lives(*lengths: int, seed: int = 0) -> pd.DataFrame:
    """Units 1, 2, … of these lives, whose two readings rise towards the end, with noise."""
    rng, parts = np.random.default_rng(seed), []
    for unit, length in enumerate(lengths, start=1):
        wear = np.exp((np.arange(length) - length) / 15)
        parts.append(
            pd.DataFrame(
                {
                    "unit": unit,
                    "cycle": np.arange(1, length + 1),
                    "heat": 500 + 20 * wear + rng.normal(size=length),
                    "noise": 3 - wear + 0.1 * rng.normal(size=length),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
