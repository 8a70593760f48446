"""`amnl data`: find, verify, parse; download or emulate."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from amnl.cli.options import DataDir, Json, is_given
from amnl.cli.output import emit, plain_errors, say
from amnl.cli.paths import writable_folder


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
        typer.Option(
            help="Write an emulated fleet into this folder and use it.", callback=writable_folder
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the emulated fleet.")] = 0,
    as_json: Json = False,
) -> None:
    """Find, verify and parse the data; say what they are and what they hold."""
    from amnl import cmapss

    with plain_errors():
        if emulate:
            from amnl.cmapss import emulator

            if data_dir or download:
                other = "--data-dir" if data_dir else "--download"
                raise ValueError(f"--emulate writes a fleet and uses it; leave out {other}")
            data_dir = emulator.write_all(emulate, seed)
        elif is_given(context, "seed"):
            raise ValueError(f"--seed {seed} is of the emulated fleet; it goes with --emulate")
        source = cmapss.find(data_dir, download=download)
        if download and (data_dir or os.environ.get("AMNL_DATA_DIR")):
            say(f"note: {cmapss.obeyed(data_dir)}")
        elif download and source.kind == "emulator":
            say(f"note: the cache holds an emulated fleet; delete {source.folder} to download")
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
        emit(as_json, found, table)
