"""Training: the network, its settings, and a run of one cell alone or of many side by side.

A run needs `amnl.cmapss` for its windows and `amnl.combiners` for the loss; whoever trains sees
`TrainConfig` going in and `RunResult` coming out.
"""

from amnl.provenance import provenance
from amnl.training.batches import Batches
from amnl.training.combiner_state import GIVEN
from amnl.training.config import NEWER, TrainConfig, recorded
from amnl.training.device import pick_device
from amnl.training.errors import TrainingError
from amnl.training.isolation import Isolation
from amnl.training.model import (
    LADDER,
    PRESETS,
    DualTaskModel,
    ModelConfig,
    count_parameters,
    make_model,
)
from amnl.training.population import MAY_DIFFER, PRECISIONS, Population, check_precision, fits
from amnl.training.result import RunResult
from amnl.training.scoring import Chosen, metrics
from amnl.training.trainer import Trainer, train

__all__ = [  # noqa: RUF022 (by kind)
    # one cell
    "TrainConfig", "Trainer", "train", "RunResult", "Chosen", "metrics", "TrainingError", "Batches",
    # the network
    "DualTaskModel", "ModelConfig", "PRESETS", "LADDER", "make_model", "count_parameters",
    # many cells
    "Population", "fits", "MAY_DIFFER", "PRECISIONS", "check_precision",
    # where it runs
    "pick_device", "provenance", "Isolation",
    # records
    "recorded", "NEWER", "GIVEN",
]  # fmt: skip
