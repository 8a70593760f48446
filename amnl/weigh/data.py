"""The rows of a problem: of the right kind, counted, and in batches whose order a seed decides."""

import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler, TensorDataset

from amnl.weigh.problem import ProblemError

_FEW = 10  # rows; with fewer, nothing is learned and nothing is measured
_COLLATE = ("collate", "default_collate", "collate_tensor_fn")  # of PyTorch: rows → a batch


def check_data(train: Any, val: Any) -> None:
    """Raises `ProblemError` for data that cannot be put in an order by a seed, or is too little.

    `val` is the metric's business: of it, only the rows of tensors and datasets are counted.
    """
    _check_kind(train)
    tensors = tensors_of(train)
    lengths = sorted(set(map(_length, tensors)))
    if len(lengths) > 1:
        raise ProblemError(f"the tensors of train have {lengths} rows; each wants one row a sample")
    if isinstance(train, list) and tensors and lengths[0] < _FEW <= len(train):
        raise ProblemError(
            f"train is a list of {len(train)} tensors of {lengths[0]} rows, so taken for that many "
            "columns; torch.stack(train) makes one tensor of a list of samples"
        )
    inner, measured = val.dataset if isinstance(val, DataLoader) else val, tensors_of(val)
    counts = {"train": row_count(train)}
    if measured:
        counts["val"] = max(map(_length, measured))
    elif isinstance(inner, Dataset) and hasattr(inner, "__len__"):
        counts["val"] = len(inner)
    for name, rows in counts.items():
        if rows < _FEW:
            raise ProblemError(
                f"{name} has {rows} rows; with fewer than {_FEW} nothing is learned and nothing "
                "measured. A dataset has one item a sample"
            )


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


def tensors_of(data: Any) -> tuple[Tensor, ...]:
    """The tensors that a dataset is made of; none for other kinds."""
    if isinstance(data, TensorDataset):
        return data.tensors
    plain = isinstance(data, tuple | list) and all(isinstance(t, Tensor) for t in data)
    return tuple(data) if plain else ()


def row_count(data: Any) -> int:
    """How many rows the training data have."""
    tensors = tensors_of(data)
    return _length(tensors[0]) if tensors else len(data)


def _length(tensor: Tensor) -> int:
    return len(tensor) if tensor.ndim else 0


def batches(data: Any, batch_size: int, order: torch.Generator) -> Iterator[Any]:
    """One epoch. A last batch of one row is dropped."""
    tensors, rows = tensors_of(data), row_count(data)
    lone = batch_size > 1 and rows % batch_size == 1
    if tensors:  # a DataLoader picks row by row, which takes longer than training a small model
        index = torch.randperm(rows, generator=order, device="cpu")
        for part in torch.split(index, batch_size)[: -1 if lone else None]:
            yield tuple(t[part] for t in tensors)
        return
    sampler = _OrderOnCPU(data, generator=order)
    loader = DataLoader(data, batch_size, sampler=sampler, generator=order, drop_last=lone)
    with torch.device("cpu"):
        loaded = iter(loader)
    yield from loaded


class _OrderOnCPU(RandomSampler):
    """Rows in an order that is drawn where its generator is, whatever the default device."""

    def __iter__(self) -> Iterator[int]:
        with torch.device("cpu"):
            return iter(list(super().__iter__()))


def first_batch(data: Any, batch_size: int) -> Any:
    """A batch to try. Raises `ProblemError` for rows that make none."""
    try:
        return next(batches(data, batch_size, torch.Generator().manual_seed(0)))
    except (TypeError, RuntimeError) as error:
        if traceback.extract_tb(error.__traceback__)[-1].name not in _COLLATE:
            raise
        raise ProblemError(
            f"the rows of train do not make a batch: {str(error).splitlines()[0]}. A row is a "
            "tensor, array or number, or a tuple or dict of these, of one shape in all rows"
        ) from error
