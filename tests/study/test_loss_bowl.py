"""Chapter 2's bowl as Python makes it: each setting does what its button says."""

import re
from dataclasses import replace

import numpy as np
import pytest

from amnl.drawing import on_dark
from amnl.palette import HEALTH_COLOUR, RUL_COLOUR
from amnl.study.explorables import SCRIPTS, loss_bowl
from amnl.study.explorables.loss_bowl import ROWS, SETTINGS
from amnl.study.shared_regression import TwoTasks, excess, optimum, simulate


@pytest.mark.parametrize(
    ("name", "lam"), [("best near 0", 0.0), ("best at 0.5", 0.5), ("best near 1", 1.0)]
)
def test_the_best_weight_is_where_the_button_says(name: str, lam: float) -> None:
    tasks = SETTINGS[name]
    # Only one half is met exactly: an answer without any error does not exist.
    assert optimum(tasks) == pytest.approx(lam, abs=1e-9 if lam == 0.5 else 0.005)
    # To miss it by the whole interval costs much of what cannot be helped.
    ends = max(float(excess(tasks, end)) for end in (0.0, 1.0))
    assert ends - float(excess(tasks, optimum(tasks))) > 0.09 * tasks.noise_primary**2
    lams = np.linspace(0, 1, 21)
    errors = simulate(tasks, lams, repeats=300, seed=0).mean(axis=0)
    assert lams[errors.argmin()] == pytest.approx(lam, abs=0.051)


def test_where_it_is_flat_no_weight_matters() -> None:
    tasks = SETTINGS["flat"]
    errors = tasks.noise_primary**2 + np.asarray(excess(tasks, np.linspace(0, 1, 101)))
    assert errors.max() / errors.min() < 1.002


def test_the_dials_reach_every_setting() -> None:
    for tasks in SETTINGS.values():
        assert {tasks.n_primary, tasks.n_auxiliary} <= set(ROWS)
        for value, step in ((tasks.noise_primary, 0.1), (tasks.noise_auxiliary, 0.1),
                            (tasks.disagreement, 0.05)):  # fmt: skip
            assert round(value / step) == pytest.approx(value / step)
    assert next(iter(SETTINGS)) == "best at 0.5"


def test_the_table_says_what_the_formulas_do() -> None:
    body = loss_bowl().stands_in.partition("<tbody>")[2]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")[:-1]]
    for (name, *cells), (setting, tasks) in zip(rows, SETTINGS.items(), strict=True):
        best = optimum(tasks)
        expected = [tasks.primary_variance, tasks.auxiliary_error, best, excess(tasks, best)]
        assert name == setting
        assert [float(cell) for cell in cells] == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize("changed", [{"dim": 3}, {"scale": 2.0}, {"shared_noise": 0.5}])
def test_what_the_plane_cannot_show_is_refused(changed: dict[str, float]) -> None:
    tasks: TwoTasks = replace(SETTINGS["flat"], **changed)
    with pytest.raises(ValueError, match="'mine' needs dim=2, scale=1 and shared_noise=0"):
        loss_bowl({"mine": tasks})


def test_the_colours_are_the_books() -> None:
    css = (SCRIPTS / "loss-bowl.css").read_text(encoding="utf-8")
    for name, colour in (("one", RUL_COLOUR), ("two", HEALTH_COLOUR)):
        light, dark, forced = re.findall(rf"--{name}: (\S+);", css)
        assert (light, dark) == (colour.lower(), on_dark(colour.lower()))
        assert not forced.startswith("#")
