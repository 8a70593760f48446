"""`make book` and `make sync` do what they say, on checkouts of one page."""

import html
import json
import shutil
from pathlib import Path

import address
import nbformat
import own_values
import pages
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ADDRESS = "https://github.com/someone/a-fork"

SOURCE = """\
---
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

# A page

```{code-cell} ipython3
print( 'first' )
print('second', flush=True)
print('third')
```
"""


def stage_page(folder: Path, code: str, **metadata: object) -> Path:
    """A staged notebook that stores the output `stored`."""
    (folder / "notebooks").mkdir()
    cell = new_code_cell(code, outputs=[new_output("stream", text="stored\n")])
    path = folder / "notebooks" / "01-page.ipynb"
    nbformat.write(new_notebook(cells=[cell], metadata=metadata), path)
    return path


def text_of(path: Path) -> str:
    return nbformat.read(path, as_version=4).cells[0].outputs[0].text


def test_a_page_runs_in_its_own_folder(tmp_path: Path) -> None:
    page = stage_page(tmp_path, "import pathlib; print(pathlib.Path.cwd().name)")
    pages.run_pages(tmp_path, tmp_path / "reports")
    assert text_of(page) == "notebooks\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('a')\nraise ValueError('lam = 2, `not` 3')", "ValueError: lam = 2, `not` 3"),
        ("import os; os._exit(3)", "DeadKernelError: Kernel died"),
    ],
)
def test_a_page_that_fails_keeps_its_outputs_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, message: str
) -> None:
    page = stage_page(tmp_path, code)
    assert pages.run_pages(tmp_path, tmp_path / "reports") == ["01-page"]
    notebook = nbformat.read(page, as_version=4)
    assert notebook.cells[0].outputs[0].text == "stored\n"
    for told in (notebook.cells[1].source, capsys.readouterr().err):
        assert message in told
    first = code.partition("\n")[0]
    assert f"Code cell 1 of 1 failed. It begins with `{first}`" in notebook.cells[1].source
    assert "stored ones" in notebook.cells[1].source
    assert message.partition(": ")[2] in (tmp_path / "reports" / "01-page.txt").read_text()


def test_a_book_with_a_bad_page_is_rendered_and_says_so(
    own: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good = own / "notebooks" / "01-page.ipynb"
    notebook = nbformat.read(good, as_version=4)
    notebook.cells[3].source = "print('once')\nraise RuntimeError('no ```luck``` today')"
    notebook.cells[3].outputs = [new_output("stream", text="what was stored\n")]
    nbformat.write(notebook, own / "notebooks" / "02-page.ipynb")
    with (own / "_toc.yml").open("a") as toc:
        toc.write("- file: notebooks/02-page\n")
    assert pages.build(own, run=True) != 0

    told = capfd.readouterr()
    place = own / "_build" / "html"
    assert f"open {place / 'index.html'}" in told.out
    assert "pages that failed, shown with their stored outputs: 02-page" in told.err
    bad, fine = (html.unescape((place / f"notebooks/0{n}-page.html").read_text()) for n in (2, 1))
    assert "λ is 0.5, data are None" in fine and "stored ones" not in fine
    note = bad[bad.index("admonition warning") : bad.index("what was stored")]
    assert "These outputs are the stored ones" in note and "Code cell 3 of 3 failed" in note
    assert "RuntimeError: no ```luck``` today" in note and "02-page.txt" in note
    assert "no ```luck``` today" in (own / "_build" / "reports" / "02-page.txt").read_text()


def test_a_page_without_its_data_keeps_its_outputs_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMNL_DATA_DIR", str(tmp_path / "empty"))
    page = stage_page(tmp_path, "print('fresh')", amnl={"needs": "nasa"})
    pages.run_pages(tmp_path, tmp_path / "reports")
    assert text_of(page) == "stored\n"
    assert "01-page: kept its stored outputs, needs NASA's" in capsys.readouterr().out
    assert "had none" in nbformat.read(page, as_version=4).cells[1].source, "so do its readers"


# ---------------------------------------------------------------- a page with a reader's own values


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A checkout of one page that takes values."""
    for folder in ("_ext", "_static", "_templates"):
        shutil.copytree(pages.ROOT / "book" / folder, tmp_path / "book" / folder)
    for file in ("_config.yml", "book/references.bib"):
        shutil.copy2(pages.ROOT / file, tmp_path / file)
    (tmp_path / "book" / "checks.md").write_text("# A front page\n")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/checks\nchapters:\n- file: notebooks/01-page\n"
    )
    (tmp_path / "notebooks").mkdir()
    cells = [
        new_markdown_cell("# A page"),
        new_code_cell('REPOSITORY = ""'),
        new_code_cell("LAM = 0.5\nDATA = None", metadata={"tags": ["parameters"]}),
        new_code_cell("print(f'λ is {LAM!r}, data are {DATA!r}')\nassert LAM <= 1, 'too much'"),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "notebooks" / "01-page.ipynb")
    return tmp_path


def test_a_reader_renders_a_page_with_values_of_their_own(
    own: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (own / "notebooks" / "01-page.ipynb").read_bytes()
    assert pages.mine(own, "01-page", ["LAM=0.9", "DATA=emulate"]) == 0
    page = Path(capfd.readouterr().out.strip().splitlines()[-1].removeprefix("open "))
    assert "λ is 0.9, data are 'emulate'" in html.unescape(page.read_text())
    assert (own / "notebooks" / "01-page.ipynb").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["LAMBDA=0.9"], "'LAMBDA=0.9' is no value of 01-page, which takes LAM=0.5, DATA=None"),
        (["LAM"], "'LAM' is no value"),
        (["LAM=0,9"], "LAM is a number, such as 0.5, and not '0,9'"),
        (["LAM=True"], "LAM is a number, such as 0.5, and not 'True'"),
        (["LAM=1e400"], "LAM is a number, such as 0.5, and not '1e400'"),
        (["LAM=1j"], "LAM is a number, such as 0.5, and not '1j'"),
        (["LAM={[]:1}"], "LAM is a number, such as 0.5, and not '{[]:1}'"),
        (["LAM="], "LAM is a number, such as 0.5, and not ''"),
        (["DATA={[]:1}"], "DATA: there is no folder or zip "),
    ],
)
def test_a_value_that_cannot_be_used_is_named(own: Path, words: list[str], complaint: str) -> None:
    with pytest.raises(SystemExit) as caught:
        pages.mine(own, "01-page", words)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("word", "default", "value"),
    [
        ("0.9", 0.5, 0.9),
        ("1", 0.5, 1),
        ("3", 0, 3),
        ("1.5", 0, None),
        ("True", 0, None),
        ("x", 0, None),
        ("nan", 0.5, None),
        ("-1e400", 0.5, None),
        ("FD003", "FD001", "FD003"),
        ("'FD003'", "FD001", "FD003"),
        ("3", "FD001", "3"),
        ("None", "FD001", "None"),
    ],
)
def test_a_value_is_of_the_kind_that_the_page_has(
    word: str, default: object, value: object
) -> None:
    if value is None:
        with pytest.raises(ValueError, match="number"):
            own_values.as_kind(word, default)
    else:
        given = own_values.as_kind(word, default)
        assert given == value and type(given) is type(value)


def test_a_run_of_ones_own_leaves_the_one_before(
    own: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It may have taken hours, and it may not be through."""
    monkeypatch.setattr(pages, "render", lambda *_: 0)
    for value in ("LAM=0.9", "LAM=0.1"):
        assert pages.mine(own, "01-page", [value]) == 0
    runs = sorted((own / "_build" / "mine").glob("*/src/notebooks/01-page.ipynb"))
    said = [nbformat.read(run, as_version=4).cells[-1].outputs[0].text for run in runs]
    assert said == ["λ is 0.9, data are None\n", "λ is 0.1, data are None\n"]


def test_a_page_that_values_of_ones_own_break_is_shown_with_its_stored_outputs(
    own: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert pages.mine(own, "01-page", ["LAM=2"]) != 0
    told = capfd.readouterr()
    assert "01-page stopped. Code cell 3 of 3 failed" in told.err
    assert "AssertionError: too much" in told.err
    page = Path(told.out.strip().splitlines()[-1].removeprefix("open "))
    text = html.unescape(page.read_text())
    assert "These outputs are the stored ones" in text and "AssertionError: too much" in text


def test_a_page_that_is_not_there_is_named(own: Path) -> None:
    with pytest.raises(SystemExit, match="no page '02-page'; there are 01-page"):
        pages.mine(own, "02-page", [])


def test_an_emulated_fleet_is_no_substitute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "emulated.json").write_text(json.dumps({"sha256": {}, "seed": 7}))
    monkeypatch.setenv("AMNL_DATA_DIR", str(tmp_path))
    assert "emulated fleet, seed 7" in (pages.no_nasa_files() or "")


@pytest.mark.nasa
def test_nasas_files_are_found() -> None:
    assert pages.no_nasa_files() is None


def test_sync_pairs_formats_and_runs(tmp_path: Path) -> None:
    shutil.copy2(pages.ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    source = pages.source_half(tmp_path, "01-page")
    source.write_text(SOURCE)
    assert not pages.is_current(tmp_path, "01-page")

    pages.sync(tmp_path, [])
    assert pages.is_current(tmp_path, "01-page")
    assert 'print("first")' in source.read_text()
    stored = nbformat.read(pages.executed_half(tmp_path, "01-page"), as_version=4)
    # One output, however the text arrived.
    assert [output.text for output in stored.cells[1].outputs] == ["first\nsecond\nthird\n"]
    before = pages.executed_half(tmp_path, "01-page").read_bytes()

    pages.sync(tmp_path, ["01-page"])
    assert pages.executed_half(tmp_path, "01-page").read_bytes() == before

    source.write_text(source.read_text().replace("first", "changed"))
    assert not pages.is_current(tmp_path, "01-page")


def test_sync_names_a_page_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="02-nowhere"):
        pages.sync(tmp_path, ["02-nowhere"])


def test_every_page_takes_the_address_in_its_first_cell(tmp_path: Path) -> None:
    shutil.copytree(pages.ROOT / "notebooks", tmp_path / "notebooks")
    address.fill_notebooks(tmp_path, ADDRESS)
    for name in pages.page_names(tmp_path):
        ours, filled = (
            nbformat.read(pages.executed_half(root, name), as_version=4)
            for root in (pages.ROOT, tmp_path)
        )
        first = next(cell for cell in ours.cells if cell.cell_type == "code")
        first.source = first.source.replace('REPOSITORY = ""', f'REPOSITORY = "{ADDRESS}"')
        assert ADDRESS in first.source
        assert filled == ours


def test_a_page_without_a_place_for_the_address_is_named(tmp_path: Path) -> None:
    stage_page(tmp_path, "print('hello')")
    with pytest.raises(SystemExit, match="01-page"):
        address.fill_notebooks(tmp_path, ADDRESS)


@pytest.mark.parametrize("wrong", ["someone/a-fork", f"{ADDRESS}/", "https://gitlab.com/a/b"])
def test_an_address_that_colab_cannot_open_is_refused(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("AMNL_REPOSITORY", wrong)
    with pytest.raises(SystemExit, match=wrong):
        address.repository()
