"""Settings: what is refused, and what they are to their caller."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import SMALL, comparable

from amnl import cmapss
from amnl.training import (
    TrainConfig,
    Trainer,
)


@pytest.fixture(scope="module")
def data(ten_engines: Path, own_cache: None) -> cmapss.Data:
    return cmapss.load("FD001", SMALL.seed, ten_engines, stride=SMALL.stride)


def test_a_numpy_number_among_the_settings_is_a_number(data: cmapss.Data, tmp_path: Path) -> None:
    """A checkpoint written with one could not be read, a result not be saved."""
    settings = {"lr": np.float64(1e-3), "epochs": np.int64(1), "rul_unit": np.float32(1)}
    settings |= {"subset": np.str_("FD001"), "sample_weighted": np.bool_(True)}
    settings |= {
        "combiner_settings": {"rul_weight": np.float32(0.5), "health_weight": torch.tensor(0.5)}
    }
    odd = dataclasses.replace(SMALL, **settings)
    path = tmp_path / "run.pt"
    first = Trainer(odd, data).fit(checkpoint=path)
    first.save(tmp_path / "run.json")
    plain = {"rul_weight": 0.5, "health_weight": 0.5}
    usual = dataclasses.replace(SMALL, epochs=1, combiner_settings=plain)
    again = Trainer(usual, data).fit(checkpoint=path)
    assert comparable(again) == comparable(first)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("warmup_epochs", 0),
        ("lr", float("nan")),
        ("rul_unit", -1.0),
        ("ema", 1.0),
        ("dtype", "half"),
        ("epochs", 2.5),
        ("epochs", "many"),
        ("lr", "fast"),
        ("seed", -1),
        ("seed", 2**32),
        ("weight_decay", -0.1),
        ("weight_decay", float("nan")),
        ("min_lr", -1.0),
        ("plateau_patience", -1),
        ("plateau_factor", 1.0),
        ("plateau_factor", 0.0),
        ("warmup_start", 0.0),
        ("warmup_start", 1.5),
        ("sample_weighted", "yes"),
        ("preset", 5),
        ("combiner", None),
        ("dtype", 32),
    ],
)
def test_bad_settings_name_the_value(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}.*{value}"):
        TrainConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "value"), [("subset", "FD002"), ("seed", 1), ("stride", 1)])
def test_data_of_other_settings_are_refused(data: cmapss.Data, field: str, value: object) -> None:
    """Another seed is another split: validation engines of one train in the other."""
    with pytest.raises(ValueError, match=f"settings say {field} {value}"):
        Trainer(dataclasses.replace(SMALL, **{field: value}), data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "setting", [{"a": object()}, {"a": [1.0, float("nan")]}, {"a": {"b": float("inf")}}, {"a": max}]
)
def test_settings_that_no_record_can_hold_are_refused(setting: dict[str, Any]) -> None:
    """After training it would be too late."""
    with pytest.raises(ValueError, match=r"^[ab] is .*; a combiner's settings are finite numbers"):
        TrainConfig(combiner_settings=setting)


def test_settings_are_the_callers_no_longer() -> None:
    inner = [1.0]
    given: dict[str, Any] = {"rul_weight": 0.9, "steps": inner}
    config = TrainConfig(combiner_settings=given)
    twin = dataclasses.replace(config, seed=1)
    given["rul_weight"] = 0.1
    inner.append(2.0)
    config.combiner_settings["rul_weight"] = 0.2
    assert twin.combiner_settings == {"rul_weight": 0.9, "steps": [1.0]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"rul_weight": 1}, {"rul_weight": 1.0}),
        ({"a": [1, {"b": 2}], "c": None}, {"c": None, "a": (1.0, {"b": 2})}),
    ],
)
def test_equal_settings_have_equal_hashes(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Whatever the order of a combiner's settings, and the kind of a number."""
    a, b = (TrainConfig(combiner_settings=settings) for settings in (one, other))
    assert a == b and hash(a) == hash(b) and len({a, b}) == 1


def test_other_settings_are_another_key() -> None:
    cells = {TrainConfig(seed=s, combiner_settings={"a": [k]}) for s in range(4) for k in range(4)}
    assert len(cells) == len({hash(cell) for cell in cells}) == 16
