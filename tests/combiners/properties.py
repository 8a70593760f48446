"""Every use that people make of a combiner: the right numbers, or one clear error and the way out.

`PROPERTIES` holds them, one function each, which takes the name of a registered combiner.
"""

import copy
import io
import warnings

import pytest
import torch
from precision_and_compilers import PRECISION_AND_COMPILERS
from small_net import (
    Net,
    assert_equal,
    assert_same_state,
    batch,
    call,
    felt,
    learner,
    make,
    right_or_refused,
    trained,
)
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss


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


PROPERTIES = [
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
    what_is_no_loss,
    detached_loss,
    loss_that_misses_the_trunk,
    copies_and_state_dicts,
    forgotten_by_the_optimiser,
    *PRECISION_AND_COMPILERS,
]
