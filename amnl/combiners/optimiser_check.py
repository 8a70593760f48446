"""A warning where a combiner's own parameters were forgotten in the optimiser."""

import warnings

import torch
from torch import Tensor

from amnl.combiners.contract import Combiner

_PATIENCE = 100  # backward passes without a step before an optimiser counts as forgotten


class OptimiserCheck:
    """Warns, once, where backward passes reach a parameter and no optimiser moves it."""

    def __init__(self) -> None:
        self.backward_passes = 0
        self.gradient: Tensor | float = 0.0  # summed, by its size
        self.start: Tensor | None = None  # the parameter at the first call

    def watched(self, combiner: Combiner, parameter: Tensor) -> Tensor:
        """The parameter, to be used in its place."""
        over = self.backward_passes > _PATIENCE
        if torch.compiler.is_compiling() or over or not parameter.requires_grad:
            return parameter
        if self.start is None:
            self.start = parameter.detach().clone()
        if self.backward_passes == _PATIENCE:  # read on the host once in a training
            self.backward_passes += 1
            still = torch.allclose(parameter.detach(), self.start.to(parameter), rtol=1e-5)
            if still and float(self.gradient) > 0.0:
                warnings.warn(
                    f"{combiner.get_name()}: {_PATIENCE} backward passes have pulled at its "
                    "weights and nothing has moved them; add combiner.parameters() to the "
                    "optimiser",
                    stacklevel=2,
                )
            return parameter
        watched = parameter * 1.0
        watched.register_hook(self._count)  # type: ignore[no-untyped-call]
        return watched

    def _count(self, gradient: Tensor) -> None:
        self.backward_passes += 1
        self.gradient = self.gradient + gradient.detach().abs().sum()
