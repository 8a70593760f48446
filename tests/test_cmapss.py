"""NASA's files and emulated ones: parsed, split, normalised, windowed, or refused by line."""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amnl.cmapss import SUBSETS, DataError, Fleet, Normaliser, Source, Windows, emulator
from amnl.cmapss import source as cmapss
from amnl.files import write_atomically

# Three training and three test engines; one test engine is shorter than a window.
TRAIN_LENGTHS, TEST_LENGTHS, END_RUL = (31, 40, 45, 36, 38), (10, 30, 33), (112, 98, 7)
Notes = Callable[[], list[str]]
WINDOWS_NASA = {"FD001": 17_731, "FD002": 46_219, "FD003": 21_820, "FD004": 54_028}


# ------------------------------------------------------------------------- a tiny fleet of our own


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


@pytest.fixture(autouse=True)
def notes(caplog: pytest.LogCaptureFixture) -> Notes:
    """What was said since the last call, as by a process that has said nothing before."""
    cmapss._note.cache_clear()

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


def pin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt"))}
    rows = {name: cmapss.numbers(text, name, name) for name, text in texts.items()}
    sums = {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    digests = {name: cmapss.number_digest(of) for name, of in rows.items()}
    monkeypatch.setattr(cmapss, "SHA256", sums)
    monkeypatch.setattr(cmapss, "NUMBERS", digests)
    lines = {name: cmapss.line_checksums(of) for name, of in rows.items()}
    monkeypatch.setattr(cmapss, "_edition", lines.__getitem__)


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


def field(line: str, column: int, value: str) -> str:
    fields = line.split()
    fields[column] = value
    return " ".join(fields) + "  \n"


def same(a: Windows, b: Windows) -> bool:
    names = ("values", "last", "rul", "true", "health", "engine")
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in names)


# ------------------------------------------------------------------------------------ NASA's files


@pytest.fixture(scope="module")
def nasa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with pytest.MonkeyPatch.context() as patch:
        source = cmapss.find()
        patch.setenv("AMNL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield source


@pytest.mark.nasa
@pytest.mark.parametrize("subset", SUBSETS)
def test_nasa_window_counts_and_every_test_engine_is_scored(nasa: Source, subset: str) -> None:
    data = cmapss.load(subset, 0, nasa)
    assert len(data.train) + len(data.val) == WINDOWS_NASA[subset]
    fleet = cmapss.read(nasa, subset, "test")
    assert data.test.engine.tolist() == list(range(fleet.engines))
    assert np.array_equal(data.test.true, fleet.end_rul)
    raw = fleet.features.astype(np.float32)
    gathered = cmapss.windows(fleet, raw, last_only=True).gather()
    padded = np.flatnonzero(fleet.lengths < cmapss.WINDOW)
    assert len(padded) == {"FD002": 6, "FD004": 11}.get(subset, 0)
    for i in range(fleet.engines):
        own = raw[fleet.offsets[i] : fleet.offsets[i + 1]][-cmapss.WINDOW :]
        blank = cmapss.WINDOW - len(own)
        assert np.array_equal(gathered[i], np.concatenate([own[:1].repeat(blank, 0), own]))


@pytest.mark.nasa
@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_nasa_rows_lie_on_their_operating_condition(nasa: Source, subset: str, split: str) -> None:
    fleet = cmapss.read(nasa, subset, split)
    off = np.abs(fleet.values[:, :3] - cmapss.CONDITIONS[fleet.condition])
    assert (off.max(0) <= [0.01, 0.0021, 0.0]).all()
    met = np.unique(fleet.condition)
    assert len(met) == (6 if subset in ("FD002", "FD004") else 1)


@pytest.mark.nasa
@pytest.mark.parametrize("subset", SUBSETS)
def test_nasa_sensors_are_unit_scale_within_each_condition(nasa: Source, subset: str) -> None:
    fleet = cmapss.read(nasa, subset, "train")
    fit, _ = cmapss.split_engines(fleet.engines, 1)
    normaliser = Normaliser.fit(fleet, fit)
    values, rows = normaliser(fleet), np.isin(fleet.engine, fit)
    assert np.isfinite(values).all()
    for c in np.unique(fleet.condition):
        inside = values[rows & (fleet.condition == c)].astype(np.float64)
        assert inside[:, :14].mean(0) == pytest.approx(0, abs=1e-4)
        assert inside[:, :14].std(0) == pytest.approx(1, abs=1e-4)
    # The settings keep the conditions apart: they are scaled over all of them.
    spread = values[rows][:, 14:].astype(np.float64).std(0)
    assert spread == pytest.approx([1, 1, 1] if len(np.unique(fleet.condition)) > 1 else [1, 1, 0])


@pytest.mark.nasa
def test_nasa_source_names_the_data_and_no_path(nasa: Source) -> None:
    assert str(nasa).startswith("NASA C-MAPSS, 12 files, checksum ")
    assert "/" not in str(nasa)


# ----------------------------------------------------------------------------- labels and windows


def fleet_of(lengths: list[int], end_rul: list[int]) -> Fleet:
    rng, rows = np.random.default_rng(0), sum(lengths)
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int64)
    return Fleet("FD001", "train", rng.normal(size=(rows, 24)), offsets, np.array(end_rul))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 70), st.integers(0, 150)), min_size=1, max_size=6),
    st.integers(1, 7),
    st.integers(0, 2**32),
)
def test_windows_are_what_a_plain_loop_cuts(
    engines: list[tuple[int, int]], stride: int, seed: int
) -> None:
    fleet = fleet_of([length for length, _ in engines], [rul for _, rul in engines])
    values = fleet.features.astype(np.float32)
    chosen = np.flatnonzero(np.random.default_rng(seed).random(len(engines)) < 0.7)
    cut, lives, owners = [], [], []
    for i in chosen:
        own, (length, end_rul) = values[fleet.engine == i], engines[i]
        for last in range(length - 1, 28, -stride):
            cut.append(own[last - 29 : last + 1])
            lives.append(length - 1 - last + end_rul)
            owners.append(i)
    got = cmapss.windows(fleet, values, chosen, stride=stride)
    order = np.lexsort((got.true, got.engine))  # the loop above counts back from the end
    assert len(got) == len(cut)
    assert got.engine[order].tolist() == owners
    assert got.true[order].tolist() == lives
    assert got.rul[order].tolist() == [min(life, 125) for life in lives]
    if cut:
        assert np.array_equal(got.gather(order), np.array(cut))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=8), st.integers(0, 2**32))
def test_the_last_window_of_every_engine_is_padded_with_its_first_row(
    lengths: list[int], seed: int
) -> None:
    fleet = fleet_of(lengths, [5] * len(lengths))
    values = fleet.features.astype(np.float32)
    chosen = np.flatnonzero(np.random.default_rng(seed).random(len(lengths)) < 0.7)
    got = cmapss.windows(fleet, values, chosen, last_only=True)
    assert got.engine.tolist() == chosen.tolist()
    for window, i in zip(got.gather(), chosen, strict=True):
        own = values[fleet.engine == i][-30:]
        assert np.array_equal(window, np.concatenate([own[:1].repeat(30 - len(own), 0), own]))


def test_labels_count_down_to_the_last_cycle_and_are_capped() -> None:
    fleet = fleet_of([160, 40], [0, 17])
    got = cmapss.windows(fleet, fleet.features.astype(np.float32))
    first, second = got.true[got.engine == 0], got.true[got.engine == 1]
    assert first.tolist() == list(range(130, -1, -1))
    assert second.tolist() == list(range(27, 16, -1))
    assert got.rul.max() == cmapss.MAX_RUL
    assert np.array_equal(got.rul, np.minimum(got.true, 125))
    assert np.array_equal(got.health, cmapss.health_state(got.rul))


@pytest.mark.parametrize(
    ("rul", "state"), [(125, 0), (81, 0), (80.5, 0), (80, 1), (31, 1), (30.5, 1), (30, 2), (0, 2)]
)
def test_health_states_at_their_edges(rul: float, state: int) -> None:
    assert cmapss.health_state(np.array([rul])).tolist() == [state]


def test_windows_share_one_array(tiny: Path) -> None:
    data = cmapss.load("FD002", 0, tiny)
    assert np.shares_memory(data.train.values, data.val.values)
    rows = sum(TRAIN_LENGTHS)
    assert data.train.values.shape == (rows, 17)
    held = sum(getattr(data.train, n).nbytes for n in ("values", "last", "rul", "true", "health"))
    assert held < 3 * rows * 17 * 4  # copies of every window would be up to 30 times the rows
    copies = data.train.gather(np.array([0, 3]))
    assert copies.shape == (2, 30, 17)
    assert not np.shares_memory(copies, data.train.values)


@pytest.mark.parametrize("stride", [0, -1])
def test_a_stride_below_one_is_named(stride: int) -> None:
    fleet = fleet_of([40], [0])
    with pytest.raises(ValueError, match=f"stride .* not {stride}"):
        cmapss.windows(fleet, fleet.features.astype(np.float32), stride=stride)


def test_the_stride_thins_training_and_validation_windows_and_no_test_engine(tiny: Path) -> None:
    every, fifth = cmapss.load("FD001", 0, tiny), cmapss.load("FD001", 0, tiny, stride=5)
    fleet = cmapss.read(cmapss.find(tiny), "FD001", "train")
    for part, engines in zip(("train", "val"), cmapss.split_engines(fleet.engines, 0), strict=True):
        thinned = getattr(fifth, part)
        assert len(thinned) == sum(-(-(n - 29) // 5) for n in fleet.lengths[engines])
        assert 0.0 in thinned.true  # the end of each life is kept
    assert same(every.test, fifth.test)


# ------------------------------------------------------------------------------ split, normalise


@given(st.integers(5, 300), st.integers(0, 2**32))
def test_the_split_is_by_engine_disjoint_and_complete(engines: int, seed: int) -> None:
    fit, held = cmapss.split_engines(engines, seed)
    assert sorted([*fit, *held]) == list(range(engines))
    assert len(held) == round(0.2 * engines)
    again = cmapss.split_engines(engines, seed)
    assert np.array_equal(fit, again[0])
    assert np.array_equal(held, again[1])


def test_the_seed_decides_the_split() -> None:
    held = {tuple(cmapss.split_engines(100, seed)[1]) for seed in range(10)}
    assert len(held) == 10


def test_no_engine_both_trains_and_validates(tiny: Path) -> None:
    for seed in range(5):
        data = cmapss.load("FD001", seed, tiny)
        assert len(data.val) > 0
        assert not set(data.train.engine) & set(data.val.engine)


def test_statistics_come_from_training_engines_alone(tiny: Path) -> None:
    before = cmapss.load("FD002", 0, tiny).normaliser
    fit, held = cmapss.split_engines(len(TRAIN_LENGTHS), 0)

    def shift(engine: int) -> None:
        unit = str(engine + 1)
        edit(
            tiny / "train_FD002.txt",
            lambda lines: [field(x, 8, "9.9") if x.split()[0] == unit else x for x in lines],
        )
        seal(tiny)

    shift(held[0])
    edit(tiny / "test_FD002.txt", lambda lines: [field(x, 8, "9.9") for x in lines])
    seal(tiny)
    after = cmapss.load("FD002", 0, tiny).normaliser
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.std, after.std)
    shift(fit[0])
    moved = cmapss.load("FD002", 0, tiny).normaliser
    assert not np.array_equal(before.mean, moved.mean)


def test_a_constant_column_is_not_blown_up(tiny: Path) -> None:
    path = tiny / "train_FD001.txt"
    edit(path, lambda lines: [field(x, 6, "642.15") for x in lines])  # sensor 2, the first feature
    seal(tiny)
    data = cmapss.load("FD001", 0, tiny)
    assert data.normaliser.std[0, 0] == 1.0
    assert data.normaliser.std[0, 16] == 1.0  # the throttle never moves in FD001
    assert np.abs(data.train.values[:, [0, 16]]).max() < 1e-6


def test_features_are_fourteen_sensors_then_three_settings() -> None:
    values = np.arange(24.0)[None, :]  # 0 … 2 are settings, 2 + n is sensor n
    fleet = Fleet("FD001", "train", values, np.array([0, 1]), np.array([0]))
    varying = [2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21]
    expected = [2.0 + n for n in varying] + [0.0, 1.0, 2.0]
    assert fleet.features[0].tolist() == expected
    assert len(cmapss.FEATURES) == 17


# ------------------------------------------------------------------------------- find the files


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


def test_a_file_that_vanishes_after_find_is_named(tiny_nasa: Path) -> None:
    source = cmapss.find(tiny_nasa)
    (tiny_nasa / "train_FD001.txt").unlink()
    with pytest.raises(DataError, match=r"neither train_FD001\.txt nor .*--download"):
        cmapss.read(source, "FD001", "train")


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


@pytest.mark.parametrize("subset", ["FD005", "fd001", "", "1"])
def test_an_unknown_subset_lists_the_known(tiny: Path, subset: str) -> None:
    for call in (cmapss.load, lambda s, _, d: cmapss.read(cmapss.find(d), s, "train")):
        with pytest.raises(DataError, match=f"unknown subset '{subset}'.*FD001, FD002, FD003, FD0"):
            call(subset, 0, tiny)


# ------------------------------------------------------------------------------------ bad bytes


def cut_mid_line(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1][:60]]


BAD_ROWS = {
    "cut": (cut_mid_line, r"line 190: \d+ columns, not 26 \(cut off in mid-line\?\)"),
    "25 columns": (
        lambda x: [*x[:7], " ".join(x[7].split()[:25]) + "  \n", *x[8:]],
        "line 8: 25 columns, not 26",
    ),
    "25 columns throughout": (
        lambda x: [" ".join(line.split()[:25]) + "  \n" for line in x],
        "line 1: 25 columns, not 26",
    ),
    "27 columns": (lambda x: [*x[:7], "0 " + x[7], *x[8:]], "line 8: 27 columns, not 26"),
    "NaN": (lambda x: [*x[:4], field(x[4], 11, "NaN"), *x[5:]], "line 5, column 12: NaN"),
    "infinity": (lambda x: [*x[:4], field(x[4], 11, "inf"), *x[5:]], "line 5, column 12: inf"),
    "a word": (lambda x: [*x[:4], field(x[4], 11, "n/a"), *x[5:]], "line 5: .*'n/a'"),
    "interleaved": (
        lambda x: [*x[:10], x[31], *x[10:31], *x[32:]],
        "line 11: engine 2 cycle 1 where|line 12: engine 1 cycle 11 where",
    ),
    "two rows swapped": (lambda x: [x[0], x[2], x[1], *x[3:]], "line 2: engine 1 cycle 3 where"),
    "a row missing": (
        lambda x: [*x[:5], *x[6:]],
        "line 6: engine 1 cycle 7 where engine 1 cycle 6",
    ),
    "an engine missing": (lambda x: x[31:], "line 1: engine 2 cycle 1 where engine 1 cycle 1"),
    "empty": (lambda x: [], "the file is empty"),
}


@pytest.mark.parametrize("fault", BAD_ROWS)
def test_bad_rows_are_named_by_the_parser(tiny: Path, cache: Path, fault: str) -> None:
    change, message = BAD_ROWS[fault]
    edit(tiny / "train_FD001.txt", change)
    seal(tiny)  # the checksum agrees: the parser alone stands guard
    with pytest.raises(DataError, match=rf"train_FD001\.txt.*({message})"):
        cmapss.load("FD001", 0, tiny)
    assert not list(cache.glob("*"))


@pytest.mark.parametrize("fault", BAD_ROWS)
def test_bad_rows_in_nasa_files_come_with_the_way_out(tiny_nasa: Path, fault: str) -> None:
    change, message = BAD_ROWS[fault]
    edit(tiny_nasa / "train_FD001.txt", change)
    with pytest.raises(DataError, match=rf"SHA-256.*damaged.*({message}).*--download.*AMNL_DATA"):
        cmapss.load("FD001", 0, tiny_nasa)


@pytest.mark.parametrize("name", ["train_FD001.txt", "test_FD001.txt", "RUL_FD001.txt"])
def test_a_wrong_checksum_alone_is_enough(tiny_nasa: Path, name: str) -> None:
    path = tiny_nasa / name
    text = path.read_text()
    path.write_text(text.replace("112 ", "113 ") if "RUL" in name else text.replace("5", "4", 1))
    expected = cmapss.SHA256[name][:12]
    with pytest.raises(DataError, match=rf"{name}: the SHA-256 is .*{expected}.*--download"):
        cmapss.load("FD001", 0, tiny_nasa)


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


BAD_LIVES = {
    "too few": (lambda x: x[:-1], "2 lines for 3 test engines"),
    "too many": (lambda x: [*x, "9 \n"], "4 lines for 3 test engines"),
    "a word": (lambda x: [x[0], "many\n", x[2]], "line 2: 'many' is not a remaining life"),
    "negative": (lambda x: [x[0], "-3\n", x[2]], "line 2: '-3' is not"),
    "NaN": (lambda x: [x[0], x[1], "nan\n"], "line 3: 'nan' is not"),
    "two columns": (lambda x: ["1 2\n", *x[1:]], "line 1: '1 2' is not"),
    "a blank line": (lambda x: [x[0], "\n", *x[1:]], "line 2: '' is not"),
}


@pytest.mark.parametrize("fault", BAD_LIVES)
@pytest.mark.parametrize("sealed", [True, False])
def test_bad_remaining_lives_are_named(tiny_nasa: Path, fault: str, sealed: bool) -> None:
    change, message = BAD_LIVES[fault]
    edit(tiny_nasa / "RUL_FD001.txt", change)
    if sealed:
        seal(tiny_nasa)
    else:
        message = rf"SHA-256.*{message}.*--download"
    with pytest.raises(DataError, match=rf"RUL_FD001\.txt.*{message}"):
        cmapss.load("FD001", 0, tiny_nasa)


# ------------------------------------------------------------------- the same numbers, other bytes


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
        cmapss._note.cache_clear()
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


@pytest.mark.nasa
@pytest.mark.parametrize("name", cmapss.SHA256)
def test_what_is_pinned_are_nasas_numbers(nasa: Source, name: str) -> None:
    rows = cmapss.numbers(cmapss.raw_bytes(nasa, name), name, name)
    assert cmapss.number_digest(rows) == cmapss.NUMBERS[name]
    assert np.array_equal(cmapss.line_checksums(rows), cmapss._edition(name))


# ------------------------------------------------------------------------------- different numbers


def changed(*numbers: int) -> Callable[[list[str]], list[str]]:
    """Sensor 7 of these lines, counted from 1, is another number."""
    return lambda lines: [
        field(line, 11, "777.7") if n in numbers else line for n, line in enumerate(lines, start=1)
    ]


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
    monkeypatch.setattr(cmapss, "_edition", {path.name: same_byte}.__getitem__)
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


@pytest.mark.parametrize(
    ("life", "said"), [("9" * 30, "'9{30}'"), ("1e400", "'1e400'"), ("7.5", "'7.5'")]
)
def test_a_life_that_no_engine_has_is_named(tiny: Path, life: str, said: str) -> None:
    edit(tiny / "RUL_FD001.txt", lambda lines: [*lines[:2], f"{life}\n"])
    seal(tiny)
    with pytest.raises(DataError, match=rf"line 3: {said} is not a remaining life"):
        cmapss.load("FD001", 0, tiny)


def test_a_blank_line_inside_is_named(tiny: Path) -> None:
    edit(tiny / "train_FD001.txt", lambda lines: [*lines[:7], "\n", *lines[7:]])
    seal(tiny)
    with pytest.raises(DataError, match="line 8: 0 columns, not 26"):
        cmapss.load("FD001", 0, tiny)


# ----------------------------------------------------------------------------------- some subsets


def keep_only(folder: Path, *subsets: str) -> None:
    for path in folder.glob("*.txt"):
        if path.stem.partition("_")[2] not in subsets:
            path.unlink()


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


# ----------------------------------------------------------------------------------- zips and names


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


@pytest.mark.parametrize("name", ["train_FD002.txt", "RUL_FD002.txt"])
def test_a_gzip_of_another_file_is_named(tiny_nasa: Path, name: str) -> None:
    text = (tiny_nasa / name.replace("FD002", "FD004")).read_bytes()
    if name.startswith("RUL"):
        text = text.replace(b"112", b"111")
    (tiny_nasa / name).unlink()
    (tiny_nasa / f"{name}.gz").write_bytes(gzip.compress(text))
    with pytest.raises(DataError, match=rf"{name}\.gz: the SHA-256.*Line 1 .*is the first"):
        cmapss.load("FD002", 0, tiny_nasa)


# -------------------------------------------------------------------------------- names of folders


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


# ---------------------------------------------------------------------------------------- cache


def test_the_second_load_is_identical_and_parses_nothing(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cmapss.load("FD004", 2, tiny)
    monkeypatch.setattr(cmapss, "parse_rows", lambda *a: pytest.fail("parsed again"))
    second = cmapss.load("FD004", 2, tiny)
    assert same(first.train, second.train)
    assert same(first.val, second.val)
    assert same(first.test, second.test)
    assert np.array_equal(first.normaliser.mean, second.normaliser.mean)


@pytest.mark.parametrize("damage", [lambda b: b[:-1000], lambda b: b"", lambda b: b"x" * len(b)])
def test_a_damaged_cache_entry_is_built_again(
    tiny: Path, cache: Path, damage: Callable[[bytes], bytes]
) -> None:
    first = cmapss.load("FD001", 0, tiny)
    entries = sorted(cache.glob("*.npy"))
    whole = [entry.read_bytes() for entry in entries]
    assert len(entries) == 2
    for entry in entries:
        entry.write_bytes(damage(entry.read_bytes()))
    second = cmapss.load("FD001", 0, tiny)
    assert same(first.train, second.train)
    assert same(first.test, second.test)
    assert [entry.read_bytes() for entry in entries] == whole


def test_a_changed_file_is_read_again(tiny: Path) -> None:
    before = cmapss.read(cmapss.find(tiny), "FD001", "train").values
    edit(tiny / "train_FD001.txt", lambda lines: [field(lines[0], 8, "1234.5"), *lines[1:]])
    seal(tiny)
    after = cmapss.read(cmapss.find(tiny), "FD001", "train").values
    assert after[0, 6] == 1234.5
    assert np.array_equal(before[1:], after[1:])


def test_a_file_damaged_after_caching_is_noticed(tiny_nasa: Path) -> None:
    cmapss.load("FD001", 0, tiny_nasa)
    edit(tiny_nasa / "train_FD001.txt", lambda lines: lines[:-1])
    with pytest.raises(DataError, match=r"train_FD001\.txt: the SHA-256"):
        cmapss.load("FD001", 0, tiny_nasa)


@pytest.mark.parametrize("place", ["below a file", "is a file", "below a device"])
def test_an_unwritable_cache_costs_time_alone_and_is_named(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notes: Notes, place: str
) -> None:
    # Permissions do not stop root; these paths stop anyone.
    (tmp_path / "file").write_text("in the way")
    where = {
        "below a file": tmp_path / "file" / "cache",
        "is a file": tmp_path / "file",
        "below a device": Path("/dev/null/cache"),
    }[place]
    whole = cmapss.load("FD001", 0, tiny)
    monkeypatch.setenv("AMNL_CACHE_DIR", str(where))
    for _ in range(2):
        assert same(cmapss.load("FD001", 0, tiny).train, whole.train)
    (note,) = notes()
    assert "the cache cannot be written" in note and "AMNL_CACHE_DIR" in note
    with pytest.raises(DataError, match=f"cannot write to the cache {where}/cmapss"):
        cmapss.find(download=True)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_cache_without_a_home_costs_time_alone(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, notes: Notes
) -> None:
    monkeypatch.setenv("AMNL_CACHE_DIR", "~nobody-here/cache")
    assert len(cmapss.load("FD001", 0, tiny).test) == 3
    assert "~nobody-here" in notes()[0]


def test_a_cache_that_is_read_only_still_serves(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, notes: Notes
) -> None:
    first = cmapss.load("FD001", 0, tiny)

    def refuse(*_: object) -> None:
        raise DataError("read-only")

    monkeypatch.setattr(cmapss, "write_atomically", refuse)  # permissions do not stop root
    assert same(cmapss.load("FD001", 0, tiny).train, first.train)
    assert notes() == []
    assert len(cmapss.load("FD002", 0, tiny).test) == 3
    assert len(notes()) == 1


def test_processes_that_fill_the_cache_at_once_agree(tiny: Path, cache: Path) -> None:
    load = f"cmapss.load('FD001', 0, {str(tiny)!r})"
    code = f"from amnl import cmapss; print(float({load}.train.values.sum()))"
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert said == {f"{float(cmapss.load('FD001', 0, tiny).train.values.sum())}\n"}
    assert len(list(cache.iterdir())) == 2


def test_rows_are_read_only_parsed_or_cached(tiny: Path) -> None:
    source = cmapss.find(tiny)
    for _ in range(2):
        with pytest.raises(ValueError, match="read-only"):
            cmapss.read(source, "FD001", "train").values[0, 0] = 1.0


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_write_that_fails_leaves_nothing_behind(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, notes: Notes, moment: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, moment, full)
        first = cmapss.load("FD001", 0, tiny)
        with pytest.raises(DataError, match=r"cannot write .*out\.csv: No space left"):
            write_atomically(cache / "out.csv", b"1\n")
    assert list(cache.iterdir()) == []
    assert "No space left" in notes()[0]
    assert same(cmapss.load("FD001", 0, tiny).train, first.train)
    assert len(list(cache.iterdir())) == 2


# ---------------------------------------------------------------------------------------- fetch


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


@pytest.mark.parametrize("nested", [False, True])
def test_both_archives_unpack(tiny_nasa: Path, tmp_path: Path, nested: bool) -> None:
    target = tmp_path / "target"
    target.mkdir()
    cmapss.unpack(pack(tiny_nasa, tmp_path / "archive.zip", nested), target)
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
        cmapss.unpack(archive, target)
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
    assert [(u, k.removeprefix("sha256:")) for u, k in asked] == list(cmapss._URLS)
    assert sorted(p.name for p in source.folder.iterdir()) == sorted(cmapss.SHA256)
    cmapss.find(download=True)
    assert len(asked) == 2  # what is there is not fetched again


@pytest.fixture
def asked(tiny_nasa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were asked; each gives the archive."""
    archive, urls = pack(tiny_nasa, tmp_path / "nasa.zip", nested=False), []

    def retrieve(url: str, known_hash: str, path: Path, fname: str) -> str:
        urls.append(url)
        return str(shutil.copy(archive, Path(path) / fname))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    return urls


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


@pytest.mark.parametrize("engines", [1, 2])
def test_a_fleet_too_small_to_validate_is_named(tmp_path: Path, engines: int) -> None:
    folder = emulator.write_fleet(tmp_path, "FD001", 3, engines=engines, test_engines=2)
    with pytest.raises(DataError, match=rf"has {engines} engines, and the 0 validation .* 3 of"):
        cmapss.load("FD001", 0, folder)
    small = emulator.write_fleet(tmp_path, "FD001", 3, engines=3, test_engines=1)
    assert len(cmapss.load("FD001", 0, small).val)


def test_engines_too_short_for_a_window_are_named(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cmapss, "WINDOW", 10_000)
    with pytest.raises(DataError, match=r"training engines among them .* no window of 10000"):
        cmapss.load("FD001", 0, tiny)


@pytest.mark.parametrize("rul", [np.nan, [20.0, np.nan]])
def test_nan_is_no_health_state(rul: Any) -> None:
    with pytest.raises(ValueError, match="NaN"):
        cmapss.health_state(rul)


@pytest.mark.parametrize("bad", [-1, 1.5, "1", None, float("nan")])
def test_a_seed_or_stride_that_is_no_whole_number_is_named(tiny: Path, bad: Any) -> None:
    said = re.escape(f"must be a whole number, {{}} or more, not {bad!r}")
    with pytest.raises(ValueError, match="seed " + said.replace(r"\{\}", "0")):
        cmapss.load("FD001", bad, tiny)
    with pytest.raises(ValueError, match="seed " + said.replace(r"\{\}", "0")):
        cmapss.split_engines(10, bad)
    with pytest.raises(ValueError, match="stride " + said.replace(r"\{\}", "1")):
        cmapss.load("FD001", 0, tiny, stride=bad)


def test_numbers_from_numpy_are_numbers(tiny: Path) -> None:
    ours = cmapss.load("FD001", np.int64(1), tiny, stride=np.int32(2))  # type: ignore[arg-type]
    assert (type(ours.seed), type(ours.stride)) == (int, int)
    assert same(ours.train, cmapss.load("FD001", 1, tiny, stride=2).train)


@pytest.mark.parametrize("fraction", [-0.5, 1.5, float("nan")])
def test_a_fraction_that_is_none_is_named(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"fraction must lie in .*, not {fraction}"):
        cmapss.split_engines(10, 0, fraction)
