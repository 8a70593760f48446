"""Loading all four subsets: our loader, and that of rul-datasets, each in a fresh process."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from amnl import cmapss
from amnl.cmapss import Source


class Load(NamedTuple):
    """What a load took: its time, and the peak memory that it added."""

    seconds: float
    added_mb: float


def loading_times(source: Source, rounds: int) -> dict[tuple[str, str], Load]:
    """Every load of both loaders: median seconds and the largest peak over `rounds`.

    Keys are ("ours" or "peer", "first" or "cached"): a first load reads the files, a later one what
    the first has cached.
    """
    found: defaultdict[tuple[str, str], list[Load]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        for i in range(rounds):
            for who in ("ours", "peer"):
                # the peer writes beside its files, so it gets unpacked copies of its own
                folder = source.folder if who == "ours" else Path(scratch, f"peer{i}", "CMAPSS")
                if who == "peer":
                    folder.mkdir(parents=True)
                    for name in source.sha256:
                        (folder / name).write_bytes(cmapss.raw_bytes(source, name))
                for when in ("first", "cached"):
                    load = in_fresh_process(who, folder, Path(scratch, f"{who}{i}"))
                    found[who, when].append(load)
    return {
        key: Load(statistics.median(m.seconds for m in loads), max(m.added_mb for m in loads))
        for key, loads in found.items()
    }


def in_fresh_process(who: str, folder: Path, cache: Path) -> Load:
    """`measure_load` in a new process that caches in `cache`; `RuntimeError` says why it failed."""
    code = (
        "import json, sys, warnings; warnings.simplefilter('ignore')\n"
        "from pathlib import Path; from amnl.study.bench.loading import measure_load\n"
        "print(json.dumps(measure_load(sys.argv[1], Path(sys.argv[2]))))"
    )
    places = {"AMNL_CACHE_DIR": str(cache), "RUL_DATASETS_DATA_ROOT": str(cache)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, who, str(folder)],
            env={**os.environ, **places}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"loading ({who}) took more than {error.timeout:.0f} s") from error
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]  # of a traceback, what it is about
        raise RuntimeError(f"loading ({who}) failed: {reason}")
    return Load(*json.loads(done.stdout.splitlines()[-1]))


def measure_load(who: str, folder: Path) -> Load:
    """One load by "ours" or "peer"; call it in a fresh process. Linux alone tells the memory."""
    if who == "peer":
        import rul_datasets  # noqa: F401  # its import is not counted
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    before = _memory("VmRSS")
    start = time.perf_counter()
    (_load_ours if who == "ours" else _load_peer)(folder)
    seconds = time.perf_counter() - start
    return Load(seconds, _memory("VmHWM") - before)


def _load_ours(folder: Path) -> None:
    """All four subsets, from files to train-ready arrays."""
    held = [cmapss.load(subset, 0, folder) for subset in cmapss.SUBSETS]
    assert len(held) == 4


def _load_peer(folder: Path) -> None:
    """The same by rul-datasets, from unpacked copies of the files."""
    from rul_datasets.core import RulDataModule
    from rul_datasets.reader.cmapss import CmapssReader

    CmapssReader._CMAPSS_ROOT = str(folder)
    columns = [*(2 + s for s in cmapss.SENSORS), 0, 1, 2]
    held = []  # as our four are
    for number in range(1, 5):
        reader = CmapssReader(
            number, cmapss.WINDOW, cmapss.MAX_RUL, feature_select=columns,
            operation_condition_aware_scaling=True,
        )  # fmt: skip
        module = RulDataModule(reader, batch_size=256)
        module.prepare_data()
        module.setup()
        held.append(module)


def _memory(field: str) -> float:
    """Resident memory now (VmRSS) or at its peak (VmHWM), in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError(f"no {field} in /proc/self/status")
