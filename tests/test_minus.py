"""One sign for minus in what is printed, and no other hyphen touched."""

import pytest

from amnl.minus import minus_signs


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("-0.25", "−0.25"),
        ("-.5", "−.5"),
        ("[-1.68, -0.37]", "[−1.68, −0.37]"),
        ("cosine -0.06); -4.5 ± 0.82", "cosine −0.06); −4.5 ± 0.82"),
        ("torch.tensor([-1.0, 1.5]), f(-1)", "torch.tensor([-1.0, 1.5]), f(-1)"),
        ("FD001-seed0, 10-19, 2026-11-27, 1e-05", "FD001-seed0, 10-19, 2026-11-27, 1e-05"),
        ("(1.5)-2, x[0]-1, weight-decay, - λ, --lr", "(1.5)-2, x[0]-1, weight-decay, - λ, --lr"),
    ],
)
def test_only_a_negative_number_gets_the_sign(text: str, written: str) -> None:
    assert minus_signs(text) == written
