"""`amnl bench`: our loader and our trainer against plain ones, timed in the same process.

The plain trainer is what a careful reader would write from the source's description: a `Dataset` of
stacked windows, a `DataLoader`, `nn.MultiheadAttention` at all 30 cycles, stock AdamW. Same widths,
losses, clipping and weight average, so that the ratio is about the way and not about the work.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

from amnl import cmapss
from amnl.cmapss import Data, Source
from amnl.losses import moderate_weighted_mse_loss
from amnl.training import TrainConfig, Trainer
from amnl.training.isolation import Alone
from amnl.training.model import PRESETS, DualTaskModel, ModelConfig, Trunk


class PlainTrunk(nn.Module):
    """The trunk as written down: `Conv1d`, stock dropout, attention with 30 queries of which the
    last is used."""

    def __init__(self, config: ModelConfig, trunk: Trunk) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for c_in, c_out in itertools.pairwise((len(cmapss.FEATURES), *config.conv)):
            blocks += [
                nn.Conv1d(c_in, c_out, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm1d(c_out),
                nn.ReLU(),
                nn.Dropout(config.conv_dropout),
            ]
        self.conv = nn.Sequential(*blocks)
        self.lstm, self.norm, self.funnel = trunk.lstm, trunk.norm, trunk.funnel
        self.attention = nn.MultiheadAttention(
            2 * config.hidden, config.heads, config.attention_dropout, batch_first=True
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 30, 17) → (B, shared features)."""
        x = self.conv(x.transpose(1, 2)).transpose(1, 2)
        x, _ = self.lstm(x)
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        out: Tensor = self.funnel(x[:, -1])
        return out


def plain_model(preset: str) -> DualTaskModel:
    """The same network, its trunk as written down."""
    model = DualTaskModel(PRESETS[preset])
    model.trunk = PlainTrunk(PRESETS[preset], model.trunk)  # type: ignore[assignment]
    return model


def plain_steps(preset: str, data: Data, batch_size: int = 256) -> Iterator[int]:
    """Train the plain way for ever; yields the number of windows of each step."""
    train = data.train
    dataset = TensorDataset(
        *(torch.as_tensor(a) for a in (train.gather(), train.rul, train.health))
    )
    loader = DataLoader(dataset, batch_size, shuffle=True)
    model = plain_model(preset)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    decay = get_ema_multi_avg_fn(0.999)  # type: ignore[no-untyped-call]
    average = AveragedModel(model, multi_avg_fn=decay, use_buffers=True)
    while True:
        for x, rul, health in loader:
            pred, logits = model(x)
            loss = 0.5 * moderate_weighted_mse_loss(pred, rul)
            loss = loss + 0.5 * nn.functional.cross_entropy(logits, health)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            average.update_parameters(model)
            loss.item()
            yield len(rul)


def our_steps(preset: str, data: Data, batch_size: int = 256) -> Iterator[int]:
    """Train our way for ever; yields the number of windows of each step."""
    config = TrainConfig(subset=data.subset, preset=preset, seed=data.seed, stride=data.stride)
    trainer = Trainer(config, data, device=torch.device("cpu"))
    trainer.model.train()
    while True:
        for index in trainer.train.shuffled(batch_size, trainer.order):
            trainer.step(index)
            yield len(index)


def compare(
    ours: Iterator[int], plain: Iterator[int], steps: int, rounds: int
) -> tuple[float, float, float]:
    """Windows a second of both, and the median of the paired ratios, in turns: A B A B …."""
    rates: list[tuple[float, float]] = []
    for _ in range(rounds + 1):  # the first round warms up
        rates.append((_rate(ours, steps), _rate(plain, steps)))
    counted = rates[1:]
    ratio = statistics.median(a / b for a, b in counted)
    return statistics.median(a for a, _ in counted), statistics.median(b for _, b in counted), ratio


def _rate(steps: Iterator[int], count: int) -> float:
    start = time.perf_counter()
    windows = sum(itertools.islice(steps, count))
    return windows / (time.perf_counter() - start)


# ----------------------------------------------------------------------------------------- loading


def load_ours(folder: Path) -> None:
    """All four subsets, from files to train-ready arrays."""
    keep = [cmapss.load(subset, 0, folder) for subset in cmapss.SUBSETS]
    assert len(keep) == 4


def load_peer(folder: Path) -> None:
    """The same by rul-datasets, from unpacked copies of the files."""
    from rul_datasets.core import RulDataModule
    from rul_datasets.reader.cmapss import CmapssReader

    CmapssReader._CMAPSS_ROOT = str(folder)
    columns = [*(2 + s for s in cmapss.SENSORS), 0, 1, 2]
    keep = []
    for number in range(1, 5):
        reader = CmapssReader(
            number,
            cmapss.WINDOW,
            cmapss.MAX_RUL,
            feature_select=columns,
            operation_condition_aware_scaling=True,
        )
        module = RulDataModule(reader, batch_size=256)
        module.prepare_data()
        module.setup()
        keep.append(module)


def measure_load(who: str, folder: Path) -> dict[str, float]:
    """Seconds of one load, and the peak memory that it added (MB); call in a fresh process."""
    if who == "peer":
        import rul_datasets  # noqa: F401  # its import is not counted
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    before = _memory("VmRSS")
    start = time.perf_counter()
    (load_ours if who == "ours" else load_peer)(folder)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "added_mb": _memory("VmHWM") - before}


def _memory(field: str) -> float:
    """Resident memory now (VmRSS) or at its peak (VmHWM), in MB. Linux alone tells."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError(f"no {field} in /proc/self/status")


def _in_fresh_process(who: str, folder: Path, cache: Path) -> dict[str, float]:
    code = (
        "import json, sys, warnings; warnings.simplefilter('ignore')\n"
        "from pathlib import Path; from amnl import bench\n"
        "print(json.dumps(bench.measure_load(sys.argv[1], Path(sys.argv[2]))))"
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
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def loading(source: Source, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of the first load and of later ones, and the larger peak, for each loader."""
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for i in range(rounds):
            for who in ("ours", "peer"):
                # the peer writes beside its files, so it gets unpacked copies of its own
                folder = source.folder if who == "ours" else Path(scratch, f"peer{i}", "CMAPSS")
                if who == "peer":
                    folder.mkdir(parents=True)
                    for name in source.sha256:
                        (folder / name).write_bytes(cmapss.raw_bytes(source, name))
                cache = Path(scratch, f"{who}{i}")
                for when in ("first", "cached"):
                    measured = _in_fresh_process(who, folder, cache)
                    found.setdefault(f"{who} {when}", []).append(measured)
    return {
        key: {
            "seconds": statistics.median(m["seconds"] for m in runs),
            "added_mb": max(m["added_mb"] for m in runs),
        }
        for key, runs in found.items()
    }


# ---------------------------------------------------------------------------------------- the table


def run(source: Source, rounds: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Every comparison, a row each: what, ours, peer, ratio (peer/ours, ours/peer for rates)."""
    rows: list[dict[str, Any]] = []
    if find_spec("rul_datasets") and sys.platform == "linux":
        say("loading all four subsets, ours and rul-datasets, in fresh processes")
        times = loading(source, min(rounds, 3))
        for when, goal in (("first", "≤ 1.5 s"), ("cached", "≤ 0.2 s")):
            ours, peer = (times[f"{who} {when}"]["seconds"] for who in ("ours", "peer"))
            rows.append(_row(f"load four subsets, {when} (s)", ours, peer, peer / ours, goal))
        ours, peer = (
            max(times[f"{who} {when}"]["added_mb"] for when in ("first", "cached"))
            for who in ("ours", "peer")
        )
        rows.append(_row("memory it added, peak (MB)", ours, peer, peer / ours, "≤ 150 MB"))
    else:
        say("no loading comparison: it needs Linux and rul-datasets (pip install 'amnl[test]')")
    data = cmapss.load("FD001", 0, source)
    alone = Alone(0, torch.device("cpu"), "highest")  # the plain trainer draws as everyone does
    for preset, steps, goal in (("compact", 20, "≥ 1.8×"), ("paper", 2, "≥ 1.2×")):
        say(f"training {preset}: {rounds} rounds of {steps} steps each, in turns")
        with alone:
            pair = our_steps(preset, data), plain_steps(preset, data)
            ours, peer, ratio = compare(*pair, steps, rounds)
        rows.append(_row(f"{preset}: training windows a second", ours, peer, ratio, goal))
    return rows


def _row(what: str, ours: float, peer: float, ratio: float, goal: str) -> dict[str, Any]:
    shown = (f"{v:,.0f}" if v >= 100 else f"{v:.3g}" for v in (ours, peer))
    return {"what": what, **dict(zip(("ours", "peer"), shown, strict=True)),
            "ratio": f"{ratio:.2f}×", "goal": goal}  # fmt: skip
