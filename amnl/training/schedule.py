"""The learning rate: warm-up, then the plateau rule."""

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LinearLR, ReduceLROnPlateau

from amnl.training.config import TrainConfig


class Schedule:
    """The learning rate of an optimiser; without one, of a cell whose steps are taken elsewhere."""

    optimiser: Optimizer
    warmup: LinearLR  # a step after each of its epochs
    plateau: ReduceLROnPlateau  # on validation RMSE

    def __init__(self, config: TrainConfig, optimiser: Optimizer | None = None) -> None:
        self.optimiser = optimiser or SGD([torch.zeros(())], lr=config.lr)
        self.warmup = LinearLR(
            self.optimiser, config.warmup_start, total_iters=config.warmup_epochs
        )
        self.plateau = ReduceLROnPlateau(
            self.optimiser,
            factor=config.plateau_factor,
            patience=config.plateau_patience,
            min_lr=config.min_lr,
        )
        self._warmup_epochs = config.warmup_epochs
        if optimiser is None:
            self.optimiser.step()  # PyTorch warns where a schedule moves before its optimiser

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimiser.param_groups[0]["lr"])

    def after_training(self, epoch: int) -> None:
        """Warm up. `epoch` counts from 1."""
        if epoch <= self._warmup_epochs:
            self.warmup.step()

    def after_validation(self, val_rmse: float) -> None:
        """Lower the rate where the validation RMSE (cycles) has stopped falling."""
        self.plateau.step(val_rmse)
