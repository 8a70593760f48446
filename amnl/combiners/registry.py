"""Combiners by name."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from amnl.combiners.contract import Combiner

FACTORIES: dict[str, Callable[..., Combiner]] = {}  # by name, what builds a combiner
_Factory = TypeVar("_Factory", bound=Callable[..., Combiner])


def register(name: str) -> Callable[[_Factory], _Factory]:
    """Decorator: let `make_combiner(name, ...)` build what this class or function returns.

    A cell that is run again may register its class again: one of the same module and name takes the
    place of its older self.

    Raises
    ------
    ValueError
        When the name is another's.

    Examples
    --------
    >>> from amnl.combiners import FixedWeightLoss, make_combiner, register
    >>> @register("thirds")
    ... def thirds() -> FixedWeightLoss:
    ...     return FixedWeightLoss(1 / 3, 2 / 3)
    >>> make_combiner("thirds").get_name()
    'Fixed(0.33/0.67)'
    """

    def add(factory: _Factory) -> _Factory:
        older = FACTORIES.get(name, factory)
        if (older.__module__, older.__qualname__) != (factory.__module__, factory.__qualname__):
            raise ValueError(f"combiner {name!r} is registered already; choose another name")
        FACTORIES[name] = factory
        return factory

    return add


def names() -> tuple[str, ...]:
    """The registered names, sorted."""
    return tuple(sorted(FACTORIES))


def settings_of(name: str) -> dict[str, object]:
    """A combiner's settings and their defaults; `inspect.Parameter.empty` where there is none.

    Raises
    ------
    ValueError
        For an unknown name; it lists the known ones.
    """
    return {p.name: p.default for p in _parameters(name) if p.kind is not p.VAR_POSITIONAL}


def make_combiner(name: str, **settings: Any) -> Combiner:
    """Build a combiner by its name.

    Parameters
    ----------
    name
        One of `names()`.
    **settings
        What `settings_of` lists, each with a default where it has one.

    Raises
    ------
    ValueError
        For an unknown name (it lists the known ones), for a setting the combiner does not have or
        still needs (it lists those it has), and for a bad value.

    Examples
    --------
    >>> import torch
    >>> combiner = make_combiner("fixed", rul_weight=0.75, health_weight=0.25)
    >>> float(combiner(torch.tensor(2.0), torch.tensor(1.0)))
    1.75
    """
    parameters = _parameters(name)
    accepted = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    known = ", ".join(p.name for p in accepted) or "none"
    unknown = sorted(settings.keys() - {p.name for p in accepted})
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise ValueError(f"combiner {name!r} has no setting {unknown[0]!r}; its settings: {known}")
    for p in accepted:
        if p.default is p.empty and p.name not in settings:
            raise ValueError(f"combiner {name!r} needs a setting {p.name!r}; its settings: {known}")
    return FACTORIES[name](**settings)


def _parameters(name: str) -> list[inspect.Parameter]:
    if name not in FACTORIES:
        raise ValueError(f"unknown combiner {name!r}; known: {', '.join(names())}")
    return list(inspect.signature(FACTORIES[name]).parameters.values())
