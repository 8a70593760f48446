"""The tests of the protocol, on top of SciPy: differences, equivalence and intervals.

Arrays in, numbers out. A difference is score(other) − score(reference), in the unit of the scores,
paired by seed: positive means that the reference is better. Source: the page "The protocol".
"""

import itertools
import math
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALPHA = 0.05
MARGIN = 0.5  # cycles; within it two weights are called equivalent
RESAMPLES = 9_999
MOST = 20  # differences of an exact test: a million sign patterns
DRAWN = 99_999  # patterns of one that is not exact
_DECIMALS = 9  # scores that differ by less than a billionth of a cycle are equal
_ROUNDING = 1e-12  # what additions leave of equal scores
_BATCH_SIZE = 2**22  # numbers that a test holds in memory
_SIMULATED = 12  # differences up to which power is simulated with the exact test

Array = NDArray[np.float64]
Alternative = Literal["two-sided", "less", "greater"]


def sign_flip(
    differences: ArrayLike,
    alternative: Alternative = "two-sided",
    rng: int | np.random.Generator | None = None,
) -> float | Array:
    """Exact sign-flip test that paired differences are symmetric around zero.

    The statistic is the mean, against all 2ⁿ sign patterns. The smallest two-sided value is 2/2ⁿ,
    so five seeds never reach 0.05. Differences below a billionth count as none, with a warning
    where all are: cycles have no such, in another unit scale them.

    Parameters
    ----------
    differences
        Shape (n,), or (n, m) for m tests, one a column.
    alternative
        "greater" asks whether the mean is above zero.
    rng
        The random generator, or its seed: with it, more than 20 differences are tested with 99,999
        sign patterns drawn at random, of which none gives a p-value below 1/100,000.

    Returns
    -------
    float or array (m,)
        The p-value.

    Raises
    ------
    ValueError
        For fewer than two differences, for more than 20 without `rng`, NaN and infinity.

    Examples
    --------
    >>> float(sign_flip([1, 2, 4]))  # 2 of 8 patterns have a sum of 7, up to its sign
    0.25
    """
    import scipy.stats  # a third of a second: only who tests pays for it

    d = _finite(differences)
    if d.ndim not in (1, 2):
        raise ValueError(f"differences have shape (n,) or (n, m), got {d.shape}")
    if len(d) > MOST and rng is None:
        raise ValueError(
            f"{len(d)} differences have 2**{len(d)} sign patterns; an exact test takes {MOST} at "
            "most. For more, a t-test does: scipy.stats.ttest_1samp; rng=0 draws the patterns"
        )
    if _ROUNDING < np.abs(d).max() < 0.5 * 10.0**-_DECIMALS:
        warnings.warn(
            f"all differences are below a billionth, the largest is {np.abs(d).max():.1g}, and "
            "count as none; give the scores in a smaller unit",
            stacklevel=2,
        )
    result = scipy.stats.permutation_test(
        (d,),
        _rounded(np.mean),
        permutation_type="samples",
        n_resamples=np.inf if len(d) <= MOST else DRAWN,
        batch=max(1, _BATCH_SIZE // d.size),
        vectorized=True,
        alternative=alternative,
        rng=rng,
    )
    p: float | Array = result.pvalue
    return p


def equivalence(
    differences: ArrayLike,
    margin: float = MARGIN,
    rng: int | np.random.Generator | None = None,
) -> float | Array:
    """p-value of "the mean difference is not within ± `margin`".

    Two one-sided exact sign-flip tests, of d + margin and of d − margin; the larger p-value counts.
    Shapes and errors as in `sign_flip`.

    Examples
    --------
    >>> float(equivalence([0.4, 0.1, 0.3]))  # all three are inside: 1/8 on both sides
    0.125
    """
    d = _finite(differences)
    above, below = sign_flip(d + margin, "greater", rng), sign_flip(d - margin, "less", rng)
    p: float | Array = np.maximum(above, below)
    return p


def holm(p_values: ArrayLike) -> Array:
    """p-values corrected together by Holm's step-down method.

    Parameters
    ----------
    p_values
        Shape (m,).

    Returns
    -------
    array (m,)
        In the order of `p_values`.

    Raises
    ------
    ValueError
        For a value that is NaN or outside [0, 1].

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).

    Examples
    --------
    >>> holm([0.5, 0.01, 0.02]).tolist()
    [0.5, 0.03, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"a p-value lies in [0, 1], got {p[~((p >= 0) & (p <= 1))][0]}")
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _mean_of_means(*samples: Array, axis: int) -> Any:
    return np.mean([np.mean(sample, axis=axis) for sample in samples], axis=0)


def interval(
    *samples: ArrayLike,
    statistic: Callable[..., Any] = _mean_of_means,
    rng: int | np.random.Generator = 0,
) -> tuple[float, float]:
    """95 % bootstrap interval, bias-corrected and accelerated, from 9,999 resamples.

    Parameters
    ----------
    *samples
        Each of shape (n,) and resampled within itself: one sample gives the interval of its mean,
        four subsets that of the mean of their means.
    statistic
        `statistic(*samples, axis)` replaces the mean.
    rng
        The random generator, or its seed.

    Returns
    -------
    tuple of float
        Lower and upper end; the same number twice for samples without spread.

    Raises
    ------
    ValueError
        For an empty sample, one that is not of shape (n,), NaN and infinity.

    Examples
    --------
    >>> low, high = interval([0.1, 0.3, 0.2, 0.4])
    >>> 0.1 < low < 0.25 < high < 0.4
    True
    """
    import scipy.stats  # a third of a second: only who tests pays for it

    checked = [_finite(sample) for sample in samples]
    for sample in checked:
        if sample.ndim != 1:
            raise ValueError(f"a sample has shape (n,), got {sample.shape}; give each by itself")
    if all(np.ptp(sample) < 10.0**-_DECIMALS for sample in checked):
        point = float(statistic(*checked, axis=-1))
        return point, point
    for method in ("BCa", "percentile"):  # the first has no answer where all but one are equal
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", scipy.stats.DegenerateDataWarning)
            low, high = scipy.stats.bootstrap(
                checked,
                _rounded(statistic),
                n_resamples=RESAMPLES,
                vectorized=True,
                method=method,
                rng=rng,
            ).confidence_interval
        if math.isfinite(low) and math.isfinite(high):
            break
    return float(low), float(high)


def smallest_difference(sd: float, n: int, tests: int = 1, power: float = 0.8) -> float:
    """The smallest true difference that `n` pairs would have shown with probability `power`.

    Shown means a p-value of `sign_flip` below 0.05, or below 0.05/`tests` where Holm's method
    corrects so many together: that is its strictest step. Differences are taken as normal. Up to 12
    pairs the exact test is simulated (4,000 samples, fixed seed); for more the t-test stands in.

    Parameters
    ----------
    sd
        Standard deviation of the paired differences.

    Returns
    -------
    float
        In the unit of `sd`; infinity where so few pairs can never reject.

    Examples
    --------
    >>> round(smallest_difference(1.0, 10), 1)
    1.0
    >>> smallest_difference(1.0, 5)
    inf
    """
    effect = _smallest_effect(n, tests, power)
    return effect if math.isinf(effect) else sd * effect  # 0 of infinity is infinity here


@cache
def _smallest_effect(n: int, tests: int, power: float) -> float:
    import scipy.optimize
    import scipy.stats

    alpha = ALPHA / tests
    if 2.0 ** (1 - n) >= alpha:
        return math.inf
    if n > _SIMULATED:
        least = scipy.stats.t.ppf(1 - alpha / 2, n - 1)

        def shown(effect: float) -> float:
            return float(scipy.stats.nct.sf(least, n - 1, effect * math.sqrt(n)))
    else:
        sample = np.random.default_rng(0).standard_normal((4_000, n))
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n - 1)))
        flips = np.column_stack((np.ones(len(signs)), signs))  # the other half mirrors these
        luck, push = sample @ flips.T, flips.sum(axis=1)

        def shown(effect: float) -> float:
            means = np.abs(luck + effect * push)
            p = (means >= means[:, :1] - _ROUNDING).mean(axis=1)
            return float((p < alpha).mean())

    return float(scipy.optimize.brentq(lambda effect: shown(effect) - power, 0.0, 20.0, xtol=1e-3))


def crossed_differences(
    squared: ArrayLike, reference: ArrayLike, rng: int | np.random.Generator = 0
) -> Array:
    """Bootstrap of a mean difference in RMSE over seeds and test engines, each by itself.

    `interval` resamples seeds and takes the engines as they are. Here both are drawn with
    replacement, the same ones for both scores, so the spread is that of new seeds *and* new
    engines.

    Parameters
    ----------
    squared, reference
        Squared errors, shape (seeds, engines), of what is compared and of what with.
    rng
        The random generator, or its seed.

    Returns
    -------
    array (9999,)
        Mean over seeds of RMSE(compared) − RMSE(reference) in every resample.

    Raises
    ------
    ValueError
        For shapes that differ, NaN and infinity.

    Examples
    --------
    >>> draws = crossed_differences([[4.0, 4.0], [4.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]])
    >>> draws.shape, bool((abs(draws - 1) < 1e-12).all())
    ((9999,), True)
    """
    a, b = _finite(squared), _finite(reference)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"squared errors have shape (seeds, engines), got {a.shape} and {b.shape}")
    generator = np.random.default_rng(rng)
    seeds, engines = (generator.multinomial(n, np.full(n, 1 / n), RESAMPLES) / n for n in a.shape)
    differences = np.sqrt(engines @ a.T) - np.sqrt(engines @ b.T)
    drawn: Array = (seeds * differences).sum(axis=1)
    return drawn


def _rounded(statistic: Callable[..., Any]) -> Callable[..., Any]:
    # Resamples with equal means must tie exactly, whatever the order of their additions.
    return lambda *samples, axis: np.round(statistic(*samples, axis=axis), _DECIMALS)


def _finite(values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("no differences to test: the array is empty")
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)][0]
        raise ValueError(f"a difference is {bad}; a failed cell cannot be paired")
    return array


__all__ = [
    "ALPHA", "MARGIN", "RESAMPLES", "crossed_differences", "equivalence", "holm", "interval",
    "sign_flip", "smallest_difference",
]  # fmt: skip
