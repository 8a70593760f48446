"""The page that documents the package: nothing is forgotten."""

import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType, ModuleType

import package_page
import pages
import pytest
from shared import Rendered

import amnl

# The command line explains itself: `amnl --help`. What a room does not show is its own business.
ROOMS = [f"amnl.{m.name}" for m in pkgutil.iter_modules(amnl.__path__) if m.name[0] != "_"]
SHOWN = re.findall(r"automodule:: (\S+)", (pages.ROOT / "book" / "api.md").read_text())

MEMBERS = (FunctionType, property, cached_property, classmethod, staticmethod)


def shown(module: ModuleType) -> list[str]:
    """What a module shows: its `__all__`, or else what it defines."""
    if module is amnl:
        return []  # its names are those of its rooms
    here = [k for k, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
    return [name for name in getattr(module, "__all__", here) if name[0] != "_"]


def public(module: ModuleType) -> Iterator[tuple[str, list[object]]]:
    """Functions and classes that a module shows, and methods, each before those it replaces."""
    for name in shown(module):
        found = getattr(module, name)
        if not callable(found) or found.__module__ in ("typing", "collections.abc"):
            continue
        yield f"{module.__name__}.{name}", [found]
        if not inspect.isclass(found):
            continue
        for member, value in vars(found).items():
            if not member.startswith("_") and isinstance(value, MEMBERS):
                versions = [vars(base)[member] for base in found.__mro__ if member in vars(base)]
                yield f"{module.__name__}.{name}.{member}", versions


def undocumented(module: ModuleType) -> list[str]:
    """Public names that say nothing, and replace nothing that does."""
    return [name for name, versions in public(module) if not any(v.__doc__ for v in versions)]


def test_every_room_has_its_place_on_the_page() -> None:
    assert set(ROOMS) - set(SHOWN) == {"amnl.cli", "amnl.provenance", "amnl.runs"}


@pytest.mark.parametrize("module", SHOWN)
def test_every_public_name_has_a_docstring(module: str) -> None:
    assert undocumented(importlib.import_module(module)) == []


@pytest.mark.parametrize("module", SHOWN)
def test_every_public_name_is_on_the_page(book: Rendered, module: str) -> None:
    page = (book.html / "book" / "api.html").read_text()
    names = [f"module-{module}"]
    for name, versions in public(importlib.import_module(module)):
        names += [name] if versions[0].__doc__ else []
    assert [name for name in names if f'id="{name}"' not in page] == []


def named_parameters(text: str) -> list[str]:
    """The names under "Parameters" of a numpydoc docstring."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", text, re.M | re.S)
    lines = section[1].splitlines() if section else []
    heads = [line.partition(" :")[0] for line in lines if line and line[0] != " "]
    return [name.strip().lstrip("*") for head in heads for name in head.split(",")]


def unknown_parameters(module: ModuleType) -> list[str]:
    """Parameters that a docstring describes and a signature has not."""
    found = []
    for name, (first, *_) in public(module):
        if isinstance(first, property | cached_property):
            continue
        called = getattr(first, "__func__", first)
        if inspect.isclass(called) and issubclass(called, Exception | dict):
            continue
        known = set(inspect.signature(called).parameters)
        text = inspect.cleandoc(first.__doc__ or "")
        found += [f"{name}: {p}" for p in named_parameters(text) if p not in known]
    return found


@pytest.mark.parametrize("module", SHOWN)
def test_a_docstring_describes_parameters_that_there_are(module: str) -> None:
    assert unknown_parameters(importlib.import_module(module)) == []


def test_a_parameter_that_is_gone_is_seen() -> None:
    module = ModuleType("m")
    exec(
        "def f(a, *b):\n"
        "    '''Say.\n\n    Parameters\n    ----------\n    a, c : int\n        Some.\n    *b\n"
        "        More.\n\n    Returns\n    -------\n    int\n        One.\n    '''\n",
        module.__dict__,
    )
    module.f.__module__ = "m"
    assert unknown_parameters(module) == ["m.f: c"]


def test_search_finds_functions(book: Rendered) -> None:
    text = (book.html / "searchindex.js").read_text()
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    assert "combine_losses" in [entry[-1] for entry in index["objects"]["amnl.combine"]]


def test_a_forgotten_docstring_is_seen() -> None:
    module = ModuleType("m")
    exec(
        "class C:\n"
        "    'Said.'\n"
        "    def silent(self): pass\n"
        "    def spoken(self): 'Said.'\n"
        "class D(C):\n"
        "    'Said.'\n"
        "    def spoken(self): pass\n"
        "def _private(): pass\n"
        "def silent(): pass\n",
        module.__dict__,
    )
    for name in ("C", "D", "silent"):
        getattr(module, name).__module__ = "m"
    assert [name for name, _ in public(module)] == [
        "m.C", "m.C.silent", "m.C.spoken", "m.D", "m.D.spoken", "m.silent"
    ]  # fmt: skip
    assert undocumented(module) == ["m.C.silent", "m.silent"]


def test_array_types_are_named_as_in_the_code(book: Rendered) -> None:
    page = (book.html / "book" / "api.html").read_text()
    words = re.sub("<[^>]*>", "", page)
    assert "parse_rul(" in words and "NDArray[int64]" in words and "ArrayLike" in words
    assert not re.search(r"ndarray\[tuple|_SupportsArray|_NestedSequence", words)


def test_a_named_tuple_says_nothing_of_itself(book: Rendered) -> None:
    page = (book.html / "book" / "api.html").read_text()
    assert not re.search("|".join(package_page.GENERATED), page)
