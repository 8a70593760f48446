"""The folder of a saved model.

    model.json       format, settings, what it reads, results, provenance, and checksums
    weights.pt       the network's tensors, and the normaliser's statistics
    calibration.pt   what it predicted for engines that did not train it
    training-0.pt    from which training goes on (a checkpoint); up to -4 with cross calibration

The `.pt` files hold tensors and plain values alone: `torch.load(…, weights_only=True)` reads them,
and no code runs. model.json has the SHA-256 of weights.pt and of calibration.pt, and of what it
says itself, whatever its blanks and line ends. A checkpoint has its own checksums.
"""

import hashlib
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from amnl.files import write_atomically

MODEL, WEIGHTS, CALIBRATION = "model.json", "weights.pt", "calibration.pt"
_FORMAT, _VERSION = "amnl model", 1
_WAY_OUT = "Copy the whole folder again, or train it anew: amnl train --model"

Tensors = dict[str, Tensor]


class ModelError(ValueError):
    """A folder that is no whole model. The message names the file and the way out."""


def training_file(folder: Path, fold: int) -> Path:
    """The checkpoint of one fold's training."""
    return folder / f"training-{fold}.pt"


def write(folder: Path, record: dict[str, Any], weights: Tensors, calibration: Tensors) -> None:
    """Write a model, the tensors first: without its model.json a folder is none."""
    sums = {}
    for name, tensors in ((WEIGHTS, weights), (CALIBRATION, calibration)):
        whole = BytesIO()
        torch.save(tensors, whole)
        sums[name] = hashlib.sha256(whole.getbuffer()).hexdigest()
        write_atomically(folder / name, whole.getbuffer())
    record = {"format": _FORMAT, "version": _VERSION, **record, "sha256": sums}
    record["checksum"] = _digest(record)
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    write_atomically(folder / MODEL, text.encode())


def read(folder: Path) -> tuple[dict[str, Any], Tensors, Tensors]:
    """What `write` wrote: the record, the weights and the calibration.

    Raises
    ------
    ModelError
        For a folder that is none or another program's, and for a file that is missing or damaged.
    """
    record = _read_record(folder)
    weights, calibration = (_read_tensors(folder / n, record) for n in (WEIGHTS, CALIBRATION))
    return record, weights, calibration


def check_free(folder: Path) -> None:
    """Raises `ModelError` for a folder with anything in it but a model or the start of one."""
    if not folder.exists():
        return
    names = sorted(path.name for path in folder.iterdir())
    if not names or {MODEL, training_file(folder, 0).name} & set(names):
        return
    raise ModelError(
        f"{folder} is no model's folder: it holds {names[0]}"
        + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        + ". Name a new or an empty folder."
    )


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / MODEL
    if not folder.is_dir():
        raise ModelError(f"{folder}: there is no such folder. amnl train --model makes one.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(_none(folder)) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged: {error}. {_WAY_OUT} {folder}") from error
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise ModelError(f"{path} is no model of this book. amnl train --model makes one.")
    if record.get("version") != _VERSION:
        raise ModelError(
            f"{path} is of version {record.get('version')}, and this amnl reads {_VERSION}. Use "
            "the amnl that wrote it, or train it anew."
        )
    if record.pop("checksum", None) != _digest(record):
        raise ModelError(
            f"{path} was changed since it was written: its checksum does not fit. {_WAY_OUT} "
            f"{folder}"
        )
    return record


def _none(folder: Path) -> str:
    if training_file(folder, 0).exists():
        return (
            f"{folder} has no {MODEL}: its training has not ended. The same amnl train command "
            "goes on."
        )
    return f"{folder} is no model: it has no {MODEL}. amnl train --model makes one."


def _read_tensors(path: Path, record: dict[str, Any]) -> Tensors:
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path} is missing. {_WAY_OUT} {path.parent}") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    if hashlib.sha256(stored).hexdigest() != record["sha256"].get(path.name):
        raise ModelError(
            f"{path} is damaged: its checksum is not the one in {MODEL}. {_WAY_OUT} {path.parent}"
        )
    tensors: Tensors = torch.load(BytesIO(stored), map_location="cpu", weights_only=True)
    return tensors


def _digest(record: dict[str, Any]) -> str:
    """Of what a record says, however it is spelt."""
    spelt = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(spelt.encode()).hexdigest()
