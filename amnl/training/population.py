"""Many cells side by side: the training of one stacked model.

One cell after another leaves a big GPU idle between launches. Here the cells of one subset and
preset train together: their weights lie in one (C, P) array, a layer is a batched matrix product
over C (`amnl.training.stacked`), and clipping, AdamW and the weight average are one pass over the
whole array. Every cell keeps its own seed, engines, batch order, λ, unit, learning rate and best
epoch, and gets what `Trainer` gives it alone: the same numbers up to rounding where dropout is off,
the same distribution where it is on. Dropout is drawn by seed, so cells of one seed share their
masks as they share their batches, and a cell's numbers do not depend, up to rounding, on the
company it was trained in.
"""

import copy
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from amnl.cmapss import MAX_RUL, WINDOW, Data, Windows
from amnl.combiners import FixedWeightLoss, make_combiner
from amnl.losses import sample_weights
from amnl.provenance import commit, provenance
from amnl.training.isolation import Alone
from amnl.training.model import DualTaskModel, count_parameters, make_model
from amnl.training.stacked import Noise, StackedModel, compiled_on_gpu
from amnl.training.trainer import (
    NEWER,
    RunResult,
    TrainConfig,
    TrainingError,
    bad_prediction,
    in_batches,
    judged,
    logged_weights,
    metrics,
    pick_device,
    schedulers,
    scored,
    stopped_by,
)

# Settings in which the cells of one population may differ.
OWN = ("seed", "combiner", "combiner_settings", "rul_unit", "sample_weighted")
# Of matrix products. Whatever it is, weights, their averages and all sums stay in the cells' dtype.
PRECISIONS = ("float32", "tf32", "bf16-lstm")
_PARTS = ("train", "val", "test")
_AT_ONCE = 256  # windows of a cell in one evaluating pass
_BETAS, _EPS = (0.9, 0.999), 1e-8  # AdamW's, as in `torch.optim`


def fits(config: TrainConfig) -> bool:
    """Whether a population can train this cell: its combiner's weights must stand still, its
    initial weights be the seed's own, and its second task the health states."""
    if _given(config):
        return False
    combiner = make_combiner(config.combiner, **config.combiner_settings)
    return type(combiner) is FixedWeightLoss  # a subclass may have a rule of its own


def _given(config: TrainConfig) -> list[str]:
    """The newer settings that have another value than the default. No population knows them."""
    return [name for name in NEWER if getattr(config, name) != getattr(TrainConfig, name)]


class Pool:
    """Several `Windows` in one array, one a member. `index` numbers run over all of them."""

    def __init__(
        self, windows: Sequence[Windows], device: torch.device, dtype: torch.dtype
    ) -> None:
        self.sizes = [len(w) for w in windows]
        self.starts = np.cumsum([0, *self.sizes])[:-1].tolist()
        rows = np.cumsum([0, *(len(w.values) for w in windows)])[:-1]
        last = np.concatenate([w.last + r for w, r in zip(windows, rows, strict=True)])
        self.values = torch.as_tensor(np.concatenate([w.values for w in windows])).to(device, dtype)
        self.last = torch.as_tensor(last).to(device)
        self.rul = torch.as_tensor(np.concatenate([w.rul for w in windows])).to(device, dtype)
        self.health = torch.as_tensor(np.concatenate([w.health for w in windows])).to(device)
        self.offsets = torch.arange(1 - WINDOW, 1, device=device)

    def inputs(self, index: Tensor) -> Tensor:
        """(C, B) window numbers → (C, B, 30, 17)."""
        rows = (self.last[index].unsqueeze(-1) + self.offsets).flatten()
        return self.values.index_select(0, rows).view(*index.shape, WINDOW, -1)

    def of(self, members: Sequence[int]) -> Tensor:
        """Window numbers (C, n) of the C `members`, n the largest's; others repeat their last."""
        starts, sizes = (
            torch.tensor([given[k] for k in members], device=self.last.device).unsqueeze(1)
            for given in (self.starts, self.sizes)
        )
        numbers = torch.arange(int(sizes.max()), device=self.last.device)
        return starts + torch.minimum(numbers, sizes - 1)

    def epoch(self, orders: Sequence[torch.Generator], batch_size: int) -> tuple[Tensor, Tensor]:
        """One shuffled epoch: window numbers (steps, S, B) and 1 where there is one, on the host.

        The batches of a seed are those of `Batches.shuffled`. A seed with fewer of them than
        another ends in empty ones. B is the largest batch's.
        """
        split = []
        for size, start, order in zip(self.sizes, self.starts, orders, strict=True):
            numbers = torch.randperm(size, generator=order) + start
            split.append(in_batches(numbers, batch_size))
        steps = max(len(batches) for batches in split)
        largest = max(len(batches[0]) for batches in split)
        index = torch.tensor(self.starts).repeat(steps, 1).unsqueeze(-1).repeat(1, 1, largest)
        seen = torch.zeros(index.shape)
        for s, batches in enumerate(split):
            for k, batch in enumerate(batches):
                index[k, s, : len(batch)] = batch
                seen[k, s, : len(batch)] = 1.0
        return index, seen


class Schedule:
    """The learning rate of one cell: `Trainer`'s schedulers on an optimiser of nothing."""

    def __init__(self, config: TrainConfig) -> None:
        self.optimiser = torch.optim.SGD([torch.zeros(())], lr=config.lr)
        self.warmup, self.plateau = schedulers(self.optimiser, config)
        self.warmup_epochs = config.warmup_epochs

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimiser.param_groups[0]["lr"])

    def after_training(self, epoch: int) -> None:
        """Warm up. `epoch` counts from 1."""
        self.optimiser.step()
        if epoch <= self.warmup_epochs:
            self.warmup.step()

    def after_validation(self, val_rmse: float) -> None:
        """Lower the rate where the validation RMSE (cycles) has stopped falling."""
        self.plateau.step(val_rmse)


class Population:
    """Trains cells that share everything but `OWN`, and fixed weights, side by side.

    data       maps each seed to its `cmapss.load`
    precision  "float32": every product as exact as the cells' dtype. "tf32": on a GPU, float32
               factors are rounded to 10 bits. "bf16-lstm": moreover, those of the LSTM to 7 bits.
               By default "tf32" on a GPU and "float32" on a CPU

    Raises `ValueError` for cells that do not go together, for combiners whose weights move, for
    missing seeds, and for a precision that the device has not.
    """

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
        self.configs, self.data = list(configs), data
        self.device = device or pick_device()
        self.precision = _precision(precision, self.device)
        first = self.config = configs[0]
        self.dtype = getattr(torch, first.dtype)
        rounded = self.device.type == "cuda" and self.precision != "float32"
        # The compiler meets a few shapes of a function in each group of cells.
        self.alone = Alone(first.seed, self.device, "high" if rounded else "highest", 64)
        with self.alone:
            self._build()

    def _build(self) -> None:
        configs, data, first = self.configs, self.data, self.config
        combiners = [make_combiner(c.combiner, **c.combiner_settings) for c in configs]
        self.names = [combiner.get_name() for combiner in combiners]
        self.logged = [logged_weights(combiner) for combiner in combiners]
        self.seeds = sorted({config.seed for config in configs})
        self.of_seed = [self.seeds.index(config.seed) for config in configs]
        models = {seed: self._fresh(seed) for seed in self.seeds}
        self.noise = Noise([c.seed for c in configs], self.device)
        self.model = StackedModel(
            [models[c.seed] for c in configs],
            self.noise,
            self.device,
            torch.bfloat16 if self.precision == "bf16-lstm" else None,
        )
        self.count = count_parameters(models[first.seed])
        cells = len(configs)
        pairs = [[w["rul_weight"], w["health_weight"]] for w in self.logged]
        self.weights = self._column(pairs)  # (C, 2)
        self.unit = self._column([[c.rul_unit] for c in configs])  # (C, 1)
        self.weighted = self._column([[float(c.sample_weighted)] for c in configs])
        self.lr = self._column([[first.lr * first.warmup_start]] * cells)
        self.alive = self._column([1.0] * cells)
        self.steps = torch.zeros_like(self.unit)  # optimiser steps that each cell has taken
        self.moments = [torch.zeros_like(self.model.parameters) for _ in _BETAS]
        self.average = self.model.parameters.clone()
        self.average_buffers = self.model.buffers.clone()
        windows = {part: [getattr(data[s], part) for s in self.seeds] for part in _PARTS}
        self.train = Pool(windows["train"], self.device, self.dtype)
        self.held_out = Pool(windows["val"] + windows["test"], self.device, self.dtype)
        self.schedules = [Schedule(config) for config in configs]
        self.orders = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        self.history: list[list[dict[str, Any]]] = [[] for _ in configs]
        self.best: list[dict[str, Any]] = [{"val_rmse": float("inf")} for _ in configs]
        self.failed: dict[int, TrainingError] = {}
        self.finished = 0  # epochs
        self.within = 0  # the epoch that has begun and not ended
        self.seconds = 0.0

    def fit(self, on_epoch: Callable[[int], None] | None = None) -> list[RunResult | TrainingError]:
        """Train to the last epoch. One result a cell, in order: a run, or why it stopped.

        `on_epoch` is called with the number of each finished epoch. Raises `TrainingError` where an
        earlier call was stopped within an epoch.
        """
        if self.within:
            raise TrainingError(
                f"this population was stopped within epoch {self.within}, and what it holds is of "
                "no epoch. Make a new one"
            )
        for epoch in range(self.finished + 1, self.config.epochs + 1):
            if len(self.failed) == len(self.configs):
                break
            begun = time.perf_counter()
            self.within = epoch
            with self.alone:
                records = self._epoch(epoch)
                self._evaluate(epoch, records)
            share = (time.perf_counter() - begun) / len(self.configs)
            self.seconds += share
            for c, record in records.items():
                self.history[c].append(record | {"seconds": round(share, 3)})
            self.finished, self.within = epoch, 0
            if on_epoch:
                on_epoch(epoch)
        return [self.failed.get(c) or self._result(c) for c in range(len(self.configs))]

    # ------------------------------------------------------------------------------------ training

    def step(self, index: Tensor, seen: Tensor, active: Tensor) -> Tensor:
        """One optimiser step of every active cell; (C, 3) total, RUL and health losses, detached.

        index   (C, B) numbers of training windows
        seen    (C, B), 1 for a window and 0 for padding
        active  (C,), 1 for the cells that take this step
        """
        with self.alone:
            return self._step(index, seen, active)

    def _step(self, index: Tensor, seen: Tensor, active: Tensor) -> Tensor:
        rul, logits = self.model(self.train.inputs(index), seen, active)
        target = self.train.rul[index]
        weight = 1.0 + self.weighted * (sample_weights(target, MAX_RUL) - 1.0)
        rul_loss = weight * ((rul - target) / self.unit).square()
        health = self.train.health[index].flatten()
        health_loss = F.cross_entropy(logits.flatten(0, 1), health, reduction="none").view_as(rul)
        count = seen.sum(1).clamp(min=1)
        sums = [(loss * seen).sum(1) / count for loss in (rul_loss, health_loss)]
        losses = torch.stack(sums, dim=1)
        total = (self.weights * losses).sum(1)
        parts = list(self.model.parts.values())
        gradients = torch.autograd.grad(total.sum(), parts, materialize_grads=True)
        self._update(torch.cat([g.flatten(1) for g in gradients], dim=1), active.unsqueeze(1))
        return torch.cat([total.unsqueeze(1), losses], dim=1).detach()

    @torch.no_grad()
    def _update(self, g: Tensor, active: Tensor) -> None:
        """Clipping, AdamW and the weight average, cell by cell, in one pass over (C, P) arrays."""
        scale = (self.config.clip / (g.norm(dim=1, keepdim=True) + 1e-6)).clamp(max=1.0)
        done = self.steps  # before this one
        self.steps = done + active
        decay = ((1 + done) / (10 + done)).clamp(max=self.config.ema)
        pace = torch.where(done == 0, torch.ones_like(done), 1 - decay) * active
        first, second = (1 - beta ** (done + 1) for beta in _BETAS)
        lr = self.lr * active
        m, v = self.moments
        _adamw(
            self.model.parameters.detach(),
            g,
            m,
            v,
            self.average,
            scale,
            active,
            1 - lr * self.config.weight_decay,
            lr / first,
            second.sqrt(),
            pace,
        )
        self.average_buffers += (self.model.buffers - self.average_buffers) * pace

    def _epoch(self, epoch: int) -> dict[int, dict[str, Any]]:
        self.noise.start(epoch)
        index, seen = self.train.epoch(self.orders, self.config.batch_size)
        of_seed = torch.tensor(self.of_seed)
        took = seen.any(2)[:, of_seed]  # (steps, C)
        index, seen = index.to(self.device), seen.to(self.device, self.dtype)
        rows = of_seed.to(self.device)
        active = took.to(self.alive) * self.alive
        losses = [self._step(index[k, rows], seen[k, rows], active[k]) for k in range(len(index))]
        history = torch.stack(losses).cpu().double()  # one transfer an epoch
        records = {}
        for c, config in enumerate(self.configs):
            if c in self.failed:
                continue
            mine = history[took[:, c], c]
            if not bool(mine.isfinite().all()):
                self._drop(c, stopped_by(config, self.names[c], epoch, mine))
                continue
            total, rul_loss, health_loss = mine.mean(0).tolist()
            records[c] = {
                "epoch": epoch,
                "lr": self.schedules[c].lr,
                "loss": total,
                "rul_loss": rul_loss,
                "health_loss": health_loss,
                **self.logged[c],  # as given, not as float32 has them
            }
            self.schedules[c].after_training(epoch)
        return records

    def _drop(self, c: int, error: TrainingError) -> None:
        self.failed[c] = error
        self.alive[c] = 0.0

    # ---------------------------------------------------------------------------------- evaluation

    @torch.no_grad()
    def predict(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """RUL of the validation windows (C, n), in cycles, and their health classes (C, n), then
        the same of the test windows (C, m), under the averaged weights.

        n and m are the largest seed's; what lies beyond a cell's own is of no use.
        """
        with self.alone:
            return self._predict()

    def _predict(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        val = self.held_out.of(self.of_seed)
        test = self.held_out.of([len(self.seeds) + s for s in self.of_seed])
        rul, health = [], []
        for index in torch.split(torch.cat([val, test], dim=1), _AT_ONCE, dim=1):
            short = _AT_ONCE - index.shape[1]  # another size would be compiled anew
            x = self.held_out.inputs(F.pad(index, (0, short)))
            r, logits = self.model.evaluate(self.average, self.average_buffers, x)
            rul.append(r)
            health.append(logits.argmax(-1))
        n, m = val.shape[1], val.shape[1] + test.shape[1]
        pred, classes = torch.cat(rul, 1).double().cpu().numpy(), torch.cat(health, 1).cpu().numpy()
        return pred[:, :n], classes[:, :n], pred[:, n:m], classes[:, n:m]

    def _evaluate(self, epoch: int, records: dict[int, dict[str, Any]]) -> None:
        found = self.predict()
        better = []
        for c, record in list(records.items()):
            config = self.configs[c]
            data = self.data[config.seed]
            n, m = len(data.val), len(data.test)
            val, test = ((r[c, :k], h[c, :k]) for r, h, k in ((*found[:2], n), (*found[2:], m)))
            for values in (val[0], test[0]):
                if c not in self.failed and not np.isfinite(values).all():
                    self._drop(c, bad_prediction(config, epoch, values))
            if c in self.failed:
                del records[c]
                continue
            record |= judged(config, data, val, test)
            self.schedules[c].after_validation(record["val_rmse"])
            if record["val_rmse"] < self.best[c]["val_rmse"]:
                self.best[c] = {
                    "epoch": epoch,
                    "val_rmse": record["val_rmse"],
                    "predictions": scored(config, data.test, *test),
                }
                better.append(c)
        self.lr = self._column([[schedule.lr] for schedule in self.schedules])

    def _result(self, c: int) -> RunResult | TrainingError:
        config = self.configs[c]
        data, best = self.data[config.seed], self.best[c]
        try:
            scores = metrics(config, self.history[c], best)
        except TrainingError as error:
            return error
        with self.alone:
            where = provenance(self.device)
        return RunResult(
            config,
            scores,
            copy.deepcopy(self.history[c]),
            copy.deepcopy(best["predictions"]),
            {
                **where,
                "precision": self.precision,
                "data": str(data.source),
                "parameters": self.count,
                "train_windows": len(data.train),
                "val_windows": len(data.val),
                "seconds": round(self.seconds, 1),
                "together": len(self.configs),
            },
        )

    def _fresh(self, seed: int) -> DualTaskModel:
        """The weights that `Trainer` starts this seed from."""
        with Alone(seed, torch.device("cpu"), "highest"):
            return make_model(self.config.preset).to(self.dtype)

    def _column(self, values: Sequence[Any]) -> Tensor:
        return torch.tensor(values, dtype=self.dtype, device=self.device)


def _check(configs: Sequence[TrainConfig], data: dict[int, Data]) -> None:
    if not configs:
        raise ValueError("a population needs at least one cell")
    shared = [f.name for f in dataclasses.fields(TrainConfig) if f.name not in OWN]
    for config in configs:
        for name in shared:
            ours, theirs = getattr(config, name), getattr(configs[0], name)
            if ours != theirs:
                raise ValueError(
                    f"cells of one population share their {name}, got {theirs} and {ours}; "
                    "make two populations"
                )
        for name in _given(config):
            raise ValueError(
                f"a population has no {name}, got {getattr(config, name)!r}; train such cells one "
                "by one"
            )
        if not fits(config):
            raise ValueError(
                f"a population needs weights that stand still, not {config.combiner!r}; train such "
                "cells one by one"
            )
        if config.seed not in data:
            raise ValueError(f"no data for seed {config.seed}; there are {sorted(data)}")
        loaded = data[config.seed]
        for name in ("subset", "seed", "stride"):
            if getattr(config, name) != getattr(loaded, name):
                raise ValueError(
                    f"the settings say {name} {getattr(config, name)}, the data were loaded with "
                    f"{getattr(loaded, name)}; load them with {name} {getattr(config, name)}"
                )


def check_precision(name: str | None) -> None:
    """Raises `ValueError` for a precision that is none."""
    if name is not None and name not in PRECISIONS:
        raise ValueError(f"unknown precision {name!r}; there are {', '.join(PRECISIONS)}")


def _precision(name: str | None, device: torch.device) -> str:
    """The precision asked for, or the device's own."""
    check_precision(name)
    if device.type == "cuda":
        import torch._dynamo  # its settings are then there to be made  # noqa: F401
    elif name == "tf32":
        raise ValueError("a CPU has no tf32; write float32, or leave the precision out")
    return name or ("tf32" if device.type == "cuda" else "float32")


@compiled_on_gpu
def _adamw(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    average: Tensor,
    scale: Tensor,
    active: Tensor,
    kept: Tensor,
    lr: Tensor,
    root: Tensor,
    pace: Tensor,
) -> None:
    """AdamW and the average of the weights, in place on (C, P) arrays.

    All others are (C, 1): what clipping leaves of the gradient, 1 where a cell takes the step, what
    decay leaves of the weights, the learning rate over m's bias, the root of v's, and the pace of
    the average.
    """
    g = g * scale
    m += (g - m) * ((1 - _BETAS[0]) * active)
    v += (g.square() - v) * ((1 - _BETAS[1]) * active)
    p *= kept
    p -= lr * m / (v.sqrt() / root + _EPS)
    average += (p - average) * pace
