"""Stored sweeps, and what chapter 10 says of them."""

import pages
import pytest

from amnl.stats import MARGIN
from amnl.study.rows import load_five_point, load_rows
from amnl.weigh import decide


def test_the_page_shows_the_lines_that_swept_fd003() -> None:
    tool = (pages.ROOT / "tools" / "measure" / "five_point_fd003.py").read_text(encoding="utf-8")
    shown = tool.split("# Chapter 10 shows these lines; a test compares.\n")[1]
    shown = shown.split("\n\n\n# The end of what chapter 10 shows.")[0]
    page = pages.source_half(pages.ROOT, "10-your-own-problem").read_text(encoding="utf-8")
    assert f"```python\n{shown}\n```" in page


@pytest.mark.parametrize("name", ["cycles2", "divided"])
def test_stored_sweeps_say_what_the_rule_says_of_their_runs(name: str) -> None:
    found = load_five_point(f"five_point-fd003-{name}")
    assert decide(found.scores, MARGIN) == found.decision
    domains = load_rows("domains").set_index("evidence")
    row = domains.loc[f"five_point-fd003-{name}"]
    assert (row["verdict"], float(row["weight"])) == (found.verdict, found.recommended)


def test_each_domain_has_its_evidence() -> None:
    domains = load_rows("domains")
    assert not domains.isna().any().any()
    assert (domains["evidence"] == "the source").sum() == 5
    assert ((domains["evidence"] == "the source") == (domains["verdict"] == "claimed")).all()


def test_a_stored_sweep_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="five_point-fd003-cycles2"):
        load_five_point("five_point-fd009")
