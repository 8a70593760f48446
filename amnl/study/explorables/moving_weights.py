"""What each rule makes of the two gradients while one network trains, played by the reader."""

import pandas as pd

from amnl.study.claims import RIVALS, with_rivals
from amnl.study.explorables.explorable import Explorable
from amnl.study.figures import rule_pulls, show
from amnl.study.html_table import show_table

__all__ = ["moving_weights", "with_pulls"]

UNITS = {1.0: "cycles²", 125.0: "units of 125 cycles"}
HALF = "a fixed half"
STATIONS = (0, 10, 20, 40)  # epochs of the table


def with_pulls(rows: pd.DataFrame) -> pd.DataFrame:
    """Name each row's rule and unit, and work out what the rule makes of the gradients.

    Parameters
    ----------
    rows
        Those of `load_rows("rule_pulls")`, or more of the kind.

    Returns
    -------
    pd.DataFrame
        Sorted by unit, rule and epoch, with the columns `unit` and `rule` (words); `weights` and
        `gradients`, RUL's over health's; and `pull`, their product: how many times as hard RUL
        pulls at the trunk.
    """
    rows = with_rivals(rows).rename(columns={"rival": "rule"})
    rows["rule"] = rows.rule.where(rows.combiner != "fixed", HALF)
    rows["unit"] = rows.rul_unit.map(UNITS)
    rows["weights"] = rows.rul_factor / rows.health_factor
    rows["gradients"] = rows.rul_norm / rows.health_norm
    rows["pull"] = rows.weights * rows.gradients
    order = [HALF, *RIVALS].index
    return rows.sort_values(["rul_unit", "rule", "epoch"], key=lambda column: (
        column.map(order) if column.name == "rule" else column
    ))  # fmt: skip


def moving_weights(rows: pd.DataFrame) -> Explorable:
    """Every rule's gradients, weights and pulls, epoch by epoch, in either unit.

    `rows` are those that `with_pulls` takes.
    """
    found = with_pulls(rows)
    units = []
    for unit, part in found.groupby("unit", sort=False):
        rules = [
            {"name": rule, **{name: _short(line[name]) for name in ("weights", "gradients")}}
            for rule, line in part.groupby("rule", sort=False)
        ]
        units.append({"name": unit, "rules": rules})
    epochs = sorted(found.epoch.unique().tolist())
    shown = found[found.epoch.isin(STATIONS)]
    table = {
        "unit": shown.unit,
        "rule": shown.rule,
        "epoch": shown.epoch,
        "RUL weight": shown.rul_factor,
        "health weight": shown.health_factor,
        "RUL gradient": shown.rul_norm,
        "health gradient": shown.health_norm,
        "pull, RUL over health": shown.pull,
    }
    digits = dict.fromkeys(list(table)[3:], ".3g")
    first = found[found.rul_unit == found.rul_unit.min()]
    return Explorable(
        "moving-weights",
        "What each rule makes of the two gradients, epoch by epoch",
        {"epochs": epochs, "units": units},
        show(lambda: rule_pulls(first))._repr_html_() + show_table(table, digits).html,
    )


def _short(values: pd.Series) -> list[float]:
    return [float(f"{value:.4g}") for value in values]
