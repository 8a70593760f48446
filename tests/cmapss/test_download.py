"""NASA's archives, fetched and unpacked."""

from pathlib import Path

import pooch
import pytest

from amnl import cmapss
from amnl.cmapss import DataError, download
from cmapss.tiny_fleet import edit, pack, same


@pytest.mark.parametrize("nested", [False, True])
def test_both_archives_unpack(tiny_nasa: Path, tmp_path: Path, nested: bool) -> None:
    target = tmp_path / "target"
    target.mkdir()
    download.unpack(pack(tiny_nasa, tmp_path / "archive.zip", nested), target)
    assert sorted(p.name for p in target.iterdir()) == sorted(cmapss.SHA256)
    assert cmapss.find(target).kind == "nasa"
    assert same(cmapss.load("FD001", 0, target).train, cmapss.load("FD001", 0, tiny_nasa).train)


@pytest.mark.parametrize("fault", ["missing", "changed", "no zip"])
def test_a_wrong_archive_unpacks_nothing(tiny_nasa: Path, tmp_path: Path, fault: str) -> None:
    last = tiny_nasa / sorted(cmapss.SHA256)[-1]
    if fault == "missing":
        last.unlink()
    elif fault == "changed":
        edit(last, lambda lines: lines[:-1])
    archive = pack(tiny_nasa, tmp_path / "archive.zip", nested=False)
    if fault == "no zip":
        archive.write_bytes(archive.read_bytes()[:200])
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(DataError, match=r"archive\.zip.*(not NASA's|no whole zip)"):
        download.unpack(archive, target)
    assert list(target.iterdir()) == []


def test_fetching_uses_the_second_address_when_the_first_fails(
    tiny_nasa: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(tiny_nasa, tmp_path / "archive.zip", nested=True)
    asked = []

    def retrieve(url: str, known_hash: str, path: Path, fname: str) -> str:
        asked.append((url, known_hash))
        if "data.nasa.gov" in url:
            raise ConnectionError("no route")
        return str(archive.rename(Path(path) / fname))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    source = cmapss.find(download=True)
    assert source.folder == cache / "cmapss"
    assert [(u, k.removeprefix("sha256:")) for u, k in asked] == list(download.ARCHIVES.items())
    assert sorted(p.name for p in source.folder.iterdir()) == sorted(cmapss.SHA256)
    cmapss.find(download=True)
    assert len(asked) == 2  # what is there is not fetched again


def test_fetching_without_a_network_names_the_ways_out(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def retrieve(url: str, **_: object) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataError, match="could not download") as caught:
        cmapss.load("FD001", download=True)
    for word in ("data.nasa.gov", "phm-datasets", "no route", "by hand", "AMNL_DATA_DIR"):
        assert word in str(caught.value)
    assert list((cache / "cmapss").iterdir()) == []
