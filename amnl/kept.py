"""Finished runs of a reader's problem in a folder, known by all that decided them.

A record is one small file, written whole or not at all. Two sweeps that share a folder may train
the same run twice; as a run is the same each time, that harms nothing, and no lock is needed.
"""

import dataclasses
import hashlib
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from amnl.cmapss import write_atomically
from amnl.inputs import has_rows
from amnl.problem import Problem, Run, Scale, seeded, tensors_of
from amnl.sweep import StoreError, sealed, unsealed

_RECIPE = 2  # raise it when `amnl.problem.run` or the record changes: stored runs are run again
_SAMPLED = 64  # rows hashed of a dataset that is not made of tensors


class Kept:
    """Finished runs in a folder, a small file each, named by what they are of."""

    def __init__(self, folder: str | Path | None, problem: Problem) -> None:
        self.folder = Path(folder).expanduser() if folder else None
        if self.folder:
            self.problem = identity(problem)
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"the store {folder} cannot be made: {error.strerror}") from error

    def _path(self, folder: Path, lam: float, seed: int) -> Path:
        return folder / f"{self.problem}-lam{lam!r}-seed{seed}.json"

    def get(self, lam: float, seed: int) -> Run | None:
        """The finished run, or None. Raises `StoreError` that names a damaged file."""
        path = self.folder and self._path(self.folder, lam, seed)
        if not path or not path.exists():
            return None

        def parse(stored: dict[str, Any]) -> Run:
            run = Run(**{**stored, "scale": Scale(**stored["scale"])})
            if (run.lam, run.seed) != (lam, seed):
                raise ValueError("its name is that of another run")
            return run

        return unsealed(path, parse)

    def put(self, run: Run) -> None:
        """Keep a finished run, where there is a folder; its file appears whole or not at all."""
        if self.folder:
            path = self._path(self.folder, run.lam, run.seed)
            write_atomically(path, sealed(dataclasses.asdict(run)))


def identity(problem: Problem) -> str:
    """What stored runs are known by, 16 hexadecimal digits: see `store` of `five_point_sweep`."""
    digest = _Digest()
    digest.add(f"recipe {_RECIPE}")
    for part in dataclasses.fields(problem):
        digest.add(part.name)
        digest.add(getattr(problem, part.name))
    for data in (problem.train, problem.val):
        if not tensors_of(data) and has_rows(data):
            with seeded(0):
                rows = np.linspace(0, len(data) - 1, min(_SAMPLED, len(data))).astype(int).tolist()
                digest.add([data[row] for row in rows])
    return digest.hash.hexdigest()[:16]


class _Digest:
    """A hash over code, numbers and structure, without addresses, line numbers or comments."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.seen: dict[int, tuple[int, Any]] = {}  # holds each: no other may get its address

    def add(self, value: Any) -> None:
        self.hash.update(f"<{type(value).__qualname__}>".encode())
        if isinstance(value, str | bytes | int | float | complex | None | types.EllipsisType):
            self.hash.update(repr(value).encode())
            return
        # Constants of code may be one object or two, as the compiler likes.
        if not isinstance(value, tuple | frozenset | types.CodeType):
            if id(value) in self.seen:
                self.hash.update(f"again {self.seen[id(value)][0]}".encode())
                return
            self.seen[id(value)] = (len(self.seen), value)
        for part in _parts(value):
            if isinstance(part, memoryview):
                self.hash.update(part)
            else:
                self.add(part)


def _parts(value: Any) -> Iterator[Any]:
    """What tells a value from others of its type: numbers as memory, everything else in turn."""
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        yield f"{plain.dtype} {tuple(plain.shape)}"
        yield plain.flatten().view(torch.uint8).numpy().data
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield f"{value.dtype} {value.shape}"
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    elif isinstance(value, nn.Module):
        yield from (type(value), repr(value), dict(value.state_dict()))
    elif isinstance(value, Mapping):
        yield from (part for item in value.items() for part in item)
    elif isinstance(value, set | frozenset):
        yield from sorted(value, key=repr)
    elif isinstance(value, tuple | list):
        yield len(value)
        yield from value
    else:
        yield from _parts_of_code(value)


def _parts_of_code(value: Any) -> Iterator[Any]:
    if isinstance(value, types.CodeType):
        yield from (value.co_code, value.co_names, value.co_varnames, value.co_consts)
    elif isinstance(value, types.FunctionType) and not _is_installed(value.__module__):
        yield from (value.__code__, value.__defaults__, value.__kwdefaults__)
        yield from (_content(cell) for cell in value.__closure__ or ())
        for name in sorted(_names(value.__code__) & value.__globals__.keys()):
            yield from (name, value.__globals__[name])
    elif isinstance(value, type) and not _is_installed(value.__module__):
        yield from (value.__qualname__, value.__bases__)
        for name, attribute in sorted(vars(value).items()):
            if name not in ("__dict__", "__weakref__", "__module__", "__doc__"):
                yield from (name, attribute)
    elif isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        yield f"{value.__module__}.{value.__qualname__}"
    elif isinstance(value, types.ModuleType):
        yield value.__name__
    elif isinstance(value, types.MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, staticmethod | classmethod):
        yield value.__func__
    elif isinstance(value, property):
        yield from (value.fget, value.fset, value.fdel)
    else:
        yield from _parts_of_object(value)


def _parts_of_object(value: Any) -> Iterator[Any]:
    """What pickle would keep of it; of what cannot be pickled, nothing but its type."""
    yield type(value)
    yield getattr(value, "__wrapped__", None)  # what a cache wraps
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # whatever a class raises to say that it cannot be pickled
        return
    if isinstance(reduced, tuple):
        how, what, state, items, pairs = (*reduced, None, None, None)[:5]
        yield from (how, what, state, list(items or ()), list(pairs or ()))
    else:
        yield reduced


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet assigned
        return None


def _names(code: types.CodeType) -> set[str]:
    """Names that a function looks up, its inner functions too."""
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*(_names(c) for c in inner))


def _is_installed(module: str | None) -> bool:
    """Whether code comes with Python or a package: its name and `_RECIPE` stand for it then."""
    name = module or ""
    if name.partition(".")[0] == "amnl":
        return True
    if name == "__main__" or name not in sys.modules:
        return False
    path = getattr(sys.modules[name], "__file__", None)
    paths = sysconfig.get_paths()
    homes = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    return path is None or any(Path(home) in Path(path).parents for home in homes)
