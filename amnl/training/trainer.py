"""Training one cell: one subset, one seed, one combiner."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from amnl import cmapss
from amnl.cmapss import MAX_RUL, Data, Source
from amnl.combiners import Combiner, make_combiner
from amnl.provenance import commit, provenance
from amnl.task_losses import moderate_weighted_mse_loss
from amnl.training import checkpoint as checkpoints
from amnl.training.batches import Batches
from amnl.training.combiner_state import GIVEN, claim, logged_weights
from amnl.training.config import TrainConfig
from amnl.training.device import pick_device
from amnl.training.errors import TrainingError, check_predictions
from amnl.training.isolation import Isolation
from amnl.training.model import DualTaskModel, count_parameters, make_model
from amnl.training.result import Record, RunResult
from amnl.training.run_log import RunLog
from amnl.training.schedule import Schedule
from amnl.training.scoring import Chosen, Predicted

_EVALUATED = 1024  # windows in one evaluating pass


class Trainer:
    """Trains a model under a combiner and never asks which combiner it holds.

    The seed fixes the initial weights, the order of the batches and the dropout draws, for every
    combiner alike, so that runs of one seed can be compared in pairs; `cmapss.load` splits the
    engines by the same seed. Nothing else of the process has a say: `isolation` holds the run's own
    random state and precision, and the caller's are as they were whenever a call returns.

    Parameters
    ----------
    config
        The settings.
    data
        `cmapss.load` with the settings' subset, seed and stride.
    combiner
        An object in place of the combiner that the settings name.
    device
        By default `pick_device()`.

    Raises
    ------
    ValueError
        For unknown presets and combiners, for data that were loaded with another subset, seed or
        stride than the settings say, and for a `combiner` with a state of its own that another
        trainer was given before.

    Examples
    --------
    >>> import tempfile
    >>> from amnl import cmapss
    >>> from amnl.cmapss import emulator
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = emulator.write_fleet(folder, "FD001", seed=3, engines=6, test_engines=4)
    ...     data = cmapss.load("FD001", 0, folder, stride=8)
    >>> config = TrainConfig(stride=8, epochs=1)
    >>> result = Trainer(config, data, device=torch.device("cpu")).fit()
    >>> result.metrics["best_epoch"], len(result.predictions["pred"])
    (1, 4)
    """

    config: TrainConfig
    data: Data
    device: torch.device
    dtype: torch.dtype
    isolation: Isolation
    model: DualTaskModel
    mtl_loss: Combiner
    shared_params: list[nn.Parameter]  # the trunk's
    average: AveragedModel  # of weights and running statistics, for evaluation
    optimiser: torch.optim.AdamW
    schedule: Schedule
    order: torch.Generator  # of the batches
    train: Batches
    val: Batches
    test: Batches
    log: RunLog
    identity: Record  # what a checkpoint must share with this run
    open_epoch: int  # the epoch that has begun and not ended, or 0

    def __init__(
        self,
        config: TrainConfig,
        data: Data,
        *,
        combiner: Combiner | None = None,
        device: torch.device | None = None,
    ) -> None:
        config.check_data(data)
        commit()  # the code that runs is today's, whatever is committed meanwhile
        self.config = config
        self.data = cmapss.with_faults(data) if config.auxiliary == "fault" else data
        self.device = device or pick_device()
        self.dtype = getattr(torch, config.dtype)
        # On a GPU, float32 products round their factors to TF32, as cuDNN's do by default: one
        # precision for convolutions, LSTMs and matrix products alike.
        precision = "high" if self.device.type == "cuda" else "highest"
        self.isolation = Isolation(config.seed, self.device, precision)
        with self.isolation:
            self._make_network()
            self._take_combiner(combiner)
            self._make_optimiser()
        self.train, self.val, self.test = (
            Batches(w, self.device, self.dtype)
            for w in (self.data.train, self.data.val, self.data.test)
        )
        self.order = torch.Generator().manual_seed(config.seed)
        self.open_epoch = 0

    def _make_network(self) -> None:
        self.model = make_model(self.config.preset).to(self.device, self.dtype)
        if self.config.nudge:
            nudge(self.model, self.config.nudge, self.config.seed)
        self.shared_params = self.model.shared_parameters()
        self.average = AveragedModel(self.model, multi_avg_fn=self._average, use_buffers=True)
        for layer in self.average.modules():
            if isinstance(layer, nn.LSTM):
                layer.flatten_parameters()  # a copy's lie scattered, which cuDNN does not like

    def _take_combiner(self, given: Combiner | None) -> None:
        config = self.config
        if given is None:  # not `or`: a combiner with a length may have none
            self.mtl_loss = make_combiner(config.combiner, **config.combiner_settings)
        else:
            self.mtl_loss = given
        claim(self.mtl_loss)
        name = self.mtl_loss.get_name()
        self.identity = checkpoints.identity(config, self.data.source, self.mtl_loss)
        if given is not None:
            settings = self.identity["combiner settings"]
            config = replace(config, combiner=GIVEN + name, combiner_settings=settings)
        self.log = RunLog(config, self.data, name)
        self.mtl_loss.to(self.device)

    def _make_optimiser(self) -> None:
        learned = [*self.model.parameters(), *self.mtl_loss.parameters()]
        self.optimiser = torch.optim.AdamW(
            learned, lr=self.config.lr, weight_decay=self.config.weight_decay, fused=True
        )
        self.schedule = Schedule(self.config, self.optimiser)

    def fit(
        self,
        *,
        checkpoint: str | Path | None = None,
        extend: bool = False,
        log_dir: str | Path | None = None,
        on_epoch: Callable[[Record], None] | None = None,
    ) -> RunResult:
        """Train to the last epoch and return the result.

        Parameters
        ----------
        checkpoint
            A file, written after every epoch and, if it is there already, resumed from.
        extend
            Go on from the checkpoint of a run of fewer epochs, too, as if it had been asked for
            these at once: no setting but their number knows of it.
        log_dir
            A folder for TensorBoard.
        on_epoch
            Called with each epoch's record.

        Raises
        ------
        TrainingError
            When a loss is NaN or infinite (nothing of that epoch is kept), and where an earlier
            call was stopped within an epoch and no checkpoint brings back the state before it.
        ValueError
            When the checkpoint belongs to other settings.
        """
        path = Path(checkpoint) if checkpoint else None
        if path and path.exists():
            self._restore(path, extend)
        if self.open_epoch:
            raise TrainingError(
                f"this trainer was stopped within epoch {self.open_epoch}, and what it holds is of "
                "no epoch. Make a new one; one with checkpoint= goes on from its last whole epoch"
            )
        with _tensorboard(log_dir) as show:
            for epoch in range(len(self.log.history) + 1, self.config.epochs + 1):
                self._epoch(epoch)
                record = self.log.history[-1]
                if path:
                    self._save(path)
                show(record)
                if on_epoch:
                    on_epoch(record)
        return self._result()

    def _epoch(self, epoch: int) -> None:
        start = time.perf_counter()
        self.open_epoch = epoch
        with self.isolation:
            record = self._train(epoch)
            val, test = self.predict(self.val), self.predict(self.test)
            if self.log.evaluated(record, val, test):
                weights = {k: v.clone() for k, v in self.average.module.state_dict().items()}
                self.log.best = replace(self.log.best, weights=weights)
            self.schedule.after_validation(record["val_rmse"])
        self.log.close(record, time.perf_counter() - start)
        self.open_epoch = 0

    def _train(self, epoch: int) -> Record:
        self.model.train()
        self.mtl_loss.train()
        batches = self.train.shuffled(self.config.batch_size, self.order)
        # one transfer an epoch, so that a GPU never waits for a check
        losses = torch.stack([self.step(index) for index in batches]).cpu().double()
        weights = logged_weights(self.mtl_loss)  # first: it may know why a total is NaN
        record = self.log.trained(epoch, self.schedule.lr, losses, weights)
        self.mtl_loss.end_epoch()
        self.schedule.after_training(epoch)
        return record

    def step(self, index: Tensor) -> Tensor:
        """One optimiser step; returns the (total, RUL, health) losses, detached."""
        with self.isolation:
            rul_loss, health_loss = self.task_losses(index)
            total = self.mtl_loss(
                rul_loss, health_loss, shared_params=self.shared_params, model=self.model
            )
            self.optimiser.zero_grad()
            total.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
            self.optimiser.step()
            self.average.update_parameters(self.model)
            return torch.stack((total, rul_loss, health_loss)).detach()

    def task_losses(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """RUL loss (in `rul_unit`, squared) and health loss (nats) of these windows."""
        with self.isolation:
            rul, logits = self.model(self.train.inputs(index))
            unit = self.config.rul_unit
            error, target = rul / unit, self.train.rul[index] / unit
            if self.config.sample_weighted:
                rul_loss = moderate_weighted_mse_loss(error, target, MAX_RUL / unit)
            else:
                rul_loss = F.mse_loss(error, target)
            return rul_loss, F.cross_entropy(logits, self.train.health[index])

    def _average(self, average: Any, current: Any, _: Any) -> None:
        if not average[0].is_floating_point():  # BatchNorm's counter of batches
            torch._foreach_copy_(average, current)
            return
        steps = int(self.average.n_averaged)  # on the CPU, where reading it waits for no GPU
        decay = min(self.config.ema, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(average, current, 1 - decay)

    @torch.no_grad()
    def predict(self, batches: Batches) -> Predicted:
        """RUL in cycles, (n,), and health class, (n,), under the averaged weights.

        Raises `TrainingError` where one is not finite.
        """
        self.average.eval()
        rul, health = [], []
        with self.isolation:
            for index in torch.split(torch.arange(len(batches), device=self.device), _EVALUATED):
                r, logits = self.average(batches.inputs(index))
                rul.append(r)
                health.append(logits.argmax(1))
        pred = torch.cat(rul).cpu().numpy().astype(np.float64)
        check_predictions(self.config, len(self.log.history) + 1, pred)
        return pred, torch.cat(health).cpu().numpy()

    def _result(self) -> RunResult:
        with self.isolation:
            machine = provenance(self.device)
        return self.log.result(machine, count_parameters(self.model))

    def _parts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "average": self.average,
            "combiner": self.mtl_loss,
            "optimiser": self.optimiser,
            "warmup": self.schedule.warmup,
            "plateau": self.schedule.plateau,
        }

    def _save(self, path: Path) -> None:
        state = {
            **self.identity,
            "history": self.log.history,
            "best": vars(self.log.best),
            "seconds": self.log.seconds,
            "random": [self.order.get_state(), *self.isolation.random],
            **{name: part.state_dict() for name, part in self._parts().items()},
        }
        checkpoints.write(path, state)

    def _restore(self, path: Path, extend: bool) -> None:
        state = checkpoints.read(path, self.identity, self.device, extend=extend)
        try:
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.log.history, self.log.best = state["history"], Chosen(**state["best"])
            self.log.seconds = state["seconds"]
            order, *random = (stored.cpu() for stored in state["random"])
            self.order.set_state(order)
            ours = self.isolation.random  # a run that goes on elsewhere has other generators
            self.isolation.random = [*random, *ours[len(random) :]][: len(ours)]
            self.open_epoch = 0
        except Exception as error:  # whatever a file lacks that only claims to be ours
            raise checkpoints.not_ours(path, error) from error


@contextmanager
def _tensorboard(log_dir: str | Path | None) -> Iterator[Callable[[Record], None]]:
    if not log_dir:
        yield lambda record: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise RuntimeError(
            "logging needs TensorBoard: pip install 'amnl[logs]', or leave the log folder out"
        ) from error

    def show(record: Record) -> None:
        for name, value in record.items():
            writer.add_scalar(name, value, record["epoch"])

    with SummaryWriter(str(log_dir)) as writer:
        yield show


@torch.no_grad()
def nudge(model: nn.Module, size: float, seed: int) -> None:
    """Multiply each parameter by 1 + `size` or 1 − `size`, in place, in float64.

    The signs are drawn from `seed` alone, so −`size` gives the mirror image. No other draw moves.
    """
    draw = np.random.default_rng([seed, 1])  # cmapss splits the engines by default_rng(seed)
    for weight in model.parameters():
        signs = torch.from_numpy(draw.choice([-1.0, 1.0], weight.shape)).to(weight.device)
        weight.copy_(weight.double() * (1 + size * signs))


def train(
    config: TrainConfig,
    data_dir: str | Path | Source | None = None,
    *,
    device: torch.device | None = None,
    **fit: Any,
) -> RunResult:
    """Load, train and score one cell; other keyword arguments go to `Trainer.fit`."""
    data = cmapss.load(config.subset, config.seed, data_dir, stride=config.stride)
    return Trainer(config, data, device=device).fit(**fit)
