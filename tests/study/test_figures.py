"""Figures take as many panels as there are, and show what is equal as equal. That they say what the
pages say is for the pages."""

import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from amnl.drawing import on_dark
from amnl.study import figures
from amnl.study.figures.style import NARROW, WIDE, panels, plain_log, sheet

SUBSETS = ("FD001", "FD002", "FD003", "FD004")
LAMS = (0.1, 0.5, 0.9)
RNG = np.random.default_rng(0)
ROUNDING = dict.fromkeys(SUBSETS, 0.1)


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    """A warning, such as of a mean of nothing, is a fault of the figure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    plt.close("all")


def gradients(units: int) -> pd.DataFrame:
    found = {"subset": "FD001", "seed": 0, "rul_norm": 0.5, "health_norm": 0.5, "cosine": 0.5}
    return pd.DataFrame(
        [
            {**found, "rul_unit": unit, "epoch": epoch}
            for unit in (1.0, 5.0, 25.0, 125.0)[:units]
            for epoch in (1, 2)
        ]
    )


def judged(rivals: int, subsets: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    names, columns = [f"rival {k}" for k in range(rivals)], list(SUBSETS[:subsets])
    index = pd.MultiIndex.from_product([names, range(3)], names=["rival", "seed"])
    differences = pd.DataFrame(RNG.normal(size=(len(index), subsets)), index, columns)
    index = pd.MultiIndex.from_product([names, columns], names=["rival", "subset"])
    found = {"mean": 0.0, "low": -1.0, "high": 1.0, "finding": "undecided"}
    return differences, pd.DataFrame([found] * len(index), index)


def odds(rivals: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"rival": f"rival {k}", "subset": "FD001", "rul_unit": 1.0, "epoch": e, "odds": 0.5}
            for k in range(rivals)
            for e in (1, 2)
        ]
    )


def odds_of_families(subsets: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"subset": name, "family": family, "odds": 10.0**k, "mean": 14.0 + k}
            for name in SUBSETS[:subsets]
            for k, family in enumerate("abcklm")
        ]
    )


def labelled(kinds: int) -> pd.DataFrame:
    found = {"mean": 0.0, "low": -1.0, "high": 1.0}
    return pd.DataFrame(
        [{"kind": f"kind {k}", "lam": lam, **found} for k in range(kinds) for lam in LAMS]
    )


def kinds(n: int) -> dict[str, tuple[list[float], list[float]]]:
    return {f"label {k}": ([0.5, 0.7, 1.0], [30.0, 10.0, 0.0]) for k in range(n)}


def rates(problems: int) -> pd.DataFrame:
    shares = {"right": 0.5, "undecided": 0.3, "wrong": 0.2}
    return pd.DataFrame(
        [{"planted": f"problem {k}", "seeds": n, **shares} for k in range(problems) for n in (3, 5)]
    )


def swept(subsets: int) -> Figure:
    rows = pd.DataFrame(
        [
            {"subset": name, "seed": seed, "lam": lam, "test_rmse": 14.0 + seed}
            for name in SUBSETS[:subsets]
            for seed in (0, 1)
            for lam in LAMS
        ]
    )
    source = pd.DataFrame({"lambda": LAMS, **{name: [1.0, 2.0, 3.0] for name in SUBSETS}})
    between = {(name, lam): (13.0, 15.0) for name in SUBSETS for lam in LAMS}
    return figures.sweep_curves(rows, between, source)


def one_curve(n: int) -> Figure:
    points = pd.DataFrame(
        [
            {"subset": name, "family": family, "odds": 0.5, "mean": 2.0, "low": 1.0, "high": 3.0}
            for name in SUBSETS[:n]
            for family in "abc"
        ]
    )
    cells = pd.DataFrame([{"subset": s, "rul_unit": 1.0, "test_rmse": 2.0} for s in SUBSETS[:n]])
    return figures.one_curve(points, cells, ROUNDING)


def paired(n: int) -> Figure:
    table = pd.DataFrame(
        {"mean": [0.0], "low": [-1.0], "high": [1.0], "finding": ["undecided"]}, index=[0.3]
    )
    return figures.differences(dict.fromkeys(SUBSETS[:n], table), 0.5, ROUNDING)


def labels(n: int) -> dict[str, Any]:
    return {name: RNG.uniform(0, 125, 20) for name in SUBSETS[:n]}


def curves(n: int) -> dict[str, list[float]]:
    return {name: [2.0, 1.0, 3.0] for name in SUBSETS[:n]}


def lived(sensors: int, cycles: int) -> Figure:
    values = {f"sensor {k}": RNG.normal(size=cycles) for k in range(sensors)}
    return figures.sensor_life(np.arange(1, cycles + 1), values)


def aged(engines: int) -> Figure:
    cycle = np.arange(1, 6)
    rows = pd.DataFrame({"cycle": cycle, "true": 200.0 - cycle, "rul": 90.0, "low": 60.0})
    rows["high"] = [np.inf, np.inf, 120.0, 110.0, 100.0]
    return figures.ageing({f"engine {k}": rows for k in range(engines)}, 125.0)


def covered(subsets: int) -> Figure:
    rows = [
        {"subset": subset, "calibration": kind, "fifth": fifth, "covered": 0.9}
        for subset in SUBSETS[:subsets]
        for kind in ("split", "cross")
        for fifth in range(5)
    ]
    return figures.coverage_by_life(pd.DataFrame(rows), 0.9)


def effects(units: int) -> Figure:
    index = [[1.0, 35.0, 15.0, 125.0][:units], ["0.5 less 0.9", "0.5 less 1"], [5, 80]]
    points = pd.MultiIndex.from_product(index, names=["unit", "pair", "x"]).to_frame(index=False)
    points = points.assign(mean=1.0, low=0.5, high=2.0, gap=1.0)
    return figures.effects_over(points, points, 0.5, "engines", {5: "5", 80: "80"})


def two_ways(cases: int) -> Figure:
    index = [[f"case {k}" for k in range(cases)], ["usual", "other"], [0.1, 0.5, 0.9]]
    means = pd.MultiIndex.from_product(index, names=["case", "way", "lam"]).to_frame(index=False)
    return figures.weights_compared(means.assign(mean=15.0, low=14.0, high=17.0), 2, (7, 6))


def rates_of(cases: int) -> Figure:
    index = [[f"case {k}" for k in range(cases)], [0.1, 0.3, 0.5, 0.7, 0.9], [0.01, 0.1]]
    tried = pd.MultiIndex.from_product(index, names=["case", "lam", "lr"]).to_frame(index=False)
    return figures.rates_tried(tried.assign(mean=15.0, chosen=tried.lr == 0.1), 2, (7, 6), 20.0)


DRAWN: dict[str, Callable[[int], Figure]] = {
    "curves_over_lambda": lambda n: figures.curves_over_lambda(LAMS, curves(n), "RMSE"),
    "curves_side_by_side": lambda n: figures.curves_side_by_side(
        {f"panel {k}": (LAMS, curves(2)) for k in range(n)}
    ),
    "sensor_life": lambda n: lived(n, 40),
    "end_of_life": lambda n: figures.end_of_life(labels(n), "cycles"),
    "label_distributions": lambda n: figures.label_distributions(labels(n), labels(n)),
    "sweep_curves": swept,
    "differences": paired,
    "one_curve": one_curve,
    "pulls": lambda n: figures.pulls(gradients(n)),
    "discharges": lambda n: figures.discharges(
        [0.0, 1.0], {"none": {"90 %": [4.0, 3.9], "80 %": [3.9, 3.7]}, "other": {"70 %": [3.8, n]}}
    ),
    "bowls": lambda n: figures.bowls(
        LAMS,
        {f"panel {k}": RNG.uniform(size=3) for k in range(n)},
        {f"panel {k}": 0.5 for k in range(n)},
    ),
    "likelihood_odds": lambda n: figures.likelihood_odds(
        odds_of_families(n),
        {s: 1 / 400 for s in SUBSETS[:n]},
        (1 / 1225, 1 / 225),
        dict.fromkeys(SUBSETS, 14.0),
        ROUNDING,
    ),
    "shared_label": lambda n: figures.shared_label(labelled(n), 0.5),
    "effects_over": effects,
    "rates_tried": rates_of,
    "weights_compared": two_ways,
    "shared_noise": lambda n: figures.shared_noise(
        LAMS, kinds(n), LAMS, {k: (y, x) for k, (x, y) in kinds(n).items()}
    ),
    "verdict_rates": lambda n: figures.verdict_rates(rates(n)),
    "ageing": aged,
    "coverage_by_life": covered,
    "trajectories": lambda n: figures.trajectories(odds(n), (0.1, 0.2)),
    "rule_pulls": lambda n: figures.rule_pulls(
        pd.DataFrame(
            [(f"rule {k}", epoch, 99.0, 9.0) for k in range(n) for epoch in (0, 1)],
            columns=["rule", "epoch", "gradients", "pull"],
        )
    ),
    "rivals": lambda n: figures.rivals(*judged(n, 2), 0.5, ROUNDING),
    "rivals, subsets": lambda n: figures.rivals(*judged(2, n), 0.5, ROUNDING),
}


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_takes_any_number_of_panels(name: str, n: int) -> None:
    figure = DRAWN[name](n)
    figure.canvas.draw()
    assert any(ax.has_data() for ax in figure.axes)


SIZE = re.compile(r"font(?:-size)?: [^;]*?([\d.]+)px")


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_on_a_page_has_legible_text_in_both_widths(name: str, n: int) -> None:
    drawings = pictures(figures.show(lambda: DRAWN[name](n)))
    for svg, width in zip(drawings, (WIDE, NARROW), strict=True):
        shown = re.search(r' width="([\d.]+)pt"', svg)
        assert shown and float(shown[1]) == pytest.approx(72 * width)
        sizes = [float(size) for size in SIZE.findall(svg)]
        assert sizes and min(sizes) >= 9


def pictures(shown: figures.Drawn) -> list[str]:
    return re.findall(r"<svg.*?</svg>", shown.html, re.DOTALL)


def drawn(colour: str) -> figures.Drawn:
    def draw() -> Figure:
        fig, axes = panels((2, 2), (7, 4), 3, sharex=True)
        for ax in axes.flat[:3]:
            ax.plot([0, 1], color=colour)
        return fig

    return figures.show(draw)


def test_a_drawing_is_the_same_at_each_run_and_names_nothing_twice() -> None:
    html = drawn("#0072b2").html
    assert html == drawn("#0072b2").html
    names = re.findall(r' id="([^"]*)"', html)
    assert names and len(names) == len(set(names))
    assert all(f"#{name}" in html for name in names)


def test_a_drawing_follows_the_theme() -> None:
    shown = drawn("#0072b2")
    inks = set(re.findall(r"(?:fill|stroke): ([^;\"]*)", "".join(pictures(shown))))
    assert "var(--0072b2)" in inks and "currentColor" in inks
    assert all(ink in ("none", "currentColor") or ink.startswith("var(--") for ink in inks)
    light, dark = re.findall(r"--0072b2: (#[0-9a-f]{6});", shown.html)
    assert light == "#0072b2" and dark == on_dark(light)


@pytest.mark.parametrize("colour", ["#0072b2", "#333333", "#e4efe4", "#8a8a8a"])
def test_what_is_dark_is_light_on_a_dark_ground(colour: str) -> None:
    def lightness(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        return (min(parts) + max(parts)) / 2

    assert lightness(on_dark(colour)) == pytest.approx(1 - 0.85 * lightness(colour), abs=0.01)


def test_panels_are_stacked_on_a_phone_and_keep_the_shape_that_was_asked_for() -> None:
    with sheet(NARROW):
        _, axes = panels((1, 4), (8, 3))
        tops = [ax.get_position().y1 for ax in axes.flat]
        assert axes.shape == (1, 4) and tops == sorted(set(tops), reverse=True)
        _, axes = panels((2, 2), (8, 4), 3)
        assert axes.shape == (3, 1)
        fig, axes = panels((2, 4), (8, 4), abreast=2)
        assert axes.shape == (2, 4) and len({ax.get_position().x0 for ax in axes.flat}) == 2
    assert fig.get_figwidth() == NARROW


def test_a_log_axis_has_no_exponent() -> None:
    fig, axes = panels((1, 1), (4, 3))
    ax = axes[0, 0]
    ax.semilogy([0.001, 100])
    plain_log(ax.yaxis)
    fig.canvas.draw()
    assert {"0.001", "1", "100"} <= {tick.get_text() for tick in ax.get_yticklabels()}
    assert not any(tick.get_text() for tick in ax.get_yticklabels(minor=True))


@pytest.mark.parametrize("cycles", [1, 2, 14, 15, 16, 40])
def test_a_short_life_has_a_running_mean(cycles: int) -> None:
    (dots, mean), *_ = (ax.get_lines() for ax in lived(2, cycles).axes)
    width = min(15, cycles)
    assert len(dots.get_xdata()) == cycles and len(mean.get_xdata()) == cycles - width + 1
    first = 1 + width // 2
    assert list(mean.get_xdata()) == list(range(first, first + cycles - width + 1))


def rings(figure: Figure) -> list[tuple[float, float]]:
    lines = (line for ax in figure.axes for line in ax.get_lines() if line.get_markersize() == 12)
    return [point for line in lines for point in zip(*line.get_data(), strict=True)]


@pytest.mark.parametrize(
    ("values", "ringed"),
    [
        ([2.0, 1.0, 3.0], [0.5]),
        ([1.0, 2.0, 1.0], [0.1, 0.9]),
        ([1.0, 1.0, 1.0], [0.1, 0.5, 0.9]),
    ],
)
def test_every_lowest_value_is_ringed(values: list[float], ringed: list[float]) -> None:
    curves = {"FD001": values}
    for figure in (
        figures.curves_over_lambda(LAMS, curves, "RMSE"),
        figures.curves_side_by_side({"one": (LAMS, curves)}),
    ):
        assert [lam for lam, _ in rings(figure)] == ringed
    assert [lam for lam, _ in rings(swept(1))] == list(LAMS)


@pytest.mark.parametrize("rul", [[10.0, 50.0, 100.0, 125.0], [125.0, 125.0], [10.0], [31.0, 124.0]])
def test_a_band_without_an_engine_has_no_mean(rul: list[float]) -> None:
    true = np.array(rul)
    figures.predicted_against_true(true + 1.0, true).canvas.draw()


@pytest.mark.parametrize("subsets", [1, 4])
def test_half_is_ringed_and_a_sweep_has_its_mark_in_every_panel(subsets: int) -> None:
    points = pd.DataFrame(
        [
            (subset, unit, lam, lam / (1 + unit), 15.0, 14.5, 15.5)
            for subset in SUBSETS[:subsets]
            for unit in (1, 15, 35, 125)
            for lam in LAMS
        ],
        columns=["subset", "unit", "lam", "share", "mean", "low", "high"],
    )
    level = dict.fromkeys(SUBSETS[:subsets], 14.8)
    fig = figures.pull_curve(points, level, dict.fromkeys(level, 0.1), (0.5, 0.8))
    panels = [ax for ax in fig.axes if ax.axison]
    assert [ax.get_title() for ax in panels] == list(level)
    for ax in panels:
        rings = [line for line in ax.lines if line.get_markersize() == 11]
        assert len(rings) == 4 and all(len(line.get_xdata()) == 1 for line in rings)


def test_the_front_is_ringed_and_a_head_that_nothing_trains_has_no_mark() -> None:
    index = pd.MultiIndex.from_product([SUBSETS, (0.1, np.inf)], names=["subset", "odds"])
    scores = pd.DataFrame({"rmse": 15.0, "head": 0.8, "cut": 0.81, "on_front": False}, index)
    scores.loc[(slice(None), np.inf), "head"] = np.nan
    scores.loc[(SUBSETS[0], 0.1), "on_front"] = True
    fig = figures.front(scores, 0.02)
    for ax in (ax for ax in fig.axes if ax.axison):
        rings = [line for line in ax.lines if line.get_markersize() == 11]
        heads = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "o"]
        assert len(rings) == (ax.get_title() == SUBSETS[0])
        assert np.isfinite(heads).sum() == 1 + len(rings)
