"""Training loops of the reader's own: Lightning, a script, a function."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from amnl.cli.app import app
from amnl.weigh import ProblemError, Weighed, measured_pulls, weigh_callable

LOOPS = Path(__file__).parent / "loops"


def cli(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.mark.slow  # seven trainings of Lightning, in a process of their own
def test_lightning_is_weighed(tmp_path: Path) -> None:
    """In a process of its own: Lightning seeds and warns as it likes."""
    pytest.importorskip("lightning")
    command = [sys.executable, "-m", "amnl", "weigh", LOOPS / "with_lightning.py", "--seeds", 1]
    command += ["--store", tmp_path / "runs", "--out", tmp_path / "found", "--json"]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["arms"][0]["name"] == "yours" and len(found["trials"]) == 7
    heat, kind = found["pulls"]["norms"]
    assert heat > 100 * kind, "in watts², and in nats"
    balanced = next(arm for arm in found["arms"] if arm["name"] == "balanced")
    assert balanced["weights"][1] > 100 * balanced["weights"][0]
    assert {path.name for path in (tmp_path / "found").iterdir()} == {
        "result.json", "runs.csv", "figure.png",
    }  # fmt: skip
    assert Weighed.load(tmp_path / "found").pulls is not None


def test_a_script_is_weighed_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    run = ("weigh", LOOPS / "with_a_script.py", "--seeds", 3, "--store", tmp_path)
    first = cli(*run)
    assert first.exit_code == 0, first.output
    assert "take share 0.4: better than yours" in first.stdout
    assert "pulls were not measured" in first.stdout.replace("\n", " ")
    assert "18 of 18 runs are in the store" in cli(*run).stderr


def bowl(weights: dict[str, float], seed: int) -> float:
    share = next(iter(weights.values())) / sum(weights.values())
    return (share - 0.4) ** 2 * (1 + 0.1 * seed)


def test_weights_come_by_name_and_sum_as_yours_do() -> None:
    seen: list[dict[str, float]] = []

    def train(weights: dict[str, float], seed: int) -> float:
        seen.append(weights)
        return bowl(weights, seed)

    found = weigh_callable(train, ["mse", "ce", "kl"], yours=(2, 1, 1), margin=0.01, seeds=2)
    assert {tuple(w) for w in seen} == {("mse", "ce", "kl")}
    assert [sum(w.values()) for w in seen] == pytest.approx([4.0] * len(seen))
    names = [arm.name for arm in found.arms]
    # yours is the balance here, in units that nobody measured
    assert names == ["yours", "share 0.3", "share 0.4", "share 0.6", "share 0.7", "alone",
                     "without ce", "without kl"]  # fmt: skip
    assert len(found.answers) == 2 and all(a.mean is not None for a in found.answers)
    assert found.pulls is None and "in the units of your losses" in str(found)
    assert found.weights.keys() == {"mse", "ce", "kl"}


def test_larger_may_be_better() -> None:
    found = weigh_callable(
        lambda w, s: -bowl(w, s), 2, margin=0.005, seeds=5, higher_is_better=True
    )
    assert found.recommended == "share 0.4" and "larger is better" in str(found)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": 3}, r"train is 3; a function train\(weights, seed\) is wanted"),
        ({"train": lambda weights: 1.0}, r"train is called as train\(weights, seed\), but"),
        ({"train": lambda w, s: None}, r"train\(weights, seed\) returned NoneType; one number"),
        ({"train": lambda w, s: "0.3"}, r"returned str; one number is wanted, the score"),
        ({"train": lambda w, s: torch.ones(2)}, r"returned Tensor; one number is wanted"),
        ({"train": lambda w, s: 1.0}, "all 12 runs have the metric 1: it does not look at"),
        ({"train": lambda w, s: float("nan")}, "trainings fail at yours, .*nothing to compare"),
        ({"losses": 1}, "losses must be two names or more, .*got 1"),
        ({"losses": True}, "losses must be two names or more, .*got True"),
        ({"losses": "ab"}, "losses must be two names or more, .*got 'ab'"),
        ({"losses": ["a", "a"]}, r"losses must be two names or more, each once.*\['a', 'a'\]"),
        ({"losses": ["a"]}, "losses must be two names or more"),
        ({"losses": None}, "losses must be two names or more, .*got None"),
        ({"margin": 0}, "margin must be a positive number, got 0"),
        ({"margin": float("nan")}, "margin must be a positive number, got nan"),
        ({"seeds": 0}, "seeds must be a whole number above 0, got 0"),
        ({"higher_is_better": "no"}, "higher_is_better must be True or False, got 'no'"),
        ({"yours": (1,)}, r"yours must be 2 weights, for a, b.*got \(1,\)"),
        ({"yours": (0, 1)}, "none of them negative and the first above 0"),
        ({"yours": (1, -1)}, "none of them negative"),
        ({"yours": (1, float("inf"))}, "yours must be 2 weights"),
        ({"yours": "half"}, "yours must be 2 weights"),
        ({"yours": 0.5}, "yours must be 2 weights"),
        ({"yours": {"a": 1, "c": 1}}, "yours must be 2 weights, for a, b"),
        ({"pulls": (1, 0)}, "pulls must be 2 positive numbers, for a, b.*later in training"),
        ({"pulls": (1, 2, 3)}, "pulls must be 2 positive numbers"),
        ({"pulls": (1, float("nan"))}, "pulls must be 2 positive numbers"),
        ({"pulls": 3}, "pulls must be 2 positive numbers"),
        ({"pulls": {"a": 1, "c": 1}}, "pulls must be 2 positive numbers, for a, b"),
        ({"store": 3}, "store must be the name of a folder, got 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(changes: dict[str, Any], words: str) -> None:
    parts = {"train": bowl, "losses": ["a", "b"], "margin": 0.1, "seeds": 2} | changes
    with pytest.raises(ProblemError, match=words) as caught:
        weigh_callable(parts.pop("train"), parts.pop("losses"), **parts)
    assert "\n" not in str(caught.value)


def test_weights_and_pulls_may_be_named_in_any_order() -> None:
    one = weigh_callable(bowl, ["a", "b"], margin=0.1, seeds=2, yours=(3, 1), pulls=(5, 2))
    other = weigh_callable(
        bowl, ["a", "b"], margin=0.1, seeds=2, yours={"b": 1, "a": 3}, pulls={"b": 2, "a": 5}
    )
    assert [arm.weights for arm in one.arms] == [arm.weights for arm in other.arms]


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        (lambda m: {"a": m.weight.sum(), "b": m.bias.detach().sum()}, "the loss b is .*gradient"),
        (lambda m: {"a": m.weight.sum(), "b": m.bias}, r"the loss b is a tensor of shape \(2,\)"),
        (lambda m: {"a": m.weight.sum(), "b": 0 * m.bias.sum()}, "pull of the loss b is 0"),
        (lambda m: {"a": m.weight.sum(), "b": m.bias.sum() / 0}, "the loss b is (inf|-inf|nan)"),
        (lambda m: {"a": m.weight.sum(), "b": (m.bias * 0).abs().sqrt().sum()}, "not finite"),
    ],
)
def test_pulls_that_cannot_be_measured_are_named(losses: Any, words: str) -> None:
    model = nn.Linear(3, 2)
    with pytest.raises(ProblemError, match=words):
        measured_pulls(losses(model), model.parameters())


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("def train(weights, seed):\n    return 1.0", (), "has no margin; a training loop of"),
        ("margin = 1\ndef train(weights, seed):\n    return {}['x']", (), r"line 3, in train: Key"),
        ("margin = 1\ndef train(w, s):\n    return 1.0", ("--plain",), "--plain and --lams sweep"),
        ("margin = 1\ndef train(w, s):\n    return 1.0", ("--epochs", 3), "--epochs is for a prob"),
        ("margin = 1\ndef train(w, s):\n    return 1.0", ("--workers", 2), "leave --workers out"),
        ("margin = 1\ndef train(w):\n    return 1.0", (), r"called as train\(weights, seed\)"),
    ],
)
def test_a_bad_file_is_named(
    tmp_path: Path, text: str, options: tuple[str, ...], words: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    done = cli("weigh", path, "--store", tmp_path / "runs", *options)
    assert done.exit_code in (1, 2), done.output
    assert re.search(words, " ".join(done.stderr.split())), done.stderr
