"""What a source is known by, and whether its bytes or its numbers are right."""

import gzip
import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from amnl import cmapss
from amnl.cmapss import SUBSETS, DataError, Source, emulator, errors
from cmapss.tiny_fleet import OTHER_BYTES, Notes, same, zipped


@pytest.mark.nasa
def test_nasa_source_names_the_data_and_no_path(nasa: Source) -> None:
    assert str(nasa).startswith("NASA C-MAPSS, 12 files, checksum ")
    assert "/" not in str(nasa)


def test_an_emulated_folder_says_so(tiny: Path) -> None:
    source = cmapss.find(tiny)
    assert source.kind == "emulator"
    assert re.fullmatch(r"emulated fleet, seed 3, 12 files, checksum \w{12}", str(source))


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '{"seed": "x", "sha256": {}}'])
def test_a_broken_manifest_is_named(tiny: Path, text: str) -> None:
    (tiny / "emulated.json").write_text(text)
    with pytest.raises(DataError, match=r"emulated\.json: not the manifest.*--emulate"):
        cmapss.find(tiny)


def test_a_manifest_without_a_checksum_is_named(tiny: Path) -> None:
    (tiny / "emulated.json").write_text('{"seed": 1, "sha256": {}}')
    with pytest.raises(DataError, match=r"emulated\.json: no checksum for train_FD001\.txt"):
        cmapss.load("FD001", 0, tiny)


@pytest.mark.parametrize(
    "other",
    [
        {"engines": 4},
        {"test_engines": 5},
        {"seed": 4},
    ],
)
def test_an_emulated_fleet_is_known_by_its_bytes(tmp_path: Path, other: dict[str, int]) -> None:
    usual = {"subset": "FD001", "seed": 3, "engines": 3, "test_engines": 2}
    for name, sizes in (("a", usual), ("b", usual), ("c", {**usual, **other})):
        emulator.write_fleet(tmp_path / name, **sizes)  # type: ignore[arg-type]
    same_, again, different = (str(cmapss.find(tmp_path / name)) for name in "abc")
    assert same_ == again != different


def test_an_emulated_fleet_by_another_emulator_is_another(tmp_path: Path) -> None:
    """Same seed, same sizes: another table, another NumPy, or a manifest made by hand."""
    folder = emulator.write_fleet(tmp_path, "FD001", 3, engines=3, test_engines=2)
    before = str(cmapss.find(folder))
    manifest = json.loads((folder / "emulated.json").read_text())
    text = (folder / "RUL_FD001.txt").read_bytes().replace(b" ", b"  ", 1)
    (folder / "RUL_FD001.txt").write_bytes(text)
    manifest["sha256"]["RUL_FD001.txt"] = hashlib.sha256(text).hexdigest()
    (folder / "emulated.json").write_text(json.dumps(manifest))
    cmapss.read(cmapss.find(folder), "FD001", "test")  # it is what its manifest says
    assert str(cmapss.find(folder)) != before


def test_the_identity_of_a_fleet_is_one_however_it_is_asked_for(tiny: Path, tmp_path: Path) -> None:
    """A sweep asks for the subsets of its cells, its workers and a report for none."""
    asked = {str(cmapss.find(tiny, subsets)) for subsets in ((), ("FD001",), SUBSETS)}
    asked |= {str(cmapss.load("FD001", 0, tiny).source)}
    moved = shutil.copytree(tiny, tmp_path / "moved")
    for path in moved.glob("*FD003.txt"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    asked |= {str(cmapss.find(moved)), str(cmapss.find(zipped(tiny, tmp_path / "a.zip", "")))}
    assert len(asked) == 1
    (moved / "RUL_FD002.txt").unlink()  # of which nothing is left to train on
    assert str(cmapss.find(moved)) not in asked


@pytest.mark.parametrize("name", ["train_FD001.txt", "test_FD001.txt", "RUL_FD001.txt"])
def test_a_wrong_checksum_alone_is_enough(tiny_nasa: Path, name: str) -> None:
    path = tiny_nasa / name
    text = path.read_text()
    path.write_text(text.replace("112 ", "113 ") if "RUL" in name else text.replace("5", "4", 1))
    expected = cmapss.SHA256[name][:12]
    with pytest.raises(DataError, match=rf"{name}: the SHA-256 is .*{expected}.*--download"):
        cmapss.load("FD001", 0, tiny_nasa)


@pytest.mark.parametrize("form", OTHER_BYTES)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_the_same_numbers_in_other_bytes_are_the_same_data_and_a_note_says_so(
    tiny_nasa: Path, notes: Notes, form: str, packed: bool
) -> None:
    before, identity = cmapss.load("FD002", 0, tiny_nasa), str(cmapss.find(tiny_nasa))
    assert notes() == []
    for name in cmapss.file_names("FD002"):
        path = tiny_nasa / name
        text = OTHER_BYTES[form](path.read_text())
        path.unlink()
        path = tiny_nasa / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(text) if packed else text)
    for _ in range(2):  # parsed, then from the cache
        errors.note.cache_clear()
        after = cmapss.load("FD002", 0, tiny_nasa)
        assert same(before.train, after.train) and same(before.test, after.test)
        (note,) = notes()
        assert str(tiny_nasa) in note and "the numbers are NASA's, the bytes are not" in note
    assert str(after.source) == identity


@pytest.mark.parametrize("name", cmapss.file_names("FD001"))
def test_one_file_in_other_bytes_is_enough_for_the_note(
    tiny_nasa: Path, notes: Notes, name: str
) -> None:
    (tiny_nasa / name).write_bytes(OTHER_BYTES["CRLF"]((tiny_nasa / name).read_text()))
    cmapss.load("FD001", 0, tiny_nasa)
    assert len(notes()) == 1


@pytest.mark.nasa
@pytest.mark.parametrize("form", ["a Windows editor's", "tabs", "scientific"])
def test_nasas_numbers_are_known_in_other_bytes(
    nasa: Source, tmp_path: Path, notes: Notes, form: str
) -> None:
    for name in cmapss.file_names("FD001"):
        text = cmapss.raw_bytes(nasa, name).decode()
        (tmp_path / name).write_bytes(OTHER_BYTES[form](text))
    found = cmapss.load("FD001", 3, tmp_path)
    assert "the numbers are NASA's" in notes()[0]
    assert str(found.source) == str(nasa) == "NASA C-MAPSS, 12 files, checksum f35a7a2a85e2"
    whole = cmapss.load("FD001", 3, nasa)
    assert same(found.train, whole.train) and same(found.test, whole.test)


@pytest.mark.parametrize("name", ["train_FD002.txt", "RUL_FD002.txt"])
def test_a_gzip_of_another_file_is_named(tiny_nasa: Path, name: str) -> None:
    text = (tiny_nasa / name.replace("FD002", "FD004")).read_bytes()
    if name.startswith("RUL"):
        text = text.replace(b"112", b"111")
    (tiny_nasa / name).unlink()
    (tiny_nasa / f"{name}.gz").write_bytes(gzip.compress(text))
    with pytest.raises(DataError, match=rf"{name}\.gz: the SHA-256.*Line 1 .*is the first"):
        cmapss.load("FD002", 0, tiny_nasa)
