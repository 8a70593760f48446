"""Every registered combiner in every use that people make of one: the right numbers, or one clear
error that names the way out. A combiner is in this table by being registered."""

import copy
import functools
import io
import re
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch._functorch import config as functorch_config
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.parallel import DistributedDataParallel

from amnl.combiners import Combiner, DWALoss, FixedWeightLoss, make_combiner, names
from amnl.combiners import base as combiners

Batch = tuple[Tensor, Tensor, Tensor]
SHORT = {name: {"warmup": 2, "beta": 0.5} for name in ("gaba", "grace")}  # or 0.5 for 100 steps


class Net(nn.Module):
    """Two shared layers and two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())
        self.rul, self.health = nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.trunk(x)
        return self.rul(z)[:, 0], self.health(z)

    @property
    def shared(self) -> list[nn.Parameter]:
        return list(self.trunk.parameters())

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        rul, logits = self(batch[0])
        return mse_loss(rul, batch[1]), cross_entropy(logits, batch[2])


def batch(seed: int, rows: int = 24) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 4, generator=generator)
    return x, 3 * x[:, 0] + 5, (x[:, 1] > 0).long() + (x[:, 2] > 1).long()


def make(name: str) -> Combiner:
    return make_combiner(name, **SHORT.get(name, {}))


def learner(*modules: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for m in modules for p in m.parameters()], 1e-2)


def trained(name: str, steps: int = 5) -> tuple[Net, Combiner]:
    """A net and its combiner after two short epochs."""
    torch.manual_seed(0)
    net, combiner = Net(), make(name)
    optimiser = learner(net, combiner)
    for step in range(2 * steps):
        total = combiner(*net.losses(batch(step)), shared_params=net.shared, model=net)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        if step % steps == steps - 1:
            combiner.end_epoch()
    net.zero_grad()
    combiner.zero_grad()
    return net, combiner


def felt(net: Net, combiner: Combiner, total: Tensor) -> list[Tensor]:
    """The total and its gradients at all that learns."""
    total.backward()
    everything = (*net.parameters(), *combiner.parameters())
    found = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in everything]
    net.zero_grad()
    combiner.zero_grad()
    return [total.detach(), *found]


def call(
    pair: tuple[Net, Combiner], change: Callable[..., Any] | None = None, **extras: Any
) -> Any:
    """One training call on a copy; `change` makes other losses of the two."""
    net, combiner = copy.deepcopy(pair)
    losses = net.losses(batch(99))
    losses = losses if change is None else change(*losses)
    extras = {key: of(net) for key, of in extras.items()}
    return felt(net, combiner, combiner(*losses, **{"shared_params": net.shared, **extras}))


def assert_equal(ours: list[Tensor], theirs: list[Tensor], rel: float = 1e-5) -> None:
    """As vectors: within `rel` of their length."""
    for a, b in zip(ours, theirs, strict=True):
        assert (a.double() - b.double()).norm() <= rel * b.double().norm() + 1e-9, (a, b)


def assert_same_state(one: Combiner, other: Combiner, rel: float = 0.0) -> None:
    for key, value in one.state_dict().items():
        torch.testing.assert_close(
            value, other.state_dict()[key], rtol=rel, atol=rel, equal_nan=True, msg=key
        )
    assert one.get_weights() == pytest.approx(other.get_weights(), rel=rel or 1e-12)


def right_or_refused(message: str, check: Callable[[], None]) -> None:
    """Either the check holds, or it ends in a `ValueError` that says this."""
    try:
        check()
    except ValueError as error:
        assert re.search(message, str(error)), error


# The uses, one function each.


def eval_mode(name: str) -> None:
    net, combiner = trained(name)
    before = copy.deepcopy(combiner)
    combiner.eval()
    one = combiner(*net.losses(batch(7)), shared_params=net.shared, model=net)
    with torch.no_grad():
        other = combiner(*net.losses(batch(7)))  # needs no shared_params=
    assert one.isfinite() and torch.equal(one, other)
    assert all(g.isfinite().all() for g in felt(net, combiner, one))
    assert_same_state(before, combiner)


def no_grad_in_train_mode(name: str) -> None:
    net, combiner = trained(name)
    before = copy.deepcopy(combiner)
    for off in (torch.no_grad, torch.inference_mode):
        with off():
            total = combiner(*net.losses(batch(7)), shared_params=net.shared, model=net)
            assert torch.equal(total, copy.deepcopy(before).eval()(*net.losses(batch(7))))
    assert_same_state(before, combiner)


def skipped_batch(name: str) -> None:
    for bad in (torch.nan, torch.inf):
        for spoilt in ((bad, 1.0), (1.0, bad), (bad, bad)):
            for steps in (0, 5):  # the very first batch, and one later on
                assert_skipped(name, steps, spoilt)


def assert_skipped(name: str, steps: int, spoilt: tuple[float, float]) -> None:
    net, combiner = trained(name, steps)
    twin, spared = copy.deepcopy((net, combiner))
    losses = [loss * factor for loss, factor in zip(net.losses(batch(7)), spoilt, strict=True)]
    total = combiner(*losses, shared_params=net.shared, model=net)
    assert not total.isfinite()  # so that whoever looks will skip the step
    total.backward()
    for own in combiner.parameters():
        assert own.grad is None or own.grad.isfinite().all()
    net.zero_grad()
    combiner.zero_grad()
    for step in range(3):
        for n, c in ((net, combiner), (twin, spared)):
            total = c(*n.losses(batch(step)), shared_params=n.shared, model=n)
            assert total.isfinite()
            total.backward()
        combiner.end_epoch()
        spared.end_epoch()
    assert_equal([p.grad for p in net.parameters()], [p.grad for p in twin.parameters()], 1e-6)
    assert_same_state(combiner, spared, rel=1e-6)


def accumulation(name: str) -> None:
    """Micro-batches one by one, and all before one `backward`; gradients dropped or set to 0."""
    pair = trained(name)
    for extras in ({}, {"model": pair[0]}):
        found = []
        for to_none in (True, False):
            for together in (False, True):
                net, combiner = copy.deepcopy(pair)
                optimiser = learner(net, combiner)
                if extras:
                    extras = {"model": net}
                optimiser.zero_grad(set_to_none=to_none)
                totals = []
                for k in range(3):
                    losses = net.losses(batch(k))
                    totals.append(combiner(*losses, shared_params=net.shared, **extras) / 3)
                    if not together:
                        totals[-1].backward()
                if together:
                    torch.stack(totals).sum().backward()
                grads = [p.grad.clone() for m in (net, combiner) for p in m.parameters()]
                optimiser.step()
                found.append([*grads, *net.parameters(), *combiner.parameters()])
        for other in found[1:]:
            assert_equal(other, found[0])
    net, combiner = copy.deepcopy(pair)
    reference = [torch.zeros_like(p) for p in net.parameters()]
    for k in range(3):  # the same, by three separate gradients
        total = combiner(*net.losses(batch(k)), shared_params=net.shared)
        for kept, g in zip(
            reference, torch.autograd.grad(total, list(net.parameters())), strict=True
        ):
            kept += g / 3
    assert_equal(found[0][: len(reference)], reference)


def shared_params_of_any_kind(name: str) -> None:
    pair = trained(name)
    reference = call(pair)
    for kind in (tuple, iter, nn.ParameterList, lambda ps: dict(enumerate(ps)).values()):
        assert_equal(call(pair, shared_params=lambda net, kind=kind: kind(net.shared)), reference)
    one = call(pair, shared_params=lambda net: [net.trunk[2].weight])
    assert_equal(call(pair, shared_params=lambda net: net.trunk[2].weight), one)

    def spent() -> None:
        net, combiner = copy.deepcopy(pair)
        parameters = net.trunk.parameters()
        for _ in range(2):
            combiner(*net.losses(batch(0)), shared_params=parameters)

    right_or_refused("an iterator gives them once: pass a list", spent)

    def features(model: bool) -> list[Tensor]:
        """What the trunk gives, in place of its parameters."""
        net, combiner = copy.deepcopy(pair)
        z = net.trunk(batch(0)[0])
        losses = mse_loss(net.rul(z)[:, 0], batch(0)[1]), cross_entropy(net.health(z), batch(0)[2])
        extras = {"model": net} if model else {}
        return felt(net, combiner, combiner(*losses, shared_params=[z], **extras))

    assert_equal(features(True), features(False))
    for wrong in (lambda net: net.trunk, lambda net: net.rul, lambda net: net.named_parameters()):
        right_or_refused(
            r"must hold tensors, got \w+; pass list\(trunk.parameters\(\)\)",
            lambda wrong=wrong: assert_equal(call(pair, shared_params=wrong), reference),
        )


def frozen_layers(name: str) -> None:
    for layers in ((0,), (2,)):
        net, combiner = trained(name)
        for k in layers:
            net.trunk[k].requires_grad_(False)
        for extras in ({}, {"model": lambda net: net}):
            found = call((net, combiner), **extras)
            left = lambda net: [p for p in net.shared if p.requires_grad]  # noqa: E731
            assert_equal(found, call((net, combiner), shared_params=left, **extras))
            assert all(
                g.isfinite().all() and g.any()
                for g in found[-4 - len(list(combiner.parameters())) : -1]
            )
    net.trunk.requires_grad_(False)
    right_or_refused(
        "all shared_params= are frozen.*pass a layer", lambda: call((net, combiner)) and None
    )


def model_in_part(name: str) -> None:
    """`model=` need not hold all that the losses reach, nor the losses all that it holds."""
    pair = trained(name)
    pair[0].unused, pair[0].temperature = nn.Linear(2, 2), nn.Parameter(torch.tensor(0.3))

    def tempered(rul: Tensor, health: Tensor, net: Net) -> tuple[Tensor, Tensor]:
        return rul * torch.exp(-net.temperature), health

    found = []
    for model in (
        None,
        lambda net: net,
        lambda net: net.trunk,
        lambda net: nn.ModuleList([net.rul]),
    ):
        net, combiner = copy.deepcopy(pair)
        losses = tempered(*net.losses(batch(3)), net)
        extras = {} if model is None else {"model": model(net)}
        total = combiner(*losses, shared_params=net.shared, **extras)
        total.backward()
        assert net.unused.weight.grad is None  # AdamW would decay it
        found.append([total.detach()] + [p.grad for p in net.parameters() if p.grad is not None])
    for other in found[1:]:
        assert_equal(other, found[0])
    assert all(g.any() for g in found[0])


def hooks_of_parameters(name: str) -> None:
    """They run once, whether the gradients are known or not."""
    pair = trained(name)
    found = []
    for extras in ({}, {"model": True}):
        net, combiner = copy.deepcopy(pair)
        net.rul.weight.register_hook(lambda g: 0.5 * g)
        if extras:
            extras = {"model": net}
        found.append(
            felt(net, combiner, combiner(*net.losses(batch(3)), shared_params=net.shared, **extras))
        )
    assert_equal(found[1], found[0])


def zero_losses(name: str) -> None:
    for zero in ((0.0, 1.0), (1.0, 0.0), (0.0, 0.0)):
        net, combiner = trained(name)
        optimiser = (
            torch.optim.Adam(
                [{"params": net.parameters()}, {"params": combiner.parameters(), "lr": 2.0}], 1e-2
            )
            if list(combiner.parameters())
            else learner(net)
        )
        for step in range(80):
            losses = [a * b for a, b in zip(net.losses(batch(step % 5)), zero, strict=True)]
            total = combiner(*losses, shared_params=net.shared, model=net)
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
            assert total.isfinite()
        combiner.end_epoch()
        assert all(p.isfinite().all() for p in (*net.parameters(), *combiner.parameters()))
        for factor, weight in zip(zero, combiner.get_weights().values(), strict=True):
            assert weight < 1e3 or factor  # of a loss that shrinks, uncertainty's may well grow


def zero_in_the_first_batch(name: str) -> None:
    """As where no row of it is labelled: after that, weights go where they would have gone."""
    ended = []
    for first in (1.0, 0.0):
        torch.manual_seed(0)
        net, combiner = Net(), make(name)
        optimiser = learner(net, combiner)
        for step in range(100):
            rul, health = net.losses(batch(step % 5))
            total = combiner(rul * (first if step == 0 else 1.0), health, shared_params=net.shared)
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
        ended.append(combiner.get_weights())
    assert ended[0] == pytest.approx(ended[1], abs=0.2)


def negative_losses(name: str) -> None:
    """A constant less changes no gradient; where the rule reads the loss itself, it is refused."""
    pair = trained(name)

    def train(less_rul: float, less_health: float) -> list[Tensor]:
        net, combiner = copy.deepcopy(pair)
        for step in range(6):
            rul, health = net.losses(batch(step))
            losses = rul / (1 + step) - less_rul, health - less_health
            found = felt(net, combiner, combiner(*losses, shared_params=net.shared))
            if step % 2:
                combiner.end_epoch()
        return [torch.tensor(list(combiner.get_weights().values())), *found[1:]]

    reference = train(0.0, 0.0)
    way_out = "(rul|health)_loss is -.*'fixed' or 'gaba', which take any sign"
    for less in ((100.0, 0.0), (0.0, 100.0)):
        right_or_refused(way_out, lambda less=less: assert_equal(train(*less), reference))


def mixed_precision_of_losses(name: str) -> None:
    pair = trained(name)
    reference = call(pair)
    kinds = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
    for one in kinds:
        for other in kinds:
            found = call(pair, lambda a, b, one=one, other=other: (a.to(one), b.to(other)))
            assert found[0].dtype is torch.promote_types(one, other)
            assert_equal(found, reference, 1e-5 if min(one.itemsize, other.itemsize) > 2 else 2e-2)


def what_is_no_loss(name: str) -> None:
    pair = trained(name)
    for change, message in (
        (lambda a, b: (a[None], b), r"rul_loss must be a 0-D tensor, got shape \(1,\).*mean\(\)"),
        (lambda a, b: (a, b.expand(4)), r"health_loss must be a 0-D.*\(4,\).*mean\(\)"),
        (
            lambda a, b: (a.item(), b),
            r"rul_loss must be a 0-D tensor, got float .*before .item\(\)",
        ),
        (lambda a, b: (a, b.detach().numpy()), r"health_loss must be .*, got ndarray"),
        (
            lambda a, b: (a, torch.tensor(3)),
            r"health_loss must be a floating-point tensor, got .*int64",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call(pair, change)


def detached_loss(name: str) -> None:
    pair = trained(name)

    def check() -> None:
        found = call(pair, lambda a, b: (a, b.detach()))
        assert all(g.isfinite().all() for g in found)
        head = len(list(pair[0].trunk.parameters())) + 3  # after the total, trunk and RUL head
        assert found[1].any() and not found[head].any()

    right_or_refused("health_loss has no gradient.*not detached", check)


def loss_that_misses_the_trunk(name: str) -> None:
    """A rule that compares gradients there would take it for a task that needs no weight."""
    pair = trained(name)

    def learned(attached: bool) -> list[Tensor]:
        net, combiner = copy.deepcopy(pair)
        z, (_, rul, health) = net.trunk(batch(1)[0]), batch(1)
        losses = (
            mse_loss(net.rul(z)[:, 0], rul),
            cross_entropy(net.health(z if attached else z.detach()), health),
        )
        combiner(*losses, shared_params=net.shared, model=net).backward()
        weights = torch.tensor(list(combiner.get_weights().values()))
        return [weights, *(p.grad for p in combiner.parameters())]

    right_or_refused(
        "health_loss reaches none of the shared_params=",
        lambda: assert_equal(learned(False), learned(True)),
    )


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


@pytest.fixture(autouse=True, scope="module")
def own_compiler_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Code that was made on another processor, emulated or not, would give wrong numbers here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        yield


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


def copies_and_state_dicts(name: str) -> None:
    pair = trained(name)
    file = io.BytesIO()
    torch.save(pair[1], file)
    file.seek(0)
    loaded = make(name)
    loaded.load_state_dict(pair[1].state_dict())
    copies = [loaded, copy.deepcopy(pair[1]), torch.load(file, weights_only=False)]
    for other in copies:
        assert_same_state(other, pair[1])
    reference = call(pair)
    for other in copies:
        net, kept = copy.deepcopy(pair[0]), copy.deepcopy(pair[1])
        total = other(*net.losses(batch(99)), shared_params=net.shared, model=net)
        assert_equal(felt(net, other, total), reference)
        assert_same_state(pair[1], kept)  # a copy moves alone


def forgotten_by_the_optimiser(name: str) -> None:
    for forgotten in (True, False):
        torch.manual_seed(0)
        net, combiner = Net(), make(name)
        optimiser = learner(net) if forgotten else learner(net, combiner)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for step in range(130):
                total = combiner(*net.losses(batch(step % 5)), shared_params=net.shared)
                optimiser.zero_grad()
                total.backward()
                optimiser.step()
        told = [str(w.message) for w in said if "optimiser" in str(w.message)]
        assert len(told) == (forgotten and any(True for _ in combiner.parameters())), told
        assert all("add combiner.parameters() to the optimiser" in line for line in told)


USES = [
    eval_mode,
    no_grad_in_train_mode,
    skipped_batch,
    accumulation,
    shared_params_of_any_kind,
    frozen_layers,
    model_in_part,
    hooks_of_parameters,
    zero_losses,
    zero_in_the_first_batch,
    negative_losses,
    mixed_precision_of_losses,
    what_is_no_loss,
    detached_loss,
    loss_that_misses_the_trunk,
    amp_with_grad_scaler,
    amp_overflow,
    whole_module_in_half,
    casts_and_default_dtypes,
    compiled,
    compiled_to_machine_code,
    compiled_and_negative,
    device_that_is_not_read,
    copies_and_state_dicts,
    forgotten_by_the_optimiser,
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
@pytest.mark.parametrize("name", names())
def test_right_numbers_or_one_clear_error(name: str, use: Callable[[str], None]) -> None:
    use(name)


# Two processes.

RANKS, STEPS = 2, 12
PLACES = ("outside", "outside, model=", "inside")  # of the module that DDP wraps


class Whole(nn.Module):
    """A net with its combiner inside."""

    def __init__(self, net: Net, combiner: Combiner) -> None:
        super().__init__()
        self.net, self.combiner = net, combiner

    def forward(self, data: Batch) -> Tensor:
        losses = self.net.losses(data)
        return self.combiner(*losses, shared_params=self.net.shared, model=self.net)


def share(step: int, rank: int | None) -> Batch:
    """A rank's half of a batch, or all of it. The halves are unlike: RUL is larger in one."""
    x, y, c = batch(step, 16)
    y = torch.cat([y[:8], 4 * y[8:]])
    part = slice(None) if rank is None else slice(8 * rank, 8 * rank + 8)
    return x[part], y[part], c[part]


def train_on(
    rank: int | None, name: str, place: str, combiner: Combiner | None = None
) -> list[Any]:
    """The weights after each epoch and the parameters at the end."""
    torch.manual_seed(0)
    net, combiner = Net(), combiner or make(name)
    whole = Whole(net, combiner)
    optimiser = torch.optim.SGD(whole.parameters(), 1e-3)
    if rank is None:
        forward: Callable[[Batch], Tensor] = whole
    elif place == "inside":
        forward = DistributedDataParallel(whole)
    else:
        parallel = DistributedDataParallel(net)
        extras = {"model": parallel} if place == "outside, model=" else {}

        def forward(data: Batch) -> Tensor:
            rul, logits = parallel(data[0])
            losses = mse_loss(rul, data[1]), cross_entropy(logits, data[2])
            return combiner(*losses, shared_params=net.shared, **extras)

    weights = []
    for step in range(STEPS):
        total = forward(share(step, rank))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        if step % 3 == 2:
            combiner.end_epoch()
            weights.append(torch.tensor(list(combiner.get_weights().values())))
    return [torch.stack(weights), [p.detach() for p in whole.parameters()]]


def work(rank: int, known: tuple[str, ...], folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=60),
    )
    found = {(name, place): train_on(rank, name, place) for name in known for place in PLACES}
    apart = DWALoss()
    apart.across_ranks = False
    found["apart"] = train_on(rank, "dwa", "outside", apart)
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[Any, Any]]:
    folder = tmp_path_factory.mktemp("ranks")
    context = multiprocessing.spawn(work, (names(), str(folder)), nprocs=RANKS, join=False)
    try:
        for _ in range(24):
            if context.join(timeout=5.0):
                break
        else:
            pytest.fail("two gloo processes have not ended in two minutes")
    finally:
        for process in context.processes:
            process.kill()
    return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(RANKS)]


@pytest.mark.slow  # starts two processes
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", names())
def test_two_processes_train_as_one_on_the_joined_batch(
    name: str, place: str, ranks: list[dict[Any, Any]]
) -> None:
    alone = train_on(None, name, place)
    for found in ranks:
        torch.testing.assert_close(found[name, place], alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(*(found[name, place][0] for found in ranks), rtol=1e-6, atol=0)


@pytest.mark.slow  # starts two processes
def test_processes_that_train_apart_can_say_so(ranks: list[dict[Any, Any]]) -> None:
    assert not torch.allclose(*(found["apart"][0] for found in ranks), rtol=1e-3)


# Tests of the table: what it is there to find.


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
def test_the_table_finds_a_faulty_combiner(
    faulty: type[Combiner], use: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(combiners._FACTORIES, "faulty", faulty)
    assert "faulty" in names()
    with pytest.raises((AssertionError, RuntimeError)):
        use("faulty")
