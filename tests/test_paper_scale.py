"""The command that fills the sweeps at the source's size, on two tiny cells a part."""

import multiprocessing
import os
import shutil
import signal
import sys
import tarfile
from functools import partial
from pathlib import Path
from typing import Any

import paper_scale
import pytest

from amnl.cmapss import emulator
from amnl.sweep import Progress, Store, fixed, grid, run
from amnl.training import TrainConfig

TINY = {"stride": 8, "epochs": 2, "batch_size": 64}
PAIR = [("fixed", fixed(lam)) for lam in (0.5, 1.0)]


@pytest.fixture(scope="module")
def folder(own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("fleet")
    for subset in ("FD001", "FD002", "FD003", "FD004"):
        emulator.write_fleet(folder, subset, seed=3, engines=8, test_engines=5)
    return folder


def tiny(name: str, preset: str) -> list[TrainConfig]:
    """Two cells of each subset; of g also a seed that the part leaves out."""
    unit = 125.0 if name == "j" else 1.0
    seeds = (0, 7) if name == "g" else (0,)
    return grid(seeds=seeds, combiners=PAIR, rul_units=[unit], **TINY)


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(paper_scale, "run", partial(run, workers=0))  # in this process
    monkeypatch.setattr(paper_scale, "family", tiny)

    def call(*options: str) -> None:
        line = ["", *options, "--preset", "compact", "--data-dir", str(folder)]
        monkeypatch.setattr(sys, "argv", line)
        paper_scale.main()

    return call


def test_the_parts_are_the_registered_ones() -> None:
    parts = list(paper_scale.parts())
    order = [(part.family, part.subset, len(part.cells)) for part in parts]
    subsets = ("FD001", "FD002", "FD003", "FD004")
    assert order == [(f, s, 110) for f in "ij" for s in subsets] + [("g", "FD001", 55)]
    assert {cell.preset for part in parts for cell in part.cells} == {"paper"}


def test_it_trains_packs_and_goes_on_from_the_archives(
    command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(str(tmp_path), "--dry-run")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 9 and said[0].startswith("i FD001: 2 cells, ")
    assert not [*tmp_path.glob("*.tar.gz")]

    command(str(tmp_path))
    said = capsys.readouterr().out.splitlines()
    assert all("2 done, 0 failed (0.5:" in line and "windows/s" in line for line in said)
    assert [len(Store(tmp_path / name)) for name in "ijg"] == [8, 8, 2]
    runs = [run for name in "ijg" for run in Store(tmp_path / name)]
    assert {run.provenance["together"] for run in runs} == {2}
    assert {run.provenance["precision"] for run in runs} == {"float32"}

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for archive in tmp_path.glob("*.tar.gz"):
        shutil.copy(archive, elsewhere)
    command(str(elsewhere))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 9 and all(": 0 cells" in line for line in said)
    assert [len(Store(elsewhere / name)) for name in "ijg"] == [8, 8, 2]


def test_a_part_that_would_not_end_in_time_is_skipped(
    command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(str(tmp_path), "--seconds", "0")
    first, *others = capsys.readouterr().out.splitlines()
    assert "2 done" in first, "the first part tells the rate, so it always runs"
    assert len(others) == 8 and all("skipped: " in line for line in others)
    with tarfile.open(tmp_path / "i.tar.gz") as packed:
        assert sum(name.endswith(".json") for name in packed.getnames()) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_killed_in_the_middle_it_loses_one_part(command: Any, tmp_path: Path) -> None:
    packs = paper_scale.pack

    def pack_or_die(folder: Path, store: Store) -> None:
        if len(store) == 6:  # FD003's cells have just been trained
            os.kill(os.getpid(), signal.SIGKILL)
        packs(folder, store)

    def run() -> None:
        paper_scale.pack = pack_or_die
        command(str(tmp_path))

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    shutil.rmtree(tmp_path / "i")  # what is on that machine is gone; the archive is not
    command(str(tmp_path))
    assert [len(Store(tmp_path / name)) for name in "ijg"] == [8, 8, 2]


def test_without_a_gpu_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["", "nowhere", "--data-dir", str(folder)])
    with pytest.raises(SystemExit, match="no GPU: on a CPU these cells take weeks"):
        paper_scale.main()


def test_a_cell_that_fails_is_named_and_the_command_fails(
    command: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def wild(cells: list[TrainConfig], *arguments: Any, **settings: Any) -> Progress[TrainConfig]:
        progress = run(cells, *arguments, **settings, workers=0)
        progress.failed.append((cells[0], f"{cells[0].subset} came to grief"))
        return progress

    monkeypatch.setattr(paper_scale, "run", wild)
    with pytest.raises(SystemExit) as caught:
        command(str(tmp_path), "--seconds", "0")
    assert "1 cells failed" in str(caught.value)
    assert "failed: FD001 came to grief" in capsys.readouterr().err
