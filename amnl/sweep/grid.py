"""Grids: every combination of subsets, seeds, combiners and units, as cells."""

import math
from collections.abc import Iterable
from typing import Any

from amnl.cmapss import SUBSETS
from amnl.combiners import FixedWeightLoss, make_combiner
from amnl.training import TrainConfig
from amnl.training.model import make_model

STRIDES = {"FD001": 4, "FD002": 8, "FD003": 4, "FD004": 8}  # the protocol's


def fixed(lam: float) -> dict[str, float]:
    """Settings of the fixed combiner for λ.

    Raises
    ------
    ValueError
        Outside [0, 1].

    Examples
    --------
    >>> fixed(0.75)
    {'rul_weight': 0.75, 'health_weight': 0.25}
    """
    return FixedWeightLoss.convex(lam).get_weights()


def grid(
    subsets: Iterable[str] = SUBSETS,
    seeds: Iterable[int] = range(10),
    combiners: Iterable[tuple[str, dict[str, Any]]] | None = None,
    rul_units: Iterable[float] = (1.0,),
    *,
    lams: Iterable[float] | None = None,
    **settings: Any,
) -> list[TrainConfig]:
    """Every combination, seeds outermost: a sweep that stops early has whole seeds.

    Parameters
    ----------
    combiners
        Pairs of a name and its settings.
    lams
        Instead of combiners: λ of the fixed one. By default 0.5 alone.
    rul_units
        Cycles.
    **settings
        Fields of `TrainConfig`. Without a stride, the protocol's.

    Raises
    ------
    ValueError
        For what no worker could train, and for combiners beside lams.

    Examples
    --------
    >>> [(cell.seed, cell.lam) for cell in grid(["FD001"], [0, 1], lams=[0.3, 0.5])]
    [(0, 0.3), (0, 0.5), (1, 0.3), (1, 0.5)]
    """
    if combiners is None:
        combiners = [("fixed", fixed(lam)) for lam in ((0.5,) if lams is None else lams)]
    elif lams is not None:
        raise ValueError("combiners and lams both say how the losses are weighed; take one")
    subsets, combiners, units = tuple(subsets), tuple(combiners), tuple(rul_units)
    make_model(settings.get("preset", TrainConfig.preset))
    for name, options in combiners:
        make_combiner(name, **options)
    for name, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")
    return [
        TrainConfig(
            **{"stride": STRIDES.get(subset, 1), **settings},
            subset=subset,
            seed=seed,
            combiner=name,
            combiner_settings=dict(options),
            rul_unit=unit,
        )
        for seed in seeds
        for subset in subsets
        for unit in units
        for name, options in combiners
    ]
