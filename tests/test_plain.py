"""Pages become plain notebooks: nothing of MyST is left, and no byte of code changes."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import halves
import nbformat
import pages
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from plain import UnknownConstruct, write_plain

SITE, HOME = "https://someone.github.io/a-fork", "https://github.com/someone/a-fork"
NAMES = pages.page_names(pages.ROOT)

RAW = re.compile(
    r":::|\{[\w:.+-]+\}`|\]\(\.\./book|^\([\w-]+\)=|\{cite|^`{3,}\{|\[\^", re.MULTILINE
)

TOC = """
format: jb-book
root: book/index
parts:
  - chapters: [{file: notebooks/00-start}]
  - numbered: 1
    chapters: [{file: notebooks/01-page}, {file: notebooks/02-other}]
  - chapters: [{file: book/protocol}, {file: book/glossary}, {file: book/references}]
"""
BIB = r"""
@article{one, author = {Lin, Ann}, year = {2020}, doi = {10.1/x}}
@article{two, author = {Lin, Ann and G{\"o}del, Bo}, year = {2021}, url = {https://two.org}}
@article{many, author = {Lin, A. and Wu, B. and Li, C.}, year = {2022}, eprint = {2201.1}}
@article{homeless, author = {Wu, B.}, year = {2019}}
@misc{undated, author = {{a-site.org}}, howpublished = {\url{https://a-site.org/x}}}
"""
FUNCTIONS = "import math\n\n\n@cached\ndef area(r):\n    return math.pi * r**2\n\n\nX = 1\n"


def small_book(root: Path, *cells: Any) -> Path:
    """A book whose first chapter has these cells."""
    for folder in ("book", "notebooks"):
        (root / folder).mkdir()
    shutil.copy2(pages.ROOT / "_config.yml", root)
    (root / "_toc.yml").write_text(TOC)
    (root / "book" / "references.bib").write_text(BIB)
    (root / "book" / "code.py").write_text(FUNCTIONS)
    (root / "book" / "picture.png").write_bytes(b"")
    (root / "book" / "drawn.html").write_text('<div aria-label="A &amp; B"><svg></svg></div>')
    (root / "book" / "drawn.svg").write_text("<svg></svg>")
    (root / "book" / "index.md").write_text("# The book\n")
    (root / "book" / "protocol.md").write_text("# Rules\n\n(the-margin)=\n## A margin\n")
    (root / "book" / "glossary.md").write_text("# Words\n")
    (root / "book" / "references.md").write_text("# Works\n")
    other = [
        "# Other page\n\n(there)=\n## Over there",
        ":::{exercise}\n:label: ex-there\nWhy?\n:::",
    ]
    made = {"00-start": [new_markdown_cell("# Start")], "01-page": cells,
            "02-other": [new_markdown_cell(text) for text in other]}  # fmt: skip
    for name, content in made.items():
        first = [new_markdown_cell("# Page")] if name == "01-page" else []
        nbformat.write(new_notebook(cells=[*first, *content]), root / "notebooks" / f"{name}.ipynb")
    return root


def converted(root: Path, *cells: Any, site: str = SITE, home: str = HOME) -> list[Any]:
    """The cells of a page under its title, plain."""
    write_plain(small_book(root, *cells), root / "plain", site, home)
    made: list[Any] = nbformat.read(root / "plain" / "01-page.ipynb", as_version=4).cells
    return made[1:]


def plain(root: Path, text: str, **where: str) -> str:
    return "\n~~~\n".join(cell.source for cell in converted(root, new_markdown_cell(text), **where))


PAGES = f"{SITE}/notebooks"
IMAGE = "https://raw.githubusercontent.com/someone/a-fork/published/book/picture.png"


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        # Citations
        ("So {cite:p}`one`.", "So ([Lin, 2020](https://doi.org/10.1/x))."),
        ("{cite:t}`two` say", "[Lin and Gödel (2021)](https://two.org) say"),
        ("{cite}`one,many`", "([Lin, 2020](https://doi.org/10.1/x); "
         "[Lin et al., 2022](https://arxiv.org/abs/2201.1))"),
        ("{cite:p}`undated`", "([a-site.org](https://a-site.org/x))"),
        ("{cite:p}`homeless`", f"([Wu, 2019]({SITE}/book/references.html))"),
        ("- a list\n  goes {cite:p}`one,\n  two` on", "- a list\n  goes ([Lin, 2020]"
         "(https://doi.org/10.1/x); [Lin and Gödel, 2021](https://two.org)) on"),
        ("| a | b |\n|---|---|\n| {cite:p}`one` | {cite:p}`one` |", "| a | b |\n|---|---|\n"
         "| ([Lin, 2020](https://doi.org/10.1/x)) | ([Lin, 2020](https://doi.org/10.1/x)) |"),
        # Exercises and solutions
        (":::{exercise} Why *not*\n:label: ex-a\n\nAsk {math}`x`.\n:::",
         "### Exercise 1.1: Why *not*\n\nAsk $x$."),
        (":::{exercise}\n:label: ex-a\nA\n:::\n\n:::{exercise}\n:label: ex-b\nB\n:::\n\n"
         ":::{solution} ex-b\n:class: dropdown\nIt is {cite:p}`one`.\n:::",
         "### Exercise 1.1\n\nA\n\n### Exercise 1.2\n\nB\n\n<details>\n<summary>Solution to "
         "exercise 1.2</summary>\n\nIt is ([Lin, 2020](https://doi.org/10.1/x)).\n\n</details>"),
        (":::{exercise}\n:label: ex-a\n:nonumber:\nA\n:::\n\n:::{solution} ex-a\nB\n:::",
         "### Exercise\n\nA\n\n<details>\n<summary>Solution to exercise</summary>\n\nB\n\n"
         "</details>"),
        ("{ref}`ex-there`", f"[Exercise 2.1]({PAGES}/02-other.html#ex-there)"),
        # Boxes
        (":::{note}\nA\n\nB\n:::", "> **Note**\n>\n> A\n>\n> B"),
        ("```{warning} Hot\n```", "> **Warning**\n>\n> Hot"),
        (":::{admonition} In *short*\n:class: tip\n- one\n- two\n:::",
         "> **In *short***\n>\n> - one\n> - two"),
        (":::{tip}\n:class: dropdown\nA\n:::",
         "<details>\n<summary>Tip</summary>\n\nA\n\n</details>"),
        ("::::{note}\n:::{dropdown} More `x`\nA\n:::\n::::",
         "> **Note**\n>\n> <details>\n> <summary>More <code>x</code></summary>\n>\n> A\n>\n"
         "> </details>"),
        (":::{margin}\nAside\n:::", "> Aside"),
        (":::{sidebar} Title\nAside\n:::", "> **Title**\n>\n> Aside"),
        ("::::{tab-set}\n:::{tab-item} One\nA\n:::\n:::{tab-item} Two\nB\n:::\n::::",
         "**One**\n\nA\n**Two**\n\nB"),
        ("- :::{note}\n  A\n  :::\n- B", "- > **Note**\n  >\n  > A\n- B"),
        ("> :::{tip}\n> A\n> :::", "> > **Tip**\n> >\n> > A"),
        ("1. One\n\n   :::{note}\n   A\n   :::\n2. Two",
         "1. One\n\n   > **Note**\n   >\n   > A\n2. Two"),
        # References
        ("{term}`cell` and {term}`cells <capped RUL>`",
         f"[cell]({SITE}/book/glossary.html#term-cell)"
         f" and [cells]({SITE}/book/glossary.html#term-capped-RUL)"),
        ("{ref}`there`, {ref}`go <the-margin>`", f"[Over there]({PAGES}/02-other.html#there), "
         f"[go]({SITE}/book/protocol.html#the-margin)"),
        ("{doc}`02-other`, {doc}`the rules </book/protocol>`",
         f"[Other page]({PAGES}/02-other.html), [the rules]({SITE}/book/protocol.html)"),
        ("(here)=\n## Here\n\nSee [](#here).",
         f"## Here\n\nSee [Here]({PAGES}/01-page.html#here)."),
        ("(one)=\n(two)=\n## Here\n\nSee {ref}`one`.",
         f"## Here\n\nSee [Here]({PAGES}/01-page.html#one)."),
        ("[rules](../book/protocol.md#a-margin)", f"[rules]({SITE}/book/protocol.html#a-margin)"),
        ("[a `b` {cite:p}`homeless`](02-other.ipynb)",
         f"[a `b` ([Wu, 2019]({SITE}/book/references.html))]({PAGES}/02-other.html)"),
        ("[](02-other.md) [x][y]\n\n[y]: ../book/protocol.md",
         f"[Other page]({PAGES}/02-other.html) [x]({SITE}/book/protocol.html)\n\n"
         "[y]: ../book/protocol.md"),
        ("[code](../book/code.py)", f"[code]({HOME}/blob/published/book/code.py)"),
        ("[a](https://a.org) <https://b.org>", "[a](https://a.org) <https://b.org>"),
        ("{py:func}`~amnl.sweep.run`", f"[`run`]({SITE}/book/api.html#amnl.sweep.run)"),
        ("{func}`numpy.sum`", "`numpy.sum`"),
        # Formulas
        ("$$\nx\n$$ (eq-x)\n\nBy {eq}`eq-x`.", "$$\nx \\tag{1.1}\n$$\n\nBy "
         f"[(1.1)]({PAGES}/01-page.html#equation-eq-x)."),
        ("```{math}\n:label: eq-y\ny\n```", "$$\ny \\tag{1.1}\n$$"),
        ("$$\nx\n$$\n\n$a_{cite}$", "$$\nx\n$$\n\n$a_{cite}$"),
        # Pictures and code
        (":::{figure} ../book/picture.png\n:name: fig-a\n:alt: A line\n\nA {cite:t}`one`\n:::\n\n"
         "{numref}`fig-a`, {numref}`picture %s <fig-a>`",
         f"![A line]({IMAGE})\n\n*Figure 1.1.* A [Lin (2020)](https://doi.org/10.1/x)\n\n"
         f"[Figure 1.1]({PAGES}/01-page.html#fig-a), [picture 1.1]({PAGES}/01-page.html#fig-a)"),
        ("```{image} ../book/picture.png\n:alt: A\n```\n\n![B](../book/picture.png)",
         f"![A]({IMAGE})\n\n![B]({IMAGE})"),
        ("```{raw} html\n:file: ../book/drawn.html\n```\n\n*Seen.*",
         f"![A & B]({IMAGE.replace('picture.png', 'drawn.svg')})\n\n*Seen.*"),
        ("```{raw} html\n<b>A</b>\n```", "<b>A</b>"),
        ("```{code-block} python\n:caption: Sum\nx = 1\n\n\ny = 2\n```",
         "**Sum**\n\n```python\nx = 1\n\n\ny = 2\n```"),
        ("```{literalinclude} ../book/code.py\n:pyobject: area\n```",
         "```python\n@cached\ndef area(r):\n    return math.pi * r**2\n```"),
        ("```{literalinclude} ../book/code.py\n:lines: 1,9-\n:language: text\n```",
         "```text\nimport math\nX = 1\n```"),
        ("```{literalinclude} ../book/code.py\n:start-after: math.pi\n:end-before: X =\n```",
         "```python\n\n\n```"),
        ("```python\n{x}`y` :::\n\n\n[^a]\n```\n\n`{cite:p}` and `:::`",
         "```python\n{x}`y` :::\n\n\n[^a]\n```\n\n`{cite:p}` and `:::`"),
        ("``{math}`x` `` is {math}`x`", "``{math}`x` `` is $x$"),
        ("| a | b |\n|---|---|\n| ``{math}`x` `` | {math}`x` |",
         "| a | b |\n|---|---|\n| ``{math}`x` `` | $x$ |"),
        # The rest
        ("Yes[^a] and[^b], yes[^a].\n\n[^a]: First {math}`x`\n  goes on.\n\n[^b]: Second.",
         "Yes<sup>1</sup> and<sup>2</sup>, yes<sup>1</sup>.\n\n<sup>1</sup> First $x$\ngoes on.\n\n"
         "<sup>2</sup> Second."),
        ("Term {math}`y`\n: What {math}`x` is\n\nOther\n: That",
         "**Term $y$**  \n— What $x$ is\n\n**Other**  \n— That"),
        ("A\n\n% nobody reads this\n\nB\n\n+++\n\nC", "A\n\nB\n\nC"),
        ("CO{sub}`2`", "CO<sub>2</sub>"),
        ('A\n\n<link rel="stylesheet" href="../_static/x.css">\n<script src="x.js"></script>', "A"),
    ],
)  # fmt: skip
def test_a_construct_becomes_plain(tmp_path: Path, myst: str, markdown: str) -> None:
    assert plain(tmp_path, myst) == markdown


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("[rules](../book/protocol.md)", "rules"),
        ("[other](02-other.ipynb#there) {ref}`there`",
         "[other](02-other.ipynb) [Over there](02-other.ipynb)"),
        ("[up](#here) {term}`cell`", "up cell"),
        ("{cite:p}`homeless`", "(Wu, 2019)"),
        ("![B](../book/picture.png)", "![B](../book/picture.png)"),
        ("```{raw} html\n:file: ../book/drawn.html\n```\n\n*Seen.*", "> A & B\n\n*Seen.*"),
        ("{py:func}`amnl.sweep.run`", "`amnl.sweep.run`"),
    ],
)  # fmt: skip
def test_what_has_no_address_is_a_file_beside_or_text(
    tmp_path: Path, myst: str, markdown: str
) -> None:
    assert plain(tmp_path, myst, site="", home="") == markdown


@pytest.mark.parametrize(
    ("myst", "named"),
    [
        (":::{prf:theorem}\nA\n:::", r"directive \{prf:theorem\}"),
        ("> :::{list-table}\n> A\n> :::", r"directive \{list-table\}"),
        ("::::{note}\n:::{toctree}\n:::\n::::", r"directive \{toctree\}"),
        ("An {octicon}`x`.", r"role \{octicon\}"),
        ("- [a {glue}`x`](https://a.org)", r"role \{glue\}"),
        ("{cite:alp}`one`", r"role \{cite:alp\}"),
        ("{cite:p}`nobody`", "'nobody', not in references.bib"),
        ("{ref}`nowhere`", "'nowhere', which no page has"),
        ("[](#nowhere)", "'nowhere'"),
        ("[x](nowhere)", "'nowhere'"),
        ("[x](03-gone.ipynb)", "03-gone.ipynb, which does not exist"),
        ("{doc}`03-gone`", "03-gone"),
        ("![x](../book/gone.png)", "book/gone.png, which does not exist"),
        ("```{raw} html\n:file: ../book/gone.html\n```", "book/gone.html, which is no drawing"),
        ("```{raw} html\n:file: ../book/code.py\n```", "book/code.py, which is no drawing"),
        ("```{raw} latex\nA\n```", r"directive \{raw\}"),
        ("```{literalinclude} ../book/gone.py\n```", "book/gone.py"),
        ("```{literalinclude} ../book/code.py\n:pyobject: gone\n```", "gone, not in code.py"),
        ("```{literalinclude} ../book/code.py\n:diff: x\n```", ":diff:"),
        (":::{solution-start} ex-there\n:::", r"\{solution-start\} without its end"),
        (":::{solution} ex-gone\nA\n:::", "'ex-gone'"),
        ("::: odd\nA\n:::", "fence ::: odd"),
        ("A {cite:p} b", "cite:p"),
        ("<div>\n:::{note}\n</div>", ":::"),
        ("<project:x.md>", "project:x.md"),
        ("> :::{solution-start} ex-there\n> :::", "construct"),
    ],
)  # fmt: skip
def test_what_has_no_plain_form_is_named_with_its_page(
    tmp_path: Path, myst: str, named: str
) -> None:
    with pytest.raises(UnknownConstruct, match=f"^01-page: no plain form for .*{named}") as error:
        plain(tmp_path, myst)
    assert "\n" not in str(error.value)


def test_a_solution_is_folded_away_with_its_cells(tmp_path: Path) -> None:
    start = ":::{exercise}\n:label: ex-a\nA\n:::\n\n:::{solution-start} ex-a\n:class: dropdown\n:::"
    cells = converted(
        tmp_path,
        new_markdown_cell(start),
        new_code_cell("1 + 1"),
        new_markdown_cell("Two.\n\n:::{solution-end}\n:::\n\nAfter it."),
        new_code_cell("2 + 2"),
    )
    folded = "<details>\n<summary>Solution to exercise 1.1{}</summary>\n\n{}\n\n</details>"
    assert cells[0].source.endswith(folded.format("", "The next cell, folded too, has it."))
    assert cells[1].metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": True}
    assert cells[1].metadata["cellView"] == "form" and cells[1].metadata["collapsed"] is True
    assert cells[2].source == folded.format(", continued", "Two.") + "\n\nAfter it."
    assert cells[3].metadata == {}


def test_a_cell_of_the_end_alone_goes(tmp_path: Path) -> None:
    start = ":::{solution-start} ex-there\n:::\n\nSo:"
    cells = converted(
        tmp_path, new_markdown_cell(start), new_markdown_cell(":::{solution-end}\n:::")
    )
    assert [cell.source for cell in cells] == [
        "<details>\n<summary>Solution to exercise 2.1</summary>\n\nSo:\n\n</details>"
    ]


@pytest.mark.parametrize(
    ("tag", "metadata"),
    [
        ("hide-input", {"jupyter": {"source_hidden": True}, "cellView": "form"}),
        ("remove-input", {"jupyter": {"source_hidden": True}, "cellView": "form"}),
        ("hide-output", {"jupyter": {"outputs_hidden": True}, "collapsed": True}),
        ("hide-cell", {"jupyter": {"source_hidden": True, "outputs_hidden": True},
                       "cellView": "form", "collapsed": True}),
        ("parameters", {}),
    ],
)  # fmt: skip
def test_what_a_page_folds_is_folded(tmp_path: Path, tag: str, metadata: dict[str, Any]) -> None:
    cells = converted(tmp_path, new_code_cell("1", metadata={"tags": [tag]}))
    assert cells[0].metadata == {"tags": [tag], **metadata}


def test_a_figure_of_a_cell_has_its_caption_under_it(tmp_path: Path) -> None:
    figure = {"name": "fig-drawn", "caption": "What {cite:t}`one` drew"}
    cells = converted(
        tmp_path,
        new_code_cell("draw()", metadata={"mystnb": {"figure": figure}}),
        new_markdown_cell("See {numref}`fig-drawn`."),
    )
    assert [cell.source for cell in cells] == [
        "draw()",
        "*Figure 1.1.* What [Lin (2020)](https://doi.org/10.1/x) drew",
        f"See [Figure 1.1]({PAGES}/01-page.html#fig-drawn).",
    ]


def test_markdown_that_a_cell_prints_is_converted(tmp_path: Path) -> None:
    data = {"text/markdown": "[x](02-other.ipynb#there)", "text/plain": "<Markdown>"}
    cells = converted(tmp_path, new_code_cell("1", outputs=[new_output("display_data", data)]))
    assert cells[0].outputs[0].data["text/markdown"] == f"[x]({PAGES}/02-other.html#there)"


@pytest.mark.parametrize(
    ("told", "led"),
    [
        ("02-other.ipynb#there", f"{PAGES}/02-other.html#there"),
        ("02-other.ipynb", f"{PAGES}/02-other.html"),
        ("#claim-7", "#claim-7"),
        ("nowhere.ipynb#x", "nowhere.ipynb#x"),
    ],
)
def test_links_of_an_explorable_lead_to_the_pages(tmp_path: Path, told: str, led: str) -> None:
    data = {"text/html": f'<half-dial class="explorable"><a href="{told}">x</a></half-dial>'}
    cells = converted(tmp_path, new_code_cell("1", outputs=[new_output("display_data", data)]))
    assert f'<a href="{led}">x</a>' in cells[0].outputs[0].data["text/html"]


@pytest.mark.parametrize(("text", "status"), [("Fine.", 0), (":::{odd}\n:::", 1)])
def test_a_book_whose_pages_have_no_plain_form_is_not_whole(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    status: int,
) -> None:
    root = small_book(tmp_path, new_markdown_cell(text))
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0))
    assert pages.render(root, tmp_path, "index.html", []) == status
    written = tmp_path / "_build" / "html" / "_sources" / "notebooks" / "01-page.ipynb"
    said = capsys.readouterr().err
    assert written.exists() is (said == "")
    first = said.partition("\n")[0]
    assert first == ("" if status == 0 else "01-page: no plain form for directive {odd}")


# The book's own pages


@pytest.fixture(scope="module", params=[(SITE, HOME), ("", "")], ids=["published", "at home"])
def book(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    write_plain(pages.ROOT, folder / "notebooks", *request.param)
    return folder


def texts(notebook: Any) -> list[str]:
    """What a reader of a notebook reads beside its code, formulas left out."""
    found = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            found.append(output.get("data", {}).get("text/markdown", ""))
    return [re.sub(r"\$.*?\$", "", text, flags=re.DOTALL) for text in found]


@pytest.mark.parametrize("name", NAMES)
def test_no_page_shows_raw_myst(book: Path, name: str) -> None:
    notebook = nbformat.read(halves.executed_half(book, name), as_version=4)
    nbformat.validate(notebook)
    assert [text for text in texts(notebook) if RAW.search(text)] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_byte_of_code_and_no_output_changes(book: Path, name: str) -> None:
    ours, made = (
        nbformat.read(halves.executed_half(root, name), as_version=4) for root in (pages.ROOT, book)
    )
    pairs = [
        [cell for cell in notebook.cells if cell.cell_type == "code"] for notebook in (ours, made)
    ]
    assert [cell.source for cell in pairs[0]] == [cell.source for cell in pairs[1]]
    for cell in (*pairs[0], *pairs[1]):
        for output in cell.outputs:
            data = output.get("data", {})
            data.pop("text/markdown", None)
            if 'class="explorable"' in data.get("text/html", ""):  # its links are led elsewhere
                data["text/html"] = re.sub(r'<a href="[^"]*"', "", data["text/html"])
    assert [cell.outputs for cell in pairs[0]] == [cell.outputs for cell in pairs[1]]
    assert set(texts(made)) != set(texts(ours))  # every page has something to convert


@pytest.mark.parametrize("name", NAMES)
def test_every_page_folds_its_solutions(book: Path, name: str) -> None:
    ours, made = (
        nbformat.read(halves.executed_half(root, name), as_version=4) for root in (pages.ROOT, book)
    )
    source, text = "\n".join(texts(ours)), "\n".join(texts(made))
    solutions = len(re.findall(r"^:+\{solution(?:-start)?\}", source, re.MULTILINE))
    assert len(
        re.findall(r"^<summary>Solution to exercise [\d.]+</summary>", text, re.MULTILINE)
    ) == (solutions)


@pytest.mark.parametrize("name", ["00-lambda-explorer", "01-convex-combination"])
def test_a_plain_notebook_runs(tmp_path: Path, name: str) -> None:
    write_plain(pages.ROOT, tmp_path / "notebooks", SITE, HOME)
    path = halves.executed_half(tmp_path, name)
    pages.execute(path)
    notebook = nbformat.read(path, as_version=4)
    assert halves.execution_faults(notebook) == []
    assert [text for text in texts(notebook) if RAW.search(text)] == []


@pytest.mark.parametrize("name", NAMES)
def test_an_object_that_a_page_shows_has_a_form_for_notebooks(name: str) -> None:
    """A cell that ends in an object shows HTML or Markdown, not the object's fields."""
    notebook = nbformat.read(halves.executed_half(pages.ROOT, name), as_version=4)
    shown = [o for c in notebook.cells for o in c.get("outputs", [])
             if o.output_type == "execute_result"]  # fmt: skip
    assert [o.data for o in shown if not {"text/html", "text/markdown"} & set(o.data)] == []
