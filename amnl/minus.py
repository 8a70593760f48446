"""One sign for minus in what tables, figures and sentences print."""

import re

# A hyphen before a number, at the start, after a space or in an interval's bracket; code as in
# `tensor([-1.0])`, words and ranges such as 10-19 keep theirs.
HYPHEN = re.compile(r"(?<![^\s\[])(?<!\(\[)-(?=\.?\d)")


def minus_signs(text: str) -> str:
    """The text with a minus sign before its negative numbers.

    Examples
    --------
    >>> minus_signs("-0.85 [-1.68, -0.37] at FD001-seed0, seeds 10-19, 1e-05")
    '−0.85 [−1.68, −0.37] at FD001-seed0, seeds 10-19, 1e-05'
    """
    return HYPHEN.sub("−", text)
