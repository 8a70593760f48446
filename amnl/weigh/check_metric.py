"""Is the metric one finite number, and the same one twice?"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, Subset, TensorDataset

from amnl.weigh.broadcast import EVERY_PAIR, Squares, accident, refuse_other_shapes
from amnl.weigh.data import tensors_of
from amnl.weigh.problem import NotFinite, Problem, ProblemError


def score_of(problem: Problem, model: nn.Module, when: str) -> float:
    """The metric of a model, in eval mode. Raises `ProblemError` for what is no finite number."""
    model.eval()
    with refuse_other_shapes("the metric"), torch.no_grad():
        given = problem.metric(model, problem.val)
    model.train()
    try:
        if isinstance(given, str | bytes):
            raise TypeError("text")
        value = float(given)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = f"{type(given).__name__} {getattr(given, 'shape', '')}".rstrip()
        raise ProblemError(f"metric(model, val) returned {kind}; one number is wanted") from error
    if not math.isfinite(value):
        raise NotFinite(
            f"the metric is {value} ({when}); look for an empty selection, a logarithm or a "
            "division in metric(model, val), and for NaN in val"
        )
    return value


def check_metric(problem: Problem, model: nn.Module) -> float:
    """The metric of a model. Raises `ProblemError` for one that is of no use."""
    when = "before training"
    untrained, full = score_of(problem, model, when), Squares(of_targets=False)
    try:
        with torch.compiler.set_stance("force_eager"), full:
            again = score_of(problem, model, when)
    except ProblemError:
        raise
    except Exception:  # the watch was in its way
        again = math.nan
    # A watched model is not compiled, and may differ by rounding.
    if again != untrained and (again := score_of(problem, model, when)) != untrained:
        why = (
            "sees val in another order each time, as its DataLoader has shuffle=True. Make it with "
            "shuffle=False"
            if _is_shuffled(problem.val)
            else "draws at random, or changes the model or val. Draw from a seed of your own, and "
            "work on a copy"
        )
        raise ProblemError(
            f"the metric of one model is {untrained:.9g}, and then {again:.9g}: metric(model, "
            f"val) {why}"
        )
    if full.met and (found := accident(_on_fewer_rows(problem, model), full)):
        raise ProblemError(f"metric broadcasts: shapes {found}{EVERY_PAIR}")
    return untrained


def _is_shuffled(val: Any) -> bool:
    parts = val.values() if isinstance(val, dict) else val if isinstance(val, tuple | list) else ()
    loaders = [part for part in (val, *parts) if isinstance(part, DataLoader)]
    return any(isinstance(loader.sampler, RandomSampler) for loader in loaders)


def _on_fewer_rows(problem: Problem, model: nn.Module) -> Squares:
    """What arithmetic the metric does without the last row of `val`."""
    fewer = Squares(of_targets=False)
    model.eval()
    try:
        with torch.no_grad(), torch.compiler.set_stance("force_eager"), fewer:
            problem.metric(model, _without_last_row(problem.val))
    except Exception:  # then nothing is known, and nothing refused
        return Squares(of_targets=False)
    return fewer


def _without_last_row(data: Any) -> Any:
    """The same data without the last row, where it is known how."""
    if isinstance(data, Tensor):
        return data[:-1] if data.ndim else data
    if isinstance(data, dict):
        return {name: _without_last_row(part) for name, part in data.items()}
    if isinstance(data, TensorDataset):
        return TensorDataset(*map(_without_last_row, data.tensors))
    if isinstance(data, DataLoader):
        return DataLoader(
            _without_last_row(data.dataset), data.batch_size, collate_fn=data.collate_fn
        )
    if isinstance(data, Dataset):
        return Subset(data, range(len(data) - 1))  # type: ignore[arg-type]
    if isinstance(data, tuple | list) and tensors_of(data):
        return type(data)(_without_last_row(part) for part in data)
    return data
