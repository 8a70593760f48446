import math

import pytest

from amnl.study import exercise


@pytest.mark.parametrize(
    ("yours", "right", "said"),
    [
        (None, 0.119, "The right answer is 0.119. Yours is still to be written."),
        (0.119, 0.119, "Right: 0.119."),
        (0.11949, 0.119, "Right: 0.119."),
        (0.1196, 0.119, "The right answer is 0.119, yours is 0.120."),
        (-0.119, 0.119, "The right answer is 0.119, yours is -0.119."),
        (math.nan, 0.119, "The right answer is 0.119, yours is nan."),
        (math.inf, 0.119, "The right answer is 0.119, yours is inf."),
    ],
)
def test_a_readers_value_stands_beside_the_right_one(
    yours: float | None, right: float, said: str
) -> None:
    assert exercise.compare(yours, right) == said
