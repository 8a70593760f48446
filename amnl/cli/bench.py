"""`amnl bench`: ours beside the peer."""

from typing import Annotated

import typer
from rich.table import Table

from amnl.cli.options import DataDir, Json
from amnl.cli.output import USAGE, emit, plain_errors, say
from amnl.cli.signals import keeps


def bench(
    data_dir: DataDir = None,
    rounds: Annotated[int, typer.Option(help="Counted rounds of each pair.")] = 5,
    as_json: Json = False,
) -> None:
    """Time the loader and the trainer beside their peers, in this run, and print the ratios."""
    from amnl import cmapss
    from amnl.study import bench as benchmarks

    keeps("a benchmark keeps nothing")
    with plain_errors(USAGE):
        if rounds < 1:
            raise ValueError(f"--rounds {rounds}: at least one is wanted")
    with plain_errors():
        rows = benchmarks.run(cmapss.find(data_dir), rounds, say)
        table = Table(title="ours against the peer, in the same run")
        for column in ("what", "ours", "peer", "ratio", "goal"):
            table.add_column(column, justify="left" if column == "what" else "right")
        for row in rows:
            table.add_row(*(str(row[c]) for c in ("what", "ours", "peer", "ratio", "goal")))
        emit(as_json, {"rows": rows}, table)
