"""A saved model of a reader's own fleet predicts other units of such a table."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cmapss.own_tables import fleet_of, lives
from typer.testing import CliRunner

from amnl import cmapss, predict
from amnl.cli.app import app
from amnl.cmapss import DataError
from amnl.training import RunResult, TrainConfig

LENGTHS = (60, 45, 50, 38, 70, 41, 66, 52, 47, 58)
FRAMING: dict[str, Any] = {"window": 12, "cap": 40.0, "degrading": 25.0, "critical": 10.0}
CONFIG = TrainConfig(
    subset="own", epochs=3, warmup_epochs=1, batch_size=32, stride=4, **FRAMING
)  # fmt: skip


def table() -> pd.DataFrame:
    """Units 001, 002, … under two conditions, which move the readings."""
    found = lives(*LENGTHS)
    found["mode"] = np.where(found["unit"] % 2, "climb", "cruise")
    found["heat"] += 300 * (found["mode"] == "climb")
    found["unit"] = found["unit"].map("{:03d}".format)
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult, cmapss.Data]:
    fleet = fleet_of(table(), features=["heat", "noise"], conditions="mode")
    folder = tmp_path_factory.mktemp("own") / "model"
    result = predict.train_model(CONFIG, fleet, folder, cross=True)
    data = cmapss.load("own", 0, fleet, stride=CONFIG.stride, framing=CONFIG.framing)
    return folder, result, data


def cut(data: cmapss.Data) -> pd.DataFrame:
    """The rows of the test units up to where they were stopped, as a file would have them."""
    life = {f"{n:03d}": length for n, length in enumerate(LENGTHS, start=1)}
    stops = {u: life[u] - int(t) for u, t in zip(data.units, data.test.true, strict=True)}
    rows = table()
    return rows[rows["cycle"] <= rows["unit"].map(stops).fillna(0)]


def test_it_predicts_what_the_trainer_scored(
    trained: tuple[Path, RunResult, cmapss.Data], tmp_path: Path
) -> None:
    folder, result, data = trained
    predictor = predict.load_predictor(folder)
    cut(data).to_csv(tmp_path / "new.csv", index=False)
    for new in (tmp_path / "new.csv", cut(data), cut(data).set_index(["unit", "cycle"])):
        found = predictor.predict(new)
        assert found["unit"].tolist() == result.predictions["unit"]
        assert found["rul"].to_numpy() == pytest.approx(result.predictions["pred"], abs=1e-6 * 40)
        assert found["cycle"].tolist() == cut(data).groupby("unit")["cycle"].max().tolist()
        assert set(found["marks"]) == {""}
    assert (predictor.inputs.window, predictor.inputs.cap) == (12, 40.0)
    assert predictor.calibration.engines == 8, "every unit that trains, and none that tests"


def test_columns_are_found_by_name_and_short_and_strange_units_are_marked(
    trained: tuple[Path, RunResult, cmapss.Data], caplog: pytest.LogCaptureFixture
) -> None:
    predictor = predict.load_predictor(trained[0])
    new = table().query("unit in ('002', '003', '005')").query("unit != '003' or cycle <= 3")
    new.loc[new["unit"] == "005", "mode"] = "dive"
    first = predictor.predict(new)
    assert first["unit"].tolist() == ["002", "003", "005"]
    assert first["marks"].tolist() == [
        "", "short: 3 of 12 cycles", "condition never seen in 12 of 12 cycles",
    ]  # fmt: skip
    other = new[["noise", "mode", "cycle", "heat", "unit"]].assign(extra=1.0)
    again = predictor.predict(other)
    pd.testing.assert_frame_equal(again, first)
    assert any("does not know it: extra" in line for line in caplog.messages)
    alone = predictor.predict(new[new["unit"] == "003"])
    assert alone["rul"][0] == pytest.approx(first["rul"][1], abs=1e-5)
    one = predictor.predict(new[new["unit"] == "002"].tail(1))
    assert one["marks"].tolist() == ["short: 1 of 12 cycles"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="heat"), r"the table has no column 'heat'"),
        (lambda t: t.drop(columns="mode"), r"the table has no column 'mode'"),
        (lambda t: t.assign(heat="hot"), r"heat, row 1: 'hot' is no finite number"),
        (lambda t: t.assign(heat=np.nan), r"heat is blank in every row"),
        (lambda t: t[t["cycle"] != 3], r"goes from cycle 2 to 4"),
        (lambda t: pd.concat([t, t]), r"cycle 1 twice"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(
    change: Any, message: str, trained: tuple[Path, RunResult, cmapss.Data]
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        predict.load_predictor(trained[0]).predict(change(table()))
    assert len(str(caught.value).splitlines()) == 1


def test_every_moment_of_a_life(trained: tuple[Path, RunResult, cmapss.Data]) -> None:
    found = predict.load_predictor(trained[0]).predict(table(), every=10)
    assert len(found) == sum(-(-length // 10) for length in LENGTHS)


def test_the_command_line_trains_keeps_and_predicts(tmp_path: Path) -> None:
    """In a file of another kind: the model's folder says which decimal sign it has."""
    rows, file = table(), tmp_path / "my.csv"
    rows["failed"] = (rows["unit"] != "010").astype(int)
    text = rows.assign(**{k: rows[k].map("{:.4f}".format) for k in ("heat", "noise")})
    text[["heat", "noise"]] = text[["heat", "noise"]].apply(lambda c: c.str.replace(".", ","))
    text.to_csv(file, index=False, sep=";")
    folder = tmp_path / "model"
    framing = [word for k, v in FRAMING.items() for word in (f"--{k}", str(v))]
    how = ["--fleet", file, "--unit", "unit", "--cycle", "cycle", "--separator", ";"]
    how += ["--decimal", ",", "--conditions", "mode", "--event", "failed", *framing]
    how += ["--epochs", "1", "--stride", "4", "--model", folder]
    done = CliRunner().invoke(app, ["train", *(str(word) for word in how)])
    assert done.exit_code == 0, done.output
    text[text["unit"] == "010"].drop(columns="failed").to_csv(file, index=False, sep=";")
    done = CliRunner().invoke(
        app, ["predict", str(folder), str(file), "--separator", ";", "--json"]
    )
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["predictions"]
    assert (found["unit"], found["cycle"]) == ("010", 58), "the unit that still runs"
    assert found["rul"] >= 0 and found["health"] in cmapss.HEALTH_STATES


def test_another_table_does_not_go_on_from_a_model(
    trained: tuple[Path, RunResult, cmapss.Data],
) -> None:
    folder, _, _ = trained
    for fleet, config in (
        (fleet_of(lives(*LENGTHS)), CONFIG),
        (trained[2].source, dataclasses.replace(CONFIG, window=13)),
    ):
        with pytest.raises(ValueError, match=r"the checkpoint's (data|window) is"):
            predict.train_model(config, fleet, folder)
