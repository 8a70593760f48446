"""The cache of parsed files: it saves time and costs nothing else."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amnl import cmapss
from amnl.cmapss import DataError
from amnl.cmapss import cache as parsed_files
from amnl.files import FileError, write_atomically
from cmapss.tiny_fleet import Notes, edit, field, same, seal


def test_the_second_load_is_identical_and_parses_nothing(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cmapss.load("FD004", 2, tiny)
    monkeypatch.setattr(parsed_files, "parse_rows", lambda *a: pytest.fail("parsed again"))
    second = cmapss.load("FD004", 2, tiny)
    assert same(first.train, second.train)
    assert same(first.val, second.val)
    assert same(first.test, second.test)
    assert np.array_equal(first.normaliser.mean, second.normaliser.mean)


@pytest.mark.parametrize("damage", [lambda b: b[:-1000], lambda b: b"", lambda b: b"x" * len(b)])
def test_a_damaged_cache_entry_is_built_again(
    tiny: Path, cache: Path, damage: Callable[[bytes], bytes]
) -> None:
    first = cmapss.load("FD001", 0, tiny)
    entries = sorted(cache.glob("*.npy"))
    whole = [entry.read_bytes() for entry in entries]
    assert len(entries) == 2
    for entry in entries:
        entry.write_bytes(damage(entry.read_bytes()))
    second = cmapss.load("FD001", 0, tiny)
    assert same(first.train, second.train)
    assert same(first.test, second.test)
    assert [entry.read_bytes() for entry in entries] == whole


def test_a_changed_file_is_read_again(tiny: Path) -> None:
    before = cmapss.read(cmapss.find(tiny), "FD001", "train").values
    edit(tiny / "train_FD001.txt", lambda lines: [field(lines[0], 8, "1234.5"), *lines[1:]])
    seal(tiny)
    after = cmapss.read(cmapss.find(tiny), "FD001", "train").values
    assert after[0, 6] == 1234.5
    assert np.array_equal(before[1:], after[1:])


def test_a_file_damaged_after_caching_is_noticed(tiny_nasa: Path) -> None:
    cmapss.load("FD001", 0, tiny_nasa)
    edit(tiny_nasa / "train_FD001.txt", lambda lines: lines[:-1])
    with pytest.raises(DataError, match=r"train_FD001\.txt: the SHA-256"):
        cmapss.load("FD001", 0, tiny_nasa)


@pytest.mark.parametrize("place", ["below a file", "is a file", "below a device"])
def test_an_unwritable_cache_costs_time_alone_and_is_named(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notes: Notes, place: str
) -> None:
    # Permissions do not stop root; these paths stop anyone.
    (tmp_path / "file").write_text("in the way")
    where = {
        "below a file": tmp_path / "file" / "cache",
        "is a file": tmp_path / "file",
        "below a device": Path("/dev/null/cache"),
    }[place]
    whole = cmapss.load("FD001", 0, tiny)
    monkeypatch.setenv("AMNL_CACHE_DIR", str(where))
    for _ in range(2):
        assert same(cmapss.load("FD001", 0, tiny).train, whole.train)
    (note,) = notes()
    assert "the cache cannot be written" in note and "AMNL_CACHE_DIR" in note
    with pytest.raises(FileError, match=f"cannot write to the cache {where}/cmapss"):
        cmapss.find(download=True)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_cache_without_a_home_costs_time_alone(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, notes: Notes
) -> None:
    monkeypatch.setenv("AMNL_CACHE_DIR", "~nobody-here/cache")
    assert len(cmapss.load("FD001", 0, tiny).test) == 3
    assert "~nobody-here" in notes()[0]


def test_a_cache_that_is_read_only_still_serves(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, notes: Notes
) -> None:
    first = cmapss.load("FD001", 0, tiny)

    def refuse(*_: object) -> None:
        raise FileError("read-only")

    monkeypatch.setattr(parsed_files, "write_atomically", refuse)  # permissions do not stop root
    assert same(cmapss.load("FD001", 0, tiny).train, first.train)
    assert notes() == []
    assert len(cmapss.load("FD002", 0, tiny).test) == 3
    assert len(notes()) == 1


def test_processes_that_fill_the_cache_at_once_agree(tiny: Path, cache: Path) -> None:
    load = f"cmapss.load('FD001', 0, {str(tiny)!r})"
    code = f"from amnl import cmapss; print(float({load}.train.values.sum()))"
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert said == {f"{float(cmapss.load('FD001', 0, tiny).train.values.sum())}\n"}
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_write_that_fails_leaves_nothing_behind(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, notes: Notes, moment: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, moment, full)
        first = cmapss.load("FD001", 0, tiny)
        with pytest.raises(FileError, match=r"cannot write .*out\.csv: No space left"):
            write_atomically(cache / "out.csv", b"1\n")
    assert list(cache.iterdir()) == []
    assert "No space left" in notes()[0]
    assert same(cmapss.load("FD001", 0, tiny).train, first.train)
    assert len(list(cache.iterdir())) == 2
