"""Many cells side by side: the training of one stacked model.

One cell after another leaves a big GPU idle between launches. Here the cells of one subset and
preset train together: their weights lie in one (C, P) array, a layer is a batched matrix product
over C (`amnl.training.stacked_network`), and clipping, AdamW and the weight average are one pass
over the whole array. Every cell keeps its own seed, engines, batch order, λ, unit, learning rate
and best epoch, and gets what `Trainer` gives it alone: the same numbers up to rounding where
dropout is off, the same distribution where it is on. Dropout is drawn by seed, so cells of one seed
share their masks as they share their batches, and a cell's numbers do not depend, up to rounding,
on the company it was trained in.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from amnl.cmapss import Data
from amnl.combiners import FixedWeightLoss, make_combiner
from amnl.provenance import commit, provenance
from amnl.task_losses import sample_weights
from amnl.training.adamw import AdamW
from amnl.training.batches import Pool
from amnl.training.combiner_state import logged_weights
from amnl.training.config import TrainConfig
from amnl.training.device import pick_device
from amnl.training.errors import TrainingError, check_predictions
from amnl.training.isolation import Isolation
from amnl.training.model import DualTaskModel, count_parameters, make_model
from amnl.training.result import Record, RunResult
from amnl.training.run_log import RunLog
from amnl.training.schedule import Schedule
from amnl.training.stacked_network import Noise, StackedModel

# Settings in which the cells of one population may differ.
MAY_DIFFER = ("seed", "combiner", "combiner_settings", "rul_unit", "sample_weighted")
_UNKNOWN = ("nudge", "auxiliary", "optimiser", "engines")  # settings that none of them has
# Of matrix products. Whatever it is, weights, their averages and all sums stay in the cells' dtype.
PRECISIONS = ("float32", "tf32", "bf16-lstm")
_EVALUATED = 256  # windows of a cell in one evaluating pass
# The compiler meets a few shapes of a function in each group of cells.
_COMPILED_SHAPES = 64


def fits(config: TrainConfig) -> bool:
    """Whether a population can train this cell: its combiner's weights must stand still, and of the
    settings that it does not know, each must have its default."""
    return not _hindrance(config)


def _hindrance(config: TrainConfig) -> str:
    """What keeps a cell out of every population, or nothing."""
    for name in _UNKNOWN:
        if (value := getattr(config, name)) != getattr(TrainConfig, name):
            return f"a population has no {name}, got {value!r}"
    combiner = make_combiner(config.combiner, **config.combiner_settings)
    if type(combiner) is not FixedWeightLoss:  # a subclass may have a rule of its own
        return f"a population needs weights that stand still, not {config.combiner!r}"
    return ""


def check_precision(name: str | None, cells: Sequence[TrainConfig] = ()) -> None:
    """Raises `ValueError` for a precision that is none, and for cells that it cannot be of."""
    if name is None:
        return
    if name not in PRECISIONS:
        raise ValueError(f"unknown precision {name!r}; there are {', '.join(PRECISIONS)}")
    for cell in cells:
        if why := _hindrance(cell):
            raise ValueError(
                f"precision {name!r} is of cells side by side, and {why}; leave the precision out, "
                "or run such cells apart"
            )


class Population:
    """Trains cells that share everything but `MAY_DIFFER`, and fixed weights, side by side.

    Parameters
    ----------
    configs
        The cells.
    data
        Maps each seed to its `cmapss.load`.
    device
        By default `pick_device()`.
    precision
        "float32": every product as exact as the cells' dtype. "tf32": on a GPU, float32 factors are
        rounded to 10 bits. "bf16-lstm": moreover, those of the LSTM to 7 bits. By default "tf32" on
        a GPU and "float32" on a CPU.

    Raises
    ------
    ValueError
        For cells that do not go together, for combiners whose weights move, for missing seeds, and
        for a precision that the device has not.
    """

    configs: list[TrainConfig]
    config: TrainConfig  # the first: what all share stands there
    device: torch.device
    dtype: torch.dtype
    precision: str
    isolation: Isolation
    seeds: list[int]  # S of them, sorted
    of_seed: list[int]  # number of each cell's seed among them
    logs: list[RunLog]
    logged: list[dict[str, float]]  # each cell's weights, as given, not as float32 has them
    schedules: list[Schedule]
    orders: list[torch.Generator]  # of each seed's batches
    noise: Noise  # of dropout
    model: StackedModel
    size: int  # parameters of one network
    optimiser: AdamW
    train: Pool
    held_out: Pool  # validation windows of each seed, then its test windows
    weights: Tensor  # (C, 2) of the RUL and health losses
    unit: Tensor  # (C, 1) cycles
    weighted: Tensor  # (C, 1), 1 where RUL errors are weighed by sample
    alive: Tensor  # (C,), 0 for a cell that has failed
    failed: dict[int, TrainingError]
    finished: int  # epochs
    open_epoch: int  # the epoch that has begun and not ended, or 0

    def __init__(
        self,
        configs: Sequence[TrainConfig],
        data: dict[int, Data],
        *,
        device: torch.device | None = None,
        precision: str | None = None,
    ) -> None:
        _check(configs, data)
        commit()  # the code that runs is today's, whatever is committed meanwhile
        self.configs, self.config = list(configs), configs[0]
        self.device = device or pick_device()
        self.precision = _precision(precision, self.device)
        self.dtype = getattr(torch, self.config.dtype)
        self.seeds = sorted({config.seed for config in configs})
        self.of_seed = [self.seeds.index(config.seed) for config in configs]
        self.failed, self.finished, self.open_epoch = {}, 0, 0
        rounded = self.device.type == "cuda" and self.precision != "float32"
        products = "high" if rounded else "highest"
        self.isolation = Isolation(self.config.seed, self.device, products, _COMPILED_SHAPES)
        with self.isolation:
            self._make_logs(data)
            self._make_network(data)
            self._load_windows([data[seed] for seed in self.seeds])

    def _make_logs(self, data: dict[int, Data]) -> None:
        self.logs, self.logged = [], []
        for config in self.configs:
            combiner = make_combiner(config.combiner, **config.combiner_settings)
            self.logs.append(RunLog(config, data[config.seed], combiner.get_name()))
            self.logged.append(logged_weights(combiner))
        self.schedules = [Schedule(config) for config in self.configs]
        self.orders = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def _make_network(self, data: dict[int, Data]) -> None:
        models = {seed: self._initial(seed, len(data[seed].names)) for seed in self.seeds}
        self.size = count_parameters(models[self.config.seed])
        self.noise = Noise([c.seed for c in self.configs], self.device)
        low = torch.bfloat16 if self.precision == "bf16-lstm" else None
        stacked = [models[c.seed] for c in self.configs]
        self.model = StackedModel(stacked, self.noise, self.device, low)
        self.optimiser = AdamW(self.model, self.config, self._learning_rates())

    def _initial(self, seed: int, inputs: int) -> DualTaskModel:
        """The weights that `Trainer` starts this seed from."""
        with Isolation(seed, torch.device("cpu"), "highest"):
            return make_model(self.config.preset, inputs, self.config.cap).to(self.dtype)

    def _load_windows(self, data: Sequence[Data]) -> None:
        self.train = Pool([d.train for d in data], self.device, self.dtype)
        held_out = [*(d.val for d in data), *(d.test for d in data)]
        self.held_out = Pool(held_out, self.device, self.dtype)
        self.weights = self._column([[w["rul_weight"], w["health_weight"]] for w in self.logged])
        self.unit = self._column([[c.rul_unit] for c in self.configs])
        self.weighted = self._column([[float(c.sample_weighted)] for c in self.configs])
        self.alive = self._column([1.0] * len(self.configs))

    def _learning_rates(self) -> Tensor:
        return self._column([[schedule.lr] for schedule in self.schedules])

    def _column(self, values: Sequence[Any]) -> Tensor:
        return torch.tensor(values, dtype=self.dtype, device=self.device)

    def fit(self, on_epoch: Callable[[int], None] | None = None) -> list[RunResult | TrainingError]:
        """Train to the last epoch. One result a cell, in order: a run, or why it stopped.

        `on_epoch` is called with the number of each finished epoch. Raises `TrainingError` where an
        earlier call was stopped within an epoch.
        """
        if self.open_epoch:
            raise TrainingError(
                f"this population was stopped within epoch {self.open_epoch}, and what it holds is "
                "of no epoch. Make a new one"
            )
        for epoch in range(self.finished + 1, self.config.epochs + 1):
            if len(self.failed) == len(self.configs):
                break
            self._epoch(epoch)
            if on_epoch:
                on_epoch(epoch)
        return [self.failed.get(c) or self._result(c) for c in range(len(self.configs))]

    def _epoch(self, epoch: int) -> None:
        start = time.perf_counter()
        self.open_epoch = epoch
        with self.isolation:
            records = self._train(epoch)
            self._evaluate(epoch, records)
        share = (time.perf_counter() - start) / len(self.configs)
        for c, record in records.items():
            self.logs[c].close(record, share)
        self.finished, self.open_epoch = epoch, 0

    def _train(self, epoch: int) -> dict[int, Record]:
        """The records of the cells that are alive, by their number."""
        self.noise.start(epoch)
        index, seen = self.train.epoch(self.orders, self.config.batch_size)
        of_seed = torch.tensor(self.of_seed)
        took = seen.any(2)[:, of_seed]  # (steps, C)
        index, seen = index.to(self.device), seen.to(self.device, self.dtype)
        rows = of_seed.to(self.device)
        active = took.to(self.alive) * self.alive
        self.optimiser.lr = self._learning_rates()
        losses = [self.step(index[k, rows], seen[k, rows], active[k]) for k in range(len(index))]
        history = torch.stack(losses).cpu().double()  # one transfer an epoch
        records = {}
        for c, schedule in enumerate(self.schedules):
            if c in self.failed:
                continue
            try:
                mine = history[took[:, c], c]
                records[c] = self.logs[c].trained(epoch, schedule.lr, mine, self.logged[c])
                schedule.after_training(epoch)
            except TrainingError as error:
                self._drop(c, error)
        return records

    def step(self, index: Tensor, seen: Tensor, active: Tensor) -> Tensor:
        """One optimiser step of every active cell.

        Parameters
        ----------
        index
            (C, B) numbers of training windows.
        seen
            (C, B), 1 for a window and 0 for padding.
        active
            (C,), 1 for the cells that take this step.

        Returns
        -------
        Tensor
            (C, 3) total, RUL and health losses, detached.
        """
        with self.isolation:
            losses = self._task_losses(index, seen, active)
            total = (self.weights * losses).sum(1)
            parts = list(self.model.parts.values())
            gradients = torch.autograd.grad(total.sum(), parts, materialize_grads=True)
            gradient = torch.cat([g.flatten(1) for g in gradients], dim=1)
            self.optimiser.step(gradient, active.unsqueeze(1))
            return torch.cat([total.unsqueeze(1), losses], dim=1).detach()

    def _task_losses(self, index: Tensor, seen: Tensor, active: Tensor) -> Tensor:
        """(C, 2) RUL losses (in `rul_unit`²) and health losses (nats); see `step`."""
        rul, logits = self.model(self.train.inputs(index), seen, active)
        target = self.train.rul[index]
        weight = 1.0 + self.weighted * (sample_weights(target, self.config.cap) - 1.0)
        rul_loss = weight * ((rul - target) / self.unit).square()
        health = self.train.health[index].flatten()
        health_loss = F.cross_entropy(logits.flatten(0, 1), health, reduction="none").view_as(rul)
        count = seen.sum(1).clamp(min=1)
        return torch.stack([(x * seen).sum(1) / count for x in (rul_loss, health_loss)], dim=1)

    @torch.no_grad()
    def predict(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """What the averaged weights say of the validation and the test windows.

        Returns
        -------
        tuple
            RUL of the validation windows (C, n), in cycles, and their health classes (C, n), then
            the same of the test windows (C, m). n and m are the largest seed's; what lies beyond a
            cell's own is of no use.
        """
        val = self.held_out.of(self.of_seed)
        test = self.held_out.of([len(self.seeds) + s for s in self.of_seed])
        rul, health = [], []
        with self.isolation:
            for index in torch.split(torch.cat([val, test], dim=1), _EVALUATED, dim=1):
                short = _EVALUATED - index.shape[1]  # another size would be compiled anew
                x = self.held_out.inputs(F.pad(index, (0, short)))
                average = self.optimiser.average, self.optimiser.average_buffers
                r, logits = self.model.evaluate(*average, x)
                rul.append(r)
                health.append(logits.argmax(-1))
        n, m = val.shape[1], val.shape[1] + test.shape[1]
        pred, classes = torch.cat(rul, 1).double().cpu().numpy(), torch.cat(health, 1).cpu().numpy()
        return pred[:, :n], classes[:, :n], pred[:, n:m], classes[:, n:m]

    def _evaluate(self, epoch: int, records: dict[int, Record]) -> None:
        """Complete the records. A cell that fails loses its own."""
        val_rul, val_health, test_rul, test_health = self.predict()
        for c in list(records):
            log = self.logs[c]
            n, m = len(log.data.val), len(log.data.test)
            val, test = (val_rul[c, :n], val_health[c, :n]), (test_rul[c, :m], test_health[c, :m])
            try:
                for pred, _ in (val, test):
                    check_predictions(log.config, epoch, pred)
            except TrainingError as error:
                self._drop(c, error)
                del records[c]
                continue
            log.evaluated(records[c], val, test)
            self.schedules[c].after_validation(records[c]["val_rmse"])

    def _drop(self, c: int, error: TrainingError) -> None:
        self.failed[c] = error
        self.alive[c] = 0.0

    def _result(self, c: int) -> RunResult | TrainingError:
        with self.isolation:
            machine = {**provenance(self.device), "precision": self.precision}
        try:
            return self.logs[c].result(machine, self.size, together=len(self.configs))
        except TrainingError as error:
            return error


def _check(configs: Sequence[TrainConfig], data: dict[int, Data]) -> None:
    if not configs:
        raise ValueError("a population needs at least one cell")
    shared = [f.name for f in dataclasses.fields(TrainConfig) if f.name not in MAY_DIFFER]
    for config in configs:
        for name in shared:
            ours, theirs = getattr(config, name), getattr(configs[0], name)
            if ours != theirs:
                raise ValueError(
                    f"cells of one population share their {name}, got {theirs} and {ours}; "
                    "make two populations"
                )
        if why := _hindrance(config):
            raise ValueError(f"{why}; train such cells one by one")
        if config.seed not in data:
            raise ValueError(f"no data for seed {config.seed}; there are {sorted(data)}")
        config.check_data(data[config.seed])


def _precision(name: str | None, device: torch.device) -> str:
    """The precision asked for, or the device's own."""
    check_precision(name)
    if device.type == "cuda":
        import torch._dynamo  # its settings are then there to be made  # noqa: F401
    elif name == "tf32":
        raise ValueError("a CPU has no tf32; write float32, or leave the precision out")
    return name or ("tf32" if device.type == "cuda" else "float32")
