"""Two task losses, one fixed weight λ: the package behind the book.

`import amnl` needs NumPy alone. The submodules (`amnl.combiners`, `amnl.train`, ...) import torch,
pandas or matplotlib when you first touch them.
"""

import importlib
from typing import Any

from amnl.combine import combine_losses, simulate_sweep

__version__ = "0.1.0"

_SUBMODULES = (
    "bench",
    "claims",
    "cli",
    "cmapss",
    "combine",
    "combiners",
    "decide",
    "five_point",
    "kept",
    "losses",
    "model",
    "plots",
    "problem",
    "results",
    "shared_regression",
    "simulate",
    "stats",
    "sweep",
    "train",
)
__all__ = [
    "__version__",
    "check",
    "combine_losses",
    "five_point_sweep",
    "simulate_sweep",
    *_SUBMODULES,
]


def check(value: float, expected: float, rtol: float) -> str:
    """Compare a trained number with the one this book was published with.

    Returns a short line for the page. Raises `AssertionError` that names both numbers when they
    differ by more than `rtol` (relative), or when `value` is NaN.
    """
    if not abs(value - expected) <= rtol * abs(expected):
        raise AssertionError(
            f"this run gave {value:.6g}, the book was published with {expected:.6g}; "
            f"they should agree within {rtol:.1%}"
        )
    return f"agrees with the published {expected:.4g} within {rtol:.2g} relative"


def __getattr__(name: str) -> Any:
    if name == "five_point_sweep":
        return importlib.import_module("amnl.five_point").five_point_sweep
    if name in _SUBMODULES:
        return importlib.import_module(f"amnl.{name}")
    raise AttributeError(f"module 'amnl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
