"""One model that every test reads, and new engines for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from new_engines import SMALL, Trained

from amnl import predict
from amnl.cmapss import errors


@pytest.fixture(scope="session")
def trained(ten_engines: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A model of ten emulated engines, each of which judges it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMNL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        folder = tmp_path_factory.mktemp("models") / "model"
        result = predict.train_model(SMALL, ten_engines, folder, cross=True)
        yield Trained(folder, result, ten_engines)


@pytest.fixture(autouse=True)
def notes(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """As in a process that has said nothing before."""
    errors.note.cache_clear()
    return caplog
