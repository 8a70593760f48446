"""The emulator: fleets of the sizes and statistics of NASA's, and never mistaken for them."""

import hashlib
import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.files import FileError, write_atomically
from amnl.task_losses import rmse
from amnl.training import Batches, TrainConfig, Trainer

TRAIN_ENGINES = {"FD001": 100, "FD002": 260, "FD003": 100, "FD004": 249}  # NASA's
TEST_ENGINES = {"FD001": 100, "FD002": 259, "FD003": 100, "FD004": 248}
SIX = ("FD002", "FD004")
S12 = 11

pytestmark = pytest.mark.usefixtures("own_cache")
every_subset = pytest.mark.parametrize("subset", cmapss.SUBSETS)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four subsets at NASA's sizes, seed 0."""
    return emulator.write_all(tmp_path_factory.mktemp("fleets"), seed=0)


def fleet(folder: Path, subset: str, split: str = "train") -> cmapss.Fleet:
    return cmapss.read(cmapss.find(folder), subset, split)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


# NASA's format


@every_subset
def test_every_line_has_nasas_columns_decimals_and_two_trailing_blanks(
    tmp_path: Path, subset: str
) -> None:
    emulator.write_fleet(tmp_path, subset, seed=3, engines=4, test_engines=3)
    decimals = [4, 4, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 2, 0, 0, 2, 2, 4]
    numbers = [r"-?\d+\." + rf"\d{{{d}}}" if d else r"\d+" for d in decimals]
    line = re.compile(" ".join([r"\d+", r"\d+", *numbers]) + "  ")
    for half in ("train", "test"):
        text = (tmp_path / f"{half}_{subset}.txt").read_text()
        assert text.endswith("\n")
        for row in text.splitlines():
            assert line.fullmatch(row), row
    assert re.fullmatch(r"(\d+ \n){3}", (tmp_path / f"RUL_{subset}.txt").read_text())


@every_subset
def test_engines_and_cycles_count_from_one_and_the_sizes_are_nasas(
    everything: Path, subset: str
) -> None:
    train, test = fleet(everything, subset), fleet(everything, subset, "test")  # checks the order
    assert train.engines == TRAIN_ENGINES[subset]
    assert test.engines == TEST_ENGINES[subset]
    assert train.lengths.min() > 80
    assert test.end_rul.min() >= 1
    assert test.lengths.min() >= 1


def test_training_engines_run_to_failure_and_test_engines_are_cut_like_nasas(
    everything: Path,
) -> None:
    test = fleet(everything, "FD001", "test")
    seen = test.lengths / (test.lengths + test.end_rul)
    assert 0.26 < seen.min() < 0.35
    # NASA's test file shows 131 cycles of a mean life of 206
    assert seen.mean() == pytest.approx(0.635, abs=0.06)


# seeds


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    a, b, c = (
        contents(emulator.write_fleet(tmp_path / name, "FD004", seed, 5, 4))
        for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert a == b
    assert a.keys() == c.keys()
    assert all(a[name] != c[name] for name in a)


def test_the_training_half_does_not_depend_on_the_test_half(tmp_path: Path) -> None:
    a, b = (contents(emulator.write_fleet(tmp_path / str(n), "FD001", 0, 3, n)) for n in (1, 5))
    assert a["train_FD001.txt"] == b["train_FD001.txt"]
    assert a["test_FD001.txt"] != b["test_FD001.txt"]


# what is in a fleet


@every_subset
def test_conditions_are_visited_as_often_as_the_table_says(everything: Path, subset: str) -> None:
    made = fleet(everything, subset)
    share = emulator.table()["subsets"][subset]["conditions"]["share"]
    assert len(share) == (6 if subset in SIX else 1)
    visits = np.bincount(made.condition) / len(made.values)
    np.testing.assert_allclose(visits, share, atol=0.008)  # 4 deviations of a share of 50,000 rows
    np.testing.assert_allclose(made.values[:, :3], cmapss.CONDITIONS[made.condition], atol=0.012)


@every_subset
def test_both_fault_modes_appear_where_nasa_has_two(everything: Path, subset: str) -> None:
    made, entry = fleet(everything, subset), emulator.table()["subsets"][subset]
    mean = np.array(entry["conditions"]["mean"])[made.condition, S12]
    noise = np.array(entry["conditions"]["noise"])[made.condition, S12]
    z = (made.values[:, 3 + S12] - mean) / noise
    late = made.rul < 20
    worn = np.bincount(made.engine, z * late) / np.bincount(made.engine, late)
    assert np.abs(worn).min() > 0.5  # every engine's s12 leaves its healthy level
    fan = entry["modes"].get("fan", {"engines": 0})["engines"]
    assert fan == {"FD001": 0, "FD002": 0, "FD003": 44, "FD004": 101}[subset]
    assert (worn > 0).sum() == fan


@every_subset
def test_constant_sensors_are_constant_in_a_condition(everything: Path, subset: str) -> None:
    made = fleet(everything, subset)
    for sensor in (1, 5, 18, 19):
        for c in np.unique(made.condition):
            assert np.ptp(made.values[made.condition == c, 2 + sensor]) == 0


@every_subset
def test_noise_is_the_tables(everything: Path, subset: str) -> None:
    made, conditions = fleet(everything, subset), emulator.table()["subsets"][subset]["conditions"]
    for c in range(len(conditions["share"])):
        rows = np.flatnonzero((made.condition == c) & (made.rul > 60))
        engine, values = made.engine[rows], made.values[rows, 3:]
        same = engine[2:] == engine[:-2]
        # The wear of three nearby cycles is nearly a line: a second difference is noise alone.
        second = (values[2:] - 2 * values[1:-1] + values[:-2])[same]
        measured = np.sqrt((second**2).mean(0) / 6)
        step = 10.0 ** -np.array(emulator.table()["decimals"])
        expected = np.sqrt(np.array(conditions["noise"][c]) ** 2 + step**2 / 12)
        chosen = np.array(cmapss.SENSORS) - 1
        np.testing.assert_allclose(measured[chosen], expected[chosen], rtol=0.05)


@every_subset
def test_mean_levels_are_the_tables(everything: Path, subset: str) -> None:
    """Engine means at the start and the end of life, within four standard errors."""
    made, entry = fleet(everything, subset), emulator.table()["subsets"][subset]
    conditions = {k: np.array(v) for k, v in entry["conditions"].items()}
    modes = list(entry["modes"].values())
    weights = [m["engines"] for m in modes]
    mean = np.average([m["mean"][2:] for m in modes], axis=0, weights=weights)
    new, end = mean.reshape(2, -1, 21)
    z = np.divide(
        made.values[:, 3:] - conditions["mean"][made.condition],
        conditions["noise"][made.condition],
        out=np.zeros((len(made.values), 21)),
        where=conditions["noise"][made.condition] > 0,
    )
    fitted = np.array(cmapss.SENSORS) - 1
    for rows, level in ((made.cycle <= 10, new), (made.rul <= 1, end)):
        off = (z - level[made.condition])[:, fitted]
        engines = np.unique(made.engine[rows])
        per_engine = np.array([off[rows & (made.engine == i)].mean(0) for i in engines])
        error = per_engine.std(0) / np.sqrt(len(engines))
        # The first cycles carry a few hundredths of the damage, the last lack as much.
        slack = 0.05 * np.abs(end - new).max(0)[fitted]
        assert (np.abs(per_engine.mean(0)) < 4 * error + slack).all()


# the folder and its manifest


def test_the_manifest_names_seed_sizes_and_checksums(tmp_path: Path) -> None:
    for subset in ("FD001", "FD003"):
        emulator.write_fleet(tmp_path, subset, seed=5, engines=3, test_engines=2)
    manifest = json.loads((tmp_path / "emulated.json").read_text())
    assert manifest["seed"] == 5
    assert manifest["emulator"] == emulator.table()["emulator"]
    size = {"engines": 3, "test_engines": 2}
    assert manifest["subsets"] == {"FD001": size, "FD003": size}
    written = contents(tmp_path)
    del written["emulated.json"]
    assert len(written) == 6
    assert manifest["sha256"] == {n: hashlib.sha256(t).hexdigest() for n, t in written.items()}


def test_a_fleet_loads_as_emulated_and_a_changed_one_does_not(tmp_path: Path) -> None:
    emulator.write_fleet(tmp_path, "FD002", seed=5, engines=6, test_engines=4)
    data = cmapss.load("FD002", data_dir=tmp_path)
    assert data.source.kind == "emulator"
    assert str(data.source).startswith("emulated fleet, seed 5, 3 files, checksum ")
    assert len(data.test) == 4
    with (tmp_path / "RUL_FD002.txt").open("a") as rul:
        rul.write("9 \n")
    with pytest.raises(cmapss.DataError, match="RUL_FD002"):
        cmapss.load("FD002", data_dir=tmp_path)


def test_writing_again_replaces_the_fleet(tmp_path: Path) -> None:
    emulator.write_fleet(tmp_path, engines=3, test_engines=2)
    emulator.write_fleet(tmp_path, engines=4, test_engines=2)
    assert fleet(tmp_path, "FD001").engines == 4
    assert len(contents(tmp_path)) == 4  # no temporary file is left


# refusals


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"subset": "FD005"}, "FD005"),
        ({"engines": 0}, "^engines must be a whole number, 1 or more, not 0"),
        ({"test_engines": -2}, "^test_engines must be .* not -2"),
        ({"seed": -1}, "^seed must be .* 0 or more, not -1"),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_written(
    tmp_path: Path, arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(cmapss.DataError, match=said):
        emulator.write_fleet(tmp_path / "new", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_another_seed_is_not_mixed_in(tmp_path: Path) -> None:
    emulator.write_fleet(tmp_path, seed=0, engines=2, test_engines=2)
    before = contents(tmp_path)
    with pytest.raises(cmapss.DataError, match="seed 0"):
        emulator.write_fleet(tmp_path, "FD002", seed=1, engines=2, test_engines=2)
    assert contents(tmp_path) == before


BROKEN = [
    "",
    "[]",
    '{"seed": 0}',
    '{"emulator": %d, "seed": 0}',
    '{"emulator": %d, "seed": 0, "sha256": [], "subsets": {}}',
]


@pytest.mark.parametrize("manifest", BROKEN)
def test_a_broken_manifest_is_named(tmp_path: Path, manifest: str) -> None:
    ours = emulator.table()["emulator"]
    (tmp_path / "emulated.json").write_text(manifest % ours if "%" in manifest else manifest)
    with pytest.raises(cmapss.DataError, match=emulator.MANIFEST):
        emulator.write_fleet(tmp_path, engines=2, test_engines=2)


@pytest.mark.parametrize("name", ["train_FD001.txt", "RUL_FD001.txt.gz", "TRAIN_FD001.TXT"])
def test_files_that_are_not_emulated_are_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"NASA's")
    with pytest.raises(cmapss.DataError, match=name):
        emulator.write_fleet(tmp_path, engines=2, test_engines=2)
    assert contents(tmp_path) == {name: b"NASA's"}


@pytest.mark.parametrize("name", ["test_FD002.txt", "RUL_FD004.txt.gz"])
@pytest.mark.parametrize("write", ["all", "the second"])
def test_a_manifest_of_other_subsets_gives_no_right_to_overwrite(
    tmp_path: Path, name: str, write: str
) -> None:
    if write == "the second":
        emulator.write_fleet(tmp_path, "FD001", engines=2, test_engines=2)
    (tmp_path / name).write_bytes(b"NASA's")
    before = contents(tmp_path)
    with pytest.raises(cmapss.DataError, match=name):
        if write == "all":
            emulator.write_all(tmp_path)
        else:
            subset = name[name.index("FD") :][:5]
            emulator.write_fleet(tmp_path, subset, engines=2, test_engines=2)
    assert contents(tmp_path) == before, "not even the first subset is written"


def test_nasas_bytes_under_a_known_name_are_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.write_fleet(tmp_path, engines=2, test_engines=2)
    (tmp_path / "RUL_FD001.txt").write_bytes(b"NASA's")
    sums = {"RUL_FD001.txt": hashlib.sha256(b"NASA's").hexdigest()}
    monkeypatch.setattr(emulator, "SHA256", sums)
    with pytest.raises(cmapss.DataError, match="RUL_FD001"):
        emulator.write_fleet(tmp_path, engines=2, test_engines=2)
    assert (tmp_path / "RUL_FD001.txt").read_bytes() == b"NASA's"


def test_a_fleet_that_was_cut_off_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(path: Path, data: bytes) -> None:
        write_atomically(path, data)
        if path.name.startswith("t"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(emulator, "write_atomically", cut_off)
        with pytest.raises(KeyboardInterrupt):
            emulator.write_fleet(tmp_path, engines=3, test_engines=2)
    emulator.write_fleet(tmp_path, engines=3, test_engines=2)
    assert fleet(tmp_path, "FD001").engines == 3


def test_a_damaged_fleet_says_how_to_write_it_again(tmp_path: Path) -> None:
    emulator.write_fleet(tmp_path, engines=2, test_engines=2)
    (tmp_path / "train_FD001.txt").write_text("damaged")
    with pytest.raises(cmapss.DataError, match="Write the fleet again with") as caught:
        fleet(tmp_path, "FD001")
    assert "--download" not in str(caught.value)


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"cannot write to .*file"):
        emulator.write_fleet(tmp_path / "file" / "fleet", engines=2, test_engines=2)


# against NASA


@pytest.fixture(scope="module")
def nasa() -> cmapss.Source:
    source = cmapss.find()
    if source.kind != "nasa":
        pytest.skip(f"needs NASA's files; these are an {source}")
    return source


def engine_levels(
    chosen: cmapss.Fleet, scale: cmapss.Normaliser
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Each engine's first 30 and last 15 cycles, averaged, and the noise late in life."""
    z = scale(chosen)[:, :14].astype(float)
    levels = {
        name: np.array([z[rows & (chosen.engine == i)].mean(0) for i in range(chosen.engines)])
        for name, rows in (("new", chosen.cycle <= 30), ("worn", chosen.rul < 15))
    }
    late = (chosen.rul < 60) & (chosen.condition == 0)
    z, engine = z[late], chosen.engine[late]
    second = (z[2:] - 2 * z[1:-1] + z[:-2])[engine[2:] == engine[:-2]]
    return levels, second.std(0)


@pytest.mark.nasa
@every_subset
def test_the_emulated_fleet_has_the_statistics_of_nasas(
    everything: Path, nasa: cmapss.Source, subset: str
) -> None:
    real, made = cmapss.read(nasa, subset, "train"), fleet(everything, subset)
    scale = cmapss.Normaliser.fit(real, np.arange(real.engines))
    (a, noise_a), (b, noise_b) = engine_levels(real, scale), engine_levels(made, scale)
    for name in a:
        error = np.sqrt((a[name].var(0) + b[name].var(0)) / real.engines)
        gap = np.abs(a[name].mean(0) - b[name].mean(0))
        assert (gap < 4 * error + 0.05).all(), (name, gap / error)
        ratio = b[name].std(0) / a[name].std(0)
        assert ((ratio > 0.6) & (ratio < 1.6)).all(), (name, ratio)
    np.testing.assert_allclose(noise_b, noise_a, rtol=0.25 if subset in SIX else 0.12)
    lives = np.percentile(real.lengths, (25, 50, 75))
    np.testing.assert_allclose(np.percentile(made.lengths, (25, 50, 75)), lives, rtol=0.12)


@pytest.mark.nasa
@pytest.mark.slow  # it trains: about 15 s
@pytest.mark.timeout(240)
def test_a_model_that_saw_emulated_engines_alone_predicts_nasas(
    everything: Path, nasa: cmapss.Source
) -> None:
    config = TrainConfig(epochs=5, warmup_epochs=2, lr=3e-3, stride=2)
    data = cmapss.load("FD001", 0, everything, stride=config.stride)
    trainer = Trainer(config, data)
    trainer.fit()
    real = cmapss.read(nasa, "FD001", "test")
    test = cmapss.windows(real, data.normaliser(real), last_only=True)
    predicted, _ = trainer.predict(Batches(test, trainer.device, trainer.dtype))
    assert rmse(predicted, test.rul) < 0.6 * test.rul.std()


def test_the_stored_judgement_is_of_this_emulator_and_holds() -> None:
    report = json.loads(files("amnl.study.rows").joinpath("emulator.json").read_text())
    assert report["emulator"] == emulator.table()["emulator"]
    runs = [r for r in report["runs"] if r["trained_on"] == "emulator"]
    assert len(runs) == 3
    for run in runs:
        assert run["rmse_on_nasa"] <= 0.6 * run["constant_on_nasa"]


@pytest.mark.parametrize("name", ["engines", "test_engines", "seed"])
@pytest.mark.parametrize("bad", [-1, 2.5, "3", float("nan")])
def test_counts_that_are_no_whole_numbers_are_named(tmp_path: Path, name: str, bad: Any) -> None:
    with pytest.raises(cmapss.DataError, match=re.escape(f"not {bad!r}")):
        emulator.write_fleet(tmp_path / "fleet", "FD001", **{"engines": 3, name: bad})
    with pytest.raises(cmapss.DataError, match=re.escape(f"not {bad!r}")):
        emulator.write_all(tmp_path / "fleet", bad)
    assert not (tmp_path / "fleet").exists()


def test_counts_from_numpy_are_counts(tmp_path: Path) -> None:
    three, two = np.int64(3), np.int32(2)
    ours = emulator.write_fleet(tmp_path / "a", "FD001", two, engines=three, test_engines=two)  # type: ignore[arg-type]
    theirs = emulator.write_fleet(tmp_path / "b", "FD001", 2, engines=3, test_engines=2)
    for name in ("emulated.json", "train_FD001.txt"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="has no lock of this kind")
def test_two_subsets_at_once_keep_both_sums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = emulator.write_atomically

    def slow(path: Path, data: bytes) -> None:
        if path.name == emulator.MANIFEST:
            time.sleep(0.3)  # both have read it by now
        write(path, data)

    monkeypatch.setattr(emulator, "write_atomically", slow)
    with ThreadPoolExecutor(2) as pool:
        for done in [
            pool.submit(emulator.write_fleet, tmp_path, subset, 3, 3, 2)
            for subset in ("FD001", "FD003")
        ]:
            done.result()
    assert cmapss.find(tmp_path).subsets == ("FD001", "FD003")
