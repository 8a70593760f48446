"""`amnl sweep`: the study's grids of cells."""

import dataclasses
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from amnl.cli.fleet import Own, takes_a_fleet
from amnl.cli.options import (
    BatchSize,
    Combiner,
    DataDir,
    Device,
    Epochs,
    Family,
    Json,
    LearningRate,
    Preset,
    Scheduler,
    Setting,
    StoreDir,
    Unweighted,
    check_workers,
    combiner_settings,
    given,
    is_given,
    parse_floats,
    parse_seeds,
    parse_subsets,
)
from amnl.cli.output import USAGE, complain, duration, emit, plain_errors
from amnl.cli.paths import flag
from amnl.cli.progress import sweep_shown
from amnl.cli.signals import keeps

if TYPE_CHECKING:
    from amnl.runs import Progress
    from amnl.sweep import Estimate, Store
    from amnl.training import TrainConfig

# What makes up a grid. A family of the protocol has its own.
_GRID = ("batch_size", "combiner", "epochs", "lams", "lr", "rul_units", "seeds", "setting",
         "stride", "subsets", "unweighted")  # fmt: skip


@takes_a_fleet
def sweep(
    own: Own,
    context: typer.Context,
    store: StoreDir = Path("runs"),
    subsets: Annotated[str, typer.Option(help="FD001,FD003 or all.")] = "all",
    lams: Annotated[str, typer.Option(help="λ of the fixed combiner: 0.3,0.4,0.5.")] = "0.5",
    seeds: Annotated[str, typer.Option(help="3 means 0, 1, 2; also 4-9 and 0,5.")] = "10",
    preset: Preset = None,
    rul_units: Annotated[str, typer.Option(help="Cycles: 1,125.")] = "1",
    combiner: Combiner = "fixed",
    setting: Setting = None,
    unweighted: Unweighted = False,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    lr: LearningRate = None,
    stride: Annotated[
        int | None,
        typer.Option(
            help="Keep every n-th window. Default: 4 on FD001 and FD003, 8 on FD002 and "
            "FD004, as in the protocol."
        ),
    ] = None,
    family: Family = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes of one thread. Default: one a core.")
    ] = None,
    together: Annotated[
        int | None,
        typer.Option(
            min=1, help="Cells side by side as one model. Default: 110 on a GPU, otherwise 1."
        ),
    ] = None,
    scheduler: Scheduler = None,
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
    module: Annotated[Path | None, typer.Option(hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """Train a grid of cells into a store. Run it again to go on where it stopped."""
    from amnl import sweep as sweeps
    from amnl.study import protocol

    with plain_errors(USAGE):
        if module:
            raise ValueError(f"a problem of your own has its own command: amnl weigh {module}")
        check_workers(workers, scheduler)
        named = subsets if is_given(context, "subsets") else None
        settings = own.settings(subsets=named, family=family, data_dir=data_dir)
        if family:
            if found := [*settings, *(name for name in _GRID if is_given(context, name))]:
                raise ValueError(f"--family {family} has its own grid; leave out {flag(found[0])}")
            cells = protocol.family(family.strip().lower(), preset)
        else:
            if is_given(context, "lams") and (combiner != "fixed" or setting):
                raise ValueError("--lams is for the fixed combiner without --setting")
            weights = (
                parse_floats("--lams", lams) if combiner == "fixed" and not setting else [None]
            )
            cells = sweeps.grid(
                (settings.pop("subset"),) if "subset" in settings else parse_subsets(subsets),
                parse_seeds(seeds),
                [(combiner, combiner_settings(combiner, lam, setting or [])) for lam in weights],
                parse_floats("--rul-units", rul_units),
                sample_weighted=not unweighted,
                **settings,
                **given(preset=preset, epochs=epochs, lr=lr, batch_size=batch_size, stride=stride),
            )
    how: dict[str, Any] = {"workers": workers, "together": together}
    how |= {"device": device, "precision": precision}
    with plain_errors(), ExitStack() as stack:
        how["data_dir"] = own.read() or data_dir
        place = _store_of(store, stack if dry_run else None)
        keeps(lambda: f"{store} holds {len(place)} finished cells; the same command goes on")
        if dry_run:
            _emit_estimate(as_json, sweeps.estimate(cells, place, **how))
            return
        with sweep_shown() as show:
            progress = sweeps.run(cells, place, scheduler=scheduler, on_change=show, **how)
        _emit_sweep(as_json, progress, place)
        if progress.failed:
            raise typer.Exit(1)


def _emit_estimate(as_json: bool, cost: "Estimate") -> None:
    table = Table(title="dry run: nothing was trained")
    for name in ("cells", "finished", "to run", "workers", "time", "memory"):
        table.add_column(name, justify="right")
    table.add_row(
        f"{cost.cells:,}",
        f"{cost.finished:,}",
        f"{cost.left:,}",
        str(cost.workers),
        duration(cost.seconds),
        f"{cost.memory / 1e9:.1f} GB",
    )
    emit(as_json, dataclasses.asdict(cost), table)


def _store_of(folder: Path, dry: ExitStack | None) -> "Store":
    """The store in a folder. Where a dry run finds none, an empty one that is gone at its end."""
    from amnl.sweep import Store

    if dry is None or (folder / "cells").is_dir():
        return Store(folder, make=dry is None)
    return Store(dry.enter_context(TemporaryDirectory()))


def _emit_sweep(as_json: bool, progress: "Progress[TrainConfig]", store: "Store") -> None:
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
        duration(seconds),
        f"{record['cells_an_hour']:.0f}",
    )
    for message in record["failed"]:
        complain("failed", message)
    emit(as_json, record, table)
