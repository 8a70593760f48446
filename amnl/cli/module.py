"""The reader's own file: run as a module, its errors told by its lines."""

import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType


@contextmanager
def prints_to_stderr() -> Iterator[None]:
    """What the reader's code prints, in this process or in one that it starts, is no result."""
    sys.stdout.flush()
    result = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(result, 1)
        os.close(result)


def load_module(path: Path) -> ModuleType:
    """Run a Python file as a module, under a name that hides no other."""
    check_module_name(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; `amnl init {path}` writes a template there")
    name = "_own_" + path.stem.replace(".", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "its name ends in .py"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))  # for what it imports from beside itself
    with errors_of(path):
        spec.loader.exec_module(module)
    return module


def check_module_name(path: Path) -> None:
    """What `init` writes can be run: one rule for both."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it: {path / 'my_problem.py'}")
    if path.suffix != ".py":
        raise ValueError(
            f"{path}: the name of a Python file ends in .py; name it {path.with_suffix('.py')}"
        )
    if not path.name.isprintable() or set(path.name) & set('"\\'):
        raise ValueError(f"{path}: a file name without quotation marks and backslashes is wanted")
    places = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    installed = importlib.machinery.PathFinder.find_spec(path.stem, list(places))
    if path.stem in (*sys.stdlib_module_names, "amnl") or (installed and installed.origin):
        raise ValueError(
            f"{path} would hide the module {path.stem}, which Python or a package has by that "
            f"name, from all that import it; name it {path.with_stem('my_' + path.stem)}"
        )


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """An exception from the reader's own files becomes a message that names its line."""
    from amnl.weigh.problem import ProblemError

    try:
        yield
    except ProblemError:
        raise
    except SystemExit as error:
        raise ValueError(
            f"{path} ends the program, by sys.exit({error.code!r}) or the like; what it does as a "
            'script belongs under `if __name__ == "__main__":`'
        ) from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if is_readers(Path(f.filename).resolve())]
        if isinstance(error, SyntaxError) and Path(error.filename or path).is_file():
            line = f", line {error.lineno}" if error.lineno else ""
            raise ValueError(f"{error.filename or path}{line}: {error.msg}") from error
        if not own:
            raise
        file = path if Path(own[-1].filename).resolve() == path.resolve() else own[-1].filename
        where = f"{file}, line {own[-1].lineno}, in {own[-1].name}"
        raise ValueError(f"{where}: {type(error).__name__}: {error}") from error


def is_readers(file: Path) -> bool:
    """Whether a file is the reader's, and not Python's, a package's or this one's."""
    homes = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    foreign = [Path(__file__).resolve().parents[1], *(Path(home).resolve() for home in homes)]
    return file.is_file() and not any(home in file.parents for home in foreign)
