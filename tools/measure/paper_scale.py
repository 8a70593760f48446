"""The sweeps over λ at the source's size, on a GPU, within a given time: families i, j, then g.

`python tools/measure/paper_scale.py FOLDER --seconds 560` trains what FOLDER does not hold yet, one
subset of a family after another, in the protocol's order: i, j, then seeds 0 to 4 of g on FD001. A
part that would not end in time, at the rate of the part before it, is skipped. As a part ends,
FOLDER/i.tar.gz (or j, or g) holds its family's store; the same command unpacks it and goes on.
`--dry-run` says what there is to do. Exits with 1 where a cell failed. Needs PyTorch with its
Triton, NumPy, pandas, SciPy, typer, rich and matplotlib; no network. Then `amnl report FOLDER/i
--csv amnl/study/rows/sweep-paper-i.csv` makes the table that the pages read. Measure the card
first: `python tools/measure/population_rate.py`.
"""

import argparse
import os
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amnl import cmapss
from amnl.cmapss import SUBSETS
from amnl.study.protocol import family
from amnl.sweep import Progress, Store, run
from amnl.training import TrainConfig, pick_device
from amnl.training.population import PRECISIONS

MARGIN = 10.0  # seconds that the estimate of a part may be wrong by


@dataclass
class Part:
    """Cells of one family and subset, and the windows that they train on and are judged on."""

    family: str
    subset: str
    cells: list[TrainConfig]

    def windows(self, source: cmapss.Source) -> tuple[int, int]:
        """Over all epochs: windows in training, and in validation and test."""
        trained = judged = 0
        for cell in self.cells:
            data = cmapss.load(cell.subset, cell.seed, source, stride=cell.stride)
            trained += cell.epochs * len(data.train)
            judged += cell.epochs * (len(data.val) + len(data.test))
        return trained, judged


def parts(preset: str = "paper") -> Iterator[Part]:
    """In the protocol's order."""
    wanted = [(name, subset, range(10)) for name in ("i", "j") for subset in SUBSETS]
    wanted.append(("g", "FD001", range(5)))
    for name, subset, seeds in wanted:
        cells = [c for c in family(name, preset) if c.subset == subset and c.seed in seeds]
        yield Part(name, subset, cells)


def unpack(folder: Path, name: str) -> Store:
    """The store of a family, taken from its archive where it is not there yet."""
    archive, place = folder / f"{name}.tar.gz", folder / name
    if archive.exists() and not place.exists():
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
    return Store(place)


def pack(folder: Path, store: Store) -> None:
    """The store as one file, replaced whole."""
    archive = folder / f"{store.folder.name}.tar.gz"
    part = archive.with_suffix(".part")
    with tarfile.open(part, "w:gz", compresslevel=6) as packed:
        packed.add(store.folder, arcname=store.folder.name)
    os.replace(part, archive)


def fill(
    folder: Path,
    todo: list[Part],
    source: cmapss.Source,
    *,
    seconds: float,
    started: float,
    precision: str | None,
    together: int,
    dry_run: bool,
) -> int:
    """Train part after part while there is time, and count the cells that failed. `started` is a
    `time.monotonic()`."""
    rate: float | None = None
    failed = 0
    for part in todo:
        store = unpack(folder, part.family)
        part.cells = [c for c in part.cells if not store.path(c, str(source)).exists()]
        trained, judged = part.windows(source)
        work = trained + judged / 3  # a step goes forward once and back at twice the cost
        left = seconds - (time.monotonic() - started)
        what = f"{part.family} {part.subset}: {len(part.cells)} cells, {trained:,} windows"
        if dry_run or not part.cells:
            print(what, flush=True)
            continue
        if rate and work / rate > left - MARGIN:
            print(f"{what}; skipped: {work / rate:.0f} s of work, {left:.0f} s left", flush=True)
            continue
        begun = time.monotonic()
        progress = run(
            part.cells, store, together=together, data_dir=source.folder, precision=precision
        )
        took = time.monotonic() - begun
        rate = work / took
        pack(folder, store)
        scores = result(progress, store, part, source)
        print(f"{what}; {scores}; {took:.1f} s, {trained / took:,.0f} windows/s", flush=True)
        for _, message in progress.failed:
            print(f"failed: {message}", file=sys.stderr, flush=True)
        failed += len(progress.failed)
    return failed


def result(progress: Progress, store: Store, part: Part, source: cmapss.Source) -> str:
    """How many cells ended well, and the mean test RMSE of each weight."""
    scores: dict[float, list[float]] = {}
    for cell in part.cells:
        path = store.path(cell, str(source))
        if path.exists():
            found = store.load(path)
            scores.setdefault(cell.lam, []).append(found.metrics["test_rmse"])
    means = " ".join(f"{lam:g}:{sum(v) / len(v):.2f}" for lam, v in sorted(scores.items()))
    return f"{progress.done} done, {len(progress.failed)} failed ({means})"


def main() -> None:
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=560.0)
    parser.add_argument("--precision", choices=PRECISIONS)
    parser.add_argument("--together", type=int, default=110)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--data-dir")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    if pick_device().type != "cuda" and options.preset == "paper" and not options.dry_run:
        sys.exit("no GPU: on a CPU these cells take weeks; `amnl sweep --family i` runs them there")
    options.folder.mkdir(parents=True, exist_ok=True)
    failed = fill(
        options.folder,
        list(parts(options.preset)),
        cmapss.find(options.data_dir),
        seconds=options.seconds,
        started=started,
        precision=options.precision,
        together=options.together,
        dry_run=options.dry_run,
    )
    if failed:
        sys.exit(f"{failed} cells failed; the same command tries them again")


if __name__ == "__main__":
    main()
