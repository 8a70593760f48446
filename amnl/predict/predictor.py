"""A trained model that predicts new engines."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from amnl.cmapss.errors import note, whole_number
from amnl.predict import folder as folders
from amnl.predict.conformal import Calibration, check_level, engines_needed
from amnl.predict.engines import Engines
from amnl.predict.inputs import Floats, Inputs
from amnl.predict.table import read_table
from amnl.training import DualTaskModel, Isolation, TrainConfig, make_model, recorded

_EVALUATED = 1024  # windows in one pass, as in the trainer's
_COMPANY = 16  # windows in the smallest pass: the kernels for fewer round otherwise


@dataclass(frozen=True)
class Predictor:
    """A network, what it reads, and how far its errors reach.

    Attributes
    ----------
    config
        The settings that trained it.
    network
        In evaluation mode, on the CPU.
    inputs
        Columns, statistics, window and cap.
    calibration
        What it predicted for engines that did not train it.
    unit, cycle
        The columns that name the engine and count its cycles.
    record
        The rest of model.json: results and provenance.

    """

    config: TrainConfig
    network: DualTaskModel
    inputs: Inputs
    calibration: Calibration
    unit: str
    cycle: str
    record: dict[str, Any]

    def predict(
        self,
        engines: pd.DataFrame | str | Path,
        *,
        every: int | None = None,
        level: float = 0.9,
        unit: str | None = None,
        cycle: str | None = None,
    ) -> pd.DataFrame:
        """Remaining life of engines, with an interval.

        Parameters
        ----------
        engines
            A row a cycle, each engine's in order, from a table or a file: NASA's 26 columns, or
            CSV with a header. Columns are found by name; others are noted.
        every
            A row each so many cycles, counted back from an engine's last; by default the last.
        level
            Of the interval.
        unit, cycle
            Columns of the engine and of its cycle; by default as in training.

        Returns
        -------
        DataFrame
            In the order of the file: the engine and the cycle; `rul`, `low` and `high` in cycles;
            `interval`, the two in words; `health`; `marks`, what to know before one believes it.
            `high` is infinite, and reads "125 or more", where the interval reaches the cap.

        Raises
        ------
        DataError
            For rows that cannot be used. The message names the column, the row and the file.
        """
        check_level(level)
        every = None if every is None else whole_number("every", every, 1)
        table, place = engines, ""
        if not isinstance(table, pd.DataFrame):
            table, place = read_table(table), str(engines)
        unit, cycle = unit or self.unit, cycle or self.cycle
        found = Engines.of(table, self.inputs, unit, cycle, place)
        rows = found.moments(every)
        rul, state = run(self.network, self.inputs, found, rows)
        low, high = self.calibration.interval(rul, level)
        self._note_few(rul, level)
        return pd.DataFrame(
            {
                unit: pd.Series([found.names[k] for k in found.engine[rows]]),
                cycle: found.cycle[rows],
                "rul": rul,
                "low": low,
                "high": high,
                "interval": [self._words(a, b) for a, b in zip(low, high, strict=True)],
                "health": [self.inputs.states[k] for k in state],
                "marks": self._marks(found, rows),
            }
        )

    def _words(self, low: float, high: float) -> str:
        if low == 0 and np.isinf(high):
            return "no bound"
        least = math.floor(low)  # rounded outwards
        if np.isinf(high):
            return f"{least} to {self.inputs.cap:g} or more"
        return f"{least} to {math.ceil(high)}"

    def _note_few(self, rul: Floats, level: float) -> None:
        half = self.calibration.half_widths(level)[self.calibration.fifth(rul)]
        if np.isinf(half).any():
            note(
                f"no interval for {np.isinf(half).sum()} of {len(rul)} predictions: too few of the "
                f"{self.calibration.engines} calibration engines were ever predicted such a life. "
                f"{engines_needed(level)} are needed at {100 * level:g} %, and "
                f"{engines_needed(0.95)} at 95 %."
            )

    def _marks(self, engines: Engines, rows: NDArray[np.int64]) -> list[str]:
        window = self.inputs.window
        had = np.minimum(rows - engines.offsets[engines.engine[rows]] + 1, window)
        unseen = np.cumsum(np.r_[0, self.inputs.unseen(engines.settings)])
        new = unseen[rows + 1] - unseen[rows + 1 - had]
        short = [f"short: {n} of {window} cycles" if n < window else "" for n in had]
        strange = [f"flight condition never seen in {n} of {of} cycles" if n else ""
                   for n, of in zip(new, had, strict=True)]  # fmt: skip
        return ["; ".join(filter(None, both)) for both in zip(short, strange, strict=True)]


def run(
    network: DualTaskModel, inputs: Inputs, engines: Engines, rows: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.int64]]:
    """RUL in cycles and health class, (n,) each, at these rows of `engines`."""
    scaled = torch.from_numpy(inputs.scaled(engines.features, engines.settings))
    scaled = scaled.to(next(network.parameters()).dtype)
    seen = engines.windows(rows, inputs.window)
    alone = _COMPANY - len(seen)
    if alone > 0:  # a few windows are given company, which is then left out
        seen = np.concatenate([seen, np.repeat(seen[-1:], alone, axis=0)])
    rul, state = [], []
    with Isolation(0, torch.device("cpu"), "highest"), torch.no_grad():
        for part in np.array_split(seen, -(-len(seen) // _EVALUATED)):
            life, logits = network(scaled[torch.from_numpy(part)])
            rul.append(life)
            state.append(logits.argmax(1))
    n = len(rows)
    return torch.cat(rul).double().numpy()[:n], torch.cat(state).numpy()[:n]


def load_predictor(folder: str | Path) -> Predictor:
    """The model in a folder that `amnl train --model` wrote, on any machine.

    Raises
    ------
    ModelError
        For a folder that is none, or damaged. The message names the file.
    """
    place = Path(folder).expanduser()
    record, weights, calibration = folders.read(place)
    try:
        config = TrainConfig(**record["config"])
        network = make_model(config.preset).to(getattr(torch, config.dtype)).eval()
        arrays = {k: weights.pop(k).numpy() for k in [*weights] if k.startswith("inputs.")}
        network.load_state_dict(weights)
        inputs = Inputs.join(
            record["inputs"], {k.removeprefix("inputs."): v for k, v in arrays.items()}
        )
        parts = {name: tensor.numpy() for name, tensor in calibration.items()}
        judged = Calibration(record["calibration"], inputs.cap, **parts)
        unit, cycle = record["columns"]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise folders.ModelError(
            f"{place / folders.MODEL} does not say what this amnl reads ({error}). It was written "
            "by another version of amnl: use that one, or train the model anew."
        ) from error
    rest = {k: record[k] for k in ("metrics", "provenance")}
    return Predictor(config, network, inputs, judged, unit, cycle, rest)


def save_predictor(predictor: Predictor, folder: Path) -> None:
    """Write what `load_predictor` reads."""
    weights = {k: v.detach().cpu() for k, v in predictor.network.state_dict().items()}
    numbers = {f"inputs.{k}": torch.as_tensor(v) for k, v in predictor.inputs.arrays().items()}
    judged = predictor.calibration
    record = {
        "config": recorded(dataclasses.asdict(predictor.config)),
        "inputs": predictor.inputs.words(),
        "columns": [predictor.unit, predictor.cycle],
        "calibration": judged.kind,
        **predictor.record,
    }
    calibration = {k: torch.as_tensor(getattr(judged, k)) for k in ("engine", "pred", "rul")}
    folders.write(folder, record, weights | numbers, calibration)
