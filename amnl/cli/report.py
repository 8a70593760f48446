"""`amnl report`: a store as a table."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from amnl.cli.options import DataDir, Family, Json, parse_seeds
from amnl.cli.output import USAGE, emit, plain_errors
from amnl.cli.paths import (
    check_apart,
    check_spares,
    expanded,
    flag,
    is_stdout,
    writable_file_or_stdout,
)
from amnl.cli.signals import keeps

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ["subset", "preset", "combiner", "rul_unit", "lam", "sample_weighted"]
_HEADS = {"rul_unit": "unit", "lam": "λ", "sample_weighted": "weighted"}


def report(
    store: Annotated[Path, typer.Argument(help="Folder of the finished cells.", callback=expanded)],
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Write the rows into this file; - is standard output.",
            callback=writable_file_or_stdout,
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            help="Write the epochs into this file, one row each; - is standard output.",
            callback=writable_file_or_stdout,
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
    from amnl.study import protocol
    from amnl.training import recorded

    keeps("the store is as it was, and nothing was written")
    targets = {"csv": csv, "history": history}
    with plain_errors(USAGE):
        wanted = None if seeds.strip().lower() == "all" else parse_seeds(seeds)
        family = family and family.strip().lower()
        cells = protocol.family(family, preset) if family else []
        check_apart(**targets)
        for name, target in targets.items():
            if as_json and is_stdout(target):
                raise ValueError(f"--json and {flag(name)} - both write to standard output")
    with plain_errors():
        place = sweeps.Store(store, make=False)
        check_spares(list(store.glob("*/*")), **targets)
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
        table = _table(rows)
        table.title = f"{store}: {len(rows)} finished, {missing} missing, {len(failed)} failed"
        record = {"rows": len(rows), "missing": missing, "failed": failed}
        record |= {"csv": str(csv or ""), "history": str(history or "")}
        if not any(is_stdout(target) for target in targets.values()):
            emit(as_json, record, table)


def _table(rows: "pd.DataFrame") -> Table:
    """A line for each kind of cell: the settings that tell it from others, seeds and test RMSE."""
    from amnl.training import TrainConfig

    shown = list(_SHOWN)
    hidden = [f.name for f in dataclasses.fields(TrainConfig) if f.name not in shown]
    keys = [*shown, *(name for name in hidden if name != "seed" and name in rows), "data"]
    if len(rows):  # what tells two lines apart is seen; a combiner's settings are by its name
        others = [name for name in keys if name not in (*shown, "combiner_settings")]
        shown += [name for name in others if rows[name].nunique(dropna=False) > 1]
    table = Table()
    for name in shown:
        head = _HEADS.get(name, name.replace("_", " "))
        table.add_column(head, justify="right", overflow="fold")
    table.add_column("seeds", justify="right")
    table.add_column("test RMSE", justify="right", no_wrap=True)
    for key, group in rows.groupby(keys, dropna=False) if len(rows) else ():
        score = f"{group['test_rmse'].mean():.2f}"
        if len(group) > 1:
            score += f" ± {group['test_rmse'].std():.2f}"
        of = dict(zip(keys, key, strict=True))
        # λ tells two fixed weights apart, settings two rules of one name.
        if of["lam"] != of["lam"]:
            settings = json.loads(of["combiner_settings"])
            of["combiner"] += "".join(f" {k}={v}" for k, v in settings.items())
        table.add_row(*(str(of[name]) for name in shown), str(len(group)), score)
    return table


def _write_table(target: Path, table: "pd.DataFrame") -> None:
    from amnl.files import write_atomically

    text = table.to_csv(index=False)
    if is_stdout(target):
        print(text, end="")
    else:
        write_atomically(target, text.encode())
