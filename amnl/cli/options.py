"""Options that several commands have, and how their text is read."""

import dataclasses
import inspect
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from amnl.cli.paths import writable_folder

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder or zip of the C-MAPSS files. Default: AMNL_DATA_DIR, then the cache."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda or cuda:1. Default: a GPU where there is one, else the CPU."),
]


StoreDir = Annotated[
    Path, typer.Option(help="Folder of the finished cells.", callback=writable_folder)
]
Family = Annotated[
    str | None,
    typer.Option(help="a to q: a family of the book's protocol, instead of a grid."),
]
# Without a value, `TrainConfig` has the default.
Preset = Annotated[
    str | None,
    typer.Option(help="Model size: compact, paper, compact-11k, compact-133k or compact-404k."),
]
Epochs = Annotated[int | None, typer.Option(help="Epochs to train.")]
BatchSize = Annotated[int | None, typer.Option(help="Windows a step.")]
LearningRate = Annotated[float | None, typer.Option("--lr", help="Learning rate after warm-up.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Use this Dask scheduler's workers: tcp://host:8786.")
]
Unweighted = Annotated[
    bool, typer.Option("--unweighted", help="Do not weigh samples near failure.")
]
Combiner = Annotated[str, typer.Option(help="Combiner, by name; they are listed below.")]
Setting = Annotated[
    list[str] | None, typer.Option(help="A combiner's setting, name=value; may be repeated.")
]


class ModelCommand(TyperCommand):
    """A command whose help lists the combiners and the defaults of `TrainConfig`.

    Both cost the import of PyTorch, so they are looked up when the help is read.
    """

    def format_help(self, *arguments: Any) -> None:
        from amnl import combiners
        from amnl.training import TrainConfig

        defaults = {field.name: field.default for field in dataclasses.fields(TrainConfig)}
        for option in self.params:
            if not isinstance(option, TyperOption) or option.name not in defaults:
                continue
            if option.default is None and "Default:" not in (option.help or ""):
                option.help = f"{option.help} Default: {defaults[option.name]}."
        lines = ["Combiners, with their settings for --setting:"]
        for name in combiners.names():
            known = combiners.settings_of(name).items()
            listed = ", ".join(k if d is inspect.Parameter.empty else f"{k}={d}" for k, d in known)
            lines.append(f"{name}: {listed or 'no settings'}")
        self.epilog = "\n\n".join(lines)
        super().format_help(*arguments)


def check_workers(workers: int | None, scheduler: str | None) -> None:
    """Raises `ValueError` for no workers, and for this machine's where others train."""
    if workers is not None and workers < 1:
        raise ValueError(f"--workers {workers}: at least one is wanted")
    if workers and scheduler:
        raise ValueError(
            f"--workers {workers} are this machine's; with --scheduler its own workers train: "
            "leave one of the two out"
        )


def given(**options: Any) -> dict[str, Any]:
    """The options that have a value."""
    return {name: value for name, value in options.items() if value is not None}


def combiner_settings(combiner: str, lam: float | None, pairs: list[str]) -> dict[str, Any]:
    from amnl.combiners import FixedWeightLoss, settings_of

    known, settings = settings_of(combiner), {}
    if lam is not None:
        if combiner != "fixed":
            raise ValueError(f"--lam is for the fixed combiner, not {combiner!r}; use --setting")
        if pairs:
            raise ValueError(f"--lam {lam} and --setting {pairs[0]} both set the weights; take one")
        settings = FixedWeightLoss.convex(lam).get_weights()
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            raise ValueError(f"--setting {pair!r}: write name=value")
        try:
            settings[name] = _like(known.get(name), value)
        except ValueError as error:
            raise ValueError(
                f"--setting {pair}: {name} of the combiner {combiner!r} must be {error}, "
                f"got {value!r}"
            ) from None
    return settings


_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _like(default: Any, text: str) -> Any:
    """A setting's value, of the type that its default has. The `ValueError` says which that is."""
    if isinstance(default, str):
        return text
    if isinstance(default, bool):
        if text.lower() not in _WORDS:
            raise ValueError("true or false")
        return _WORDS[text.lower()]
    kind, what = (int, "a whole number") if isinstance(default, int) else (float, "a number")
    try:
        return kind(text)
    except ValueError:
        if isinstance(default, int | float):
            raise ValueError(what) from None
    return _WORDS.get(text.lower(), text)  # a setting without a default tells nothing


def is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def parse_subsets(text: str) -> tuple[str, ...]:
    from amnl.cmapss import SUBSETS

    return SUBSETS if text.strip().lower() == "all" else tuple(p.upper() for p in _parts(text))


def parse_seeds(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    try:
        if dash:
            seeds = list(range(int(first), int(last) + 1))
        else:
            seeds = [int(n) for n in _parts(text)] if "," in text else list(range(int(text)))
    except ValueError:
        seeds = []
    if not seeds:
        raise ValueError(f"--seeds {text!r}: write a number above 0, a range 4-9, or 0,5")
    return seeds


def parse_floats(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in _parts(text)]
    except ValueError as error:
        raise ValueError(f"{option} {text!r}: write numbers with commas between them") from error
