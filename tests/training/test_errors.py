"""Numbers that are not finite stop a run, with the step and the settings."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import SMALL
from torch import Tensor

from amnl import cmapss
from amnl.combiners import FixedWeightLoss
from amnl.training import Trainer, TrainingError


@pytest.fixture(scope="module")
def data(ten_engines: Path, own_cache: None) -> cmapss.Data:
    return cmapss.load("FD001", SMALL.seed, ten_engines, stride=SMALL.stride)


def test_infinite_weights_after_the_last_step_stop_the_run(data: cmapss.Data) -> None:
    trainer = Trainer(SMALL, data)
    with torch.no_grad():
        trainer.average.module.rul_head[-2].bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"predict nan after epoch 1; settings .*'lr'"):
        trainer.predict(trainer.val)


def test_nan_loss_stops_with_step_and_settings(data: cmapss.Data, tmp_path: Path) -> None:
    class Faulty(FixedWeightLoss):
        calls = 0

        def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
            self.calls += 1
            total = super().forward(rul_loss, health_loss, **extras)
            return total * float("nan") if self.calls == per_epoch + 2 else total

    trainer = Trainer(SMALL, data, combiner=Faulty())
    per_epoch = -(-len(trainer.train) // SMALL.batch_size)
    path = tmp_path / "run.pt"
    with pytest.raises(TrainingError, match=r"epoch 2, step 2 of .*Fixed\(0\.50/0\.50\).*'lr'"):
        trainer.fit(checkpoint=path)
    assert [r["epoch"] for r in torch.load(path)["history"]] == [1]  # the good epoch is kept
