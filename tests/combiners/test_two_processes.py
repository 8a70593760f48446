"""Two processes train as one on the joined batch."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from small_net import Batch, Net, batch, make
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.parallel import DistributedDataParallel

from amnl.combiners import Combiner, DWALoss, names

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
