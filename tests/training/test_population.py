"""Cells trained side by side against the same cells trained alone."""

import copy
import dataclasses
import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import scipy.stats
import torch

from amnl import cmapss
from amnl.combiners import FixedWeightLoss, registry
from amnl.training import RunResult, TrainConfig, Trainer, TrainingError, model
from amnl.training.population import Population, fits
from amnl.training.stacked_network import Noise, StackedModel

STILL = dataclasses.replace(
    model.PRESETS["compact"],
    conv_dropout=0.0,
    lstm_dropout=0.0,
    attention_dropout=0.0,
    funnel_dropout=0.0,
)
PAPER_LIKE = dataclasses.replace(STILL, conv=(8, 12, 8), hidden=8, layers=2, heads=4, funnel=(8, 8))


@pytest.fixture(scope="module", autouse=True)
def presets() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(model.PRESETS, "still", STILL)
        patch.setitem(model.PRESETS, "paper-like", PAPER_LIKE)
        yield


@pytest.fixture(scope="module")
def data(own_cache: None, ten_engines: Path) -> dict[int, cmapss.Data]:
    return {seed: cmapss.load("FD001", seed, ten_engines, stride=4) for seed in range(3)}


def cell(seed: int, lam: float, **options: Any) -> TrainConfig:
    settings = {"rul_weight": lam, "health_weight": 1 - lam}
    fixed = {"preset": "still", "epochs": 5, "warmup_epochs": 2, "stride": 4, "dtype": "float64"}
    options = {**fixed, "batch_size": 24, **options}
    return TrainConfig(seed=seed, combiner_settings=settings, **options)


def alone(config: TrainConfig, data: dict[int, cmapss.Data]) -> tuple[RunResult, Trainer]:
    trainer = Trainer(config, data[config.seed])
    return trainer.fit(), trainer


def assert_same(stacked: RunResult, single: RunResult, rel: float) -> None:
    for ours, theirs in zip(stacked.history, single.history, strict=True):
        for key in theirs.keys() - {"seconds"}:
            assert ours[key] == pytest.approx(theirs[key], rel=rel), key
    for key, value in single.metrics.items():
        assert stacked.metrics[key] == pytest.approx(value, rel=rel), key
    for key in ("pred", "health_pred", "rul", "true", "health"):
        assert stacked.predictions[key] == pytest.approx(single.predictions[key], rel=rel)


@pytest.mark.parametrize("preset", ["still", "paper-like"])
def test_three_cells_together_are_the_three_cells_alone(
    preset: str, data: dict[int, cmapss.Data]
) -> None:
    """Seeds with other engines and other numbers of batches, a unit, and no sample weights."""
    cells = [
        cell(0, 0.5, preset=preset),
        cell(1, 0.9, preset=preset, rul_unit=125.0),
        cell(2, 0.2, preset=preset, sample_weighted=False),
    ]
    assert len({len(data[s].train) for s in range(3)}) == 3
    assert len({math.ceil(len(data[s].train) / 24) for s in range(3)}) > 1
    population = Population(cells, data)
    for c, result in enumerate(population.fit()):
        assert isinstance(result, RunResult)
        single, trainer = alone(cells[c], data)
        assert_same(result, single, 1e-9)
        for name, value in trainer.model.named_parameters():
            torch.testing.assert_close(
                population.model.parts[name][c], value, rtol=1e-9, atol=1e-12
            )
        averaged = torch.cat([p.flatten() for p in trainer.average.module.parameters()])
        torch.testing.assert_close(population.optimiser.average[c], averaged, rtol=1e-9, atol=1e-12)
        for name, buffer in trainer.model.named_buffers():
            if name in population.model.statistics:
                ours = population.model.statistics[name][c]
                torch.testing.assert_close(ours, buffer, rtol=1e-9, atol=1e-12)
        floats = [b.flatten() for b in trainer.average.module.buffers() if b.is_floating_point()]
        torch.testing.assert_close(
            population.optimiser.average_buffers[c], torch.cat(floats), rtol=1e-9, atol=1e-12
        )


def test_every_branch_of_the_recipe_is_the_same(data: dict[int, cmapss.Data]) -> None:
    """A plateau at once, a short weight average, a fast pace, and a last batch of one window."""
    sizes = [len(data[seed].train) for seed in range(3)]
    lone = next(b for b in range(20, 200) if any(n % b == 1 for n in sizes))
    hard = {"plateau_patience": 0, "ema": 0.5, "lr": 1e-2, "batch_size": lone, "epochs": 6}
    cells = [cell(seed, lam, **hard) for seed, lam in ((0, 0.5), (1, 0.3), (2, 1.0))]
    results = Population(cells, data).fit()
    reduced = False
    for config, result in zip(cells, results, strict=True):
        assert isinstance(result, RunResult)
        assert_same(result, alone(config, data)[0], 1e-8)
        reduced |= result.history[-1]["lr"] < max(r["lr"] for r in result.history)
    assert reduced, "the plateau was never met, so this test shows nothing"


# Each setting with another value, as `SMALL` has it; a window and the labels come with other data.
SMALL = cell(0, 0.5, epochs=2, batch_size=64, plateau_patience=1, preset="paper-like")
OTHERS: dict[str, Any] = {
    "preset": "still",
    "seed": 1,
    "combiner": "dwa",
    "combiner_settings": {"rul_weight": 0.9, "health_weight": 0.1},
    "rul_unit": 125.0,
    "sample_weighted": False,
    "epochs": 1,
    "batch_size": 128,
    "lr": 0.01,
    "weight_decay": 0.3,
    "warmup_epochs": 1,
    "warmup_start": 0.9,
    "clip": 0.01,
    "ema": 0.1,
    "stride": 5,
    "dtype": "float32",
    "nudge": 1e-3,
    "auxiliary": "fault",
    "optimiser": "sgd",
    "engines": 3,
    "window": 20,
    "cap": 100.0,
    "degrading": 60.0,
    "critical": 20.0,
}
REFUSED = {"combiner", "nudge", "auxiliary", "optimiser", "engines"}
# What the learning rate falls by: these need a plateau, and six epochs to meet it.
OF_THE_PLATEAU = {"plateau_factor": 0.1, "plateau_patience": 3, "min_lr": 0.03}
PLATEAU = dataclasses.replace(SMALL, epochs=6, lr=0.05, plateau_patience=0, warmup_epochs=1)


Losses = list[tuple[float, float]]


@pytest.fixture(scope="module")
def usual(data: dict[int, cmapss.Data]) -> Callable[[TrainConfig], Losses]:
    return cache(lambda base: losses(Trainer(base, data[0]).fit()))


def losses(result: RunResult) -> Losses:
    return [(record["loss"], record["val_rmse"]) for record in result.history]


@pytest.mark.parametrize("name", sorted(f.name for f in dataclasses.fields(TrainConfig)))
def test_every_setting_is_trained_as_alone_or_refused(
    name: str, ten_engines: Path, small_fleet: Path, usual: Callable[[TrainConfig], Losses]
) -> None:
    """A setting that a population did not look at would be trained with its default."""
    base = PLATEAU if name in OF_THE_PLATEAU else SMALL
    other = {"subset": "FD003"} if name in ("subset", "auxiliary") else {}
    settings = {} if name == "combiner" else SMALL.combiner_settings
    other |= {"combiner_settings": settings}
    other |= {} if name == "subset" else {name: (OTHERS | OF_THE_PLATEAU)[name]}
    config = dataclasses.replace(base, **other)
    folder = small_fleet if config.subset == "FD003" else ten_engines
    data = cmapss.load(
        config.subset, config.seed, folder, stride=config.stride, framing=config.framing
    )
    assert fits(config) == (name not in REFUSED)
    if name in REFUSED:
        with pytest.raises(ValueError, match="one by one"):
            Population([config], {config.seed: data})
        return
    population = Population([config], {config.seed: data})
    (stacked,) = population.fit()
    assert isinstance(stacked, RunResult)
    single = Trainer(config, data).fit()
    assert_same(stacked, single, rel=1e-3 if name == "dtype" else 1e-6)
    assert population.model.parameters.dtype == getattr(torch, config.dtype)
    assert losses(single) != usual(base)


def test_a_cell_whose_loss_explodes_is_dropped_and_the_others_do_not_notice(
    data: dict[int, cmapss.Data],
) -> None:
    good = [cell(0, 0.5, epochs=3), cell(2, 0.7, epochs=3)]
    bad = cell(1, 0.5, epochs=3, rul_unit=1e-160)
    one, error, other = Population([good[0], bad, good[1]], data).fit()
    assert isinstance(error, TrainingError)
    with pytest.raises(TrainingError) as alone_error:
        Trainer(bad, data[1]).fit()
    ten_digits = [re.sub(r"(\d\.\d{8})\d+", r"\1", str(e)) for e in (error, alone_error.value)]
    assert ten_digits[0] == ten_digits[1]
    assert "epoch 1, step 1" in str(error)
    for config, result in ((good[0], one), (good[1], other)):
        assert isinstance(result, RunResult)
        assert_same(result, alone(config, data)[0], 1e-9)


def test_when_every_cell_fails_the_population_stops(data: dict[int, cmapss.Data]) -> None:
    epochs: list[int] = []
    bad = [cell(seed, 0.5, rul_unit=1e-160) for seed in range(2)]
    results = Population(bad, data).fit(on_epoch=epochs.append)
    assert all(isinstance(r, TrainingError) for r in results) and epochs == [1]


def test_one_cell_is_a_population_too(data: dict[int, cmapss.Data]) -> None:
    config = cell(1, 1.0, epochs=2)
    (result,) = Population([config], data).fit()
    assert isinstance(result, RunResult)
    assert_same(result, alone(config, data)[0], 1e-9)
    assert result.provenance["together"] == 1


def test_cells_of_one_seed_start_equal_and_part_by_their_weight(
    data: dict[int, cmapss.Data],
) -> None:
    cells = [cell(0, lam, epochs=2) for lam in (0.1, 0.5, 0.5)]
    population = Population(cells, data)
    start = population.model.parameters.clone()
    assert torch.equal(start[0], start[1])
    population.fit()
    moved = population.model.parameters
    assert torch.allclose(moved[1], moved[2], rtol=1e-9, atol=1e-12)
    assert not torch.allclose(moved[0], moved[1], rtol=1e-3)


def test_dropout_draws_are_those_of_the_single_model(data: dict[int, cmapss.Data]) -> None:
    """One network, one batch, many draws: both ways give RUL estimates of one distribution."""
    draws, cpu = 400, torch.device("cpu")
    trainer = Trainer(cell(0, 0.5, preset="compact", dtype="float32"), data[0])
    trainer.model.train()
    model = StackedModel([trainer.model] * draws, Noise(range(draws), cpu), cpu)
    inputs = trainer.train.inputs(torch.arange(24))
    everyone = torch.ones(draws, 24), torch.ones(draws)
    with torch.no_grad():
        stacked, _ = model(inputs.expand(draws, *inputs.shape), *everyone)
        single = torch.stack([trainer.model(inputs)[0] for _ in range(draws)])
    ours, theirs = stacked.numpy(), single.numpy()
    p_values = [scipy.stats.ks_2samp(ours[:, k], theirs[:, k]).pvalue for k in range(24)]
    assert min(p_values) > 1e-4, p_values
    assert ours.std(axis=0).min() > 0
    # and seeds draw apart from each other
    assert len({row.tobytes() for row in ours}) == draws


def test_dropout_is_drawn_by_seed_whatever_the_company(data: dict[int, cmapss.Data]) -> None:
    """Cells of one seed share their masks, so a stacked row can be repeated alone."""
    noisy = {"preset": "compact", "epochs": 3}
    cells = [cell(0, 0.5, **noisy), cell(1, 0.9, **noisy), cell(0, 0.5, **noisy)]
    first, _, twin = Population(cells, data).fit()
    (alone_again,) = Population(cells[:1], data).fit()
    for result in (twin, alone_again):
        assert isinstance(first, RunResult) and isinstance(result, RunResult)
        assert_same(result, first, 1e-9)
    losses = [record["loss"] for record in first.history]
    (other,) = Population([cell(0, 0.5, preset="still", epochs=3)], data).fit()
    assert losses[0] != pytest.approx(other.history[0]["loss"], rel=1e-6)


def test_an_infinite_score_is_a_failure_of_its_cell(
    data: dict[int, cmapss.Data], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amnl.training.scoring.nasa_score", lambda pred, rul: math.inf)
    config = cell(0, 0.5, epochs=1)
    (stacked,) = Population([config], data).fit()
    assert isinstance(stacked, TrainingError) and "nasa_score is inf" in str(stacked)
    with pytest.raises(TrainingError, match="nasa_score is inf: the predictions of epoch 1 reach"):
        Trainer(config, data[0]).fit()


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"lr": 2e-3}, "share their lr, got 0.001 and 0.002"),
        ({"preset": "compact"}, "share their preset"),
        ({"combiner": "amnl", "combiner_settings": {}}, "stand still, not 'amnl'"),
        ({"seed": 7}, "no data for seed 7"),
    ],
)
def test_cells_that_do_not_go_together_are_refused(
    others: dict[str, Any], words: str, data: dict[int, cmapss.Data]
) -> None:
    with pytest.raises(ValueError, match=words):
        Population([cell(0, 0.5), dataclasses.replace(cell(1, 0.5), **others)], data)


def test_data_of_another_stride_are_refused(data: dict[int, cmapss.Data]) -> None:
    with pytest.raises(ValueError, match="stride 8, the data were loaded with 4"):
        Population([cell(0, 0.5, stride=8)], data)
    with pytest.raises(ValueError, match="at least one cell"):
        Population([], data)


@pytest.mark.parametrize(
    ("name", "words"), [("fp8", "'fp8'; there are float32, tf32, bf16-lstm"), ("tf32", "a CPU has")]
)
def test_a_precision_that_is_not_there_is_refused(
    name: str, words: str, data: dict[int, cmapss.Data]
) -> None:
    with pytest.raises(ValueError, match=words):
        Population([cell(0, 0.5)], data, precision=name)


def test_low_precision_moves_the_numbers_a_little_and_the_row_says_so(
    data: dict[int, cmapss.Data],
) -> None:
    config = cell(0, 0.5, epochs=1, dtype="float32")
    exact, rough = (Population([config], data, precision=p).fit()[0] for p in (None, "bf16-lstm"))
    assert isinstance(exact, RunResult) and isinstance(rough, RunResult)
    assert exact.provenance["precision"] == "float32"
    assert rough.provenance["precision"] == "bf16-lstm"
    ours, theirs = rough.history[0]["loss"], exact.history[0]["loss"]
    assert ours != theirs and ours == pytest.approx(theirs, rel=1e-2)


def comparable(result: Any) -> Any:
    assert isinstance(result, RunResult)
    history = [{k: v for k, v in record.items() if k != "seconds"} for record in result.history]
    return copy.deepcopy((history, result.metrics, result.predictions))


def test_a_second_fit_gives_the_same_and_trains_no_more(data: dict[int, cmapss.Data]) -> None:
    population = Population([cell(0, 0.5, epochs=2), cell(1, 0.5, epochs=2)], data)
    first = population.fit()
    kept = [comparable(result) for result in first]
    first[0].history.append({})  # type: ignore[union-attr]
    first[0].predictions["pred"][0] = -1.0  # type: ignore[union-attr]
    assert [comparable(result) for result in population.fit()] == kept
    assert [record["epoch"] for record in kept[0][0]] == [1, 2]


@pytest.mark.parametrize("within", [False, True])
def test_a_population_that_was_stopped_goes_on_between_epochs_alone(
    data: dict[int, cmapss.Data], within: bool
) -> None:
    config = cell(0, 0.5, epochs=3)
    (whole,) = Population([config], data).fit()
    population = Population([config], data)
    predict = population.predict

    def interrupted() -> Any:
        if population.open_epoch == 2 and within:
            raise KeyboardInterrupt
        return predict()

    def on_epoch(epoch: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    population.predict = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        population.fit(on_epoch)
    if within:
        with pytest.raises(TrainingError, match="stopped within epoch 2"):
            population.fit()
    else:
        (result,) = population.fit()
        assert comparable(result) == comparable(whole)


def test_a_batch_is_no_larger_than_the_fleet(data: dict[int, cmapss.Data]) -> None:
    """Padding up to a batch size of 100,000 took a minute, or a GPU's memory."""
    config = cell(0, 0.5, epochs=2, batch_size=100_000)
    population = Population([config, cell(1, 0.5, epochs=2, batch_size=100_000)], data)
    index, seen = population.train.epoch(population.orders, 100_000)
    assert index.shape == seen.shape == (1, 2, max(len(data[s].train) for s in (0, 1)))
    (result,) = Population([config], data).fit()
    assert isinstance(result, RunResult)
    assert_same(result, alone(config, data)[0], 1e-9)


def test_batches_of_one_are_those_of_the_trainer(data: dict[int, cmapss.Data]) -> None:
    config = cell(0, 0.5, epochs=1, batch_size=1, stride=12)
    thin = {0: dataclasses.replace(data[0], stride=12)}
    (result,) = Population([config], thin).fit()
    assert isinstance(result, RunResult)
    assert_same(result, Trainer(config, thin[0]).fit(), 1e-8)


def test_weights_go_by_their_names(
    data: dict[int, cmapss.Data], monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = lambda self: {"health_weight": self.health_weight, "rul_weight": self.rul_weight}  # noqa: E731
    monkeypatch.setattr("amnl.combiners.FixedWeightLoss.get_weights", turned)
    population = Population([cell(0, 0.75)], data)
    assert population.weights.tolist() == [[0.75, 0.25]]


def test_a_rule_of_ones_own_is_not_taken_for_a_fixed_weight(
    data: dict[int, cmapss.Data], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Logs(FixedWeightLoss):
        def forward(self, rul_loss: torch.Tensor, health_loss: torch.Tensor, **extras: Any) -> Any:
            return super().forward(rul_loss.log(), health_loss.log())

    monkeypatch.setitem(registry.FACTORIES, "logs", Logs)
    with pytest.raises(ValueError, match="weights that stand still, not 'logs'"):
        Population([dataclasses.replace(cell(0, 0.5), combiner="logs")], data)
