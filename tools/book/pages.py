"""Sync, run and render the book's pages: what `make sync`, `make book`, `make html` and `make mine`
call.

A page has two halves, its source and its executed notebook (`halves.py`). The front page and the
other plain pages are Markdown alone.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import checks
import nbformat
import papermill
import yaml
from address import discussions, fill_notebooks, repository
from halves import executed_half, is_current, page_names, pair, source_half
from nbconvert.filters import strip_ansi
from nbconvert.preprocessors import CoalesceStreamsPreprocessor, ExecutePreprocessor
from nbformat.v4 import new_markdown_cell
from own_values import own_values
from plain import UnknownConstruct, write_plain

ROOT = Path(__file__).resolve().parents[2]
PAGE_SECONDS = 600  # no single cell may take longer
KERNEL_SETTINGS: dict[str, Any] = {
    "coalesce_streams": True,  # or the moment at which text arrives would shape the outputs
    "extra_arguments": ["--log-level=ERROR"],
}

# What an explorable holds for a notebook and the book serves in files (amnl/study/explorables).
OFFLINE = re.compile(r"<(style|script) data-offline>.*?</\1>\n?", re.DOTALL)

# A page that a machine cannot run says so, to those who read it there.
NOT_RUN = """:::{note}
This page needs NASA's files, and the machine that rendered it had none. The outputs are those
stored with the source.
:::"""

# So does a page that failed.
FAILED = """::::{{warning}}
This page did not run to its end on the machine that rendered it. These outputs are the stored ones.
{where}
{fence}text
{message}
{fence}
The whole log is in `{log}`.
::::"""


def no_nasa_files() -> str | None:
    """Why NASA's files cannot be had without a download, or None when they are at hand."""
    from amnl import cmapss  # here: `make html` needs none of it

    try:
        source = cmapss.find()
        if source.kind == "nasa":
            cmapss.find(None, cmapss.SUBSETS)
    except cmapss.DataError as error:
        # Its first clause says what is missing where; the rest, all the ways out, would fill a log.
        found = str(error).partition(":")[0]
        return f"needs NASA's C-MAPSS files: {found} (AMNL_DATA_DIR names a folder with them)"
    if source.kind != "nasa":
        return f"needs NASA's C-MAPSS files, and {source.folder} holds an {source}"
    return None


def missing_data(notebook: Any) -> str | None:
    """Why this machine cannot run a notebook, or None when it can."""
    needs = notebook.metadata.get("amnl", {}).get("needs")
    return no_nasa_files() if needs == "nasa" else None


class PageError(Exception):
    """A page that did not run to its end.

    where    which cell failed, a sentence; empty when no cell did, as when the kernel cannot start
    message  what it said, a line
    log      all that it said
    """

    def __init__(self, where: str, message: str, log: str) -> None:
        super().__init__(where, message, log)  # all of them, so that it can be pickled
        self.where, self.message, self.log = where, message, log


def page_error(notebook: Any, error: Exception) -> PageError:
    """What became of a notebook that raised `error`: its failing cell is the last one started."""
    log = strip_ansi(str(error))
    where, message = "", f"{type(error).__name__}: {log.strip().partition(chr(10))[0]}"
    code = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code"
        and cell.source.strip()
        and "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    started = [number for number, cell in enumerate(code) if cell.execution_count is not None]
    if started:
        cell = code[started[-1]]
        first = cell.source.strip().partition("\n")[0]
        where = f"Code cell {started[-1] + 1} of {len(code)} failed. It begins with `{first}`."
        for output in cell.outputs:
            if output.output_type == "error":
                message = strip_ansi(f"{output.ename}: {output.evalue}")
    return PageError(where, message, log if message in log else f"{message}\n{log}")


def mark_started(cell: Any, cell_index: int) -> None:
    """Give a code cell a count, in case the kernel dies before it gives one."""
    if cell.cell_type == "code":
        cell.execution_count = 0


def without_scripts(notebook: Any) -> None:
    """Take the scripts out of stored explorables: the book serves them, a run brings its own."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if text := output.get("data", {}).get("text/html"):
                output["data"]["text/html"] = OFFLINE.sub("", text)


def execute(path: Path) -> None:
    """Run a notebook from top to bottom in its own folder and store what it printed.

    Raises `PageError` when it does not run to its end; the file is then left as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None  # what is left shows where it stopped
    runner = ExecutePreprocessor(
        timeout=PAGE_SECONDS,
        kernel_name="python3",
        record_timing=False,
        on_cell_start=mark_started,
        **KERNEL_SETTINGS,
    )
    try:
        runner.preprocess(notebook, {"metadata": {"path": str(path.parent)}})
    except Exception as error:  # a cell's, a timeout, a kernel that died or could not start
        raise page_error(notebook, error) from None
    # A slow cell prints in several messages: one table is one block on the page.
    CoalesceStreamsPreprocessor().preprocess(notebook, {})
    without_scripts(notebook)
    # The Python patch version is the machine's, not the page's: without it a rerun changes nothing.
    notebook.metadata.get("language_info", {}).pop("version", None)
    nbformat.write(notebook, path)


def sync(root: Path, names: list[str]) -> None:
    """Pair and run pages: the named ones, or all whose notebook lags behind its source."""
    for name in names or page_names(root):
        source, executed = source_half(root, name), executed_half(root, name)
        if not source.exists():
            raise SystemExit(f"no page {name!r}: {source.relative_to(root)} does not exist")
        if not names and is_current(root, name):
            print(f"{name}: up to date")
            continue
        pair(root, source, executed)
        if reason := missing_data(nbformat.read(executed, as_version=4)):
            raise SystemExit(f"{name}: synced but not run, it {reason}")
        start = time.perf_counter()
        try:
            execute(executed)
        except PageError as error:
            raise SystemExit(f"{name}: synced, then failed. {error.where}\n{error.log}") from None
        print(f"{name}: synced and run in {time.perf_counter() - start:.1f} s")


def fill_staged(staged: Path, address: str) -> None:
    """Make staged pages those of the repository at `address`, with its issues and discussions, or
    of none: without buttons, which would open nothing."""
    path = staged / "_config.yml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if address:
        config["repository"]["url"] = address
        settings = config["sphinx"]["config"]
        settings["html_theme_options"]["use_issues_button"] = True
        settings["html_context"] = {"discussions": discussions()}
        fill_notebooks(staged, address)
    else:
        config.pop("launch_buttons", None)
    path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")


def stage(root: Path, target: Path) -> None:
    """Copy what Jupyter Book reads, and nothing else, to a fresh folder."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in ("_config.yml", "_toc.yml"):
        shutil.copy2(root / file, target / file)
    for folder in ("book", "notebooks"):
        shutil.copytree(
            root / folder, target / folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints")
        )
    shutil.copytree(
        ROOT / "amnl" / "study" / "explorables" / "scripts",
        target / "book" / "_static" / "explorables",
        ignore=shutil.ignore_patterns("*.md"),
    )
    # The MyST halves are sources, not pages: Sphinx would read every page twice.
    for half in target.glob("book/[0-9][0-9]-*.md"):
        half.unlink()
    fill_staged(target, repository())


def timed_execute(path: Path) -> float:
    start = time.perf_counter()
    execute(path)
    return time.perf_counter() - start


def note(path: Path, text: str) -> None:
    """Put a note under the title of a staged notebook."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(1, new_markdown_cell(text))
    nbformat.write(notebook, path)


def keep_stored(path: Path, error: PageError, reports: Path) -> None:
    """Say under the title of a staged page that its run failed, and keep the log of it."""
    reports.mkdir(parents=True, exist_ok=True)
    log = reports / f"{path.stem}.txt"
    log.write_text(f"{error.where}\n{error.log}\n", encoding="utf-8")
    longest = max(map(len, re.findall("`+", error.message)), default=0)
    shown = log.relative_to(ROOT) if log.is_relative_to(ROOT) else log.name
    note(
        path,
        FAILED.format(
            where=error.where, message=error.message, fence="`" * max(3, longest + 1), log=shown
        ),
    )


def run_pages(staged: Path, reports: Path) -> list[str]:
    """Run every staged notebook this machine can run, two at a time, and say what became of each.

    What became of them is kept in `reports`. A page that fails keeps its stored outputs under a
    note, and its log is kept there, too. Returns the names of those pages.
    """
    for old in reports.glob("*.txt"):
        old.unlink()
    became: dict[str, float | str] = {}
    failed = []
    with ProcessPoolExecutor(max_workers=2) as pool:
        running = {}
        for path in sorted(staged.glob("notebooks/*.ipynb")):
            if reason := missing_data(nbformat.read(path, as_version=4)):
                print(f"{path.stem}: kept its stored outputs, {reason}", flush=True)
                note(path, NOT_RUN)
                became[path.stem] = "needs NASA's files"
            else:
                running[pool.submit(timed_execute, path)] = path
        for done in as_completed(running):
            path = running[done]
            try:
                became[path.stem] = seconds = done.result()
                print(f"{path.stem}: ran in {seconds:.1f} s", flush=True)
            except Exception as raised:  # not PageError: the process itself was ended
                error = raised if isinstance(raised, PageError) else PageError("", repr(raised), "")
                keep_stored(path, error, reports)
                became[path.stem] = "failed"
                failed.append(path.stem)
                print(f"{path.stem}: FAILED, kept its stored outputs. {error.where}", flush=True)
                print(f"\n{path.stem} did not run:\n{error.log}", file=sys.stderr, flush=True)
    checks.write_pages_report(reports, became)
    return sorted(failed)


def render_command(staged: Path, output: Path) -> list[str]:
    """The command that renders staged pages into `output/_build/html`, every warning an error."""
    jupyter_book = str(Path(sys.executable).with_name("jupyter-book"))
    # --all: an unchanged page would not repeat its warnings, and a broken book would pass.
    strict = ["--all", "--warningiserror", "--nitpick", "--keep-going"]
    return [jupyter_book, "build", str(staged), "--path-output", str(output), *strict]


def render(staged: Path, output: Path, page: str, failed: list[str]) -> int:
    """Render staged pages into `output/_build/html`, say where to find them, and what failed.

    What a page's download button gives are plain notebooks, and no MyST. Returns the exit status: 0
    when the book has rendered without a warning and no page failed.
    """
    status = subprocess.run([*render_command(staged, output), "--quiet"]).returncode
    downloads = output / "_build" / "html" / "_sources" / "notebooks"
    try:
        write_plain(staged, downloads, os.environ.get("AMNL_SITE", ""), repository())
    except UnknownConstruct as error:
        print(error, file=sys.stderr)
        status = status or 1
    if status:
        print(f"the book was not rendered whole (exit status {status})", file=sys.stderr)
    print(f"open {output / '_build' / 'html' / page}", flush=True)
    if failed:
        print(f"pages that failed, shown with their stored outputs: {', '.join(failed)}",
              file=sys.stderr)  # fmt: skip
    return status or bool(failed)


def build(root: Path, *, run: bool) -> int:
    """Render the book into `_build/html`, from fresh runs or from the stored outputs."""
    staged = root / "_build" / "src"
    stage(root, staged)
    failed = run_pages(staged, root / "_build" / "reports") if run else []
    checks.fill(staged, root / "_build" / "reports")
    return render(staged, root, "index.html", failed)


def absolute_folders() -> None:
    """Folders in the environment are meant from here; pages run in folders of their own."""
    for name in ("AMNL_DATA_DIR", "AMNL_CACHE_DIR"):
        if given := os.environ.get(name):
            os.environ[name] = str(Path(given).expanduser().absolute())


def new_folder(place: Path, name: str) -> Path:
    """Make `place/name-1`, or the next one that nobody has."""
    number = 1
    while True:
        folder = place / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def mine(root: Path, name: str, given: list[str]) -> int:
    """Run one page with a reader's own values, and render the book with it, in a new folder of
    `_build/mine`: a run may have taken hours, and the next one leaves it alone."""
    page = executed_half(root, name)
    if not page.exists():
        raise SystemExit(f"no page {name!r}; there are {', '.join(page_names(root))}")
    values = own_values(page, given)
    staged = new_folder(root / "_build" / "mine", name) / "src"
    stage(root, staged)
    copy = executed_half(staged, name)
    print(f"{name} runs with {values or 'its own values'} …", flush=True)
    stored, failed = copy.read_bytes(), []
    try:
        papermill.execute_notebook(
            copy, copy, values, cwd=staged, progress_bar=False, **KERNEL_SETTINGS
        )
    except Exception as error:  # a cell's, or a kernel that died or could not start
        stopped = page_error(nbformat.read(copy, as_version=4), error)
        copy.write_bytes(stored)
        keep_stored(copy, stopped, staged.parent / "reports")
        print(f"{name} stopped. {stopped.where}\n{stopped.message}", file=sys.stderr, flush=True)
        failed = [name]
    checks.fill(staged, root / "_build" / "reports")
    return render(staged, staged.parent, f"notebooks/{name}.html", failed)


def html_pages(root: Path) -> Iterator[str]:
    """Addresses of all pages in `_toc.yml`, relative to the rendered book."""
    for line in (root / "_toc.yml").read_text().splitlines():
        key, _, value = line.strip().removeprefix("- ").partition(":")
        if key in ("root", "file"):
            yield f"{value.strip()}.html"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("sync", help="pair and run in place").add_argument("pages", nargs="*")
    commands.add_parser("run", help="run copies of all pages, then render them")
    own = commands.add_parser("mine", help="run a page with your own values, and render it")
    own.add_argument("page")
    own.add_argument("values", nargs="*", metavar="NAME=VALUE")
    commands.add_parser("html", help="render the stored outputs")
    arguments = parser.parse_args()
    absolute_folders()
    if arguments.command == "sync":
        sync(ROOT, arguments.pages)
        return 0
    if arguments.command == "mine":
        return mine(ROOT, arguments.page, arguments.values)
    return build(ROOT, run=arguments.command == "run")


if __name__ == "__main__":
    sys.exit(main())
