"""Small files of engines, and the settings of a small model."""

import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from amnl.training import RunResult, TrainConfig

SMALL = TrainConfig(preset="compact-11k", epochs=2, warmup_epochs=1, batch_size=32, stride=8)
SETTINGS = ["altitude", "mach", "tra"]
NASA = ["unit", "cycle", *SETTINGS, *(f"s{n}" for n in range(1, 22))]


@dataclass(frozen=True)
class Trained:
    """A model, what its training found, and the fleet that trained it."""

    folder: Path
    result: RunResult
    fleet: Path

    @property
    def test_file(self) -> Path:
        return self.fleet / "test_FD001.txt"

    def engines(self, *lengths: int) -> pd.DataFrame:
        """Engines 1, 2, … with so many rows each, out of the test engines."""
        rows = pd.read_csv(self.test_file, sep=r"\s+", header=None, names=NASA)
        parts = [rows[rows.unit == k].head(n) for k, n in enumerate(lengths, start=1)]
        assert [len(part) for part in parts] == list(lengths)
        return pd.concat(parts, ignore_index=True)


def as_csv(table: pd.DataFrame) -> str:
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    return text.getvalue()
