"""Prediction: a model that outlives its training, and how far its errors reach.

`train_model` trains, and keeps a model in a folder; `load_predictor` reads it on any machine, and
its `predict` gives the remaining life of new engines with an interval. What the folder holds is
told in `amnl.predict.folder`, and what the interval promises in `amnl.predict.conformal`.
"""

from amnl.predict.conformal import Calibration, engines_needed, half_width
from amnl.predict.folder import ModelError
from amnl.predict.inputs import Inputs
from amnl.predict.predictor import Predictor, load_predictor
from amnl.predict.saving import train_model
from amnl.predict.table import read_table

__all__ = [  # noqa: RUF022 (by kind)
    # a model
    "train_model", "load_predictor", "Predictor", "Inputs", "ModelError", "read_table",
    # its intervals
    "Calibration", "half_width", "engines_needed",
]  # fmt: skip
