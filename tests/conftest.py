"""What every test shares: skips that name their reason, and the book rendered once.

The tools of the pages are imported where they are used: a machine with a GPU may have none of them,
and its tests must start all the same.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from shared import BROWSERS, EVERY_PAGE, QUIET, Rendered, find_browser, render

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The tests are about a CPU, whatever the machine has: a GPU would train other numbers. Some want
# one, and are asked for by AMNL_TEST_GPU=1 pytest -m gpu tests/training/test_gpu.py.
ON_GPU = os.environ.get("AMNL_TEST_GPU") == "1"
if not ON_GPU:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

# The test processes share the cores. Threads of one process wait for each other in loops that use a
# core up, and a training of eight seconds takes eighty. Tests of threads ask for theirs.
os.environ["OMP_NUM_THREADS"] = "1"

# The tests are about a checkout and its own settings, not about the caller's: a published address,
# a wide or coloured terminal and strict warnings change what is made and printed.
KEPT = ("AMNL_DATA_DIR", "AMNL_CACHE_DIR", "AMNL_TEST_GPU", EVERY_PAGE)
OTHERS = ("COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "PYTHONWARNINGS")
for name in list(os.environ):
    if name in OTHERS or (name.startswith("AMNL_") and name not in KEPT):
        del os.environ[name]

# Folders in the environment are meant from here; notebooks are run in folders of their own.
for name in ("AMNL_DATA_DIR", "AMNL_CACHE_DIR"):
    if given := os.environ.get(name):
        os.environ[name] = str(Path(given).expanduser().absolute())


@functools.cache
def no_nasa_files() -> str | None:
    import pages

    return pages.no_nasa_files()


@functools.cache
def no_data_for(notebook: Path) -> str | None:
    import nbformat
    import pages

    return pages.missing_data(nbformat.read(notebook, as_version=4))


def is_long(item: pytest.Item) -> bool:
    return item.path.suffix == ".ipynb" or item.get_closest_marker("slow") is not None


def reason_to_skip(item: pytest.Item) -> str | None:
    if item.path.suffix == ".ipynb" and (reason := no_data_for(item.path)):
        return f"{item.path.stem} {reason}"
    if bool(item.get_closest_marker("gpu")) != ON_GPU:
        return "set AMNL_TEST_GPU=1 to run it on a GPU" if not ON_GPU else "not about a GPU"
    if item.get_closest_marker("nasa") and (reason := no_nasa_files()):
        return reason
    if item.get_closest_marker("browser") and find_browser() is None:
        return f"no browser: none of {', '.join(BROWSERS)} is on the PATH"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Processes share the files out in this order: a long one that comes last has the others wait.
    long = {item.path for item in items if is_long(item)}
    items.sort(key=lambda item: item.path not in long)
    for item in items:
        if reason := reason_to_skip(item):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Closed with its module: its event loop must be gone before nbval starts kernels."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """The book with its stored outputs, rendered outside the checkout."""
    import checks
    import pages

    folder = tmp_path_factory.mktemp("book")
    pages.stage(pages.ROOT, folder / "src")
    checks.fill(folder / "src")
    return render(folder / "src", folder)


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Parsed emulated fleets are not worth a place in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMNL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def small_fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six emulated engines of each subset."""
    from amnl.cmapss import emulator

    folder = tmp_path_factory.mktemp("fleet")
    for subset in ("FD001", "FD002", "FD003", "FD004"):
        emulator.write_fleet(folder, subset, seed=3, engines=6, test_engines=4)
    return folder


@pytest.fixture(scope="session")
def ten_engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ten emulated engines of FD001 and eight test engines."""
    import torch

    from amnl.cmapss import emulator

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("ten-engines")
    return emulator.write_fleet(folder, "FD001", seed=3, engines=10, test_engines=8)


@pytest.fixture
def beside_a_fleet(
    small_fleet: Path, own_cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The working folder, an empty one but for `fleet`."""
    (tmp_path / "fleet").symlink_to(small_fleet)
    monkeypatch.chdir(tmp_path)
    return tmp_path
