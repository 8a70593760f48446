"""The settings of a run: what decides it, besides the data and the machine."""

import dataclasses
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from amnl import cmapss
from amnl.cmapss import Data, Framing
from amnl.combiners import FixedWeightLoss

# Settings that came after the first records: see `recorded`. Their defaults can never change.
NEWER = (
    "nudge", "auxiliary", "optimiser", "engines", "window", "cap", "degrading", "critical"
)  # fmt: skip

_KINDS: dict[Any, tuple[str, Callable[[Any], Any]]] = {
    int: ("a whole number", operator.index),
    float: ("a number", float),
    str: ("text", str),
    bool: ("True or False", bool),
}
_POSITIVE = ("epochs", "batch_size", "lr", "warmup_epochs", "rul_unit", "clip", "stride", "window",
             "cap", "degrading", "critical")  # fmt: skip
_RANGES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "seed": ("lie in [0, 2**32)", lambda x: 0 <= x < 2**32),  # a CPU's generator keeps no more
    **dict.fromkeys(_POSITIVE, ("be positive and finite", lambda x: 0 < x < math.inf)),
    **dict.fromkeys(
        ("weight_decay", "plateau_patience", "min_lr"),
        ("be 0 or more, and finite", lambda x: 0 <= x < math.inf),
    ),
    "warmup_start": ("lie in (0, 1]", lambda x: 0 < x <= 1),
    "plateau_factor": ("lie in (0, 1)", lambda x: 0 < x < 1),
    "ema": ("lie in [0, 1)", lambda x: 0 <= x < 1),
    "dtype": ("be float32 or float64", lambda x: x in ("float32", "float64")),
    "nudge": ("lie in [-0.01, 0.01]", lambda x: abs(x) <= 0.01),
    "auxiliary": ("be health or fault", lambda x: x in ("health", "fault")),
    "optimiser": ("be adamw or sgd", lambda x: x in ("adamw", "sgd")),
    "engines": ("be 0 or more", lambda x: x >= 0),
}


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run, besides the data and the machine.

    The recipe is the source's (chapter 15.1), each part of it a setting. What differs from the
    source is the protocol: 20 % of the training engines validate, the epoch is chosen on them, and
    the test engines are scored beside, never consulted. Ours are also the batch size, which
    the source does not state, and the start of the RUL head's last bias (`amnl.training.model`). In
    40 epochs the plateau rule lowers the rate only where the best epoch is before the tenth.

    Raises
    ------
    ValueError
        For a value out of place, and for a setting of the combiner that is not of plain kinds, as
        records are text.

    Examples
    --------
    >>> config = TrainConfig(combiner_settings={"rul_weight": 0.75, "health_weight": 0.25})
    >>> config.lam
    0.75
    """

    subset: str = "FD001"  # of C-MAPSS: FD001 to FD004; "own" for a fleet of the reader's own
    preset: str = "compact"  # size of the network: `PRESETS` and `LADDER`
    seed: int = 0  # of the split of the engines, the initial weights, the batches and the dropout
    combiner: str = "fixed"  # its name: `amnl.combiners.names()`
    combiner_settings: dict[str, Any] = field(default_factory=dict)  # what makes it
    # Cycles; the RUL error is divided by it before squaring. 1 is the source's cycles², 125 a unit
    # target. λ has no meaning without it.
    rul_unit: float = 1.0
    sample_weighted: bool = True  # weigh RUL errors from 1 (healthy) to 2 (at failure)
    epochs: int = 40  # passes over the training windows
    batch_size: int = 256  # windows
    lr: float = 1e-3  # the learning rate, once warm
    weight_decay: float = 1e-4  # of all that is learned, parameters of the combiner too
    warmup_epochs: int = 10  # epochs in which the learning rate rises to `lr`
    warmup_start: float = 0.1  # share of `lr` in the first of them
    plateau_factor: float = 0.5  # of the learning rate, each time validation has stalled
    plateau_patience: int = 30  # epochs without a better validation RMSE that are let pass
    min_lr: float = 5e-6  # the lowest learning rate
    clip: float = 1.0  # largest gradient norm of a step
    # Decay a step of the weight average used for evaluation. It starts as (1 + t)/(10 + t), so that
    # it forgets the random start.
    ema: float = 0.999
    stride: int = 1  # keep every n-th training and validation window
    dtype: str = "float32"  # or "float64", where two machines must agree
    # Relative size of a change of every initial weight, up or down as a pattern of signs of the
    # seed's says. −nudge is the mirror image, 0 no change. It tells what rounding alone can do.
    nudge: float = 0.0
    # What the second task classifies: "health", the three states, or "fault", an engine's fault
    # mode (`cmapss.fault_modes`; of FD003 and FD004 alone).
    auxiliary: str = "health"
    optimiser: str = "adamw"  # or "sgd", with momentum 0.9
    # Training engines that are kept, `cmapss.few_engines`; 0 keeps all. An epoch stays as long.
    engines: int = 0
    window: int = cmapss.WINDOW  # rows that the network sees at once
    # Remaining lives, in cycles or the unit of life of the reader's fleet: above the first the
    # label is flat; at the others and below, an engine is in the health state of that name.
    cap: float = float(cmapss.MAX_RUL)
    degrading: float = 80.0
    critical: float = 30.0

    def __post_init__(self) -> None:
        if self.subset != cmapss.OWN:
            cmapss.check_subset(self.subset)
        for part in dataclasses.fields(self):
            if part.type in _KINDS:  # a NumPy number would train, and not be written as JSON
                plain = _of_kind(part.name, getattr(self, part.name), part.type)
                object.__setattr__(self, part.name, plain)
        # a copy: what the caller does to his own later is no part of this
        settings = plain_setting("combiner_settings", dict(self.combiner_settings))
        object.__setattr__(self, "combiner_settings", settings)
        for name, (words, holds) in _RANGES.items():
            if not holds(value := getattr(self, name)):
                raise ValueError(f"{name} must {words}, got {value!r}")
        _ = self.framing  # its bounds are in order
        if self.auxiliary == "fault" and self.subset not in cmapss.TWO_FAULTS:
            raise ValueError(
                f"auxiliary 'fault' needs a subset with two fault modes, "
                f"{' or '.join(cmapss.TWO_FAULTS)}, got {self.subset}"
            )

    def __hash__(self) -> int:  # of values, not of their text: 1 and 1.0 are equal settings
        return hash(tuple(_hashable(getattr(self, f.name)) for f in dataclasses.fields(self)))

    @property
    def framing(self) -> Framing:
        """What the rows of an engine become."""
        return Framing(self.window, self.cap, self.degrading, self.critical)

    @property
    def lam(self) -> float | None:
        """λ, where the fixed combiner weighs the tasks with λ and 1 - λ exactly; else None."""
        if self.combiner != "fixed":
            return None
        weights = FixedWeightLoss(**self.combiner_settings).get_weights()
        lam = weights["rul_weight"]
        return lam if weights["health_weight"] == 1.0 - lam else None

    def check_data(self, data: Data) -> None:
        """Raises `ValueError` for data that were loaded with another subset, seed, stride or
        framing."""
        for name in ("subset", "seed", "stride", "framing"):
            ours, theirs = getattr(self, name), getattr(data, name)
            if ours != theirs:
                raise ValueError(
                    f"the settings say {name} {ours}, the data were loaded with {theirs}; "
                    f"load them with {name} {ours}"
                )


def recorded(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings by which a record is known.

    Those of `NEWER` that have their defaults are left out, so that a record from before them is
    that of the same cell today.
    """
    defaults = {name: getattr(TrainConfig, name) for name in NEWER}
    return {k: v for k, v in settings.items() if k not in defaults or v != defaults[k]}


def plain_setting(name: str, value: Any) -> Any:
    """The value in the kinds that JSON has. Raises `ValueError` for any other."""
    if isinstance(value, np.generic | np.ndarray | Tensor):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain_setting(str(key), v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain_setting(name, v) for v in value]
    finite = not isinstance(value, float) or math.isfinite(value)
    if not (value is None or isinstance(value, str | int | float)) or not finite:
        raise ValueError(
            f"{name} is {value!r}; a combiner's settings are finite numbers, text, lists and "
            "dictionaries of these. Give an object that needs more as combiner="
        )
    return value


def _of_kind(name: str, value: Any, kind: Any) -> Any:
    words, convert = _KINDS[kind]
    try:
        allowed = {str: isinstance(value, str), bool: value in (True, False)}
        if not allowed.get(kind, True):
            raise TypeError
        return convert(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be {words}, got {value!r}") from None


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return frozenset((key, _hashable(v)) for key, v in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
