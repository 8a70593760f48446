"""`amnl bench`: our loader and our trainer against plain ones, timed in the same process."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TypedDict

import torch

from amnl import cmapss
from amnl.cmapss import Source
from amnl.study.bench.loading import Load, loading_times
from amnl.study.bench.steps import compare, our_steps, plain_model, plain_steps
from amnl.training.isolation import Isolation

__all__ = [
    "Comparison",
    "Load",
    "compare",
    "loading_times",
    "our_steps",
    "plain_model",
    "plain_steps",
    "run",
]


class Comparison(TypedDict):
    """A row of the table that `amnl bench` prints; numbers as they are shown."""

    what: str
    ours: str
    peer: str
    ratio: str  # of peer to ours, for rates of ours to peer: above 1 is to our credit
    goal: str


def run(source: Source, rounds: int, say: Callable[[str], None]) -> list[Comparison]:
    """Every comparison on the files of `source`, in `rounds` that count.

    `say` is told what is being timed. Loading is compared on Linux, where rul-datasets is
    installed.
    """
    rows: list[Comparison] = []
    if find_spec("rul_datasets") and sys.platform == "linux":
        say("loading all four subsets, ours and rul-datasets, in fresh processes")
        times = loading_times(source, min(rounds, 3))
        for when, goal in (("first", "≤ 1.5 s"), ("cached", "≤ 0.2 s")):
            ours, peer = (times[who, when].seconds for who in ("ours", "peer"))
            rows.append(_row(f"load four subsets, {when} (s)", ours, peer, peer / ours, goal))
        ours, peer = (
            max(times[who, when].added_mb for when in ("first", "cached"))
            for who in ("ours", "peer")
        )
        rows.append(_row("memory it added, peak (MB)", ours, peer, peer / ours, "≤ 150 MB"))
    else:
        say("no loading comparison: it needs Linux and rul-datasets (pip install 'amnl[test]')")
    data = cmapss.load("FD001", 0, source)
    alone = Isolation(0, torch.device("cpu"), "highest")  # the plain trainer draws as everyone does
    for preset, steps, goal in (("compact", 20, "≥ 1.8×"), ("paper", 2, "≥ 1.2×")):
        say(f"training {preset}: {rounds} rounds of {steps} steps each, in turns")
        with alone:
            pair = our_steps(preset, data), plain_steps(preset, data)
            ours, peer, ratio = compare(*pair, steps, rounds)
        rows.append(_row(f"{preset}: training windows a second", ours, peer, ratio, goal))
    return rows


def _row(what: str, ours: float, peer: float, ratio: float, goal: str) -> Comparison:
    of_ours, of_peer = (f"{v:,.0f}" if v >= 100 else f"{v:.3g}" for v in (ours, peer))
    return Comparison(what=what, ours=of_ours, peer=of_peer, ratio=f"{ratio:.2f}×", goal=goal)
