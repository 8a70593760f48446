"""How far machines agree on what the pages print: writes amnl/study/rows/machines.csv.

`make machines` runs every page on this processor, on others that it emulates, with two threads, and
on copies of every training whose initial weights differ in a last digit; then it compares what the
pages printed, number by number, and what they hold up with `amnl.check`. `PAGES="05-… 09-…"` runs
those alone and keeps the rest of the table. Exits with 1 where a page fails, or where a cell whose
output is compared word by word prints something else on another machine. Needs NASA's files. Two
cores take about an hour.
"""

import argparse
import configparser
import json
import os
import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import nbformat
import pages
import pandas as pd
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from amnl.study.machines import RECORD
from amnl.training import pick_device, provenance

RESULT = pages.ROOT / "amnl" / "study" / "rows" / "machines.csv"


@dataclass(frozen=True)
class Machine:
    """An emulated one. `factor` multiplies the initial weights of every training."""

    settings: dict[str, str] = field(default_factory=dict)
    threads: int = 1
    factor: float = 1.0


# What PyTorch and its libraries read when they choose instructions: ATen (element by element), MKL
# (matrix products, LSTMs), oneDNN (convolutions). A copy's factor is 1 ± 1e-9, and 1 ± 1e-6 for
# float32, which has no number that close to 1.
MACHINES = {
    "native": Machine(),
    "ATen plain": Machine({"ATEN_CPU_CAPABILITY": "default"}),
    "two threads": Machine({"OMP_WAIT_POLICY": "PASSIVE"}, threads=2),
    "ATen AVX2": Machine({"ATEN_CPU_CAPABILITY": "avx2"}),
    "MKL SSE4.2": Machine({"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}),
    "MKL AVX2": Machine({"MKL_ENABLE_INSTRUCTIONS": "AVX2"}),
    "MKL compatible": Machine({"MKL_CBWR": "COMPATIBLE"}),
    "oneDNN SSE4.1": Machine({"ONEDNN_MAX_CPU_ISA": "SSE41"}),
    "oneDNN AVX2": Machine({"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    "weights up": Machine(factor=1 + 1e-9),
    "weights down": Machine(factor=1 - 1e-9),
}

# It compares PyTorch's steps with steps of its own, which no copy's factor reaches.
WITHOUT_COPIES = "scale-up"

# Runs before a page's first cell. Every training hands its initial weights to an optimiser.
PRELUDE = """
import torch as _torch

if {threads} > 1:
    _torch.set_num_threads({threads})
    _torch.set_num_threads = lambda count: None

if {factor} != 1:
    _add = _torch.optim.Optimizer.add_param_group

    def _add_changed(self, group):
        _add(self, group)
        with _torch.no_grad():
            for weights in self.param_groups[-1]["params"]:
                far = 1000 if weights.dtype == _torch.float32 else 1
                weights.mul_(1 + far * ({factor} - 1))

    _torch.optim.Optimizer.add_param_group = _add_changed
"""

NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?%?(?![\w.]*\d)")
Found = dict[tuple[str, str, str], str]  # what a machine found, by page, cell and what it is


def blanked() -> list[tuple[re.Pattern[str], str]]:
    """What the comparison of notebooks blanks out, too: times, devices, addresses."""
    rules = configparser.RawConfigParser()
    rules.read(pages.ROOT / "tests" / "nbval.cfg", encoding="utf-8")
    return [(re.compile(rules[r]["regex"]), rules[r]["replace"]) for r in rules.sections()]


def printed(cell: NotebookNode) -> str:
    """The text that a code cell's outputs show."""
    texts = (str(o.get("text") or o.get("data", {}).get("text/plain", "")) for o in cell.outputs)
    text = "\n".join(t for t in texts if not t.startswith("<Figure"))
    for pattern, replacement in blanked():
        text = pattern.sub(replacement, text)
    return text


def numbers(page: str, notebook: NotebookNode) -> Found:
    """Every number that a page's cells print; a line that repeats is told apart by a count."""
    found: Found = {}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        for line in printed(cell).splitlines():
            label = re.sub(r"\s+", " ", NUMBER.sub("…", line)).strip()
            for place, value in enumerate(NUMBER.findall(line), start=1):
                what = f"{label} [{place}]"
                repeat = 1
                while (page, str(number), what if repeat == 1 else f"{what} {repeat}") in found:
                    repeat += 1
                what = what if repeat == 1 else f"{what} {repeat}"
                found[page, str(number), what] = value
    return found


def run(page: str, name: str) -> tuple[Found, float]:
    """One page on one machine, in a process of its own: what it found, and the seconds it took."""
    machine = MACHINES[name]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "notebooks"
        folder.mkdir()
        copy = folder / f"{page}.ipynb"
        shutil.copy2(pages.executed_half(pages.ROOT, page), copy)
        notebook = nbformat.read(copy, as_version=4)
        prelude = PRELUDE.format(threads=machine.threads, factor=machine.factor)
        notebook.cells.insert(0, new_code_cell(prelude))
        nbformat.write(notebook, copy)
        record = Path(scratch) / "checks"
        record.touch()
        os.environ.update({**machine.settings, RECORD: str(record)})
        start = time.perf_counter()
        pages.execute(copy)
        seconds = time.perf_counter() - start
        notebook = nbformat.read(copy, as_version=4)
        notebook.cells.pop(0)
        checked = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
        found: Found = {(page, "check", c["name"]): str(c["value"]) for c in checked}
        return found | numbers(page, notebook), seconds


def run_all(names: list[str], machines: list[str]) -> tuple[dict[str, Found], set[str]]:
    """Every page on every machine, two at a time; also the pages that failed on one."""
    found: dict[str, Found] = {machine: {} for machine in machines}
    failed: set[str] = set()
    # A process a run: settings of one must not reach the next.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        running = {
            pool.submit(run, p, m): (p, m)
            for m in machines
            for p in names
            if not p.endswith(WITHOUT_COPIES) or MACHINES[m].factor == 1
        }
        for done in as_completed(running):
            page, machine = running[done]
            try:
                told, seconds = done.result()
            except pages.PageError as error:
                failed.add(page)
                print(f"{page} on {machine}: FAILED. {error.where}\n{error.message}", flush=True)
                continue
            found[machine] |= told
            print(f"{page} on {machine}: {seconds:.0f} s", flush=True)
    return found, failed


def as_table(found: dict[str, Found]) -> pd.DataFrame:
    """A row a number that some machine finds otherwise, and a row a check; a column a machine."""
    rows, commit = [], provenance(pick_device())["commit"]
    pages_of = {machine: {page for page, _, _ in told} for machine, told in found.items()}
    for key in dict.fromkeys(key for told in found.values() for key in told):
        values = [told.get(key, "") for told in found.values()]
        ran = [v for v, machine in zip(values, found, strict=True) if key[0] in pages_of[machine]]
        if key[1] == "check" or len(set(ran)) > 1:
            rows.append([*key, commit, *values])
    return pd.DataFrame(rows, columns=["page", "cell", "what", "commit", *found])


def untold(moved: pd.DataFrame) -> list[str]:
    """Cells whose output is compared word by word, and differs between machines."""
    wrong = []
    for page, cell in sorted(set(zip(moved.page, moved.cell, strict=True))):
        notebook = nbformat.read(pages.executed_half(pages.ROOT, page), as_version=4)
        code = [c for c in notebook.cells if c.cell_type == "code"]
        if cell != "check" and "nbval-ignore-output" not in code[int(cell) - 1].metadata.get(
            "tags", []
        ):
            wrong.append(f"{page}, code cell {cell}")
    return wrong


def write(table: pd.DataFrame) -> None:
    here = provenance(pick_device())
    lines = (
        "# What machines find on the pages: every check, and every printed number that moves.",
        f"# {here['hardware']}; torch {here['torch']}; others emulated by settings of PyTorch's",
        "# libraries, see tools/book/machines.py. Empty: printed otherwise there. Every page was",
        "# run; what one that is not named here prints is the same on all machines.",
    )
    with RESULT.open("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        table.to_csv(file, index=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", help="default: all")
    parser.add_argument("--machines", help=f"default: all of {', '.join(MACHINES)}")
    options = parser.parse_args()
    names = options.pages or pages.page_names(pages.ROOT)
    machines = options.machines.split(",") if options.machines else list(MACHINES)
    for given, known in ((names, pages.page_names(pages.ROOT)), (machines, list(MACHINES))):
        if wrong := [name for name in given if name not in known]:
            raise SystemExit(f"there is no {wrong[0]!r}; there are {', '.join(known)}")
    found, failed = run_all(names, machines)
    ran = [name for name in names if name not in failed]
    old = pd.read_csv(RESULT, comment="#", dtype=str, keep_default_na=False)
    old = old[old.page.isin(pages.page_names(pages.ROOT))]
    table = as_table(found)
    table = pd.concat([old[~old.page.isin(ran)], table[table.page.isin(ran)]]).fillna("")
    table = table.sort_values("page", kind="stable")
    write(table)
    moved = table[table.cell != "check"]
    print(f"{len(moved)} printed numbers differ between machines; {len(table) - len(moved)} checks")
    if told := untold(moved):
        print("compared word by word, and machines differ: " + "; ".join(told), file=sys.stderr)
    if failed:
        print(f"pages that failed, their rows as before: {', '.join(failed)}", file=sys.stderr)
    return bool(told or failed)


if __name__ == "__main__":
    sys.exit(main())
