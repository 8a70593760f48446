"""A reader's own fleet on the command line: options that several commands share."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amnl.cli.options import given
from amnl.cli.paths import expanded, flag

if TYPE_CHECKING:
    from amnl.cmapss import OwnFleet

_TAB = {r"\t": "\t", "tab": "\t"}  # as a shell lets it be typed
_FRAMING = ("window", "cap", "degrading", "critical")  # settings of NASA's data, too


@dataclass(frozen=True)
class Own:
    """What `takes_a_fleet` adds to a command's options, as the reader gave them."""

    options: dict[str, Any]

    @property
    def files(self) -> list[Path]:
        """What is read."""
        return [self.options["fleet"]] if self.options.get("fleet") else []

    def settings(self, **nasas: Any) -> dict[str, Any]:
        """Fields of `TrainConfig`. Raises `ValueError` for options that go without each other.

        `nasas` are the command's options that name other data.
        """
        from amnl.cmapss import OWN

        framing = {name: self.options[name] for name in _FRAMING if name in self.options}
        others = [name for name in self.options if name not in (*_FRAMING, "fleet")]
        if not self.files:
            if others:
                raise ValueError(f"{flag(others[0])} is of a table of your own: --fleet FILE")
            return framing
        if also := given(**nasas):
            raise ValueError(f"--fleet brings its own data; leave out {flag(next(iter(also)))}")
        if missing := [name for name in ("unit", "cycle") if name not in others]:
            raise ValueError(
                f"--fleet {self.files[0]}: say which column is which: "
                f"{' and '.join(flag(name) for name in missing)} COLUMN"
            )
        return {"subset": OWN, **framing}

    def read(self) -> "OwnFleet | None":
        """The fleet, where one is named. Raises `DataError` as `Fleet.from_frame`."""
        from amnl.cmapss import Fleet, read_table

        if not self.files:
            return None
        how = {name: value for name, value in self.options.items() if name not in _FRAMING}
        separator = how.pop("separator", ",")
        table = read_table(how.pop("fleet"), _TAB.get(separator, separator))
        for name in ("features", "conditions"):
            if name in how:
                how[name] = [part.strip() for part in how[name].split(",")]
        return Fleet.from_frame(table, how.pop("unit"), how.pop("cycle"), **how)


def takes_a_fleet(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `_options`; it gets them together, as `own`."""
    added = inspect.signature(_options).parameters
    kept = {k: p for k, p in inspect.signature(command).parameters.items() if k != "own"}

    @functools.wraps(command)
    def with_fleet(**options: Any) -> None:
        mine = given(**{name: options.pop(name) for name in added})
        command(own=Own(mine), **options)

    parameters = [*kept.values(), *added.values()]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    with_fleet.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_fleet.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_fleet


def _option(help_text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=_PANEL, **more)


_PANEL = "A fleet of your own"


def _options(
    fleet: Annotated[
        Path | None,
        _option(
            "CSV file of your own run-to-failure table: a header, a row a unit and cycle.",
            callback=expanded,
        ),
    ] = None,
    unit: Annotated[str | None, _option("Its column that names the engine.")] = None,
    cycle: Annotated[str | None, _option("Its column that counts the cycles of a unit.")] = None,
    features: Annotated[
        str | None, _option("Columns that the network reads: s1,s2. Default: all that tell.")
    ] = None,
    conditions: Annotated[
        str | None, _option("Columns that say how a unit was run: features are scaled within each.")
    ] = None,
    event: Annotated[
        str | None,
        _option("Column that is 1 where a unit has failed at its last row, 0 where it still runs."),
    ] = None,
    life: Annotated[
        str | None,
        _option(
            "What remaining life is counted in: rows, cycles (with gaps), days or hours. Default: "
            "whole cycles without gaps."
        ),
    ] = None,
    separator: Annotated[str | None, _option("Between the fields of a row. Default: a comma.")] = (
        None
    ),
    decimal: Annotated[str | None, _option("Decimal sign. Default: a point.")] = None,
    aggregate: Annotated[
        str | None, _option("Make one row of those of one cycle: mean or last.")
    ] = None,
    fill: Annotated[
        str | None, _option("forward: a blank reading is the unit's last one before it.")
    ] = None,
    drop_keyless: Annotated[
        bool | None, _option("Leave out rows without a unit or a cycle.", "--drop-keyless")
    ] = None,
    window: Annotated[int | None, _option("Rows that the network sees at once.")] = None,
    cap: Annotated[
        float | None, _option("Remaining life above which the label is flat, in cycles.")
    ] = None,
    degrading: Annotated[
        float | None, _option("Remaining life from which on a unit is degrading.")
    ] = None,
    critical: Annotated[
        float | None, _option("Remaining life from which on a unit is critical.")
    ] = None,
) -> None:
    """Its signature is what counts."""
