"""Numbers that pages state and no cell of theirs prints: settings, the source's, the rows'.

Each entry has the words that its sentence has, and a function that works the values out. An entry
is about no page, so that a page may be written anew.
"""

import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import pages
import pandas as pd
from test_prose_numbers import COMPACT, compact, rows, scores
from tracing import ROOT, numbers

from amnl import cmapss, stats
from amnl.cmapss.layout import CONDITIONS, FEATURES, SUBSETS
from amnl.cmapss.text import _COLUMNS
from amnl.cmapss.windowing import MAX_RUL, WINDOW, health_state
from amnl.combine import LOSS_HS, LOSS_RUL, SOURCE_LAMS
from amnl.combiners.registry import settings_of
from amnl.study import claims, machines, tables
from amnl.study.protocol import FAMILIES, RIVALS, UNITS, family
from amnl.study.rows import load_predictions, load_rows, load_run
from amnl.study.shared_regression import TwoTasks
from amnl.training import TrainConfig
from amnl.training.model import LADDER, count_parameters, make_model

Values = Iterable[float]


# ------------------------------------------------------------------ settings, and what follows


def states() -> Values:
    """Where the health state changes: the last cycles of two, and the first between them."""
    rul = np.arange(int(MAX_RUL) + 1)
    changes = rul[:-1][np.diff(health_state(rul)) != 0]
    return [*changes, changes[0] + 1]


def sizes() -> Values:
    found = [count_parameters(make_model(name)) for name in LADDER]
    paper = count_parameters(make_model("paper"))
    return [*found, paper, paper / count_parameters(make_model("compact"))]


def cells() -> Values:
    """The cells of each family, and of those that the protocol reports together."""
    of = {name: len(family(name)) for name in (*FAMILIES, "s")}
    return [*of.values(), *(sum(map(of.get, some)) for some in ("ab", "ij", "kl", "mnop", "rs"))]


def comparisons() -> Values:
    """A cell for each seed and subset, or a comparison for each weight or rival and subset."""
    seeds, subsets = 10, len(SUBSETS)
    return [subsets * n for n in (seeds, len(RIVALS), len(claims.ADAPTIVE))]


def networks() -> Values:
    """Different cells, those of them that come in ten seeds, and cells at the source's size."""
    setting = [
        "subset", "preset", "combiner", "combiner_settings", "rul_unit", "sample_weighted", "stride"
    ]  # fmt: skip
    found = pd.concat(compact()).drop_duplicates([*setting, "seed"])
    seeds = found.groupby(setting).seed.transform("nunique")
    return [len(found), (seeds == 10).sum(), sum(len(rows(f"paper-{n}")) for n in COMPACT[:2])]


def floors() -> Values:
    """The least weights of two rules, GABA's after it is rescaled, and the odds that it allows."""
    gaba, gradnorm = (settings_of(name)["floor"] for name in ("gaba", "gradnorm"))
    return [gaba, gaba / (1 + gaba), 1 / gaba, gradnorm]


def recipe() -> Values:
    config = TrainConfig()
    fields = [v for v in vars(config).values() if type(v) in (int, float)]
    return [*fields, 15, 100 * config.epochs]  # 15: epochs of the source's coarse sweep


def gradnorm() -> Values:
    """Its settings, the learning rate of its weights, and the odds at its floor, one to so many."""
    settings = settings_of("gradnorm")
    floor, speed = float(settings["floor"]), float(settings["speed"])
    return [floor, speed, speed * TrainConfig().lr, (2 - floor) / floor]


def speeds() -> Values:
    return [r.settings["speed"] for r in RIVALS.values() if "speed" in r.settings]


def seeds_of_two_questions() -> Values:
    new = [len(grid.seeds) for grid in FAMILIES["n"].grids]
    return [*new, *(10 + n for n in new)]


def toy_tasks() -> Values:
    """The settings of chapter 2's pair of tasks; the best weight of a mean of Gaussian fits."""
    tasks = TwoTasks()
    primary, auxiliary = (
        noise**2 * tasks.dim / (n - tasks.dim - 1)
        for noise, n in (
            (tasks.noise_primary, tasks.n_primary),
            (tasks.noise_auxiliary, tasks.n_auxiliary),
        )
    )
    auxiliary += tasks.disagreement**2
    return [tasks.n_primary, tasks.n_auxiliary, auxiliary / (primary + auxiliary)]


def odds_of_units() -> Values:
    return [unit**2 for unit in (*UNITS, 35.0)]


# -------------------------------------------------------------------------------- of the source


def of_the_source() -> Values:
    """All figures that are stored of it, and what its table says of 0.5."""
    stored = [ROOT / "amnl" / "study" / "rows" / f"source_{n}.csv" for n in ("ablation", "claims")]
    figures = [n.value for path in stored for n in numbers(path.read_text("utf-8"))]
    table = load_rows("source_ablation").set_index("lambda")
    half = table.loc[0.5]
    gaps = (table - half).loc[[0.4, 0.6, 0.75]].to_numpy().ravel()
    ratios = half.FD002 / half.FD001, half.FD004 / half.FD003
    return [*figures, *gaps, *ratios, 1 - 0.75, *LOSS_RUL.values(), *LOSS_HS.values()]


# ------------------------------------------------------------------------------- from the rows


def of_units_of_125() -> Values:
    """What 0.5 costs there more than in cycles², and what is gained by RUL alone, by subset."""
    other = scores("compact-unit125")
    differences = other[0.5] - scores("compact-cycles2")[0.5], other[0.5] - other[1.0]
    return [x for d in differences for x in d.groupby("subset").mean()]


def wins() -> Values:
    columns = "test_rmse", "test_rmse_leaked"
    best = [tables.by_lam(compact()[0], SOURCE_LAMS, c).idxmin(axis="columns") for c in columns]
    return [count for found in best for count in found.value_counts()]


def gaps_to_half() -> Values:
    means = scores("compact-cycles2").groupby("subset").mean()
    return (means.drop(columns=0.5).sub(means[0.5], axis="index")).to_numpy().ravel()


def gifts() -> Values:
    """What choosing the epoch on the test set gives to the two runs of the source's size."""
    found = [load_run(f"run-fd001-paper-lam{lam}-seed0").metrics for lam in ("0.50", "0.75")]
    return [m["test_rmse"] - m["test_rmse_leaked"] for m in found]


def close_calls() -> Values:
    """The two comparisons that more seeds were trained for: mean and standard deviation."""
    cycles, other = scores("compact-cycles2"), scores("compact-unit125")
    first = (cycles[0.5] - cycles[0.1]).groupby("seed").mean()
    second = (other[0.5] - other[1.0]).loc["FD004"]
    return [x for d in (first, second) for x in (d.mean(), d.std())]


def odds_of_rivals() -> Values:
    """Where the odds of a rival end, one to so many, to one digit: the geometric mean of seeds."""
    epochs = load_rows("rivals_epochs")
    epochs["rival"] = claims.with_rivals(epochs)["rival"]
    odds = epochs.rul_weight / epochs.health_weight / epochs.rul_unit**2
    amnl = epochs.combiner == "amnl"
    odds = odds.where(~amnl, odds * epochs.health_loss / epochs.rul_loss)
    last = epochs.epoch == epochs.epoch.max()
    by = [epochs[name][last] for name in ("rival", "rul_unit", "subset")]
    ends = np.exp(-np.log(odds[last]).groupby(by).mean())
    return [float(f"{x:.{d}e}") for x in ends for d in (0, 1)]


def first_losses() -> Values:
    """The RUL loss before training, in cycles², to a hundred."""
    pulls = load_rows("gradient_norms").query("rul_unit == 1 and epoch == 0")
    return [round(pulls.rul_loss.mean(), -2)]


def shares_of_the_pull() -> Values:
    """RUL's in per cent, at the ends of λ and of training, a mean over runs."""
    pulls = load_rows("gradient_norms")
    ratio = pulls.rul_norm / pulls.health_norm
    found = []
    for lam in (0.1, 0.9):
        share = lam * ratio / (lam * ratio + 1 - lam)
        found += [100 * m for m in share.groupby([pulls.rul_unit, pulls.epoch]).mean()]
    return found


def engines() -> Values:
    predicted = load_predictions("sweep-paper-cycles2")
    return predicted.groupby("subset").engine.nunique()


def rates_of_the_rule() -> Values:
    return 100 * load_rows("five_point_rates").query("level == 'trained'").right


def emulated_and_real() -> Values:
    """RMSE of networks that one fleet trained, less that of the other's, on either fleet."""
    path = ROOT / "amnl" / "study" / "rows" / "emulator.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    found = pd.DataFrame(report["runs"]).pivot(index="seed", columns="trained_on")
    scores = found[["rmse_on_nasa", "rmse_on_emulator"]].swaplevel(axis="columns")
    return (scores["emulator"] - scores["nasa"]).to_numpy().ravel()


# ----------------------------------------------------------------------------- from NASA's files


def ends_of_sensor_7(windows: Any) -> list[float]:
    """Over the last ten cycles of engines, normalised: its least and its largest value, and the
    median of the engines below and above zero."""
    final = np.flatnonzero(windows.true == 0)
    last = windows.last[final, None] + np.arange(-9, 1)
    ends = windows.values[last].mean(axis=1)[:, FEATURES.index("s7")]
    groups = [np.median(part) for part in (ends[ends < 0], ends[ends > 0]) if len(part)]
    return [ends.min(), ends.max(), *groups]


@cache
def fleets() -> tuple[dict[str, Any], ...]:
    source = cmapss.find(None, SUBSETS)
    train, test = ({s: cmapss.read(source, s, cut) for s in SUBSETS} for cut in ("train", "test"))
    return train, test, {s: cmapss.load(s, data_dir=source) for s in SUBSETS}


def lengths() -> Values:
    """Cycles of the first engine, and of the shortest and longest test record of FD002."""
    train, test, _ = fleets()
    first, seen = train["FD001"].lengths[0], test["FD002"].lengths
    return [first, first - 1, seen.min(), seen.max()]


def shares_of_conditions() -> Values:
    return [100 * x for f in fleets()[0].values() for x in np.bincount(f.condition) / len(f.cycle)]


def shares_of_states() -> Values:
    cuts = [cut for data in fleets()[2].values() for cut in (data.train, data.test)]
    return [100 * x for cut in cuts for x in np.bincount(cut.health) / len(cut)]


def last_bins() -> Values:
    """Of the labels: where the last bar starts, and how high it is."""
    edges = np.linspace(0, MAX_RUL, 11)
    cuts = [cut for data in fleets()[2].values() for cut in (data.val, data.test)]
    return [edges[-2], *(100 * np.mean(cut.rul >= edges[-2]) for cut in cuts)]


def sampled_windows() -> Values:
    return [np.ceil(len(fleets()[2]["FD001"].train) / 100)]  # one in a hundred


def ends_of_two_fleets() -> Values:
    return [x for s in ("FD001", "FD003") for x in ends_of_sensor_7(fleets()[2][s].train)]


Entry = tuple[str, Callable[[], Values]]
KNOWN: dict[str, Entry] = {
    "the cap": (r"RUL|cap|unit|divid|life|bias", lambda: [MAX_RUL, MAX_RUL / 2]),
    "a window": (r"[Ww]indow|cycles at a time|row|record", lambda: [WINDOW, WINDOW - 1]),
    "inputs": (r"input|sensor", lambda: [len(FEATURES), _COLUMNS - 5]),
    "conditions of flight": (
        r"Mach|feet|throttle",
        lambda: [*CONDITIONS[:, 1:].ravel(), *1000 * CONDITIONS[:, 0]],
    ),
    "health states": (r"[Hh]ealth|[Cc]ut", states),
    "intervals": (r"interval|band", lambda: [100 * (1 - stats.ALPHA)]),
    "the margin": (r"cycle|[Mm]argin", lambda: [stats.MARGIN]),
    "five seeds": (r"five|one side", lambda: [2.0**-5, 2.0**-4]),
    "resamples": (r"resample", lambda: [stats.RESAMPLES]),
    "one more machine": (r"machine", lambda: [1000 * machines.CONFIDENCE]),
    "sizes": (r"parameters|network|preset|times", sizes),
    "cells": (r"cells|trainings|networks|runs", cells),
    "networks": (r"networks|runs", networks),
    "comparisons": (r"compar|contests|cells|findings|pairs", comparisons),
    "the recipe": (r"epoch|batch|average|decay|rate", recipe),
    "odds of a unit": (r"odds|1:|1/|1 to|times", odds_of_units),
    "units": (r"unit|climb", lambda: [*UNITS, 35.0]),
    "GradNorm": (r"learning rate|GradNorm", gradnorm),
    "seeds of family n": (r"seeds", seeds_of_two_questions),
    "best epochs": (r"median best epoch", lambda: [compact()[0].best_epoch.median()]),
    "a faster rival": (r"as fast", speeds),
    "the toy tasks": (r"samples|auxiliary", toy_tasks),
    "the floor": (r"floor|weight", floors),
    "the source": (r"source|[Oo]lder edition|V7|GRACE \(|the table is", of_the_source),
    "units of 125": (r"125|cost|gain|step", of_units_of_125),
    "wins": (r"wins|bar|with", wins),
    "differences from 0.5": (r"lowest|highest", gaps_to_half),
    "the gift": (r"free|gift|selecting", gifts),
    "close calls": (r"below", close_calls),
    "odds of rivals": (r"1:\d", odds_of_rivals),
    "first losses": (r"begins|starts", first_losses),
    "the pull": (r"pull on the trunk", shares_of_the_pull),
    "test engines": (r"test engines", engines),
    "the rule of chapter 10": (r"right", rates_of_the_rule),
    "the emulator": (r"fleet|emulat", emulated_and_real),
}
FROM_FILES: dict[str, Entry] = {
    "lengths": (r"one engine|seen|life", lengths),
    "conditions' shares": (r"rows", shares_of_conditions),
    "states' shares": (r"ealthy|critical", shares_of_states),
    "labels": (r" bin", last_bins),
    "sampled windows": (r"windows spread", sampled_windows),
    "ends of sensor 7": (r" end|groups", ends_of_two_fleets),
}


def entries() -> dict[str, Entry]:
    """Those that can be worked out here: some need NASA's files."""
    if pages.no_nasa_files():
        return KNOWN
    return KNOWN | FROM_FILES
