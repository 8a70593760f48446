"""The examples in docstrings print what they say."""

import doctest
import importlib

import pages
import pytest

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
