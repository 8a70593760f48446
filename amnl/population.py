"""Many cells as one model: every tensor has a leading axis of cells.

One cell after another leaves a big GPU idle between launches, and `torch.vmap` cannot map an LSTM.
Here the cells of one subset and preset train side by side: their weights lie in one (C, P) array,
a layer is a batched matrix product over C, and clipping, AdamW and the weight average are a few
passes over the whole array. Every cell keeps its own seed, engines, batch order, λ, unit, learning
rate and best epoch, and gets what `Trainer` gives it alone: the same numbers up to rounding where
dropout is off, the same distribution where it is on. Dropout is drawn by seed, so cells of one seed
share their masks as they share their batches, and a cell's numbers do not depend, up to rounding,
on the company it was trained in.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amnl.cmapss import MAX_RUL, WINDOW, Data, Windows
from amnl.combiners import FixedWeightLoss, make_combiner
from amnl.losses import rmse, sample_weights
from amnl.model import Dropout, DualTaskModel, count_parameters, make_model
from amnl.train import (
    RunResult,
    TrainConfig,
    TrainingError,
    _commit,
    bad_prediction,
    metrics,
    pick_device,
    provenance,
    schedulers,
    scored,
    stopped_by,
    use_tf32,
)

# Settings in which the cells of one population may differ.
OWN = ("seed", "combiner", "combiner_settings", "rul_unit", "sample_weighted")
_BETAS, _EPS = (0.9, 0.999), 1e-8  # AdamW's, as in `torch.optim`


def fits(config: TrainConfig) -> bool:
    """Whether a population can train this cell: its combiner's weights must stand still."""
    combiner = make_combiner(config.combiner, **config.combiner_settings)
    return type(combiner) is FixedWeightLoss  # a subclass may have a rule of its own


class Noise:
    """Dropout masks of C cells, drawn by seed: cells of one seed get the same.

    Reseeded every epoch, so that steps which a seed with more windows takes after a cell's last
    leave no trace in the cell's next epoch.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self.seeds = sorted(set(seeds))
        self.of_seed = torch.tensor([self.seeds.index(seed) for seed in seeds], device=device)
        self.streams = [torch.Generator(device) for _ in self.seeds]
        self.start(0)

    def start(self, epoch: int) -> None:
        """Begin the streams of an epoch."""
        for seed, stream in zip(self.seeds, self.streams, strict=True):
            stream.manual_seed(seed << 20 | epoch)

    def drop(self, x: Tensor, p: float) -> Tensor:
        """(C, …) with entries 0 with probability `p`, else scaled up."""
        keep = torch.empty((len(self.seeds), *x.shape[1:]), dtype=torch.bool, device=x.device)
        for mask, stream in zip(keep, self.streams, strict=True):
            mask.bernoulli_(1 - p, generator=stream)
        return x * keep[self.of_seed].to(x.dtype).div_(1 - p)


class StackedModel:
    """C dual-task models as one. `parameters` (C, P) holds all weights, `buffers` (C, Q) the
    running statistics of BatchNorm; `parts` and `statistics` are named views into them, under the
    names that the single model gives them."""

    def __init__(self, models: Sequence[DualTaskModel], noise: Noise, device: torch.device) -> None:
        self.shape = models[0]  # layer sizes and dropout rates; its own weights are not used
        self.noise = noise
        self.parameters, self.parts = _flatten([dict(m.named_parameters()) for m in models], device)
        floats = [{k: b for k, b in m.named_buffers() if b.is_floating_point()} for m in models]
        self.buffers, self.statistics = _flatten(floats, device)
        for view in self.parts.values():
            view.requires_grad_()

    def __call__(
        self, x: Tensor, seen: Tensor | None = None, active: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(C, B, 30, 17) → RUL (C, B) in cycles and logits (C, B, 3), in training mode.

        seen    (C, B), 1 for a window and 0 for padding; None when there is no padding
        active  (C,), 1 where running statistics may move
        """
        return _Forward(self.shape, self.parts, self.statistics, self.noise, seen, active)(x)


class _Forward:
    """One pass, in training mode where there is noise. Names are those of the single model."""

    def __init__(
        self,
        shape: DualTaskModel,
        parts: dict[str, Tensor],
        statistics: dict[str, Tensor],
        noise: Noise | None = None,
        seen: Tensor | None = None,
        active: Tensor | None = None,
    ) -> None:
        self.shape, self.parts, self.statistics = shape, parts, statistics
        self.noise, self.seen, self.active = noise, seen, active

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        trunk = self.shape.trunk
        for k, layer in enumerate(trunk.conv):
            x = self._conv_block(f"trunk.conv.{k}", layer, x)
        x = self._lstm(x)
        last = x[:, :, -1] + self._attention(x)
        last = F.layer_norm(last, last.shape[-1:])
        last = last * self.parts["trunk.norm.weight"].unsqueeze(1)
        last = last + self.parts["trunk.norm.bias"].unsqueeze(1)
        shared = self._sequence("trunk.funnel", trunk.funnel, last)
        rul = self._sequence("rul_head", self.shape.rul_head, shared)
        return rul.squeeze(-1), self._sequence("health_head", self.shape.health_head, shared)

    def _drop(self, x: Tensor, p: float) -> Tensor:
        return self.noise.drop(x, p) if self.noise and p else x

    def _conv_block(self, name: str, layer: nn.Module, x: Tensor) -> Tensor:
        """(C, B, T, F): a convolution over T as one product with three shifted copies."""
        if isinstance(layer, nn.Conv2d):
            cells, batch, steps, _ = x.shape
            padded = F.pad(x, (0, 0, 1, 1))
            taps = torch.cat([padded[:, :, k : k + steps] for k in range(3)], dim=-1)
            weight = self.parts[f"{name}.weight"].squeeze(3)  # (C, out, in, 3)
            weight = weight.permute(0, 3, 2, 1).flatten(1, 2)  # (C, 3 · in, out)
            return torch.bmm(taps.flatten(1, 2), weight).view(cells, batch, steps, -1)
        if isinstance(layer, nn.BatchNorm2d):
            return self._batch_norm(name, layer, x)
        if isinstance(layer, Dropout):
            return self._drop(x, layer.p)
        return x.relu()

    def _batch_norm(self, name: str, layer: nn.BatchNorm2d, x: Tensor) -> Tensor:
        mean, var = (self.statistics[f"{name}.running_{k}"] for k in ("mean", "var"))
        if self.noise:
            cells, batch, steps, _ = x.shape
            if self.seen is None:
                count = torch.full((cells, 1), batch * steps, dtype=x.dtype, device=x.device)
                now = x.mean((1, 2))
                spread = (x - now[:, None, None]).square().mean((1, 2))
            else:
                count = (self.seen.sum(1, keepdim=True) * steps).clamp(min=1)
                weight = self.seen[:, :, None, None]
                now = (x * weight).sum((1, 2)) / count
                spread = ((x - now[:, None, None]).square() * weight).sum((1, 2)) / count
            with torch.no_grad():
                pace = torch.full_like(count, layer.momentum or 0.0)
                if self.active is not None:
                    pace = pace * self.active[:, None]
                unbiased = spread * count / (count - 1).clamp(min=1)
                mean.add_((now - mean) * pace)
                var.add_((unbiased - var) * pace)
            mean, var = now, spread
        scale = self.parts[f"{name}.weight"] * (var + layer.eps).rsqrt()
        shift = self.parts[f"{name}.bias"] - mean * scale
        return x * scale[:, None, None] + shift[:, None, None]

    def _lstm(self, x: Tensor) -> Tensor:
        """(C, B, T, F) → (C, B, T, 2H). Both directions are one batch of 2C cells."""
        lstm = self.shape.trunk.lstm
        for layer in range(lstm.num_layers):
            if layer:
                x = self._drop(x, lstm.dropout)
            w_ih, w_hh, b_ih, b_hh = (
                torch.cat([self.parts[f"trunk.lstm.{k}_l{layer}{way}"] for way in ("", "_reverse")])
                for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            both = torch.cat([x, x.flip(2)]).transpose(1, 2)  # (2C, T, B, F)
            cells, steps, batch, _ = both.shape
            gates = torch.baddbmm((b_ih + b_hh).unsqueeze(1), both.flatten(1, 2), w_ih.mT)
            gates = gates.view(cells, steps, batch, -1)
            h = gates.new_zeros(cells, batch, lstm.hidden_size)
            c = torch.zeros_like(h)
            outputs = []
            for t in range(steps):
                h, c = lstm_cell(torch.baddbmm(gates[:, t], h, w_hh.mT), c)
                outputs.append(h)
            out = torch.stack(outputs, dim=2)  # (2C, B, T, H)
            there, back = out.chunk(2)
            x = torch.cat([there, back.flip(2)], dim=-1)
        return x

    def _attention(self, x: Tensor) -> Tensor:
        """The last cycle's query over all cycles, as in `LastQueryAttention`."""
        layer, name = self.shape.trunk.attention, "trunk.attention"
        cells, _, _, features = x.shape
        heads, size = layer.heads, features // layer.heads
        weight = self.parts[f"{name}.in_proj_weight"].view(cells, 3, heads, size, features)
        bias = self.parts[f"{name}.in_proj_bias"].view(cells, 3, heads, size)
        query = torch.einsum("cbe,chse->cbhs", x[:, :, -1], weight[:, 0]) + bias[:, 0].unsqueeze(1)
        folded = torch.einsum("cbhs,chse->cbhe", query, weight[:, 1])
        scores = torch.einsum("cbhe,cbte->cbht", folded, x) * size**-0.5
        share = self._drop(scores.softmax(-1), layer.dropout.p)
        mean = torch.einsum("cbht,cbte->cbhe", share, x)
        value = torch.einsum("cbhe,chse->cbhs", mean, weight[:, 2])
        value = value + share.sum(-1, keepdim=True) * bias[:, 2].unsqueeze(1)
        return self._linear(f"{name}.out_proj", value.flatten(2))

    def _linear(self, name: str, x: Tensor) -> Tensor:
        bias = self.parts[f"{name}.bias"].unsqueeze(1)
        return torch.baddbmm(bias, x, self.parts[f"{name}.weight"].mT)

    def _sequence(self, name: str, layers: nn.Sequential, x: Tensor) -> Tensor:
        for k, layer in enumerate(layers):
            if isinstance(layer, nn.Linear):
                x = self._linear(f"{name}.{k}", x)
            else:
                x = self._drop(x, layer.p) if isinstance(layer, Dropout) else x.relu()
        return x


def lstm_cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: gates (…, 4H) in PyTorch's order, cell state (…, H) → h, c."""
    i, f, g, o = gates.chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _flatten(
    cells: Sequence[dict[str, Tensor]], device: torch.device
) -> tuple[Tensor, dict[str, Tensor]]:
    """Tensors of the same names in every cell → one (C, n) array and named views into it."""
    rows = [torch.cat([t.detach().flatten() for t in cell.values()]) for cell in cells]
    flat = torch.stack(rows).to(device)
    return flat, _views(flat, cells[0], axis=0)


def _views(flat: Tensor, like: dict[str, Tensor], axis: int = 1) -> dict[str, Tensor]:
    """Views into (C, n) with the shapes of `like`, whose own axis of cells, if any, is `axis`."""
    out, start = {}, 0
    for name, tensor in like.items():
        shape = tensor.shape[axis:]
        size = shape.numel()
        out[name] = flat[:, start : start + size].view(len(flat), *shape)
        start += size
    return out


class Pool:
    """The windows of several seeds in one array. `index` numbers run over all of them."""

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

    def epoch(self, orders: Sequence[torch.Generator], batch_size: int) -> tuple[Tensor, Tensor]:
        """One shuffled epoch: window numbers (steps, S, B) and 1 where there is one, on the host.

        The batches of a seed are those of `Batches.shuffled`. A seed with fewer of them than
        another ends in empty ones.
        """
        split = []
        for size, start, order in zip(self.sizes, self.starts, orders, strict=True):
            numbers = torch.randperm(size, generator=order) + start
            split.append([b for b in torch.split(numbers, batch_size) if len(b) > 1])
        steps = max(len(batches) for batches in split)
        index = torch.tensor(self.starts).repeat(steps, 1).unsqueeze(-1).repeat(1, 1, batch_size)
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

    `data` maps each seed to its `cmapss.load`. Raises `ValueError` for cells that do not go
    together, for combiners whose weights move, and for missing seeds.
    """

    def __init__(
        self,
        configs: Sequence[TrainConfig],
        data: dict[int, Data],
        *,
        device: torch.device | None = None,
    ) -> None:
        _check(configs, data)
        _commit()  # the code that runs is today's, whatever is committed meanwhile
        self.configs, self.data = list(configs), data
        self.device = device or pick_device()
        use_tf32(self.device)
        first = self.config = configs[0]
        self.dtype = getattr(torch, first.dtype)
        combiners = [make_combiner(c.combiner, **c.combiner_settings) for c in configs]
        self.names = [combiner.get_name() for combiner in combiners]
        self.logged = [combiner.get_weights() for combiner in combiners]
        self.seeds = sorted({config.seed for config in configs})
        self.of_seed = [self.seeds.index(config.seed) for config in configs]
        models = {seed: self._fresh(seed) for seed in self.seeds}
        self.noise = Noise([c.seed for c in configs], self.device)
        self.model = StackedModel([models[c.seed] for c in configs], self.noise, self.device)
        self.count = count_parameters(self.model.shape)
        cells = len(configs)
        self.weights = self._column([list(w.values()) for w in self.logged])  # (C, 2)
        self.unit = self._column([[c.rul_unit] for c in configs])  # (C, 1)
        self.weighted = self._column([[float(c.sample_weighted)] for c in configs])
        self.lr = self._column([[first.lr * first.warmup_start]] * cells)
        self.alive = self._column([1.0] * cells)
        self.steps = torch.zeros_like(self.unit)  # optimiser steps that each cell has taken
        self.moments = torch.zeros(2, *self.model.parameters.shape, dtype=self.dtype).to(
            self.device
        )
        self.average = self.model.parameters.clone()
        self.average_buffers = self.model.buffers.clone()
        self.train, self.val, self.test = (
            Pool([getattr(data[s], part) for s in self.seeds], self.device, self.dtype)
            for part in ("train", "val", "test")
        )
        self.schedules = [Schedule(config) for config in configs]
        self.orders = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        self.history: list[list[dict[str, Any]]] = [[] for _ in configs]
        self.best: list[dict[str, Any]] = [{"val_rmse": float("inf")} for _ in configs]
        self.failed: dict[int, TrainingError] = {}

    def fit(self, on_epoch: Callable[[int], None] | None = None) -> list[RunResult | TrainingError]:
        """Train to the last epoch. One result a cell, in order: a run, or why it stopped.

        `on_epoch` is called with the number of each finished epoch.
        """
        started = time.perf_counter()
        for epoch in range(1, self.config.epochs + 1):
            begun = time.perf_counter()
            records = self._epoch(epoch)
            self._evaluate(epoch, records)
            for c, record in records.items():
                record["seconds"] = round((time.perf_counter() - begun) / len(self.configs), 3)
                self.history[c].append(record)
            if on_epoch:
                on_epoch(epoch)
            if len(self.failed) == len(self.configs):
                break
        seconds = (time.perf_counter() - started) / len(self.configs)
        return [self.failed.get(c) or self._result(c, seconds) for c in range(len(self.configs))]

    # ------------------------------------------------------------------------------------ training

    def step(self, index: Tensor, seen: Tensor | None, active: Tensor) -> Tensor:
        """One optimiser step of every active cell; (C, 3) total, RUL and health losses, detached.

        index   (C, B) numbers of training windows
        seen    (C, B), 1 for a window and 0 for padding; None when there is no padding
        active  (C,), 1 for the cells that take this step
        """
        rul, logits = self.model(self.train.inputs(index), seen, active)
        target = self.train.rul[index]
        weight = 1.0 + self.weighted * (sample_weights(target, MAX_RUL) - 1.0)
        rul_loss = weight * ((rul - target) / self.unit).square()
        health = self.train.health[index].flatten()
        health_loss = F.cross_entropy(logits.flatten(0, 1), health, reduction="none").view_as(rul)
        if seen is None:
            losses = torch.stack([rul_loss.mean(1), health_loss.mean(1)], dim=1)
        else:
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
        """Clipping, AdamW and the weight average, cell by cell, on whole (C, P) arrays."""
        p, (m, v) = self.model.parameters, self.moments
        g *= (self.config.clip / (g.norm(dim=1, keepdim=True) + 1e-6)).clamp(max=1.0)
        done = self.steps  # before this one
        self.steps = done + active
        m += (g - m) * ((1 - _BETAS[0]) * active)
        v += (g.square() - v) * ((1 - _BETAS[1]) * active)
        first, second = (1 - beta ** (done + 1) for beta in _BETAS)
        lr = self.lr * active
        p *= 1 - lr * self.config.weight_decay
        p -= lr / first * m / (v.sqrt() / second.sqrt() + _EPS)
        decay = ((1 + done) / (10 + done)).clamp(max=self.config.ema)
        pace = torch.where(done == 0, torch.ones_like(done), 1 - decay) * active
        self.average += (p - self.average) * pace
        self.average_buffers += (self.model.buffers - self.average_buffers) * pace

    def _epoch(self, epoch: int) -> dict[int, dict[str, Any]]:
        self.noise.start(epoch)
        index, seen = self.train.epoch(self.orders, self.config.batch_size)
        of_seed = torch.tensor(self.of_seed)
        whole = seen.flatten(1).all(1).tolist()
        took = seen.any(2)[:, of_seed]  # (steps, C)
        index, seen = index.to(self.device), seen.to(self.device, self.dtype)
        rows = of_seed.to(self.device)
        losses = []
        for k, full in enumerate(whole):
            active = self.alive if full else self.alive * took[k].to(self.alive)
            losses.append(self.step(index[k, rows], None if full else seen[k, rows], active))
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
    def predict(self, pool: Pool, batch_size: int = 256) -> tuple[np.ndarray, np.ndarray]:
        """RUL in cycles and health class, both (C, n), under the averaged weights.

        n is the largest seed's number of windows; what lies beyond a cell's own is of no use.
        """
        parts = _views(self.average, self.model.parts)
        statistics = _views(self.average_buffers, self.model.statistics)
        forward = _Forward(self.model.shape, parts, statistics)
        starts = torch.tensor([pool.starts[s] for s in self.of_seed], device=self.device)
        sizes = torch.tensor([pool.sizes[s] for s in self.of_seed], device=self.device)
        rul, health = [], []
        for numbers in torch.split(torch.arange(max(pool.sizes), device=self.device), batch_size):
            index = starts[:, None] + torch.minimum(numbers, sizes[:, None] - 1)
            r, logits = forward(pool.inputs(index))
            rul.append(r)
            health.append(logits.argmax(-1))
        pred = torch.cat(rul, 1).double().cpu().numpy()
        return pred, torch.cat(health, 1).cpu().numpy()

    def _evaluate(self, epoch: int, records: dict[int, dict[str, Any]]) -> None:
        val_pred, _ = self.predict(self.val)
        test_pred, test_health = self.predict(self.test)
        better = []
        for c, record in list(records.items()):
            data = self.data[self.configs[c].seed]
            val, pred = val_pred[c, : len(data.val)], test_pred[c, : len(data.test)]
            health = test_health[c, : len(data.test)]
            for values in (val, pred):
                if c not in self.failed and not np.isfinite(values).all():
                    self._drop(c, bad_prediction(self.configs[c], epoch, values))
            if c in self.failed:
                del records[c]
                continue
            record["val_rmse"] = rmse(val, data.val.rul)
            record["test_rmse"] = rmse(pred, data.test.rul)
            self.schedules[c].after_validation(record["val_rmse"])
            if record["val_rmse"] < self.best[c]["val_rmse"]:
                self.best[c] = {
                    "epoch": epoch,
                    "val_rmse": record["val_rmse"],
                    "predictions": scored(data.test, pred, health),
                }
                better.append(c)
        self.lr = self._column([[schedule.lr] for schedule in self.schedules])

    def _result(self, c: int, seconds: float) -> RunResult | TrainingError:
        config = self.configs[c]
        data, best = self.data[config.seed], self.best[c]
        try:
            scores = metrics(config, self.history[c], best)
        except TrainingError as error:
            return error
        return RunResult(
            config,
            scores,
            self.history[c],
            best["predictions"],
            {
                **provenance(self.device),
                "data": str(data.source),
                "parameters": self.count,
                "train_windows": len(data.train),
                "val_windows": len(data.val),
                "seconds": round(seconds, 1),
                "together": len(self.configs),
            },
        )

    def _fresh(self, seed: int) -> DualTaskModel:
        """The weights that `Trainer` starts this seed from."""
        torch.manual_seed(seed)
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
