"""Light modules stay light, and the package's rooms are found.

Which room may import which is written in pyproject.toml, and `make lint` holds it.
"""

import subprocess
import sys

import pages
import pytest

import amnl

HEAVY = {"torch", "pandas", "matplotlib", "scipy", "pooch", "typer", "rich"}
ROOMS = sorted(
    path.stem for path in (pages.ROOT / "amnl").glob("[!_]*") if path.suffix in ("", ".py")
)


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import amnl", "import amnl.combine"])
def test_a_reader_of_the_first_pages_needs_numpy_alone(statement: str) -> None:
    assert loaded_after(statement) & HEAVY == set()


def test_a_heavy_import_is_seen() -> None:
    assert "scipy" in loaded_after("import scipy")


def test_a_problem_of_ones_own_needs_no_turbofan_and_no_table() -> None:
    loaded = loaded_after("import amnl; amnl.five_point_sweep")
    assert "torch" in loaded
    rooms = {"amnl.cmapss", "amnl.training", "amnl.sweep", "amnl.study"}
    assert loaded & (rooms | {"pandas", "matplotlib", "pooch", "typer", "rich"}) == set()


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_an_attribute_of_the_package(room: str) -> None:
    """`import amnl; amnl.training` is what a reader types."""
    assert room in dir(amnl)
    assert getattr(amnl, room) is sys.modules[f"amnl.{room}"]


def test_another_attribute_is_none() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        amnl.nonsense  # noqa: B018
