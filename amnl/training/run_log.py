"""What one training has come to so far: a record an epoch, and the best of them."""

import copy
from typing import Any

from torch import Tensor

from amnl.cmapss import Data
from amnl.training.config import TrainConfig
from amnl.training.errors import check_losses
from amnl.training.result import Record, RunResult
from amnl.training.scoring import Chosen, Predicted, engine_predictions, epoch_scores, metrics


class RunLog:
    """The records of one training, the epoch that is its best so far, and at last its result."""

    history: list[Record]
    best: Chosen
    seconds: float  # of training and evaluation, so far

    def __init__(self, config: TrainConfig, data: Data, combiner: str) -> None:
        self.config, self.data, self.combiner = config, data, combiner
        self.history, self.best, self.seconds = [], Chosen(), 0.0

    def trained(self, epoch: int, lr: float, losses: Tensor, weights: dict[str, float]) -> Record:
        """An epoch's record, before its evaluation, from its (steps, 3) losses.

        Raises `TrainingError` where one of them is not finite.
        """
        check_losses(self.config, self.combiner, epoch, losses)
        total, rul_loss, health_loss = losses.mean(0).tolist()
        parts = {"loss": total, "rul_loss": rul_loss, "health_loss": health_loss}
        return {"epoch": epoch, "lr": lr, **parts, **weights}

    def evaluated(self, record: Record, val: Predicted, test: Predicted) -> bool:
        """Complete an epoch's record; whether the epoch is the best so far."""
        record |= epoch_scores(self.config, self.data, val, test)
        better = bool(record["val_rmse"] < self.best.val_rmse)
        if better:
            predictions = engine_predictions(self.config, self.data, test)
            self.best = Chosen(record["epoch"], record["val_rmse"], predictions)
        return better

    def close(self, record: Record, seconds: float) -> None:
        """The epoch is over, and took so long."""
        self.seconds += seconds
        self.history.append(record | {"seconds": round(seconds, 3)})

    def result(self, machine: dict[str, Any], parameters: int, **more: Any) -> RunResult:
        """The finished run, the caller's to change. Raises `TrainingError` as `metrics` does.

        Parameters
        ----------
        machine
            What `amnl.provenance.provenance` says of it.
        parameters
            Size of the network.
        more
            Further provenance.
        """
        data = self.data
        return RunResult(
            self.config,
            metrics(self.config, self.history, self.best),
            copy.deepcopy(self.history),
            copy.deepcopy(self.best.predictions),
            {
                **machine,
                "data": str(data.source),
                "parameters": parameters,
                "train_windows": len(data.train),
                "val_windows": len(data.val),
                "seconds": round(self.seconds, 1),
                **more,
            },
        )
