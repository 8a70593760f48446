"""Rows that meet all rows: a column of predictions, (B, 1), less a row of targets, (B,), is (B, B).

PyTorch says nothing, the loss is finite, training runs, and what it learns is nonsense. The shapes
of the arithmetic give it away, and the code around it tells an accident from losses that compare
all pairs on purpose (contrastive and ranking losses, kernels, attention over the batch):

- a tensor meets itself, or a column (B, 1) meets a row (1, B) that was written as one;
- the square (B, B) comes out of a product of matrices, or goes through anything but arithmetic,
  sums, means, norms and extremes over all of it.

Where any of these is seen for squares of that size, pairs are taken to be meant.
"""

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from amnl.weigh.problem import ProblemError

EVERY_PAIR = (
    ". Every prediction would meet every target; .squeeze(-1) or .flatten() one of them. Where all "
    "pairs are meant, write both axes: p[:, None] and y[None, :]"
)
# What accidents do with a square, besides arithmetic: name it anew, and shrink it.
_HARMLESS = {"view", "_unsafe_view", "alias", "detach", "clone", "_to_copy", "expand", "unsqueeze"}
_HARMLESS |= {"squeeze", "ones_like", "zeros_like", "empty_like", "_local_scalar_dense"}
_HARMLESS |= {"sum", "nansum", "mean", "var", "std", "linalg_vector_norm"}
_EXTREMES = {"max", "min", "median", "nanmedian"}  # along an axis they pick among pairs
_FOREIGN = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]))


class Squares(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes where rows meet all rows, while the lines inside its `with` are run."""

    of_targets: bool  # a tensor with a gradient must meet one without: prediction against target
    met: dict[int, str]  # number of rows → the shapes that met there, and the line
    meant: set[int]  # numbers of rows whose squares are there on purpose
    lined_up: dict[int, str]  # as `met`, of rows that meet an axis as long: (B, B) against (B,)

    def __init__(self, of_targets: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.of_targets, self.met, self.meant, self.lined_up = of_targets, {}, set(), {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by PyTorch for each operation on tensors."""
        out = func(*args, **(kwargs or {}))
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor) and t.ndim > 0]
        name = func.overloadpacket.__name__
        if torch.Tag.pointwise in func.tags:
            for k, one in enumerate(given):
                for other in given[:k]:
                    self._look(one, other)
        elif name == "index" and len(given) == 2:  # rows that a mask leaves
            self.meant.update(_sides(given[1]))
        elif name not in _HARMLESS and not (name in _EXTREMES and func._overloadname == "default"):
            made = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
            self.meant.update(*map(_sides, (*given, *made)))
        return out

    def _look(self, one: Tensor, other: Tensor) -> None:
        long, short = (one, other) if one.ndim >= other.ndim else (other, one)
        gap, rows = long.ndim - short.ndim, short.shape[0]
        if gap == 0:
            axes = set(zip(long.shape, short.shape, strict=True))
            self.meant.update(n for n, m in axes if n > 1 and m == 1 and (1, n) in axes)
        elif rows < 2 or long.shape[0] != rows or long.shape[gap] not in (1, rows):
            return
        elif long.data_ptr() == short.data_ptr():
            self.meant.add(rows)
        elif not self.of_targets or long.requires_grad != short.requires_grad:
            found = self.met if long.shape[gap] == 1 else self.lined_up
            found.setdefault(rows, f"{tuple(long.shape)} and {tuple(short.shape)}{_line()}")


def accident(fewer: Squares, full: Squares) -> str | None:
    """The shapes that met by accident, and the line; None where none did.

    `fewer` and `full` have watched the same lines on two numbers of rows: what only happens to be
    as long as the data are (features, time steps, a code book) is of one length in both.
    """
    new, gone = full.met.keys() - fewer.met.keys(), fewer.met.keys() - full.met.keys()
    on_purpose = new <= full.meant and gone <= fewer.meant
    return full.met[max(full.met)] if gone and full.met and not on_purpose else None


def _sides(tensor: Tensor) -> Iterable[int]:
    """Lengths above 1 that two axes of a tensor share."""
    return {n for k, n in enumerate(tensor.shape) if n > 1 and n in tensor.shape[:k]}


def _line() -> str:
    """The innermost line that is neither PyTorch's nor ours."""
    frame = sys._getframe()
    while frame and frame.f_code.co_filename.startswith(_FOREIGN):
        frame = frame.f_back  # type: ignore[assignment]
    return f" ({Path(frame.f_code.co_filename).name}, line {frame.f_lineno})" if frame else ""


@contextmanager
def refuse_other_shapes(who: str) -> Iterator[None]:
    """What PyTorch warns of becomes a `ProblemError`; to compare with one number is no mistake."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Using a target size")
            warnings.filterwarnings("ignore", r"Using a target size \(torch\.Size\(\[[1, ]*\]\)\)")
            yield
    except UserWarning as warning:
        if not str(warning).startswith("Using a target size"):
            raise
        shapes = str(warning).partition(". This")[0]
        raise ProblemError(
            f"{who} compares tensors of different shapes: {shapes}{EVERY_PAIR}"
        ) from warning
