"""Folders, zips and .gz files, and names in other letters."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from amnl import cmapss
from amnl.cmapss import SUBSETS, DataError
from cmapss.tiny_fleet import keep_only, pack, same, zipped


def test_gzipped_files_read_like_plain_ones(tiny_nasa: Path) -> None:
    plain = cmapss.load("FD001", 0, tiny_nasa)
    for path in tiny_nasa.glob("*.txt"):
        (tiny_nasa / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    packed = cmapss.load("FD001", 0, tiny_nasa)
    assert same(plain.train, packed.train)
    assert same(plain.test, packed.test)


def damage_the_stream(data: bytes) -> bytes:
    return data[:10] + b"\x07" + data[11:]  # a kind of block that deflate does not know


@pytest.mark.parametrize("name", ["train_FD001.txt", "RUL_FD001.txt"])
@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b[:5], lambda b: b"PK" + b, damage_the_stream]
)
def test_a_broken_gzip_is_named(
    tiny_nasa: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    plain = tiny_nasa / name
    text = plain.read_bytes()
    plain.unlink()
    (tiny_nasa / f"{name}.gz").write_bytes(damage(gzip.compress(text, mtime=0)))
    message = rf"{name}\.gz: not a whole gzip file .*--download.*AMNL_DATA_DIR"
    with pytest.raises(DataError, match=message):
        cmapss.load("FD001", 0, tiny_nasa)


ZIPS: dict[str, Callable[[Path, Path], Path]] = {
    "NASA's": lambda folder, to: pack(folder, to, nested=False),
    "PCoE's": lambda folder, to: pack(folder, to, nested=True),
    "a folder of .txt": lambda folder, to: zipped(folder, to, "CMAPSS Data/"),
    "a folder of .gz": lambda folder, to: zipped(folder, to, "data/raw/cmapss/", packed=True),
    ".gz alone": lambda folder, to: zipped(folder, to, packed=True),
}


@pytest.mark.parametrize("form", ZIPS)
@pytest.mark.parametrize("how", ["data_dir", "AMNL_DATA_DIR"])
def test_a_zip_is_read_where_it_lies(
    tiny_nasa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, how: str
) -> None:
    expected = cmapss.load("FD004", 1, tiny_nasa)
    (tmp_path / "zips").mkdir()
    archive = ZIPS[form](tiny_nasa, tmp_path / "zips" / "archive.zip")
    if how == "AMNL_DATA_DIR":
        monkeypatch.setenv("AMNL_DATA_DIR", str(archive))
    for _ in range(2):
        data = cmapss.load("FD004", 1, archive if how == "data_dir" else None)
        assert same(data.train, expected.train) and same(data.test, expected.test)
    assert data.source.subsets == SUBSETS and str(data.source) == str(expected.source)
    assert list((tmp_path / "zips").iterdir()) == [archive]


def test_a_zip_of_one_subset_or_of_an_emulated_fleet_is_that(tiny: Path, tmp_path: Path) -> None:
    keep_only(tiny, "FD002")
    archive = zipped(tiny, tmp_path / "archive.zip", "tiny/")
    source = cmapss.find(archive)
    assert (str(source), source.subsets) == (str(cmapss.find(tiny)), ("FD002",))
    assert str(source).startswith("emulated fleet, seed 3, 3 files, checksum ")
    assert same(cmapss.load("FD002", 0, archive).train, cmapss.load("FD002", 0, tiny).train)


def in_the_middle(data: bytes) -> bytes:
    return data[:3000] + bytes(b ^ 255 for b in data[3000:3100]) + data[3100:]


BAD_ZIPS = {
    "cut": (lambda data: data[: len(data) // 2], "is no folder and no whole zip"),
    "text": (lambda data: b"not a zip", "is no folder and no whole zip"),
    "empty": (lambda data: b"", "is no folder and no whole zip"),
    "damaged inside": (in_the_middle, r"archive\.zip/.*txt cannot be read: .*(CRC|decompress)"),
    "an empty zip": (lambda data: b"PK\5\6" + bytes(18), "no C-MAPSS files in the zip"),
}


@pytest.mark.parametrize("fault", BAD_ZIPS)
def test_a_zip_that_cannot_be_read_is_named(tiny_nasa: Path, tmp_path: Path, fault: str) -> None:
    archive = zipped(tiny_nasa, tmp_path / "archive.zip")
    damage, message = BAD_ZIPS[fault]
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        for subset in SUBSETS:
            cmapss.load(subset, 0, archive)
    assert str(archive) in str(caught.value)


@pytest.mark.parametrize(
    "spell",
    [str.upper, str.title, lambda name: name.replace(".txt", ".TXT"), lambda name: f"{name}.GZ"],
    ids=["upper", "title", ".TXT", ".GZ"],
)
def test_names_in_other_letters_are_the_same_files(
    tiny_nasa: Path, spell: Callable[[str], str]
) -> None:
    expected = cmapss.load("FD001", 0, tiny_nasa)
    for path in list(tiny_nasa.glob("*.txt")):
        text = path.read_bytes()
        path.unlink()
        name = spell(path.name)
        (tiny_nasa / name).write_bytes(gzip.compress(text) if name.endswith("GZ") else text)
    found = cmapss.load("FD001", 0, tiny_nasa)
    assert same(found.train, expected.train) and same(found.test, expected.test)


def test_nasas_spelling_goes_first_and_a_folder_is_no_file(tiny_nasa: Path) -> None:
    (tiny_nasa / "TRAIN_FD001.TXT").write_text("notes of mine")
    (tiny_nasa / "test_FD001.txt").rename(tiny_nasa / "TEST_FD001.txt")
    (tiny_nasa / "test_FD001.txt").mkdir()
    assert len(cmapss.load("FD001", 0, tiny_nasa).test) == 3


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_read_is_named(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    source = cmapss.find(tiny)
    monkeypatch.setattr(Path, "read_bytes" if what == "file" else "iterdir", refuse)
    said = r"train_FD001\.txt" if what == "file" else "tiny"
    with pytest.raises(DataError, match=rf"{said} cannot be read: Permission denied"):
        cmapss.load("FD001", 0, source)
