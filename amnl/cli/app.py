"""The commands, put together."""

from typing import Annotated

import typer

from amnl.cli.bench import bench
from amnl.cli.data import data
from amnl.cli.init import init
from amnl.cli.options import ModelCommand
from amnl.cli.predict import predict
from amnl.cli.report import report
from amnl.cli.sweep import sweep
from amnl.cli.train import train
from amnl.cli.weigh import weigh

app = typer.Typer(
    help="Two task losses, one fixed weight: data, training and benchmarks of the book.",
    epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C, 143 by SIGTERM.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (data, train, predict, sweep, report, init, weigh, bench):
    app.command(cls=ModelCommand if command in (train, sweep) else None)(command)


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
