"""z-scores by the training engines alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.fleet import Fleet
from amnl.cmapss.layout import CONDITIONS, FEATURES, SENSORS


@dataclass(frozen=True)
class Normaliser:
    """Per-condition z-scores for sensors, overall z-scores for settings.

    A condition that the training engines never met keeps mean 0 and deviation 1.

    Attributes
    ----------
    mean, std
        (6, 17) float64, by operating condition and feature.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def fit(cls, fleet: Fleet, engines: NDArray[np.int64]) -> "Normaliser":
        """Statistics of these engines alone: pass it none but training engines."""
        rows = np.isin(fleet.engine, engines)
        values, condition = fleet.features[rows], fleet.condition[rows]
        shape = len(CONDITIONS), len(FEATURES)
        mean, std = np.zeros(shape), np.ones(shape)
        for c in np.unique(condition):
            inside = values[condition == c]
            mean[c], std[c] = inside.mean(0), inside.std(0)
        n = len(SENSORS)
        mean[:, n:], std[:, n:] = values[:, n:].mean(0), values[:, n:].std(0)
        # A column that is constant but for rounding would blow its noise up to unit size.
        std = np.where(std > 1e-6 * np.maximum(1.0, np.abs(mean)), std, 1.0)
        return cls(mean, std)

    def __call__(self, fleet: Fleet) -> NDArray[np.float32]:
        """(rows, 17) float32 of the whole fleet."""
        scaled = (fleet.features - self.mean[fleet.condition]) / self.std[fleet.condition]
        return scaled.astype(np.float32)
