"""Trainings that are measured epoch by epoch, each kept in a table when it is finished."""

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from amnl import cmapss
from amnl.files import write_atomically
from amnl.study.rows import read_rows
from amnl.training import TrainConfig, Trainer


@contextmanager
def fixed_batches(trainer: Trainer) -> Iterator[list[Tensor]]:
    """Four batches, the same at every call, and a copy of the network in the trainer.

    Nothing of it reaches the training: network and random state are put back.
    """
    order = torch.Generator().manual_seed(0)
    batches = list(trainer.train.shuffled(trainer.config.batch_size, order))[:4]
    live, random = trainer.model, trainer.isolation.random
    trainer.model = copy.deepcopy(live).train()
    try:
        yield batches
    finally:
        trainer.model, trainer.isolation.random = live, random


def measure_all(
    table: Path,
    keys: Sequence[str],
    configs: Iterable[TrainConfig],
    measure: Callable[[Trainer], dict[str, float]],
    digits: int,
) -> None:
    """Train what the table lacks; a row before the first epoch and after each one.

    `keys` are the fields of a config that name a run.
    """
    torch.set_num_threads(1)
    done = read_rows(table.read_text(encoding="utf-8")) if table.exists() else pd.DataFrame()
    kept = {tuple(row) for row in done[[*keys]].to_numpy().tolist()} if len(done) else set()
    for config in configs:
        key = {name: getattr(config, name) for name in keys}
        if "combiner_settings" in key:
            key["combiner_settings"] = json.dumps(config.combiner_settings)
        if tuple(key.values()) in kept:
            continue
        trainer = Trainer(config, cmapss.load(config.subset, config.seed, stride=config.stride))
        rows = [{"epoch": 0, **measure(trainer)}]
        result = trainer.fit(
            on_epoch=lambda record, t=trainer, r=rows: r.append(
                {"epoch": record["epoch"], **measure(t)}
            )
        )
        new = pd.DataFrame(rows).assign(**key, commit=result.provenance["commit"])
        new = new[[*keys, *(c for c in new.columns if c not in keys)]]
        done = pd.concat([done, new]) if len(done) else new
        write_atomically(table, done.to_csv(index=False, float_format=f"%.{digits}g").encode())
        print(*key.values(), "done", flush=True)
