"""Two task losses, one fixed weight λ: the package behind the book.

`import amnl` needs NumPy alone. The rooms (`amnl.combiners`, `amnl.training`, ...) import torch,
pandas or matplotlib when you first touch them.
"""

import importlib
import pkgutil
from typing import Any

from amnl.combine import combine_losses, simulate_sweep

__version__ = "0.1.0"

_SUBMODULES = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name[0] != "_")
_FUNCTIONS = {"check": "amnl.study.machines", "five_point_sweep": "amnl.weigh"}
__all__ = ["__version__", "combine_losses", "simulate_sweep", *_FUNCTIONS, *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"amnl.{name}")
    raise AttributeError(f"module 'amnl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
