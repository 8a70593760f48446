"""The template runs as it is, and a file of one's own is helped."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from amnl import five_point_sweep
from amnl.cli.app import app
from amnl.study.rows import load_rows
from amnl.weigh import template


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


SHORT = ("--seeds", 2, "--epochs", 1)


def test_the_template_runs_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("init", "bells.py")
    assert done.exit_code == 0 and "amnl weigh bells.py" in done.output
    done = cli("weigh", "bells.py", *SHORT, "--out", "found", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["how"] == f", 1 epochs, batches of 64, lr {template.lr:g}", "what the file sets"
    assert len(found["trials"]) == 14 and found["names"] == ["damping", "clamp"]
    assert found["choice"]["margin"] == template.margin
    assert (tmp_path / "found" / "result.json").exists()
    shown = cli("weigh", "bells.py", *SHORT, "--margin", 50)
    assert "14 of 14 runs are in the store" in shown.stderr
    assert "within ±50 of yours" in shown.stdout


def test_the_plain_sweep_is_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli("init", "bells.py")
    found = json.loads(cli("weigh", "bells.py", *SHORT, "--plain", "--json").stdout)
    assert found["settings"]["epochs"] == 1 and len(found["runs"]) == 10
    assert found["decision"]["margin"] == template.margin
    shown = cli("weigh", "bells.py", *SHORT, "--margin", 50, "--plain")
    assert "10 of 10 runs are in the store" in shown.stderr
    assert "within ±50 of 0.5" in shown.stdout
    both = json.loads(cli("weigh", "bells.py", *SHORT, "--lams", "0.3,0.7", "--json").stdout)
    assert len(both["runs"]) == 4, "naming λ asks for it, too"
    with Path("bells.py").open("a") as file:
        file.write("lams = (0.3, 0.7)\n")
    assert len(json.loads(cli("weigh", "bells.py", *SHORT, "--json").stdout)["runs"]) == 4


def test_the_template_is_balanced_and_learns() -> None:
    """What its comments say: the losses pull alike, and the network beats a constant."""
    given = {name: getattr(template, name) for name in ("build", "losses", "metric", "lr")}
    found = five_point_sweep(
        **given, train=template.train, val=template.val, margin=0.1, lams=(0.4, 0.5), seeds=1,
        epochs=8,
    )  # fmt: skip
    assert 0.35 < (found.before.balanced_lam or 0) < 0.65
    assert found.scores[0.5][0] < 0.75 * float(template.val[1].std())
    assert not any("weight" in note for note in found.notes if "finely" not in note)


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("precious")
    done = cli("init", path)
    assert done.exit_code == 1 and "is there already" in done.stderr
    assert path.read_text() == "precious"
    assert cli("init", tmp_path / "nowhere" / "mine.py").exit_code == 1


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (None, (), "no such file.*amnl init"),
        ("build = 1", (), "has no losses.*amnl init"),
        ("x = (", (), "mine.py, line 1"),
        ("x = 1\ny = unknown", (), "mine.py, line 2.*NameError.*unknown"),
        ("import nowhere_to_be_found", (), "line 1.*ModuleNotFoundError"),
        ("import sys\nsys.exit('bye')", (), "mine.py ends the program.*'bye'.*__main__"),
        ("import argparse\nargparse.ArgumentParser().parse_args(['x'])", (),
         "mine.py ends the program"),
        ("x = 1\0", (), "mine.py.*null bytes"),
        ("import beside_it", (), r"beside_it.py, line 2, in <module>: KeyError: 'gone'"),
        ("def build():\n    return {}['x']", (), r"line \d+, in build: KeyError"),
        ("", ("--subsets", "FD001"), "No such option.*--subsets"),
        ("", ("--seeds", "4-9"), "--seeds.*valid integer"),
        ("", ("--lams", "0.5,1.5"), r"λ.*\[0, 1\].*1\.5"),
        ("", ("--margin", "-1"), "margin.*positive"),
        ("", ("--workers", "0"), "--workers 0: at least one"),
        ("", ("--workers", "-1"), "--workers -1: at least one"),
        ("x = (", ("--workers", "-1"), "--workers -1: at least one"),
        ("margin = '0.1'\ndef build(): pass  # build()", (), r"margin.*'0\.1' \(str\)"),
        ("seeds = [0, 1]\n# build()", (), r"seeds.*\[0, 1\] \(list\)"),
        ("def losses(batch): pass  # build()", (), r"losses\(model, batch\), but losses\(batch\)"),
        ("import beside_it_too as b\nlosses = b.losses  # build()", (),
         r"beside_it_too.py, line 2, in losses: AttributeError: 'TwoHeads'.*nothing"),
    ],
)  # fmt: skip
def test_a_bad_module_is_named(
    tmp_path: Path, text: str | None, options: tuple[str, ...], words: str
) -> None:
    path = tmp_path / "mine.py"
    (tmp_path / "beside_it.py").write_text("\nraise KeyError('gone')")
    (tmp_path / "beside_it_too.py").write_text("def losses(model, batch):\n    model.nothing\n")
    if text is not None:
        whole = Path(template.__file__).read_text(encoding="utf-8")
        path.write_text(whole + "\n" + text if "build()" in text or not text else text)
    short = () if "seeds =" in (text or "") else SHORT
    done = cli("weigh", path, "--store", tmp_path / "runs", *short, *options)
    assert done.exit_code in (1, 2), done.output
    assert re.search(words, " ".join(done.stderr.split())), done.stderr


@pytest.mark.parametrize(
    "name", ["my-problem.py", "my problem.py", "class.py", "a.b.py", "sub/x.py", "~/x.py", "ä's.py"]
)
def test_what_init_writes_can_be_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the command that it names is the one to type."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    done = cli("init", name)
    assert done.exit_code == 0, done.output
    words = shlex.split(done.stdout.partition("Next: amnl ")[2])
    assert len(words) == 2 and Path(words[1]).is_file()
    done = cli(*words, "--seeds", 1, "--epochs", 1, "--lams", "0.3,0.7")
    assert done.exit_code == 0, done.output
    assert cli("weigh", name, "--seeds", 1, "--epochs", 1, "--lams", "0.3,0.7",
               ).exit_code == 0  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my_problem", "ends in .py; name it my_problem.py"),
        ("prob.txt", "ends in .py; name it prob.py"),
        ("prob.ipynb", "ends in .py; name it prob.py"),
        (".", "is a folder; name a file in it"),
        ("sub", "is a folder; name a file in it: sub/my_problem.py"),
        ("torch.py", "would hide the module torch.*name it my_torch.py"),
        ("sub/random.py", "would hide the module random.*name it sub/my_random.py"),
        ("pandas.py", "would hide the module pandas"),
        ("amnl.py", "would hide the module amnl"),
        ('a"""b.py', "without quotation marks"),
        ("nowhere/x.py", "nowhere"),
    ],
)
def test_names_that_init_and_the_sweep_refuse(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    done = cli("init", name)
    assert done.exit_code == 1 and re.search(words, done.stderr), done.output
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    if name != "nowhere/x.py" and "sub" not in name and name != ".":
        Path(name).write_text("")
    done = cli("weigh", name)
    assert done.exit_code == 1 and re.search(words, done.stderr), done.output


LOUD = """
import os, warnings
print("printed at import")
os.write(1, b"written at import")
_losses, _metric = losses, metric
def losses(model, batch):
    print("printed in losses")
    warnings.warn("a warning")
    return _losses(model, batch)
def metric(model, val):
    print("printed in metric")
    os.system("echo printed by a command")
    return _metric(model, val)
train = tuple(column[:100] for column in train)
"""


@pytest.mark.parametrize("workers", [(), ("--workers", 2)])
def test_what_a_module_prints_is_no_result(tmp_path: Path, workers: tuple[Any, ...]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        Path(template.__file__).read_text(encoding="utf-8").partition("\nif __na")[0] + LOUD
    )
    command = [sys.executable, "-m", "amnl", "weigh", path, *SHORT, "--json"]
    command += ["--store", tmp_path / "runs", "--lams", "0.3,0.7", *workers]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runs"]
    for loud in ("printed at import", "written at import", "printed in losses", "by a command",
                 "a warning", "printed in metric"):  # fmt: skip
        assert loud in done.stderr


def test_a_misspelt_setting_is_mentioned(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    whole = Path(template.__file__).read_text(encoding="utf-8")
    path.write_text(whole.replace("epochs = 20", "epoch = 20") + "\nstep = 3\n")
    done = cli("weigh", path, "--store", tmp_path / "runs", *SHORT)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("note:") == 1
    assert "sets epoch, which no sweep knows. Is epochs meant?" in " ".join(done.stderr.split())


def test_the_old_spelling_says_where_it_went() -> None:
    done = cli("sweep", "--module", "bells.py", "--epochs", 1)
    assert done.exit_code == 2 and done.stderr.splitlines() == [
        "error: a problem of your own has its own command: amnl weigh bells.py"
    ]


def test_the_templates_verdict_is_its_row() -> None:
    names = ("build", "losses", "metric", "train", "val", "margin", "epochs", "lr")
    found = five_point_sweep(**{name: getattr(template, name) for name in names})
    row = load_rows("domains").set_index("evidence").loc["amnl init"]
    assert (row["verdict"], float(row["weight"])) == (found.verdict, found.recommended)
    assert found.decision.seeds == int(row["seeds"])
