"""What is tried out before a problem trains."""

from pathlib import Path
from typing import Any

import pytest
from small_problem import assert_refused, losses


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"losses": lambda m, b: (losses(m, b)[0],) * 2}, "both losses are .* itself"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_a_way_out(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert_refused(changes, words, tmp_path)
