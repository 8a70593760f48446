"""NASA's C-MAPSS turbofan data: found or fetched, verified, parsed, normalised, cut into windows.

The way of the data: a folder or zip of files → `Fleet` (raw rows, engines one after another) →
`Normaliser` (statistics of the training engines alone) → `Windows` (indices into one array). `load`
does all of it for one subset and one seed; `amnl.cmapss.emulator` writes engines for a machine
without NASA's.

References
----------
A. Saxena, K. Goebel, D. Simon, N. Eklund, "Damage Propagation Modeling for Aircraft Engine
Run-to-Failure Simulation", PHM08, Denver, 2008.
"""

from amnl.cmapss.data import Data, load, source_of, split_engines
from amnl.cmapss.errors import DataError
from amnl.cmapss.faults import TWO_FAULTS, fault_modes, with_faults
from amnl.cmapss.few_engines import few_engines
from amnl.cmapss.fleet import Fleet, read
from amnl.cmapss.layout import (
    CONDITIONS,
    FEATURES,
    OWN,
    SENSORS,
    SUBSETS,
    check_subset,
    file_names,
)
from amnl.cmapss.locate import find, obeyed
from amnl.cmapss.nasa_edition import NUMBERS, SHA256, line_checksums, number_digest
from amnl.cmapss.normaliser import Normaliser
from amnl.cmapss.own_fleet import OwnFleet, read_fleet
from amnl.cmapss.own_table import Columns, Reading, clean, read_table
from amnl.cmapss.source import Source, raw_bytes
from amnl.cmapss.text import numbers, parse_rows, parse_rul
from amnl.cmapss.windowing import (
    HEALTH_STATES,
    MAX_RUL,
    WINDOW,
    Framing,
    Windows,
    health_state,
    windows,
)

__all__ = [  # noqa: RUF022 (by kind)
    # what the files hold
    "CONDITIONS", "FEATURES", "SENSORS", "SUBSETS", "OWN", "HEALTH_STATES", "MAX_RUL", "WINDOW",
    # the way of the data
    "load", "find", "source_of", "read", "split_engines", "windows", "health_state",
    "TWO_FAULTS", "fault_modes", "with_faults", "few_engines",
    "Data", "Source", "Fleet", "Normaliser", "Windows", "Framing", "DataError",
    # a fleet of a reader's own
    "OwnFleet", "Columns", "Reading", "read_table", "clean", "read_fleet",
    # the files themselves
    "check_subset", "file_names", "obeyed", "raw_bytes", "numbers", "parse_rows", "parse_rul",
    "NUMBERS", "SHA256", "line_checksums", "number_digest",
]  # fmt: skip
