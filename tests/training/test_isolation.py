"""A run is a function of its settings and its data, and leaves nothing behind in its process."""

import dataclasses
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from amnl import cmapss, combine, sweep
from amnl.cmapss import emulator
from amnl.study import bench, shared_regression
from amnl.training import RunResult, TrainConfig, Trainer, model, train
from amnl.training.population import Population

CPU = torch.device("cpu")
SMALL = TrainConfig(epochs=2, warmup_epochs=1, batch_size=64, stride=8)


@pytest.fixture(scope="module")
def folder(ten_engines: Path, own_cache: None) -> Path:
    return ten_engines


@pytest.fixture(scope="module")
def data(folder: Path) -> cmapss.Data:
    return cmapss.load("FD001", 0, folder, stride=8)


@pytest.fixture
def odd_state() -> Iterator[None]:
    """A process that is not as it starts, put back afterwards."""
    before = torch.get_rng_state(), torch.get_default_dtype(), torch.get_float32_matmul_precision()
    torch.manual_seed(123)
    np.random.seed(123)  # noqa: NPY002
    random.seed(123)
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_rng_state(before[0])
    torch.set_default_dtype(before[1])
    torch.set_float32_matmul_precision(before[2])


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Not one: that is what the trainings of a sweep set."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def state() -> dict[str, Any]:
    """All of the process that a call could leave changed."""
    name, keys, position, *gauss = np.random.get_state()  # noqa: NPY002
    return {
        "PyTorch's draws": torch.get_rng_state().tolist(),
        "NumPy's draws": (name, keys.tolist(), position, gauss),
        "Python's draws": random.getstate(),
        "default dtype": torch.get_default_dtype(),
        "precision": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "NumPy's errors": np.geterr(),
        "NumPy's print": str(np.get_printoptions()),
        # PyTorch's compiler sets one of its own when it is first imported
        "environment": {k: v for k, v in os.environ.items() if not k.startswith("TORCHINDUCTOR")},
        "folder": Path.cwd(),
    }


def bench_run(folder: Path, data: cmapss.Data) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(model.PRESETS, "paper", model.PRESETS["compact"])
        patch.setattr(bench, "find_spec", lambda name: None)
        patch.setattr(bench, "compare", lambda a, b, *_: (next(a), next(b), 1.0))
        bench.run(cmapss.find(folder), 1, lambda line: None)


def population_step(folder: Path, data: cmapss.Data) -> None:
    population = Population([SMALL], {0: data}, device=CPU)
    index = torch.arange(8)[None]
    population.step(index, torch.ones(1, 8, dtype=torch.float32), population.alive)
    population.predict()


def trainer_step(folder: Path, data: cmapss.Data) -> None:
    trainer = Trainer(SMALL, data, device=CPU)
    trainer.step(torch.arange(8))
    trainer.task_losses(torch.arange(8))
    trainer.predict(trainer.val)


def estimate(folder: Path, data: cmapss.Data) -> None:
    store = sweep.Store(folder.parent / "estimated")
    one, other = SMALL, dataclasses.replace(SMALL, seed=1)
    sweep.estimate([one, other], store, data_dir=folder, device="cpu", together=1)
    sweep.estimate([one, other], store, data_dir=folder, device="cpu", together=2)


def failing(folder: Path, data: cmapss.Data) -> None:
    def stop(record: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(SMALL, data, device=CPU).fit(on_epoch=stop)
    trainer = Trainer(SMALL, data, device=CPU)
    trainer.mtl_loss.forward = stop  # type: ignore[method-assign]
    with pytest.raises(TypeError):
        trainer.fit()


def numpy_part(folder: Path, data: cmapss.Data) -> None:
    combine.simulate_sweep(combine.LOSS_RUL, combine.LOSS_HS, combine.LAMBDAS)
    shared_regression.simulate(shared_regression.TwoTasks(), np.array([0.5]), 2, 0)


ENTRIES: dict[str, Callable[[Path, cmapss.Data], object]] = {
    "Trainer": lambda folder, data: Trainer(SMALL, data, device=CPU),
    "Trainer.fit": lambda folder, data: Trainer(SMALL, data, device=CPU).fit(),
    "Trainer.step": trainer_step,
    "a fit that fails": failing,
    "Population": lambda folder, data: Population([SMALL], {0: data}, device=CPU),
    "Population.fit": lambda folder, data: Population([SMALL], {0: data}, device=CPU).fit(),
    "Population.step": population_step,
    "train": lambda folder, data: train(SMALL, folder, device=CPU),
    "estimate": estimate,
    "bench": bench_run,
    "load": lambda folder, data: cmapss.load("FD001", 1, folder),
    "write_fleet": lambda folder, data: emulator.write_fleet(folder.parent / "b", engines=4),
    "the NumPy part": numpy_part,
}


@pytest.mark.usefixtures("odd_state", "two_threads")
@pytest.mark.parametrize("entry", ENTRIES)
def test_the_process_is_as_it_was(entry: str, folder: Path, data: cmapss.Data) -> None:
    before = state()
    ENTRIES[entry](folder, data)
    after = state()
    assert [name for name in before if before[name] != after[name]] == []


@pytest.mark.usefixtures("odd_state")
def test_a_trace_is_seen() -> None:
    before = state()
    torch.rand(1)
    np.random.rand()  # noqa: NPY002
    torch.set_default_dtype(torch.float32)
    after = state()
    changed = [name for name in before if before[name] != after[name]]
    assert changed == ["PyTorch's draws", "NumPy's draws", "default dtype"]


# --------------------------------------------------------------------- the numbers of a run


def told(result: object) -> dict[str, Any]:
    """A result without what depends on the clock."""
    assert isinstance(result, RunResult)
    stored = result.to_dict()
    del stored["provenance"]
    for record in stored["history"]:
        del record["seconds"]
    return stored


def by_trainer(data: cmapss.Data, disturb: Callable[[], object]) -> object:
    trainer = Trainer(SMALL, data, device=CPU)
    disturb()
    return trainer.fit(on_epoch=lambda record: disturb())


def by_population(data: cmapss.Data, disturb: Callable[[], object]) -> object:
    population = Population([SMALL], {0: data}, device=CPU)
    disturb()
    return population.fit(on_epoch=lambda epoch: disturb())[0]


DISTURBANCES: dict[str, Callable[[cmapss.Data], object]] = {
    "a draw": lambda data: torch.rand(1),
    "another seed": lambda data: torch.manual_seed(7),
    "another dtype": lambda data: torch.set_default_dtype(torch.float64),
    "another precision": lambda data: torch.set_float32_matmul_precision("medium"),
    "another trainer": lambda data: Trainer(SMALL, data, device=CPU).fit(),
    "another population": lambda data: Population([SMALL], {0: data}, device=CPU),
}


@pytest.mark.usefixtures("odd_state")
@pytest.mark.parametrize("way", [by_trainer, by_population])
@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_the_rest_of_the_process_has_no_say(
    way: Callable[..., object], disturbance: str, data: cmapss.Data
) -> None:
    torch.set_default_dtype(torch.float32)
    torch.set_float32_matmul_precision("highest")
    quiet = told(way(data, lambda: None))
    assert told(way(data, lambda: DISTURBANCES[disturbance](data))) == quiet
    DISTURBANCES[disturbance](data)
    assert told(way(data, lambda: None)) == quiet


def test_a_random_search_goes_on(data: cmapss.Data) -> None:
    drawn = []
    for _ in range(4):
        drawn.append(float(torch.rand(())))
        settings = {"rul_weight": drawn[-1], "health_weight": 1 - drawn[-1]}
        config = dataclasses.replace(SMALL, epochs=1, combiner_settings=settings)
        Trainer(config, data, device=CPU).fit()
    assert len(set(drawn)) == 4


def test_dropout_draws_are_common_to_every_weight(
    data: cmapss.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, drawn = model.Dropout.forward, []

    def recorded(self: model.Dropout, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            drawn.append(hash(torch.get_rng_state().numpy().tobytes()))
        return forward(self, x)

    monkeypatch.setattr(model.Dropout, "forward", recorded)
    trainers = []
    for lam in (0.1, 0.9):
        settings = {"rul_weight": lam, "health_weight": 1 - lam}
        config = dataclasses.replace(SMALL, combiner_settings=settings)
        trainers.append(Trainer(config, data, device=CPU))
    each = []
    for trainer in trainers:  # made side by side, as a reader does who compares them
        drawn.clear()
        trainer.fit()
        each.append(list(drawn))
    assert each[0] == each[1] and len(set(each[0])) > 8
