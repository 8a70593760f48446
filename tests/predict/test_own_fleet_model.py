"""A model of a reader's own fleet: kept, loaded, asked about units of a table like it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from amnl import cmapss
from amnl.cli.app import app
from amnl.cmapss import Fleet
from amnl.predict import load_predictor, train_model
from amnl.training import TrainConfig

CONFIG = TrainConfig(
    subset="own",
    epochs=1,
    stride=4,
    batch_size=32,
    window=10,
    cap=40.0,
    degrading=25.0,
    critical=8.0,
)


def pumps(units: int = 12, seed: int = 0) -> pd.DataFrame:
    """Lives of 30 to 50 days in two moods, wear in two readings."""
    rng = np.random.default_rng(seed)
    parts = []
    for n in range(units):
        life = int(rng.integers(30, 50))
        wear = np.linspace(0, 1, life) ** 2
        mood = rng.choice(["calm", "storm"], life)
        heat = 20 + 5 * wear + 10 * (mood == "storm") + rng.normal(0, 0.1, life)
        flow = 3 - wear + rng.normal(0, 0.05, life)
        parts.append(
            pd.DataFrame(
                {
                    "pump": f"{n:03d}",
                    "day": range(1, life + 1),
                    "mood": mood,
                    "heat": heat,
                    "flow": flow,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    train_model(CONFIG, fleet(pumps()), folder, cross=True)
    return folder


def fleet(table: pd.DataFrame) -> cmapss.OwnFleet:
    return Fleet.from_frame(
        table, unit="pump", cycle="day", features=["heat", "flow"], conditions=["mood"]
    )


def test_a_saved_model_predicts_what_the_trainer_scored(kept: Path) -> None:
    from amnl.training import Trainer

    data = cmapss.load("own", 0, fleet(pumps()), stride=4, framing=CONFIG.framing)
    trainer = Trainer(CONFIG, data)
    scored = trainer.fit().predictions["rul"]
    ended, table = data.units, pumps()
    parts = []
    for name, last in zip(ended, data.test.true, strict=True):
        mine = table[table.pump == name]
        parts.append(mine.iloc[: len(mine) - int(last)])
    found = load_predictor(kept).predict(pd.concat(parts))
    assert found["pump"].tolist() == list(ended)
    np.testing.assert_allclose(found["rul"], trainer.predict(trainer.test)[0], atol=1e-4)
    assert len(scored) == len(found)


def test_units_that_run_are_predicted_with_interval_and_marks(kept: Path) -> None:
    table = pumps(3, seed=9)
    short = table[table.pump == "001"].head(4)
    strange = table[table.pump == "002"].head(20).assign(mood="frost")
    found = load_predictor(kept).predict(pd.concat([table[table.pump == "000"], short, strange]))
    assert found["pump"].tolist() == ["000", "001", "002"]
    assert found["day"].tolist() == [table.pump.value_counts()["000"], 4, 20]
    assert found["marks"].tolist() == [
        "", "short: 4 of 10 cycles", "condition never seen in 10 of 10 cycles"
    ]  # fmt: skip
    assert ((found["low"] <= found["rul"]) & (found["rul"] <= found["high"])).all()


def test_columns_are_found_by_name_and_text_ids_are_kept(kept: Path, tmp_path: Path) -> None:
    table = pumps(3, seed=9)
    file = tmp_path / "new.csv"
    table[["flow", "mood", "day", "heat", "pump"]].assign(extra=1).to_csv(file, index=False)
    model = load_predictor(kept)
    by_file, by_table = model.predict(file), model.predict(table)
    pd.testing.assert_frame_equal(by_file, by_table)
    assert by_file["pump"].tolist() == ["000", "001", "002"]


def test_a_missing_feature_is_named(kept: Path) -> None:
    with pytest.raises(cmapss.DataError, match="flow"):
        load_predictor(kept).predict(pumps(2).drop(columns="flow"))


def test_the_command_line_keeps_and_asks_such_a_model(tmp_path: Path) -> None:
    table = tmp_path / "pumps.csv"
    pumps().to_csv(table, index=False)
    small = [
        "--epochs",
        "1",
        "--window",
        "10",
        "--cap",
        "40",
        "--degrading",
        "25",
        "--critical",
        "8",
    ]
    own = ["--fleet", str(table), "--unit", "pump", "--cycle", "day", "--conditions", "mood"]
    done = CliRunner().invoke(app, ["train", *own, *small, "--model", str(tmp_path / "kept")])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["predict", str(tmp_path / "kept"), str(table), "--json"])
    assert done.exit_code == 0, done.output
    assert done.stdout.count('"pump"') == 12


def test_too_few_units_for_cross_are_told(tmp_path: Path) -> None:
    with pytest.raises(cmapss.DataError, match=r"too few to take a fifth.*without --cross"):
        train_model(CONFIG, fleet(pumps(5)), tmp_path / "m", cross=True)
