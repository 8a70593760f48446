"""The page that documents the package: nothing is forgotten, and its text is the docstrings'."""

import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType, ModuleType

import plain_docstrings
import pytest
from conftest import Rendered
from docutils import nodes
from docutils.core import publish_doctree

import amnl
from amnl import cmapss, combiners
from amnl import training as train
from amnl.cmapss import emulator
from amnl.study import claims

# The command line explains itself: `amnl --help`. The template is to be read whole: `amnl init`.
SHOWN = ["amnl", *sorted(f"amnl.{m.name}" for m in pkgutil.iter_modules(amnl.__path__))]
SHOWN = [
    name
    for name in SHOWN
    if name not in ("amnl.cli.app", "amnl.weigh.my_problem") and "._" not in name
]

MEMBERS = (FunctionType, property, cached_property, classmethod, staticmethod)


def public(module: ModuleType) -> Iterator[tuple[str, list[object]]]:
    """Functions and classes that a module defines, and methods, each before those it replaces."""
    for name, found in vars(module).items():
        defined_here = callable(found) and getattr(found, "__module__", None) == module.__name__
        if name.startswith("_") or not defined_here:
            continue
        yield f"{module.__name__}.{name}", [found]
        if not inspect.isclass(found):
            continue
        for member, value in vars(found).items():
            if not member.startswith("_") and isinstance(value, MEMBERS):
                versions = [vars(base)[member] for base in found.__mro__ if member in vars(base)]
                yield f"{module.__name__}.{name}.{member}", versions


def docstring(found: object) -> str:
    return found.__doc__ or ""


def undocumented(module: ModuleType) -> list[str]:
    """Public names that say nothing, and replace nothing that does."""
    return [name for name, versions in public(module) if not any(map(docstring, versions))]


DOCSTRINGS = {
    name: docstring(versions[0])
    for module in map(importlib.import_module, SHOWN)
    for name, versions in [(module.__name__, [module]), *public(module)]
    if docstring(versions[0])
}


@pytest.mark.parametrize("module", SHOWN)
def test_every_public_name_has_a_docstring(module: str) -> None:
    assert undocumented(importlib.import_module(module)) == []


@pytest.mark.parametrize("module", SHOWN)
def test_every_public_name_is_on_the_page(book: Rendered, module: str) -> None:
    page = (book.html / "book" / "api.html").read_text()
    names = [f"module-{module}"]
    names += [name for name in DOCSTRINGS if name.startswith(f"{module}.") and name not in SHOWN]
    assert [name for name in names if f'id="{name}"' not in page] == []


def test_search_finds_functions(book: Rendered) -> None:
    text = (book.html / "searchindex.js").read_text()
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    assert "combine_losses" in [entry[-1] for entry in index["objects"]["amnl.combine"]]


def test_a_forgotten_docstring_is_seen() -> None:
    module = ModuleType("m")
    exec(
        "class C:\n"
        "    'Said.'\n"
        "    def silent(self): pass\n"
        "    def spoken(self): 'Said.'\n"
        "class D(C):\n"
        "    'Said.'\n"
        "    def spoken(self): pass\n"
        "def _private(): pass\n"
        "def silent(): pass\n",
        module.__dict__,
    )
    assert [name for name, _ in public(module)] == [
        "m.C", "m.C.silent", "m.C.spoken", "m.D", "m.D.spoken", "m.silent"
    ]  # fmt: skip
    assert undocumented(module) == ["m.C.silent", "m.silent"]


def parsed(text: str) -> nodes.document:
    """A converted docstring as Docutils reads it; a warning is an error."""
    lines = plain_docstrings.to_rst(inspect.cleandoc(text).splitlines())
    return publish_doctree(
        "\n".join(lines), settings_overrides={"report_level": 1, "halt_level": 2}
    )


def letters(text: str) -> str:
    """A text less its spaces and the marks that turn into markup."""
    return re.sub(r"[\s`*]|^- ", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", DOCSTRINGS)
def test_no_docstring_loses_a_letter(name: str) -> None:
    text = inspect.cleandoc(DOCSTRINGS[name])
    assert letters(parsed(text).astext()) == letters(text)


def test_backticks_are_code_wherever_they_stand() -> None:
    found = parsed(docstring(emulator.write_fleet))
    codes = [node.astext() for node in found.findall(nodes.literal)]
    assert codes == ["subset", "emulated.json", "folder", "DataError"]
    assert "test_ and RUL_subset.txt" in found.astext()


def test_stars_stress_a_word() -> None:
    found = parsed(docstring(combiners.AMNLFixedLoss)).findall(nodes.emphasis)
    assert [node.astext() for node in found] == ["normalised"]


def test_paragraphs_stay_apart_and_lines_do_not() -> None:
    found = [node.astext() for node in parsed(docstring(cmapss.read)).findall(nodes.paragraph)]
    assert len(found) == 2
    assert found[0].startswith("Read one fleet") and found[0].endswith("its bytes are known.")


def test_an_aligned_list_is_a_list_of_definitions() -> None:
    entries = list(parsed(docstring(train.TrainConfig)).findall(nodes.definition_list_item))
    terms = [entry.children[0].astext() for entry in entries]
    assert {"rul_unit", "sample_weighted", "ema", "stride", "dtype"} <= set(terms)
    ema = entries[terms.index("ema")].children[1].astext()
    assert ema.endswith("so that it forgets the random start")


def test_an_entry_can_name_several() -> None:
    (term,) = parsed(docstring(cmapss.Normaliser)).findall(nodes.term)
    assert [node.astext() for node in term.findall(nodes.literal)] == ["mean", "std"]


def test_a_bullet_keeps_its_further_lines() -> None:
    bullets = list(parsed(docstring(combiners.AMNLFixedLoss)).findall(nodes.list_item))
    assert [b.astext().partition(":")[0] for b in bullets] == ['"batch"', '"ema" (default)']
    assert bullets[0].astext().endswith("Σ w · log L.")


def test_an_indented_formula_stays_as_it_is() -> None:
    (formula,) = parsed(emulator.__doc__ or "").findall(nodes.literal_block)
    assert formula.astext().startswith("reading = mean[c,s]")


@pytest.mark.parametrize("text", ["Σ |G_i − G|", "2 * 3 * x", "a_, b__", r"a \ b", "*", "`"])
def test_marks_that_mean_nothing_here_are_kept(text: str) -> None:
    assert parsed(text).astext() == text


def test_array_types_are_named_as_in_the_code(book: Rendered) -> None:
    page = (book.html / "book" / "api.html").read_text()
    words = re.sub("<[^>]*>", "", page)
    assert "parse_rul(" in words and "NDArray[int64]" in words and "ArrayLike" in words
    assert not re.search(r"ndarray\[tuple|_SupportsArray|_NestedSequence", words)


def test_a_named_tuple_says_nothing_of_itself(book: Rendered) -> None:
    page = (book.html / "book" / "api.html").read_text()
    assert docstring(claims.Ruling) in re.sub("<[^>]*>", "", page)
    assert not re.search("|".join(plain_docstrings.GENERATED), page)
