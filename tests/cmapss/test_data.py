"""One subset, split by engine, or refused."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amnl import cmapss
from amnl.cmapss import DataError, emulator
from cmapss.tiny_fleet import rows_text, same, seal


def test_the_stride_thins_training_and_validation_windows_and_no_test_engine(tiny: Path) -> None:
    every, fifth = cmapss.load("FD001", 0, tiny), cmapss.load("FD001", 0, tiny, stride=5)
    fleet = cmapss.read(cmapss.find(tiny), "FD001", "train")
    for part, engines in zip(("train", "val"), cmapss.split_engines(fleet.engines, 0), strict=True):
        thinned = getattr(fifth, part)
        assert len(thinned) == sum(-(-(n - 29) // 5) for n in fleet.lengths[engines])
        assert 0.0 in thinned.true  # the end of each life is kept
    assert same(every.test, fifth.test)


@given(st.integers(5, 300), st.integers(0, 2**32))
def test_the_split_is_by_engine_disjoint_and_complete(engines: int, seed: int) -> None:
    fit, held = cmapss.split_engines(engines, seed)
    assert sorted([*fit, *held]) == list(range(engines))
    assert len(held) == round(0.2 * engines)
    again = cmapss.split_engines(engines, seed)
    assert np.array_equal(fit, again[0])
    assert np.array_equal(held, again[1])


def test_the_seed_decides_the_split() -> None:
    held = {tuple(cmapss.split_engines(100, seed)[1]) for seed in range(10)}
    assert len(held) == 10


def test_no_engine_both_trains_and_validates(tiny: Path) -> None:
    for seed in range(5):
        data = cmapss.load("FD001", seed, tiny)
        assert len(data.val) > 0
        assert not set(data.train.engine) & set(data.val.engine)


@pytest.mark.parametrize("engines", [1, 2])
def test_a_fleet_too_small_to_validate_is_named(tmp_path: Path, engines: int) -> None:
    folder = emulator.write_fleet(tmp_path, "FD001", 3, engines=engines, test_engines=2)
    with pytest.raises(DataError, match=rf"has {engines} engines, and the 0 validation .* 3 of"):
        cmapss.load("FD001", 0, folder)
    small = emulator.write_fleet(tmp_path, "FD001", 3, engines=3, test_engines=1)
    assert len(cmapss.load("FD001", 0, small).val)


def test_engines_too_short_for_a_window_are_named(tiny: Path) -> None:
    (tiny / "train_FD001.txt").write_text(rows_text("FD001", (29,) * 5, 0))
    seal(tiny)
    with pytest.raises(DataError, match=r"4 training engines among them .* no window of 30"):
        cmapss.load("FD001", 0, tiny)


@pytest.mark.parametrize("bad", [-1, 1.5, "1", None, float("nan")])
def test_a_seed_or_stride_that_is_no_whole_number_is_named(tiny: Path, bad: Any) -> None:
    said = re.escape(f"must be a whole number, {{}} or more, not {bad!r}")
    with pytest.raises(ValueError, match="seed " + said.replace(r"\{\}", "0")):
        cmapss.load("FD001", bad, tiny)
    with pytest.raises(ValueError, match="seed " + said.replace(r"\{\}", "0")):
        cmapss.split_engines(10, bad)
    with pytest.raises(ValueError, match="stride " + said.replace(r"\{\}", "1")):
        cmapss.load("FD001", 0, tiny, stride=bad)


def test_numbers_from_numpy_are_numbers(tiny: Path) -> None:
    ours = cmapss.load("FD001", np.int64(1), tiny, stride=np.int32(2))  # type: ignore[arg-type]
    assert (type(ours.seed), type(ours.stride)) == (int, int)
    assert same(ours.train, cmapss.load("FD001", 1, tiny, stride=2).train)


@pytest.mark.parametrize("fraction", [-0.5, 1.5, float("nan")])
def test_a_fraction_that_is_none_is_named(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"fraction must lie in .*, not {fraction}"):
        cmapss.split_engines(10, 0, fraction)


def test_the_data_need_numpy_alone(tiny: Path) -> None:
    code = f"from amnl import cmapss; cmapss.load('FD001', 0, {str(tiny)!r}); import sys; "
    code += "print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "amnl.cmapss" in loaded
    assert loaded & {"pandas", "torch", "scipy", "pooch", "matplotlib"} == set()


@pytest.mark.parametrize("engines", [5, 7, 12, 100, 249, 260])
def test_five_folds_validate_every_engine_once(engines: int) -> None:
    folds = [cmapss.split_engines(engines, 3, fold=k) for k in range(5)]
    assert sorted(np.concatenate([val for _, val in folds])) == list(range(engines))
    for train, val in folds:
        assert sorted([*train, *val]) == list(range(engines))
    assert folds[0][1].tolist() == cmapss.split_engines(engines, 3)[1].tolist()


@pytest.mark.parametrize("fold", [-1, 0.5])
def test_a_fold_that_is_none_is_named(fold: object) -> None:
    with pytest.raises(cmapss.DataError, match=f"fold must be a whole number.*{fold}"):
        cmapss.split_engines(10, 0, fold=fold)  # type: ignore[arg-type]
