"""The convex combination of two losses, and the source's sweep over its weight. NumPy only."""

import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

# The source's worked example (chapter 15.1), in units it does not state.
LAMBDAS = tuple(round(0.1 * k, 2) for k in range(1, 10))
LOSS_RUL = {"FD001": 0.85, "FD002": 1.95, "FD003": 0.92, "FD004": 2.10}
LOSS_HS = dict.fromkeys(LOSS_RUL, 1.10)

# The ten weights of the source's ablation.
SOURCE_LAMS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
FIVE = (0.3, 0.4, 0.5, 0.6, 0.7)  # those of its coarse sweep


class Sweep(TypedDict):
    """What `simulate_sweep` found."""

    lambdas: list[float]  # the weights, in the order of each row
    sweep: dict[str, list[float]]  # dataset → its combined loss at each λ
    best: dict[str, float]  # dataset → the λ with the smallest


def combine_losses(loss_rul: float, loss_hs: float, lam: float) -> float:
    """`lam · loss_rul + (1 - lam) · loss_hs`.

    Raises
    ------
    ValueError
        When `lam` is outside [0, 1] or NaN, and for a loss that is NaN or
        infinite: its share at a weight of 0 is no number.

    References
    ----------
    Source: chapter 15.1.

    Examples
    --------
    >>> combine_losses(1.95, 1.10, 0.5)
    1.525
    """
    if not 0.0 <= lam <= 1.0:
        raise ValueError(f"lam must lie in [0, 1], got {lam}")
    for name, loss in (("loss_rul", loss_rul), ("loss_hs", loss_hs)):
        if not math.isfinite(loss):
            raise ValueError(f"{name} must be finite, got {loss}")
    return float(lam * loss_rul + (1.0 - lam) * loss_hs)


def simulate_sweep(
    loss_rul_per_dataset: Mapping[str, float],
    loss_hs_per_dataset: Mapping[str, float],
    lambdas: Sequence[float],
) -> Sweep:
    """The combined loss of each dataset at each λ, and the λ of the smallest.

    The losses are fixed numbers: nothing is trained. Ties go to the first λ;
    totals that differ in their last digits alone are one.

    Raises
    ------
    KeyError
        Names a dataset missing from `loss_hs_per_dataset`.
    ValueError
        For a λ outside [0, 1], an empty `lambdas`, or a loss that is not finite.

    References
    ----------
    Source: chapter 15.1.

    Examples
    --------
    >>> found = simulate_sweep({"FD001": 0.85}, {"FD001": 1.10}, [0.2, 0.8])
    >>> found["best"]
    {'FD001': 0.8}
    """
    if len(lambdas) == 0:
        raise ValueError("lambdas is empty: a sweep needs at least one λ")
    sweep: dict[str, list[float]] = {}
    best: dict[str, float] = {}
    for name, loss_rul in loss_rul_per_dataset.items():
        if name not in loss_hs_per_dataset:
            raise KeyError(f"dataset {name!r} has a RUL loss but no health loss")
        loss_hs = loss_hs_per_dataset[name]
        if not (math.isfinite(loss_rul) and math.isfinite(loss_hs)):
            raise ValueError(
                f"dataset {name!r} has losses {loss_rul} and {loss_hs}; "
                "the smallest of a row that is not finite means nothing"
            )
        losses = [combine_losses(loss_rul, loss_hs, lam) for lam in lambdas]
        sweep[name] = losses
        least = min(losses) + 1e-12 * max(abs(loss_rul), abs(loss_hs))
        first = next(k for k, loss in enumerate(losses) if loss <= least)
        best[name] = float(lambdas[first])
    return {"lambdas": [float(lam) for lam in lambdas], "sweep": sweep, "best": best}


def format_sweep(result: Sweep, lambdas: Sequence[float]) -> str:
    """The sweep as a text table: one row a λ, three decimals, and each dataset's argmin below.

    Raises
    ------
    ValueError
        For other `lambdas` than the sweep's, or in another order.

    Examples
    --------
    >>> found = simulate_sweep({"FD001": 0.85}, {"FD001": 1.10}, [0.2, 0.8])
    >>> print(format_sweep(found, [0.2, 0.8]))
        λ |  FD001
     0.20 |  1.050
     0.80 |  0.900
     best |   0.80
    """
    if list(lambdas) != result["lambdas"]:
        raise ValueError(f"the sweep is over {result['lambdas']}, not over {list(lambdas)}")
    names = list(result["sweep"])
    rows = ["    λ | " + " | ".join(f"{name:>6s}" for name in names)]
    for k, lam in enumerate(lambdas):
        cells = (f"{result['sweep'][name][k]:6.3f}" for name in names)
        rows.append(f"{lam:5.2f} | " + " | ".join(cells))
    rows.append(" best | " + " | ".join(f"{result['best'][name]:6.2f}" for name in names))
    return "\n".join(rows)
