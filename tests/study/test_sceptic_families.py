"""Families r to v: their cells, a few engines, SGD's step, and how a rate is chosen."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.study import tuned_rates
from amnl.study.protocol import FIVE_LAMS, OPTIMISERS, RATES, UNCLIPPED, family
from amnl.sweep import grid
from amnl.training import TrainConfig, Trainer


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> cmapss.Data:
    folder = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(folder, "FD001", seed=3, engines=20, test_engines=4)
    return cmapss.load("FD001", 0, folder, stride=8)


# ---------------------------------------------------------------------------------------- families


@pytest.mark.parametrize(("name", "cells"), [("r", 450), ("t", 240), ("u", 80), ("v", 240)])
def test_families_have_their_cells(name: str, cells: int) -> None:
    found = family(name)
    assert len(found) == len(set(found)) == cells
    assert {c.preset for c in found} == {"compact"} and {c.epochs for c in found} == {40}


def test_family_r_at_the_books_rate_is_family_k() -> None:
    known = set(family("k"))
    shared = [c for c in family("r") if c in known]
    assert len(shared) == 2 * 5 * 3 and {c.lr for c in shared} == {1e-3}


def test_families_t_and_u_differ_from_the_books_in_one_setting() -> None:
    usual = set(family("a")) | set(family("l"))
    assert {dataclasses.replace(c, engines=0) for c in family("t")} < usual
    assert {
        dataclasses.replace(c, stride={"FD001": 4, "FD002": 8}[c.subset]) for c in family("u")
    } < (usual)


# ------------------------------------------------------------------------------------- few engines


@pytest.mark.parametrize("engines", [1, 3, 16])
def test_fewer_engines_in_as_many_steps(data: cmapss.Data, engines: int) -> None:
    few = cmapss.few_engines(data, engines)
    assert len(few.train) == len(data.train)
    assert len(np.unique(few.train.engine)) == engines
    _, counts = np.unique(few.train.last, return_counts=True)
    assert counts.max() - counts.min() <= 1  # every window as often as the next
    assert (few.val, few.test, few.normaliser) == (data.val, data.test, data.normaliser)
    for last, rul in zip(few.train.last, few.train.rul, strict=True):
        assert rul == data.train.rul[data.train.last == last].item()


def test_the_fewer_are_among_the_more(data: cmapss.Data) -> None:
    sets = [set(cmapss.few_engines(data, n).train.engine.tolist()) for n in (1, 3, 8, 16)]
    assert sets[0] < sets[1] < sets[2] < sets[3] == set(data.train.engine.tolist())


def test_all_engines_are_the_data_as_they_were(data: cmapss.Data) -> None:
    assert (cmapss.few_engines(data, 16).train.last == data.train.last).all()


def test_more_engines_than_there_are_is_told(data: cmapss.Data) -> None:
    config = TrainConfig(stride=8, engines=17)
    with pytest.raises(cmapss.DataError, match=r"engines is 17; FD001 has 16 training engines"):
        Trainer(config, data)


# --------------------------------------------------------------------------------------------- SGD


@pytest.mark.parametrize("clip", [1.0, UNCLIPPED])
def test_sgd_takes_the_steps_of_its_formula(data: cmapss.Data, clip: float) -> None:
    config = TrainConfig(stride=8, epochs=1, optimiser="sgd", clip=clip, dtype="float64")
    trainer = Trainer(config, data)
    trainer.model.train()
    batch, moved = torch.arange(32), {}
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    lr = trainer.schedule.lr
    for _ in range(2):
        trainer.step(batch)
        for name, p in trainer.model.named_parameters():
            # the gradient that stays after a step is the clipped one
            decayed = p.grad + config.weight_decay * before[name]
            moved[name] = 0.9 * moved.get(name, 0.0) + decayed
            torch.testing.assert_close(p.detach(), before[name] - lr * moved[name])
            before[name] = p.detach().clone()
    length = torch.stack([p.grad.norm() for p in trainer.model.parameters()]).norm()
    assert length <= 1.001 if clip == 1.0 else length > 1.5


# --------------------------------------------------------------------------------- choosing a rate


def invented(failed: tuple[str, float, float] | None = None) -> pd.DataFrame:
    """Rows of family r whose best rate is the second of each list, by validation alone."""
    rows = []
    for how, settings in OPTIMISERS.items():
        rates = RATES[settings.get("optimiser", "adamw")]
        for subset in ("FD001", "FD003"):
            for lam in FIVE_LAMS:
                for at, lr in enumerate(rates):
                    for seed in range(3):
                        if failed == (how, lam, lr) and seed == 1:
                            continue
                        rows.append(
                            {"subset": subset, "lam": lam, "lr": lr, "seed": seed,
                             "optimiser": settings.get("optimiser", "adamw"),
                             "clip": settings.get("clip", 1.0),
                             "val_rmse": 14 + abs(at - 1) + 0.01 * seed, "test_rmse": 20.0 - at}
                        )  # fmt: skip
    return pd.DataFrame(rows)


def test_validation_chooses_the_rate() -> None:
    chosen = tuned_rates.chosen_rates(invented())
    assert len(chosen) == 3 * 2 * 5 and not chosen.edge.any()
    for how, part in chosen.groupby("how"):
        assert set(part.lr) == {RATES[OPTIMISERS[how].get("optimiser", "adamw")][1]}


def test_a_rate_at_which_a_training_failed_is_not_chosen() -> None:
    chosen = tuned_rates.chosen_rates(invented(failed=("SGD", 0.3, 0.01)))
    odd = chosen[chosen.lr == 0.003]
    assert set(odd.how) == {"SGD"} and set(odd.lam) == {0.3} and odd.edge.all()


def test_family_s_is_fresh_seeds_at_the_chosen_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuned_rates, "load_rows", lambda name: invented())
    cells = family("s")
    assert len(cells) == len(set(cells)) == 300
    assert {c.seed for c in cells} == set(range(10, 20)) and {c.rul_unit for c in cells} == {15.0}
    (one,) = grid(("FD003",), (10,), rul_units=(15.0,), lams=(0.7,), lr=0.01, optimiser="sgd")
    assert one in cells


def test_family_s_waits_for_the_rows_of_r(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> pd.DataFrame:
        raise FileNotFoundError(name)

    monkeypatch.setattr(tuned_rates, "load_rows", none)
    with pytest.raises(
        ValueError, match="family s takes its learning rates from the rows of family r"
    ):
        family("s")
