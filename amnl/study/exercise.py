"""Exercises that answer: a reader's value beside the right one."""

import math


def compare(yours: float | None, right: float, digits: int = 3) -> str:
    """Say whether a reader's value is right, and show the right one beside it.

    Parameters
    ----------
    yours
        What the reader's function returned; `None` where it is still to be written.
    right
        The right value.
    digits
        How many decimal places are shown. A value that agrees to as many is right.

    Examples
    --------
    >>> compare(None, 0.119)
    'The right answer is 0.119. Yours is still to be written.'
    >>> compare(0.1192, 0.119)
    'Right: 0.119.'
    >>> compare(0.2, 0.119)
    'The right answer is 0.119, yours is 0.200.'
    """
    shown = f"{right:.{digits}f}"
    if yours is None:
        return f"The right answer is {shown}. Yours is still to be written."
    value = float(yours)
    if math.isclose(value, right, rel_tol=0.0, abs_tol=0.5 * 10.0**-digits):
        return f"Right: {shown}."
    return f"The right answer is {shown}, yours is {value:.{digits}f}."
