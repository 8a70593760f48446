"""Stored rows keep their text, and the stored predictions are those that they were scored on."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pages
import pandas as pd
import predictions
import pytest
import torch

from amnl.cmapss import SUBSETS
from amnl.study.protocol import GRIDS, PUBLISHED, UNCLIPPED, family
from amnl.study.rows import TEXT, load_predictions, load_rows, read_rows
from amnl.study.tables import LAMS
from amnl.task_losses import macro_f1, nasa_score, rmse
from amnl.training import RunResult, TrainConfig, provenance

TABLES = [f.name[:-4] for f in files("amnl.study.rows").iterdir() if f.name.endswith(".csv")]
# Families whose rows have every setting; test_protocol.py compares the older ones by their grids.
FAMILIES = {table: name for name, table in PUBLISHED.items() if name not in GRIDS}
CELL = (
    "preset", "subset", "rul_unit", "lam", "seed", "epochs", "nudge", "auxiliary", "engines",
    "optimiser", "lr", "clip",
)  # fmt: skip
# Cells that have no row: SGD without clipping at its highest rate ended in NaN.
FAILED = {
    "sweep-compact-rates": {
        ("FD003", 0.9, 1, "sgd", 0.3, UNCLIPPED), ("FD003", 0.9, 2, "sgd", 0.3, UNCLIPPED),
    },
}  # fmt: skip
STORED = sorted(
    file.name.removeprefix("predictions-").removesuffix(".npz")
    for file in files("amnl.study.rows").iterdir()
    if file.name.startswith("predictions-")
)


@pytest.mark.parametrize("column", TEXT)
@pytest.mark.parametrize(
    "words", [["1234567"], ["0012345", "1e10"], ["2.10", ""], ["inf", "12"], ["a #2", "3#"]]
)
def test_text_that_looks_like_a_number_stays_text(column: str, words: list[str]) -> None:
    """A commit is any seven digits, of which some are letters."""
    lines = [f"{word},{seed}" for seed, word in enumerate(words)]
    rows = read_rows("\n".join(["# where from", f"{column},seed", *lines]))
    assert rows[column].fillna("").tolist() == words
    assert rows["seed"].tolist() == list(range(len(words)))


def test_what_a_run_writes_as_text_is_read_as_text() -> None:
    """Or it would depend on the words whether they are."""
    config = TrainConfig()
    written = {**vars(config), **provenance(torch.device("cpu"))}
    text = {name for name, value in written.items() if isinstance(value, str)}
    columns = {column for name in TABLES for column in load_rows(name)}
    assert text & columns <= set(TEXT) <= columns


@pytest.mark.parametrize("name", FAMILIES)
def test_the_rows_are_a_whole_family(name: str) -> None:
    rows, cells = load_rows(name), family(FAMILIES[name])
    failed = [
        cell
        for cell in cells
        if (cell.subset, cell.lam, cell.seed, cell.optimiser, cell.lr, cell.clip)
        in FAILED.get(name, ())
    ]
    assert len(failed) == len(FAILED.get(name, ()))
    cells = [cell for cell in cells if cell not in failed]
    columns = [column for column in CELL if column in rows]
    found = {tuple(row) for row in rows[columns].to_numpy()}
    assert found == {tuple(getattr(cell, column) for column in columns) for cell in cells}
    assert len(rows) == len(cells) == len(set(cells_of(cells)))
    left_out = {c for c in CELL if c not in columns}
    default = TrainConfig()
    assert all(getattr(cell, c) == getattr(default, c) for cell in cells for c in left_out)


@pytest.mark.parametrize("older", ["a", "l"])
def test_cells_that_family_q_shares_agree_within_rounding(older: str) -> None:
    """Trained again by another commit; what family a trained, on another processor."""
    subset, seeds = ["subset", "seed"], ["seed", "lam"]
    copies = load_rows(PUBLISHED["o"]).pivot(index=subset, columns="nudge", values="test_rmse")
    rounding = (copies[1e-6] - copies[-1e-6]).loc["FD001"].std()
    rows = load_rows(PUBLISHED[older])
    first = rows[rows.subset == "FD001"].set_index(seeds).test_rmse
    again = load_rows(PUBLISHED["q"])
    again = again[(again.preset == "compact") & (again.rul_unit == rows.rul_unit[0])]
    gap = (again.set_index(seeds).test_rmse - first).dropna()
    assert len(gap) == 40 and gap.std() < (1.5 * rounding if older == "a" else 1e-9)


def cells_of(cells: list[TrainConfig]) -> list[tuple[object, ...]]:
    return [tuple(getattr(cell, column) for column in CELL) for cell in cells]


def test_predictions_are_those_of_whole_families() -> None:
    assert set(STORED) <= set(FAMILIES)


@pytest.mark.parametrize("name", STORED)
def test_the_predictions_give_the_metrics_of_the_rows(name: str) -> None:
    table = load_rows(name).set_index(["subset", "lam", "seed"])
    found = load_predictions(name).groupby(["subset", "lam", "seed"])
    assert len(found) == len(table)
    for cell, engines in found:
        row = table.loc[cell]
        assert rmse(engines.pred, engines.rul) == pytest.approx(row.test_rmse, rel=1e-5)
        uncapped = nasa_score(engines.pred, engines.true)
        assert uncapped == pytest.approx(row.nasa_score_uncapped, rel=1e-4)
        f1 = macro_f1(engines.health_pred, engines.health)
        assert f1 == pytest.approx(row.health_macro_f1, rel=1e-9)


def made_up(subset: str, lam: float, seed: int) -> RunResult:
    config = TrainConfig(
        subset=subset, seed=seed, combiner_settings={"rul_weight": lam, "health_weight": 1 - lam}
    )
    two = {"pred": [lam, seed], "rul": [1, 2], "true": [1, 3], "health_pred": [0, 1]}
    return RunResult(config, {}, [], {**two, "health": [2, 1]}, {})


def test_what_is_written_is_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [made_up(s, lam, seed) for s in SUBSETS for lam in LAMS for seed in (3, 5)]
    stored = predictions.arrays(runs)
    np.savez_compressed(f"{tmp_path}/predictions-small.npz", **stored)
    monkeypatch.setattr("amnl.study.rows.files", lambda _: tmp_path)
    found = load_predictions("small")
    assert len(found) == len(runs) * 2 and isinstance(found, pd.DataFrame)
    one = found[(found.subset == "FD003") & (found.lam == 0.7) & (found.seed == 5)]
    assert one.pred.tolist() == pytest.approx([0.7, 5.0]) and one.engine.tolist() == [1, 2]
    assert one.true.tolist() == [1, 3] and one.health.tolist() == [2, 1]
    with pytest.raises(FileNotFoundError, match="there are predictions-small"):
        load_predictions("large")


def test_a_missing_cell_is_an_error() -> None:
    runs = [made_up(s, lam, 3) for s in SUBSETS for lam in LAMS]
    with pytest.raises(KeyError):
        predictions.arrays(runs[:-1])


def test_published_results_are_cited_and_say_where_they_were_read() -> None:
    printed = load_rows("published_results")
    bib = (pages.ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    read_in = {source.split()[0] for text in printed.read_in for source in text.split(" and ")}
    keys = set(printed.paper) | read_in
    assert {key for key in keys if f"{{{key},\n" not in bib} == set()
    assert not printed.duplicated(["paper", "model", "subset"]).any()
    assert set(printed.subset) == set(SUBSETS) and printed.rmse.between(10, 30).all()
