"""The two task losses' parts that PyTorch lacks, and the metrics the book reports.

The health loss is plain cross-entropy (`torch.nn.functional.cross_entropy`); it needs nothing here.
Losses are torch and keep the graph. Metrics are NumPy, pooled over everything they are given, and
refuse what they cannot score: a metric that returns NaN would be averaged into a table unseen.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

MAX_RUL = 125.0  # cycles; the piecewise-linear cap (Heimes 2008; source, chapter 15.1)


def sample_weights(target: Tensor, max_rul: float = MAX_RUL) -> Tensor:
    """Weight of each sample in the RUL loss: 1 when healthy, rising linearly to 2 at failure.

    Parameters
    ----------
    target
        Remaining life, of any shape.
    max_rul
        The cap, in the unit of `target` (cycles, or both divided by the same number).

    Returns
    -------
    Tensor
        `1 + clip(1 - target / max_rul, 0, 1)`, the shape of `target`, without units.

    Raises
    ------
    ValueError
        When `max_rul` is not a positive finite number.

    References
    ----------
    Source: chapter 15.1, "moderate" weighting.

    Examples
    --------
    >>> import torch
    >>> sample_weights(torch.tensor([125.0, 50.0, 0.0]))
    tensor([1.0000, 1.6000, 2.0000])
    """
    if not 0.0 < max_rul < float("inf"):
        raise ValueError(f"max_rul must be a positive number of cycles, got {max_rul}")
    return 1.0 + (1.0 - target / max_rul).clamp(0.0, 1.0)


def moderate_weighted_mse_loss(pred: Tensor, target: Tensor, max_rul: float = MAX_RUL) -> Tensor:
    """Mean of `w · (pred - target)²` with `w = sample_weights(target)`.

    Parameters
    ----------
    pred, target
        Of one shape, usually `(B,)`, in cycles.
    max_rul
        As for `sample_weights`.

    Returns
    -------
    Tensor
        0-D, with a graph, in cycles². It is a plain mean, not divided by `Σw`, so a batch of
        engines near failure weighs up to twice as much as a healthy one.

    Raises
    ------
    ValueError
        When the shapes differ or the batch is empty.
    """
    if pred.shape != target.shape:
        # (B, 1) against (B,) would broadcast to (B, B) and train, quietly, on nonsense.
        raise ValueError(
            f"pred has shape {tuple(pred.shape)} and target {tuple(target.shape)}; they must be "
            "equal, so squeeze the head's last axis: pred.squeeze(-1)"
        )
    if target.numel() == 0:
        raise ValueError("the batch is empty: a mean over no samples has no value")
    return (sample_weights(target, max_rul) * (pred - target) ** 2).mean()


def rmse(pred: Any, target: Any) -> float:
    """Root of the mean squared error over all entries, in the unit of the inputs (cycles).

    Pool before calling: the mean of batch RMSEs is a different, usually smaller number. Infinite
    where a square is too large for a float, from errors of about 1e154 on.

    Parameters
    ----------
    pred, target
        Array-likes of one shape.

    Raises
    ------
    ValueError
        For unequal shapes, no entries, masked entries, NaN or infinity.

    Examples
    --------
    >>> rmse([10.0, 14.0], [13.0, 10.0])
    3.5355339059327378
    """
    pred, target = _paired(pred, target)
    return float(np.sqrt(np.mean((pred - target) ** 2)))


def nasa_score(pred: Any, target: Any) -> float:
    """NASA's PHM08 score: the sum of `exp(-d/13) - 1` (early) or `exp(d/10) - 1` (late).

    `d = pred - target` in cycles, one entry an engine; 0 is perfect, late costs more than early.
    A sum, so it grows with the fleet, and infinite from 7,100 cycles late. Parameters and errors as
    for `rmse`.

    References
    ----------
    A. Saxena et al., "Damage propagation modeling for aircraft engine run-to-failure simulation",
    PHM08 (2008).

    Examples
    --------
    >>> round(nasa_score([20.0], [10.0]), 3), round(nasa_score([10.0], [20.0]), 3)
    (1.718, 1.158)
    """
    pred, target = _paired(pred, target)
    d = pred - target
    with np.errstate(over="ignore"):
        return float(np.sum(np.expm1(np.where(d < 0, -d / 13.0, d / 10.0))))


def accuracy(pred_class: Any, true_class: Any) -> float:
    """Share of equal class indices, in [0, 1]. Parameters and errors as for `rmse`."""
    pred_class, true_class = _paired(pred_class, true_class)
    return float(np.mean(pred_class == true_class))


def macro_f1(pred_class: Any, true_class: Any, classes: int = 3) -> float:
    """Mean over classes of the F1 score, in [0, 1].

    A class found neither among the predictions nor among the truths has no F1 and is left out of
    the mean.

    Parameters
    ----------
    pred_class, true_class
        Array-likes of one shape, class indices 0 … `classes`-1.

    Raises
    ------
    ValueError
        As `rmse`, and for an index that is not one of the classes.
    """
    pred_class, true_class = _paired(pred_class, true_class)
    scores = []
    unknown = np.setdiff1d([pred_class, true_class], np.arange(classes))
    if unknown.size:
        raise ValueError(f"class indices must be whole numbers 0..{classes - 1}, got {unknown[0]}")
    for k in range(classes):
        predicted, actual = pred_class == k, true_class == k
        if total := int(predicted.sum() + actual.sum()):
            scores.append(2.0 * int((predicted & actual).sum()) / total)
    return float(np.mean(scores))


def _paired(first: Any, second: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Both inputs as finite float64 arrays of one shape, or a `ValueError` that says which is not.

    float64 even for float32 predictions: sums of squares over a fleet lose digits in float32.
    """
    pair = []
    for name, values in (("first", first), ("second", second)):
        if isinstance(values, Tensor):
            values = values.detach().cpu().double().numpy()  # NumPy has no bfloat16
        if np.ma.is_masked(values):
            raise ValueError(f"the {name} argument masks entries: score the others alone")
        array = np.asarray(values, dtype=np.float64)
        if not np.isfinite(array).all():
            bad = array[~np.isfinite(array)][0]
            raise ValueError(f"the {name} argument holds {bad}: a metric needs finite numbers")
        pair.append(array)
    if pair[0].shape != pair[1].shape:
        raise ValueError(f"shapes differ: {pair[0].shape} against {pair[1].shape}")
    if pair[0].size == 0:
        raise ValueError("nothing to score: both arguments are empty")
    return pair[0], pair[1]


__all__ = [
    "MAX_RUL",
    "accuracy",
    "macro_f1",
    "moderate_weighted_mse_loss",
    "nasa_score",
    "rmse",
    "sample_weights",
]
