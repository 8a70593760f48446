"""A reader's own fleet: its conditions, its split, its windows, and what it is known by."""

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from amnl import cmapss
from amnl.cmapss import DataError, Fleet, Framing, Normaliser, read_fleet, read_table
from cmapss.own_tables import fleet_of, lives
from cmapss.tiny_fleet import Notes, same

LENGTHS = (60, 45, 50, 38, 70, 41, 66, 52, 47, 58)
FLEET = fleet_of(lives(*LENGTHS))
SHORT = Framing(window=10, cap=40.0, degrading=25.0, critical=10.0)


# ------------------------------------------------------------------------------------- conditions


def two_conditions(extra: str | None = None) -> pd.DataFrame:
    """Units 0, 1, …, each run under condition 0 or 1 throughout; the reading follows both."""
    parts = [
        pd.DataFrame({"unit": unit, "cycle": np.arange(1, 41), "c": unit % 2}) for unit in range(10)
    ]
    table = pd.concat(parts, ignore_index=True)
    table["s1"] = 100 * table["c"] + table["cycle"] / 10
    if extra is not None:
        table["c"] = table["c"].astype(object)
        table.loc[5, "c"] = extra
    return table


def test_equal_wear_is_equal_in_every_condition() -> None:
    fleet = fleet_of(two_conditions(), conditions=["c"])
    assert fleet.conditions == ("0", "1") and fleet.names == ("s1",)
    scaled = fleet.normaliser(np.arange(10))(fleet).reshape(10, 40)
    assert scaled == pytest.approx(np.repeat(scaled[:1], 10, axis=0), abs=1e-5)
    assert scaled[0].std() == pytest.approx(1, abs=1e-5)
    plain = fleet_of(two_conditions())
    assert "c" in plain.names, "without the option it is a reading like another"


def test_a_condition_of_one_row_divides_nothing_by_zero() -> None:
    fleet = fleet_of(two_conditions("rare"), conditions="c")
    assert fleet.conditions == ("0", "1", "rare")
    scaled = fleet.normaliser(np.arange(10))(fleet)
    assert np.isfinite(scaled).all() and scaled[5, 0] == 0


def test_a_condition_that_no_training_unit_met_is_flagged(notes: Notes) -> None:
    fleet = fleet_of(two_conditions("rare"), conditions="c")
    notes()
    normaliser = fleet.normaliser(np.arange(1, 10))
    assert any("condition rare of c: such rows are scaled as all rows" in line for line in notes())
    rows = fleet.values[fleet.engine > 0, 0]
    assert normaliser.mean[2, 0] == normaliser.mean[3, 0] == pytest.approx(rows.mean())
    assert normaliser.std[2, 0] == normaliser.std[3, 0] == pytest.approx(rows.std())


def test_new_units_under_a_condition_that_is_not_known_are_flagged(notes: Notes) -> None:
    trained = fleet_of(two_conditions(), conditions=["c"])
    new = pd.DataFrame({"unit": ["x", "x", "y"], "cycle": [1, 2, 1], "c": [1, 2, 2.0]})
    new["s1"] = [100.3, 300.0, 7.0]
    fleet = read_fleet(new, trained.columns, levels=trained.levels)
    assert fleet.condition.tolist() == [1, 2, 2] and fleet.conditions == ("0", "1")
    assert any("2 rows of condition 2 of c, which the training units never" in n for n in notes())
    scaled = trained.normaliser(np.arange(10))(fleet)
    assert np.isfinite(scaled).all()


def test_several_columns_make_one_condition() -> None:
    table = two_conditions().assign(mode=["climb", "cruise"] * 200, s2=lambda t: t["cycle"] ** 2)
    fleet = fleet_of(table, conditions=["c", "mode"])
    assert fleet.conditions == ("0, climb", "0, cruise", "1, climb", "1, cruise")


def test_a_condition_of_many_values_is_refused() -> None:
    table = two_conditions().assign(c=np.arange(400) / 7)
    with pytest.raises(DataError, match=r"c has 400 different values.*at most 100.*round it"):
        fleet_of(table, conditions="c")


# ---------------------------------------------------------------------------- against NASA's reader


@pytest.mark.parametrize("subset", ["FD001", "FD002"])
def test_a_table_of_nasas_rows_gives_nasas_windows(tiny: Path, subset: str) -> None:
    """The same rows, read in two ways, are the same windows: normalised, labelled, in order."""
    source = cmapss.find(tiny)
    nasa = cmapss.read(source, subset, "train")
    sensors = [f"s{n}" for n in cmapss.SENSORS]
    table = pd.DataFrame(nasa.features[:, :14], columns=sensors)
    table["unit"], table["cycle"] = nasa.engine, nasa.cycle
    table["run"] = [f"condition {c}" for c in nasa.condition]
    table.to_csv(tiny / "own.csv", index=False)
    conditions = "run" if subset == "FD002" else None
    fleet = Fleet.from_frame(read_table(tiny / "own.csv"), "unit", "cycle", sensors, conditions)
    assert np.array_equal(fleet.rul, nasa.rul) and np.array_equal(fleet.engine, nasa.engine)
    training, _ = cmapss.split_engines(nasa.engines, 0)
    theirs = Normaliser.fit(nasa, training)(nasa)[:, :14]
    ours = fleet.normaliser(training)(fleet)
    assert ours == pytest.approx(theirs, abs=1e-6)
    for last_only in (True, False):
        assert same(
            cmapss.windows(fleet, ours, last_only=last_only),
            cmapss.windows(nasa, ours, last_only=last_only),
        )


# ---------------------------------------------------------------------------------------- the split


def units_of(data: cmapss.Data) -> tuple[set[str], set[str], set[str]]:
    train, val = ({FLEET.units[e] for e in part.engine} for part in (data.train, data.val))
    return train, val, set(data.units)


def test_units_are_split_by_seed_and_none_is_in_two_parts() -> None:
    parts = []
    for seed in range(3):
        data = cmapss.load("own", seed, FLEET, framing=SHORT)
        train, val, test = units_of(data)
        assert train | val | test == set(FLEET.units) and len(train) + len(val) + len(test) == 10
        assert (len(train), len(val), len(test)) == (6, 2, 2)
        assert same(data.train, cmapss.load("own", seed, FLEET, framing=SHORT).train)
        parts.append((train, val, test))
    assert parts[0] != parts[1] != parts[2]


def test_statistics_come_from_training_units_alone() -> None:
    table = lives(*LENGTHS)
    before = cmapss.load("own", 0, fleet_of(table), framing=SHORT)
    train, val, test = units_of(before)
    for unit, moves in ((min(val), False), (min(test), False), (min(train), True)):
        other = table.copy()
        other.loc[other["unit"] == int(unit), "heat"] += 50
        after = cmapss.load("own", 0, fleet_of(other), framing=SHORT)
        assert np.array_equal(before.normaliser.mean, after.normaliser.mean) != moves


def test_test_units_are_stopped_on_their_way() -> None:
    for seed in range(20):
        data = cmapss.load("own", seed, FLEET, framing=SHORT)
        rows, life = np.diff(data.source.offsets), dict(zip(FLEET.units, LENGTHS, strict=True))
        assert len(rows) == 10
        for n, unit in enumerate(data.units):
            seen = life[unit] - data.test.true[n]
            assert SHORT.window <= seen < life[unit], "a whole window, and never the end"
        assert data.test.gather().shape == (2, SHORT.window, 2)
        shown = data.test.gather()[0, -1]
        unit = FLEET.units.index(data.units[0])
        row = FLEET.offsets[unit + 1] - 1 - int(data.test.true[0])
        assert shown == pytest.approx(data.normaliser(FLEET)[row]), "the cycle it was stopped at"
    stops = [cmapss.load("own", seed, FLEET, framing=SHORT).test.true for seed in range(20)]
    assert len({tuple(stop) for stop in stops}) == 20


def test_a_unit_that_still_runs_is_in_no_part() -> None:
    table = lives(*LENGTHS).assign(failed=lambda t: (t["unit"] != 3).astype(int))
    fleet = fleet_of(table, event="failed")
    for seed in range(10):
        data = cmapss.load("own", seed, fleet, framing=SHORT)
        there = {fleet.units[e] for w in (data.train, data.val) for e in w.engine} | {*data.units}
        assert there == set(fleet.units) - {"3"}
        assert np.isfinite(data.train.rul).all() and np.isfinite(data.test.true).all()
    running = cmapss.windows(fleet, fleet.values.astype(np.float32), np.array([2]), last_only=True)
    assert np.isnan(running.rul).all() and running.health.tolist() == [-1]


@pytest.mark.parametrize("units", [1, 2, 3])
def test_too_few_units_are_counted(units: int) -> None:
    few = fleet_of(lives(*LENGTHS[:units]))
    with pytest.raises(DataError, match=rf"has {units} units? that .*it takes 4 at") as caught:
        cmapss.load("own", 0, few, framing=SHORT)
    assert len(str(caught.value).splitlines()) == 1 and "shorter" not in str(caught.value)


def test_four_units_are_enough() -> None:
    data = cmapss.load("own", 0, fleet_of(lives(*LENGTHS[:4])), framing=SHORT)
    assert len(data.test) == 1 and len(set(data.val.engine)) == 1


def test_lives_shorter_than_a_window_are_noted_or_refused(notes: Notes) -> None:
    short = r"has 0 units that .* 99 rows or more.*10 more are shorter.* \(--window\)"
    with pytest.raises(DataError, match=short):
        cmapss.load("own", 0, FLEET, framing=Framing(window=99))
    assert not notes()
    for seed in range(10):
        data = cmapss.load("own", seed, FLEET, framing=Framing(window=45))
        assert {"4", "6"}.isdisjoint(set.union(*units_of(data)))
    (said,) = notes()
    assert said.startswith("2 of 10 units that failed have fewer than 45 rows, a window") and (
        said.endswith("take no part: 4, 6")
    )


def test_a_life_of_one_window_is_tested_all_the_same() -> None:
    fleet = fleet_of(lives(1, 2, 10, 10, 10, 11, 12, 10, 1))
    for seed in range(30):
        data = cmapss.load("own", seed, fleet, framing=SHORT)
        assert data.test.gather().shape == (1, 10, 2) and (data.test.true > 0).all()


# ----------------------------------------------------------------------------------------- framing


def test_a_window_a_cap_and_states_of_ones_own() -> None:
    data = cmapss.load("own", 0, FLEET, framing=SHORT)
    assert data.train.gather(slice(3)).shape == (3, 10, 2)
    assert data.train.rul.max() == 40 and data.train.true.max() > 40
    for rul, state in zip(data.train.rul, data.train.health, strict=True):
        assert state == (0 if rul > 25 else 1 if rul > 10 else 2)


@pytest.mark.parametrize(
    "bounds",
    [
        {"cap": 50.0},
        {"critical": 0.0},
        {"critical": 90.0},
        {"cap": float("inf")},
        {"degrading": 125.0},
        {"critical": float("nan")},
    ],
    ids=str,
)
def test_bounds_out_of_order_are_named(bounds: dict[str, float]) -> None:
    ((name, value),) = bounds.items()
    with pytest.raises(ValueError, match=rf"{name} {value:g}.*rise in this order"):
        Framing(**bounds)


@pytest.mark.parametrize("window", [0, -3, 2.5])
def test_a_window_is_a_number_of_rows(window: float) -> None:
    with pytest.raises(DataError, match=f"window must be a whole number, 1 or more, not {window}"):
        Framing(window=window)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------- identity


def test_a_fleet_is_known_by_what_it_holds(tmp_path: Path) -> None:
    table = lives(*LENGTHS)
    table.to_csv(tmp_path / "one.csv", index=False)
    table.to_csv(tmp_path / "two.csv", index=False)
    texts = {str(fleet_of(read_table(tmp_path / f"{name}.csv"))) for name in ("one", "two")}
    assert texts == {str(fleet_of(table))}, "not by the name of its file"
    assert str(pickle.loads(pickle.dumps(FLEET))) == str(FLEET)
    others = {
        "a reading": table.assign(heat=table["heat"].where(table.index != 5, 501.0)),
        "a name": table.assign(unit=table["unit"] + 100),
        "a column's name": table.rename(columns={"heat": "warmth"}),
        "fewer columns": table.drop(columns="heat"),
        "fewer units": table[table["unit"] < 10],
    }
    found = {name: str(fleet_of(other)) for name, other in others.items()}
    found["another unit of life"] = str(
        fleet_of(table.assign(cycle=table["cycle"] * 2), life="cycles")
    )
    found["a unit that runs"] = str(fleet_of(table.assign(f=table["unit"] > 1), event="f"))
    assert len({str(FLEET), *found.values()}) == len(found) + 1


def test_a_fleet_and_a_subset_do_not_take_each_others_place(tiny: Path) -> None:
    with pytest.raises(DataError, match=r"a fleet of your own is no FD001; its subset is 'own'"):
        cmapss.load("FD001", 0, FLEET)
    for place in (None, tiny):
        with pytest.raises(DataError, match=r"read it with Fleet\.from_frame"):
            cmapss.load("own", 0, place)


def test_no_fault_is_told_of_a_fleet_of_ones_own() -> None:
    with pytest.raises(DataError, match=r"only C-MAPSS tells how its engines fail"):
        cmapss.with_faults(cmapss.load("own", 0, FLEET, framing=SHORT))


def test_a_fleets_own_columns_read_it_again() -> None:
    """What a saved model keeps is plain, and enough to read other units in the same way."""
    how = dataclasses.asdict(FLEET.columns), dataclasses.asdict(FLEET.reading)
    columns, reading = cmapss.Columns(**how[0]), cmapss.Reading(**how[1])
    again = read_fleet(lives(*LENGTHS), columns, reading, FLEET.levels)
    assert str(again) == str(FLEET)
    one = read_fleet(lives(1), columns, reading, FLEET.levels)
    assert one.units == ("1",), "a single row is enough where nothing is learned"
