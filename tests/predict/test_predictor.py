"""What a saved model says of new engines."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from new_engines import Trained, as_csv

from amnl.cmapss import DataError
from amnl.predict import Predictor, load_predictor
from amnl.predict import predictor as module
from amnl.predict.engines import Engines
from amnl.predict.predictor import run
from amnl.training import make_model


@pytest.fixture
def predictor(trained: Trained) -> Predictor:
    return load_predictor(trained.folder)


def test_predictions_are_those_of_the_trainer(trained: Trained, predictor: Predictor) -> None:
    found = predictor.predict(trained.test_file)
    assert np.abs(found["rul"] - trained.result.predictions["pred"]).max() <= 1e-6
    states = [predictor.inputs.states[k] for k in trained.result.predictions["health_pred"]]
    assert found["health"].tolist() == states


def test_a_new_process_in_another_folder_says_the_same(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service lost its scaler at restart (agri issue 1398). No file of NASA's is in sight."""
    shutil.copytree(trained.folder, tmp_path / "moved")
    shutil.copy(trained.test_file, tmp_path / "new.txt")
    code = (
        "from amnl.predict import load_predictor\n"
        "print(*load_predictor('moved').predict('new.txt')['rul'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "AMNL_DATA_DIR"}
    root = Path(module.__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        timeout=120,
        env={**environment, "AMNL_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(root)},
    )  # fmt: skip
    found = np.array(done.stdout.split(), float)
    assert np.abs(found - trained.result.predictions["pred"]).max() <= 1e-6


def test_the_folder_holds_tensors_and_json_alone(trained: Trained) -> None:
    names = sorted(path.name for path in trained.folder.iterdir())
    assert names == [
        "calibration.pt", "model.json", *(f"training-{k}.pt" for k in range(5)), "weights.pt"
    ]  # fmt: skip
    for path in trained.folder.glob("*.pt"):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize("batch", [1, 64])
def test_short_engines_are_kept_and_flagged(
    trained: Trained, predictor: Predictor, tmp_path: Path, batch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """100 engines gave 94 predictions (Predictive-Maintenance-using-LSTM issue 4)."""
    monkeypatch.setattr(module, "_EVALUATED", max(batch, module._COMPANY))
    file = tmp_path / "new.csv"
    file.write_text(as_csv(trained.engines(40, 3, 1)))
    found = predictor.predict(file)
    assert found["unit"].tolist() == ["1", "2", "3"]
    assert found["cycle"].tolist() == [40, 3, 1]
    assert found["marks"].tolist() == ["", "short: 3 of 30 cycles", "short: 1 of 30 cycles"]


@pytest.mark.parametrize("every", [None, 1])
def test_an_engine_alone_is_as_in_company(
    trained: Trained, predictor: Predictor, every: int | None
) -> None:
    """Padding was read as data (speechbrain issue 501)."""
    engines = trained.engines(40, 3, 1)
    company = predictor.predict(engines, every=every)
    for unit in (1, 2, 3):
        alone = predictor.predict(engines[engines.unit == unit], every=every)
        expected = company[company.unit == unit]["rul"].to_numpy()
        assert np.abs(alone["rul"].to_numpy() - expected).max() <= 1e-6


def test_a_window_alone_takes_the_kernels_of_company(
    trained: Trained, predictor: Predictor
) -> None:
    """PyTorch rounds a batch of one otherwise, in the width of the compact network."""
    torch.manual_seed(0)
    network, inputs = make_model("compact").eval(), predictor.inputs
    noise = np.random.default_rng(0).normal(size=(200, len(inputs.features)))
    engines = Engines(
        [1], np.array([0, 200]), np.arange(1, 201), inputs.mean[0] + inputs.std[0] * noise,
        np.repeat(inputs.centres[:1], 200, axis=0),
    )  # fmt: skip
    rows = np.arange(200)
    company, _ = run(network, predictor.inputs, engines, rows)
    alone = [run(network, predictor.inputs, engines, rows[k : k + 1])[0][0] for k in rows]
    assert np.abs(company - alone).max() <= 1e-6


def test_the_last_row_counts_and_no_other_engine_moves(
    trained: Trained, predictor: Predictor
) -> None:
    """An off-by-one kept the last cycle from the network (RUL-Prediction pull request 6)."""
    engines = trained.engines(40, 35, 31)
    before = predictor.predict(engines)
    last = engines.index[engines.unit == 2][-1]
    engines.loc[last, "s4"] += 40
    after = predictor.predict(engines)
    moved = before["rul"] != after["rul"]
    assert moved.tolist() == [False, True, False]
    assert after["cycle"].tolist() == [40, 35, 31]


def test_columns_are_found_by_name(
    trained: Trained, predictor: Predictor, tmp_path: Path, notes: pytest.LogCaptureFixture
) -> None:
    """Another order gave other predictions without a word (scikit-learn issue 7242)."""
    engines = trained.engines(40, 35)
    shuffled = engines[engines.columns[::-1]].assign(extra=1.0)
    file = tmp_path / "new.csv"
    file.write_text(as_csv(shuffled))
    expected, found = predictor.predict(engines), predictor.predict(file)
    assert found["rul"].tolist() == expected["rul"].tolist()
    assert any("extra" in record.getMessage() for record in notes.records)
    with pytest.raises(DataError, match="no column s2; the model was trained with it"):
        predictor.predict(engines.drop(columns="s2"))
    with pytest.raises(DataError, match="no columns s2, s3"):
        predictor.predict(engines.drop(columns=["s3", "s2"]))


def test_units_keep_their_names_and_the_order_of_the_file(
    trained: Trained, predictor: Predictor, tmp_path: Path
) -> None:
    engines = trained.engines(31, 32).assign(unit=lambda t: t.unit.map({1: "B 7", 2: "007"}))
    file = tmp_path / "new.csv"
    file.write_text(as_csv(engines.rename(columns={"unit": "id", "cycle": "time"})))
    found = predictor.predict(file, unit="id", cycle="time")
    assert found["id"].tolist() == ["B 7", "007"]
    assert found["time"].tolist() == [31, 32]


def test_every_so_many_cycles_is_counted_back_from_the_last(
    trained: Trained, predictor: Predictor
) -> None:
    found = predictor.predict(trained.engines(40, 5), every=3)
    assert found[found.unit == 1]["cycle"].tolist() == list(range(1, 41, 3))
    assert found[found.unit == 2]["cycle"].tolist() == [2, 5]
    last = predictor.predict(trained.engines(40, 5))
    assert np.abs(found.groupby("unit")["rul"].last().to_numpy() - last["rul"]).max() <= 1e-6


def test_a_flight_condition_never_seen_is_marked(trained: Trained, predictor: Predictor) -> None:
    engines = trained.engines(40, 40)
    new = engines.index[engines.unit == 2][-4:]
    engines.loc[new, ["altitude", "mach", "tra"]] = [42.0, 0.84, 100.0]
    marks = predictor.predict(engines)["marks"].tolist()
    assert marks == ["", "flight condition never seen in 4 of 30 cycles"]


def test_the_conditions_of_training_are_not_marked(trained: Trained, predictor: Predictor) -> None:
    assert set(predictor.predict(trained.test_file)["marks"]) == {""}


def test_too_few_engines_for_a_level_is_said(
    trained: Trained, predictor: Predictor, notes: pytest.LogCaptureFixture
) -> None:
    found = predictor.predict(trained.engines(40), level=0.99)
    assert found["interval"].tolist() == ["no bound"]
    assert (found["low"][0], found["high"][0]) == (0.0, np.inf)
    said = [record.getMessage() for record in notes.records]
    assert any("99 are needed at 99 %" in line and "of the 10" in line for line in said)


def test_at_the_cap_words_say_so(predictor: Predictor) -> None:
    assert predictor._words(83.4, np.inf) == "83 to 125 or more"
    assert predictor._words(3.4, 20.2) == "3 to 21"


def changed(table: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    table = table.astype(object)
    table.loc[row, column] = value
    return table


BAD = {
    "a blank sensor": (lambda t: changed(t, 4, "s3", ""), "line 6, 1: s3 is missing"),
    "text": (lambda t: changed(t, 4, "s3", "n/a"), "line 6, 1: s3 is 'n/a', no finite number"),
    "infinite": (lambda t: changed(t, 4, "s3", "inf"), "line 6, 1: s3 is 'inf'"),
    "no engine": (lambda t: changed(t, 4, "unit", ""), "line 6 has no unit"),
    "a cycle and a half": (lambda t: changed(t, 4, "cycle", 4.5), "cycle is 4.5"),
    "a date": (lambda t: changed(t, 4, "cycle", "2024-01-05"), "cycle is '2024-01-05'"),
    "a cycle left out": (lambda t: t.drop(4), "line 6: cycle 6 of unit 1 follows 4"),
    "a cycle twice": (lambda t: changed(t, 4, "cycle", 4), "line 6: cycle 4 of unit 1 follows 4"),
    "out of order": (lambda t: t.iloc[::-1], "cycle 34 of unit 2 follows 35"),
    "no row": (lambda t: t.head(0), "a header, and no row below it"),
    "no column of the engine": (lambda t: t.drop(columns="unit"), "no column unit.*--unit"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_table_that_cannot_be_used_is_refused_by_row(
    trained: Trained, predictor: Predictor, tmp_path: Path, case: str
) -> None:
    spoil, expected = BAD[case]
    file = tmp_path / "new.csv"
    file.write_text(as_csv(spoil(trained.engines(40, 35))))
    with pytest.raises(DataError, match=expected) as caught:
        predictor.predict(file)
    assert str(caught.value).startswith(str(file))
    assert len(str(caught.value).splitlines()) == 1


NO_TABLE = {
    "none": (None, "there is no such file"),
    "empty": (b"", "the file is empty"),
    "semicolons": (b"unit;cycle;s1\n1;1;0,52\n", "';' where commas are wanted"),
    "ragged": (b"unit,cycle,s2\n1,1\n", "line 2: 2 columns, not 3"),
    "twice": (b"unit,unit,s2\n1,1,1\n", "names unit twice"),
    "not NASA's": (b"1 1 0.5\n", "line 1: 3 columns, not NASA's 26"),
    "binary": (b"\xff\x00\x93\x12", "no text file"),
}


@pytest.mark.parametrize("case", NO_TABLE)
def test_a_file_that_is_no_table_is_named(predictor: Predictor, tmp_path: Path, case: str) -> None:
    content, expected = NO_TABLE[case]
    file = tmp_path / "new.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(expected)) as caught:
        predictor.predict(file)
    assert "new.csv" in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_units_of_two_kinds_that_read_alike_are_refused(
    trained: Trained, predictor: Predictor
) -> None:
    engines = trained.engines(31, 32).astype({"unit": object})
    engines["unit"] = [1] * 31 + ["1"] * 32
    with pytest.raises(DataError, match="numbers and text that read alike"):
        predictor.predict(engines)
