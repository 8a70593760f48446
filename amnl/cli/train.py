"""`amnl train`: one cell."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from amnl.cli.options import (
    BatchSize,
    Combiner,
    DataDir,
    Device,
    Epochs,
    Json,
    LearningRate,
    Preset,
    Setting,
    Unweighted,
    combiner_settings,
    given,
)
from amnl.cli.output import USAGE, emit, plain_errors
from amnl.cli.paths import (
    check_apart,
    check_spares,
    is_stdout,
    writable_file,
    writable_file_or_stdout,
    writable_folder,
)
from amnl.cli.progress import epochs_shown
from amnl.cli.signals import keeps

if TYPE_CHECKING:
    from amnl.cmapss import Source
    from amnl.training import RunResult


def train(
    subset: Annotated[str | None, typer.Option(help="FD001, FD002, FD003 or FD004.")] = None,
    preset: Preset = None,
    seed: Annotated[
        int | None, typer.Option(help="Fixes engine split, weights and batch order.")
    ] = None,
    combiner: Combiner = "fixed",
    lam: Annotated[
        float | None, typer.Option(help="λ of the fixed combiner: weight of the RUL loss.")
    ] = None,
    setting: Setting = None,
    rul_unit: Annotated[
        float | None, typer.Option(help="Cycles; divides the RUL error before squaring.")
    ] = None,
    unweighted: Unweighted = False,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    lr: LearningRate = None,
    stride: Annotated[
        int | None, typer.Option(help="Keep every n-th training and validation window.")
    ] = None,
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
        typer.Option(
            help="File to save each epoch to, and to resume from.", callback=writable_file
        ),
    ] = None,
    log_dir: Annotated[
        Path | None, typer.Option(help="Folder for TensorBoard logs.", callback=writable_folder)
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Write the whole result (history, predictions) as JSON; - is standard output.",
            callback=writable_file_or_stdout,
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder to keep the model in, for `amnl predict`, and to go on from.",
            callback=writable_folder,
        ),
    ] = None,
    cross: Annotated[
        bool,
        typer.Option(
            "--cross", help="Judge the model by all training engines: five trainings, not one."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train one cell, choose its epoch on validation engines, score it on the test engines."""
    import torch

    from amnl import cmapss, training
    from amnl.combiners import make_combiner
    from amnl.training.model import make_model

    with plain_errors(USAGE):
        config = training.TrainConfig(
            combiner=combiner,
            combiner_settings=combiner_settings(combiner, lam, setting or []),
            sample_weighted=not unweighted,
            **given(
                subset=subset and subset.strip().upper(),
                preset=preset,
                seed=seed,
                rul_unit=rul_unit,
                epochs=epochs,
                batch_size=batch_size,
                lr=lr,
                stride=stride,
            ),
        )
        make_model(config.preset)
        make_combiner(combiner, **config.combiner_settings)
        if model and checkpoint:
            raise ValueError("--model keeps each epoch in its folder; leave --checkpoint out")
        if cross and not model:
            raise ValueError("--cross judges a model that is kept; name its folder with --model")
        check_apart(checkpoint=checkpoint, save=save, log_dir=log_dir, model=model)
        if as_json and is_stdout(save):
            raise ValueError("--json and --save - both write to standard output; take one")
    with plain_errors():
        if threads:
            torch.set_num_threads(threads)
        where = training.pick_device(device)
        source = cmapss.find(data_dir, [config.subset])
        check_spares(_files_of(source), checkpoint=checkpoint, save=save, log_dir=log_dir)
        _keeps_epochs(model / "training-0.pt" if model else checkpoint)
        with epochs_shown(config.epochs) as on_epoch:
            fit: dict[str, Any] = {"device": where, "log_dir": log_dir, "on_epoch": on_epoch}
            if model:
                from amnl.predict import train_model

                result = train_model(config, source, model, cross=cross, **fit)
            else:
                result = training.train(config, data_dir, checkpoint=checkpoint, **fit)
        if is_stdout(save):
            print(json.dumps(result.to_dict(), indent=1, allow_nan=False))
            return
        record = {
            "config": result.to_dict()["config"],
            "metrics": result.metrics,
            "provenance": result.provenance,
        }
        emit(as_json, record, _summary(result))
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
