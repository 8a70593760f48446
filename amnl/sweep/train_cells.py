"""What a worker does: train cells, alone or side by side."""

import gc
import pickle
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from amnl import cmapss
from amnl.cmapss import DataError, OwnFleet, Source
from amnl.combiners.registry import FACTORIES
from amnl.runs import keep_freed_memory
from amnl.sweep.store import own_factories
from amnl.training import RunResult, TrainConfig, TrainingError, pick_device, population, train

_Results = list[RunResult | Exception]  # one a cell, or why it stopped: a `TrainingError`
_OnEpoch = Callable[[int], None] | None
_one_at_a_time = threading.Lock()  # a cell uses its process's random state


def train_cells(
    configs: Sequence[TrainConfig],
    *,
    data_dir: str | OwnFleet | None,
    source: str,
    device: str | None = None,
    precision: str | None = None,
    stacked: bool = False,
    factories: Mapping[str, bytes] = MappingProxyType({}),
    on_epoch: _OnEpoch = None,
) -> _Results:
    """Train cells that go together, on one thread or the GPU.

    Parameters
    ----------
    source
        What the sweep is about, as text; the data that are found here must be the same.
    stacked
        Cells of this sweep are trained side by side, so one that is left over is stacked, too: of a
        seed, all have the dropout masks of one.
    factories
        From `pickled_combiners`.

    Raises
    ------
    DataError
        Where this worker has other data than the sweep.
    """
    with _one_at_a_time:
        FACTORIES.update({name: pickle.loads(factory) for name, factory in factories.items()})
        configs = [TrainConfig(**vars(c)) for c in configs]  # their amnl may know more settings
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        keep_freed_memory()
        found = data_dir if isinstance(data_dir, OwnFleet) else cmapss.find(data_dir)
        if isinstance(found, Source) and str(found) != source:
            raise DataError(
                f"this worker finds {found} in {found.folder}, the sweep is about {source}. Point "
                "AMNL_DATA_DIR at the same files on every machine."
            )
        try:
            return _train(configs, found, pick_device(device), precision, on_epoch, stacked)
        finally:
            torch.set_num_threads(threads)


def train_own_cells(fleet: bytes, configs: Sequence[TrainConfig], **how: Any) -> _Results:
    """`train_cells` of a fleet of the reader's own, pickled: it comes with the sweep."""
    return train_cells(configs, data_dir=pickle.loads(fleet), **how)


def pickled_combiners(cells: Iterable[TrainConfig]) -> dict[str, bytes]:
    """Combiners that are not amnl's, with their code, as workers know none of them."""
    import cloudpickle

    found = {}
    for name, factory in own_factories(cells).items():
        module = sys.modules.get(factory.__module__)
        by_name = module is not None and factory.__module__ != "__main__"
        if by_name:  # a worker may have another day's
            cloudpickle.register_pickle_by_value(module)
        try:
            found[name] = cloudpickle.dumps(factory)
        finally:
            if by_name:
                cloudpickle.unregister_pickle_by_value(module)
    return found


def _train(
    configs: Sequence[TrainConfig],
    source: Source | OwnFleet,
    device: torch.device,
    precision: str | None,
    on_epoch: _OnEpoch,
    stacked: bool,
) -> _Results:
    """One cell alone, or a population: two halves of it where the GPU's memory is too small."""
    first = configs[0]
    if len(configs) == 1 and precision is None and not (stacked and population.fits(first)):
        return [_train_one(first, source, device, on_epoch)]
    seeds = sorted({c.seed for c in configs})
    how: dict[str, Any] = {"stride": first.stride, "framing": first.framing}
    data = {s: cmapss.load(first.subset, s, source, **how) for s in seeds}
    try:
        whole = population.Population(configs, data, device=device, precision=precision)
        return list(whole.fit(on_epoch))
    except torch.OutOfMemoryError as error:
        if len(configs) == 1:
            return [_too_large(first, error)]
    gc.collect()  # the tensors of the attempt
    torch.cuda.empty_cache()
    half = len(configs) // 2
    return [
        result
        for part in (configs[:half], configs[half:])
        for result in _train(part, source, device, precision, on_epoch, stacked)
    ]


def _train_one(
    config: TrainConfig, source: Source | OwnFleet, device: torch.device, on_epoch: _OnEpoch
) -> RunResult | Exception:
    def tell(record: dict[str, Any]) -> None:
        if on_epoch:
            on_epoch(record["epoch"])

    try:
        return train(config, source, device=device, on_epoch=tell)
    except TrainingError as error:
        return error
    except torch.OutOfMemoryError as error:
        return _too_large(config, error)


def _too_large(config: TrainConfig, error: torch.OutOfMemoryError) -> TrainingError:
    what = str(error).partition(". ")[0]
    return TrainingError(
        f"not even one cell fits on the GPU ({what}); preset {config.preset}, batch size "
        f"{config.batch_size}. A smaller --batch-size needs less."
    )
