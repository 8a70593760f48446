"""The smallest model in which a weight between two losses has an optimum. NumPy only.

Two linear regressions share one weight vector. The primary task is the one we are scored on. The
auxiliary task has data of its own, drawn around a *different* vector. The shared vector minimises
`λ · scale · MSE_primary + (1 - λ) · MSE_auxiliary`, in closed form. Chapter 2 derives the optimum,
also for two labels of the same rows whose noise is shared.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["TwoTasks", "draw", "excess", "fit", "optimum", "simulate"]

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class TwoTasks:
    """What the optimal λ depends on. Raises `ValueError` when no such pair of tasks exists."""

    dim: int = 10  # weights of the shared vector
    n_primary: int = 40  # samples, at least `dim`
    n_auxiliary: int = 160
    noise_primary: float = 2.0  # standard deviation, above 0
    noise_auxiliary: float = 2.0
    disagreement: float = 0.5  # distance between the two tasks' true vectors
    scale: float = 1.0  # factor on the primary loss, a change of its unit
    # Correlation of the two labels' noise, row by row. Where it is not 0, both tasks have the same
    # rows, so `n_auxiliary` is `n_primary`.
    shared_noise: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value):
                raise ValueError(f"{name} must be finite: {self}")
        if not 1 <= self.dim <= min(self.n_primary, self.n_auxiliary):
            raise ValueError(f"each task needs at least dim samples and dim ≥ 1: {self}")
        if not min(self.noise_auxiliary, self.disagreement) >= 0:
            raise ValueError(f"noise and disagreement cannot be negative: {self}")
        if not min(self.noise_primary, self.scale) > 0:
            raise ValueError(f"noise_primary and scale must be positive: {self}")
        if not abs(self.shared_noise) <= 1:
            raise ValueError(f"shared_noise is a correlation, from -1 to 1: {self}")
        if self.shared_noise and self.n_primary != self.n_auxiliary:
            raise ValueError(f"shared_noise needs n_auxiliary = n_primary, the same rows: {self}")

    @property
    def primary_variance(self) -> float:
        """Expected squared error of the vector fitted to the primary data alone."""
        return self.dim * self.noise_primary**2 / self.n_primary

    @property
    def auxiliary_error(self) -> float:
        """Expected squared error, for the primary task, of the vector fitted to auxiliary data."""
        return self.dim * self.noise_auxiliary**2 / self.n_auxiliary + self.disagreement**2

    @property
    def shared_error(self) -> float:
        """Expected product of the errors of the two vectors."""
        noise = self.noise_primary * self.noise_auxiliary
        return self.shared_noise * self.dim * noise / self.n_primary


def draw(tasks: TwoTasks, rng: np.random.Generator) -> tuple[Array, Array, Array, Array, Array]:
    """Draw one data set.

    Inputs are white within the sample, `x.T @ x = n · I`, so that the hand derivation is exact.
    With shared noise x2 is x1.

    Returns
    -------
    x1, y1, x2, y2
        Inputs (n, dim) and targets (n,) of the primary task, then of the auxiliary one.
    truth
        The primary's true vector, (dim,).

    Raises
    ------
    ValueError
        For counts that are not whole; the formulas take any.
    """
    for name in ("dim", "n_primary", "n_auxiliary"):
        if getattr(tasks, name) != int(getattr(tasks, name)):
            raise ValueError(f"{name} must be a whole number to draw from: {tasks}")
    truth = rng.normal(size=tasks.dim)
    direction = rng.normal(size=tasks.dim)
    other = truth + tasks.disagreement * direction / np.linalg.norm(direction)
    x1 = _white(tasks.n_primary, tasks.dim, rng)
    x2 = x1 if tasks.shared_noise else _white(tasks.n_auxiliary, tasks.dim, rng)
    first, second = (rng.normal(size=n) for n in (tasks.n_primary, tasks.n_auxiliary))
    if tasks.shared_noise:
        second = tasks.shared_noise * first + math.sqrt(1 - tasks.shared_noise**2) * second
    y1 = x1 @ truth + tasks.noise_primary * first
    y2 = x2 @ other + tasks.noise_auxiliary * second
    return x1, y1, x2, y2, truth


def fit(
    x1: Array,
    y1: Array,
    x2: Array,
    y2: Array,
    lam: float,
    scale: float = 1.0,
) -> Array:
    """The shared vector with the least `lam · scale · MSE_1 + (1 - lam) · MSE_2`."""
    a, b = lam * scale / len(y1), (1.0 - lam) / len(y2)
    matrix = a * x1.T @ x1 + b * x2.T @ x2
    vector = a * x1.T @ y1 + b * x2.T @ y2
    return np.linalg.solve(matrix, vector)


def excess(tasks: TwoTasks, lam: float | Array) -> float | Array:
    """Expected held-out error of the primary task above its noise floor, derived by hand."""
    share = lam * tasks.scale / (lam * tasks.scale + 1.0 - lam)
    alone = share**2 * tasks.primary_variance + (1.0 - share) ** 2 * tasks.auxiliary_error
    return alone + 2.0 * share * (1.0 - share) * tasks.shared_error


def optimum(tasks: TwoTasks) -> float:
    """The λ with the smallest `excess`: the odds are auxiliary / (scale · primary) error.

    What the two errors share counts for neither. A task of which nothing is left then gets no
    weight; where nothing is left of both, their vectors are equal, and it is 1.

    >>> round(optimum(TwoTasks()), 3)
    0.333
    >>> optimum(TwoTasks(n_auxiliary=40, noise_auxiliary=4.0, shared_noise=0.5))
    1.0
    """
    primary = max(tasks.primary_variance - tasks.shared_error, 0.0)
    auxiliary = max(tasks.auxiliary_error - tasks.shared_error, 0.0)
    if not primary:
        return 1.0
    return auxiliary / (tasks.scale * primary + auxiliary)


def simulate(tasks: TwoTasks, lambdas: Array, repeats: int, seed: int) -> Array:
    """Held-out error of the primary task above its noise floor, shape `(repeats, len(lambdas))`.

    Each repeat draws new data and uses it for every λ (common random numbers). For white inputs
    `‖fitted - truth‖²` is the error on a test set without end, so no test noise is added.
    """
    rng = np.random.default_rng(seed)
    errors = np.empty((repeats, len(lambdas)))
    for r in range(repeats):
        x1, y1, x2, y2, truth = draw(tasks, rng)
        for k, lam in enumerate(lambdas):
            errors[r, k] = np.sum((fit(x1, y1, x2, y2, lam, tasks.scale) - truth) ** 2)
    return errors


def _white(n: int, dim: int, rng: np.random.Generator) -> Array:
    """`n` rows of `dim` inputs with `x.T @ x = n · I` up to rounding."""
    q: Array = np.linalg.qr(rng.normal(size=(n, dim))).Q
    return math.sqrt(n) * q
