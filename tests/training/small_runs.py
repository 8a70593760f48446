"""Short runs on a small fleet, and a combiner of the reader's."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from amnl.combiners import Combiner
from amnl.training import (
    RunResult,
    TrainConfig,
    Trainer,
)

SMALL = TrainConfig(epochs=4, warmup_epochs=1, batch_size=64, stride=8, dtype="float64")


ONE = dataclasses.replace(SMALL, epochs=1)


def comparable(result: RunResult) -> dict[str, Any]:
    """A result without what depends on the clock."""
    stored = result.to_dict()
    del stored["provenance"]
    for record in stored["history"]:
        del record["seconds"]
    return stored


class Stranger(Combiner):
    """A combiner of the reader's, with settings of many kinds and weights from NumPy."""

    def __init__(
        self,
        powers: tuple[float, ...] = (1.0, 2.0),
        limit: float = 10.0,
        options: Any = None,
        prior: float = 0.5,
    ) -> None:
        super().__init__(0.5, 0.5)
        self.powers, self.limit, self.options = powers, limit, options
        self.rate = np.float64(limit / 2)
        self.register_buffer("prior", torch.tensor([prior, 1 - prior], dtype=torch.float64))

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        self.rul_weight = float(rul_loss.detach()) / 1e4  # moves, as a logged weight may
        total: Tensor = self.prior[0] * rul_loss + self.prior[1] * health_loss
        return total

    def get_weights(self) -> dict[str, float]:
        return {"rul_weight": np.float32(0.5), "health_weight": torch.tensor(0.5)}  # type: ignore

    def get_name(self) -> str:
        return "Stranger"


def stop_after(epoch: int, trainer: Trainer, path: Path | None) -> None:
    def stop(record: dict[str, Any]) -> None:
        if record["epoch"] == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.fit(checkpoint=path, on_epoch=stop)
