"""`amnl predict`: the remaining life of new engines, by a saved model."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from amnl.cli.options import Json
from amnl.cli.output import USAGE, emit, plain_errors
from amnl.cli.paths import check_spares, is_stdout, writable_file_or_stdout

if TYPE_CHECKING:
    import pandas as pd

    from amnl.predict import Predictor


def predict(
    model: Annotated[Path, typer.Argument(help="Folder that `amnl train --model` wrote.")],
    file: Annotated[
        Path,
        typer.Argument(
            help="New engines, a row a cycle: NASA's 26 columns, or CSV with a header; or .gz."
        ),
    ],
    every: Annotated[
        int | None,
        typer.Option(min=1, help="Predict every so many cycles. Default: each engine's last."),
    ] = None,
    level: Annotated[
        float, typer.Option(help="How often the interval is to hold the true life.")
    ] = 0.9,
    unit: Annotated[
        str | None, typer.Option(help="Column that names the engine. Default: as in training.")
    ] = None,
    cycle: Annotated[
        str | None, typer.Option(help="Column that counts its cycles. Default: as in training.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the rows as CSV; - is standard output.", callback=writable_file_or_stdout
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict the remaining life of new engines, in cycles, with an interval."""
    from amnl import predict as room
    from amnl.predict.conformal import check_level

    with plain_errors(USAGE):
        check_level(level)
        if as_json and is_stdout(out):
            raise ValueError("--json and --out - both write to standard output; take one")
    with plain_errors():
        check_spares([file, *(model.iterdir() if model.is_dir() else ())], out=out)
        predictor = room.load_predictor(model)
        rows = predictor.predict(file, every=every, level=level, unit=unit, cycle=cycle)
        if out is not None:
            text = rows.to_csv(index=False, lineterminator="\n")
            if is_stdout(out):
                print(text, end="")
                return
            from amnl.files import write_atomically

            write_atomically(out, text.encode())
        emit(as_json, _record(predictor, rows, level), _table(predictor, rows, level))


def _record(predictor: "Predictor", rows: "pd.DataFrame", level: float) -> dict[str, object]:
    plain = json.loads(rows.to_json(orient="records", double_precision=15))  # infinite: null
    return {
        "level": level,
        "cap": predictor.inputs.cap,
        "calibration": predictor.calibration.kind,
        "calibration_engines": predictor.calibration.engines,
        "predictions": plain,
    }


def _table(predictor: "Predictor", rows: "pd.DataFrame", level: float) -> Table:
    judged, config = predictor.calibration, predictor.config
    table = Table(
        title=f"Remaining life in cycles, by a {config.preset} network trained on {config.subset}",
        caption=f"The interval is to hold the true life of {100 * level:g} % of new engines, at a "
        f"moment drawn from their lives; judged by {judged.engines} engines that did not train "
        f"({judged.kind}). The network knows no life beyond {predictor.inputs.cap:g} cycles.",
    )
    marked = bool((rows["marks"] != "").any())
    names = [name for name in rows if name not in ("low", "high") and (marked or name != "marks")]
    for name in names:
        right = name in ("rul", "interval", names[1])
        head = f"{100 * level:g} % interval" if name == "interval" else name
        table.add_column(head, justify="right" if right else "left")
    for row in rows[names].itertuples(index=False):
        cells = [f"{x:.1f}" if isinstance(x, float) and math.isfinite(x) else str(x) for x in row]
        table.add_row(*cells)
    return table
