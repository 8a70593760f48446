"""The command line: `amnl data`, `train`, `sweep`, `report`, `init` and `bench`.

Progress and errors go to standard error, results to standard output; `--json` prints one JSON
object there and nothing else. A failed command says why in one message.

Exit status: 0 done, 1 failed, 2 a command line that no machine could obey, 130 stopped by Ctrl-C,
143 by SIGTERM.
"""

import dataclasses
import difflib
import importlib.machinery
import importlib.util
import inspect
import json
import logging
import os
import shlex
import sys
import sysconfig
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from amnl.cli.signals import keeps

if TYPE_CHECKING:
    import pandas as pd

    from amnl.cmapss import Source
    from amnl.sweep import Progress, Store
    from amnl.training import RunResult, TrainConfig

USAGE = 2
app = typer.Typer(
    help="Two task losses, one fixed weight: data, training and benchmarks of the book.",
    epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C, 143 by SIGTERM.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
# What is printed is text: a message, a path or a setting may have `[red]` or `:100:` in it.
_AS_IT_IS: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
out, err = Console(**_AS_IT_IS), Console(stderr=True, **_AS_IT_IS)

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder or zip of the C-MAPSS files. Default: AMNL_DATA_DIR, then the cache."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda or cuda:1. Default: a GPU where there is one, else the CPU."),
]


@contextmanager
def _plain_errors(status: int = 1) -> Iterator[None]:
    """Turn what a user can cause into a message and an exit status."""
    try:
        yield
    except typer.Exit:  # a RuntimeError, too
        raise
    except (ValueError, RuntimeError, OSError, OverflowError) as error:
        _complain("error", str(error))
        raise typer.Exit(status) from error


def _complain(what: str, message: str) -> None:
    err.print(Text.assemble((f"{what}:", "bold red"), f" {message}"), soft_wrap=True)


def _emit(as_json: bool, record: dict[str, Any], table: Table) -> None:
    if as_json:
        print(json.dumps(record, indent=1, allow_nan=False))
    else:
        out.print(table)


def _version(wanted: bool) -> None:
    if wanted:
        from amnl import __version__

        print(f"amnl {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    pass


# ------------------------------------------------------------------------------- where output goes

# Looked at as the command line is read: an output that cannot be written costs no training.


def _is_stdout(path: Path | None) -> bool:
    return path is not None and str(path) == "-"


def _check_target(path: Path | None) -> None:
    """Fail before training, not after it."""
    if path is None:
        return
    if _is_stdout(path):
        raise ValueError("- is standard output, and a file is wanted here; one of that name is ./-")
    if path.is_dir():
        raise ValueError(f"{path} cannot be written as a file: it is a folder; name another")
    if (path.exists() and not path.is_file()) or Path("/dev") in path.absolute().parents:
        raise ValueError(f"{path} is no regular file and would be replaced; name another")
    folder = path.resolve().parent  # of what a link points at
    if not folder.is_dir():
        raise ValueError(f"{path}: the folder {folder} does not exist; make it first")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ValueError(f"{path} cannot be written as a file; name another")


def _check_folder(path: Path | None) -> None:
    """The same for a folder, which may have to be made."""
    if path is None:
        return
    if _is_stdout(path):
        raise ValueError("- is standard output, and a folder is wanted here; one so named is ./-")
    there = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    if not there.is_dir():
        raise ValueError(f"{path} cannot be a folder: {there} is a file; name another")
    if not os.access(there, os.W_OK):
        raise ValueError(f"{path} cannot be written: {there} belongs to others; name another")


def _place(path: Path | None) -> Path | None:
    """`--save=~/run.json` reaches a program as it is typed: no shell expands it there."""
    with _plain_errors():
        try:
            return path and path.expanduser()
        except RuntimeError as error:
            raise ValueError(f"{path}: {error} Write the whole path.") from error


def _file(path: Path | None) -> Path | None:
    path = _place(path)
    with _plain_errors():
        _check_target(path)
    return path


def _file_or_stdout(path: Path | None) -> Path | None:
    return path if _is_stdout(path) else _file(path)


def _folder(path: Path | None) -> Path | None:
    path = _place(path)
    with _plain_errors():
        _check_folder(path)
    return path


def _check_apart(**outputs: Path | None) -> None:
    """Two outputs in one place, by whatever names, are one too many."""
    taken: dict[Any, str] = {}
    for name, path in outputs.items():
        if path is None:
            continue
        place: Any = path if _is_stdout(path) else path.resolve()
        if not _is_stdout(path) and path.exists():
            place = (path.stat().st_dev, path.stat().st_ino)  # a file may have several names
        if place in taken:
            raise ValueError(f"{_flag(taken[place])} and {_flag(name)} both write to {path}")
        taken[place] = name


def _check_spares(read: list[Path], **outputs: Path | None) -> None:
    """No output takes the place of a file that the same command reads."""
    for name, path in outputs.items():
        if path is None or not path.exists():
            continue
        if found := next((file for file in read if file.exists() and file.samefile(path)), None):
            raise ValueError(
                f"{_flag(name)} {path} would replace {found}, which is read; name another"
            )


# -------------------------------------------------------------------------------------------- data


class _Notes(logging.Handler):
    """What the package says that is no error: a line each, for every command."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(f"note: {record.getMessage()}")


logging.getLogger("amnl").addHandler(_Notes())


@app.command()
def data(
    context: typer.Context,
    data_dir: DataDir = None,
    download: Annotated[
        bool,
        typer.Option(
            help="Fetch NASA's files (12 MB) into the cache where it lacks them or holds damaged "
            "ones."
        ),
    ] = False,
    emulate: Annotated[
        Path | None,
        typer.Option(help="Write an emulated fleet into this folder and use it.", callback=_folder),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the emulated fleet.")] = 0,
    as_json: Json = False,
) -> None:
    """Find, verify and parse the data; say what they are and what they hold."""
    from amnl import cmapss

    with _plain_errors():
        if emulate:
            from amnl.cmapss import emulator

            if data_dir or download:
                other = "--data-dir" if data_dir else "--download"
                raise ValueError(f"--emulate writes a fleet and uses it; leave out {other}")
            data_dir = emulator.write_all(emulate, seed)
        elif _is_given(context, "seed"):
            raise ValueError(f"--seed {seed} is of the emulated fleet; it goes with --emulate")
        source = cmapss.find(data_dir, download=download)
        if download and (data_dir or os.environ.get("AMNL_DATA_DIR")):
            _say(f"note: {cmapss.obeyed(data_dir)}")
        elif download and source.kind == "emulator":
            _say(f"note: the cache holds an emulated fleet; delete {source.folder} to download")
        if not source.subsets:
            raise ValueError(f"{source.folder} holds an {source} without a whole subset")
        start = time.perf_counter()
        rows = []
        for subset in source.subsets:
            train, test = (cmapss.read(source, subset, split) for split in ("train", "test"))
            rows.append(
                {
                    "subset": subset,
                    "train_rows": len(train.values),
                    "train_engines": train.engines,
                    "train_windows": int((train.lengths - cmapss.WINDOW + 1).clip(0).sum()),
                    "test_rows": len(test.values),
                    "test_engines": test.engines,
                    "test_padded": int((test.lengths < cmapss.WINDOW).sum()),
                    "conditions": len(set(train.condition.tolist())),
                }
            )
        seconds = time.perf_counter() - start
        missing = [subset for subset in cmapss.SUBSETS if subset not in source.subsets]
        title = f"{source}\n{source.folder}; read in {seconds:.2f} s"
        if missing:
            title += f"\nnot there: {', '.join(missing)}"
        table = Table(title=title)
        for key in rows[0]:
            table.add_column(key.replace("_", " "), justify="right")
        for row in rows:
            table.add_row(*(f"{v:,}" if isinstance(v, int) else str(v) for v in row.values()))
        found = {"source": str(source), "seconds": round(seconds, 3), "subsets": rows}
        found["missing"] = missing
        _emit(as_json, found, table)


# ------------------------------------------------------------------------------------------- train


class _NamesCombiners(TyperCommand):
    """A command whose help lists the combiners. The list is the registry's, and costs the import of
    PyTorch: it is made when it is read."""

    def format_help(self, *arguments: Any) -> None:
        from amnl import combiners

        lines = ["Combiners, with their settings for --setting:"]
        for name in combiners.names():
            known = combiners.settings_of(name).items()
            listed = ", ".join(k if d is inspect.Parameter.empty else f"{k}={d}" for k, d in known)
            lines.append(f"{name}: {listed or 'no settings'}")
        self.epilog = "\n\n".join(lines)
        super().format_help(*arguments)


Combiner = Annotated[str, typer.Option(help="Combiner, by name; they are listed below.")]
Setting = Annotated[
    list[str] | None, typer.Option(help="A combiner's setting, name=value; may be repeated.")
]


@app.command(cls=_NamesCombiners)
def train(
    subset: Annotated[str, typer.Option(help="FD001, FD002, FD003 or FD004.")] = "FD001",
    preset: Annotated[
        str,
        typer.Option(help="Model size: compact, paper, compact-11k, compact-133k or compact-404k."),
    ] = "compact",
    seed: Annotated[int, typer.Option(help="Fixes engine split, weights and batch order.")] = 0,
    combiner: Combiner = "fixed",
    lam: Annotated[
        float | None, typer.Option(help="λ of the fixed combiner: weight of the RUL loss.")
    ] = None,
    setting: Setting = None,
    rul_unit: Annotated[
        float, typer.Option(help="Cycles; divides the RUL error before squaring.")
    ] = 1.0,
    epochs: Annotated[int, typer.Option(help="Epochs to train.")] = 40,
    batch_size: Annotated[int, typer.Option(help="Windows a step.")] = 256,
    lr: Annotated[float, typer.Option(help="Learning rate after warm-up.")] = 1e-3,
    stride: Annotated[
        int, typer.Option(help="Keep every n-th training and validation window.")
    ] = 1,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, help="CPU threads. Default: all cores; 1 is faster where others use them."
        ),
    ] = None,
    device: Device = None,
    data_dir: DataDir = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="File to save each epoch to, and to resume from.", callback=_file),
    ] = None,
    log_dir: Annotated[
        Path | None, typer.Option(help="Folder for TensorBoard logs.", callback=_folder)
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Write the whole result (history, predictions) as JSON; - is standard output.",
            callback=_file_or_stdout,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train one cell, choose its epoch on validation engines, score it on the test engines."""
    import torch

    from amnl import cmapss
    from amnl.combiners import make_combiner
    from amnl.training import TrainConfig, pick_device
    from amnl.training import train as run
    from amnl.training.model import make_model

    with _plain_errors(USAGE):
        config = TrainConfig(
            subset=subset.strip().upper(),
            preset=preset,
            seed=seed,
            combiner=combiner,
            combiner_settings=_settings(combiner, lam, setting or []),
            rul_unit=rul_unit,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            stride=stride,
        )
        make_model(preset)
        make_combiner(combiner, **config.combiner_settings)
        _check_apart(checkpoint=checkpoint, save=save, log_dir=log_dir)
        if as_json and _is_stdout(save):
            raise ValueError("--json and --save - both write to standard output; take one")
    with _plain_errors():
        if threads:
            torch.set_num_threads(threads)
        where = pick_device(device)
        source = cmapss.find(data_dir, [config.subset])
        _check_spares(_files_of(source), checkpoint=checkpoint, save=save, log_dir=log_dir)
        _keeps_epochs(checkpoint)
        with _progress(epochs) as on_epoch:
            result = run(
                config,
                data_dir,
                device=where,
                checkpoint=checkpoint,
                log_dir=log_dir,
                on_epoch=on_epoch,
            )
        if _is_stdout(save):
            print(json.dumps(result.to_dict(), indent=1, allow_nan=False))
            return
        record = {
            "config": result.to_dict()["config"],
            "metrics": result.metrics,
            "provenance": result.provenance,
        }
        _emit(as_json, record, _summary(result))
        if save:  # last: a disk that is full by now costs no result
            result.save(save)


def _files_of(source: "Source") -> list[Path]:
    """The data's own files, or the zip."""
    from amnl import cmapss

    if source.folder.is_file():
        return [source.folder]
    known = {name.lower() for name in (*cmapss.SHA256, "emulated.json")}
    folder = source.folder.iterdir()
    return [file for file in folder if file.name.lower().removesuffix(".gz") in known]


def _keeps_epochs(checkpoint: Path | None) -> None:
    if checkpoint is None:
        keeps("nothing of this training is kept; --checkpoint FILE keeps each epoch")
        return
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None

    def kept() -> str:
        if not checkpoint.exists():
            return f"no epoch had ended, so nothing is kept in {checkpoint}"
        new = checkpoint.stat().st_mtime_ns != before
        return (
            f"{'the last whole epoch is' if new else 'what was kept before is still'} in "
            f"{checkpoint}; the same command goes on from there"
        )

    keeps(kept)


def _settings(combiner: str, lam: float | None, pairs: list[str]) -> dict[str, Any]:
    from amnl.combiners import FixedWeightLoss, settings_of

    known, settings = settings_of(combiner), {}
    if lam is not None:
        if combiner != "fixed":
            raise ValueError(f"--lam is for the fixed combiner, not {combiner!r}; use --setting")
        if pairs:
            raise ValueError(f"--lam {lam} and --setting {pairs[0]} both set the weights; take one")
        settings = FixedWeightLoss.convex(lam).get_weights()
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            raise ValueError(f"--setting {pair!r}: write name=value")
        try:
            settings[name] = _like(known.get(name), value)
        except ValueError as error:
            raise ValueError(
                f"--setting {pair}: {name} of the combiner {combiner!r} must be {error}, "
                f"got {value!r}"
            ) from None
    return settings


_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _like(default: Any, text: str) -> Any:
    """A setting's value, of the type that its default has. The `ValueError` says which that is."""
    if isinstance(default, str):
        return text
    if isinstance(default, bool):
        if text.lower() not in _WORDS:
            raise ValueError("true or false")
        return _WORDS[text.lower()]
    kind, what = (int, "a whole number") if isinstance(default, int) else (float, "a number")
    try:
        return kind(text)
    except ValueError:
        if isinstance(default, int | float):
            raise ValueError(what) from None
    return _WORDS.get(text.lower(), text)  # a setting without a default tells nothing


def _on_terminal() -> bool:
    """Whether lines can be drawn over. Asked of the terminal, as FORCE_COLOR makes none."""
    return sys.stderr.isatty() and not err.is_dumb_terminal


@contextmanager
def _progress(epochs: int) -> Iterator[Any]:
    """A bar; on something else than a terminal, a line an epoch."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    def text(record: dict[str, Any]) -> str:
        return f"loss {record['loss']:.3f}  validation RMSE {record['val_rmse']:.2f}"

    if not _on_terminal():
        yield lambda record: _say(
            f"epoch {record['epoch']} of {epochs}: {text(record)}, "
            f"{_duration(record['seconds'] * (epochs - record['epoch']))} to go"
        )
        return
    columns = (BarColumn(), MofNCompleteColumn(), Remaining(), TextColumn("{task.description}"))
    with Progress(TextColumn("epoch"), *columns, console=err) as bar:
        task = bar.add_task("", total=epochs)
        yield lambda record: bar.update(task, completed=record["epoch"], description=text(record))


def _summary(result: "RunResult") -> Table:
    c, m, p = result.config, result.metrics, result.provenance
    table = Table(
        title=f"{c.subset}, {c.preset} ({p['parameters']:,} parameters), seed {c.seed}, "
        f"{c.combiner} {c.combiner_settings or ''}".rstrip(),
        caption=f"{p['data']}; {p['seconds']:.0f} s on {p['hardware']}",
    )
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, label in {
        "test_rmse": f"test RMSE, epoch {m['best_epoch']:.0f} (best on validation)",
        "val_rmse": "validation RMSE at that epoch",
        "test_rmse_last": "test RMSE, last epoch",
        "test_rmse_leaked": f"test RMSE, epoch {m['leaked_epoch']:.0f} (best on test: a leak)",
        "test_rmse_uncapped": "test RMSE against uncapped RUL",
        "nasa_score": "NASA score",
        "nasa_score_uncapped": "NASA score against uncapped RUL",
        "health_accuracy": "health accuracy",
        "health_macro_f1": "health macro-F1",
    }.items():
        table.add_row(label, f"{m[name]:.3f}")
    return table


# ------------------------------------------------------------------------------------------- sweep

StoreDir = Annotated[Path, typer.Option(help="Folder of the finished cells.", callback=_folder)]
Family = Annotated[
    str | None,
    typer.Option(help="a to q: a family of the book's protocol, instead of a grid."),
]
Preset = Annotated[
    str, typer.Option(help="Model size: compact, paper, compact-11k, compact-133k or compact-404k.")
]


_OWN = "A problem of your own"
_OR_THE_FILES = "With --module: the file's."
Module = Annotated[
    Path | None,
    typer.Option(
        help="A two-task problem, a Python file as `amnl init` writes it, instead of C-MAPSS: five "
        "λ, five seeds, and a verdict.",
        rich_help_panel=_OWN,
        callback=_place,
    ),
]

# What the grid has and --module has not.
_GRID_ALONE = {"subsets", "preset", "rul_units", "combiner", "setting", "unweighted", "stride"}
_GRID_ALONE |= {"family", "together", "device", "precision", "data_dir", "dry_run"}
_GRID = {"subsets", "lams", "seeds", "rul_units", "combiner", "setting", "unweighted"}
_GRID |= {"epochs", "batch_size", "lr", "stride"}


@app.command(cls=_NamesCombiners)
def sweep(
    context: typer.Context,
    store: StoreDir = Path("runs"),
    subsets: Annotated[str, typer.Option(help="FD001,FD003 or all.")] = "all",
    lams: Annotated[
        str, typer.Option(help="λ of the fixed combiner: 0.3,0.4,0.5. With --module: five.")
    ] = "0.5",
    seeds: Annotated[
        str, typer.Option(help="3 means 0, 1, 2; also 4-9 and 0,5. With --module: how many; 5.")
    ] = "10",
    preset: Preset = "compact",
    rul_units: Annotated[str, typer.Option(help="Cycles: 1,125.")] = "1",
    combiner: Combiner = "fixed",
    setting: Setting = None,
    unweighted: Annotated[bool, typer.Option(help="Do not weigh samples near failure.")] = False,
    epochs: Annotated[int, typer.Option(help=f"Epochs a cell. {_OR_THE_FILES}")] = 40,
    batch_size: Annotated[int, typer.Option(help=f"Windows a step. {_OR_THE_FILES}")] = 256,
    lr: Annotated[float, typer.Option(help=f"Learning rate after warm-up. {_OR_THE_FILES}")] = 1e-3,
    stride: Annotated[
        int | None,
        typer.Option(
            help="Keep every n-th window. Default: 4 on FD001 and FD003, 8 on FD002 and "
            "FD004, as in the protocol."
        ),
    ] = None,
    family: Family = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes of one thread. Default: one a core; with --module, one."),
    ] = None,
    together: Annotated[
        int | None,
        typer.Option(
            min=1, help="Cells side by side as one model. Default: 110 on a GPU, otherwise 1."
        ),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Use this Dask scheduler's workers: tcp://host:8786.")
    ] = None,
    device: Device = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="Products of cells side by side: float32, tf32 or bf16-lstm. Default: tf32 on a "
            "GPU."
        ),
    ] = None,
    data_dir: DataDir = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many cells, how long, how much memory.")
    ] = False,
    module: Module = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="The smallest difference of the metric worth paying for.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for result.json, runs.csv and figure.png.",
            rich_help_panel=_OWN,
            callback=_folder,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a grid of cells into a store, or sweep λ on a problem of your own (--module).

    Run it again to go on where it stopped.
    """
    from amnl import sweep as sweeps

    with _plain_errors(USAGE):
        if workers is not None and workers < 1:
            raise ValueError(f"--workers {workers}: at least one is wanted")
        if workers and scheduler:
            raise ValueError(
                f"--workers {workers} are this machine's; with --scheduler its own workers train: "
                "leave one of the two out"
            )
    if module:
        with _plain_errors(USAGE):
            for name in sorted(_GRID_ALONE):
                if _is_given(context, name):
                    raise ValueError(f"{_flag(name)} is not for --module; leave it out")
            chosen: dict[str, Any] = {"margin": margin} if margin is not None else {}
            chosen |= {"lams": _floats("--lams", lams)} if _is_given(context, "lams") else {}
            if _is_given(context, "seeds"):
                if not seeds.strip().isdecimal() or int(seeds) < 1:
                    raise ValueError(f"--seeds {seeds!r}: with --module, write a number of seeds")
                chosen["seeds"] = int(seeds)
            for name, value in {"epochs": epochs, "batch_size": batch_size, "lr": lr}.items():
                chosen |= {name: value} if _is_given(context, name) else {}
        keeps(f"finished runs are in {store / module.stem}; the same command goes on from there")
        with _plain_errors():
            _check_apart(store=store / module.stem, out=out_dir)
            _sweep_module(module, chosen, store, scheduler, workers, out_dir, as_json)
        return
    with _plain_errors(USAGE):
        for name in ("margin", "out_dir"):
            if _is_given(context, name):
                raise ValueError("--margin and --out go with --module")
        given = [name for name in sorted(_GRID) if _is_given(context, name)]
        if family:
            if given:
                raise ValueError(f"--family {family} has its own grid; leave out {_flag(given[0])}")
            cells = sweeps.family(
                family.strip().lower(), preset if _is_given(context, "preset") else None
            )
        else:
            if "lams" in given and (combiner != "fixed" or setting):
                raise ValueError("--lams is for the fixed combiner without --setting")
            settings: dict[str, Any] = {"preset": preset, "epochs": epochs, "lr": lr}
            settings |= {"batch_size": batch_size, "sample_weighted": not unweighted}
            cells = sweeps.grid(
                _subsets(subsets),
                _seeds(seeds),
                _combiners(combiner, _floats("--lams", lams), setting or []),
                _floats("--rul-units", rul_units),
                **settings,
                **({} if stride is None else {"stride": stride}),
            )
    with _plain_errors(), ExitStack() as stack:
        place = _store_of(store, stack if dry_run else None)
        keeps(lambda: f"{store} holds {len(place)} finished cells; the same command goes on")
        if dry_run:
            cost = sweeps.estimate(
                cells,
                place,
                workers=workers,
                together=together,
                data_dir=data_dir,
                device=device,
                precision=precision,
            )
            record = dataclasses.asdict(cost)
            table = Table(title="dry run: nothing was trained")
            for name in ("cells", "finished", "to run", "workers", "time", "memory"):
                table.add_column(name, justify="right")
            table.add_row(
                f"{cost.cells:,}",
                f"{cost.finished:,}",
                f"{cost.left:,}",
                str(cost.workers),
                _duration(cost.seconds),
                f"{cost.memory / 1e9:.1f} GB",
            )
            _emit(as_json, record, table)
            return
        with _live() as show:
            progress = sweeps.run(
                cells,
                place,
                scheduler=scheduler,
                workers=workers,
                together=together,
                data_dir=data_dir,
                device=device,
                precision=precision,
                on_change=show,
            )
        _emit_sweep(as_json, progress, place)
        if progress.failed:
            raise typer.Exit(1)


def _store_of(folder: Path, dry: ExitStack | None) -> "Store":
    """The store in a folder. Where a dry run finds none, an empty one that is gone at its end."""
    from amnl.sweep import Store

    if dry is None or (folder / "cells").is_dir():
        return Store(folder, make=dry is None)
    return Store(dry.enter_context(TemporaryDirectory()))


def _sweep_module(
    path: Path,
    chosen: dict[str, Any],
    store: Path,
    scheduler: str | None,
    workers: int | None,
    out_dir: Path | None,
    as_json: bool,
) -> None:
    """Sweep the problem in a file; options win over what the file sets."""
    from amnl.sweep import connect
    from amnl.weigh.five_point import five_point_sweep

    # From here: the reader's file may change the working directory.
    kept, place = (store / path.stem).absolute(), out_dir and out_dir.absolute()
    with ExitStack() as stack:
        stack.enter_context(_prints_to_stderr())
        module = _load_module(path)
        known = inspect.signature(five_point_sweep).parameters
        settings = {name: value for name, value in vars(module).items() if name in known}
        settings |= chosen
        wanted = [n for n, p in known.items() if p.default is p.empty and n not in settings]
        if wanted:
            raise ValueError(
                f"{path} has no {wanted[0]}; a problem needs build, losses, metric, train, val and "
                "margin (or --margin). `amnl init` writes one that runs"
            )
        if scheduler or (workers or 1) > 1:
            settings["client"] = stack.enter_context(connect(scheduler, workers or 1))
            import cloudpickle

            cloudpickle.register_pickle_by_value(module)  # workers have no such module
        for name, meant in _nearly(vars(module), set(known)):
            _say(f"note: {path} sets {name}, which no sweep knows. Is {meant} meant?")
        settings |= {"store": kept, "tell": _say}
        with _own_errors(path):
            result = five_point_sweep(**settings)
    if as_json:
        print(json.dumps(result.to_dict(), indent=1, allow_nan=False))
    else:
        out.print(str(result), soft_wrap=True)
    if place is None:
        _say(f"the runs are kept in {store / path.stem}; --out FOLDER draws the figure")
        return
    try:  # last: what cannot be written costs no verdict
        result.save(place)
    except OSError as error:
        raise ValueError(
            f"{out_dir} cannot be written ({error}); the runs are kept in {store / path.stem}, so "
            "the same command with another --out trains nothing again"
        ) from error
    _say(f"result.json, runs.csv and figure.png are in {out_dir}")


def _nearly(own: dict[str, Any], known: set[str]) -> Iterator[tuple[str, str]]:
    """Plain values under names that look like a setting which is not set, and that setting."""
    for name, value in own.items():
        if name in known or not isinstance(value, bool | int | float | str | list | tuple):
            continue
        for meant in difflib.get_close_matches(name, known - own.keys(), n=1, cutoff=0.8):
            yield name, meant


def _say(line: str) -> None:
    err.print(line, soft_wrap=True)


@contextmanager
def _prints_to_stderr() -> Iterator[None]:
    """What the reader's code prints, in this process or in one that it starts, is no result."""
    sys.stdout.flush()
    result = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(result, 1)
        os.close(result)


def _load_module(path: Path) -> ModuleType:
    """Run a Python file as a module, under a name that hides no other."""
    _check_module_name(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; `amnl init {path}` writes a template there")
    name = "_own_" + path.stem.replace(".", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "its name ends in .py"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))  # for what it imports from beside itself
    with _own_errors(path):
        spec.loader.exec_module(module)
    return module


def _check_module_name(path: Path) -> None:
    """What `init` writes can be run: one rule for both."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it: {path / 'my_problem.py'}")
    if path.suffix != ".py":
        raise ValueError(
            f"{path}: the name of a Python file ends in .py; name it {path.with_suffix('.py')}"
        )
    if not path.name.isprintable() or set(path.name) & set('"\\'):
        raise ValueError(f"{path}: a file name without quotation marks and backslashes is wanted")
    places = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    installed = importlib.machinery.PathFinder.find_spec(path.stem, list(places))
    if path.stem in (*sys.stdlib_module_names, "amnl") or (installed and installed.origin):
        raise ValueError(
            f"{path} would hide the module {path.stem}, which Python or a package has by that "
            f"name, from all that import it; name it {path.with_stem('my_' + path.stem)}"
        )


@contextmanager
def _own_errors(path: Path) -> Iterator[None]:
    """An exception from the reader's own files becomes a message that names its line."""
    from amnl.weigh.problem import ProblemError

    try:
        yield
    except ProblemError:
        raise
    except SystemExit as error:
        raise ValueError(
            f"{path} ends the program, by sys.exit({error.code!r}) or the like; what it does as a "
            'script belongs under `if __name__ == "__main__":`'
        ) from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if _is_own(Path(f.filename).resolve())]
        if isinstance(error, SyntaxError) and Path(error.filename or path).is_file():
            line = f", line {error.lineno}" if error.lineno else ""
            raise ValueError(f"{error.filename or path}{line}: {error.msg}") from error
        if not own:
            raise
        file = path if Path(own[-1].filename).resolve() == path.resolve() else own[-1].filename
        where = f"{file}, line {own[-1].lineno}, in {own[-1].name}"
        raise ValueError(f"{where}: {type(error).__name__}: {error}") from error


def _is_own(file: Path) -> bool:
    """Whether a file is the reader's, and not Python's, a package's or this one's."""
    homes = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    foreign = [Path(__file__).resolve().parents[1], *(Path(home).resolve() for home in homes)]
    return file.is_file() and not any(home in file.parents for home in foreign)


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="The file to write, such as my_problem.py.")],
) -> None:
    """Write a two-task problem that runs as it is, for `amnl sweep --module`."""
    from importlib.resources import files

    with _plain_errors():
        path = path.expanduser()
        _check_module_name(path)
        _check_target(path)
        text = files("amnl.weigh").joinpath("my_problem.py").read_text(encoding="utf-8")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text.replace("my_problem.py", shlex.quote(path.name)))
        except FileExistsError:
            raise ValueError(f"{path} is there already; name another file") from None
    command = f"amnl sweep --module {shlex.quote(str(path))}"
    out.print(f"wrote {path}. Next: {command}", soft_wrap=True)


def _emit_sweep(as_json: bool, progress: "Progress", store: "Store") -> None:
    seconds = time.monotonic() - progress.started
    record: dict[str, Any] = {
        "cells": progress.total,
        "found": progress.before,
        "done": progress.done,
        "elsewhere": progress.elsewhere,
        "failed": [message for _, message in progress.failed],
        "seconds": round(seconds, 1),
        "cells_an_hour": round(progress.done / seconds * 3600, 1),
    }
    table = Table(title=f"{progress.total} cells in {store.folder}")
    for name in ("found finished", "trained now", "by another sweep", "failed", "time"):
        table.add_column(name, justify="right")
    table.add_column("cells an hour", justify="right")
    table.add_row(
        *(str(record[k]) for k in ("found", "done", "elsewhere")),
        str(len(progress.failed)),
        _duration(seconds),
        f"{record['cells_an_hour']:.0f}",
    )
    for message in record["failed"]:
        _complain("failed", message)
    _emit(as_json, record, table)


@app.command()
def report(
    store: Annotated[Path, typer.Argument(help="Folder of the finished cells.", callback=_place)],
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Write the rows into this file; - is standard output.", callback=_file_or_stdout
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            help="Write the epochs into this file, one row each; - is standard output.",
            callback=_file_or_stdout,
        ),
    ] = None,
    family: Family = None,
    seeds: Annotated[str, typer.Option(help="Only these: 3 means 0, 1, 2.")] = "all",
    preset: Annotated[
        str | None, typer.Option(help="Model size of the family. Default: the protocol's.")
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Turn a store into a tidy table, one row a finished cell; every record is verified."""
    from amnl import cmapss
    from amnl import sweep as sweeps
    from amnl.training import TrainConfig, recorded

    keeps("the store is as it was, and nothing was written")
    targets = {"csv": csv, "history": history}
    with _plain_errors(USAGE):
        wanted = None if seeds.strip().lower() == "all" else _seeds(seeds)
        family = family and family.strip().lower()
        cells = sweeps.family(family, preset) if family else []
        _check_apart(**targets)
        for name, target in targets.items():
            if as_json and _is_stdout(target):
                raise ValueError(f"--json and {_flag(name)} - both write to standard output")
    with _plain_errors():
        place = sweeps.Store(store, make=False)
        _check_spares(list(store.glob("*/*")), **targets)
        if family:
            source = str(cmapss.find(data_dir))
            paths = [place.path(c, source) for c in cells if wanted is None or c.seed in wanted]
            found = [place.load(path) for path in paths if path.exists()]
            missing = len(paths) - len(found)
        else:
            found = [r for r in place if wanted is None or r.config.seed in wanted]
            missing = 0
        rows = sweeps.to_rows(found)
        if not found and (csv or history):
            raise ValueError(
                f"{store} has none of the cells asked for, so nothing was written to "
                + " and ".join(str(target) for target in targets.values() if target)
            )
        for target, make in ((csv, sweeps.to_rows), (history, sweeps.to_history)):
            if target:
                _write_table(target, make(found))
        failed = [f for f in place.failures() if wanted is None or f["config"]["seed"] in wanted]
        if family:
            grid = [recorded(dataclasses.asdict(c)) for c in cells]
            failed = [f for f in failed if recorded(f["config"]) in grid and f["data"] == source]
        table = Table(title=f"{store}: {len(rows)} finished, {missing} missing, "
                      f"{len(failed)} failed")  # fmt: skip
        shown = ["subset", "preset", "combiner", "rul_unit", "lam", "sample_weighted"]
        hidden = [f.name for f in dataclasses.fields(TrainConfig) if f.name not in shown]
        keys = [*shown, *(name for name in hidden if name != "seed" and name in rows), "data"]
        if len(rows):  # what tells two lines apart is seen; a combiner's settings are by its name
            others = [name for name in keys if name not in (*shown, "combiner_settings")]
            shown += [name for name in others if rows[name].nunique(dropna=False) > 1]
        heads = {"rul_unit": "unit", "lam": "λ", "sample_weighted": "weighted"}
        for name in shown:
            head = heads.get(name, name.replace("_", " "))
            table.add_column(head, justify="right", overflow="fold")
        table.add_column("seeds", justify="right")
        table.add_column("test RMSE", justify="right", no_wrap=True)
        if len(rows):
            for key, group in rows.groupby(keys, dropna=False):
                score = f"{group['test_rmse'].mean():.2f}"
                if len(group) > 1:
                    score += f" ± {group['test_rmse'].std():.2f}"
                of = dict(zip(keys, key, strict=True))
                # λ tells two fixed weights apart, settings two rules of one name.
                if of["lam"] != of["lam"]:
                    settings = json.loads(of["combiner_settings"])
                    of["combiner"] += "".join(f" {k}={v}" for k, v in settings.items())
                values = [str(of[name]) for name in shown]
                table.add_row(*values, str(len(group)), score)
        record = {"rows": len(rows), "missing": missing, "failed": failed}
        record |= {"csv": str(csv or ""), "history": str(history or "")}
        if not any(_is_stdout(target) for target in targets.values()):
            _emit(as_json, record, table)


def _write_table(target: Path, table: "pd.DataFrame") -> None:
    from amnl.files import write_atomically

    text = table.to_csv(index=False)
    if _is_stdout(target):
        print(text, end="")
    else:
        write_atomically(target, text.encode())


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _subsets(text: str) -> tuple[str, ...]:
    from amnl.cmapss import SUBSETS

    return SUBSETS if text.strip().lower() == "all" else tuple(p.upper() for p in _parts(text))


def _seeds(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    try:
        if dash:
            seeds = list(range(int(first), int(last) + 1))
        else:
            seeds = [int(n) for n in _parts(text)] if "," in text else list(range(int(text)))
    except ValueError:
        seeds = []
    if not seeds:
        raise ValueError(f"--seeds {text!r}: write a number above 0, a range 4-9, or 0,5")
    return seeds


def _floats(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in _parts(text)]
    except ValueError as error:
        raise ValueError(f"{option} {text!r}: write numbers with commas between them") from error


def _combiners(
    name: str, lams: list[float], setting: list[str]
) -> list[tuple[str, dict[str, Any]]]:
    if name == "fixed" and not setting:
        return [(name, _settings(name, lam, [])) for lam in lams]
    return [(name, _settings(name, None, setting))]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


@contextmanager
def _live() -> Iterator[Any]:
    """A table that follows a sweep; on something else than a terminal, a line a finished cell."""
    from rich.live import Live

    def table(progress: "Progress") -> Table:
        left = progress.seconds_left
        shown = Table(
            title=f"{progress.left} of {progress.total} cells left, {progress.workers} workers, "
            + (f"{_duration(left)} to go" if left is not None else "time unknown yet")
            + (f", epoch {progress.epoch}" if progress.epoch else "")
        )
        for name in ("subset", "finished now", "running"):
            shown.add_column(name, justify="right")
        for subset in sorted({c.subset for c in (*progress.finished, *progress.running)}):
            done = sum(c.subset == subset for c in progress.finished)
            running = ", ".join(_label(c) for c in progress.running if c.subset == subset)
            shown.add_row(subset, str(done), running)
        if progress.failed:
            shown.caption = f"{len(progress.failed)} failed"
        return shown

    if _on_terminal():
        with Live(console=err, refresh_per_second=2) as live:
            yield lambda progress: live.update(table(progress))
        return
    said = 0

    def say(progress: "Progress") -> None:
        nonlocal said
        for cell in progress.finished[said:]:
            left = progress.seconds_left
            _say(
                f"{cell.subset} {_label(cell)}: done; {progress.left} left, "
                f"{_duration(left or 0)} to go"
            )
        said = len(progress.finished)

    yield say


def _label(cell: "TrainConfig") -> str:
    weight = cell.combiner_settings.get("rul_weight") if cell.combiner == "fixed" else None
    what = cell.combiner if weight is None else f"λ={weight:g}"
    return f"{what} unit={cell.rul_unit:g} seed={cell.seed}"


# ------------------------------------------------------------------------------------------- bench


@app.command()
def bench(
    data_dir: DataDir = None,
    rounds: Annotated[int, typer.Option(help="Counted rounds of each pair.")] = 5,
    as_json: Json = False,
) -> None:
    """Time the loader and the trainer beside their peers, in this run, and print the ratios."""
    from amnl import cmapss
    from amnl.study import bench as benchmarks

    keeps("a benchmark keeps nothing")
    with _plain_errors(USAGE):
        if rounds < 1:
            raise ValueError(f"--rounds {rounds}: at least one is wanted")
    with _plain_errors():
        rows = benchmarks.run(cmapss.find(data_dir), rounds, _say)
        table = Table(title="ours against the peer, in the same run")
        for column in ("what", "ours", "peer", "ratio", "goal"):
            table.add_column(column, justify="left" if column == "what" else "right")
        for row in rows:
            table.add_row(*(str(row[c]) for c in ("what", "ours", "peer", "ratio", "goal")))
        _emit(as_json, {"rows": rows}, table)
