"""The labels of `tools/measure/shared_noise.py`: what each kind of second label shares."""

import numpy as np
import pytest
import shared_noise
import torch

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.training import Trainer


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> cmapss.Data:
    folder = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(folder, "FD001", seed=3, engines=40, test_engines=4)
    return cmapss.load("FD001", 0, folder, stride=2)


def error(data: cmapss.Data, kind: str) -> np.ndarray:
    return shared_noise.with_noise(data, kind).train.rul - data.train.rul


@pytest.mark.parametrize("kind", shared_noise.KINDS)
def test_only_training_labels_err(data: cmapss.Data, kind: str) -> None:
    noisy = shared_noise.with_noise(data, kind)
    assert noisy.val is data.val and noisy.test is data.test
    assert noisy.train.values is data.train.values and noisy.train.rul.dtype == np.float32
    e = error(data, kind)
    assert abs(e.std() / shared_noise.NOISE - 1) < 0.05 and abs(e.mean()) < 3
    np.testing.assert_array_equal(e, error(data, "shared"))  # the same for every kind


def test_a_shared_label_is_computed_from_the_noisy_one(data: cmapss.Data) -> None:
    noisy = shared_noise.with_noise(data, "shared").train
    np.testing.assert_array_equal(noisy.health, cmapss.health_state(noisy.rul))
    assert (noisy.health != data.train.health).mean() > 0.2
    clean = shared_noise.with_noise(data, "clean").train
    np.testing.assert_array_equal(clean.health, data.train.health)


@pytest.mark.parametrize("kind", ["shared", "half", "own"])
def test_the_states_err_together_as_far_as_is_said(data: cmapss.Data, kind: str) -> None:
    """Where the true state is the middle one, its error has the sign of e2: +1 or -1."""
    noisy, middle = shared_noise.with_noise(data, kind).train, data.train.health == 1
    off = middle & (noisy.health != 1)
    agree = ((noisy.health[off] == 0) == (error(data, kind)[off] > 0)).mean()
    # of two normal errors with this correlation, beyond a bound near 0.5 deviations
    least, most = {"shared": (1.0, 1.0), "half": (0.68, 0.82), "own": (0.42, 0.58)}[kind]
    assert least <= agree <= most


def test_without_a_weight_the_second_label_changes_nothing(data: cmapss.Data) -> None:
    """So λ = 1 is trained once."""
    steps = []
    for kind in ("shared", "clean"):
        config = shared_noise.replace(shared_noise.config_of(0, 1.0), stride=2)
        noisy = shared_noise.with_noise(data, kind)
        trainer = Trainer(config, noisy, device=torch.device("cpu"))
        for _ in range(3):
            trainer.step(torch.arange(64))
        steps.append([p.detach().clone() for p in trainer.shared_params])
    for a, b in zip(*steps, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
