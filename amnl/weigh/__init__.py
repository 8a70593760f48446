"""Which weights do the losses of your own problem want? A few are tried, and compared by seed.

`weigh_losses` is the way in: it balances two losses or more before it sweeps. `weigh_callable` does
so with a training loop of your own, and `five_point_sweep` sweeps λ in the units that two losses
have. `amnl init` writes a problem to start from. Nothing here needs turbofans, and pandas and
matplotlib are loaded when a table or a figure is asked for.
"""

from amnl.weigh.arms import Arm
from amnl.weigh.choice import Answer, Choice, Compared, answers, choose
from amnl.weigh.decision import Comparison, Decision, decide
from amnl.weigh.five_point import five_point_sweep
from amnl.weigh.problem import Losses, Metric, Problem, ProblemError
from amnl.weigh.pulls import Pulls, measured_pulls
from amnl.weigh.result import FivePoint, Settings
from amnl.weigh.run import Run
from amnl.weigh.scale import Scale
from amnl.weigh.seeding import seeded
from amnl.weigh.trial import Trial
from amnl.weigh.weigh import weigh_callable, weigh_losses
from amnl.weigh.weighing import Weighed

__all__ = [  # noqa: RUF022 - in groups
    # K losses, and what weighing them found
    "weigh_losses",
    "weigh_callable",
    "measured_pulls",
    "Weighed",
    "Arm",
    "Pulls",
    "Trial",
    # the sweep of λ, and what it found
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
    "choose",
    "Choice",
    "Compared",
    "answers",
    "Answer",
    # global random states, set for a while
    "seeded",
]
