"""`amnl weigh`: which weights for the losses of a problem of the reader's own?"""

import difflib
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from amnl.cli.module import errors_of, load_module, prints_to_stderr
from amnl.cli.options import Json, Scheduler, StoreDir, check_workers, given, parse_floats
from amnl.cli.output import USAGE, out, plain_errors, say
from amnl.cli.paths import check_apart, expanded, writable_folder
from amnl.cli.signals import keeps

_OR_THE_FILES = "Default: the file's, or that of `amnl.weigh.weigh_losses`."


def weigh(
    problem: Annotated[
        Path,
        typer.Argument(
            help="A problem of two losses or more: a Python file as `amnl init` writes it, or one "
            "with train(weights, seed), a training loop of your own.",
            callback=expanded,
        ),
    ],
    margin: Annotated[
        float | None,
        typer.Option(help="The smallest difference of the metric worth paying for."),
    ] = None,
    lams: Annotated[
        str | None,
        typer.Option(help="The λ of a plain sweep: 0.3,0.5,0.7. Default: five. Implies --plain."),
    ] = None,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Sweep λ of two losses in their own units; balance nothing."),
    ] = False,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many seeds. Default: five.")] = None,
    epochs: Annotated[int | None, typer.Option(help=f"Epochs a run. {_OR_THE_FILES}")] = None,
    batch_size: Annotated[int | None, typer.Option(help=f"Rows a step. {_OR_THE_FILES}")] = None,
    lr: Annotated[float | None, typer.Option(help=f"Learning rate. {_OR_THE_FILES}")] = None,
    store: StoreDir = Path("runs"),
    workers: Annotated[
        int | None, typer.Option(help="Processes of one thread. Default: one.")
    ] = None,
    scheduler: Scheduler = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for result.json, runs.csv and figure.png.",
            callback=writable_folder,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Weigh the losses of your own problem: your weights, balanced ones, or the primary alone?

    It measures how hard each loss pulls, sweeps the primary one's share of the pull from five
    seeds, and says of each other loss whether it helps, is harmless or harms. Run it again to go
    on where it stopped.
    """
    with plain_errors(USAGE):
        check_workers(workers, scheduler)
        chosen = given(margin=margin, seeds=seeds, epochs=epochs, batch_size=batch_size, lr=lr)
        if lams is not None:
            chosen["lams"] = parse_floats("--lams", lams)
    kept_in = store / problem.stem
    keeps(f"finished runs are in {kept_in}; the same command goes on from there")
    with plain_errors(), ExitStack() as stack:
        check_apart(store=kept_in, out=out_dir)
        # From here: the reader's file may change the working directory.
        absolute, place = kept_in.absolute(), out_dir and out_dir.absolute()
        stack.enter_context(prints_to_stderr())
        module = load_module(problem)
        weigh_it = _way(module, plain or "lams" in chosen)
        settings = _settings_of(problem, module, chosen, weigh_it)
        if scheduler or (workers or 1) > 1:
            if "build" not in settings:
                raise ValueError("train() is called in this process; leave --workers out")
            settings["client"] = _client(stack, module, scheduler, workers)
        with errors_of(problem):
            result = weigh_it(**settings, store=absolute, tell=say)
        stack.close()  # what is printed from here on is the result
        if as_json:
            print(json.dumps(result.to_dict(), indent=1, allow_nan=False))
        else:
            out.print(str(result), soft_wrap=True)
        if place is None:
            say(f"the runs are kept in {kept_in}; --out FOLDER draws the figure")
            return
        try:  # last: what cannot be written costs no verdict
            result.save(place)
        except OSError as error:
            raise ValueError(
                f"{out_dir} cannot be written ({error}); the runs are kept in {kept_in}, so "
                "the same command with another --out trains nothing again"
            ) from error
        say(f"result.json, runs.csv and figure.png are in {out_dir}")


def _way(module: ModuleType, plain: bool) -> Callable[..., Any]:
    """What the file asks for: a training loop of its own, a plain sweep of λ, or all losses."""
    from amnl.weigh import five_point_sweep, weigh_callable, weigh_losses

    own = vars(module)
    if inspect.isfunction(own.get("train")):
        if plain:
            raise ValueError(
                "--plain and --lams sweep λ of a problem with build, losses and metric; train() is "
                "a training loop of your own, whose weights are swept in its units anyway"
            )
        return weigh_callable
    return five_point_sweep if plain or "lams" in own or "combiner" in own else weigh_losses


_LOOP = "a training loop of your own, train(weights, seed), needs a margin (or --margin) beside it"
_PROBLEM = (
    "a problem needs build, losses, metric, train, val and margin (or --margin). `amnl init` "
    "writes one that runs"
)


def _settings_of(
    path: Path, module: ModuleType, chosen: dict[str, Any], weigh_it: Callable[..., Any]
) -> dict[str, Any]:
    """What the file sets, and over it what the command line does."""
    known = inspect.signature(weigh_it).parameters
    loop = "build" not in known
    for name in chosen.keys() - known.keys():
        raise ValueError(
            f"--{name.replace('_', '-')} is for a problem with build, losses and metric; your own "
            "train() decides that itself"
        )
    settings = {name: value for name, value in vars(module).items() if name in known} | chosen
    settings = {k: v for k, v in settings.items() if k not in ("store", "tell")}
    wanted = [n for n, p in known.items() if p.default is p.empty and n not in settings]
    if wanted:
        raise ValueError(f"{path} has no {wanted[0]}; {_LOOP if loop else _PROBLEM}")
    for name, meant in _nearly(vars(module), set(known)):
        say(f"note: {path} sets {name}, which no sweep knows. Is {meant} meant?")
    return settings


def _client(
    stack: ExitStack, module: ModuleType, scheduler: str | None, workers: int | None
) -> Any:
    from amnl.runs import connect

    client = stack.enter_context(connect(scheduler, workers or 1))
    import cloudpickle

    cloudpickle.register_pickle_by_value(module)  # workers have no such module
    return client


def _nearly(own: dict[str, Any], known: set[str]) -> Iterator[tuple[str, str]]:
    """Plain values under names that look like a setting which is not set, and that setting."""
    for name, value in own.items():
        if name in known or not isinstance(value, bool | int | float | str | list | tuple):
            continue
        for meant in difflib.get_close_matches(name, known - own.keys(), n=1, cutoff=0.8):
            yield name, meant
