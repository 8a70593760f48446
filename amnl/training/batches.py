"""Windows on a device, and the order in which they train."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from amnl.cmapss import Windows


class Batches:
    """A `Windows` on a device; batches are gathered from the one array of rows, not stacked."""

    def __init__(self, windows: Windows, device: torch.device, dtype: torch.dtype) -> None:
        self.values = torch.as_tensor(windows.values, dtype=dtype, device=device)
        self.last = torch.as_tensor(windows.last, device=device)
        self.rul = torch.as_tensor(windows.rul, dtype=dtype, device=device)
        self.health = torch.as_tensor(windows.health, device=device)
        self.offsets = torch.arange(1 - windows.length, 1, device=device)

    def __len__(self) -> int:
        return len(self.last)

    def inputs(self, index: Tensor) -> Tensor:
        """(…, B) window numbers → (…, B, 30, 17)."""
        rows = (self.last[index].unsqueeze(-1) + self.offsets).flatten()
        return self.values.index_select(0, rows).view(*index.shape, len(self.offsets), -1)

    def shuffled(self, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
        """One epoch of index batches, as `in_batches` makes them."""
        order = torch.randperm(len(self), generator=generator).to(self.last.device)
        return iter(in_batches(order, batch_size))


def in_batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """An order of windows, cut.

    A window that is left over alone is left out of the epoch: its step would count for as much as
    one of a whole batch.
    """
    batches = list(torch.split(order, batch_size))
    return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 < batch_size else batches


class Pool(Batches):
    """The windows of several seeds as one `Batches`, whose numbers run over all of them."""

    def __init__(
        self, windows: Sequence[Windows], device: torch.device, dtype: torch.dtype
    ) -> None:
        names = [field.name for field in dataclasses.fields(Windows) if field.name != "length"]
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(w, name) for w in windows]) for name in names
        }
        rows = np.cumsum([0, *(len(w.values) for w in windows)])[:-1]
        joined["last"] = np.concatenate([w.last + r for w, r in zip(windows, rows, strict=True)])
        super().__init__(Windows(**joined, length=windows[0].length), device, dtype)
        self.sizes = [len(w) for w in windows]
        self.starts = np.cumsum([0, *self.sizes])[:-1].tolist()

    def of(self, members: Sequence[int]) -> Tensor:
        """Window numbers (C, n) of the C `members`, n the largest's; others repeat their last."""
        starts, sizes = (
            torch.tensor([given[k] for k in members], device=self.last.device).unsqueeze(1)
            for given in (self.starts, self.sizes)
        )
        numbers = torch.arange(int(sizes.max()), device=self.last.device)
        return starts + torch.minimum(numbers, sizes - 1)

    def epoch(self, orders: Sequence[torch.Generator], batch_size: int) -> tuple[Tensor, Tensor]:
        """One shuffled epoch: window numbers (steps, S, B) and 1 where there is one, on the host.

        The batches of a seed are those of `Batches.shuffled`. A seed with fewer of them than
        another ends in empty ones. B is the largest batch's.
        """
        split = [
            in_batches(torch.randperm(size, generator=order) + start, batch_size)
            for size, start, order in zip(self.sizes, self.starts, orders, strict=True)
        ]
        steps = max(len(batches) for batches in split)
        largest = max(len(batches[0]) for batches in split)
        index = torch.tensor(self.starts).repeat(steps, 1).unsqueeze(-1).repeat(1, 1, largest)
        seen = torch.zeros(index.shape)
        for s, batches in enumerate(split):
            for k, batch in enumerate(batches):
                index[k, s, : len(batch)] = batch
                seen[k, s, : len(batch)] = 1.0
        return index, seen
