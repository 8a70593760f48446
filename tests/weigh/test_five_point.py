"""The five-point sweep: what it takes, what it gives, here and on a cluster."""

import functools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import fake_dask
import numpy as np
import pytest
import small_problem
import torch
from small_problem import (
    FRAME,
    TRAIN,
    LongStream,
    X,
    Y,
    Z,
    build,
    losses,
    metric,
    sweep,
)
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

import amnl
from amnl.combine import FIVE
from amnl.runs import connect
from amnl.weigh import FivePoint, ProblemError


@pytest.fixture(scope="module")
def result() -> FivePoint:
    return sweep(seeds=3)


def _of_weight(weight: float, model: nn.Module, batch: Any) -> Any:
    return weight * losses(model, batch)[0], losses(model, batch)[1]


class Frozen(nn.Module):
    """The first layer does not learn, the second is shared."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Linear(4, 3))
        self.layers[0].requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


def as_dict(model: nn.Module, batch: Any) -> Any:
    return losses(model, (batch["x"], batch["y"], batch["z"]))


DICTS = [{"x": x, "y": y, "z": z} for x, y, z in zip(*TRAIN, strict=True)]

HALF = (X.bfloat16(), Y.bfloat16(), Z)

LOADER = DataLoader(TensorDataset(*TRAIN), 16)


def of_loader(model: nn.Module, val: Any) -> float:
    return float(np.mean([metric(model, batch) for batch in val]))


@pytest.mark.parametrize(
    "changes",
    [
        {"margin": 0.05 * Y.std()},
        {"margin": np.float32(0.1), "lr": np.float32(0.02), "epochs": np.int64(2)},
        {"seeds": 2.0, "epochs": torch.tensor(1), "batch_size": np.float64(20)},
        {"lams": np.linspace(0.3, 0.7, 3)},
        {"lams": torch.tensor([0.25, 0.5])},
        {"lams": range(2)},
        {"higher_is_better": np.bool_(True)},
        {"metric": lambda m, v: np.float32(metric(m, v))},
        {"metric": lambda m, v: torch.tensor([metric(m, v)])},
        {"train": TensorDataset(*TRAIN)},
        {"train": list(TRAIN)},
        {"train": list(zip(*TRAIN, strict=True))},
        {"train": Subset(TensorDataset(*TRAIN), range(30))},
        {"train": dict(enumerate(zip(*TRAIN, strict=True)))},
        {"train": DICTS, "losses": as_dict},
        {"train": np.hstack([X.numpy(), Y[:, None].numpy()]), "losses": lambda m, b: losses(
            m, (b[:, :3], b[:, 3], (b[:, 0] > 0).long()))},
        {"val": LOADER, "metric": of_loader},
        {"val": (LOADER, LOADER), "metric": lambda m, v: of_loader(m, v[1])},
        {"val": (X.numpy(), Y.numpy()), "metric": lambda m, v: np.square(
            m(torch.as_tensor(v[0]))[:, 0].numpy() - v[1]).mean()},
        {"val": {"x": X, "y": Y}, "metric": lambda m, v: metric(m, (v["x"], v["y"]))},
        {"val": {str(k): X[k] for k in range(12)},
         "metric": lambda m, v: m(torch.stack(list(v.values()))).square().mean()},
        {"val": FRAME, "metric": lambda m, v: metric(m, (X, torch.as_tensor(v["y"].to_numpy())))},
        {"val": (X, Y, torch.tensor(2.0))},
        {"val": (X, Y, torch.ones(1))},
        {"val": None, "metric": lambda m, v: metric(m, TRAIN)},
        {"build": lambda: build().bfloat16(), "train": HALF, "val": HALF},
        {"build": lambda: build().double(), "train": (X.double(), Y.double(), Z),
         "val": (X.double(), Y.double())},
        {"train": (X, Y.round().long(), Z)},
        {"build": lambda: nn.Sequential(nn.Embedding(9, 3), nn.Flatten(), nn.Linear(9, 3)),
         "train": ((X + 4).long(), Y, Z), "val": ((X + 4).long(), Y)},
        {"build": Frozen},
        {"losses": functools.partial(_of_weight, 2.0)},
        {"losses": lambda *given: losses(*given)},
        {"losses": lambda m, b, extra=1: list(losses(m, b))},
        {"build": functools.wraps(nn.Linear)(lambda *args: build())},
    ],
)  # fmt: skip
def test_odd_input_that_is_right_runs_and_saves(changes: dict[str, Any], tmp_path: Path) -> None:
    found = sweep(**{"store": tmp_path / "runs", **changes})
    found.save(tmp_path / "found")
    assert FivePoint.load(tmp_path / "found") == found
    again: list[str] = []
    sweep(**{"store": tmp_path / "runs", "tell": again.append, **changes})
    assert any(line.endswith("runs are in the store") for line in again)


def test_val_may_be_a_stream(tmp_path: Path) -> None:
    def of_stream(model: nn.Module, val: Any) -> float:
        return metric(model, next(iter(DataLoader(val, 40))))

    assert sweep(val=LongStream(), metric=of_stream, store=tmp_path).scores == sweep().scores


@pytest.mark.parametrize("where", ["build", "losses", "metric", "combiner"])
def test_the_readers_own_errors_keep_their_type_and_line(where: str) -> None:
    class Own(Exception):
        pass

    def fails(*given: Any) -> Any:
        raise Own("mine")

    with pytest.raises(Own, match="mine") as caught:
        sweep(**{where: fails})
    assert caught.traceback[-1].name == "fails"


def test_ten_lines_are_enough(result: FivePoint) -> None:
    assert result.verdict in ("flat", "keep", "better", "undecided")
    assert [len(v) for v in result.scores.values()] == [3] * 5
    assert list(result.scores) == list(FIVE)


def test_the_same_call_gives_the_same_scores_and_leaves_random_states_alone(
    result: FivePoint,
) -> None:
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    assert sweep(seeds=3).scores == result.scores
    assert torch.equal(torch.rand(1), before)


def test_a_dataset_reaches_the_metric_as_given_and_one_of_tensors_trains_as_they_do() -> None:
    class Rows(Dataset[Any]):
        def __len__(self) -> int:
            return 40

        def __getitem__(self, k: int) -> tuple[Tensor, Tensor, Tensor]:
            return X[k], Y[k], Z[k]

    seen = []

    def of_dataset(model: nn.Module, val: Any) -> float:
        seen.append(val)
        return metric(model, next(iter(DataLoader(val, 40))))

    rows = Rows()
    found = sweep(train=rows, val=rows, metric=of_dataset)
    assert all(val is rows for val in seen), "val is handed on as it was given"
    assert [len(v) for v in found.scores.values()] == [2] * 5
    assert sweep(train=TensorDataset(*TRAIN)).scores == sweep().scores


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with connect(None, 2) as client:
        yield client


@pytest.fixture
def by_value() -> Iterator[None]:
    """Functions of the tests, which workers cannot import, travel whole."""
    import cloudpickle

    modules = small_problem, sys.modules[__name__]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    yield
    for module in modules:
        cloudpickle.unregister_pickle_by_value(module)


@pytest.mark.usefixtures("by_value")
def test_dask_gives_what_one_process_gives(
    client: Any, tmp_path: Path, result: FivePoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so does the dtype."""
    found = sweep(seeds=3, client=client, store=tmp_path)
    assert found.scores == result.scores
    assert found.decision == result.decision
    assert len(list(tmp_path.glob("cells/*.json"))) == 15
    with pytest.raises(ProblemError, match=r"not finite.*lr"):
        sweep(client=client, lr=1e30)
    monkeypatch.setattr(small_problem, "TRAIN", (X.double(), Y.double(), Z))
    torch.set_default_dtype(torch.float64)
    try:
        assert sweep(client=client).scores == sweep().scores
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("by_value")
def test_a_worker_that_dies_takes_no_sweep_with_it(tmp_path: Path) -> None:
    """The problem lay in its memory, and nowhere else."""
    ours, fuse = os.getpid(), tmp_path / "fuse"
    fuse.touch()

    def deadly(model: nn.Module, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        if os.getpid() != ours and fuse.exists():
            fuse.unlink()
            os._exit(1)
        return losses(model, batch)

    with connect(None, 1) as alone:
        found = sweep(losses=deadly, client=alone)
    assert not fuse.exists()
    assert found.scores == sweep().scores


def test_data_that_are_lost_again_and_again_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributed.wait", fake_dask.wait)
    assert sweep(client=fake_dask.Client(3)).scores == sweep().scores
    with pytest.raises(RuntimeError, match=r"held the data died 4 times.*in the store"):
        sweep(client=fake_dask.Client(99))


def test_a_run_that_takes_its_worker_down_ends_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributed.wait", fake_dask.wait)
    client = fake_dask.Client(deadly=lambda cells: cells == [(0.5, 1)])
    with pytest.raises(RuntimeError, match=r"worker down.*memory.*store"):
        sweep(client=client)


def test_an_error_of_tell_ends_the_tasks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a notebook the traceback keeps whatever was running alive."""

    def tell(line: str) -> None:
        if line.startswith("λ"):
            raise BrokenPipeError

    monkeypatch.setattr("distributed.wait", fake_dask.wait)
    client = fake_dask.Client()
    with pytest.raises(BrokenPipeError) as raised:
        sweep(client=client, tell=tell)
    assert client.cancelled == 1, raised.traceback


def test_the_name_is_imported_when_it_is_asked_for() -> None:
    assert "five_point_sweep" in dir(amnl)
    code = "import sys, amnl; assert 'torch' not in sys.modules; amnl.five_point_sweep"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
