"""Combiners in the trainer: they move, resume and say what went wrong."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.combiners import (
    Combiner,
    DWALoss,
    FixedWeightLoss,
    make_combiner,
    names,
    register,
    registry,
)
from amnl.training import TrainConfig, Trainer
from amnl.training.population import fits

ADAPTIVE = ("dwa", "gaba", "gradnorm", "uncertainty")


@pytest.fixture(scope="module")
def data(own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> cmapss.Data:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(folder, "FD001", seed=3, engines=10, test_engines=8)
    return cmapss.load("FD001", 0, folder, stride=8)


def config(name: str, **options: Any) -> TrainConfig:
    return TrainConfig(
        combiner=name, **{"epochs": 4, "warmup_epochs": 1, "batch_size": 64, "stride": 8, **options}
    )


@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_resumed_run_is_the_run(name: str, data: cmapss.Data, tmp_path: Path) -> None:
    def stop(record: dict[str, Any]) -> None:
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    straight = Trainer(config(name), data).fit()
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        Trainer(config(name), data).fit(checkpoint=path, on_epoch=stop)
    resumed = Trainer(config(name), data).fit(checkpoint=path)
    assert resumed.metrics == straight.metrics
    drop = {"seconds"}
    for a, b in zip(resumed.history, straight.history, strict=True):
        assert {k: a[k] for k in a.keys() - drop} == {k: b[k] for k in b.keys() - drop}


@pytest.mark.parametrize("name", ADAPTIVE)
def test_weights_move_in_the_trainer(name: str, data: cmapss.Data) -> None:
    options = {"warmup": 3} if name == "gaba" else {}
    history = Trainer(config(name, combiner_settings=options), data).fit().history
    first, last = history[0], history[-1]
    assert (first["rul_weight"], first["health_weight"]) != (
        last["rul_weight"],
        last["health_weight"],
    )


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("amnl", {"normalise": "batch"}, {"normalise": "ema"}),
        ("amnl", {"beta": 0.9}, {"beta": 0.5}),
        ("gaba", {"floor": 0.1}, {"floor": 0.2}),
        ("gradnorm", {"alpha": 1.0}, {"alpha": 2.0}),
        ("uncertainty", {"speed": 1.0}, {"speed": 2.0}),
        ("dwa", {"temperature": 1.0}, {"temperature": 2.0}),
    ],
)
def test_a_checkpoint_of_a_combiner_with_other_settings_is_refused(
    name: str, ours: Any, theirs: Any, data: cmapss.Data, tmp_path: Path
) -> None:
    """Also where the combiner is given as an object, of which the settings of the run know none."""
    path = tmp_path / "run.pt"
    short = config("fixed", epochs=1)
    Trainer(short, data, combiner=make_combiner(name, **ours)).fit(checkpoint=path)
    with pytest.raises(ValueError, match="the checkpoint's combiner settings is"):
        Trainer(short, data, combiner=make_combiner(name, **theirs)).fit(checkpoint=path)
    Trainer(short, data, combiner=make_combiner(name, **ours)).fit(checkpoint=path)


class Dice(FixedWeightLoss):
    """Chapter 9's: a weight that moves and is no buffer."""

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        if self.training:
            self.rul_weight = torch.rand(()).item()
            self.health_weight = 1.0 - self.rul_weight
        return super().forward(rul_loss, health_loss)


def test_a_combiner_that_moves_its_weights_resumes_its_own_checkpoint(
    data: cmapss.Data, tmp_path: Path
) -> None:
    path = tmp_path / "run.pt"
    first = Trainer(config("fixed", epochs=1), data, combiner=Dice()).fit(checkpoint=path)
    again = Trainer(config("fixed", epochs=1), data, combiner=Dice()).fit(checkpoint=path)
    assert again.metrics == first.metrics


def test_a_combiner_without_a_length_is_the_one_that_trains(data: cmapss.Data) -> None:
    class Empty(FixedWeightLoss):
        def __len__(self) -> int:
            return 0

    combiner = Empty()
    assert Trainer(config("dwa"), data, combiner=combiner).mtl_loss is combiner


def test_the_trainer_says_why_a_total_is_nan(data: cmapss.Data) -> None:
    """On a GPU a negative loss is found out at the end of the epoch."""

    class Late(DWALoss):
        def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
            self.went_negative.fill_(True)
            return rul_loss * math.nan

    with pytest.raises(ValueError, match="needs losses that are not negative, and one has been"):
        Trainer(config("dwa"), data, combiner=Late()).fit()


def test_a_rule_of_its_own_is_not_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.FACTORIES, "dice", Dice)
    assert not fits(config("dice")) and fits(config("fixed"))


def test_one_class_and_one_decorator_make_a_combiner(
    data: cmapss.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FACTORIES", dict(registry.FACTORIES))

    @register("geometric")
    class Geometric(Combiner):
        def __init__(self) -> None:
            super().__init__(0.5, 0.5)

        def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
            return (rul_loss * health_loss).sqrt()

        def get_name(self) -> str:
            return "Geometric"

    assert "geometric" in names()
    result = Trainer(config("geometric"), data).fit()
    assert math.isfinite(result.metrics["test_rmse"])
