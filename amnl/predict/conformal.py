"""Intervals that hold for new engines: conformal, with one vote an engine.

The moments of one engine's life are no independent witnesses, so rows cannot be counted as split
conformal prediction counts them. Each calibration engine has the weight 1/(K + 1) in all, spread
evenly over its moments, and the last share belongs to the new engine, whose error may be anything.
The level then holds for a moment drawn from a new engine's life, be it one or many moments that an
engine is asked about (Lee, Barber and Willett 2023, arXiv:2306.06342). Judged by fifths of the cap,
it holds within a fifth, and over whole lives approximately. With one moment an engine
it is split conformal prediction as crepes and MAPIE have it, which know no such weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FIFTHS = (0.2, 0.4, 0.6, 0.8)  # of the cap: predicted lives are judged among their like
_ROUNDING = 1e-9  # 9/10 must reach 0.9


def check_level(level: float) -> None:
    """Raises `ValueError` for a level outside (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"the level must lie between 0 and 1, such as 0.9, not {level}")


def engines_needed(level: float) -> int:
    """Calibration engines without which no bound is finite: 9 at 0.9, 19 at 0.95."""
    check_level(level)
    return math.ceil(level / (1 - level) - _ROUNDING)


def half_width(errors: Floats, engine: NDArray[np.int64], level: float) -> float:
    """The error that a new engine's stays below with probability `level`.

    Parameters
    ----------
    errors
        (n,) absolute, one a moment.
    engine
        (n,) which engine's moment it is.
    level
        Between 0 and 1.

    Returns
    -------
    float
        Infinite with fewer engines than `engines_needed(level)`.

    Examples
    --------
    >>> half_width(np.arange(1.0, 10), np.arange(9), 0.9), half_width(np.ones(8), np.arange(8), 0.9)
    (9.0, inf)
    """
    check_level(level)
    _, of, moments = np.unique(engine, return_inverse=True, return_counts=True)
    order = np.argsort(errors, kind="stable")
    reached = np.cumsum(1 / moments[of[order]]) / (len(moments) + 1)
    first = int(np.searchsorted(reached, level - _ROUNDING))
    return float(errors[order[first]]) if first < len(errors) else math.inf


@dataclass(frozen=True)
class Calibration:
    """What a model predicted for engines that did not train it, over their whole lives."""

    kind: str  # "split": the validation engines; "cross": all, each by a model without it
    cap: float  # cycles
    engine: NDArray[np.int64]  # (n,)
    pred: Floats  # (n,) cycles
    rul: Floats  # (n,) cycles, true, as far as the cap

    @classmethod
    def join(cls, kind: str, parts: Sequence["Calibration"]) -> "Calibration":
        """Several, of engines of their own, as one."""
        moments = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("engine", "pred", "rul")
        )
        return cls(kind, parts[0].cap, *moments)

    @property
    def engines(self) -> int:
        """How many there are."""
        return len(np.unique(self.engine))

    def fifth(self, pred: Floats) -> NDArray[np.int64]:
        """(n,) which fifth of the cap a predicted life lies in, from 0."""
        fifths: NDArray[np.int64] = np.digitize(pred, np.array(FIFTHS) * self.cap)
        return fifths

    def half_widths(self, level: float) -> Floats:
        """(5,) cycles, for predicted lives in each fifth of the cap.

        Infinite where too few engines were ever predicted such a life.
        """
        errors, fifth = np.abs(self.pred - self.rul), self.fifth(self.pred)
        inside = [fifth == k for k in range(len(FIFTHS) + 1)]
        return np.array([half_width(errors[k], self.engine[k], level) for k in inside])

    def interval(self, pred: Floats, level: float) -> tuple[Floats, Floats]:
        """Least and greatest remaining life, (n,) cycles each, that the level speaks for.

        No life is below 0. A greatest one at the cap or beyond is infinite: no life was taught that
        is longer, so none is ruled out.
        """
        half = self.half_widths(level)[self.fifth(pred)]
        low, high = np.clip(pred - half, 0, self.cap), pred + half
        return low, np.where(high >= self.cap, np.inf, high)
