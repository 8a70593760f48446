"""A folder that is damaged, another program's, or of another training."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from new_engines import SMALL, Trained

from amnl.predict import ModelError, load_predictor, train_model
from amnl.training import RunResult


@pytest.fixture
def model(trained: Trained, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.folder, tmp_path / "model"))


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace('"window": 30', '"window": 31'))


def rename_format(path: Path) -> None:
    path.write_text(json.dumps({"format": "another program's"}))


DAMAGE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a bit of the weights": ("weights.pt", flip, "weights.pt is damaged"),
    "a bit of the errors": ("calibration.pt", flip, "calibration.pt is damaged"),
    "no weights": ("weights.pt", Path.unlink, "weights.pt is missing"),
    "no errors": ("calibration.pt", Path.unlink, "calibration.pt is missing"),
    "no settings": ("model.json", Path.unlink, "has no model.json"),
    "half the settings": (
        "model.json", lambda p: p.write_bytes(p.read_bytes()[:300]), "model.json is damaged"
    ),
    "settings edited": ("model.json", edit, "model.json was changed since"),
    "another's": ("model.json", rename_format, "model.json is no model of this book"),
    "a list": ("model.json", lambda p: p.write_text("[1]"), "model.json is no model"),
    "binary": ("model.json", lambda p: p.write_bytes(b"\xff\xfe\x00"), "model.json is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_model_is_refused_by_file(model: Path, case: str) -> None:
    name, damage, expected = DAMAGE[case]
    damage(model / name)
    with pytest.raises(ModelError, match=expected) as caught:
        load_predictor(model)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_that_is_no_model_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=f"{name}.*amnl train --model makes one"):
        load_predictor(tmp_path / name)


def test_line_ends_that_git_changed_do_no_harm(model: Path, trained: Trained) -> None:
    """A checksum failed on Windows (pywr issue 536)."""
    path = model / "model.json"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_predictor(model).record["metrics"] == trained.result.metrics


def comparable(result: RunResult) -> dict[str, object]:
    found = result.to_dict()
    del found["provenance"]
    for record in found["history"]:
        del record["seconds"]
    return found


def test_training_goes_on_from_a_model(ten_engines: Path, tmp_path: Path) -> None:
    """To the last digit as if all epochs had been asked for at once."""
    first = dataclasses.replace(SMALL, epochs=1)
    train_model(first, ten_engines, tmp_path / "model")
    epochs: list[int] = []
    longer = train_model(
        SMALL, ten_engines, tmp_path / "model", on_epoch=lambda r: epochs.append(r["epoch"])
    )
    assert epochs == [2]
    whole = train_model(SMALL, ten_engines, tmp_path / "whole")
    assert comparable(longer) == comparable(whole)
    weights = [(tmp_path / name / "weights.pt").read_bytes() for name in ("model", "whole")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("setting", "value"), [("lr", 2e-3), ("epochs", 1), ("preset", "compact"), ("seed", 1)]
)
def test_a_model_of_other_settings_is_left_alone(
    model: Path, trained: Trained, setting: str, value: object
) -> None:
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    other = dataclasses.replace(SMALL, **{setting: value})
    with pytest.raises(ValueError, match=f"training-0.pt: the checkpoint's {setting} is"):
        train_model(other, trained.fleet, model)
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def test_another_s_folder_is_left_alone(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match=r"no model's folder: it holds notes.txt"):
        train_model(SMALL, trained.fleet, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_saved_model_is_that_of_a_plain_training(trained: Trained) -> None:
    """Cross calibration costs four more trainings and changes nothing of the first."""
    from amnl.training import train

    assert comparable(train(SMALL, trained.fleet)) == comparable(trained.result)


def test_each_engine_judges_once(trained: Trained) -> None:
    judged = load_predictor(trained.folder).calibration
    assert (judged.kind, judged.engines) == ("cross", 10)
    starts = (judged.engine[1:] != judged.engine[:-1]).sum() + 1
    assert starts == 10  # no engine's moments stand in two places
