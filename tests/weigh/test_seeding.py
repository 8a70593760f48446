"""A sweep of a reader's problem leaves every global of its process as it was."""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from small_problem import TRAIN, build, losses, metric, problem, sweep
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from amnl.weigh import ProblemError
from amnl.weigh.grid import _pickled
from amnl.weigh.run import run

# How each is read, and how a reader's function may set it.
STATE: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "default dtype": (
        torch.get_default_dtype,
        lambda: torch.set_default_dtype(torch.float64),
    ),
    "default device": (torch.get_default_device, lambda: torch.set_default_device("meta")),
    "threads": (torch.get_num_threads, lambda: torch.set_num_threads(3)),
    "precision": (
        torch.get_float32_matmul_precision,
        lambda: torch.set_float32_matmul_precision("high"),
    ),
    "deterministic": (
        torch.get_deterministic_debug_mode,
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    ),
    "anomalies": (torch.is_anomaly_enabled, lambda: torch.autograd.set_detect_anomaly(True)),
    "gradients": (torch.is_grad_enabled, lambda: torch.set_grad_enabled(False)),
    "torch's draws": (lambda: torch.get_rng_state().tolist(), lambda: torch.manual_seed(9)),
    "NumPy's draws": (
        lambda: str(np.random.get_state()),  # noqa: NPY002
        lambda: np.random.seed(9),  # noqa: NPY002
    ),
    "Python's draws": (random.getstate, lambda: random.seed(9)),
    "NumPy's errors": (np.geterr, lambda: np.seterr(all="ignore")),
    "figures": (lambda: (plt.get_fignums(), dict(plt.rcParams)), lambda: None),
}


def state() -> dict[str, Any]:
    return {name: read() for name, (read, _) in STATE.items()}


def puts_back() -> Callable[[], None]:
    """For a test that fails, so that no other does."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    precision, errors = torch.get_float32_matmul_precision(), np.geterr()

    def back() -> None:
        torch.set_default_device(None)
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)
        torch.use_deterministic_algorithms(False)
        torch.set_grad_enabled(True)
        torch.autograd.set_detect_anomaly(False)
        np.seterr(**errors)

    return back


@pytest.mark.parametrize("where", ["build", "losses", "metric"])
@pytest.mark.parametrize("what", STATE)
def test_what_a_function_sets_is_set_back(
    what: str, where: str, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(puts_back())
    functions = {"build": build, "losses": losses, "metric": metric}

    def setting(*given: Any) -> Any:
        made = functions[where](*given)  # type: ignore[operator]
        STATE[what][1]()
        return made

    before = state()
    with suppress(ProblemError, RuntimeError, NotImplementedError):  # a metric that seeds, …
        sweep(**{where: setting}, seeds=1, lams=(0.4, 0.6))
    assert state() == before


def test_saving_and_drawing_leave_it_too(tmp_path: Path) -> None:
    before = state()
    sweep().save(tmp_path)
    assert state() == before


@pytest.mark.parametrize("fails", [False, True])
def test_a_worker_leaves_its_process_as_it_was(fails: bool, request: pytest.FixtureRequest) -> None:
    """A worker of a shared scheduler trains other cells, too, in whatever dtype is left to it."""
    cloudpickle = pytest.importorskip("cloudpickle")
    request.addfinalizer(puts_back())

    def in_double(model: nn.Module, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        assert next(model.parameters()).dtype is torch.float64
        if fails:
            raise ZeroDivisionError
        return losses(model, (batch[0].double(), batch[1].double(), batch[2]))

    def score(model: nn.Module, val: Any) -> float:
        return metric(model, (val[0].double(), val[1].double()))

    doubled = problem(losses=in_double, metric=score, dtype=torch.float64)
    before = state()
    with suppress(ZeroDivisionError):
        _pickled(cloudpickle.dumps((run, (doubled, ("0.weight",)))), [(0.5, 0)])
    assert state() == before


@pytest.mark.parametrize("data", [TRAIN, TensorDataset(*TRAIN), list(zip(*TRAIN, strict=True))])
def test_a_default_device_meets_no_generator_of_another(
    data: Any, request: pytest.FixtureRequest
) -> None:
    """As `torch.set_default_device("cuda")`: what the reader's functions put on a CPU stays there,
    and the order of the rows is that of a CPU."""
    request.addfinalizer(puts_back())
    expected = sweep(train=data, seeds=1).scores

    def on_cpu(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any) -> Any:
            with torch.device("cpu"):
                return function(*given)

        return wrapped

    torch.set_default_device("meta")
    parts = {"build": build, "losses": losses, "metric": metric}
    found = sweep(**{name: on_cpu(part) for name, part in parts.items()}, train=data, seeds=1)
    assert found.scores == expected
