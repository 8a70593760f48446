"""The trainer: its protocol, its pairing by seed, what it asks of losses and combiners."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import ONE, SMALL, comparable, stop_after
from torch import Tensor

from amnl import cmapss
from amnl.combiners import Combiner, FixedWeightLoss
from amnl.task_losses import moderate_weighted_mse_loss, rmse
from amnl.training import (
    Trainer,
    TrainingError,
)


@pytest.fixture(scope="module")
def data(ten_engines: Path, own_cache: None) -> cmapss.Data:
    return cmapss.load("FD001", SMALL.seed, ten_engines, stride=SMALL.stride)


def test_a_seed_repeats_and_another_differs(data: cmapss.Data) -> None:
    first, again = (Trainer(SMALL, data).fit() for _ in range(2))
    assert comparable(first) == comparable(again)
    moved = dataclasses.replace(data, seed=1)  # the same split, so that only the weights differ
    other = Trainer(dataclasses.replace(SMALL, seed=1), moved).fit()
    assert other.metrics["test_rmse"] != first.metrics["test_rmse"]


def test_common_random_numbers_across_lambda(data: cmapss.Data) -> None:
    """Same seed, other λ: same initial weights, same batches."""
    a, b = (Trainer(SMALL, data, combiner=FixedWeightLoss.convex(lam)) for lam in (0.1, 0.9))
    for x, y in zip(a.model.parameters(), b.model.parameters(), strict=True):
        assert torch.equal(x, y)
    one, two = (list(t.train.shuffled(64, t.order)) for t in (a, b))
    assert all(torch.equal(x, y) for x, y in zip(one, two, strict=True))


def test_training_learns(data: cmapss.Data) -> None:
    """Twelve epochs on ten engines beat the best constant on the validation engines by far."""
    result = Trainer(dataclasses.replace(SMALL, epochs=12, lr=1e-2, batch_size=32), data).fit()
    constant = rmse(np.full(len(data.val), data.train.rul.mean()), data.val.rul)
    assert result.metrics["val_rmse"] < 0.6 * constant


def test_rul_unit_rescales_the_odds(data: cmapss.Data) -> None:
    """Unit b with odds r·(b/a)² is unit a with odds r, up to one overall factor (spec 6)."""
    unit, lam = 125.0, 0.5
    odds = lam / (1 - lam) / unit**2
    cycles = odds / (1 + odds)
    a = Trainer(dataclasses.replace(SMALL, rul_unit=unit), data)
    b = Trainer(SMALL, data)
    a.model.eval(), b.model.eval()
    index = torch.arange(32)
    totals = []
    for trainer, weight in ((a, lam), (b, cycles)):
        losses = trainer.task_losses(index)
        total = FixedWeightLoss.convex(weight)(*losses)
        totals.append(torch.autograd.grad(total, trainer.model.trunk.conv[0].weight)[0])
    torch.testing.assert_close(totals[0], totals[1] * (1 - lam) / (1 - cycles))


def test_sample_weights_are_those_of_the_loss(data: cmapss.Data) -> None:
    trainer = Trainer(SMALL, data)
    trainer.model.eval()
    index = torch.arange(16)
    pred, _ = trainer.model(trainer.train.inputs(index))
    expected = moderate_weighted_mse_loss(pred, trainer.train.rul[index])
    torch.testing.assert_close(trainer.task_losses(index)[0], expected)


def test_any_combiner_goes_through_the_same_call(data: cmapss.Data) -> None:
    """A stranger with learnable weights trains by the same line, and its weights move."""
    seen: dict[str, Any] = {}

    class Learned(Combiner):
        def __init__(self) -> None:
            super().__init__(1.0, 1.0)
            self.log_variance = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))

        def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
            seen.update(extras)
            s = self.log_variance
            return (torch.stack((rul_loss, health_loss)) * (-s).exp() + s).sum()

        def get_name(self) -> str:
            return "Learned"

    combiner = Learned()
    trainer = Trainer(SMALL, data, combiner=combiner)
    trainer.fit()
    assert (combiner.log_variance != 0).all()
    assert seen["model"] is trainer.model
    assert len(seen["shared_params"]) == len(list(trainer.model.trunk.parameters()))


def test_tensorboard_logs_losses_and_weights(data: cmapss.Data, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the [logs] extra is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = Trainer(SMALL, data).fit(log_dir=tmp_path)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert {"loss", "rul_loss", "health_loss", "rul_weight"} <= set(events.Tags()["scalars"])
    logged = [e.value for e in events.Scalars("val_rmse")]
    assert logged == pytest.approx([r["val_rmse"] for r in result.history], rel=1e-6)


def cut_short(trainer: Trainer, at_step: int) -> None:
    """Ctrl-C, before this step."""
    steps, step = iter(range(1000)), trainer.step

    def interrupted(index: Tensor) -> Tensor:
        if next(steps) == at_step:
            raise KeyboardInterrupt
        return step(index)

    trainer.step = interrupted  # type: ignore[method-assign]


def test_a_fit_that_was_stopped_within_an_epoch_does_not_go_on(
    data: cmapss.Data, tmp_path: Path
) -> None:
    whole = Trainer(SMALL, data).fit()
    trainer, path = Trainer(SMALL, data), tmp_path / "run.pt"
    steps = -(-len(trainer.train) // SMALL.batch_size)
    cut_short(trainer, steps + 1)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(checkpoint=path)
    with pytest.raises(TrainingError, match="stopped within epoch 2"):
        trainer.fit()
    assert comparable(trainer.fit(checkpoint=path)) == comparable(whole)


def test_a_fit_that_was_stopped_between_epochs_goes_on(data: cmapss.Data) -> None:
    whole, trainer = Trainer(SMALL, data).fit(), Trainer(SMALL, data)
    stop_after(2, trainer, None)
    assert comparable(trainer.fit()) == comparable(whole)


def test_a_combiner_of_no_length_is_one(data: cmapss.Data) -> None:
    class Empty(FixedWeightLoss):
        def __len__(self) -> int:
            return 0

    assert Trainer(ONE, data, combiner=Empty(0.9, 0.1)).mtl_loss.get_weights()["rul_weight"] == 0.9
