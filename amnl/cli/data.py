"""`amnl data`: find, verify, parse; download or emulate."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from amnl.cli.options import DataDir, Json, is_given
from amnl.cli.output import emit, plain_errors, say
from amnl.cli.paths import writable_file, writable_folder

if TYPE_CHECKING:
    from amnl.cmapss import Source


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
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Write the training engines of the first subset there is as CSV with a header.",
            callback=writable_file,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find, verify and parse the data; say what they are and what they hold."""
    from amnl import cmapss
    from amnl.files import write_atomically

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
        if csv:
            write_atomically(csv, _with_header(source).encode())
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


def _with_header(source: "Source") -> str:
    """Training engines as the text of a CSV file: unit, cycle, settings, sensors."""
    import pandas as pd

    from amnl import cmapss
    from amnl.cmapss.layout import SETTINGS

    fleet = cmapss.read(source, source.subsets[0], "train")
    table = pd.DataFrame(fleet.values, columns=[*SETTINGS, *(f"s{n}" for n in range(1, 22))])
    table.insert(0, "unit", fleet.engine + 1)
    table.insert(1, "cycle", fleet.cycle)
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text
