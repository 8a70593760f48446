"""Combiners in half precision, under a compiler and on a device that is not read.

The second half of `properties`.
"""

import copy
import functools
from collections.abc import Callable

import pytest
import torch
from small_net import (
    Batch,
    Net,
    assert_equal,
    assert_same_state,
    batch,
    call,
    felt,
    learner,
    make,
    trained,
)
from torch import Tensor, nn
from torch._functorch import config as functorch_config

from amnl.combiners import Combiner


def mixed_precision_of_losses(name: str) -> None:
    pair = trained(name)
    reference = call(pair)
    kinds = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
    for one in kinds:
        for other in kinds:
            found = call(pair, lambda a, b, one=one, other=other: (a.to(one), b.to(other)))
            assert found[0].dtype is torch.promote_types(one, other)
            assert_equal(found, reference, 1e-5 if min(one.itemsize, other.itemsize) > 2 else 2e-2)


def amp_with_grad_scaler(name: str) -> None:
    for tiny in (1.0, 1e-4, 1e-6):
        for inside in (True, False):
            found = []
            for half in (False, True):
                net, combiner = trained(name)
                scaler = torch.amp.GradScaler("cpu", min(65536.0, 512 / tiny), enabled=half)
                cast = torch.autocast("cpu", torch.float16, enabled=half)
                for step in range(4):
                    with cast:
                        rul, health = net.losses(batch(step))
                        pair = rul * tiny, health * tiny / 10
                        if inside:
                            total = combiner(*pair, shared_params=net.shared, model=net)
                    if not inside:
                        total = combiner(*pair, shared_params=net.shared, model=net)
                    grads = felt(net, combiner, scaler.scale(total))[1:]
                by = scaler.get_scale() if half else 1.0
                found.append(([g / by for g in grads], list(combiner.get_weights().values())))
            (ours, w), (theirs, v) = found[1], found[0]
            assert_equal(ours[:8], theirs[:8], 3e-2)
            assert w == pytest.approx(v, rel=2e-2)


def amp_overflow(name: str) -> None:
    """Gradients beyond float16: the scaler skips, halves its scale, and training goes on."""
    net, combiner = trained(name)
    optimiser = learner(net, combiner)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    moved = copy.deepcopy(net.rul.weight)
    for step in range(60):
        with torch.autocast("cpu", torch.float16):
            total = combiner(*net.losses(batch(step)), shared_params=net.shared, model=net)
        optimiser.zero_grad()
        scaler.scale(total).backward()
        scaler.step(optimiser)
        scaler.update()
    assert total.isfinite() and not torch.equal(net.rul.weight, moved)
    assert all(p.isfinite().all() for p in (*net.parameters(), *combiner.parameters()))
    assert all(0.0 < w < 1e3 for w in combiner.get_weights().values())


def whole_module_in_half(name: str) -> None:
    """Cast with the model, over long epochs and in cycles²: no sum overflows, no mean stalls."""
    for kind in (torch.bfloat16, torch.float16):
        ended = []
        for dtype in (torch.float32, kind):
            combiner = make(name).to(dtype)
            w = nn.Parameter(torch.ones(1, 3, dtype=dtype))
            optimiser = torch.optim.SGD([*combiner.parameters(), torch.zeros(1)], 1e-7)
            for epoch in range(3):
                for _ in range(60):
                    rul = (2500.0 if epoch == 0 else 1250.0 / epoch) * w[0, 0]
                    total = combiner(rul, 1.0 * w[0, 1], shared_params=[w], model=None)
                    assert total.dtype is dtype and total.isfinite()
                    optimiser.zero_grad()
                    total.backward()
                    optimiser.step()
                combiner.end_epoch()
            scale = combiner.eval()(*(torch.ones(2, dtype=torch.float64)))
            ended.append([*combiner.get_weights().values(), scale.item()])
        assert ended[1] == pytest.approx(ended[0], rel=2e-2)


def casts_and_default_dtypes(name: str) -> None:
    _, combiner = trained(name)
    for cast in (combiner.half, combiner.bfloat16):
        before = copy.deepcopy(combiner.state_dict())
        cast()
        for key, value in combiner.state_dict().items():
            assert torch.equal(value.nan_to_num(), before[key].nan_to_num())  # no digit lost
    try:
        torch.set_default_dtype(torch.bfloat16)
        assert all(
            v.dtype.itemsize >= 4 for v in make(name).state_dict().values() if v.is_floating_point()
        )
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(
        v.dtype is torch.float64
        for v in combiner.double().state_dict().values()
        if v.is_floating_point()
    )


def compiled(name: str) -> None:
    """The combiner alone, and a whole step: the numbers of eager mode."""
    pair = trained(name)

    def alone(net: Net, combiner: Combiner) -> Callable[[Batch], Tensor]:
        fast = torch.compile(combiner, backend="aot_eager")
        return lambda data: fast(*net.losses(data), shared_params=net.shared, model=net)

    def whole(net: Net, combiner: Combiner) -> Callable[[Batch], Tensor]:
        def step(data: Batch) -> Tensor:
            return combiner(*net.losses(data), shared_params=net.shared, model=net)

        return torch.compile(step, backend="aot_eager")

    for way in (alone, whole):
        assert_same_numbers(pair, way, steps=3)


def assert_same_numbers(
    pair: tuple[Net, Combiner],
    compile_: Callable[[Net, Combiner], Callable[[Batch], Tensor]],
    steps: int,
) -> None:
    torch._dynamo.reset()
    net, combiner = copy.deepcopy(pair)
    reference = copy.deepcopy(pair)
    step = compile_(net, combiner)
    for k in range(steps):
        losses = reference[0].losses(batch(k))
        expected = felt(*reference, reference[1](*losses, shared_params=reference[0].shared))
        assert_equal(felt(net, combiner, step(batch(k))), expected, 1e-4)
        assert_same_state(combiner, reference[1], rel=1e-5)


@functools.cache
def makes_machine_code() -> bool:
    """It wants a C++ compiler, and an instruction set that it knows."""
    torch._dynamo.reset()
    net = Net()
    try:
        total = sum(torch.compile(lambda data: net.losses(data))(batch(0)))
        torch.autograd.backward(total)
    except Exception:  # whatever a compiler raises
        return False
    return True


def compiled_to_machine_code(name: str) -> None:
    """PyTorch's default: it computes anew in the backward pass, and hands memory on."""
    if not makes_machine_code():
        pytest.skip("PyTorch's compiler cannot make code here")

    def step(net: Net, combiner: Combiner) -> Callable[[Batch], Tensor]:
        fast = torch.compile(lambda data: net.losses(data))
        weigh = torch.compile(lambda *losses: combiner(*losses, shared_params=net.shared))
        return lambda data: weigh(*fast(data))

    try:
        assert_same_numbers(trained(name), step, steps=1)
    except RuntimeError as error:
        assert "donated_buffer=False" in str(error)  # PyTorch names the way out of that
        with functorch_config.patch(donated_buffer=False):
            assert_same_numbers(trained(name), step, steps=1)


def compiled_and_negative(name: str) -> None:
    """No look at a value there, as on a GPU: the total is NaN, and the weights say why."""
    torch._dynamo.reset()
    net, combiner = trained(name)
    eager = copy.deepcopy(combiner)
    rul, health = net.losses(batch(0))
    rul = rul - 100
    try:
        eager(rul, health, shared_params=net.shared)
    except ValueError:
        refuses = True
    else:
        refuses = False
    fast = torch.compile(combiner, backend="eager")
    try:
        total = fast(rul, health, shared_params=net.shared)
    except ValueError as error:
        assert refuses and "not negative" in str(error)
        return
    assert total.isnan() == refuses
    if refuses:
        with pytest.raises(ValueError, match="not negative, and one has been; use 'fixed'"):
            combiner.get_weights()


def device_that_is_not_read(name: str) -> None:
    """A step never waits for a value: on "meta" there is none, as if a GPU were still at it."""
    net, combiner = trained(name)
    net.to("meta")
    combiner.to("meta")
    for step in range(3):
        data = tuple(part.to("meta") for part in batch(step))
        total = combiner(*net.losses(data), shared_params=net.shared, model=net)
        total.backward()
    combiner.end_epoch()


PRECISION_AND_COMPILERS = [
    mixed_precision_of_losses,
    amp_with_grad_scaler,
    amp_overflow,
    whole_module_in_half,
    casts_and_default_dtypes,
    compiled,
    compiled_to_machine_code,
    compiled_and_negative,
    device_that_is_not_read,
]
