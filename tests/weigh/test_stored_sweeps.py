"""Stored sweeps, and what the pages say of them."""

import pages
import pytest

from amnl.stats import MARGIN
from amnl.study import machines
from amnl.study.rows import load_five_point, load_rows
from amnl.weigh import decide


def test_the_page_shows_the_lines_that_swept_fd003() -> None:
    tool = (pages.ROOT / "tools" / "measure" / "five_point_fd003.py").read_text(encoding="utf-8")
    shown = tool.split("# The page shows these lines; a test compares.\n")[1]
    shown = shown.split("\n\n\n# The end of what the page shows.")[0]
    page = pages.source_half(pages.ROOT, "12-how-far-to-believe-it").read_text(encoding="utf-8")
    assert f"```python\n{shown}\n```" in page


@pytest.mark.parametrize("name", ["cycles2", "divided"])
def test_stored_sweeps_say_what_the_rule_says_of_their_runs(name: str) -> None:
    found = load_five_point(f"five_point-fd003-{name}")
    assert decide(found.scores, MARGIN) == found.decision
    domains = load_rows("domains").set_index("evidence")
    row = domains.loc[f"five_point-fd003-{name}"]
    assert (row["verdict"], float(row["weight"])) == (found.verdict, found.recommended)


@pytest.mark.parametrize(("row", "name"), [(0, "percent²"), (1, "balanced")])
def test_the_batterys_rows_say_what_every_machine_found(row: int, name: str) -> None:
    domains = load_rows("domains")
    shown = domains[domains["evidence"] == "weigh-your-problem"].iloc[row]
    assert set(machines.measured(f"battery: verdict, {name}")) == {shown["verdict"]}
    weights = machines.measured(f"battery: recommended, {name}").astype(float)
    assert set(weights) == {float(shown["weight"])}


def test_each_domain_has_its_evidence() -> None:
    domains = load_rows("domains")
    assert not domains.isna().any().any()
    assert (domains["evidence"] == "the source").sum() == 5
    assert ((domains["evidence"] == "the source") == (domains["verdict"] == "claimed")).all()


def test_a_stored_sweep_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="five_point-fd003-cycles2"):
        load_five_point("five_point-fd009")
