"""The same network on a reader's own table: alone, side by side, and from a checkpoint."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cmapss.own_tables import fleet_of, lives
from small_runs import ONE, comparable, stop_after

from amnl import cmapss
from amnl.training import RunResult, TrainConfig, Trainer, checkpoint, population, train
from amnl.training.model import make_model

FLEET = fleet_of(lives(60, 45, 50, 38, 70, 41, 66, 52, 47, 58))
OWN = TrainConfig(
    subset="own", epochs=3, warmup_epochs=1, batch_size=32, stride=2, dtype="float64",
    window=12, cap=40.0, degrading=25.0, critical=10.0, rul_unit=40.0,
)  # fmt: skip


def data_of(config: TrainConfig) -> cmapss.Data:
    return cmapss.load(
        config.subset, config.seed, FLEET, stride=config.stride, framing=config.framing
    )


@pytest.fixture(scope="module")
def result() -> RunResult:
    return train(OWN, FLEET, device=torch.device("cpu"))


def test_it_trains_and_is_scored_by_unit(result: RunResult) -> None:
    data = data_of(OWN)
    found = result.predictions
    assert found["unit"] == list(data.units) and len(found["unit"]) == 2
    assert found["true"] == data.test.true.tolist() and max(found["rul"]) <= 40
    assert result.provenance["data"] == str(FLEET)
    assert 0 < result.metrics["test_rmse"] < 40
    assert not [name for name in result.metrics if name.startswith("nasa")]
    assert len(result.history) == 3


def test_it_learns() -> None:
    config = dataclasses.replace(OWN, epochs=25, lr=1e-2, warmup_epochs=5)
    data, found = data_of(config), train(config, FLEET, device=torch.device("cpu"))
    assert found.metrics["val_rmse"] < 0.7 * float(data.val.rul.std()), "no constant does better"


def test_a_result_comes_back_from_its_file(result: RunResult, tmp_path: Path) -> None:
    result.save(tmp_path / "run.json")
    assert RunResult.load(tmp_path / "run.json") == result


@pytest.mark.parametrize(("inputs", "window"), [(1, 5), (2, 1), (40, 60)])
def test_any_number_of_features_and_rows(inputs: int, window: int) -> None:
    model = make_model("compact", inputs, cap=10.0)
    rul, logits = model(torch.randn(4, window, inputs))
    assert rul.shape == (4,) and logits.shape == (4, 3)
    assert float(model.rul_head[-2].bias.detach()) == 5.0


def test_nasas_network_is_as_it_was() -> None:
    torch.manual_seed(0)
    one = make_model("compact")
    torch.manual_seed(0)
    other = make_model("compact", 17, 125.0)
    for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    "change", [{"window": 11}, {"cap": 41.0}, {"degrading": 24.0}, {"critical": 9.0}], ids=str
)
def test_each_setting_has_an_effect_and_is_held_against_the_data(
    change: dict[str, Any], result: RunResult
) -> None:
    moved = dataclasses.replace(OWN, **change)
    assert train(moved, FLEET, device=torch.device("cpu")).history != result.history
    with pytest.raises(ValueError, match=r"settings say framing.*load them with framing"):
        Trainer(moved, data_of(OWN))


@pytest.mark.parametrize(
    "change", [{"cap": 80.0}, {"critical": 90.0}, {"degrading": 30.0}], ids=str
)
def test_bounds_out_of_order_are_refused_among_the_settings(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="rise in this order"):
        TrainConfig(**change)  # type: ignore[arg-type]


def test_the_cap_bounds_the_sample_weights() -> None:
    """A window at the cap weighs 1 and one at failure 2, in any unit."""
    trainer = Trainer(dataclasses.replace(OWN, rul_unit=10.0), data_of(OWN))
    trainer.model.eval()
    at_cap = int(np.flatnonzero(trainer.data.train.rul == 40)[0])
    at_end = int(np.flatnonzero(trainer.data.train.rul == 0)[0])
    for window, weight in ((at_cap, 1), (at_end, 2)):
        index = torch.tensor([window])
        pred, _ = trainer.model(trainer.train.inputs(index))
        plain = ((pred - trainer.train.rul[index]) / 10) ** 2
        found = trainer.task_losses(index)[0]
        assert found.item() == pytest.approx(weight * plain.item())


def test_it_resumes(result: RunResult, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    stop_after(2, Trainer(OWN, data_of(OWN), device=torch.device("cpu")), path)
    again = Trainer(OWN, data_of(OWN), device=torch.device("cpu")).fit(checkpoint=path)
    assert comparable(again) == comparable(result)
    other = dataclasses.replace(OWN, window=13)
    with pytest.raises(ValueError, match="the checkpoint's window is 12, this run's is 13"):
        Trainer(other, data_of(other)).fit(checkpoint=path)


def test_a_checkpoint_from_before_these_settings_goes_on(
    ten_engines: Path, own_cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cmapss.load("FD001", 0, ten_engines, stride=8)
    path, two = tmp_path / "run.pt", dataclasses.replace(ONE, epochs=2)
    today = checkpoint.identity

    def before(*arguments: Any) -> dict[str, Any]:
        found = today(*arguments)
        for name in ("window", "cap", "degrading", "critical"):
            del found["config"][name]
        return found

    monkeypatch.setattr(checkpoint, "identity", before)
    stop_after(1, Trainer(two, data), path)
    monkeypatch.undo()
    resumed = Trainer(two, data).fit(checkpoint=path)
    assert comparable(resumed) == comparable(Trainer(two, data).fit())


def test_side_by_side_is_as_alone(result: RunResult) -> None:
    """Up to rounding, where dropout is off: here in the losses' order of size alone."""
    cells = [dataclasses.replace(OWN, seed=seed) for seed in (0, 1)]
    assert all(population.fits(cell) for cell in cells)
    both = population.Population(
        cells, {c.seed: data_of(c) for c in cells}, device=torch.device("cpu")
    )
    first, second = both.fit()
    assert isinstance(first, RunResult) and isinstance(second, RunResult)
    assert first.predictions["unit"] == result.predictions["unit"]
    assert first.predictions["rul"] == result.predictions["rul"]
    assert first.provenance["parameters"] == result.provenance["parameters"]
    assert first.history[0]["rul_loss"] == pytest.approx(result.history[0]["rul_loss"], rel=0.2)
    assert second.predictions["unit"] == list(data_of(cells[1]).units)


def test_a_life_of_thousands_is_scored() -> None:
    """NASA's score of such an error is no number; RMSE is, and a run ends with it."""
    table = lives(60, 45, 50, 38, 70, 41)
    table["cycle"] = table["cycle"] * 1000
    fleet = fleet_of(table, life="cycles")
    config = dataclasses.replace(OWN, epochs=1, cap=40e3, degrading=25e3, critical=10e3)
    found = train(dataclasses.replace(config, rul_unit=40e3), fleet)
    assert found.predictions["true"][0] >= 1000 and np.isfinite(found.metrics["test_rmse"])
