"""The examples in docstrings and on the page of the package print what they say."""

import doctest
import importlib
import re
import tempfile
from pathlib import Path
from types import FunctionType

import pages
import pytest
from test_api import ROOMS, SHOWN, shown

SOURCES = sorted((pages.ROOT / "amnl").rglob("*.py"))
MODULES = [
    ".".join(path.relative_to(pages.ROOT).with_suffix("").parts)
    for path in SOURCES
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_print_what_they_say(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from amnl.combiners import registry

    monkeypatch.setattr(registry, "FACTORIES", dict(registry.FACTORIES))  # one registers its own
    found = doctest.testmod(importlib.import_module(module.removesuffix(".__init__")))
    assert found.attempted and not found.failed


PAGE = (pages.ROOT / "book" / "api.md").read_text(encoding="utf-8")
BLOCKS = "\n".join(re.findall(r"^```pycon\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_of_the_package_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    page = doctest.DocTestParser().get_doctest(BLOCKS, {}, "api", "book/api.md", 0)
    found = doctest.DocTestRunner().run(page)
    assert found.attempted and not found.failed


# What a reader calls: all rooms but that of the book's own study.
FOR_READERS = [room for room in SHOWN if room != "amnl" and not room.startswith("amnl.study")]
BY_OTHERS = {  # functions that other functions call, and nobody by hand
    "amnl.training.metrics": "scores what a `Trainer` chose",
    "amnl.cmapss.source_of": "what `load` begins with",
    "amnl.cmapss.obeyed": "a sentence of the command line",
}


def without_example(module: str) -> list[str]:
    room, lacking = importlib.import_module(module), []
    for name in shown(room):
        found = getattr(room, name)
        called = re.compile(rf"^(>>>|\.\.\.) .*\b{name}\b", re.MULTILINE)
        examples = (BLOCKS, re.sub(r"^ +", "", found.__doc__ or "", flags=re.MULTILINE))
        if isinstance(found, FunctionType) and not any(map(called.search, examples)):
            lacking.append(f"{module}.{name}")
    return lacking


@pytest.mark.parametrize("module", FOR_READERS)
def test_every_function_for_readers_has_an_example_that_is_run(module: str) -> None:
    assert [name for name in without_example(module) if name not in BY_OTHERS] == []


def test_an_exemption_is_of_a_function_without_example() -> None:
    assert set(BY_OTHERS) <= {name for module in FOR_READERS for name in without_example(module)}
    assert {module.split(".")[1] for module in FOR_READERS} < {r.split(".")[1] for r in ROOMS}
