"""Sphinx extension: a page that is no chapter counts its figures and exercises from 1.

Sphinx counts those of a chapter as 5.1, 5.2. All pages without a number of their own share one
count, so the second of them would begin with what the first had left.
"""

from typing import Any

from sphinx.application import Sphinx

AFTER_SPHINX = 900  # Sphinx counts at the same event, at the default of 500


def count_by_page(app: Sphinx, env: Any) -> list[str]:
    for kinds in env.toc_fignumbers.values():
        for numbers in kinds.values():
            own = [place for place, number in numbers.items() if len(number) == 1]
            numbers |= {place: (k,) for k, place in enumerate(own, start=1)}
    return []


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("env-get-updated", count_by_page, priority=AFTER_SPHINX)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
