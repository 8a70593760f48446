"""What is pinned of NASA's edition, and the first line that differs."""

from pathlib import Path

import numpy as np
import pytest

from amnl import cmapss
from amnl.cmapss import DataError, Source, nasa_edition
from cmapss.tiny_fleet import OTHER_BYTES, Notes, changed, edit


@pytest.mark.nasa
@pytest.mark.parametrize("name", cmapss.SHA256)
def test_what_is_pinned_are_nasas_numbers(nasa: Source, name: str) -> None:
    rows = cmapss.numbers(cmapss.raw_bytes(nasa, name), name, name)
    assert cmapss.number_digest(rows) == cmapss.NUMBERS[name]
    assert np.array_equal(cmapss.line_checksums(rows), nasa_edition.edition_lines(name))


# Engines of 31, 40, 45, 36 and 38 cycles: 190 lines.
DIFFERENT = {
    "the first line": (changed(1), r"Line 1 \(engine 1, cycle 1\) is the first whose numbers"),
    "a line inside": (changed(100), r"Line 100 \(engine 3, cycle 29\) is the first"),
    "the last line": (changed(190), r"Line 190 \(engine 5, cycle 38\) is the first"),
    "several lines": (changed(57, 58, 60, 150), r"Line 57 \(engine 2, cycle 26\) is the first"),
    "every line": (changed(*range(191)), r"Line 1 \(engine 1, cycle 1\) is the first"),
    "an engine's last cycle is missing": (
        lambda lines: lines[:70] + lines[71:],
        r"Line 71 \(engine 3, cycle 1\) is the first",
    ),
    "the file's last cycles are missing": (
        lambda lines: lines[:180],
        "It has 180 lines, the edition 190; 180 of them agree",
    ),
    "an engine too many": (
        lambda lines: [*lines, *(f"6 {line.split(maxsplit=1)[1]}" for line in lines[:31])],
        "It has 221 lines, the edition 190; 190 of them agree",
    ),
}


@pytest.mark.parametrize("fault", DIFFERENT)
@pytest.mark.parametrize("form", ["as it is", "CRLF", "tabs"])
def test_other_numbers_are_refused_with_the_first_line_that_differs(
    tiny_nasa: Path, notes: Notes, fault: str, form: str
) -> None:
    change, message = DIFFERENT[fault]
    path = tiny_nasa / "train_FD003.txt"
    edit(path, change)
    if form != "as it is":
        path.write_bytes(OTHER_BYTES[form](path.read_text()))
    with pytest.raises(DataError, match=rf"train_FD003\.txt: the SHA-256.*{message}.*--download"):
        cmapss.load("FD003", 0, tiny_nasa)
    assert notes() == []


def test_a_remaining_life_that_differs_is_named(tiny_nasa: Path) -> None:
    edit(tiny_nasa / "RUL_FD001.txt", lambda lines: [lines[0], "97 \n", lines[2]])
    with pytest.raises(DataError, match=r"RUL_FD001\.txt.*Line 2 is the first whose numbers"):
        cmapss.load("FD001", 0, tiny_nasa)


def test_a_line_that_its_checksum_cannot_tell_is_not_guessed(
    tiny_nasa: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_nasa / "train_FD001.txt"
    edit(path, changed(9))
    same_byte = cmapss.line_checksums(cmapss.numbers(path.read_bytes(), path.name, path))
    monkeypatch.setattr(nasa_edition, "edition_lines", {path.name: same_byte}.__getitem__)
    with pytest.raises(DataError, match=r"A number differs .* cannot tell"):
        cmapss.load("FD001", 0, tiny_nasa)


@pytest.mark.nasa
@pytest.mark.parametrize("line", [1, 12_345, 20_631])
def test_a_line_that_is_not_nasas_is_named(nasa: Source, tmp_path: Path, line: int) -> None:
    for name in cmapss.file_names("FD001"):
        (tmp_path / name).write_bytes(cmapss.raw_bytes(nasa, name))
    edit(tmp_path / "train_FD001.txt", changed(line))
    with pytest.raises(DataError, match=rf"Line {line} \(engine \d+, cycle \d+\) is the first"):
        cmapss.load("FD001", 0, tmp_path)
