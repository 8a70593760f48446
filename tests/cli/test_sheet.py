"""The page of the commands: every command is on it, with options that there are."""

import re
import shlex

import pages
import pytest
import typer

from amnl.cli.app import app

SHEET = (pages.ROOT / "book" / "commands.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
SHOWN = [line for line in re.findall(r"`amnl ([^`]+)`", SHEET) if not line.startswith("COMMAND")]


def test_every_command_is_on_the_sheet() -> None:
    assert {line.split()[0] for line in SHOWN} == set(COMMANDS)


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_of_the_sheet_is_understood(line: str) -> None:
    name, *words = shlex.split(line)
    command = COMMANDS[name]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
    given, left_over, _ = command.make_parser(typer.Context(command)).parse_args(list(words))
    assert not left_over
    assert all(given.get(p.name) is not None for p in command.params if p.required)
