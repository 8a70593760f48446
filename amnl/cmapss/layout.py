"""What NASA's twelve files are called and hold."""

import numpy as np

from amnl.cmapss.errors import DataError

SUBSETS = ("FD001", "FD002", "FD003", "FD004")
OWN = "own"  # in the place of a subset: a fleet of a reader's own, `Fleet.from_frame`
MANIFEST = "emulated.json"  # lies beside emulated files and says what they are

SETTINGS = ("altitude", "mach", "tra")  # thousands of feet, Mach number, throttle angle in degrees
SENSORS = (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)  # NASA's numbers of those that vary
FEATURES = tuple(f"s{i}" for i in SENSORS) + SETTINGS  # the 17 inputs of the network, in order

# The six operating conditions of FD002 and FD004; FD001 and FD003 know the first alone.
CONDITIONS = np.array(
    [
        [0.0, 0.0, 100.0],
        [10.0, 0.25, 100.0],
        [20.0, 0.70, 100.0],
        [25.0, 0.62, 60.0],
        [35.0, 0.84, 100.0],
        [42.0, 0.84, 100.0],
    ]
)


def file_names(subset: str) -> tuple[str, str, str]:
    """The three files of a subset: training, test, remaining lives of the test engines."""
    return f"train_{subset}.txt", f"test_{subset}.txt", f"RUL_{subset}.txt"


def check_subset(subset: str) -> None:
    """Raise `DataError` that lists the known subsets when `subset` is none of them."""
    if subset not in SUBSETS:
        raise DataError(f"unknown subset {subset!r}; there are {', '.join(SUBSETS)}")
