"""The Pareto front: the weights that no other weight beats in both tasks."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def on_front(cost: npt.ArrayLike, gain: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether no other point has both a lower cost and a higher gain.

    Parameters
    ----------
    cost, gain
        Shape (..., points), such as test RMSE in cycles and macro-F1.

    Returns
    -------
    array (..., points)

    Examples
    --------
    >>> on_front([1.0, 2.0, 3.0], [0.5, 0.9, 0.8]).tolist()
    [True, True, False]
    """
    c, g = np.asarray(cost, dtype=float), np.asarray(gain, dtype=float)
    beaten = (c[..., None, :] < c[..., :, None]) & (g[..., None, :] > g[..., :, None])
    return np.logical_not(np.asarray(beaten.any(axis=-1)))


def front_shares(
    cost: npt.ArrayLike, gain: npt.ArrayLike, resamples: int = 10_000, rng: int = 0
) -> Array:
    """In what share of resamples of the seeds each point's means are on the front.

    Parameters
    ----------
    cost, gain
        Shape (seeds, points).
    resamples
        How often seeds are drawn with replacement, the same for all points.
    rng
        The seed of the drawing.

    Returns
    -------
    array (points,)
        Shares in [0, 1].
    """
    c, g = np.asarray(cost, dtype=float), np.asarray(gain, dtype=float)
    seeds = len(c)
    drawn = np.random.default_rng(rng).multinomial(seeds, np.full(seeds, 1 / seeds), resamples)
    shares: Array = on_front(drawn @ c / seeds, drawn @ g / seeds).mean(axis=0)
    return shares
