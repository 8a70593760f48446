"""Where output goes, looked at as the command line is read.

An output that cannot be written then costs no training.
"""

import os
from pathlib import Path
from typing import Any

from amnl.cli.output import plain_errors


def flag(name: str) -> str:
    """The option of a parameter."""
    return "--" + name.replace("_", "-")


def is_stdout(path: Path | None) -> bool:
    return path is not None and str(path) == "-"


def check_target(path: Path | None) -> None:
    """Fail before training, not after it."""
    if path is None:
        return
    if is_stdout(path):
        raise ValueError("- is standard output, and a file is wanted here; one of that name is ./-")
    if path.is_dir():
        raise ValueError(f"{path} cannot be written as a file: it is a folder; name another")
    if (path.exists() and not path.is_file()) or Path("/dev") in path.absolute().parents:
        raise ValueError(f"{path} is no regular file and would be replaced; name another")
    folder = path.resolve().parent  # of what a link points at
    if not folder.is_dir():
        raise ValueError(f"{path}: the folder {folder} does not exist; make it first")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ValueError(f"{path} cannot be written as a file; name another")


def check_folder(path: Path | None) -> None:
    """The same for a folder, which may have to be made."""
    if path is None:
        return
    if is_stdout(path):
        raise ValueError("- is standard output, and a folder is wanted here; one so named is ./-")
    there = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    if not there.is_dir():
        raise ValueError(f"{path} cannot be a folder: {there} is a file; name another")
    if not os.access(there, os.W_OK):
        raise ValueError(f"{path} cannot be written: {there} belongs to others; name another")


def expanded(path: Path | None) -> Path | None:
    """`--save=~/run.json` reaches a program as it is typed: no shell expands it there."""
    with plain_errors():
        try:
            return path and path.expanduser()
        except RuntimeError as error:
            raise ValueError(f"{path}: {error} Write the whole path.") from error


def writable_file(path: Path | None) -> Path | None:
    path = expanded(path)
    with plain_errors():
        check_target(path)
    return path


def writable_file_or_stdout(path: Path | None) -> Path | None:
    return path if is_stdout(path) else writable_file(path)


def writable_folder(path: Path | None) -> Path | None:
    path = expanded(path)
    with plain_errors():
        check_folder(path)
    return path


def check_apart(**outputs: Path | None) -> None:
    """Two outputs in one place, by whatever names, are one too many."""
    taken: dict[Any, str] = {}
    for name, path in outputs.items():
        if path is None:
            continue
        place: Any = path if is_stdout(path) else path.resolve()
        if not is_stdout(path) and path.exists():
            place = (path.stat().st_dev, path.stat().st_ino)  # a file may have several names
        if place in taken:
            raise ValueError(f"{flag(taken[place])} and {flag(name)} both write to {path}")
        taken[place] = name


def check_spares(read: list[Path], **outputs: Path | None) -> None:
    """No output takes the place of a file that the same command reads."""
    for name, path in outputs.items():
        if path is None or not path.exists():
            continue
        if found := next((file for file in read if file.exists() and file.samefile(path)), None):
            raise ValueError(
                f"{flag(name)} {path} would replace {found}, which is read; name another"
            )
