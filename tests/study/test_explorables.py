"""What all explorables share: their HTML, their scripts, how page and notebook load them."""

import hashlib
import json
import re

import nbformat
import pages
import pytest
from nbval.plugin import get_sanitize_patterns

from amnl.study.explorables import SCRIPTS, Explorable


def dial(**numbers: object) -> Explorable:
    return Explorable("half-dial", "A dial", numbers, "<p>stands in</p>")


def test_numbers_survive_the_script_element() -> None:
    numbers = {"lam": 0.1, "text": "</script><b>λ</b>"}
    text = dial(**numbers).element()
    (stored,) = re.findall(r'<script type="application/json">(.*?)</script>', text)
    assert json.loads(stored) == numbers


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("nan")]])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dial(value=value)


def test_a_notebook_stores_no_script() -> None:
    html = dial(lam=0.5)._repr_html_()
    assert "d3js.org" in html and "customElements.define" in html and "<style data-offline>" in html
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
    pages.without_scripts(notebook)
    assert notebook.cells[0].outputs[0].data["text/html"] == dial(lam=0.5).element()


def test_a_rerun_is_compared_without_scripts() -> None:
    settings = (pages.ROOT / "tests" / "nbval.cfg").read_text(encoding="utf-8")
    patterns = get_sanitize_patterns(settings)
    assert len(patterns) == settings.count("regex:")  # nbval skips a section without a word
    text = dial(lam=0.5)._repr_html_()
    for pattern, instead in patterns:
        text = re.sub(pattern, instead, text)
    assert text == dial(lam=0.5).element()


def test_a_style_for_screens_with_scripts_is_one_that_browsers_know() -> None:
    for file in SCRIPTS.glob("*.css"):
        text = file.read_text(encoding="utf-8")
        assert "(not print)" not in text, f"{file.name}: no browser knows that condition"


def test_no_script_ends_its_element() -> None:
    for file in SCRIPTS.glob("*.js"):
        assert not re.search(r"</(script|style|div)", file.read_text(encoding="utf-8"), re.I), (
            file.name
        )


def test_d3_is_the_one_its_readme_names() -> None:
    digest = hashlib.sha256((SCRIPTS / "d3.min.js").read_bytes()).hexdigest()
    assert f"`{digest}`" in (SCRIPTS / "README.md").read_text(encoding="utf-8")
