"""Finished runs in a folder are found again, and no other."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from small_problem import TRAIN, Plain, X, Y, Z, problem, sweep
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, huber_loss, mse_loss
from torch.utils.data import Dataset
from typer.testing import CliRunner

from amnl.cli.app import app
from amnl.runs import StoreError
from amnl.weigh import FivePoint, template
from amnl.weigh.run import Run
from amnl.weigh.scale import Scale
from amnl.weigh.store import RunStore, identity


@pytest.fixture(scope="module")
def result() -> FivePoint:
    return sweep(seeds=3)


def test_a_sweep_goes_on_where_it_stopped(tmp_path: Path, result: FivePoint) -> None:
    trained = []

    def stop(line: str) -> None:
        if line.startswith("λ"):
            trained.append(line)
            if len(trained) == 7:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(seeds=3, store=tmp_path, tell=stop)
    assert len(list(tmp_path.glob("cells/*.json"))) == 7
    lines: list[str] = []
    found = sweep(seeds=3, store=tmp_path, tell=lines.append)
    assert "7 of 15 runs are in the store" in lines
    assert sum(line.startswith("λ") for line in lines) == 8
    assert found.scores == result.scores
    again: list[str] = []
    assert sweep(seeds=3, store=tmp_path, tell=again.append).runs == found.runs
    assert not any(line.startswith("λ") for line in again)


@pytest.mark.parametrize("damage", [b"", b"{", b"null"])
def test_a_damaged_record_is_named(tmp_path: Path, damage: bytes) -> None:
    sweep(store=tmp_path)
    path = sorted(tmp_path.glob("cells/*.json"))[3]
    path.write_bytes(damage)
    with pytest.raises(StoreError, match=rf"{path.name} is damaged.*Delete it"):
        sweep(store=tmp_path)


def test_a_changed_score_and_a_renamed_record_are_refused(tmp_path: Path) -> None:
    sweep(store=tmp_path)
    one, other = sorted(tmp_path.glob("cells/*.json"))[:2]
    whole = one.read_text()
    stored = json.loads(whole)
    stored["run"]["score"] += 1e-9
    text = json.dumps(stored, sort_keys=True, separators=(",", ":"))  # as it is written
    assert len(text) == pytest.approx(len(whole), abs=5)
    one.write_text(text)
    with pytest.raises(StoreError, match="checksum"):
        sweep(store=tmp_path)
    one.write_text(other.read_text())
    with pytest.raises(StoreError, match="its name is that of another run"):
        sweep(store=tmp_path)


def closing_over(value: Any) -> Any:
    return lambda model, val: float(value)


def _helper(x: float) -> float:
    return x + 1


def _calls_helper(model: nn.Module, val: Any) -> float:
    return _helper(1.0)


class Fancy(nn.Module):
    width = 4


def test_what_decides_a_run_decides_its_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    def nudge(t: Tensor) -> tuple[Tensor, ...]:
        moved = t.clone()
        moved[17, 1] += 1e-6  # neither the first, the middle nor the last row
        return moved, Y, Z

    kinds = {
        "as it is": problem(),
        "epochs": problem(epochs=3),
        "batch size": problem(batch_size=21),
        "lr": problem(lr=0.021),
        "a number in the data": problem(train=nudge(X)),
        "the validation data": problem(val=nudge(X)),
        "code": problem(metric=lambda m, v: 1.0),
        "a constant": problem(metric=lambda m, v: 2.0),
        "a closure": problem(metric=closing_over(1.0)),
        "its value": problem(metric=closing_over(2.0)),
        "a tensor in a closure": problem(metric=closing_over(torch.ones(()))),
        "a class": problem(build=Fancy),
        "a helper": problem(metric=_calls_helper),
        "combiner": problem(combiner=Plain),
        "the dtype": problem(dtype=torch.float64),
        "a dataset": problem(train=list(zip(*TRAIN, strict=True))),
    }
    names = {what: identity(p) for what, p in kinds.items()}
    monkeypatch.setattr(sys.modules[__name__], "_helper", lambda x: x + 2)
    names["a helper's code"] = identity(problem(metric=_calls_helper))
    monkeypatch.setattr(Fancy, "width", 5)
    names["a class's code"] = identity(problem(build=Fancy))
    assert len(set(names.values())) == len(names), names
    assert identity(problem()) == names["as it is"]


class RowsOfAFile:
    """No dataset of PyTorch's, but rows by number."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __len__(self) -> int:
        return len(self.path.read_bytes())

    def __getitem__(self, k: int) -> int:
        return self.path.read_bytes()[k]


class Looked(RowsOfAFile):
    """A function with a table, whose keys are no numbers."""

    def __call__(self, *_: Any) -> float:
        return 0.0

    def __getitem__(self, k: Any) -> int:
        raise KeyError(k)


def test_rows_in_a_file_decide_the_identity_of_whatever_hands_them_out(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"123")
    before = identity(problem(train=RowsOfAFile(path)))
    assert identity(problem(train=RowsOfAFile(path))) == before
    path.write_bytes(b"124")
    assert identity(problem(train=RowsOfAFile(path))) != before


def test_a_function_with_a_table_is_not_read_row_by_row(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"123")
    metric = Looked(tmp_path / "rows")
    assert identity(problem(metric=metric)) == identity(problem(metric=metric))


def test_a_problem_is_known_by_the_same_name_as_ever() -> None:
    """Its runs in readers' stores are known by it. Where it must change, raise `_RECIPE`."""
    parts = {"build": nn.Identity, "losses": mse_loss, "metric": huber_loss, "train": [[1.0]]}
    assert identity(problem(**parts, val=[[2.0]])) == "9ad30bf8ff3b7a50"


RUN = Run(0.25, 3, 1.5, Scale(1.0, 2.0, 0.5), 0.1)


def test_a_kept_run_is_found_under_its_weight_and_seed_alone(tmp_path: Path) -> None:
    for _ in range(2):  # the folder is made, or taken as it is
        kept = RunStore(tmp_path / "of" / "mine", problem(), Run)
        kept.put(RUN)
    assert kept.load(0.25, 3) == RUN
    assert kept.load(0.25, 4) is None and kept.load(0.75, 3) is None
    (path,) = (tmp_path / "of" / "mine" / "cells").iterdir()
    assert path.name == f"{identity(problem())}-lam0.25-seed3.json"
    assert RunStore(tmp_path / "of" / "mine", problem(epochs=3), Run).load(0.25, 3) is None
    kept.look_again(problem())
    assert kept.notes == []
    kept.look_again(problem(epochs=3))
    assert len(kept.notes) == 1


@pytest.mark.parametrize(("lam", "seed"), [(0.25, 4), (0.75, 3)])
def test_a_kept_run_under_another_name_is_refused(lam: float, seed: int, tmp_path: Path) -> None:
    kept = RunStore(tmp_path, problem(), Run)
    kept.put(RUN)
    (path,) = (tmp_path / "cells").iterdir()
    path.rename(path.parent / f"{kept.problem}-lam{lam}-seed{seed}.json")
    with pytest.raises(StoreError, match=f"lam{lam}-seed{seed}.*that of another run"):
        kept.load(lam, seed)


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, parts, notes in ((None, {}, 0), (tmp_path / "store", {"train": Filed()}, 1)):
        kept = RunStore(folder, problem(**parts), Run)
        kept.put(RUN)
        assert kept.load(0.25, 3) is None
        kept.look_again(problem(**parts))
        assert len(kept.notes) == notes
        assert not list(tmp_path.rglob("*.json"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file/store cannot be written: Not a directory"):
        RunStore(tmp_path / "file" / "store", problem(), Run)


def test_a_folder_at_home_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    RunStore("~/store", problem(), Run).put(RUN)
    assert len(list((tmp_path / "store" / "cells").iterdir())) == 1


IDENTITY = """
import sys
sys.path[:0] = [{folder!r}]
import importlib.util
import torch
spec = importlib.util.spec_from_file_location("mine", {path!r})
mine = importlib.util.module_from_spec(spec)
sys.modules["mine"] = mine
spec.loader.exec_module(mine)
from amnl.combiners import FixedWeightLoss
from amnl.weigh.store import identity
from amnl.weigh.problem import Problem
print(identity(Problem(mine.build, mine.losses, mine.metric, mine.train, mine.val,
                       FixedWeightLoss.convex, 1, 2, 3.0, torch.float32)))
"""


def test_identity_is_the_same_in_another_process_and_blind_to_comments(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    text = Path(template.__file__).read_text(encoding="utf-8")
    code = IDENTITY.format(folder=str(tmp_path), path=str(path))

    def printed(text: str, hash_seed: str) -> str:
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=300,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = printed(text, "1")
    assert printed(text.replace("def build", "# a comment\n\n\ndef build"), "2") == first
    assert printed(text.replace("nn.ReLU()", "nn.Tanh()"), "1") != first


CRITERION = nn.HuberLoss(delta=1.0)


def with_criterion(model: nn.Module, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    out = model(batch[0])
    return CRITERION(out[:, 0], batch[1]), cross_entropy(out[:, 1:], batch[2])


def test_a_changed_loss_is_trained_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(losses=with_criterion, store=tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "CRITERION", nn.HuberLoss(delta=0.01))
    fresh = sweep(losses=with_criterion)
    assert sweep(losses=with_criterion, store=tmp_path).scores == fresh.scores


class Caching(Dataset[Any]):
    """It keeps what it has read."""

    def __init__(self, hidden: bool) -> None:
        self.cache: dict[int, Any] = {}
        self.hidden = hidden

    def __getstate__(self) -> dict[str, Any]:
        return {"hidden": self.hidden, "cache": {} if self.hidden else self.cache}

    def __len__(self) -> int:
        return 40

    def __getitem__(self, k: int) -> Any:
        return self.cache.setdefault(k, (X[k], Y[k], Z[k]))


class Filed(Caching):
    """It holds what cannot be looked into."""

    def __init__(self) -> None:
        super().__init__(False)
        self.file = (k for k in range(3))

    def __getstate__(self) -> dict[str, Any]:
        return vars(self)


@pytest.mark.parametrize(
    ("make", "words", "found_again"),
    [
        (lambda: Caching(False), "changes as they are used.*__getstate__", False),
        (lambda: Caching(True), None, True),
        (Filed, "no run is kept: train holds a builtins.generator.*__getstate__", False),
    ],
)
def test_what_cannot_be_found_again_is_said(
    make: Callable[[], Any], words: str | None, found_again: bool, tmp_path: Path
) -> None:
    rows, lines = make(), []
    found = sweep(train=rows, store=tmp_path, tell=lines.append)
    said = [line for line in lines if words and re.search(words, line)]
    assert bool(said) == bool(words) and all(line in found.notes for line in said)
    sweep(train=rows, store=tmp_path, tell=lines.append)
    assert ("10 of 10 runs are in the store" in lines) == found_again


def test_two_sweeps_on_one_store_share_the_runs(tmp_path: Path, result: FivePoint) -> None:
    """The other one starts as this one has its first run, and they end together."""
    others: list[threading.Thread] = []
    lines: dict[str, list[str]] = {"ours": [], "theirs": []}
    found: dict[str, FivePoint] = {}

    def swept(who: str) -> None:
        def tell(line: str) -> None:
            lines[who] += [line] if line.startswith("λ") else []
            if not others:
                others.append(threading.Thread(target=swept, args=("theirs",)))
                others[0].start()

        found[who] = sweep(seeds=3, store=tmp_path, tell=tell)

    swept("ours")
    others[0].join(240)
    assert len(lines["ours"]) + len(lines["theirs"]) == 15, "each run once"
    assert found["ours"].scores == found["theirs"].scores == result.scores


def test_a_killed_sweep_leaves_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    CliRunner().invoke(app, ["init", str(path)])
    store = tmp_path / "runs" / "mine"
    command = [
        sys.executable,
        "-m",
        "amnl",
        "weigh",
        str(path),
        "--epochs",
        "1",
    ]
    command += ["--store", str(tmp_path / "runs"), "--seeds", "200"]
    quiet = subprocess.DEVNULL
    sweeping = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    deadline = time.monotonic() + 240
    while len(list(store.glob("cells/[!.]*.json"))) < 3:
        assert sweeping.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    sweeping.send_signal(signal.SIGKILL)
    sweeping.wait()
    records = list(store.glob("cells/[!.]*.json"))
    assert len(records) >= 3
    for record in records:
        assert set(json.loads(record.read_text())) == {"sha256", "run"}
