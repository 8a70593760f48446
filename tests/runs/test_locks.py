"""Claims keep others out, and die with their process."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from shared import in_child

from amnl.runs import Claims, StoreError

# Some tests fork: what a process holds or leaves behind, only another one can tell.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def test_a_claim_keeps_other_processes_out_and_dies_with_its_own(tmp_path: Path) -> None:
    def taken(name: str) -> bool:
        return in_child(lambda: Claims(tmp_path).take(name)) == 1

    with Claims(tmp_path) as claims:
        assert in_child(lambda: claims.take("two")) == 0  # that process has ended
        assert claims.take("one")
        assert taken("one") and not taken("two")
        claims.release("one")
        assert not taken("one")
        assert claims.take("one") and claims.take("two")
        assert taken("one") and taken("two")
    assert not taken("one") and not taken("two")


def test_two_sweeps_of_one_process_keep_their_claims_apart(tmp_path: Path) -> None:
    ours = Claims(tmp_path)
    with Claims(tmp_path) as other:
        assert ours.take("one") and not other.take("one")
        assert other.take("two") and not ours.take("two")
    with Claims(tmp_path) as other:
        assert not other.take("one"), "the first one's claims are not dropped with the second's"
        assert ours.take("two")
        ours.release("one")
        assert other.take("one")


def test_a_drive_without_locks_runs_unclaimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(number: int) -> Any:
        def lockf(*_: Any) -> None:
            raise OSError(number, os.strerror(number))

        return lockf

    claims = Claims(tmp_path)
    for number, taken in ((errno.ENOLCK, True), (errno.ENOTSUP, True), (errno.EAGAIN, False)):
        monkeypatch.setattr("fcntl.lockf", fails(number))
        assert claims.take("one") is taken
        claims.release("one")
    monkeypatch.setattr("fcntl.lockf", fails(errno.EIO))
    with pytest.raises(StoreError, match="cannot be written"):
        claims.take("one")


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"gone cannot be written"):
        Claims(tmp_path / "gone").take("one")


def test_a_claim_given_back_is_free_while_the_others_stay(tmp_path: Path) -> None:
    def taken(name: str) -> bool:
        return in_child(lambda: Claims(tmp_path).take(name)) == 1

    with Claims(tmp_path) as claims:
        assert claims.take("one") and claims.take("two")
        assert (tmp_path / "claims").is_file(), "where other processes look"
        claims.release("one")
        assert not taken("one") and taken("two")
    assert not taken("two")


def test_where_there_are_no_locks_a_process_still_keeps_its_own_claims_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows
    with Claims(tmp_path) as claims:
        assert claims.take("one") and not Claims(tmp_path).take("one")
    with Claims(tmp_path) as others:
        assert others.take("one")
