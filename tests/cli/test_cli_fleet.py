"""A reader's own fleet on the command line."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest
from cmapss.own_tables import lives
from typer.testing import CliRunner, Result

from amnl.cli.app import app
from amnl.cmapss import errors
from amnl.sweep import Store

LENGTHS = (60, 45, 50, 38, 70, 41, 66, 52, 47, 58)
FRAMING = ("--window", 12, "--cap", 40, "--degrading", 25, "--critical", 10)
SHORT = ("--epochs", 1, "--batch-size", 32, "--stride", 4, *FRAMING)


@pytest.fixture(autouse=True)
def nothing_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors.note.cache_clear()
    monkeypatch.setenv("AMNL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("AMNL_DATA_DIR", raising=False)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my.csv"
    named = lives(*LENGTHS).rename(columns={"unit": "id", "cycle": "time"})
    named["id"] = named["id"].map("{:03d}".format)
    named.to_csv(path, index=False)
    return path


def amnl(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_table_trains_and_its_units_keep_their_names(table: Path, tmp_path: Path) -> None:
    saved = tmp_path / "run.json"
    named = ("--fleet", table, "--unit", "id", "--cycle", "time")
    done = amnl("train", *named, *SHORT, "--save", saved)
    assert done.exit_code == 0, done.output
    assert "own fleet, 10 units" in done.stdout and "NASA score" not in done.stdout
    assert "2 features: heat, noise" in done.stderr
    assert "each unit's last row counts as its failure" in done.stderr
    run = json.loads(saved.read_text())
    assert set(run["predictions"]["unit"]) < {f"{n:03d}" for n in range(1, 11)}
    assert (run["config"]["subset"], run["config"]["window"]) == ("own", 12)


def test_every_way_to_read_a_table_has_its_option(tmp_path: Path) -> None:
    """One awkward file: semicolons, decimal commas, dates, doubled rows, blanks, events."""
    frame = lives(*LENGTHS)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(2 * frame["cycle"], unit="D")
    frame["day"] = days.dt.strftime("%Y-%m-%d")
    frame["failed"] = (frame["unit"] != 10).astype(int)
    frame["mode"] = ["climb", "cruise"] * (len(frame) // 2) + ["climb"] * (len(frame) % 2)
    frame = frame.drop(columns="cycle").astype(object)
    for name in ("heat", "noise"):
        frame[name] = [f"{value:.4f}".replace(".", ",") for value in frame[name]]
    frame.loc[7, "heat"] = None
    doubled = frame.iloc[[3]]
    keyless = frame.iloc[[20]].assign(unit=None)
    whole = pd.concat([frame, doubled, keyless])
    text = whole.to_csv(index=False, sep=";")
    path = tmp_path / "my.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    named = ["--fleet", path, "--unit", "unit", "--cycle", "day", "--features", "heat, noise"]
    ways = [
        ("--separator", ";"), ("--decimal", ","), ("--drop-keyless",), ("--aggregate", "last"),
        ("--fill", "forward"), ("--life", "days"), ("--event", "failed"), ("--conditions", "mode"),
    ]  # fmt: skip
    everything = [*named, *(word for way in ways for word in way), *SHORT]
    done = amnl("train", *everything, "--cap", 80, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["provenance"]["data"].startswith("own fleet, 10 units")
    said = done.stderr
    assert f"{len(whole)} rows = {len(whole) - 1} used + 1 left out" in said
    assert "10 units = 9 that failed + 1 that still run by failed" in said
    for way in ways[:-2]:  # what a table means is asked for, in one line that names the option
        without = [word for w in ways if w != way for word in w]
        done = amnl("train", *named, *without, *SHORT, "--cap", 80)
        assert done.exit_code == 1, done.output
        (line,) = (line for line in done.stderr.splitlines() if line.startswith("error:"))
        assert way[0] in line and str(path) in line


@pytest.mark.parametrize("typed", [r"\t", "\t", "tab"])
def test_a_tab_can_be_typed(table: Path, tmp_path: Path, typed: str) -> None:
    tabbed = tmp_path / "my.tsv"
    tabbed.write_text(table.read_text().replace(",", "\t"))
    named = ("--fleet", tabbed, "--unit", "id", "--cycle", "time")
    done = amnl("train", *named, "--separator", typed, *SHORT)
    assert done.exit_code == 0, done.output
    assert "--separator '\\t'" in amnl("train", *named, *SHORT).stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--unit", "id"), 2, "--unit is of a table of your own: --fleet FILE"),
        (("--decimal", ","), 2, "--decimal is of a table of your own: --fleet FILE"),
        (("--drop-keyless",), 2, "--drop-keyless is of a table of your own"),
        (("--fleet", "{table}"), 2, "which column is which: --unit and --cycle COLUMN"),
        (("--fleet", "{table}", "--unit", "id"), 2, "which column is which: --cycle COLUMN"),
        (("{named}", "--data-dir", "."), 2, "brings its own data; leave out --data-dir"),
        (("{named}", "--cap", 20), 2, "critical 30, degrading 80 and cap 20 are remaining lives"),
        (("{named}", "--window", 0), 2, "window must be positive and finite, got 0"),
        (("{named}", "--life", "weeks"), 1, "life 'weeks': there are 'rows', 'cycles', 'days'"),
        (("{named}", "--features", "heat,cold"), 1, "has no column 'cold'; it has id, time, heat"),
        (("{named}", "--window", 61), 1, "2 units that failed after a window of 61 rows"),
    ],
    ids=str,
)
@pytest.mark.parametrize("command", ["train", "sweep"])
def test_what_cannot_be_read_is_one_line(
    command: str, arguments: tuple[object, ...], status: int, message: str, table: Path
) -> None:
    words: list[object] = []
    for word in arguments:
        if word == "{named}":
            words += ["--fleet", table, "--unit", "id", "--cycle", "time"]
        else:
            words.append(table if word == "{table}" else word)
    store = ("--store", table.parent / "runs", "--workers", 1) if command == "sweep" else ()
    done = amnl(command, *words, *store)
    assert done.exit_code == status, done.output
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and message in lines[0], done.stderr
    assert not list((table.parent / "runs").glob("cells/*"))


def test_a_subset_of_nasas_is_not_asked_for_beside_it(table: Path) -> None:
    named = ("--fleet", table, "--unit", "id", "--cycle", "time")
    for command, option in (
        (("train",), ("--subset", "FD001")),
        (("sweep",), ("--subsets", "all")),
        (("sweep",), ("--family", "a")),
    ):
        done = amnl(*command, *named, *option)
        assert done.exit_code == 2 and f"leave out {option[0]}" in done.stderr, done.output
    done = amnl("sweep", "--family", "a", "--window", 20)
    assert done.exit_code == 2 and "has its own grid; leave out --window" in done.stderr


def test_no_output_takes_the_tables_place(table: Path) -> None:
    before = table.read_bytes()
    done = amnl(
        "train", "--fleet", table, "--unit", "id", "--cycle", "time", *SHORT, "--save", table
    )
    assert done.exit_code == 1 and "would replace" in done.stderr
    assert table.read_bytes() == before


def test_a_sweep_and_its_report(table: Path, tmp_path: Path) -> None:
    store = tmp_path / "runs"
    sweep = ("sweep", "--fleet", table, "--unit", "id", "--cycle", "time", *SHORT, "--store", store)
    sweep = (*sweep, "--workers", 1, "--seeds", 2, "--lams", "0.3,0.5")
    dry = amnl(*sweep, "--dry-run", "--json")
    assert dry.exit_code == 0 and json.loads(dry.stdout)["cells"] == 4, dry.output
    assert not store.exists()
    done, again = amnl(*sweep, "--json"), amnl(*sweep, "--json")
    assert done.exit_code == again.exit_code == 0, done.output
    assert json.loads(done.stdout)["done"] == 4 and json.loads(again.stdout)["found"] == 4
    assert {(r.config.window, r.config.cap) for r in Store(store)} == {(12, 40.0)}
    shown = amnl("report", store, "--csv", tmp_path / "rows.csv")
    assert shown.exit_code == 0, shown.output
    assert set(pd.read_csv(tmp_path / "rows.csv")["subset"]) == {"own"}


def test_a_window_of_ones_own_goes_with_nasas_data(small_fleet: Path) -> None:
    done = amnl("train", "--data-dir", small_fleet, "--epochs", 1, "--stride", 10, "--window", 20,
                "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["config"]["window"] == 20


def test_the_help_lists_the_options_in_a_part_of_their_own() -> None:
    for command in ("train", "sweep"):
        shown = amnl(command, "--help").stdout
        part = shown[shown.index("A fleet of your own") :]
        assert all(option in part for option in ("--fleet", "--event", "--life", "--window"))
        assert "--own" not in shown
