"""`amnl bench`: the two sides do the same work, and the loader's figures are measured."""

import sys
from pathlib import Path

import pytest
import torch

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.study import bench
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


def test_training_is_faster_than_the_plain_way(folder: Path) -> None:
    """The goal is 1.8 times, as `amnl bench` prints; the rest is left to a noisy machine."""
    data = cmapss.load("FD001", 0, folder)
    pair = bench.our_steps("compact", data, 128), bench.plain_steps("compact", data, 128)
    _, _, ratio = bench.compare(*pair, steps=6, rounds=3)
    assert ratio > 1.4


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_is_measured_in_a_fresh_process(folder: Path, tmp_path: Path) -> None:
    first = bench._in_fresh_process("ours", folder, tmp_path / "c")
    cached = bench._in_fresh_process("ours", folder, tmp_path / "c")
    assert 0 < cached["seconds"] < first["seconds"]
    assert 0 < cached["added_mb"] < 150


def test_a_loading_that_fails_says_why_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^loading \(ours\) failed: .*nowhere.*$") as caught:
        bench._in_fresh_process("ours", tmp_path / "nowhere", tmp_path)
    assert len(str(caught.value).splitlines()) == 1
