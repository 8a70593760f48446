"""A device by its name."""

import pytest
import torch

from amnl.training import pick_device


@pytest.mark.parametrize(
    ("name", "gpus", "found"),
    [
        (None, 0, "cpu"),
        (None, 2, "cuda"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda"),
        ("cuda:1", 2, "cuda:1"),
        ("cuda", 0, r"'cuda' here: PyTorch sees no NVIDIA GPU; write cpu"),
        ("cuda:0", 0, r"'cuda:0' here: PyTorch sees no NVIDIA GPU"),
        ("cuda:2", 2, r"'cuda:2' here; PyTorch sees cuda:0, cuda:1"),
        ("cuda:", 1, "'cuda:' here; write cpu, cuda or cuda:0"),
        ("cuda:-1", 1, "'cuda:-1' here; write"),
        ("mps", 0, "'mps' here; write"),
        ("gpu", 1, "'gpu' here; write"),
        ("", 1, "'' here; write"),
    ],
)
def test_a_device_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str | None, gpus: int, found: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    if "here" not in found:
        assert str(pick_device(name)) == found
    else:
        with pytest.raises(ValueError, match=found):
            pick_device(name)
