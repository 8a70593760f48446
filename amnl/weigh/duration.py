"""Times as people say them."""


def duration(minutes: float) -> str:
    """Seconds, or minutes where there are some."""
    return f"{60 * minutes:.0f} s" if minutes < 1.5 else f"{minutes:.0f} min"
