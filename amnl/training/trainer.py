"""Training one cell: one subset, one seed, one combiner.

The recipe is the source's (chapter 15.1), each part a named setting of `TrainConfig`. What differs
from the source is the protocol: 20 % of the training engines validate, the epoch is chosen on them,
and the test engines are scored beside, never consulted. Ours are also the batch size, which the
source does not state, and the start of the RUL head's last bias (`amnl.model`). In 40 epochs the
plateau rule lowers the rate only where the best epoch is before the tenth.
"""

import copy
import dataclasses
import hashlib
import json
import math
import operator
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from amnl import cmapss
from amnl.cmapss import MAX_RUL, WINDOW, Data, Source, Windows
from amnl.combiners import Combiner, FixedWeightLoss, make_combiner
from amnl.files import write_atomically
from amnl.losses import accuracy, macro_f1, moderate_weighted_mse_loss, nasa_score, rmse
from amnl.provenance import commit, provenance
from amnl.training.isolation import Alone
from amnl.training.model import DualTaskModel, count_parameters, make_model

Record = dict[str, Any]  # one epoch of the history
GIVEN = "given: "  # starts the name of a combiner that came as an object
_CHECKPOINT_VERSION = 3
_PLAIN: dict[Any, Callable[[Any], Any]] = {int: operator.index, float: float, str: str, bool: bool}
_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "True or False"}
_taken: WeakSet[Combiner] = WeakSet()  # by a trainer
# Settings that came after the first records: see `recorded`. Their defaults can never change.
NEWER = ("nudge", "auxiliary")
_NAN_HELP = "Nothing of this epoch was kept. A lower --lr or a larger rul_unit usually helps."


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run, besides the data and the machine.

    rul_unit         cycles; the RUL error is divided by it before squaring. 1 is the source's
                     cycles², 125 a unit target. λ has no meaning without it
    sample_weighted  weigh RUL errors from 1 (healthy) to 2 (at failure)
    weight_decay     of all that is learned, parameters of the combiner too
    ema              decay of the weight average used for evaluation; it starts as
                     (1 + t)/(10 + t), so that it forgets the random start
    stride           keep every n-th training and validation window
    dtype            "float32", or "float64" where two machines must agree
    nudge            relative size of a change of every initial weight, up or down as a pattern of
                     signs of the seed's says. −nudge is the mirror image, 0 no change. It tells
                     what rounding alone can do
    auxiliary        what the second task classifies: "health", the three states, or "fault", an
                     engine's fault mode (`cmapss.fault_modes`; of FD003 and FD004 alone)

    Raises `ValueError` for a value out of place, and for a setting of the combiner that is not of
    plain kinds, as records are text.
    """

    subset: str = "FD001"
    preset: str = "compact"
    seed: int = 0
    combiner: str = "fixed"
    combiner_settings: dict[str, Any] = field(default_factory=dict)
    rul_unit: float = 1.0
    sample_weighted: bool = True
    epochs: int = 40
    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 1e-4
    warmup_epochs: int = 10
    warmup_start: float = 0.1
    plateau_factor: float = 0.5
    plateau_patience: int = 30
    min_lr: float = 5e-6
    clip: float = 1.0
    ema: float = 0.999
    stride: int = 1
    dtype: str = "float32"
    nudge: float = 0.0
    auxiliary: str = "health"

    def __post_init__(self) -> None:
        cmapss.check_subset(self.subset)
        for part in dataclasses.fields(self):
            if part.type in _PLAIN:  # a NumPy number would train, and not be written as JSON
                object.__setattr__(self, part.name, self._plain(part.name, part.type))
        # a copy: what the caller does to his own later is no part of this
        settings = _plain_setting("combiner_settings", dict(self.combiner_settings))
        object.__setattr__(self, "combiner_settings", settings)
        if not 0 <= self.seed < 2**32:  # PyTorch's CPU generator keeps no more of it
            raise ValueError(f"seed must lie in [0, 2**32), got {self.seed}")
        for name in ("epochs", "batch_size", "lr", "warmup_epochs", "rul_unit", "clip", "stride"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} must be positive and finite, got {value}")
        for name in ("weight_decay", "plateau_patience", "min_lr"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} must be 0 or more, and finite, got {value}")
        if not 0 < self.warmup_start <= 1:
            raise ValueError(f"warmup_start must lie in (0, 1], got {self.warmup_start}")
        if not 0 < self.plateau_factor < 1:
            raise ValueError(f"plateau_factor must lie in (0, 1), got {self.plateau_factor}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must lie in [0, 1), got {self.ema}")
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype!r}")
        if not abs(self.nudge) <= 0.01:
            raise ValueError(f"nudge must lie in [-0.01, 0.01], got {self.nudge}")
        if self.auxiliary not in ("health", "fault"):
            raise ValueError(f"auxiliary must be health or fault, got {self.auxiliary!r}")
        if self.auxiliary == "fault" and self.subset not in cmapss.TWO_FAULTS:
            raise ValueError(
                f"auxiliary 'fault' needs a subset with two fault modes, "
                f"{' or '.join(cmapss.TWO_FAULTS)}, got {self.subset}"
            )

    @property
    def lam(self) -> float | None:
        """λ, where the fixed combiner weighs the tasks with λ and 1 - λ exactly; else None."""
        if self.combiner != "fixed":
            return None
        weights = FixedWeightLoss(**self.combiner_settings).get_weights()
        lam = weights["rul_weight"]
        return lam if weights["health_weight"] == 1.0 - lam else None

    def _plain(self, name: str, kind: Any) -> Any:
        value = getattr(self, name)
        try:
            if kind is str and not isinstance(value, str):
                raise TypeError
            if kind is bool and value not in (True, False):
                raise TypeError
            return _PLAIN[kind](value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{name} must be {_KINDS[kind]}, got {value!r}") from None


def recorded(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings by which a record is known: without those of `NEWER` that have their defaults,
    so that a record from before them is that of the same cell today."""
    defaults = {f.name: f.default for f in dataclasses.fields(TrainConfig) if f.name in NEWER}
    return {k: v for k, v in settings.items() if k not in defaults or v != defaults[k]}


def _plain_setting(name: str, value: Any) -> Any:
    """The value in the kinds that JSON has. Raises `ValueError` for any other."""
    if isinstance(value, np.generic | np.ndarray | Tensor):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain_setting(str(key), v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_setting(name, v) for v in value]
    finite = not isinstance(value, float) or math.isfinite(value)
    if not (value is None or isinstance(value, str | int | float)) or not finite:
        raise ValueError(
            f"{name} is {value!r}; a combiner's settings are finite numbers, text, lists and "
            "dictionaries of these. Give an object that needs more as combiner="
        )
    return value


class TrainingError(RuntimeError):
    """Training cannot go on. The message names the step and the settings."""


@dataclass
class RunResult:
    """One finished run.

    config       the settings. Where a combiner was given as an object, its label and what it holds
                 stand there: a record does not pass for one of the combiner that the settings named
    metrics      one number each (cycles for RMSE): see `metrics`
    history      one record an epoch
    predictions  per test engine, at the chosen epoch: `pred`, `rul` (capped), `true` (cycles); with
                 the auxiliary "health" `health_pred`, `health`
    provenance   versions, hardware, threads, seconds, commit, data source
    """

    config: TrainConfig
    metrics: dict[str, float]
    history: list[Record]
    predictions: dict[str, list[float]]
    provenance: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return {**dataclasses.asdict(self), "config": recorded(dataclasses.asdict(self.config))}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "RunResult":
        """The inverse of `to_dict`."""
        return cls(**{**stored, "config": TrainConfig(**stored["config"])})

    def save(self, path: str | Path) -> None:
        """Write JSON, the whole file or none."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        write_atomically(Path(path), text.encode())

    @classmethod
    def load(cls, path: str | Path) -> "RunResult":
        """Read what `save` wrote."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))


def pick_device(name: str | None = None) -> torch.device:
    """The device `cpu`, `cuda` or `cuda:1`; without a name, an NVIDIA GPU if there is one, else the
    CPU.

    Raises `ValueError` for a device that this machine, or the trainer, has not.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name is None:
        return torch.device("cuda" if count else "cpu")
    kind, colon, number = name.partition(":")
    if kind == "cpu" and not colon:
        return torch.device("cpu")
    if kind != "cuda" or (colon and not number.isdecimal()):
        raise ValueError(f"no device {name!r} here; write cpu, cuda or cuda:0")
    if not count:
        raise ValueError(f"no device {name!r} here: PyTorch sees no NVIDIA GPU; write cpu")
    if int(number or 0) >= count:
        there = ", ".join(f"cuda:{n}" for n in range(count))
        raise ValueError(f"no device {name!r} here; PyTorch sees {there}")
    return torch.device(name)


class Batches:
    """A `Windows` on a device; batches are gathered from the one array of rows, not stacked."""

    def __init__(self, windows: Windows, device: torch.device, dtype: torch.dtype) -> None:
        self.values = torch.as_tensor(windows.values, dtype=dtype, device=device)
        self.last = torch.as_tensor(windows.last, device=device)
        self.rul = torch.as_tensor(windows.rul, dtype=dtype, device=device)
        self.health = torch.as_tensor(windows.health, device=device)
        self.offsets = torch.arange(1 - WINDOW, 1, device=device)

    def __len__(self) -> int:
        return len(self.last)

    def inputs(self, index: Tensor) -> Tensor:
        """(B,) window numbers → (B, 30, 17)."""
        rows = (self.last[index, None] + self.offsets).flatten()
        return self.values.index_select(0, rows).view(len(index), WINDOW, -1)

    def shuffled(self, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
        """One epoch of index batches, as `in_batches` makes them."""
        order = torch.randperm(len(self), generator=generator).to(self.last.device)
        return iter(in_batches(order, batch_size))


def in_batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """An order of windows, cut. A window that is left over alone is left out of the epoch: its step
    would count for as much as one of a whole batch."""
    batches = list(torch.split(order, batch_size))
    return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 < batch_size else batches


class Trainer:
    """Trains a model under a combiner and never asks which combiner it holds.

    The seed fixes the initial weights, the order of the batches and the dropout draws, for every
    combiner alike, so that runs of one seed can be compared in pairs; `cmapss.load` splits the
    engines by the same seed. Nothing else of the process has a say: `alone` holds the run's own
    random state and precision, and the caller's are as they were whenever a call returns.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: Data,
        *,
        combiner: Combiner | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Raises `ValueError` for unknown presets and combiners, for data that were loaded with
        another subset, seed or stride than the settings say, and for a `combiner` with a state of
        its own that another trainer was given before."""
        for name in ("subset", "seed", "stride"):
            ours, theirs = getattr(config, name), getattr(data, name)
            if ours != theirs:
                raise ValueError(
                    f"the settings say {name} {ours}, the data were loaded with {theirs}; "
                    f"load them with {name} {ours}"
                )
        commit()  # the code that runs is today's, whatever is committed meanwhile
        self.config = config
        self.data = cmapss.with_faults(data) if config.auxiliary == "fault" else data
        self.device = device or pick_device()
        self.dtype = getattr(torch, config.dtype)
        # On a GPU, float32 products round their factors to TF32, as cuDNN's do by default: one
        # precision for convolutions, LSTMs and matrix products alike.
        precision = "high" if self.device.type == "cuda" else "highest"
        self.alone = Alone(config.seed, self.device, precision)
        self.given = combiner is not None
        with self.alone:
            self._build(combiner)

    def _build(self, combiner: Combiner | None) -> None:
        config, data = self.config, self.data
        self.model: DualTaskModel = make_model(config.preset).to(self.device, self.dtype)
        if config.nudge:
            nudge(self.model, config.nudge, config.seed)
        if combiner is None:  # not `or`: a combiner with a length may have none
            combiner = make_combiner(config.combiner, **config.combiner_settings)
        elif combiner in _taken and combiner.state_dict():
            raise ValueError(
                f"the combiner {combiner.get_name()} was given to another trainer, whose state it "
                "holds; make a new one for each"
            )
        _taken.add(combiner)
        self.mtl_loss, self.label = combiner, combiner.get_name()
        self.combiner_settings = settings_in(combiner)  # as given: some move in training
        self.mtl_loss.to(self.device)
        self.shared_params = list(self.model.trunk.parameters())
        self.average = AveragedModel(self.model, multi_avg_fn=self._average, use_buffers=True)
        for layer in self.average.modules():
            if isinstance(layer, nn.LSTM):
                layer.flatten_parameters()  # a copy's lie scattered, which cuDNN does not like
        learned = [*self.model.parameters(), *self.mtl_loss.parameters()]
        self.optimiser = torch.optim.AdamW(
            learned, lr=config.lr, weight_decay=config.weight_decay, fused=True
        )
        self.warmup, self.plateau = schedulers(self.optimiser, config)
        self.order = torch.Generator().manual_seed(config.seed)
        self.train, self.val, self.test = (
            Batches(w, self.device, self.dtype) for w in (data.train, data.val, data.test)
        )
        self.history: list[Record] = []
        self.best: dict[str, Any] = {"val_rmse": float("inf")}
        self.seconds = 0.0
        self.within = 0  # the epoch that has begun and not ended

    # ------------------------------------------------------------------------------------ training

    def fit(
        self,
        *,
        checkpoint: str | Path | None = None,
        log_dir: str | Path | None = None,
        on_epoch: Callable[[Record], None] | None = None,
    ) -> RunResult:
        """Train to the last epoch and return the result.

        checkpoint  a file, written after every epoch and, if it is there already, resumed from
        log_dir     a folder for TensorBoard
        on_epoch    called with each epoch's record

        Raises `TrainingError` when a loss is NaN or infinite (nothing of that epoch is kept), and
        where an earlier call was stopped within an epoch and no checkpoint brings back the state
        before it; `ValueError` when the checkpoint belongs to other settings.
        """
        path = Path(checkpoint) if checkpoint else None
        if path and path.exists():
            self._restore(path)
        if self.within:
            raise TrainingError(
                f"this trainer was stopped within epoch {self.within}, and what it holds is of no "
                "epoch. Make a new one; one with checkpoint= goes on from its last whole epoch"
            )
        writer = _tensorboard(log_dir) if log_dir else None
        try:
            for epoch in range(len(self.history) + 1, self.config.epochs + 1):
                start = time.perf_counter()
                self.within = epoch
                with self.alone:
                    record = {"epoch": epoch, **self._epoch(epoch), **self._evaluate(epoch)}
                self.seconds += time.perf_counter() - start
                record["seconds"] = round(time.perf_counter() - start, 3)
                self.history.append(record)
                self.within = 0
                if path:
                    self._checkpoint(path)
                if writer:
                    for key, value in record.items():
                        writer.add_scalar(key, value, epoch)
                if on_epoch:
                    on_epoch(record)
        finally:
            if writer:
                writer.close()
        config = self.config
        if self.given:
            own = {"combiner": f"{GIVEN}{self.label}", "combiner_settings": self.combiner_settings}
            config = dataclasses.replace(config, **own)  # type: ignore[arg-type]
        return RunResult(
            config,
            metrics(self.config, self.history, self.best),
            copy.deepcopy(self.history),
            copy.deepcopy(self.best["predictions"]),
            self._provenance(),
        )

    def task_losses(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """RUL loss (in `rul_unit`²) and health loss (nats) of a batch of training windows."""
        with self.alone:
            return self._task_losses(index)

    def _task_losses(self, index: Tensor) -> tuple[Tensor, Tensor]:
        rul, logits = self.model(self.train.inputs(index))
        unit = self.config.rul_unit
        error, target = rul / unit, self.train.rul[index] / unit
        if self.config.sample_weighted:
            rul_loss = moderate_weighted_mse_loss(error, target, MAX_RUL / unit)
        else:
            rul_loss = F.mse_loss(error, target)
        return rul_loss, F.cross_entropy(logits, self.train.health[index])

    def step(self, index: Tensor) -> Tensor:
        """One optimiser step on these windows; returns (total, RUL, health) losses, detached."""
        with self.alone:
            return self._step(index)

    def _step(self, index: Tensor) -> Tensor:
        rul_loss, health_loss = self._task_losses(index)
        total = self.mtl_loss(
            rul_loss, health_loss, shared_params=self.shared_params, model=self.model
        )
        self.optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimiser.step()
        self.average.update_parameters(self.model)
        return torch.stack((total, rul_loss, health_loss)).detach()

    def _epoch(self, epoch: int) -> Record:
        self.model.train()
        self.mtl_loss.train()
        lr = self.optimiser.param_groups[0]["lr"]
        batches = self.train.shuffled(self.config.batch_size, self.order)
        # one transfer an epoch, so that a GPU never waits for a check
        losses = torch.stack([self._step(index) for index in batches]).cpu().double()
        weights = logged_weights(self.mtl_loss)  # first: it may know why a total is NaN
        if not bool(losses.isfinite().all()):
            raise stopped_by(self.config, self.mtl_loss.get_name(), epoch, losses)
        total, rul_loss, health_loss = losses.mean(0).tolist()
        self.mtl_loss.end_epoch()
        if epoch <= self.config.warmup_epochs:
            self.warmup.step()
        return {
            "lr": lr,
            "loss": total,
            "rul_loss": rul_loss,
            "health_loss": health_loss,
            **weights,
        }

    def _average(self, average: Any, current: Any, _: Any) -> None:
        if not average[0].is_floating_point():  # BatchNorm's counter of batches
            torch._foreach_copy_(average, current)
            return
        steps = int(self.average.n_averaged)  # on the CPU, where reading it waits for no GPU
        decay = min(self.config.ema, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(average, current, 1 - decay)

    # ---------------------------------------------------------------------------------- evaluation

    @torch.no_grad()
    def predict(self, batches: Batches) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """RUL in cycles, (n,), and health class, (n,), under the averaged weights."""
        self.average.eval()
        rul, health = [], []
        for index in torch.split(torch.arange(len(batches), device=self.device), 1024):
            r, logits = self.average(batches.inputs(index))
            rul.append(r)
            health.append(logits.argmax(1))
        pred = torch.cat(rul).cpu().numpy().astype(np.float64)
        if not np.isfinite(pred).all():
            raise bad_prediction(self.config, len(self.history) + 1, pred)
        return pred, torch.cat(health).cpu().numpy()

    def _evaluate(self, epoch: int) -> Record:
        val, test = self.predict(self.val), self.predict(self.test)
        found = judged(self.config, self.data, val, test)
        val_rmse = found["val_rmse"]
        self.plateau.step(val_rmse)
        self.latest = {
            "epoch": epoch,
            "val_rmse": val_rmse,
            "predictions": scored(self.config, self.data.test, *test),
        }
        if val_rmse < self.best["val_rmse"]:
            weights = {k: v.clone() for k, v in self.average.module.state_dict().items()}
            self.best = {**self.latest, "weights": weights}
        return found

    def _provenance(self) -> dict[str, Any]:
        with self.alone:
            where = provenance(self.device)
        return {
            **where,
            "data": str(self.data.source),
            "parameters": count_parameters(self.model),
            "train_windows": len(self.train),
            "val_windows": len(self.val),
            "seconds": round(self.seconds, 1),
        }

    # --------------------------------------------------------------------------------- checkpoints

    def _parts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "average": self.average,
            "combiner": self.mtl_loss,
            "optimiser": self.optimiser,
            "warmup": self.warmup,
            "plateau": self.plateau,
        }

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must share with the run that resumes from it."""
        return {
            "version": _CHECKPOINT_VERSION,
            "config": dataclasses.asdict(self.config),
            "data": str(self.data.source),
            "combiner kind": type(self.mtl_loss).__name__,
            "combiner weights": [
                self.combiner_settings[k] for k in ("rul_weight", "health_weight")
            ],
            "combiner settings": self.combiner_settings,
        }

    def _checkpoint(self, path: Path) -> None:
        whole = BytesIO()
        torch.save(
            {
                **self._identity(),
                "history": self.history,
                "best": self.best,
                "seconds": self.seconds,
                "random": [self.order.get_state(), *self.alone.random],
                **{name: part.state_dict() for name, part in self._parts().items()},
            },
            whole,
        )
        write_atomically(path, whole.getbuffer())

    def _restore(self, path: Path) -> None:
        state = _read_checkpoint(path, self.device)
        for key, ours in self._identity().items():
            theirs = state.get(key)
            if key == "config" and isinstance(theirs, dict):  # name the setting, not all twenty
                differ = [k for k in ours if k not in theirs or theirs[k] != ours[k]]
                key = differ[0] if differ else key
                theirs, ours = (theirs.get(key), ours[key]) if differ else (ours, ours)
            if theirs != ours:
                raise ValueError(
                    f"{path}: the checkpoint's {key} is {theirs}, this run's is {ours}. "
                    "Delete the file to start anew, or name another."
                )
        try:
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.history, self.best = state["history"], state["best"]
            self.seconds = state["seconds"]
            order, *random = (stored.cpu() for stored in state["random"])
            self.order.set_state(order)
            ours = self.alone.random  # a run that goes on elsewhere has other generators
            self.alone.random = [*random, *ours[len(random) :]][: len(ours)]
            self.within = 0
        except Exception as error:  # whatever a file lacks that only claims to be ours
            raise _foreign(path, error) from error


def _read_checkpoint(path: Path, device: torch.device) -> Record:
    """What a checkpoint holds. Raises `ValueError` for a file that is damaged or something else."""
    stored = BytesIO(path.read_bytes())
    try:
        with zipfile.ZipFile(stored) as parts:
            if damaged := parts.testzip():  # PyTorch looks at no checksum
                raise zipfile.BadZipFile(f"the checksum of {damaged} does not fit")
        stored.seek(0)
        state = torch.load(stored, map_location=device, weights_only=True)
    except Exception as error:  # what a damaged file may set off has no end
        raise _foreign(path, error) from error
    if not isinstance(state, dict) or "version" not in state:
        raise _foreign(path, KeyError("version"))
    return state


def _foreign(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: not a checkpoint of this book, or a damaged one ({type(error).__name__}). Delete "
        "it to start anew, or name another file."
    )


@torch.no_grad()
def nudge(model: nn.Module, size: float, seed: int) -> None:
    """Multiply each parameter by 1 + `size` or 1 − `size`, in place, in float64.

    The signs are drawn from `seed` alone, so −`size` gives the mirror image. No other draw moves.
    """
    draw = np.random.default_rng([seed, 1])  # cmapss splits the engines by default_rng(seed)
    for weight in model.parameters():
        signs = torch.from_numpy(draw.choice([-1.0, 1.0], weight.shape)).to(weight.device)
        weight.copy_(weight.double() * (1 + size * signs))


def settings_in(combiner: Combiner) -> Record:
    """What a combiner holds that can decide a run, by name and in plain kinds: its attributes, and
    a checksum of each tensor in its state. What JSON has no kind for is left out."""
    found: Record = {}
    for name, value in vars(combiner).items():
        if name == "training" or name.startswith("_"):
            continue
        try:
            found[name] = _plain_setting(name, value)
        except ValueError:
            if isinstance(value, float):  # NaN and infinities
                found[name] = str(value)
    for name, value in combiner.state_dict().items():
        numbers = value.detach().cpu().double().numpy()
        found[f"state {name}"] = hashlib.sha256(numbers.tobytes()).hexdigest()[:12]
    return found


def logged_weights(combiner: Combiner) -> dict[str, float]:
    """`get_weights` as Python's own numbers: a combiner of the reader's may give NumPy's.

    Raises `ValueError` where one is no number.
    """
    weights = combiner.get_weights()
    try:
        return {name: float(value) for name, value in weights.items()}
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"get_weights of {combiner.get_name()} must give a number for each name, got {weights}"
        ) from None


def schedulers(
    optimiser: torch.optim.Optimizer, config: TrainConfig
) -> tuple[torch.optim.lr_scheduler.LinearLR, torch.optim.lr_scheduler.ReduceLROnPlateau]:
    """Warm-up, to be stepped after each of its epochs, and the plateau rule on validation RMSE."""
    warmup = torch.optim.lr_scheduler.LinearLR(
        optimiser, config.warmup_start, total_iters=config.warmup_epochs
    )
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser,
        factor=config.plateau_factor,
        patience=config.plateau_patience,
        min_lr=config.min_lr,
    )
    return warmup, plateau


Predicted = tuple[NDArray[np.float64], NDArray[np.int64]]  # RUL in cycles, class of the head


def judged(config: TrainConfig, data: Data, val: Predicted, test: Predicted) -> Record:
    """What an epoch's history says of its predictions.

    val_rmse, test_rmse  cycles, against the capped RUL
    val_accuracy         share of validation windows that the second head classifies right
    val_macro_f1         macro-F1 of the second head over the validation windows
    val_macro_f1_rul     the same of the health states that the predicted RUL is in
    test_macro_f1, test_macro_f1_rul
                         over the test engines, the former with the auxiliary "health" alone: a test
                         engine is cut off before its fault can be told

    The epoch is chosen by `val_rmse` and nothing else of these.
    """
    found = {
        "val_rmse": rmse(val[0], data.val.rul),
        "test_rmse": rmse(test[0], data.test.rul),
        "val_accuracy": accuracy(val[1], data.val.health),
        "val_macro_f1": macro_f1(val[1], data.val.health),
        "val_macro_f1_rul": _macro_f1_rul(val[0], data.val),
        "test_macro_f1_rul": _macro_f1_rul(test[0], data.test),
    }
    if config.auxiliary == "health":
        found["test_macro_f1"] = macro_f1(test[1], data.test.health)
    return found


def _macro_f1_rul(pred: NDArray[np.float64], windows: Windows) -> float:
    truth = cmapss.health_state(windows.rul.astype(np.float64))
    return macro_f1(cmapss.health_state(pred), truth)


def scored(
    config: TrainConfig, test: Windows, pred: NDArray[np.float64], health: NDArray[np.int64]
) -> dict[str, Any]:
    """What a run keeps of its chosen epoch, one number a test engine: `RunResult.predictions`."""
    kept = {"pred": pred.tolist(), "rul": test.rul.tolist(), "true": test.true.tolist()}
    if config.auxiliary == "health":
        kept |= {"health_pred": health.tolist(), "health": test.health.tolist()}
    return kept


def metrics(config: TrainConfig, history: list[Record], best: dict[str, Any]) -> dict[str, float]:
    """Test metrics at the epoch with the best validation RMSE, and what other choices give.

    test_rmse           the primary metric: last cycle of each test engine, capped RUL
    test_rmse_uncapped  the same predictions against the true RUL
    test_rmse_last      at the last epoch
    test_rmse_leaked    at the epoch that is best on the test set itself, as the source chose
    nasa_score          against the capped RUL; nasa_score_uncapped against the true RUL

    Health states, of the test engines:

    health_accuracy, health_macro_f1
                             of the head
    health_macro_f1_rul      of the states that the predicted RUL is in (`cmapss.health_state`)
    health_macro_f1_best     of the head, at the epoch with the best `val_macro_f1`, the first of
                             equals: health_best_epoch
    health_macro_f1_rul_best of the predicted RUL, at the epoch with the best `val_macro_f1_rul`

    With the auxiliary "fault", these instead of the head's, over windows of *validation* engines,
    as no test engine's fault is known:

    fault_accuracy, fault_macro_f1
    fault_macro_f1_best  at the epoch where it is highest, fault_best_epoch: chosen and scored on
                         the same windows

    Raises `TrainingError` where no epoch has a finite RMSE, and where the score, which grows
    exponentially, is too large for a number.
    """
    if "predictions" not in best:
        raise TrainingError(
            f"no epoch has a finite validation RMSE; settings {_shown(config)}. A lower --lr or a "
            "larger rul_unit usually helps."
        )
    p = best["predictions"]
    leaked = min(history, key=lambda r: float(r["test_rmse"]))
    chosen = history[best["epoch"] - 1]
    by_head, by_rul = (
        max(history, key=lambda r: float(r[name])) for name in ("val_macro_f1", "val_macro_f1_rul")
    )
    found = {
        "best_epoch": best["epoch"],
        "val_rmse": best["val_rmse"],
        "test_rmse": rmse(p["pred"], p["rul"]),
        "test_rmse_uncapped": rmse(p["pred"], p["true"]),
        "test_rmse_last": history[-1]["test_rmse"],
        "test_rmse_leaked": leaked["test_rmse"],
        "leaked_epoch": leaked["epoch"],
        "nasa_score": nasa_score(p["pred"], p["rul"]),
        "nasa_score_uncapped": nasa_score(p["pred"], p["true"]),
        "health_macro_f1_rul": chosen["test_macro_f1_rul"],
        "health_macro_f1_rul_best": by_rul["test_macro_f1_rul"],
    }
    if config.auxiliary == "health":
        found |= {
            "health_accuracy": accuracy(p["health_pred"], p["health"]),
            "health_macro_f1": macro_f1(p["health_pred"], p["health"]),
            "health_macro_f1_best": by_head["test_macro_f1"],
            "health_best_epoch": by_head["epoch"],
        }
    else:
        found |= {
            "fault_accuracy": chosen["val_accuracy"],
            "fault_macro_f1": chosen["val_macro_f1"],
            "fault_macro_f1_best": by_head["val_macro_f1"],
            "fault_best_epoch": by_head["epoch"],
        }
    for name, value in found.items():
        if not np.isfinite(value):
            raise TrainingError(
                f"{name} is {value}: the predictions of epoch {best['epoch']} reach "
                f"{max(p['pred']):.0f} cycles; settings {_shown(config)}. A lower --lr or a larger "
                "rul_unit usually helps."
            )
    return found


def stopped_by(config: TrainConfig, combiner: str, epoch: int, losses: Tensor) -> TrainingError:
    """The error for an epoch's (steps, 3) total, RUL and health losses that are not all finite."""
    step = int((~losses.isfinite()).any(1).nonzero()[0])
    total, rul_loss, health_loss = losses[step].tolist()
    return TrainingError(
        f"loss {total} at epoch {epoch}, step {step + 1} of {len(losses)} "
        f"(RUL loss {rul_loss}, health loss {health_loss}; {combiner}); "
        f"settings {_shown(config)}. {_NAN_HELP}"
    )


def bad_prediction(config: TrainConfig, epoch: int, pred: NDArray[np.float64]) -> TrainingError:
    """The error for predictions that are not all finite."""
    return TrainingError(
        f"the weights predict {pred[~np.isfinite(pred)][0]} after epoch {epoch}; "
        f"settings {_shown(config)}. {_NAN_HELP}"
    )


def _shown(config: TrainConfig) -> Record:
    shown = ("subset", "preset", "seed", "lr", "rul_unit", "batch_size", "dtype")
    return {name: getattr(config, name) for name in shown}


def _tensorboard(log_dir: str | Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise RuntimeError(
            "logging needs TensorBoard: pip install 'amnl[logs]', or leave the log folder out"
        ) from error
    return SummaryWriter(str(log_dir))


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
