"""A tiny fleet in NASA's format, and what can be done to its files."""

import gzip
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amnl import cmapss
from amnl.cmapss import SUBSETS, Fleet, Windows, nasa_edition

Notes = Callable[[], list[str]]

# Three training and three test engines; one test engine is shorter than a window.
TRAIN_LENGTHS, TEST_LENGTHS, END_RUL = (31, 40, 45, 36, 38), (10, 30, 33), (112, 98, 7)


def rows_text(subset: str, lengths: tuple[int, ...], seed: int) -> str:
    """Rows in NASA's format: 26 columns, two trailing blanks."""
    rng, lines = np.random.default_rng(seed), []
    for unit, length in enumerate(lengths, start=1):
        for cycle in range(1, length + 1):
            condition = rng.integers(6) if subset in ("FD002", "FD004") else 0
            jitter = rng.uniform(-1, 1, 3) * [0.005, 0.0005, 0]
            altitude, mach, tra = cmapss.CONDITIONS[condition] + jitter
            sensors = 500 + 100 * condition + cycle * 0.1 + rng.normal(size=21)
            numbers = " ".join(f"{x:.2f}" for x in sensors)
            lines.append(f"{unit} {cycle} {altitude:.4f} {mach:.4f} {tra:.1f} {numbers}  \n")
    return "".join(lines)


def seal(folder: Path) -> None:
    """Write the manifest that lets a folder pass for an emulated fleet, whatever is in it."""
    sums = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.txt")}
    (folder / "emulated.json").write_text(json.dumps({"seed": 3, "sha256": sums}))


def write_fleet(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for n, subset in enumerate(SUBSETS):
        (folder / f"train_{subset}.txt").write_text(rows_text(subset, TRAIN_LENGTHS, n))
        (folder / f"test_{subset}.txt").write_text(rows_text(subset, TEST_LENGTHS, 10 + n))
        (folder / f"RUL_{subset}.txt").write_text("".join(f"{r} \n" for r in END_RUL))
    seal(folder)
    return folder


def pin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt"))}
    rows = {name: cmapss.numbers(text, name, name) for name, text in texts.items()}
    sums = {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    digests = {name: cmapss.number_digest(of) for name, of in rows.items()}
    for name in sums:  # in the tables that every file of the package looks into
        monkeypatch.setitem(cmapss.SHA256, name, sums[name])
        monkeypatch.setitem(cmapss.NUMBERS, name, digests[name])
    lines = {name: cmapss.line_checksums(of) for name, of in rows.items()}
    monkeypatch.setattr(nasa_edition, "edition_lines", lines.__getitem__)


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


def field(line: str, column: int, value: str) -> str:
    fields = line.split()
    fields[column] = value
    return " ".join(fields) + "  \n"


def same(a: Windows, b: Windows) -> bool:
    names = ("values", "last", "rul", "true", "health", "engine")
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in names)


def fleet_of(lengths: list[int], end_rul: list[int]) -> Fleet:
    rng, rows = np.random.default_rng(0), sum(lengths)
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int64)
    return Fleet("FD001", "train", rng.normal(size=(rows, 24)), offsets, np.array(end_rul))


def each_line(change: Callable[[str], str]) -> Callable[[str], bytes]:
    return lambda text: "".join(f"{change(line)}\n" for line in text.splitlines()).encode()


def scientific(line: str) -> str:
    return " ".join(f"{float(word):.17e}" for word in line.split())


OTHER_BYTES: dict[str, Callable[[str], bytes]] = {
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR alone": lambda text: text.replace("\n", "\r").encode(),
    "a byte-order mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, big end first": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "tabs": lambda text: text.replace(" ", "\t").encode(),
    "trailing blanks stripped": each_line(str.rstrip),
    "leading blanks": each_line(lambda line: f"  {line}"),
    "columns aligned": each_line(lambda line: " ".join(f"{w:>10}" for w in line.split())),
    "no last newline": lambda text: text.rstrip("\n").encode(),
    "nothing after the last number": lambda text: text.rstrip().encode(),
    "blank lines at the end": lambda text: f"{text}\n  \n".encode(),
    "scientific": each_line(scientific),
    "more zeros": each_line(lambda line: " ".join(f"{float(w):09.5f}" for w in line.split())),
    "a Windows editor's": lambda text: text.rstrip().replace(" \n", "\r\n").encode("utf-8-sig"),
}


def changed(*numbers: int) -> Callable[[list[str]], list[str]]:
    """Sensor 7 of these lines, counted from 1, is another number."""
    return lambda lines: [
        field(line, 11, "777.7") if n in numbers else line for n, line in enumerate(lines, start=1)
    ]


def keep_only(folder: Path, *subsets: str) -> None:
    for path in folder.glob("*.txt"):
        if path.stem.partition("_")[2] not in subsets:
            path.unlink()


def zipped(folder: Path, archive: Path, inside: str = "", packed: bool = False) -> Path:
    """As someone zips a folder: with its name before each file's, or without."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(p for p in folder.iterdir() if p.suffix in (".txt", ".json")):
            if packed and path.suffix == ".txt":
                out.writestr(f"{inside}{path.name}.gz", gzip.compress(path.read_bytes()))
            else:
                out.write(path, f"{inside}{path.name}")
            out.writestr(f"__MACOSX/{inside}._{path.name}", b"\0\5\26\7")
        out.writestr(f"{inside}readme.txt", "not data")
    return archive


def pack(folder: Path, archive: Path, nested: bool) -> Path:
    flat = folder / "CMAPSSData.zip"
    with zipfile.ZipFile(flat, "w") as out:
        for path in sorted(folder.glob("*.txt")):
            out.write(path, path.name)
        out.writestr("readme.txt", "not data")
    if not nested:
        return flat.rename(archive)
    with zipfile.ZipFile(archive, "w") as out:
        out.write(flat, "6. Turbofan Engine Degradation Simulation Data Set/CMAPSSData.zip")
    return archive
