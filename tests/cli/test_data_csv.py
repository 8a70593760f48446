"""`amnl data --csv`: NASA's format as a table with a header."""

from pathlib import Path

import numpy as np
import pandas as pd
from typer.testing import CliRunner

from amnl import cmapss
from amnl.cli.app import app
from amnl.cmapss import emulator


def test_the_training_engines_can_be_had_as_a_table(tmp_path: Path) -> None:
    emulator.write_fleet(tmp_path / "fleet", "FD001", engines=4, test_engines=2)
    done = CliRunner().invoke(
        app, ["data", "--data-dir", str(tmp_path / "fleet"), "--csv", str(tmp_path / "e.csv")]
    )
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "e.csv")
    fleet = cmapss.read(cmapss.find(tmp_path / "fleet"), "FD001", "train")
    assert list(table.columns[:5]) == ["unit", "cycle", "altitude", "mach", "tra"]
    np.testing.assert_allclose(table.iloc[:, 2:], fleet.values)
    assert table.unit.nunique() == 4 and table.cycle.tolist() == fleet.cycle.tolist()
