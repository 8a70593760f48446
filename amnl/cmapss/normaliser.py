"""z-scores by the training engines alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amnl.cmapss.fleet import Fleet


@dataclass(frozen=True)
class Normaliser:
    """Per-condition z-scores for sensors, overall z-scores for settings.

    The sizes are NASA's; a fleet of a reader's own has a row for each of its conditions, and one
    more, of all rows together, for conditions that the training engines never met. One of NASA's
    that they never met keeps mean 0 and deviation 1.

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
        shape = len(fleet.conditions), len(fleet.names)
        mean, std = np.zeros(shape), np.ones(shape)
        for c in np.unique(condition):
            inside = values[condition == c]
            mean[c], std[c] = inside.mean(0), inside.std(0)
        settings = values[:, fleet.overall]
        mean[:, fleet.overall], std[:, fleet.overall] = settings.mean(0), settings.std(0)
        return cls(mean, guarded(mean, std))

    def __call__(self, fleet: Fleet) -> NDArray[np.float32]:
        """(rows, 17) float32 of the whole fleet."""
        scaled = (fleet.features - self.mean[fleet.condition]) / self.std[fleet.condition]
        return scaled.astype(np.float32)


def guarded(mean: NDArray[np.float64], std: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deviations to divide by.

    A column that is constant but for rounding would blow its noise up to unit size.
    """
    return np.where(std > 1e-6 * np.maximum(1.0, np.abs(mean)), std, 1.0)
