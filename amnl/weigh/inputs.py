"""What a reader brings to a sweep, looked at before anything runs: of the right kind, or one line.

A message names what came, what is wanted, and the way there. What is right in another form, such as
a number of NumPy or PyTorch, is made Python's own, as results are stored as text.
"""

import inspect
import math
import os
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

from amnl.weigh.problem import ProblemError, tensors_of

_FEW = 10  # rows; with fewer, nothing is learned and nothing is measured


@dataclass(frozen=True)
class Settings:
    """The numbers of a sweep, as Python's own, whatever library they came from."""

    lams: tuple[float, ...]
    margin: float
    seeds: int
    epochs: int
    batch_size: int
    lr: float


def check_settings(
    lams: Any, margin: Any, seeds: Any, epochs: Any, batch_size: Any, lr: Any
) -> Settings:
    """Raises `ProblemError` that names a setting which no sweep can have."""
    return Settings(
        _weights(lams),
        _positive("margin", margin, ": the smallest difference of your metric that you would pay "
                  "for"),
        _count("seeds", seeds, ": how many; 2 means the seeds 0 and 1"),
        _count("epochs", epochs),
        _count("batch_size", batch_size),
        _positive("lr", lr),
    )  # fmt: skip


def _weights(given: Any) -> tuple[float, ...]:
    try:
        lams = [] if isinstance(given, str | bytes) else list(given)
    except TypeError:  # one number
        lams = []
    numbers = [_number(lam) for lam in lams]
    if len(numbers) < 2 or len(set(numbers)) < len(numbers) or None in numbers:
        raise ProblemError(
            f"at least two λ, each a number and each once, are wanted, got {_shown(given)}; such "
            "as lams=(0.3, 0.5, 0.7)"
        )
    for lam in numbers:
        if lam is not None and not 0.0 <= lam <= 1.0:
            raise ProblemError(f"λ must lie in [0, 1], got {lam}: it weighs the primary loss, and "
                               "1 − λ the auxiliary one")  # fmt: skip
    return tuple(lam for lam in numbers if lam is not None)


def _positive(name: str, value: Any, why: str = "") -> float:
    number = _number(value)
    if number is None or not (math.isfinite(number) and number > 0):
        raise ProblemError(f"{name} must be a positive number, got {_shown(value)}{why}")
    return number


def _count(name: str, value: Any, why: str = "") -> int:
    number = _number(value)
    if number is None or not number.is_integer() or number < 1:
        raise ProblemError(f"{name} must be a whole number above 0, got {_shown(value)}{why}")
    return int(number)


def _number(value: Any) -> float | None:
    """A number of Python, NumPy or PyTorch; None for anything else, truth values and text too."""
    if isinstance(value, bool | np.bool_ | str | bytes) or getattr(value, "ndim", False):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def _shown(value: Any) -> str:
    """The value, and its type where that is what is wrong with it."""
    kind = "" if isinstance(value, int | float) else f" ({type(value).__name__})"
    return " ".join(reprlib.repr(value).split()) + kind


def check_functions(**functions: Any) -> None:
    """Raises `ProblemError` that names a function which cannot be called as it will be."""
    takes = {"build": "", "losses": "model, batch", "metric": "model, val"}
    takes |= {"combiner": "lam", "tell": "line"}
    for name, function in functions.items():
        wanted = f"{name}({takes[name]})"
        if name == "build" and isinstance(function, nn.Module):
            raise ProblemError(
                f"build is a model, {type(function).__name__}; a function that makes a fresh one "
                "at each call is wanted, as all runs start anew: put the lines that made it there"
            )
        if not callable(function):
            raise ProblemError(f"{name} is {_shown(function)}; a function {wanted} is wanted")
        call = function.forward if isinstance(function, nn.Module) else function
        arguments = takes[name].split(", ") if takes[name] else []
        try:
            signature = inspect.signature(call, follow_wrapped=False)
        except ValueError:  # built-in, without a signature
            continue
        try:
            signature.bind(*arguments)
        except TypeError:
            own = getattr(function, "__name__", type(function).__name__)
            raise ProblemError(
                f"{name} is called as {wanted}, but {own}{signature} does not take that"
            ) from None


def check_rest(higher_is_better: Any, same_start: Any, store: Any, client: Any) -> None:
    """Raises `ProblemError` for a switch that is neither on nor off, and the like."""
    for name, value in {"higher_is_better": higher_is_better, "same_start": same_start}.items():
        if not isinstance(value, bool | np.bool_):
            raise ProblemError(f"{name} must be True or False, got {_shown(value)}")
    if not isinstance(store, str | os.PathLike | None):
        raise ProblemError(f"store must be the name of a folder, got {_shown(store)}")
    if client is not None and not (hasattr(client, "submit") and hasattr(client, "scatter")):
        raise ProblemError(
            f"client must be a client of Dask, distributed.Client(…), got {_shown(client)}"
        )


def check_data(train: Any, val: Any) -> None:
    """Raises `ProblemError` for data that cannot be put in an order by a seed, or is too little.

    `val` is the metric's business: of it, only the rows of tensors and datasets are counted.
    """
    _check_kind(train)
    tensors = tensors_of(train)
    lengths = sorted({len(t) if t.ndim else 0 for t in tensors})
    if len(lengths) > 1:
        raise ProblemError(f"the tensors of train have {lengths} rows; each wants one row a sample")
    if isinstance(train, list) and tensors and lengths[0] < _FEW <= len(train):
        raise ProblemError(
            f"train is a list of {len(train)} tensors of {lengths[0]} rows, so taken for that many "
            "columns; torch.stack(train) makes one tensor of a list of samples"
        )
    _check_rows_of("train", lengths[0] if tensors else len(train))
    inner, measured = val.dataset if isinstance(val, DataLoader) else val, tensors_of(val)
    if measured:
        _check_rows_of("val", max(len(t) if t.ndim else 0 for t in measured))
    elif isinstance(inner, Dataset) and hasattr(inner, "__len__"):
        _check_rows_of("val", len(inner))


def _check_kind(train: Any) -> None:
    if isinstance(train, DataLoader):
        raise ProblemError(
            "train is a DataLoader; bring its dataset (train.dataset) and batch_size=, as the "
            "order of the batches must follow the seed"
        )
    kind, wanted = type(train).__name__, "bring a Dataset with a length, or a tuple of tensors"
    mixed = isinstance(train, tuple) and not all(isinstance(t, Tensor) for t in train)
    if has_rows(train) and not mixed and not isinstance(train, str | bytes):
        return
    how = "torch.as_tensor makes one of an array"
    if _is_table(train):
        how = 'torch.as_tensor(frame[columns].to_numpy("float32")) makes one of a DataFrame'
    elif isinstance(train, Mapping):
        kind += f" of {', '.join(map(str, list(train)[:5]))}"
        how = "tuple(train.values()) makes one of tensors"
    elif mixed:
        kind += f" of {', '.join(type(t).__name__ for t in train)}"
    raise ProblemError(f"train is {kind}; {wanted} ({how})")


def has_rows(data: Any) -> bool:
    """Whether `data[k]` is row k of `len(data)`: of a dataset or list, not of a table or dict."""
    sized = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    keyed = _is_table(data) or (isinstance(data, Mapping) and 0 not in data)
    return sized and not keyed and not isinstance(data, IterableDataset)


def _is_table(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] in ("pandas", "polars", "pyarrow")


def _check_rows_of(name: str, rows: int) -> None:
    if rows < _FEW:
        raise ProblemError(
            f"{name} has {rows} rows; with fewer than {_FEW} nothing is learned and nothing "
            "measured. A dataset has one item a sample"
        )
