"""Which weight do the two losses of your own problem want? A sweep tries five of them.

`five_point_sweep` is the way in, and `amnl init` writes a problem to start from. Nothing here needs
turbofans, and pandas and matplotlib are loaded when a table or a figure is asked for.
"""

from amnl.weigh.decision import Comparison, Decision, decide
from amnl.weigh.five_point import five_point_sweep
from amnl.weigh.problem import Losses, Metric, Problem, ProblemError
from amnl.weigh.result import FivePoint, Settings
from amnl.weigh.run import Run
from amnl.weigh.scale import Scale
from amnl.weigh.seeding import seeded

__all__ = [  # noqa: RUF022 - in groups
    # the sweep, and what it found
    "five_point_sweep",
    "FivePoint",
    "Run",
    "Scale",
    "Settings",
    # a problem, and what is wrong with it
    "Problem",
    "ProblemError",
    "Losses",
    "Metric",
    # the rule alone
    "decide",
    "Decision",
    "Comparison",
    # global random states, set for a while
    "seeded",
]
