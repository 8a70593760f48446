"""A tiny fleet, a cache of its own, and what was said."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pooch
import pytest

from amnl import cmapss
from amnl.cmapss import Source, errors
from cmapss.tiny_fleet import Notes, pack, pin, write_fleet


@pytest.fixture(autouse=True)
def notes(caplog: pytest.LogCaptureFixture) -> Notes:
    """What was said since the last call, as by a process that has said nothing before."""
    errors.note.cache_clear()

    def said() -> list[str]:
        lines = [record.getMessage() for record in caplog.records if record.name == "amnl"]
        caplog.clear()
        return lines

    return said


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("AMNL_DATA_DIR", raising=False)
    monkeypatch.setenv("AMNL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path: Path, cache: Path) -> Path:
    return write_fleet(tmp_path / "tiny")


@pytest.fixture
def tiny_nasa(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny fleet under NASA's name: its checksums are the pinned ones."""
    pin(tiny, monkeypatch)
    (tiny / "emulated.json").unlink()
    return tiny


@pytest.fixture(scope="module")
def nasa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with pytest.MonkeyPatch.context() as patch:
        source = cmapss.find()
        patch.setenv("AMNL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield source


@pytest.fixture
def asked(tiny_nasa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were asked; each gives the archive."""
    archive, urls = pack(tiny_nasa, tmp_path / "nasa.zip", nested=False), []

    def retrieve(url: str, known_hash: str, path: Path, fname: str) -> str:
        urls.append(url)
        return str(shutil.copy(archive, Path(path) / fname))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    return urls
