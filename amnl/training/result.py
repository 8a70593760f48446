"""What a finished run leaves: one record, and the file it is written to."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amnl.files import write_atomically
from amnl.training.config import TrainConfig, recorded

Record = dict[str, Any]  # one epoch of the history


@dataclass
class RunResult:
    """One finished run."""

    # The settings. Where a combiner was given as an object, its label and what it holds stand here:
    # a record does not pass for one of the combiner that the settings named.
    config: TrainConfig
    metrics: dict[str, float]  # one number each (cycles for RMSE): see `amnl.training.metrics`
    history: list[Record]  # one an epoch
    # Per test engine, at the chosen epoch: `pred`, `rul` (capped), `true` (cycles); with the
    # auxiliary "health" `health_pred`, `health`; of a fleet of the reader's own, its `unit`.
    predictions: dict[str, list[Any]]
    provenance: dict[str, Any]  # versions, hardware, threads, seconds, commit, data source

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return {**dataclasses.asdict(self), "config": recorded(dataclasses.asdict(self.config))}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "RunResult":
        """The inverse of `to_dict`."""
        return cls(**{**stored, "config": TrainConfig(**stored["config"])})

    def save(self, path: str | Path) -> None:
        """Write JSON, the whole file or none."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        write_atomically(Path(path), text.encode())

    @classmethod
    def load(cls, path: str | Path) -> "RunResult":
        """Read what `save` wrote."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
