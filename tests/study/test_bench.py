"""`amnl bench`: the two sides do the same work, and the loader's figures are measured."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.study import bench
from amnl.study.bench import steps as steps_module
from amnl.study.bench.loading import in_fresh_process
from amnl.training.model import make_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    for subset in cmapss.SUBSETS:
        emulator.write_fleet(folder, subset, seed=0, engines=8, test_engines=4)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMNL_CACHE_DIR", str(tmp_path / "cache"))


def test_the_plain_model_is_the_same_function() -> None:
    """With one set of weights both networks agree: the ratio is about the way, not the work."""
    torch.manual_seed(0)
    ours, plain = (
        make_model("compact").double().eval(),
        bench.plain_model("compact").double().eval(),
    )
    weights = {
        k: v.squeeze(2) if v.ndim == 4 else v  # Conv2d (1, 3) → Conv1d 3
        for k, v in ours.state_dict().items()
    }
    plain.load_state_dict(weights)
    x = torch.randn(6, 30, 17, dtype=torch.float64)
    for a, b in zip(ours(x), plain(x), strict=True):
        torch.testing.assert_close(a, b)


def test_both_ways_take_steps_of_as_many_windows(folder: Path) -> None:
    data = cmapss.load("FD001", 0, folder)
    pair = bench.our_steps("compact", data, 128), bench.plain_steps("compact", data, 128)
    assert [list(itertools.islice(way, 3)) for way in pair] == [[128] * 3] * 2


def test_rates_are_taken_in_turns_and_their_medians_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much faster one way is, `amnl bench` prints; a noisy machine cannot be held to it."""
    now, turns = 0.0, []

    def steps(name: str, seconds: list[float]) -> Iterator[int]:
        nonlocal now
        for each in seconds:
            now += each
            turns.append(name)
            yield 10

    monkeypatch.setattr(steps_module, "time", SimpleNamespace(perf_counter=lambda: now))
    # Two steps a round; the first round, a slow one, warms up.
    ours, plain = steps("ours", [9, 9, 1, 1, 2, 2, 1, 1]), steps("plain", [9, 9, 4, 4, 2, 2, 5, 5])
    assert bench.compare(ours, plain, steps=2, rounds=3) == (10.0, 2.5, 4.0)
    assert turns == ["ours", "ours", "plain", "plain"] * 4


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_is_measured_in_a_fresh_process(folder: Path, tmp_path: Path) -> None:
    first = in_fresh_process("ours", folder, tmp_path / "c")
    twice = [in_fresh_process("ours", folder, tmp_path / "c") for _ in range(2)]
    cached = min(twice, key=lambda load: load.seconds)  # another program may have the processor
    assert 0 < cached.seconds < first.seconds
    assert 0 < cached.added_mb < 150


def test_a_loading_that_fails_says_why_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^loading \(ours\) failed: .*nowhere.*$") as caught:
        in_fresh_process("ours", tmp_path / "nowhere", tmp_path)
    assert len(str(caught.value).splitlines()) == 1
