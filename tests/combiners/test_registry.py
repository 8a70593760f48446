"""Combiners by name."""

from typing import Any

import pytest

from amnl.combiners import (
    AMNLFixedLoss,
    FixedWeightLoss,
    make_combiner,
    names,
    register,
    registry,
    settings_of,
)


def test_a_combiner_is_built_by_name() -> None:
    made = make_combiner("fixed", rul_weight=0.75, health_weight=0.25)
    assert isinstance(made, FixedWeightLoss)
    assert made.get_name() == make_combiner("v7").get_name() == "Fixed(0.75/0.25)"
    assert make_combiner("amnl", normalise="batch").get_name() == "AMNL(0.50/0.50, batch)"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown combiner 'fixd'; known: .*amnl.*fixed.*v7"):
        make_combiner("fixd")


def test_settings_are_listed_with_their_defaults() -> None:
    assert settings_of("fixed") == {"rul_weight": 0.5, "health_weight": 0.5}
    assert settings_of("v7") == {}
    assert settings_of("amnl") == {
        "rul_weight": 0.5,
        "health_weight": 0.5,
        "normalise": "ema",
        "beta": 0.99,
    }
    assert settings_of("gaba") == settings_of("grace")
    assert settings_of("gaba") == {"beta": 0.99, "floor": 0.05, "warmup": 100}
    assert settings_of("gradnorm") == {"alpha": 1.5, "speed": 25.0, "floor": 0.01}
    assert settings_of("uncertainty") == {"speed": 1.0}
    assert settings_of("dwa") == {"temperature": 2.0}
    with pytest.raises(ValueError, match=r"unknown combiner 'fixd'; known: .*amnl.*fixed.*v7"):
        settings_of("fixd")


def test_an_unknown_setting_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no setting 'lam'; .*rul_weight, health_weight"):
        make_combiner("fixed", lam=0.5)
    with pytest.raises(ValueError, match="no setting 'rul_weight'; its settings: none"):
        make_combiner("v7", rul_weight=0.5)


def test_a_factory_may_take_any_setting_and_need_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FACTORIES", dict(registry.FACTORIES))

    @register("open")
    def open_ended(lam: float, **options: Any) -> FixedWeightLoss:
        return FixedWeightLoss(lam, options.get("other", 0.0))

    made = make_combiner("open", lam=0.25, other=2.0)
    assert made.get_weights() == {"rul_weight": 0.25, "health_weight": 2.0}
    with pytest.raises(ValueError, match="'open' needs a setting 'lam'; its settings: lam"):
        make_combiner("open", other=2.0)


def test_a_name_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FACTORIES", dict(registry.FACTORIES))
    register("mine")(FixedWeightLoss)
    assert "mine" in names() and make_combiner("mine").get_name() == "Fixed(0.50/0.50)"
    with pytest.raises(ValueError, match="'mine' is registered already"):
        register("mine")(AMNLFixedLoss)


def test_a_cell_that_is_run_again_registers_its_class_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a reader does who edits a class of chapter 3 or 8 and runs the cell once more."""
    monkeypatch.setattr(registry, "FACTORIES", dict(registry.FACTORIES))

    def cell(weight: float) -> None:
        @register("mine")
        class Mine(FixedWeightLoss):
            def __init__(self) -> None:
                super().__init__(weight, 1 - weight)

    for weight in (0.3, 0.8):
        cell(weight)
        assert make_combiner("mine").get_weights()["rul_weight"] == weight
