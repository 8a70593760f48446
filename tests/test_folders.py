"""Data named from a command line: `amnl data`, one subset of a sweep, relative folders on pages."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import own_values
import pages
import pooch
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from typer.testing import CliRunner

from amnl import cmapss
from amnl.cli.app import app
from amnl.cmapss import emulator, errors


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMNL_DATA_DIR", raising=False)
    monkeypatch.setenv("AMNL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(pooch, "retrieve", lambda *a, **k: pytest.fail("went to the network"))
    errors.note.cache_clear()


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """An emulated fleet of FD001 alone."""
    return emulator.write_fleet(tmp_path / "one", "FD001", engines=6, test_engines=4)


@pytest.fixture
def nasas(tmp_path: Path) -> Path:
    """NASA's FD001 alone, with a Windows editor's line ends."""
    return nasas_fd001(tmp_path / "nasa")


NASA = "NASA C-MAPSS, 12 files, checksum f35a7a2a85e2"
DATA_DIR = os.environ.get("AMNL_DATA_DIR")  # before a test takes it away


def nasas_fd001(folder: Path) -> Path:
    source = cmapss.find(DATA_DIR)
    folder.mkdir()
    for name in cmapss.file_names("FD001"):
        text = cmapss.raw_bytes(source, name)
        (folder / name).write_bytes(text.replace(b"\n", b"\r\n"))
    return folder


def flat(text: str) -> str:
    return " ".join(text.split())


# amnl data


def test_data_says_which_subsets_are_there_and_which_are_not(one: Path) -> None:
    done = CliRunner().invoke(app, ["data", "--data-dir", str(one), "--json"])
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["subset"] for row in found["subsets"]] == ["FD001"]
    assert found["missing"] == ["FD002", "FD003", "FD004"]
    shown = CliRunner().invoke(app, ["data", "--data-dir", str(one)])
    assert "not there: FD002, FD003, FD004" in flat(shown.stdout)


@pytest.mark.nasa
def test_data_notes_that_only_the_bytes_differ(nasas: Path) -> None:
    for _ in range(2):  # parsed, then from the cache
        errors.note.cache_clear()
        done = CliRunner().invoke(app, ["data", "--data-dir", str(nasas), "--json"])
        assert done.exit_code == 0, done.stderr
        assert json.loads(done.stdout)["source"] == NASA
        assert done.stderr.count("note: ") == 1
        assert "the numbers are NASA's, the bytes are not" in done.stderr


@pytest.mark.parametrize("how", ["AMNL_DATA_DIR", "--data-dir"])
@pytest.mark.parametrize("there", [False, True])
def test_data_download_says_that_a_named_folder_was_obeyed(
    one: Path, monkeypatch: pytest.MonkeyPatch, how: str, there: bool
) -> None:
    folder = str(one if there else one / "nowhere")
    words = ["data", "--download", "--json"]
    if how == "AMNL_DATA_DIR":
        monkeypatch.setenv("AMNL_DATA_DIR", folder)
    else:
        words += ["--data-dir", folder]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == (0 if there else 1)
    said = "AMNL_DATA_DIR was obeyed" if how == "AMNL_DATA_DIR" else "The folder was obeyed"
    assert f"{said}, and nothing was downloaded" in flat(done.stderr)
    assert ("unset it to download" in flat(done.stderr)) == (how == "AMNL_DATA_DIR")
    assert there or folder in flat(done.stderr)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--emulate", "x", "--download"], "--emulate writes a fleet and uses it; leave out --dow"),
        (["--emulate", "x", "--data-dir", "y"], "leave out --data-dir"),
        (["--seed", "3"], "--seed 3 is of the emulated fleet; it goes with --emulate"),
    ],
)
def test_data_refuses_what_it_would_have_to_ignore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["data", *words])
    assert done.exit_code == 1 and said in flat(done.stderr)
    assert not (tmp_path / "x").exists()


def test_data_download_with_an_emulated_cache_says_so(tmp_path: Path) -> None:
    folder = emulator.write_fleet(tmp_path / "cache" / "cmapss", engines=3, test_engines=2)
    done = CliRunner().invoke(app, ["data", "--download", "--json"])
    assert done.exit_code == 0, done.stderr
    assert f"the cache holds an emulated fleet; delete {folder} to download" in flat(done.stderr)


def test_a_fleet_without_a_whole_subset_is_named(one: Path) -> None:
    (one / "RUL_FD001.txt").unlink()
    done = CliRunner().invoke(app, ["data", "--data-dir", str(one)])
    assert done.exit_code == 1 and "without a whole subset" in flat(done.stderr)


# train and sweep on one subset


QUICK = ["--epochs", "1", "--stride", "20"]


@pytest.mark.nasa
@pytest.mark.slow  # it starts workers: about 15 s
def test_train_and_sweep_need_the_files_of_their_subset_alone(
    nasas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(nasas.parent)
    monkeypatch.setenv("AMNL_DATA_DIR", "nasa")  # relative; the workers inherit it
    words = ["train", "--subset", "FD001", "--threads", "1", "--json", *QUICK]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["provenance"]["data"] == NASA
    assert "the numbers are NASA's" in done.stderr
    store = ["--store", str(tmp_path / "runs")]
    sweep = ["sweep", *store, "--seeds", "1", "--workers", "1", "--json", *QUICK]
    done = CliRunner().invoke(app, [*sweep, "--subsets", "FD001"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["done"] == 1
    done = CliRunner().invoke(app, [*sweep, "--subsets", "all"])
    assert done.exit_code == 1
    assert "no train_FD002.txt" in done.stderr and "it holds FD001 alone" in done.stderr


@pytest.mark.parametrize("dry", [False, True])
def test_a_sweep_asks_for_all_its_subsets_before_it_trains(
    one: Path, tmp_path: Path, dry: bool
) -> None:
    words = ["sweep", "--store", str(tmp_path / "runs"), "--data-dir", str(one), *QUICK]
    done = CliRunner().invoke(app, [*words, *(["--dry-run"] if dry else [])])
    assert done.exit_code == 1
    assert "no train_FD002.txt" in done.stderr and "it holds FD001 alone" in done.stderr
    assert not list(tmp_path.glob("runs/cells/*"))


# pages


@pytest.fixture
def page(tmp_path: Path) -> Path:
    cells = [new_code_cell("LAM = 0.5\nDATA = None", metadata={"tags": ["parameters"]})]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "p.ipynb")
    return tmp_path / "p.ipynb"


@pytest.mark.parametrize(
    ("word", "folder"),
    [
        ("fleet", "fleet"),
        ("./fleet/", "fleet"),
        ("~/fleet", "fleet"),
        ("'fleet'", "fleet"),
        ("2024", "2024"),
        ("my data (1)", "my data (1)"),
        ("fleet.zip", "fleet.zip"),
    ],
)
def test_a_page_is_given_its_data_as_seen_from_here(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, folder: str
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    values = own_values.own_values(page, [f"DATA={word}", "LAM=0.9"])
    assert values == {"DATA": str(tmp_path / folder), "LAM": 0.9}


@pytest.mark.parametrize(
    ("word", "value"),
    [("emulate", "emulate"), ('"emulate"', "emulate"), ("None", None), ("", None)],
)
def test_a_pages_data_may_be_no_folder(page: Path, word: str, value: str | None) -> None:
    assert own_values.own_values(page, [f"DATA={word}"]) == {"DATA": value}


def test_a_folder_that_is_not_there_is_named_before_the_page_runs(page: Path) -> None:
    with pytest.raises(SystemExit, match=r"no folder or zip .*/nowhere"):
        own_values.own_values(page, ["DATA=nowhere"])


def test_a_page_without_all_subsets_is_not_run(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one / "emulated.json").unlink()  # as NASA's: only the names are read
    monkeypatch.setenv("AMNL_DATA_DIR", str(one))
    assert "no train_FD002.txt" in (pages.no_nasa_files() or "")


@pytest.mark.parametrize("name", ["AMNL_DATA_DIR", "AMNL_CACHE_DIR"])
@pytest.mark.parametrize("word", ["data", "./data", "~/data", "../here/data"])
def test_folders_of_the_environment_are_meant_from_where_make_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, word: str
) -> None:
    (tmp_path / "here" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "here"))
    monkeypatch.setenv(name, word)
    pages.absolute_folders()
    monkeypatch.chdir(tmp_path)
    assert Path(os.environ[name]).samefile(tmp_path / "here" / "data")


@pytest.mark.parametrize("command", ["pages", "pytest"])
def test_both_commands_make_folders_absolute(tmp_path: Path, command: str) -> None:
    """The notebooks run elsewhere, whoever starts them."""
    code = {
        "pages": "import pages; pages.build = lambda *a, **k: 0; sys.argv[1:] = ['html']; "
        "pages.main()",
        "pytest": "import conftest",
    }[command]
    places = [str(pages.ROOT / folder) for folder in ("tools/book", "tests", ".")]
    done = subprocess.run(
        [sys.executable, "-c", f"import os, sys; {code}; print(os.environ['AMNL_DATA_DIR'])"],
        env={**os.environ, "AMNL_DATA_DIR": "data", "PYTHONPATH": os.pathsep.join(places)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == str(tmp_path / "data"), done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize(
    "value", ["/data/CMAPSSData (1)", "it's", 'a "b"', "$HOME", "a;b", "../fleet", "α & β", "a\\b"]
)
def test_make_hands_over_what_it_was_given_and_no_more(tmp_path: Path, value: str) -> None:
    shutil.copy2(pages.ROOT / "Makefile", tmp_path)
    for folder in ("tools/book", ".venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("pyproject.toml", "constraints.txt", ".venv/installed"):
        (tmp_path / file).touch()
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "tools" / "book" / "pages.py").write_text(
        "import json, sys; print(json.dumps(sys.argv[1:]))"
    )
    told = [f"DATA={value}", "LAM=0.9", "PAGE=05-a", "AMNL_DATA_DIR=/x"]
    done = subprocess.run(
        ["make", "--silent", "mine", *told, f"PYTHON={sys.executable}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    first, page, *given = json.loads(done.stdout)
    assert (first, page, sorted(given)) == ("mine", "05-a", [f"DATA={value}", "LAM=0.9"])
