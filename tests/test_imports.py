"""Light modules stay light, and modules import only those below them."""

import ast
import subprocess
import sys
from pathlib import Path

import pages
import pytest

import amnl

HEAVY = {"torch", "pandas", "matplotlib", "scipy", "pooch", "typer", "rich"}

# From the bottom up; a module may import only from earlier lines.
ORDER = [
    "combine",
    "shared_regression",
    "losses",
    "combiners",
    "cmapss",
    "simulate",
    "model",
    "lstm",
    "stacked",
    "train",
    "population",
    "sweep",
    "stats",
    "decide",
    "claims",
    "explorer",
    "plots",
    "broadcast",
    "problem",
    "inputs",
    "kept",
    "five_point",
    "results",
    "machines",
    "my_problem",
    "bench",
    "cli",
]

MODULES = sorted(p for p in (pages.ROOT / "amnl").glob("[!_]*.py"))


def heavy_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import amnl", "import amnl.combine"])
def test_a_reader_of_the_first_pages_needs_numpy_alone(statement: str) -> None:
    assert heavy_after(statement) == set()


@pytest.mark.parametrize("module", [path.stem for path in MODULES])
def test_every_module_is_an_attribute_of_the_package(module: str) -> None:
    """`import amnl; amnl.population` is what a reader types."""
    assert module in dir(amnl)
    assert getattr(amnl, module) is sys.modules[f"amnl.{module}"]


def test_a_heavy_import_is_seen() -> None:
    assert "scipy" in heavy_after("import scipy")


def internal_imports(source: str) -> set[str]:
    """Names of the package's own modules that a module imports, at its top or in a function."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ("amnl." if node.level else "") + (node.module or "")
            dotted = [f"{base.rstrip('.')}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in dotted if name.startswith("amnl.")}
    return found & set(ORDER)


def upward_imports(name: str, source: str) -> set[str]:
    rank = ORDER.index(name)
    return {other for other in internal_imports(source) if ORDER.index(other) >= rank}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_imports_point_downwards(module: Path) -> None:
    assert module.stem in ORDER, f"give {module.name} its place in ORDER"
    assert upward_imports(module.stem, module.read_text()) == set()


def test_another_attribute_is_none() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        amnl.nonsense  # noqa: B018


@pytest.mark.parametrize(
    "line",
    [
        "from amnl.train import Trainer",
        "from amnl import train",
        "import amnl.train",
        "from .train import Trainer",
        "from . import train",
        "def later():\n    from amnl.train import Trainer",
    ],
)
def test_an_upward_import_is_seen(line: str) -> None:
    assert upward_imports("losses", line) == {"train"}


def test_a_downward_import_is_fine() -> None:
    assert upward_imports("train", "from amnl.losses import rmse\nfrom amnl import check") == set()
