"""`amnl init`: a problem to begin with."""

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from amnl.cli.module import check_module_name
from amnl.cli.output import out, plain_errors
from amnl.cli.paths import check_target


def init(
    path: Annotated[Path, typer.Argument(help="The file to write, such as my_problem.py.")],
) -> None:
    """Write a problem of two losses that runs as it is, for `amnl weigh`."""
    with plain_errors():
        path = path.expanduser()
        check_module_name(path)
        check_target(path)
        text = files("amnl.weigh").joinpath("template.py").read_text(encoding="utf-8")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text.replace("my_problem.py", shlex.quote(path.name)))
        except FileExistsError:
            raise ValueError(f"{path} is there already; name another file") from None
    command = f"amnl weigh {shlex.quote(str(path))}"
    out.print(f"wrote {path}. Next: {command}", soft_wrap=True)
