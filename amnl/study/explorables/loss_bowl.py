"""Chapter 2's bowl: two linear tasks that share two weights, and the error that λ leaves."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from amnl.study import figures
from amnl.study.explorables.explorable import Explorable
from amnl.study.html_table import show_table
from amnl.study.shared_regression import TwoTasks, excess, optimum

__all__ = ["ROWS", "SETTINGS", "loss_bowl"]

ROWS = [5, 10, 20, 50, 100, 200, 500, 1000]  # what the dials of the numbers of samples offer
# By where their best λ is. Two weights to learn, so that the plane shows them all.
SETTINGS = {
    "best at 0.5": TwoTasks(
        dim=2, n_primary=10, n_auxiliary=50, noise_primary=1.0, noise_auxiliary=1.0,
        disagreement=0.4,
    ),
    "best near 0": TwoTasks(
        dim=2, n_primary=10, n_auxiliary=1000, noise_primary=2.0, noise_auxiliary=0.5,
        disagreement=0.0,
    ),
    "best near 1": TwoTasks(
        dim=2, n_primary=1000, n_auxiliary=50, noise_primary=0.5, noise_auxiliary=1.0,
        disagreement=0.8,
    ),
    "flat": TwoTasks(
        dim=2, n_primary=1000, n_auxiliary=1000, noise_primary=1.0, noise_auxiliary=1.0,
        disagreement=0.0,
    ),
}  # fmt: skip


def loss_bowl(settings: Mapping[str, TwoTasks] = SETTINGS) -> Explorable:
    """Two losses in the plane of the shared weights, and the test error over λ beside it.

    Parameters
    ----------
    settings
        A button's words → what it sets. The first is where it starts. `dim` is 2, `scale` 1
        and `shared_noise` 0.

    Raises
    ------
    ValueError
        For a setting of another `dim`, `scale` or `shared_noise`.
    """
    for name, tasks in settings.items():
        if (tasks.dim, tasks.scale, tasks.shared_noise) != (2, 1.0, 0.0):
            raise ValueError(f"{name!r} needs dim=2, scale=1 and shared_noise=0: {tasks}")
    fine = np.linspace(0.0, 1.0, 101)
    curves = {name: np.asarray(excess(tasks, fine)) for name, tasks in settings.items()}
    best = {name: optimum(tasks) for name, tasks in settings.items()}
    picture = figures.show(lambda: figures.bowls(fine, curves, best))
    table = {
        "setting": settings,
        "error of the primary answer": [tasks.primary_variance for tasks in settings.values()],
        "error of the auxiliary answer": [tasks.auxiliary_error for tasks in settings.values()],
        "best λ": best.values(),
        "error at the best λ": [float(excess(settings[name], lam)) for name, lam in best.items()],
    }
    formats = dict(zip(table, ("", ".4f", ".4f", ".3f", ".4f"), strict=True))
    numbers = {"settings": {name: asdict(t) for name, t in settings.items()}, "rows": ROWS}
    stands_in = (picture, show_table(table, formats))
    return Explorable(
        "loss-bowl",
        "Two losses, their shared minimiser and its test error",
        numbers,
        "\n".join(part._repr_html_() for part in stands_in),
    )
