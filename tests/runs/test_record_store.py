"""The folder of records: room for all, and nothing left behind."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from amnl.runs import RecordStore, StoreError, store


def test_room_for_all_runs_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = RecordStore(tmp_path)
    room = 3 * store._RECORD_BYTES
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: SimpleNamespace(free=room))
    records.check_space(3)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: SimpleNamespace(free=room - 1))
    with pytest.raises(StoreError, match="3 records may need"):
        records.check_space(3)
    assert records.paths() == []
    assert list((tmp_path / "cells").iterdir()) == []


def test_a_probe_that_another_sweep_took_away_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "write_atomically", lambda path, content: None)
    RecordStore(tmp_path).check_space(1)
