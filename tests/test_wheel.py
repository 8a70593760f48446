"""The wheel, installed outside the checkout, is the whole package."""

import email
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import address
import nbformat
import pages
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from shared import EVERY_PAGE

from amnl.cmapss import emulator

BUILD_INPUTS = ("pyproject.toml", "README.md", "LICENSE")


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is built from: a copy, since setuptools leaves its scratch files behind."""
    source = tmp_path_factory.mktemp("source")
    for name in BUILD_INPUTS:
        shutil.copy2(pages.ROOT / name, source / name)
    shutil.copytree(
        pages.ROOT / "amnl", source / "amnl", ignore=shutil.ignore_patterns("__pycache__")
    )
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
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


def test_the_source_distribution_holds_every_file_of_the_package(
    source: Path, wheel: Path, tmp_path: Path
) -> None:
    code = f"import setuptools.build_meta as b; b.build_sdist({str(tmp_path)!r})"
    run(sys.executable, "-c", code, cwd=source)
    (path,) = tmp_path.glob("amnl-*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.startswith("amnl/")} <= held
    assert {"pyproject.toml", "README.md", "LICENSE"} <= held


def test_the_metadata_say_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(archive.read(name))
    kinds, links = said.get_all("Classifier", []), said.get_all("Project-URL", [])
    assert "Typing :: Typed" in kinds
    assert said["License-Expression"] == "BSD-3-Clause" and said["Summary"]
    assert links and all(", https://" in link for link in links)
    assert said.get_payload().startswith("# One weight, two losses")


def test_a_published_copy_names_its_repository(source: Path, tmp_path: Path) -> None:
    home = "https://github.com/someone/a-fork"
    for name in BUILD_INPUTS:
        shutil.copy2(source / name, tmp_path / name)
    address.fill_texts(tmp_path, home)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["urls"]["Repository"] == home
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert f'pip install "git+{home}"' in readme and "REPOSITORY" not in readme
    with pytest.raises(SystemExit, match="has no empty place"):
        address.fill_texts(tmp_path, home)


# What the README shows, command by command, in the order in which it stands there.
SHOWN = re.findall(
    r"^(amnl .*?)(?:\s+#.*)?$",
    (pages.ROOT / "README.md").read_text(encoding="utf-8").partition("## Your own problem")[2]
    .partition("\n## ")[0],
    re.MULTILINE,
)  # fmt: skip


@pytest.mark.slow  # it trains the sweep that the README shows
def test_the_examples_of_the_readme_run_as_written(site: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(site / "bin"), os.environ["PATH"]])
    environment = {"PYTHONPATH": str(site), "PATH": path, "AMNL_DATA_DIR": ""}
    shown = [command.split()[1] for command in SHOWN]
    assert shown == ["init", "weigh", "compare", "data", "train", "predict", "train"]
    for command in SHOWN:
        started = time.perf_counter()
        out = run(*shlex.split(command), cwd=tmp_path, env=environment)
        print(f"{time.perf_counter() - started:.0f} s: {command}")
        assert out, command
    assert (tmp_path / "compared.png").stat().st_size > 10_000


def test_installed_package_is_the_wheels(site: Path, tmp_path: Path) -> None:
    code = "import amnl, importlib.metadata as m; print(amnl.__file__, m.version('amnl'))"
    code += "; assert m.version('amnl') == amnl.__version__"
    printed = run(sys.executable, "-c", code, cwd=tmp_path, env={"PYTHONPATH": str(site)})
    assert printed.startswith(str(site))


def test_installed_package_reads_its_tables(site: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.resources as r, json;"
        "files = [f for d in ('amnl.cmapss', 'amnl.study.rows') for f in r.files(d).iterdir()];"
        "[json.loads(f.read_text()) for f in files if f.name.endswith('.json')];"
        "print(sorted(f.name for f in files if f.name.endswith(('.json', '.csv'))))"
    )
    printed = run(sys.executable, "-c", code, cwd=tmp_path, env={"PYTHONPATH": str(site)})
    tables = [p.name for kind in ("json", "csv") for p in (pages.ROOT / "amnl").rglob(f"*.{kind}")]
    assert printed.strip() == str(sorted(tables))


def test_installed_command_answers(site: Path, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(site), "COLUMNS": "100"}
    by_module = run(sys.executable, "-m", "amnl", "--help", cwd=tmp_path, env=environment)
    by_script = run(site / "bin" / "amnl", "--help", cwd=tmp_path, env=environment)
    for command in ("data", "train", "bench"):
        assert command in by_module
        assert command in by_script


def load(name: str) -> NotebookNode:
    return nbformat.read(pages.executed_half(pages.ROOT, name), as_version=4)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def marked(name: str, *marks: pytest.MarkDecorator) -> object:
    """A page's name, to be skipped with its reason where its data cannot be had or replaced."""
    page = load(name)
    takes_other = any("parameters" in cell.metadata.get("tags", []) for cell in page.cells)
    if page.metadata.get("amnl", {}).get("needs") == "nasa" and not takes_other:
        marks = (*marks, pytest.mark.nasa)
    return pytest.param(name, marks=marks)


# A sweep of the page's own in seconds: what it imports and reads is the same after two epochs, and
# only what it finds is not.
TWO_EPOCHS = """
import amnl as _amnl

_sweep, _check = _amnl.five_point_sweep, _amnl.check
_amnl.five_point_sweep = lambda *its, **options: _sweep(*its, **options | {"epochs": 2})


def _tell(name, value):
    try:
        return _check(name, value)
    except AssertionError as error:
        return str(error)


_amnl.check = _tell
"""


def in_short(notebook: NotebookNode, fleet: Path) -> NotebookNode:
    """Give a page that takes parameters a small fleet, and one that sweeps two epochs."""
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source += f"\nDATA = {str(fleet)!r}"
    if any("five_point_sweep(" in cell.source for cell in code(notebook)):
        notebook.cells.insert(0, new_code_cell(TWO_EPOCHS))
        for cell in code(notebook):
            # what an assertion wants the sweep to have found
            if re.search("^ *assert ", cell.source, re.MULTILINE):
                cell.metadata.setdefault("tags", []).append("raises-exception")
    return notebook


def run_alone(name: str, site: Path, folder: Path, fleet: Path) -> NotebookNode:
    """Run a copy of a notebook, with nothing beside it, on the installed package."""
    notebook = in_short(load(name), fleet)
    notebook.cells.append(new_code_cell("import amnl\nprint('from', amnl.__file__)"))
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    runner = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(folder)}})
    runner.execute(env={**os.environ, "PYTHONPATH": str(site)})
    nbformat.write(notebook, path)
    return notebook


Runs = dict[str, tuple[Path, Future[NotebookNode]]]


@pytest.fixture(scope="module")
def runs(
    site: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runs]:
    """Every page that this session asks for and this machine can run, two at a time."""
    fleet = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(fleet, "FD001", engines=5, test_engines=20)
    asked = [item for item in request.session.items if "runs" in getattr(item, "fixturenames", ())]
    with ThreadPoolExecutor(max_workers=2) as pool:
        started: Runs = {}
        for item in asked:
            if not item.get_closest_marker("skip"):
                name = item.callspec.params["name"]
                folder = tmp_path_factory.mktemp(name)
                started[name] = folder, pool.submit(run_alone, name, site, folder, fleet)
        yield started


def printed(notebook: NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


# One quick page of each kind: an explorable, NumPy alone, stored rows, a training and its kept
# model. The weekly run takes them all, which is the whole book once more.
OF_EACH_KIND = ["00-lambda-explorer", "01-convex-combination", "07-units-and-scale", "predict"]
ALONE = pages.page_names(pages.ROOT) if os.environ.get(EVERY_PAGE) == "1" else OF_EACH_KIND


@pytest.mark.slow
@pytest.mark.parametrize("name", [marked(name) for name in ALONE])
def test_a_page_needs_the_wheel_and_nothing_beside_it(name: str, site: Path, runs: Runs) -> None:
    folder, run = runs[name]
    assert f"from {site}" in printed(run.result())
    assert [path.name for path in folder.iterdir()] == [f"{name}.ipynb"]


@pytest.mark.gpu
@pytest.mark.parametrize("name", [marked("05-train-cmapss"), marked("scale-up")])
def test_a_page_that_trains_picks_the_gpu(name: str, runs: Runs) -> None:
    device = re.search("^device: (.*)$", printed(runs[name][1].result()), re.MULTILINE)
    assert device and device[1] != "cpu"
