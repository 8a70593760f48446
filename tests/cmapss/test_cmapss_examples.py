"""The examples in docstrings run."""

import doctest
from types import ModuleType

import pytest

from amnl.cmapss import data, emulator, windowing


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("module", [data, emulator, windowing], ids=lambda m: m.__name__)
def test_the_examples_print_what_they_say(module: ModuleType) -> None:
    done = doctest.testmod(module)
    assert done.attempted and not done.failed
