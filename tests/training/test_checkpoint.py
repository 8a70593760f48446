"""A run that goes on from a file, and files it does not go on from."""

import dataclasses
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import ONE, SMALL, Stranger, comparable, stop_after

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.combiners import Combiner, FixedWeightLoss, make_combiner
from amnl.training import (
    RunResult,
    Trainer,
)


@pytest.fixture(scope="module")
def data(ten_engines: Path, own_cache: None) -> cmapss.Data:
    return cmapss.load("FD001", SMALL.seed, ten_engines, stride=SMALL.stride)


def test_resumed_equals_uninterrupted(data: cmapss.Data, tmp_path: Path) -> None:
    whole = Trainer(SMALL, data, combiner=make_combiner("amnl")).fit()

    class Killed(Exception):
        pass

    def kill(record: dict[str, Any]) -> None:
        if record["epoch"] == 2:
            raise Killed

    path = tmp_path / "run.pt"
    with pytest.raises(Killed):
        Trainer(SMALL, data, combiner=make_combiner("amnl")).fit(checkpoint=path, on_epoch=kill)
    torch.manual_seed(99)
    epochs: list[int] = []
    resumed = Trainer(SMALL, data, combiner=make_combiner("amnl")).fit(
        checkpoint=path, on_epoch=lambda r: epochs.append(r["epoch"])
    )
    assert epochs == [3, 4]
    assert comparable(resumed) == comparable(whole)


def test_checkpoint_of_other_settings_is_refused(data: cmapss.Data, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    Trainer(SMALL, data).fit(checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=r"run\.pt: the checkpoint's lr is 0\.001.* Delete the file"
    ):
        Trainer(dataclasses.replace(SMALL, lr=1e-4), data).fit(checkpoint=path)
    assert path.read_bytes() == before


def test_checkpoint_of_another_weight_is_refused(data: cmapss.Data, tmp_path: Path) -> None:
    """A fixed weight has no state of its own: only the checkpoint's identity can tell."""
    path = tmp_path / "run.pt"
    Trainer(SMALL, data, combiner=FixedWeightLoss.convex(0.1)).fit(checkpoint=path)
    with pytest.raises(ValueError, match=r"combiner weights is \[0\.1, 0\.9\]"):
        Trainer(SMALL, data, combiner=FixedWeightLoss.convex(0.9)).fit(checkpoint=path)


def saved(value: object) -> bytes:
    file = BytesIO()
    torch.save(value, file)
    return file.getvalue()


def flipped(whole: bytes) -> bytes:
    """With one bit of one number turned over: about the middle lie weights."""
    middle = len(whole) // 2
    return whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda whole: b"", id="empty"),
        pytest.param(lambda whole: b"not a checkpoint", id="text"),
        pytest.param(lambda whole: whole[: len(whole) // 2], id="truncated"),
        pytest.param(lambda whole: whole[:-1], id="one byte short"),
        pytest.param(flipped, id="a bit flipped"),
        pytest.param(lambda whole: saved([1, 2]), id="a list"),
        pytest.param(lambda whole: saved(torch.zeros(3)), id="a tensor"),
        pytest.param(lambda whole: saved(torch.nn.Linear(2, 2).state_dict()), id="weights"),
        pytest.param(lambda whole: saved(torch.nn.Linear(2, 2)), id="a module"),
        pytest.param(lambda whole: saved(headless(whole)), id="nothing but our header"),
    ],
)
def test_a_checkpoint_that_is_none_is_named_and_left_alone(
    data: cmapss.Data, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "run.pt"
    short = dataclasses.replace(SMALL, epochs=1)
    Trainer(short, data).fit(checkpoint=path)
    path.write_bytes(damaged := damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"run\.pt: not a checkpoint.*Delete it") as caught:
        Trainer(short, data).fit(checkpoint=path)
    assert len(str(caught.value).splitlines()) == 1
    assert path.read_bytes() == damaged


def headless(whole: bytes) -> dict[str, Any]:
    """What makes a checkpoint ours, without what it is for."""
    state = torch.load(BytesIO(whole), weights_only=True)
    return {key: state[key] for key in state if key not in ("model", "average", "history")}


@pytest.mark.parametrize(
    ("field", "value"),
    [("lr", 1e-4), ("epochs", 5), ("batch_size", 32), ("combiner", "v7"), ("rul_unit", 125.0)],
)
def test_a_checkpoint_names_the_setting_in_which_it_differs(
    data: cmapss.Data, tmp_path: Path, field: str, value: Any
) -> None:
    path = tmp_path / "run.pt"
    Trainer(dataclasses.replace(SMALL, epochs=1), data).fit(checkpoint=path)
    other = dataclasses.replace(SMALL, **{"epochs": 1, field: value})
    with pytest.raises(
        ValueError, match=rf"checkpoint's {field} is .*, this run's is {value}\. Del"
    ):
        Trainer(other, data).fit(checkpoint=path)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (make_combiner("amnl", normalise="batch"), make_combiner("amnl", beta=0.5)),
        (make_combiner("amnl", beta=0.9), make_combiner("amnl", beta=0.5)),
        (make_combiner("gaba", floor=0.1), make_combiner("gaba")),
        (make_combiner("gaba", warmup=1), make_combiner("gaba")),
        (make_combiner("gradnorm", alpha=0.5), make_combiner("gradnorm")),
        (make_combiner("gradnorm", speed=5.0), make_combiner("gradnorm")),
        (make_combiner("uncertainty", speed=5.0), make_combiner("uncertainty")),
        (make_combiner("dwa", temperature=1.0), make_combiner("dwa")),
        (Stranger(), Stranger(powers=(1.0, 3.0))),
        (Stranger(), Stranger(limit=float("inf"))),
        (Stranger(), Stranger(options={"a": [1, 2]})),
        (Stranger(), Stranger(prior=0.25)),
    ],
    ids=lambda combiner: combiner.get_name(),
)
def test_a_checkpoint_of_another_combiner_is_refused(
    data: cmapss.Data, tmp_path: Path, ours: Combiner, theirs: Combiner
) -> None:
    path = tmp_path / "run.pt"
    Trainer(ONE, data, combiner=theirs).fit(checkpoint=path)
    with pytest.raises(ValueError, match=r"run\.pt: the checkpoint's combiner \w+ is .* Delete"):
        Trainer(ONE, data, combiner=ours).fit(checkpoint=path)


def test_a_combiner_that_moves_what_it_shows_resumes_its_own_checkpoint(
    data: cmapss.Data, tmp_path: Path
) -> None:
    path = tmp_path / "run.pt"
    whole = Trainer(SMALL, data, combiner=Stranger()).fit()
    stop_after(2, Trainer(SMALL, data, combiner=Stranger()), path)
    resumed = Trainer(SMALL, data, combiner=Stranger()).fit(checkpoint=path)
    assert comparable(resumed) == comparable(whole)
    resumed.save(tmp_path / "run.json")
    assert RunResult.load(tmp_path / "run.json") == resumed


def test_a_checkpoint_of_another_fleet_is_refused(
    data: cmapss.Data, tmp_path: Path, own_cache: None
) -> None:
    """Of the same seed, and so once of the same name."""
    Trainer(ONE, data).fit(checkpoint=tmp_path / "run.pt")
    other = emulator.write_fleet(tmp_path / "b", "FD001", seed=3, engines=12, test_engines=8)
    more = cmapss.load("FD001", ONE.seed, other, stride=ONE.stride)
    with pytest.raises(ValueError, match=r"the checkpoint's data is emulated fleet, seed 3, 3 fil"):
        Trainer(ONE, more).fit(checkpoint=tmp_path / "run.pt")
