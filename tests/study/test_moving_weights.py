"""The rows of the moving weights are whole runs of the protocol, and say what they should."""

import json
from types import ModuleType

import gradient_norms
import numpy as np
import pytest
import rule_pulls
from rule_pulls import KEYS, cells

from amnl import cmapss
from amnl.cmapss import emulator
from amnl.study.explorables.moving_weights import HALF, STATIONS, moving_weights, with_pulls
from amnl.study.protocol import RIVALS, family
from amnl.study.rows import load_rows
from amnl.training import TrainConfig, Trainer

ROWS = load_rows("rule_pulls")
FOUND = with_pulls(ROWS)


def test_the_rows_are_all_epochs_of_all_cells() -> None:
    runs = {tuple(key): part for key, part in ROWS.groupby(KEYS)}
    wanted = cells()
    assert len(runs) == len(wanted)
    for cell in wanted:
        settings = json.dumps(cell.combiner_settings)
        key = cell.combiner, settings, cell.sample_weighted, cell.rul_unit, cell.subset, cell.seed
        assert runs[key].epoch.tolist() == list(range(cell.epochs + 1))
    assert np.isfinite(ROWS.select_dtypes("number")).all(axis=None)
    assert (ROWS.select_dtypes("number").iloc[:, 3:] > 0).all(axis=None)
    assert ROWS.commit.str.fullmatch("[0-9a-f]{7,}").all()


def test_the_cells_are_the_protocols_where_it_has_them() -> None:
    known = {name: family(name) for name in "ef"}
    assert all(c in known["e"] for c in cells() if c.rul_unit == 1 and c.combiner != "fixed")
    in_both = [c for c in known["f"] if (c.subset, c.seed) == ("FD001", 0)]
    assert in_both and all(cell in cells() for cell in in_both)


def test_every_rule_starts_from_the_same_network() -> None:
    """GABA's loss is without sample weights, so its gradient is another."""
    first = FOUND[(FOUND.epoch == 0) & (FOUND.combiner != "gaba")]
    assert first.groupby("rul_unit").gradients.agg(np.ptp).max() < 1e-3
    ratio = first.groupby("rul_unit").gradients.mean()
    assert ratio[1.0] / ratio[125.0] == pytest.approx(125**2, rel=1e-3)


def test_the_weights_are_those_of_the_published_runs() -> None:
    """Rules whose weights are clipped or slow agree with the rows of the rivals, run elsewhere."""
    stored = load_rows("rivals_epochs").query("subset == 'FD001' and seed == 0 and rul_unit == 1")
    for combiner in ("grace", "gaba"):
        ours = ROWS[(ROWS.combiner == combiner) & (ROWS.rul_unit == 1) & (ROWS.epoch > 0)]
        theirs = stored[stored.combiner == combiner]
        assert ours.epoch.tolist() == theirs.epoch.tolist()
        assert ours.rul_factor.to_numpy() == pytest.approx(theirs.rul_weight.to_numpy(), abs=1e-3)


def test_amnl_makes_the_same_pull_in_either_unit() -> None:
    pulls = FOUND[FOUND.combiner == "amnl"].pivot_table("pull", ["rule", "epoch"], "unit")
    early = pulls.query("epoch <= 5")
    assert early["cycles²"].to_numpy() == pytest.approx(
        early["units of 125 cycles"].to_numpy(), rel=0.02
    )


def test_the_element_holds_what_the_rows_say() -> None:
    explorable = moving_weights(ROWS)
    held = json.loads(explorable.data())
    assert [unit["name"] for unit in held["units"]] == ["cycles²", "units of 125 cycles"]
    for unit in held["units"]:
        assert [rule["name"] for rule in unit["rules"]] == [HALF, *RIVALS]
        for rule in unit["rules"]:
            rows = FOUND[(FOUND.unit == unit["name"]) & (FOUND.rule == rule["name"])]
            product = np.multiply(rule["weights"], rule["gradients"])
            assert product == pytest.approx(rows.pull.to_numpy(), rel=1e-3)


def test_without_scripts_there_is_a_picture_and_a_table() -> None:
    stands_in = moving_weights(ROWS).stands_in
    assert stands_in.count('class="drawn"') == 1
    assert stands_in.count("<tr>") == 1 + 2 * (1 + len(RIVALS)) * len(STATIONS)


def test_one_unit_alone_can_be_shown() -> None:
    held = json.loads(moving_weights(ROWS[ROWS.rul_unit == 1]).data())
    assert [unit["name"] for unit in held["units"]] == ["cycles²"]


def test_the_fixed_half_is_the_training_of_chapter_7() -> None:
    stored = load_rows("gradient_norms").query("subset == 'FD001' and seed == 0").set_index("epoch")
    ours = FOUND[FOUND.rule == HALF].set_index("epoch")
    for unit in (1, 125):
        ratio = stored[stored.rul_unit == unit].eval("rul_norm / health_norm")
        found = ours[ours.rul_unit == unit].gradients
        assert found[:6].to_numpy() == pytest.approx(ratio[:6].to_numpy(), rel=1e-3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> cmapss.Data:
    folder = tmp_path_factory.mktemp("fleet")
    emulator.write_fleet(folder, "FD001", seed=3, engines=6, test_engines=4)
    return cmapss.load("FD001", 0, folder, stride=8)


@pytest.mark.parametrize(
    ("tool", "combiner"),
    [(rule_pulls, "fixed"), (rule_pulls, "grace"), (rule_pulls, "amnl"), (gradient_norms, "fixed")],
)
def test_measuring_leaves_a_training_as_it_is(
    data: cmapss.Data, tool: ModuleType, combiner: str
) -> None:
    config = TrainConfig(combiner=combiner, stride=8, epochs=3)
    alone, measured = Trainer(config, data), Trainer(config, data)
    before = [record["rul_loss"] for record in alone.fit().history]
    after = measured.fit(on_epoch=lambda record: tool.measure(measured)).history
    assert [record["rul_loss"] for record in after] == before
