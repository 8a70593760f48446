"""What decides a value, as 16 hexadecimal digits: the code of functions, the content of all else.

Written by hand because libraries fail `tests/runs/test_fingerprint.py`: `dask.tokenize` and
`joblib.hash` miss an edited helper of an imported module, cloudpickle's bytes change with each line
number, set and process, and a source file's bytes with `seeds = 10` at its end.
"""

import copyreg
import dis
import hashlib
import importlib
import inspect
import sys
import sysconfig
import threading
import types
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset

_PLAIN = (str, bytes, int, float, complex, bool, types.NoneType, types.EllipsisType)
_LOCKS = (type(threading.Lock()), type(threading.RLock()))  # they hold nothing
# Of a class: where it stands, what others say of it, and what Python keeps of its use.
_NOT_CODE = {"__dict__", "__weakref__", "__module__", "__doc__", "_abc_impl", "__firstlineno__"}
_NOT_CODE |= {"__static_attributes__", "__annotations_cache__", "__slotnames__"}
_HEAP_TYPE = 1 << 9  # CPython's flag of classes that were made by running code


class UnreadError(ValueError):
    """A value that cannot be looked into. The message names its type."""


def fingerprint(*values: Any) -> str:
    """16 hexadecimal digits that two values share only where they behave alike.

    The same value has them again in another process, below another comment, and beside other
    settings in its file. Code that comes with Python or a package counts by its name, code of the
    reader's by its bytecode and all that it refers to.

    Raises
    ------
    UnreadError
        Where a value cannot be looked into, as an open file.

    Examples
    --------
    >>> fingerprint(lambda x: 2 * x) == fingerprint(lambda x: 3 * x)
    False
    """
    digest = _Digest()
    for value in values:
        digest.add(value)
    return digest.hash.hexdigest()[:16]


class _Digest:
    """A hash over code, numbers and structure, without addresses, line numbers or comments."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.seen: dict[int, tuple[int, Any]] = {}  # holds each: no other may get its address

    def add(self, value: Any) -> None:
        self.hash.update(f"<{type(value).__qualname__}>".encode())
        if type(value) in _PLAIN:
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
        self.hash.update(b"</>")


def _parts(value: Any) -> Iterator[Any]:
    """What tells a value from others of its type: numbers as memory, everything else in turn."""
    if (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and not (value.is_nested or value.is_quantized or value.is_meta)
    ):
        plain = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
        yield f"{plain.dtype} {tuple(plain.shape)} {value.requires_grad}"
        yield plain.flatten().view(torch.uint8).numpy().data
    elif type(value) is np.ndarray and not value.dtype.hasobject:
        yield f"{value.dtype} {value.shape}"
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    elif type(value) in (dict, types.MappingProxyType):
        yield from (part for item in value.items() for part in item)
    elif isinstance(value, set | frozenset):
        yield from sorted(fingerprint(part) for part in value)
    elif type(value) in (tuple, list):
        yield len(value)
        yield from value
    elif isinstance(value, types.CodeType):
        yield from (value.co_code, value.co_names, value.co_varnames, value.co_consts)
        yield from (value.co_argcount, value.co_kwonlyargcount, value.co_exceptiontable)
    elif isinstance(value, types.FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, type):
        yield from _parts_of_class(value)
    elif isinstance(value, types.BuiltinFunctionType):
        yield f"{value.__module__}.{value.__qualname__}"
        yield value.__self__  # of `table.get`, the table
    elif isinstance(value, types.ModuleType):
        yield value.__name__
        if not _is_installed(value.__name__):
            yield {k: v for k, v in vars(value).items() if not k.startswith("__")}
    elif isinstance(value, types.MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, staticmethod | classmethod):
        yield value.__func__
    elif isinstance(value, property):
        yield from (value.fget, value.fset, value.fdel)
    elif isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType):
        yield value.__qualname__
    elif not isinstance(value, _LOCKS):
        yield from _parts_of_object(value)


def _parts_of_function(value: types.FunctionType) -> Iterator[Any]:
    if "_torchdynamo_orig_callable" in vars(value):
        yield from ("compiled", vars(value)["_torchdynamo_orig_callable"])
        return
    if _has_a_name(value):
        yield _name(value)
        return
    yield from (value.__code__, value.__defaults__, value.__kwdefaults__, vars(value))
    yield from (_content(cell) for cell in value.__closure__ or ())
    space = value.__globals__
    if not _is_installed(space.get("__name__")):
        steps = list(_steps(value.__code__))
        names = {s.argval for s in steps if s.opcode in dis.hasname}
        outside = {s.argval for s in steps if "GLOBAL" in s.opname or s.opname == "LOAD_NAME"}
        yield from _named(space, outside, names)
        imported = _imported(steps, space.get("__package__"))
        yield from _named(imported, imported.keys(), names)


def _parts_of_class(value: type) -> Iterator[Any]:
    if _has_a_name(value) or not value.__flags__ & _HEAP_TYPE:
        yield _name(value)
        return
    yield from (value.__qualname__, value.__bases__)
    for name, attribute in sorted(vars(value).items()):
        if name not in _NOT_CODE:
            yield from (name, attribute)


def _parts_of_object(value: Any) -> Iterator[Any]:
    """What pickle would keep of it, and each row of a dataset, which may lie in files."""
    if callable(value):
        yield inspect.getattr_static(value, "__wrapped__", None)  # what a cache wraps
    try:
        own = copyreg.dispatch_table.get(type(value))
        reduced = own(value) if own else value.__reduce_ex__(4)
    except Exception as error:  # whatever a class raises to say that it cannot be pickled
        kind = type(value)
        if isinstance(value, nn.Module):  # one with parametrisations refuses, and is open
            yield from (kind, vars(value))
            return
        raise UnreadError(f"{kind.__module__}.{kind.__qualname__} ({error})") from error
    if isinstance(reduced, tuple):
        how, what, state, items, pairs = (*reduced, None, None, None)[:5]
        yield from (type(value), how, what, state, list(items or ()), list(pairs or ()))
    else:  # a name
        yield from (reduced, getattr(value, "__dict__", None))
    stream = isinstance(value, IterableDataset)
    if (
        isinstance(value, Dataset)
        and not stream
        and not type(value).__module__.startswith("torch.")
    ):
        yield from rows_of(value)


def rows_of(data: Any) -> Iterator[str]:
    """The fingerprint of each row, where there are rows; one at a time, as they may be large."""
    if hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        try:
            for row in range(len(data)):
                yield fingerprint(data[row])
        except Exception as error:  # its rows have no numbers, or it is broken, which will show
            raise UnreadError(f"{type(data).__qualname__} ({error!r})") from error


def _named(
    space: Mapping[str, Any], wanted: Set[str], names: Set[str], inside: tuple[Any, ...] = ()
) -> Iterator[Any]:
    """What the wanted names stand for. Of a reader's own module, what `names` stand for in it."""
    for name in sorted(wanted & space.keys()):
        value = space[name]
        yield name
        if not isinstance(value, types.ModuleType) or _is_installed(value.__name__):
            yield value
        elif value not in inside:
            yield from _named(vars(value), names, names, (*inside, value))


def _imported(steps: Iterable[dis.Instruction], package: str | None) -> dict[str, types.ModuleType]:
    """Modules that a function imports as it runs, in its package or not. They are imported now."""
    found = {}
    names: tuple[str, ...] = ()
    for step in steps:
        if step.opname == "IMPORT_NAME":
            relative = f"{package}.{step.argval}".rstrip(".")
            names = (step.argval, relative) if package else (step.argval,)
            for name in names:
                with suppress(Exception):  # what is wrong with it, the function will say
                    found[name] = importlib.import_module(name)
        elif step.opname == "IMPORT_FROM":  # of a package, maybe a module that it lacks so far
            for name in names:
                with suppress(Exception):
                    importlib.import_module(f"{name}.{step.argval}")
    return found


def _steps(code: types.CodeType) -> Iterator[dis.Instruction]:
    """The bytecode of a function and of its inner functions."""
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _steps(constant)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet assigned
        return None


def _name(value: Any) -> str:
    """Module and name; of amnl's own the room, as its files may be cut anew."""
    module = value.__module__
    if module.startswith("amnl."):
        module = ".".join(module.split(".")[:2])
    return f"{module}.{value.__qualname__}"


def _has_a_name(value: Any) -> bool:
    """Whether it is installed, and is what its module has under its name: pickle's own rule."""
    if not _is_installed(value.__module__):
        return False
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return getattr(found, "__func__", found) is value  # of a class method, what it binds


def _is_installed(module: str | None) -> bool:
    """Whether code comes with Python or a package: its name stands for it then."""
    top = (module or "").partition(".")[0]
    if top == "amnl":
        return True
    if top == "__main__" or top not in sys.modules:
        return False
    file = getattr(sys.modules[top], "__file__", None)
    places = [file] if file else list(getattr(sys.modules[top], "__path__", ()))
    if not places:  # built in, or made by a script
        return top in sys.stdlib_module_names
    paths = sysconfig.get_paths()
    homes = [Path(paths[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return all(
        {"site-packages", "dist-packages"} & {*Path(place).parts}
        or any(home in Path(place).parents for home in homes)
        for place in places
    )
