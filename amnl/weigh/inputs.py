"""Settings and functions, looked at before anything runs: of the right kind, or one line.

A message names what came, what is wanted, and the way there. What is right in another form, such as
a number of NumPy or PyTorch, is made Python's own, as results are stored as text.
"""

import inspect
import math
import os
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from amnl.weigh.problem import ProblemError


def weights(given: Any) -> tuple[float, ...]:
    """The λ to try. Raises `ProblemError` for fewer than two, doubles, and any outside [0, 1]."""
    try:
        numbers = [] if isinstance(given, str | bytes) else list(map(one_number, given))
    except TypeError:  # one number
        numbers = []
    lams = tuple(number for number in numbers if number is not None)
    if len(lams) < 2 or len(set(lams)) < len(numbers):
        raise ProblemError(
            f"at least two λ, each a number and each once, are wanted, got {_shown(given)}; such "
            "as lams=(0.3, 0.5, 0.7)"
        )
    for lam in lams:
        if not 0.0 <= lam <= 1.0:
            raise ProblemError(
                f"λ must lie in [0, 1], got {lam}: it weighs the primary loss, and 1 − λ the "
                "auxiliary one"
            )
    return lams


def positive(name: str, value: Any, why: str = "") -> float:
    """A positive number. Raises `ProblemError` that names any other."""
    number = one_number(value)
    if number is None or not (math.isfinite(number) and number > 0):
        raise ProblemError(f"{name} must be a positive number, got {_shown(value)}{why}")
    return number


def count(name: str, value: Any, why: str = "") -> int:
    """A whole number from 1 on. Raises `ProblemError` that names any other."""
    number = one_number(value)
    if number is None or not number.is_integer() or number < 1:
        raise ProblemError(f"{name} must be a whole number above 0, got {_shown(value)}{why}")
    return int(number)


def seeds_and_margin(seeds: Any, margin: Any) -> tuple[int, float]:
    """Raises `ProblemError` for a number of seeds or a margin that is none."""
    price = ": the smallest difference of your metric that you would pay for"
    number = count("seeds", seeds, ": how many; 2 means the seeds 0 and 1")
    return number, positive("margin", margin, price)


def one_number(value: Any) -> float | None:
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


def each_number(given: Any, names: Sequence[str]) -> tuple[float, ...] | None:
    """A number for each name, in their order: from a dict by name, or in order; None otherwise."""
    try:
        found = [given[name] for name in names] if isinstance(given, Mapping) else list(given)
    except (KeyError, TypeError):
        return None
    numbers = tuple(number for number in map(one_number, found) if number is not None)
    return numbers if len(numbers) == len(given) == len(names) else None


def check_functions(**functions: Any) -> None:
    """Raises `ProblemError` that names a function which cannot be called as it will be."""
    takes = {"build": "", "losses": "model, batch", "metric": "model, val"}
    takes |= {"combiner": "lam", "tell": "line"}
    if "build" not in functions:  # a training loop of the reader's own
        takes["train"] = "weights, seed"
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
        try:
            signature = inspect.signature(call, follow_wrapped=False)
        except ValueError:  # built-in, without a signature
            continue
        try:
            signature.bind(*takes[name].split())
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
