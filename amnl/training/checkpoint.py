"""The file from which a run goes on."""

import dataclasses
import math
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from amnl.cmapss import Source
from amnl.combiners import Combiner
from amnl.files import write_atomically
from amnl.training.combiner_state import held_settings
from amnl.training.config import TrainConfig
from amnl.training.result import Record

_VERSION = 3


def identity(config: TrainConfig, source: Source, combiner: Combiner) -> Record:
    """What a checkpoint must share with the run that resumes from it.

    `source` is that of the data. The combiner is as given: some move in training.
    """
    settings = held_settings(combiner)
    return {
        "version": _VERSION,
        "config": dataclasses.asdict(config),
        "data": str(source),
        "combiner kind": type(combiner).__name__,
        "combiner weights": [settings[name] for name in ("rul_weight", "health_weight")],
        "combiner settings": settings,
    }


def write(path: Path, state: dict[str, Any]) -> None:
    """The whole file or none."""
    whole = BytesIO()
    torch.save(state, whole)
    write_atomically(path, whole.getbuffer())


def read(
    path: Path, expected: Record, device: torch.device, *, extend: bool = False
) -> dict[str, Any]:
    """What `write` wrote, with tensors on `device`.

    With `extend`, a run of fewer epochs is the start of the expected one.

    Raises `ValueError` for a file that is damaged or something else, and for one of another
    identity than `expected`.
    """
    stored = BytesIO(path.read_bytes())
    try:
        with zipfile.ZipFile(stored) as parts:
            if damaged := parts.testzip():  # PyTorch looks at no checksum
                raise zipfile.BadZipFile(f"the checksum of {damaged} does not fit")
        stored.seek(0)
        state = torch.load(stored, map_location=device, weights_only=True)
    except Exception as error:  # what a damaged file may set off has no end
        raise not_ours(path, error) from error
    if not isinstance(state, dict) or "version" not in state:
        raise not_ours(path, KeyError("version"))
    if extend:
        expected = _longer(state, expected)
    _check_identity(path, state, expected)
    return state


def _longer(state: dict[str, Any], expected: Record) -> Record:
    """What is expected, with the stored run's epochs where these are fewer."""
    config, stored = expected["config"], state.get("config")
    if not isinstance(stored, dict) or stored.get("epochs", math.inf) >= config["epochs"]:
        return expected
    return {**expected, "config": {**config, "epochs": stored["epochs"]}}


def _check_identity(path: Path, state: dict[str, Any], expected: Record) -> None:
    for key, ours in expected.items():
        theirs = state.get(key)
        if key == "config" and isinstance(theirs, dict):  # name the setting, not all twenty
            differ = [k for k in ours if k not in theirs or theirs[k] != ours[k]]
            key = differ[0] if differ else key
            theirs, ours = (theirs.get(key), ours[key]) if differ else (ours, ours)
        if theirs != ours:
            raise ValueError(
                f"{path}: the checkpoint's {key} is {theirs}, this run's is {ours}. "
                "Delete the file to start anew, or name another."
            )


def not_ours(path: Path, error: Exception) -> ValueError:
    """The error for a file that only claims to be a checkpoint."""
    return ValueError(
        f"{path}: not a checkpoint of this book, or a damaged one ({type(error).__name__}). Delete "
        "it to start anew, or name another file."
    )
