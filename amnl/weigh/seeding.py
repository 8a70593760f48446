"""A process's global state: seeded for a while, then as it was before."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch

_one_at_a_time = threading.Lock()  # a run uses its process's state
# What a function may set for the whole process: how it is read, and how it is set again.
_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_default_device, torch.set_default_device),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    (np.geterr, lambda errors: np.seterr(**errors)),
)


@contextmanager
def seeded(seed: int, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Seed PyTorch, NumPy and Python, with one thread, while the lines inside `with` run.

    Afterwards all random states and settings are as before, whatever those lines have set. One
    thread of the process at a time may be inside.

    Parameters
    ----------
    dtype
        The default dtype inside; None leaves it.

    Examples
    --------
    >>> import torch
    >>> with seeded(0):
    ...     first = torch.rand(2)
    >>> with seeded(0):
    ...     bool((torch.rand(2) == first).all())
    True
    """
    with (
        _one_at_a_time,
        torch.random.fork_rng(devices=range(torch.cuda.device_count())),
        ExitStack() as afterwards,
    ):
        afterwards.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002
        afterwards.callback(random.setstate, random.getstate())
        for read, write in _SETTINGS:
            afterwards.callback(_set_back, read, write, read())
        torch.set_num_threads(1)
        if dtype is not None:
            torch.set_default_dtype(dtype)
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        yield


def _set_back(read: Callable[[], Any], write: Callable[[Any], Any], before: Any) -> None:
    if read() != before:  # to set a default device anew would slow down all that follows
        write(before)
