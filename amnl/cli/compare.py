"""`amnl compare`: which method is better, in a table of anybody's?"""

from io import BytesIO
from pathlib import Path
from typing import Annotated

import typer

from amnl.cli.options import Json
from amnl.cli.output import USAGE, out, plain_errors, say
from amnl.cli.paths import check_spares, expanded, writable_file

_PICTURES = (".png", ".svg", ".pdf")


def compare(
    rows: Annotated[
        Path,
        typer.Argument(help="CSV file, one score a row: rows.csv.", callback=expanded),
    ],
    by: Annotated[list[str], typer.Option(help="Column that names the method; may be repeated.")],
    score: Annotated[str, typer.Option(help="Column of the scores.")],
    seed: Annotated[
        str, typer.Option(help="Column that pairs them: seeds, folds, patients.")
    ] = "seed",
    group: Annotated[
        list[str] | None,
        typer.Option(help="Column of groups that are compared each by itself; may be repeated."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="Compare all others with this method. Default: every two."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="The smallest difference that matters. Default: equivalence is not asked."
        ),
    ] = None,
    better: Annotated[
        str, typer.Option(help="Which scores are better: lower or higher.")
    ] = "lower",
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Draw the differences into this .png, .svg or .pdf.", callback=writable_file
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the methods of a table seed by seed: which is better, which are the same.

    Exact tests, corrected together; intervals; and what so few seeds could not have shown.
    """
    with plain_errors(USAGE):
        if figure is not None and figure.suffix.lower() not in _PICTURES:
            raise ValueError(f"--figure {figure}: its name must end in {', '.join(_PICTURES)}")
        check_spares([rows], figure=figure)
    with plain_errors():
        from amnl.compare import compare as compared
        from amnl.compare import read_table

        table = read_table(rows)
        try:
            found = compared(table, by, score, seed, group, margin, better, reference)  # type: ignore[arg-type]
        except ValueError as error:
            raise ValueError(f"{rows}: {error}") from error
        if as_json:
            print(found.to_json())
        else:
            out.print(str(found), soft_wrap=True)
        if figure is not None:
            from amnl.files import write_atomically

            drawn, picture = BytesIO(), found.figure()
            picture.savefig(drawn, format=figure.suffix[1:].lower())
            write_atomically(figure, drawn.getvalue())
            say(f"the figure is in {figure}")
