"""What a training run shares with the rest of its process, its own while it works.

PyTorch draws from one random state, makes floats of one default dtype and rounds products as one
switch says. A run that used them as they come would depend on what else the process does, and leave
its own traces there.
"""

import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class _State:
    random: list[Tensor]  # of the CPU, then of the run's GPU
    dtype: torch.dtype
    precision: str
    recompiled: int | None  # shapes that a compiled function may meet, where the compiler is there


class Alone:
    """`with alone:` puts a run's own state in place, and afterwards everyone else's back.

    The random numbers start from the seed and go on from one block to the next. Floats are float32
    by default, and products of matrices have `precision` (PyTorch's name for it). A block within a
    block is one with it. The state is the process's, so not for two threads at once.
    """

    def __init__(
        self, seed: int, device: torch.device, precision: str, recompiled: int | None = None
    ) -> None:
        self._gpu = device if device.type == "cuda" else None
        self._depth = 0
        outside = self._now()
        torch.default_generator.manual_seed(seed)  # torch.manual_seed reseeds every GPU as well
        if self._gpu is not None:
            with torch.cuda.device(self._gpu):
                torch.cuda.manual_seed(seed)
        self._inside = _State(self._now().random, torch.float32, precision, recompiled)
        self._put(outside)

    def __enter__(self) -> None:
        if not self._depth:
            self._outside = self._now()
            self._put(self._inside)
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self.random = self._now().random
            self._put(self._outside)

    @property
    def random(self) -> list[Tensor]:
        """The run's random states, between its blocks: of the CPU, and of its GPU."""
        return self._inside.random

    @random.setter
    def random(self, states: list[Tensor]) -> None:
        old = self._inside
        self._inside = _State(states, old.dtype, old.precision, old.recompiled)

    def _now(self) -> _State:
        random = [torch.get_rng_state()]
        if self._gpu is not None:
            random.append(torch.cuda.get_rng_state(self._gpu))
        compiler = _compiler()
        return _State(
            random,
            torch.get_default_dtype(),
            torch.get_float32_matmul_precision(),
            compiler and compiler.recompile_limit,
        )

    def _put(self, state: _State) -> None:
        torch.set_rng_state(state.random[0])
        if self._gpu is not None:
            torch.cuda.set_rng_state(state.random[1], self._gpu)
        torch.set_default_dtype(state.dtype)
        if torch.get_float32_matmul_precision() != state.precision:
            torch.set_float32_matmul_precision(state.precision)
        compiler = _compiler()
        if compiler and state.recompiled is not None:
            compiler.recompile_limit = state.recompiled


def _compiler() -> Any:
    """The settings of PyTorch's compiler, which takes seconds to import; None where nobody has."""
    dynamo = sys.modules.get("torch._dynamo")
    return dynamo and dynamo.config
