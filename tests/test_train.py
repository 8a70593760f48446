"""The trainer: its protocol, its pairing by seed, its checkpoints, its refusals."""

import dataclasses
import json
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from amnl import cmapss, provenance
from amnl.cmapss import emulator
from amnl.combiners import Combiner, FixedWeightLoss, make_combiner
from amnl.losses import moderate_weighted_mse_loss, rmse
from amnl.training import (
    Batches,
    RunResult,
    TrainConfig,
    Trainer,
    TrainingError,
    in_batches,
    metrics,
    pick_device,
)

SMALL = TrainConfig(epochs=4, warmup_epochs=1, batch_size=64, stride=8, dtype="float64")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small emulated fleet."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(folder, "FD001", seed=3, engines=10, test_engines=8)
    return folder


@pytest.fixture(scope="module")
def data(folder: Path, own_cache: None) -> cmapss.Data:
    return cmapss.load("FD001", SMALL.seed, folder, stride=SMALL.stride)


def comparable(result: RunResult) -> dict[str, Any]:
    """A result without what depends on the clock."""
    stored = result.to_dict()
    del stored["provenance"]
    for record in stored["history"]:
        del record["seconds"]
    return stored


def test_a_seed_repeats_and_another_differs(data: cmapss.Data) -> None:
    first, again = (Trainer(SMALL, data).fit() for _ in range(2))
    assert comparable(first) == comparable(again)
    moved = dataclasses.replace(data, seed=1)  # the same split, so that only the weights differ
    other = Trainer(dataclasses.replace(SMALL, seed=1), moved).fit()
    assert other.metrics["test_rmse"] != first.metrics["test_rmse"]


def test_common_random_numbers_across_lambda(data: cmapss.Data) -> None:
    """Same seed, other λ: same initial weights, same batches."""
    a, b = (Trainer(SMALL, data, combiner=FixedWeightLoss.convex(lam)) for lam in (0.1, 0.9))
    for x, y in zip(a.model.parameters(), b.model.parameters(), strict=True):
        assert torch.equal(x, y)
    one, two = (list(t.train.shuffled(64, t.order)) for t in (a, b))
    assert all(torch.equal(x, y) for x, y in zip(one, two, strict=True))


def test_training_learns(data: cmapss.Data) -> None:
    """Twelve epochs on ten engines beat the best constant on the validation engines by far."""
    result = Trainer(dataclasses.replace(SMALL, epochs=12, lr=1e-2, batch_size=32), data).fit()
    constant = rmse(np.full(len(data.val), data.train.rul.mean()), data.val.rul)
    assert result.metrics["val_rmse"] < 0.6 * constant


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


def test_infinite_weights_after_the_last_step_stop_the_run(data: cmapss.Data) -> None:
    trainer = Trainer(SMALL, data)
    with torch.no_grad():
        trainer.average.module.rul_head[-2].bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"predict nan after epoch 1; settings .*'lr'"):
        trainer.predict(trainer.val)


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


def test_a_numpy_number_among_the_settings_is_a_number(data: cmapss.Data, tmp_path: Path) -> None:
    """A checkpoint written with one could not be read, a result not be saved."""
    settings = {"lr": np.float64(1e-3), "epochs": np.int64(1), "rul_unit": np.float32(1)}
    settings |= {"subset": np.str_("FD001"), "sample_weighted": np.bool_(True)}
    settings |= {
        "combiner_settings": {"rul_weight": np.float32(0.5), "health_weight": torch.tensor(0.5)}
    }
    odd = dataclasses.replace(SMALL, **settings)
    path = tmp_path / "run.pt"
    first = Trainer(odd, data).fit(checkpoint=path)
    first.save(tmp_path / "run.json")
    plain = {"rul_weight": 0.5, "health_weight": 0.5}
    usual = dataclasses.replace(SMALL, epochs=1, combiner_settings=plain)
    again = Trainer(usual, data).fit(checkpoint=path)
    assert comparable(again) == comparable(first)


def test_no_finite_epoch_is_an_error_of_training() -> None:
    with pytest.raises(TrainingError, match="no epoch has a finite validation RMSE"):
        metrics(SMALL, [], {"val_rmse": float("inf")})


def test_test_set_is_never_consulted(data: cmapss.Data) -> None:
    """Scrambled test labels change no weight, no epoch choice, no validation figure."""
    scrambled = dataclasses.replace(
        data, test=dataclasses.replace(data.test, rul=data.test.rul[::-1].copy())
    )
    a, b = Trainer(SMALL, data).fit(), Trainer(SMALL, scrambled).fit()
    assert a.metrics["best_epoch"] == b.metrics["best_epoch"]
    assert a.metrics["val_rmse"] == b.metrics["val_rmse"]
    assert a.predictions["pred"] == b.predictions["pred"]
    assert a.metrics["test_rmse"] != b.metrics["test_rmse"]


def test_metrics_follow_from_history_and_predictions(data: cmapss.Data) -> None:
    result = Trainer(SMALL, data).fit()
    best = min(result.history, key=lambda r: r["val_rmse"])
    m = result.metrics
    assert m["best_epoch"] == best["epoch"]
    assert m["val_rmse"] == best["val_rmse"]
    assert m["test_rmse"] == best["test_rmse"]
    assert m["test_rmse_last"] == result.history[-1]["test_rmse"]
    assert m["test_rmse_leaked"] == min(r["test_rmse"] for r in result.history)
    assert m["test_rmse_leaked"] <= m["test_rmse"]


def test_nan_loss_stops_with_step_and_settings(data: cmapss.Data, tmp_path: Path) -> None:
    class Faulty(FixedWeightLoss):
        calls = 0

        def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
            self.calls += 1
            total = super().forward(rul_loss, health_loss, **extras)
            return total * float("nan") if self.calls == per_epoch + 2 else total

    trainer = Trainer(SMALL, data, combiner=Faulty())
    per_epoch = -(-len(trainer.train) // SMALL.batch_size)
    path = tmp_path / "run.pt"
    with pytest.raises(TrainingError, match=r"epoch 2, step 2 of .*Fixed\(0\.50/0\.50\).*'lr'"):
        trainer.fit(checkpoint=path)
    assert [r["epoch"] for r in torch.load(path)["history"]] == [1]  # the good epoch is kept


def test_rul_unit_rescales_the_odds(data: cmapss.Data) -> None:
    """Unit b with odds r·(b/a)² is unit a with odds r, up to one overall factor (spec 6)."""
    unit, lam = 125.0, 0.5
    odds = lam / (1 - lam) / unit**2
    cycles = odds / (1 + odds)
    a = Trainer(dataclasses.replace(SMALL, rul_unit=unit), data)
    b = Trainer(SMALL, data)
    a.model.eval(), b.model.eval()
    index = torch.arange(32)
    totals = []
    for trainer, weight in ((a, lam), (b, cycles)):
        losses = trainer.task_losses(index)
        total = FixedWeightLoss.convex(weight)(*losses)
        totals.append(torch.autograd.grad(total, trainer.model.trunk.conv[0].weight)[0])
    torch.testing.assert_close(totals[0], totals[1] * (1 - lam) / (1 - cycles))


def test_sample_weights_are_those_of_the_loss(data: cmapss.Data) -> None:
    trainer = Trainer(SMALL, data)
    trainer.model.eval()
    index = torch.arange(16)
    pred, _ = trainer.model(trainer.train.inputs(index))
    expected = moderate_weighted_mse_loss(pred, trainer.train.rul[index])
    torch.testing.assert_close(trainer.task_losses(index)[0], expected)


def test_batches_are_the_windows(data: cmapss.Data) -> None:
    batches = Batches(data.train, torch.device("cpu"), torch.float32)
    index = torch.tensor([5, 0, len(batches) - 1])
    np.testing.assert_array_equal(batches.inputs(index).numpy(), data.train.gather(index.numpy()))


def test_any_combiner_goes_through_the_same_call(data: cmapss.Data) -> None:
    """A stranger with learnable weights trains by the same line, and its weights move."""
    seen: dict[str, Any] = {}

    class Learned(Combiner):
        def __init__(self) -> None:
            super().__init__(1.0, 1.0)
            self.log_variance = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))

        def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
            seen.update(extras)
            s = self.log_variance
            return (torch.stack((rul_loss, health_loss)) * (-s).exp() + s).sum()

        def get_name(self) -> str:
            return "Learned"

    combiner = Learned()
    trainer = Trainer(SMALL, data, combiner=combiner)
    trainer.fit()
    assert (combiner.log_variance != 0).all()
    assert seen["model"] is trainer.model
    assert len(seen["shared_params"]) == len(list(trainer.model.trunk.parameters()))


def test_result_survives_json(data: cmapss.Data, tmp_path: Path) -> None:
    result = Trainer(SMALL, data).fit()
    result.save(tmp_path / "run.json")
    assert RunResult.load(tmp_path / "run.json") == result
    assert json.loads((tmp_path / "run.json").read_text())["provenance"]["data"].startswith(
        "emulated fleet, seed 3"
    )
    assert not list(tmp_path.glob(".run.json*"))


def test_tensorboard_logs_losses_and_weights(data: cmapss.Data, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the [logs] extra is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = Trainer(SMALL, data).fit(log_dir=tmp_path)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert {"loss", "rul_loss", "health_loss", "rul_weight"} <= set(events.Tags()["scalars"])
    logged = [e.value for e in events.Scalars("val_rmse")]
    assert logged == pytest.approx([r["val_rmse"] for r in result.history], rel=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("warmup_epochs", 0),
        ("lr", float("nan")),
        ("rul_unit", -1.0),
        ("ema", 1.0),
        ("dtype", "half"),
        ("epochs", 2.5),
        ("epochs", "many"),
        ("lr", "fast"),
        ("seed", -1),
        ("seed", 2**32),
        ("weight_decay", -0.1),
        ("weight_decay", float("nan")),
        ("min_lr", -1.0),
        ("plateau_patience", -1),
        ("plateau_factor", 1.0),
        ("plateau_factor", 0.0),
        ("warmup_start", 0.0),
        ("warmup_start", 1.5),
        ("sample_weighted", "yes"),
        ("preset", 5),
        ("combiner", None),
        ("dtype", 32),
    ],
)
def test_bad_settings_name_the_value(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}.*{value}"):
        TrainConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "value"), [("subset", "FD002"), ("seed", 1), ("stride", 1)])
def test_data_of_other_settings_are_refused(data: cmapss.Data, field: str, value: object) -> None:
    """Another seed is another split: validation engines of one train in the other."""
    with pytest.raises(ValueError, match=f"settings say {field} {value}"):
        Trainer(dataclasses.replace(SMALL, **{field: value}), data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "gpus", "found"),
    [
        (None, 0, "cpu"),
        (None, 2, "cuda"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda"),
        ("cuda:1", 2, "cuda:1"),
        ("cuda", 0, r"'cuda' here: PyTorch sees no NVIDIA GPU; write cpu"),
        ("cuda:0", 0, r"'cuda:0' here: PyTorch sees no NVIDIA GPU"),
        ("cuda:2", 2, r"'cuda:2' here; PyTorch sees cuda:0, cuda:1"),
        ("cuda:", 1, "'cuda:' here; write cpu, cuda or cuda:0"),
        ("cuda:-1", 1, "'cuda:-1' here; write"),
        ("mps", 0, "'mps' here; write"),
        ("gpu", 1, "'gpu' here; write"),
        ("", 1, "'' here; write"),
    ],
)
def test_a_device_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str | None, gpus: int, found: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    if "here" not in found:
        assert str(pick_device(name)) == found
    else:
        with pytest.raises(ValueError, match=found):
            pick_device(name)


@pytest.mark.parametrize(
    "setting", [{"a": object()}, {"a": [1.0, float("nan")]}, {"a": {"b": float("inf")}}, {"a": max}]
)
def test_settings_that_no_record_can_hold_are_refused(setting: dict[str, Any]) -> None:
    """After training it would be too late."""
    with pytest.raises(ValueError, match=r"^[ab] is .*; a combiner's settings are finite numbers"):
        TrainConfig(combiner_settings=setting)


def test_settings_are_the_callers_no_longer() -> None:
    inner = [1.0]
    given: dict[str, Any] = {"rul_weight": 0.9, "steps": inner}
    config = TrainConfig(combiner_settings=given)
    twin = dataclasses.replace(config, seed=1)
    given["rul_weight"] = 0.1
    inner.append(2.0)
    config.combiner_settings["rul_weight"] = 0.2
    assert twin.combiner_settings == {"rul_weight": 0.9, "steps": [1.0]}


class Stranger(Combiner):
    """A combiner of the reader's, with settings of many kinds and weights from NumPy."""

    def __init__(
        self,
        powers: tuple[float, ...] = (1.0, 2.0),
        limit: float = 10.0,
        options: Any = None,
        prior: float = 0.5,
    ) -> None:
        super().__init__(0.5, 0.5)
        self.powers, self.limit, self.options = powers, limit, options
        self.rate = np.float64(limit / 2)
        self.register_buffer("prior", torch.tensor([prior, 1 - prior], dtype=torch.float64))

    def forward(self, rul_loss: Tensor, health_loss: Tensor, **extras: Any) -> Tensor:
        self.rul_weight = float(rul_loss.detach()) / 1e4  # moves, as a logged weight may
        total: Tensor = self.prior[0] * rul_loss + self.prior[1] * health_loss
        return total

    def get_weights(self) -> dict[str, float]:
        return {"rul_weight": np.float32(0.5), "health_weight": torch.tensor(0.5)}  # type: ignore

    def get_name(self) -> str:
        return "Stranger"


ONE = dataclasses.replace(SMALL, epochs=1)


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


def stop_after(epoch: int, trainer: Trainer, path: Path | None) -> None:
    def stop(record: dict[str, Any]) -> None:
        if record["epoch"] == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.fit(checkpoint=path, on_epoch=stop)


def test_weights_that_are_no_numbers_are_named(data: cmapss.Data) -> None:
    combiner = Stranger()
    combiner.get_weights = lambda: {"rul_weight": torch.ones(2)}  # type: ignore
    with pytest.raises(ValueError, match="get_weights of Stranger must give a number"):
        Trainer(ONE, data, combiner=combiner).fit()


def test_a_checkpoint_of_another_fleet_is_refused(
    data: cmapss.Data, tmp_path: Path, own_cache: None
) -> None:
    """Of the same seed, and so once of the same name."""
    Trainer(ONE, data).fit(checkpoint=tmp_path / "run.pt")
    other = emulator.write_fleet(tmp_path / "b", "FD001", seed=3, engines=12, test_engines=8)
    more = cmapss.load("FD001", ONE.seed, other, stride=ONE.stride)
    with pytest.raises(ValueError, match=r"the checkpoint's data is emulated fleet, seed 3, 3 fil"):
        Trainer(ONE, more).fit(checkpoint=tmp_path / "run.pt")


def test_a_result_says_which_combiner_was_given(data: cmapss.Data, tmp_path: Path) -> None:
    """Its record is not that of the combiner that the settings name."""
    named = Trainer(ONE, data).fit()
    assert (named.config.combiner, named.config) == ("fixed", ONE)
    given = Trainer(ONE, data, combiner=FixedWeightLoss.convex(0.1)).fit()
    assert given.config.combiner == "given: Fixed(0.10/0.90)"
    assert given.config.combiner_settings == {"rul_weight": 0.1, "health_weight": 0.9}
    odd = Trainer(ONE, data, combiner=Stranger(limit=float("inf"), options=object())).fit()
    odd.save(tmp_path / "run.json")
    assert RunResult.load(tmp_path / "run.json") == odd
    settings = odd.config.combiner_settings
    assert (settings["limit"], settings["powers"]) == ("inf", [1.0, 2.0])


@pytest.mark.parametrize("name", ["amnl", "gaba", "gradnorm", "uncertainty", "dwa"])
def test_a_combiner_with_a_state_trains_once(data: cmapss.Data, name: str) -> None:
    """The second would go on from the first's weights."""
    combiner = make_combiner(name)
    Trainer(ONE, data, combiner=combiner)
    with pytest.raises(ValueError, match=r"was given to another trainer.*make a new one for each"):
        Trainer(ONE, data, combiner=combiner)


def test_a_combiner_without_a_state_may_train_again(data: cmapss.Data) -> None:
    combiner = FixedWeightLoss.convex(0.3)
    first, second = (Trainer(ONE, data, combiner=combiner).fit() for _ in range(2))
    assert comparable(first) == comparable(second)


def cut_short(trainer: Trainer, at_step: int) -> None:
    """Ctrl-C, before this step."""
    steps, step = iter(range(1000)), trainer._step

    def interrupted(index: Tensor) -> Tensor:
        if next(steps) == at_step:
            raise KeyboardInterrupt
        return step(index)

    trainer._step = interrupted  # type: ignore[method-assign]


def test_a_fit_that_was_stopped_within_an_epoch_does_not_go_on(
    data: cmapss.Data, tmp_path: Path
) -> None:
    whole = Trainer(SMALL, data).fit()
    trainer, path = Trainer(SMALL, data), tmp_path / "run.pt"
    steps = -(-len(trainer.train) // SMALL.batch_size)
    cut_short(trainer, steps + 1)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(checkpoint=path)
    with pytest.raises(TrainingError, match="stopped within epoch 2"):
        trainer.fit()
    assert comparable(trainer.fit(checkpoint=path)) == comparable(whole)


def test_a_fit_that_was_stopped_between_epochs_goes_on(data: cmapss.Data) -> None:
    whole, trainer = Trainer(SMALL, data).fit(), Trainer(SMALL, data)
    stop_after(2, trainer, None)
    assert comparable(trainer.fit()) == comparable(whole)


def test_a_result_is_the_callers(data: cmapss.Data) -> None:
    trainer = Trainer(ONE, data)
    first = trainer.fit()
    kept = comparable(first)
    first.history[0]["loss"] = first.predictions["pred"][0] = -1.0
    first.history.append({})
    assert comparable(trainer.fit()) == kept


@pytest.mark.parametrize(
    ("windows", "batch_size", "sizes"),
    [
        (5, 1, [1] * 5),
        (1, 1, [1]),
        (1, 256, [1]),
        (5, 2, [2, 2]),
        (4, 2, [2, 2]),
        (3, 2, [2]),
        (5, 8, [5]),
    ],
)
def test_a_lone_window_is_left_out_where_it_is_left_over(
    windows: int, batch_size: int, sizes: list[int]
) -> None:
    assert [len(b) for b in in_batches(torch.arange(windows), batch_size)] == sizes


def test_batches_of_one_train(data: cmapss.Data) -> None:
    trained = Trainer(dataclasses.replace(ONE, batch_size=1), data).fit()
    assert np.isfinite(trained.history[0]["loss"])


# --------------------------------------------------------------------- whose commit it is


def git(folder: Path, *arguments: str) -> None:
    name = ["-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True)


def repository(root: Path, *files: str, tracked: bool = True) -> Path:
    """With a file called train.py in the last named place."""
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('[project]\nname = "amnl"\n')
    (root / "thesis.tex").write_text("theirs")
    git(root, "init", "-q")
    git(root, "add", *(["."] if tracked else ["thesis.tex"]))
    git(root, "commit", "-qm", "first")
    return root / files[-1]


@pytest.mark.parametrize(
    ("files", "tracked", "ours"),
    [
        (["pyproject.toml", "amnl/provenance.py"], True, True),
        (["amnl/provenance.py"], True, False),  # a copy at their root
        (["pyproject.toml", "amnl/provenance.py"], False, False),  # unpacked into their root
        ([".venv/lib/site-packages/amnl/provenance.py"], False, False),
        ([".venv/lib/site-packages/amnl/provenance.py"], True, False),
        (["vendor/pyproject.toml", "vendor/amnl/provenance.py"], True, False),
    ],
)
def test_the_commit_is_this_projects_or_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: list[str],
    tracked: bool,
    ours: bool,
) -> None:
    monkeypatch.setattr(provenance, "__file__", str(repository(tmp_path, *files, tracked=tracked)))
    found = provenance.commit.__wrapped__()
    assert bool(found) == ours
    if ours:
        (tmp_path / "thesis.tex").write_text("changed")
        assert provenance.commit.__wrapped__() == f"{found}+"


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"])
def test_a_repository_that_the_environment_names_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As in a hook of theirs."""
    ours = repository(tmp_path / "ours", "pyproject.toml", "amnl/provenance.py")
    theirs = repository(
        tmp_path / "theirs", "pyproject.toml", "amnl/provenance.py", "more.py"
    ).parent
    monkeypatch.setattr(provenance, "__file__", str(ours))
    before = provenance.commit.__wrapped__()
    value = {"GIT_DIR": theirs / ".git", "GIT_WORK_TREE": theirs}.get(name, theirs / ".git/index")
    monkeypatch.setenv(name, str(value))
    assert provenance.commit.__wrapped__() == before != ""


def test_a_combiner_of_no_length_is_one(data: cmapss.Data) -> None:
    class Empty(FixedWeightLoss):
        def __len__(self) -> int:
            return 0

    assert Trainer(ONE, data, combiner=Empty(0.9, 0.1)).mtl_loss.get_weights()["rul_weight"] == 0.9
