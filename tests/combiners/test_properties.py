"""Every registered combiner in every use, and faulty ones that the uses are there to find."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from precision_and_compilers import (
    compiled,
    compiled_and_negative,
    device_that_is_not_read,
    mixed_precision_of_losses,
)
from properties import (
    PROPERTIES,
    copies_and_state_dicts,
    eval_mode,
    negative_losses,
    no_grad_in_train_mode,
    skipped_batch,
)
from torch import Tensor

from amnl.combiners import Combiner, FixedWeightLoss, names, registry


@pytest.fixture(autouse=True, scope="module")
def own_compiler_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Code that was made on another processor, emulated or not, would give wrong numbers here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        yield


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("use", PROPERTIES, ids=lambda use: use.__name__)
@pytest.mark.parametrize("name", names())
def test_right_numbers_or_one_clear_error(name: str, use: Callable[[str], None]) -> None:
    if (name, use) == ("torchjd", device_that_is_not_read):
        pytest.skip("TorchJD's rules decompose matrices, which waits for their values")
    use(name)


class Mean(FixedWeightLoss):
    """The RUL loss over a running mean, which takes in every loss it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.ones(()))

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        self.mean.lerp_(rul_loss.detach().float(), 0.1)
        return rul_loss / self.mean + health_loss


class Forgetful(Mean):
    """No buffer, so no checkpoint has it."""

    def __init__(self) -> None:
        FixedWeightLoss.__init__(self)
        self.mean = torch.ones(())


class Narrow(FixedWeightLoss):
    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        return super().forward(rul_loss, health_loss).to(rul_loss.dtype)


class Looking(FixedWeightLoss):
    """Refuses a negative loss where it can look at it at once, and nowhere else."""

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        if not torch.compiler.is_compiling() and rul_loss < 0:
            raise ValueError("not negative, please")
        return super().forward(rul_loss, health_loss)


class Interpreted(FixedWeightLoss):
    """Another rule when compiled."""

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        total = super().forward(rul_loss, health_loss)
        return 2.0 * total if torch.compiler.is_compiling() else total


@pytest.mark.parametrize(
    ("faulty", "use"),
    [
        (Mean, eval_mode),
        (Mean, no_grad_in_train_mode),
        (Mean, skipped_batch),
        (Mean, negative_losses),
        (Forgetful, copies_and_state_dicts),
        (Narrow, mixed_precision_of_losses),
        (Looking, compiled_and_negative),
        (Looking, device_that_is_not_read),
        (Interpreted, compiled),
    ],
)
def test_the_properties_find_a_faulty_combiner(
    faulty: type[Combiner], use: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.FACTORIES, "faulty", faulty)
    assert "faulty" in names()
    with pytest.raises((AssertionError, RuntimeError)):
        use("faulty")
