"""Train a model, judge it on engines that did not train it, and keep it in a folder."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from amnl import cmapss
from amnl.cmapss import Data, Source
from amnl.predict import folder as folders
from amnl.predict.conformal import Calibration
from amnl.predict.engines import Engines
from amnl.predict.inputs import Inputs
from amnl.predict.predictor import Predictor, run, save_predictor
from amnl.training import Chosen, RunResult, TrainConfig, Trainer, make_model

FOLDS = 5  # a fifth of the engines validates


def train_model(
    config: TrainConfig,
    data_dir: str | Path | Source | None,
    folder: str | Path,
    *,
    cross: bool = False,
    device: torch.device | None = None,
    log_dir: str | Path | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> RunResult:
    """Train and score one cell as `amnl.training.train` does, and keep its model in a folder.

    Each epoch is kept there, too, so that a training that was stopped goes on, and one that ended
    goes on for more epochs, as if it had been asked for them at once.

    Parameters
    ----------
    config
        The settings.
    data_dir
        Where the data are, as for `cmapss.load`.
    folder
        New, empty, or with a model of the same settings and data.
    cross
        Train four more models, each of which leaves another fifth of the engines out, so that every
        training engine judges. By default the validation engines alone do.
    device
        By default a GPU where there is one.
    log_dir
        A folder for TensorBoard.
    on_epoch
        Called with each epoch's record.

    Raises
    ------
    ModelError
        For a folder with something else in it.
    ValueError
        For a folder whose training has other settings or data.
    """
    if config.auxiliary != "health":
        raise ValueError("a model that tells faults has no health to predict; save one of health")
    place = Path(folder).expanduser()
    folders.check_free(place)
    place.mkdir(parents=True, exist_ok=True)
    source = data_dir if isinstance(data_dir, Source) else cmapss.find(data_dir, [config.subset])
    parts = []
    for fold in range(FOLDS if cross else 1):
        data = cmapss.load(config.subset, config.seed, source, stride=config.stride, fold=fold)
        trainer = Trainer(config, data, device=device)
        done = trainer.fit(
            checkpoint=folders.training_file(place, fold),
            extend=True,
            log_dir=Path(log_dir) / f"fold-{fold}" if log_dir and fold else log_dir,
            on_epoch=_numbered(on_epoch, fold) if cross else on_epoch,
        )
        predictor = _predictor(trainer.log.best, config, data, fold, done)
        parts.append(predictor.calibration)
        if not fold:
            result, kept = done, predictor
    judged = Calibration.join("cross" if cross else "split", parts)
    save_predictor(dataclasses.replace(kept, calibration=judged), place)
    return result


def _predictor(
    best: Chosen, config: TrainConfig, data: Data, fold: int, result: RunResult
) -> Predictor:
    """What one fold's training has come to, judged on the engines that it left out."""
    fleet = cmapss.read(data.source, data.subset, "train")
    training, left_out = cmapss.split_engines(fleet.engines, data.seed, fold=fold)
    network = make_model(config.preset).to(getattr(torch, config.dtype)).eval()
    network.load_state_dict(best.weights)
    inputs = Inputs.of(fleet, training, data.normaliser)
    record = {"metrics": result.metrics, "provenance": result.provenance}
    rows = np.flatnonzero(np.isin(fleet.engine, left_out))
    engines = Engines(
        list(range(fleet.engines)), fleet.offsets, fleet.cycle, fleet.features, fleet.settings
    )
    pred, _ = run(network, inputs, engines, rows)
    true = np.minimum(fleet.rul[rows], inputs.cap).astype(np.float64)
    judged = Calibration("split", inputs.cap, fleet.engine[rows], pred, true)
    return Predictor(config, network, inputs, judged, "unit", "cycle", record)


def _numbered(
    on_epoch: Callable[[dict[str, Any]], None] | None, fold: int
) -> Callable[[dict[str, Any]], None] | None:
    """The same call, with the fold in each record."""
    if on_epoch is None:
        return None
    return lambda record: on_epoch(record | {"fold": fold})
