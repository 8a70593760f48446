"""The wheel, installed outside the checkout, is the whole package."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pages
import pytest

BUILD_INPUTS = ("pyproject.toml", "README.md", "LICENSE")


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel; built from a copy, since setuptools leaves its scratch files behind."""
    source = tmp_path_factory.mktemp("source")
    for name in BUILD_INPUTS:
        shutil.copy2(pages.ROOT / name, source / name)
    shutil.copytree(
        pages.ROOT / "amnl", source / "amnl", ignore=shutil.ignore_patterns("__pycache__")
    )
    target = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", target)
    run(sys.executable, "-m", "pip", "wheel", *options, source, cwd=source)
    return next(target.glob("amnl-*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed package alone."""
    target = tmp_path_factory.mktemp("site")
    options = ("--no-deps", "--no-index", "--quiet", "--target", target)
    run(sys.executable, "-m", "pip", "install", *options, wheel, cwd=target)
    return target


def test_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    package = pages.ROOT / "amnl"
    here = {
        str(path.relative_to(pages.ROOT))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("amnl/")}
    assert held == here


def test_installed_package_is_the_wheels(site: Path, tmp_path: Path) -> None:
    code = "import amnl, importlib.metadata as m; print(amnl.__file__, m.version('amnl'))"
    code += "; assert m.version('amnl') == amnl.__version__"
    printed = run(sys.executable, "-c", code, cwd=tmp_path, env={"PYTHONPATH": str(site)})
    assert printed.startswith(str(site))


def test_installed_package_reads_its_tables(site: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.resources as r, json;"
        "files = [f for d in ('amnl', 'amnl.results') for f in r.files(d).iterdir()];"
        "[json.loads(f.read_text()) for f in files if f.name.endswith('.json')];"
        "print(sorted(f.name for f in files if f.name.endswith(('.json', '.csv'))))"
    )
    printed = run(sys.executable, "-c", code, cwd=tmp_path, env={"PYTHONPATH": str(site)})
    tables = [p.name for kind in ("json", "csv") for p in (pages.ROOT / "amnl").rglob(f"*.{kind}")]
    assert printed.strip() == str(sorted(tables))


def test_installed_command_answers(site: Path, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(site), "COLUMNS": "100"}
    by_module = run(sys.executable, "-m", "amnl.cli", "--help", cwd=tmp_path, env=environment)
    by_script = run(site / "bin" / "amnl", "--help", cwd=tmp_path, env=environment)
    for command in ("data", "train", "bench"):
        assert command in by_module
        assert command in by_script
