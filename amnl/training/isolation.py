"""What a training run shares with the rest of its process, its own while it works.

PyTorch draws from one random state, makes floats of one default dtype and rounds products as one
switch says. A run that used them as they come would depend on what else the process does, and leave
its own traces there.
"""

import sys
from typing import Any

import torch
from torch import Tensor

_Switches = tuple[torch.dtype, str, int | None]


class Isolation:
    """`with isolation:` puts a run's own state in place, and afterwards everyone else's back.

    A block within a block is one with it. The state is the process's, so not for two threads at
    once.

    Parameters
    ----------
    seed
        Where the random numbers start. They go on from one block to the next.
    device
        The run's.
    precision
        Of products of float32 matrices, by PyTorch's name for it. Floats are float32 by default.
    recompiled
        Shapes that a compiled function may meet, where the compiler is there.
    """

    random: list[Tensor]  # the run's random states, between its blocks: of the CPU, and of its GPU

    def __init__(
        self, seed: int, device: torch.device, precision: str, recompiled: int | None = None
    ) -> None:
        self._gpu = device if device.type == "cuda" else None
        self._switches: _Switches = torch.float32, precision, recompiled
        self._depth = 0
        outside = self._read_random()
        torch.default_generator.manual_seed(seed)  # torch.manual_seed reseeds every GPU as well
        if self._gpu is not None:
            with torch.cuda.device(self._gpu):
                torch.cuda.manual_seed(seed)
        self.random = self._read_random()
        self._set_random(outside)

    def __enter__(self) -> None:
        if not self._depth:
            self._outside = self._read_random(), _read_switches()
            self._set_random(self.random)
            _set_switches(self._switches)
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self.random = self._read_random()
            random, switches = self._outside
            self._set_random(random)
            _set_switches(switches)

    def _read_random(self) -> list[Tensor]:
        gpu = [] if self._gpu is None else [torch.cuda.get_rng_state(self._gpu)]
        return [torch.get_rng_state(), *gpu]

    def _set_random(self, states: list[Tensor]) -> None:
        torch.set_rng_state(states[0])
        if self._gpu is not None:
            torch.cuda.set_rng_state(states[1], self._gpu)


def _read_switches() -> _Switches:
    compiler = _compiler()
    limit = compiler and compiler.recompile_limit
    return torch.get_default_dtype(), torch.get_float32_matmul_precision(), limit


def _set_switches(switches: _Switches) -> None:
    dtype, precision, recompiled = switches
    torch.set_default_dtype(dtype)
    if torch.get_float32_matmul_precision() != precision:
        torch.set_float32_matmul_precision(precision)
    compiler = _compiler()
    if compiler and recompiled is not None:
        compiler.recompile_limit = recompiled


def _compiler() -> Any:
    """The settings of PyTorch's compiler, which takes seconds to import; None where nobody has."""
    dynamo = sys.modules.get("torch._dynamo")
    return dynamo and dynamo.config
