"""What a saved model reads, and how it scales it."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss import FEATURES, HEALTH_STATES, MAX_RUL, WINDOW, Fleet, Normaliser
from amnl.cmapss.fleet import SETTING_SCALE, nearest
from amnl.cmapss.layout import SETTINGS

_MARGIN = 0.01  # of `scale`, and the width of what was seen: beyond it a condition is new

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """What a model reads, by name, and the statistics of the engines that trained it."""

    features: tuple[str, ...]  # F columns, in the network's order
    settings: tuple[str, ...]  # S columns that tell the flight condition
    centres: Floats  # (C, S) settings of each condition
    scale: Floats  # (S,) units in which the distance to a centre is measured
    lowest: Floats  # (C, S) of the training engines in each condition; NaN where none flew
    highest: Floats
    mean: Floats  # (C, F)
    std: Floats
    window: int  # cycles that the network sees
    cap: float  # cycles; the network was taught no longer life
    states: tuple[str, ...]  # of health

    @classmethod
    def of(cls, fleet: Fleet, engines: NDArray[np.int64], normaliser: Normaliser) -> "Inputs":
        """Of a model that these engines of the fleet have trained."""
        rows = np.isin(fleet.engine, engines)
        settings, condition = fleet.settings[rows], fleet.condition[rows]
        lowest = np.full_like(fleet.centres, np.nan)
        highest = lowest.copy()
        for c in np.unique(condition):
            lowest[c], highest[c] = (f(settings[condition == c], 0) for f in (np.min, np.max))
        met = slice(len(fleet.centres))
        return cls(
            FEATURES, SETTINGS, fleet.centres, SETTING_SCALE, lowest, highest,
            normaliser.mean[met], normaliser.std[met], WINDOW, float(MAX_RUL), HEALTH_STATES,
        )  # fmt: skip

    @property
    def columns(self) -> tuple[str, ...]:
        """What a table of engines must have, besides engine and cycle."""
        return tuple(dict.fromkeys((*self.features, *self.settings)))

    def scaled(self, features: Floats, settings: Floats) -> NDArray[np.float32]:
        """(rows, F) float32, as the network reads them."""
        condition = nearest(settings, self.centres, self.scale)
        return ((features - self.mean[condition]) / self.std[condition]).astype(np.float32)

    def unseen(self, settings: Floats) -> NDArray[np.bool_]:
        """(rows,) whether a flight condition is one in which no training engine flew."""
        condition = nearest(settings, self.centres, self.scale)
        lowest, highest = self.lowest[condition], self.highest[condition]
        margin = highest - lowest + _MARGIN * self.scale
        inside = (settings >= lowest - margin) & (settings <= highest + margin)  # NaN: outside
        return np.asarray(~inside.all(axis=1))

    def arrays(self) -> dict[str, Floats]:
        """Its numbers, by name."""
        return {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}

    def words(self) -> dict[str, Any]:
        """All but its numbers, in the kinds that JSON has."""
        found = {k: v for k, v in vars(self).items() if not isinstance(v, np.ndarray)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}

    @classmethod
    def join(cls, words: dict[str, Any], arrays: dict[str, Floats]) -> "Inputs":
        """The inverse of `words` and `arrays`. Raises `ValueError` where they do not fit."""
        whole: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in words.items()
        }
        names = {field.name for field in dataclasses.fields(cls)}
        whole |= arrays
        if names != whole.keys():
            raise ValueError(f"{sorted(names ^ whole.keys())}")
        inputs = cls(**whole)
        conditions, settings = len(inputs.centres), len(inputs.settings)
        shapes: dict[str, tuple[int, ...]] = {
            "scale": (settings,),
            **dict.fromkeys(("mean", "std"), (conditions, len(inputs.features))),
            **dict.fromkeys(("centres", "lowest", "highest"), (conditions, settings)),
        }
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name} is {arrays[name].shape}, not {shape}")
        return inputs
