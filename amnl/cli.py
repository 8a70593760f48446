"""The command line: `amnl data`, `amnl train`, `amnl bench`.

Progress and errors go to standard error, results to standard output; `--json` prints one JSON
object there and nothing else. A failed command says why in one message and exits with 1.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from amnl.train import RunResult

app = typer.Typer(
    help="Two task losses, one fixed weight: data, training and benchmarks of the book.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with the C-MAPSS files. Default: AMNL_DATA_DIR, then the cache."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what a user can cause into a message and an exit status."""
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:
        err.print(f"[bold red]error:[/] {_escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        err.print("stopped; a run with --checkpoint resumes from its last whole epoch")
        raise typer.Exit(130) from None


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _emit(as_json: bool, record: dict[str, Any], table: Table) -> None:
    if as_json:
        print(json.dumps(record, indent=1, allow_nan=False))
    else:
        out.print(table)


# -------------------------------------------------------------------------------------------- data


@app.command()
def data(
    data_dir: DataDir = None,
    download: Annotated[
        bool, typer.Option(help="Fetch NASA's files (12 MB) into the cache if they are not there.")
    ] = False,
    emulate: Annotated[
        Path | None, typer.Option(help="Write an emulated fleet into this folder and use it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the emulated fleet.")] = 0,
    as_json: Json = False,
) -> None:
    """Find, verify and parse the data; say what they are and what they hold."""
    from amnl import cmapss

    with _plain_errors():
        if emulate:
            from amnl import simulate

            data_dir = simulate.write_all(emulate, seed)
        source = cmapss.find(data_dir, download=download)
        start = time.perf_counter()
        rows = []
        for subset in cmapss.SUBSETS:
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
        table = Table(title=f"{source}\n{_escape(str(source.folder))}; read in {seconds:.2f} s")
        for key in rows[0]:
            table.add_column(key.replace("_", " "), justify="right")
        for row in rows:
            table.add_row(*(f"{v:,}" if isinstance(v, int) else str(v) for v in row.values()))
        found = {"source": str(source), "seconds": round(seconds, 3), "subsets": rows}
        _emit(as_json, found, table)


# ------------------------------------------------------------------------------------------- train


@app.command()
def train(
    subset: Annotated[str, typer.Option(help="FD001, FD002, FD003 or FD004.")] = "FD001",
    preset: Annotated[str, typer.Option(help="Model size: compact or paper.")] = "compact",
    seed: Annotated[int, typer.Option(help="Fixes engine split, weights and batch order.")] = 0,
    combiner: Annotated[str, typer.Option(help="Combiner, by name.")] = "fixed",
    lam: Annotated[
        float | None, typer.Option(help="λ of the fixed combiner: weight of the RUL loss.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option(help="A combiner's setting, name=value; may be repeated.")
    ] = None,
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
        typer.Option(help="CPU threads. Default: all cores; 1 is faster where others use them."),
    ] = None,
    data_dir: DataDir = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="File to save each epoch to, and to resume from.")
    ] = None,
    log_dir: Annotated[Path | None, typer.Option(help="Folder for TensorBoard logs.")] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the whole result (history, predictions) as JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train one cell, choose its epoch on validation engines, score it on the test engines."""
    import torch

    from amnl.train import TrainConfig
    from amnl.train import train as run

    with _plain_errors():
        config = TrainConfig(
            subset=subset,
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
        for path in (save, checkpoint):
            _check_target(path)
        if threads:
            torch.set_num_threads(threads)
        with _progress(epochs) as on_epoch:
            result = run(
                config, data_dir, checkpoint=checkpoint, log_dir=log_dir, on_epoch=on_epoch
            )
        if save:
            result.save(save)
        record = {
            "config": result.to_dict()["config"],
            "metrics": result.metrics,
            "provenance": result.provenance,
        }
        _emit(as_json, record, _summary(result))


def _settings(combiner: str, lam: float | None, pairs: list[str]) -> dict[str, Any]:
    from amnl.combiners import FixedWeightLoss

    settings: dict[str, Any] = {}
    if lam is not None:
        if combiner != "fixed":
            raise ValueError(f"--lam is for the fixed combiner, not {combiner!r}; use --setting")
        settings = FixedWeightLoss.convex(lam).get_weights()
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--setting {pair!r}: write name=value")
        try:
            settings[name] = float(value)
        except ValueError:
            settings[name] = value  # a word, such as normalise=batch
    return settings


def _check_target(path: Path | None) -> None:
    """Fail before training, not after it."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise ValueError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"{path} cannot be written as a file; name another")


@contextmanager
def _progress(epochs: int) -> Iterator[Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (BarColumn(), MofNCompleteColumn(), Remaining(), TextColumn("{task.description}"))
    with Progress(TextColumn("epoch"), *columns, console=err) as bar:
        task = bar.add_task("", total=epochs)

        def on_epoch(record: dict[str, Any]) -> None:
            text = f"loss {record['loss']:.3f}  validation RMSE {record['val_rmse']:.2f}"
            bar.update(task, completed=record["epoch"], description=text)

        yield on_epoch


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


# ------------------------------------------------------------------------------------------- bench


@app.command()
def bench(
    data_dir: DataDir = None,
    rounds: Annotated[int, typer.Option(help="Counted rounds of each pair.")] = 5,
    as_json: Json = False,
) -> None:
    """Time the loader and the trainer beside their peers, in this run, and print the ratios."""
    from amnl import bench as benchmarks
    from amnl import cmapss

    with _plain_errors():
        rows = benchmarks.run(cmapss.find(data_dir), rounds, err.print)
        table = Table(title="ours against the peer, in the same run")
        for column in ("what", "ours", "peer", "ratio", "goal"):
            table.add_column(column, justify="left" if column == "what" else "right")
        for row in rows:
            table.add_row(*(str(row[c]) for c in ("what", "ours", "peer", "ratio", "goal")))
        _emit(as_json, {"rows": rows}, table)


def main() -> None:
    """Entry point of the `amnl` command."""
    app()


if __name__ == "__main__":
    main()
