"""Which files are found, and what is said when none are."""

import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pooch
import pytest

from amnl import cmapss
from amnl.cmapss import SUBSETS, DataError, emulator
from cmapss.tiny_fleet import OTHER_BYTES, keep_only, same, write_fleet


def test_an_explicit_folder_beats_the_environment_which_beats_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = write_fleet(cache / "cmapss")
    assert cmapss.find().folder == cached
    named = write_fleet(tmp_path / "named")
    monkeypatch.setenv("AMNL_DATA_DIR", str(named))
    assert cmapss.find().folder == named
    explicit = write_fleet(tmp_path / "explicit")
    assert cmapss.find(explicit).folder == explicit
    assert cmapss.find(str(explicit)).folder == explicit


@pytest.mark.parametrize("how", ["explicit", "environment"])
def test_a_named_folder_without_files_is_an_error_and_nothing_takes_its_place(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    write_fleet(cache / "cmapss")
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setattr(pooch, "retrieve", lambda *a, **k: pytest.fail("went to the network"))
    if how == "environment":
        monkeypatch.setenv("AMNL_DATA_DIR", str(empty))
    with pytest.raises(DataError, match="no C-MAPSS files") as caught:
        cmapss.find(empty if how == "explicit" else None, download=True)
    for word in (str(empty), "AMNL_DATA_DIR", "--data-dir", "--download", "--emulate"):
        assert word in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder .*elsewhere: it should hold"):
        cmapss.find(tmp_path / "elsewhere")


def test_an_empty_cache_is_an_error_with_the_ways_out(cache: Path) -> None:
    with pytest.raises(DataError, match="no C-MAPSS files in the cache") as caught:
        cmapss.find()
    for word in (str(cache), "AMNL_DATA_DIR", "--download", "--emulate"):
        assert word in str(caught.value)


def test_a_missing_file_is_named(tiny_nasa: Path) -> None:
    (tiny_nasa / "RUL_FD003.txt").unlink()
    with pytest.raises(DataError, match=r"no RUL_FD003\.txt in .*tiny.*AMNL_DATA_DIR"):
        cmapss.find(tiny_nasa, SUBSETS)


@pytest.mark.parametrize("there", [("FD001",), ("FD003",), ("FD001", "FD004")])
def test_a_subset_needs_its_own_three_files_alone(tiny_nasa: Path, there: tuple[str, ...]) -> None:
    whole = {subset: cmapss.load(subset, 0, tiny_nasa) for subset in SUBSETS}
    keep_only(tiny_nasa, *there)
    source = cmapss.find(tiny_nasa)
    assert source.subsets == there
    for subset in SUBSETS:
        if subset in there:
            data = cmapss.load(subset, 0, tiny_nasa)
            assert same(data.train, whole[subset].train) and same(data.test, whole[subset].test)
            assert str(data.source) == str(whole[subset].source)
        else:
            said = rf"no train_{subset}\.txt, test_.*RUL_.*it holds {', '.join(there)} alone\. Name"
            with pytest.raises(DataError, match=said):
                cmapss.load(subset, 0, tiny_nasa)


def test_a_subset_of_two_files_is_not_there(tiny_nasa: Path) -> None:
    keep_only(tiny_nasa, "FD001", "FD002")
    (tiny_nasa / "test_FD002.txt").unlink()
    assert cmapss.find(tiny_nasa).subsets == ("FD001",)
    with pytest.raises(DataError, match=r"no test_FD002\.txt in the folder"):
        cmapss.find(tiny_nasa, ["FD001", "FD002"])
    (tiny_nasa / "RUL_FD001.txt").unlink()
    with pytest.raises(DataError, match=r"no RUL_FD001\.txt, test_FD002\.txt, train_FD003"):
        cmapss.find(tiny_nasa)


def test_an_emulated_fleet_of_one_subset_says_so(tmp_path: Path, cache: Path) -> None:
    emulator.write_fleet(tmp_path / "fleet", "FD003", engines=3, test_engines=2)
    assert cmapss.find(tmp_path / "fleet").subsets == ("FD003",)
    with pytest.raises(DataError, match=r"no train_FD001\.txt, .*it holds FD003 alone"):
        cmapss.load("FD001", 0, tmp_path / "fleet")


def relative(folder: Path) -> str:
    return os.path.relpath(folder)


FOLDERS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "relative": ("tiny", relative),
    "through the parent": ("tiny", lambda folder: f"../{folder.parent.name}/{folder.name}"),
    "~": ("tiny", lambda folder: f"~/{folder.name}"),
    "a slash at the end": ("tiny", lambda folder: f"{folder}/"),
    "relative, a slash at the end": ("tiny", lambda folder: f"./{folder.name}/"),
    "%20": ("my%20data", relative),
    "blanks and brackets": ("my data (1)", relative),
    "letters": ("données λ", relative),
}


@pytest.mark.parametrize("form", FOLDERS)
@pytest.mark.parametrize("how", ["data_dir", "AMNL_DATA_DIR"])
def test_a_folder_is_found_from_any_other(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, how: str
) -> None:
    name, spell = FOLDERS[form]
    folder = tiny.rename(tiny.with_name(name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    if how == "AMNL_DATA_DIR":
        monkeypatch.setenv("AMNL_DATA_DIR", spell(folder))
    source = cmapss.find(spell(folder) if how == "data_dir" else None)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert source.folder.is_absolute() and source.folder.samefile(folder)
    assert len(cmapss.load("FD001", 0, source).test) == 3
    monkeypatch.setenv("AMNL_DATA_DIR", str(source.folder))
    assert cmapss.find().folder == source.folder


def test_a_home_that_nobody_has_is_named(cache: Path) -> None:
    with pytest.raises(DataError, match=r"~nobody-here/data.*whole path"):
        cmapss.find("~nobody-here/data")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-300]),
    "emptied": lambda path: path.write_bytes(b""),
    "a bit": lambda path: path.write_bytes(path.read_bytes().replace(b"1", b"2", 1)),
    "a page of errors": lambda path: path.write_text("<html>404</html>"),
    "gone": lambda path: path.unlink(),
    "a broken gzip": lambda path: path.rename(f"{path}.gz"),
    "a link to nowhere": lambda path: (path.unlink(), path.symlink_to(path.parent / "nowhere")),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["train_FD003.txt", "RUL_FD001.txt"])
def test_a_damaged_file_in_the_cache_is_fetched_again(
    cache: Path, tiny_nasa: Path, asked: list[str], damage: str, name: str
) -> None:
    cmapss.find(download=True)
    cmapss.find(download=True)
    assert len(asked) == 1, "what is whole is not fetched again"
    DAMAGE[damage](cache / "cmapss" / name)
    source = cmapss.find(download=True)
    assert len(asked) == 2
    for subset in SUBSETS:
        assert same(cmapss.load(subset, 0, source).train, cmapss.load(subset, 0, tiny_nasa).train)


def test_other_bytes_of_the_same_numbers_are_not_fetched_again(
    cache: Path, asked: list[str]
) -> None:
    folder = cmapss.find(download=True).folder
    for path in folder.glob("*.txt"):
        path.write_bytes(OTHER_BYTES["CRLF"](path.read_text()))
    cmapss.find(download=True)
    assert len(asked) == 1


def test_two_that_fetch_at_once_both_succeed(
    cache: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    both, retrieve = threading.Barrier(2, timeout=20), pooch.retrieve

    def wait(url: str, **options: Any) -> str:
        try:
            return retrieve(url, **options)
        finally:
            both.wait()

    monkeypatch.setattr(pooch, "retrieve", wait)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: cmapss.find(download=True), range(2)))
    assert [source.subsets for source in found] == [SUBSETS] * 2
    assert sorted(p.name for p in (cache / "cmapss").iterdir()) == sorted(cmapss.SHA256)


def test_a_broken_manifest_in_the_cache_is_named_and_nothing_is_fetched(
    tiny: Path, cache: Path, asked: list[str]
) -> None:
    shutil.copytree(tiny, cache / "cmapss")
    (cache / "cmapss" / "emulated.json").write_text("{")
    with pytest.raises(DataError, match=r"emulated\.json: not the manifest.*--emulate"):
        cmapss.find(download=True)
    assert asked == []
