"""Turn rendered pages into notebooks that Colab and Jupyter can show.

The pages are written in MyST, which those programs print as it stands. Here citations become author
and year with a link, exercises headings, solutions `<details>`, admonitions quotes, and references
addresses. Code cells keep every byte. Links lead to the rendered pages where the book's address is
known, and to the notebooks beside where it is not; pictures come from the repository where that is
known. A construct that this file does not know stops it, with the page's name: it must not reach a
reader raw.
"""

import ast
import html
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import yaml
from docutils.nodes import make_id
from halves import executed_half, page_names
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from nbformat.v4 import new_markdown_cell
from pybtex.database import Entry, parse_file

# Directives by what becomes of them. A quote has a title; without one of its own, this one.
QUOTES = {
    "attention": "Attention", "caution": "Caution", "danger": "Danger", "error": "Error",
    "hint": "Hint", "important": "Important", "note": "Note", "seealso": "See also", "tip": "Tip",
    "warning": "Warning",
    "epigraph": "", "pull-quote": "",
}  # fmt: skip
TITLED_QUOTES = {"admonition", "card", "grid-item-card", "margin", "sidebar", "topic"}
ONLY_BODY = {"container", "div", "grid", "tab-set"}  # the frame goes, what is in it stays
CODE = {"code", "code-block", "sourcecode"}
PYTHON_ROLES = {"attr", "class", "data", "exc", "func", "meth", "mod", "obj"}

# MyST that its own parser did not take for such, so that it stands in the text.
LEFT = re.compile(r":::|\{[\w:.+-]+\}$|\{cite|^\([\w-]+\)=|\[\^|[\ue000]")
MYST = {"colon_fence", "footnote_mark", "footnote_text", "myst_block_break", "myst_line_comment",
        "myst_role", "myst_target"}  # fmt: skip
MARK = "\ue000"  # opens the line that stands for the start or the end of a solution


class UnknownConstruct(Exception):
    """Something on a page that has no plain form."""


@dataclass(frozen=True)
class Target:
    """What a reference leads to: the page, the place on it, and what it is called."""

    page: str
    anchor: str
    title: str
    number: str = ""  # "5.1"; empty for what has none


@dataclass(frozen=True)
class Change:
    """A part of a text, from `start` to `end`, and what takes its place."""

    start: int
    end: int
    text: str


def spanned(rule: Callable[..., bool], kind: str) -> Callable[..., bool]:
    """An inline rule that also says where in the paragraph its token stands."""

    def run(state: Any, silent: bool) -> bool:
        start, before = state.pos, len(state.tokens)
        label = state.md.helpers.parseLinkLabel(state, start) if state.src[start] == "[" else -1
        if not rule(state, silent):
            return False
        for token in state.tokens[before:]:
            if token.type == kind:
                token.meta["span"] = (start, state.pos)
                token.meta["text"] = state.src[start + 1 : label] if label >= 0 else ""
                break
        return True

    return run


def footnote_mark(state: Any, silent: bool) -> bool:
    """`[^name]`, whether or not this cell holds the note."""
    found = re.compile(r"\[\^([^\]\s]+)\]").match(state.src, state.pos)
    if not found:
        return False
    if not silent:
        state.push("footnote_mark", "", 0).content = found[1]
    state.pos = found.end()
    return True


def footnote_text(state: Any, start: int, end: int, silent: bool) -> bool:
    """`[^name]: …` up to the next empty line."""
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    found = re.match(r"\[\^([^\]\s]+)\]:\s*(.*)", line)
    if not found or state.is_code_block(start):
        return False
    if not silent:
        last = start + 1
        while last < end and not state.isEmpty(last):
            last += 1
        rest = state.getLines(start + 1, last, 0, False)
        token = state.push("footnote_text", "", 0)
        token.map, token.meta = [start, last], {"name": found[1]}
        token.content = re.sub(r"\n[ \t]*", "\n", f"{found[2]}\n{rest}").strip()
        state.line = last
    return True


def parser(extensions: set[str]) -> MarkdownIt:
    """The book's own parser, which also says where roles, links and pictures stand."""
    md = create_md_parser(MdParserConfig(enable_extensions=extensions), RendererHTML)
    md.disable(["footnote_ref", "footnote_def"])
    md.inline.ruler.before("link", "footnote_mark", footnote_mark)
    md.block.ruler.before("reference", "footnote_text", footnote_text, {"alt": ["paragraph"]})
    kinds = {
        "myst_role": "myst_role", "link": "link_open", "image": "image", "autolink": "link_open",
        "footnote_mark": "footnote_mark", "backticks": "code_inline",
    }  # fmt: skip
    for rule in list(md.inline.ruler.__rules__):
        if rule.name in kinds:
            md.inline.ruler.at(rule.name, spanned(rule.fn, kinds[rule.name]))
    return md


def directive(token: Token) -> tuple[str, str, dict[str, str], str] | None:
    """Name, argument, options and body of a fence that is a directive; None for plain code."""
    if token.type not in ("fence", "colon_fence"):
        return None
    found = re.match(r"\{([\w:.+-]+)\}\s*(.*)$", token.info.strip())
    if not found:
        if token.type == "fence" and not token.info.strip().startswith("{"):
            return None
        raise UnknownConstruct(f"fence {token.markup}{token.info}")
    lines, options = token.content.splitlines(), {}
    if lines and lines[0].strip() == "---":
        end = next((i for i, line in enumerate(lines[1:], 1) if line.strip() == "---"), 0)
        options = {k: str(v) for k, v in (yaml.safe_load("\n".join(lines[1:end])) or {}).items()}
        lines = lines[end + 1 :]
    while lines and (option := re.match(r":([\w-]+):\s*(.*)$", lines[0])):
        options[option[1]] = option[2].strip()
        del lines[0]
    return found[1], found[2].strip(), options, "\n".join(lines).strip("\n")


def quoted(title: str, body: str) -> str:
    text = "\n\n".join(filter(None, [f"**{title}**" if title else "", body]))
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def folded(title: str, body: str) -> str:
    summary = MarkdownIt("commonmark").renderInline(title)
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def fenced(language: str, code: str) -> str:
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def plain_latex(text: str) -> str:
    return re.sub(r"[{}]", "", text)


def short_authors(entry: Entry) -> str:
    """One author, two, or the first of more."""
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [plain_latex(" ".join(str(part) for part in p.rich_last_names)) for p in people]
    if not names:
        return plain_latex(entry.fields.get("key", entry.key))
    if len(names) > 2:
        return f"{names[0]} et al."
    return " and ".join(names)


def entry_address(entry: Entry) -> str:
    """Where a reader finds a cited work; empty for one that has no address."""
    if doi := entry.fields.get("doi"):
        return f"https://doi.org/{doi}"
    if url := entry.fields.get("url"):
        return str(url)
    if eprint := entry.fields.get("eprint"):
        return f"https://arxiv.org/abs/{eprint}"
    found = re.search(r"\\url\{([^}]+)\}", " ".join(entry.fields.values()))
    return found[1] if found else ""


def picked_lines(spec: str, lines: list[str]) -> list[str]:
    """Lines by their numbers: `1,3-5,8-`."""
    picked: list[str] = []
    for part in spec.split(","):
        first, dash, last = part.strip().partition("-")
        start = int(first or 1)
        picked += lines[start - 1 : (int(last) if last else None) if dash else start]
    return picked


def included(path: Path, options: dict[str, str]) -> str:
    """The part of a file that `literalinclude` names."""
    known = {"language", "lines", "pyobject", "start-after", "end-before", "start-at", "end-at",
             "caption", "name", "linenos", "lineno-match", "emphasize-lines"}  # fmt: skip
    if wrong := sorted(set(options) - known):
        raise UnknownConstruct(f"option :{wrong[0]}: of {{literalinclude}}")
    lines = path.read_text(encoding="utf-8").splitlines()
    if wanted := options.get("pyobject"):
        body: Any = ast.parse("\n".join(lines))
        for name in wanted.split("."):
            body = next((n for n in body.body if getattr(n, "name", None) == name), None)
            if body is None:
                raise UnknownConstruct(f"{{literalinclude}} of {wanted}, not in {path.name}")
        first = min([body.lineno, *(d.lineno for d in body.decorator_list)])
        lines = lines[first - 1 : body.end_lineno]
    for option, after in (("start-at", 0), ("start-after", 1), ("end-before", 0), ("end-at", 1)):
        if (text := options.get(option)) is not None:
            at = next((i for i, line in enumerate(lines) if text in line), None)
            if at is None:
                raise UnknownConstruct(f"{{literalinclude}} {option} {text!r}, not in {path.name}")
            lines = lines[at + after :] if option.startswith("start") else lines[: at + after]
    if spec := options.get("lines"):
        lines = picked_lines(spec, lines)
    return "\n".join(lines)


def page_text(page: Path) -> str:
    """The text of a page, notebook or not, whose path has no suffix."""
    if (source := page.with_suffix(".md")).is_file():
        return source.read_text(encoding="utf-8")
    cells = nbformat.read(page.with_suffix(".ipynb"), as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@dataclass
class Book:
    """What the pages share: where they are read, what they cite, and what they refer to."""

    root: Path
    site: str  # address of the rendered book, or empty
    address: str  # of the repository, or empty
    labels: dict[str, Target] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)  # page, as in _toc.yml → title
    chapters: dict[str, str] = field(default_factory=dict)  # page → number, of those that have one

    def __post_init__(self) -> None:
        config = yaml.safe_load((self.root / "_config.yml").read_text(encoding="utf-8"))
        self.branch = config["repository"]["branch"]
        self.md = parser(set(config["parse"]["myst_enable_extensions"]))
        self.cited = parse_file(str(self.root / "book" / "references.bib")).entries
        self.read_contents()

    def read_contents(self) -> None:
        """Pages, their titles and chapters, and the labels of those that are no notebooks."""
        contents = yaml.safe_load((self.root / "_toc.yml").read_text(encoding="utf-8"))
        pages = [contents["root"]]
        for part in contents.get("parts", [contents]):
            files = [chapter["file"] for chapter in part.get("chapters", [])]
            if part.get("numbered"):
                numbered = enumerate(files, len(self.chapters) + 1)
                self.chapters |= {page: str(number) for number, page in numbered}
            pages += files
        for page in pages:
            tokens = self.md.parse(page_text(self.root / page))
            headings = (i for i, token in enumerate(tokens) if token.type == "heading_open")
            self.titles[page] = tokens[next(headings) + 1].content
            for i, token in enumerate(tokens):
                if token.type == "myst_target":
                    self.add_target(page, token.content, tokens[i + 1 :])

    def add_target(self, page: str, label: str, following: list[Token]) -> None:
        """`(label)=`, which names the heading under it, or a place on the page."""
        named = [token for token in following if token.type != "myst_target"][:2]
        heading = bool(named) and named[0].type == "heading_open"
        title = named[1].content if heading else self.titles[page]
        self.labels[label] = Target(page, make_id(label), title)

    def page_address(self, page: str, anchor: str = "") -> str:
        """Where a page is read: rendered, or as the notebook beside; empty if nowhere."""
        if self.site:
            return f"{self.site}/{page}.html" + (f"#{anchor}" if anchor else "")
        folder, name = posixpath.split(page)
        # Jupyter names the places of a notebook in a way of its own.
        return f"{name}.ipynb" if folder == "notebooks" else ""

    def file_address(self, path: str, *, raw: bool) -> str:
        """Where a file of the repository is read; beside the notebook if there is no repository."""
        if not (self.root / path).is_file():
            raise UnknownConstruct(f"link to {path}, which does not exist")
        if not self.address:
            return posixpath.relpath(path, "notebooks")
        if not raw:
            return f"{self.address}/blob/{self.branch}/{path}"
        host = "https://raw.githubusercontent.com"
        return f"{self.address.replace('https://github.com', host)}/{self.branch}/{path}"


def linked(text: str, address: str) -> str:
    return f"[{text}]({address})" if address else text


class Page:
    """One page on its way to a plain notebook.

    It is converted twice. The first time, `strict` is off, and it tells the book its labels; then
    a reference to anything unknown is an error.
    """

    def __init__(self, book: Book, name: str, *, strict: bool) -> None:
        self.book, self.strict = book, strict
        self.page = f"notebooks/{name}"
        self.counts: dict[str, int] = {}
        self.footnotes: list[str] = []
        self.solution = ""  # the title of the one that is open

    # What is numbered, named and referred to

    def numbered(self, kind: str, label: str = "", anchor: str = "") -> str:
        """The next number of a kind, which a label may name: 5.1 on the page of chapter 5."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        number = f"{self.counts[kind]}"
        if chapter := self.book.chapters.get(self.page):
            number = f"{chapter}.{number}"
        if label:
            title = f"({number})" if kind == "equation" else f"{kind.title()} {number}"
            self.book.labels[label] = Target(self.page, anchor or make_id(label), title, number)
        return number

    def target(self, label: str) -> Target:
        found = self.book.labels.get(label)
        if found is None and self.strict:
            raise UnknownConstruct(f"reference to {label!r}, which no page has")
        return found or Target(self.page, "", label)

    def path(self, relative: str) -> str:
        """A path as the page writes it, from the repository's root."""
        if relative.startswith("/"):
            return relative.lstrip("/")
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.page), relative))

    def find_page(self, relative: str) -> str | None:
        """The page that a path leads to: `06-x.ipynb`, or its source `06-x.md`."""
        page = re.sub(r"\.(md|ipynb)$", "", self.path(relative))
        beside = page.replace("book/", "notebooks/", 1)
        return next((found for found in (page, beside) if found in self.book.titles), None)

    def page_link(self, text: str, page: str, anchor: str = "") -> str:
        return linked(text or self.book.titles[page], self.book.page_address(page, anchor))

    def label_link(self, text: str, label: str) -> str:
        to = self.target(label)
        return linked(text or to.title, self.book.page_address(to.page, to.anchor))

    # Within a paragraph

    def citation(self, kind: str, keys: str) -> str:
        cited = []
        for key in (key.strip() for key in keys.split(",")):
            entry = self.book.cited.get(key)
            if entry is None:
                raise UnknownConstruct(f"citation of {key!r}, not in references.bib")
            authors, year = short_authors(entry), entry.fields.get("year", "")
            if kind == "t":
                named = f"{authors} ({year})" if year else authors
            else:
                named = f"{authors}, {year}" if year else authors
            address = entry_address(entry)
            cited.append(linked(named, address or self.book.page_address("book/references")))
        return ", ".join(cited) if kind == "t" else f"({'; '.join(cited)})"

    def role(self, name: str, content: str) -> str:
        content = " ".join(content.split())
        explicit = re.fullmatch(r"(.*?)\s*<([^<>]+)>", content)
        text, to = (explicit[1], explicit[2]) if explicit else ("", content)
        if name.partition(":")[0] == "cite":
            kind = name.partition(":")[2] or "p"
            if kind in ("p", "t", "ps", "ts"):
                return self.citation(kind[0], content)
        elif name == "term":
            anchor = re.sub(r"[^a-zA-Z0-9._]+", "-", to).strip("-")
            return linked(text or to, self.book.site and
                          self.book.page_address("book/glossary", f"term-{anchor}"))  # fmt: skip
        elif name in ("ref", "numref", "eq", "any"):
            number = self.target(to).number
            for place in ("%s", "{number}"):
                text = text.replace(place, number)
            return self.label_link(text.replace("{name}", self.target(to).title), to)
        elif name == "doc":
            if page := self.find_page(to):
                return self.page_link(text, page)
            raise UnknownConstruct(f"{{doc}} of {to}, which is no page")
        elif name == "download":
            return linked(text or to, self.book.file_address(self.path(to), raw=True))
        elif name == "math":
            return f"${content}$"
        elif name in ("sub", "sup", "kbd"):
            return f"<{name}>{html.escape(content)}</{name}>"
        elif name == "abbr":
            return content
        elif name == "code":
            return f"`{content}`"
        elif name.removeprefix("py:") in PYTHON_ROLES:
            shown = text or (to.rpartition(".")[2] if to.startswith("~") else to)
            to = to.lstrip("~!")
            there = to.startswith("amnl.") and self.book.site
            return linked(f"`{shown.lstrip('!')}`",
                          self.book.page_address("book/api", to) if there else "")  # fmt: skip
        raise UnknownConstruct(f"role {{{name}}}")

    def link(self, text: str, href: str) -> str | None:
        """What takes the place of a link; None leaves it as it is."""
        if re.match(r"(https?|mailto):", href):
            return None
        if re.match(r"\w+:", href):
            raise UnknownConstruct(f"link to {href}")
        text = self.inline(text)
        path, _, anchor = href.partition("#")
        if path and (page := self.find_page(path)):
            return self.page_link(text, page, anchor)
        if path and ("." in path or "/" in path):
            return linked(text or path, self.book.file_address(self.path(path), raw=False))
        if path or anchor in self.book.labels or not text:
            return self.label_link(text, path or anchor)
        return linked(text, self.book.site and self.book.page_address(self.page, anchor))

    def picture(self, alt: str, source: str) -> str:
        if not re.match(r"(https?|data):", source):
            source = self.book.file_address(self.path(source), raw=True)
        return f"![{alt}]({source})"

    def replaced(self, token: Token) -> str | None:
        """What takes the place of an inline token; None leaves it as it is."""
        if token.type == "myst_role":
            return self.role(token.meta["name"], token.content)
        if token.type == "link_open":
            return self.link(token.meta["text"], str(token.attrs["href"]))
        if token.type == "image":
            return self.picture(token.content, str(token.attrs["src"]))
        if token.type == "footnote_mark":
            return f"<sup>{self.footnote(token.content)}</sup>"
        return None  # code, which may look like any of these

    def footnote(self, name: str) -> int:
        if name not in self.footnotes:
            self.footnotes.append(name)
        return self.footnotes.index(name) + 1

    def inline(self, text: str) -> str:
        return self.convert(text).strip() if text.strip() else ""

    # Blocks

    def exercise(self, title: str, options: dict[str, str]) -> str:
        label, name = options.get("label", ""), "Exercise"
        if "nonumber" in options:
            self.book.labels[label] = Target(self.page, make_id(label), name)
        else:
            name += f" {self.numbered('exercise', label)}"
        return f"### {name}: {self.inline(title)}" if title else f"### {name}"

    def solution_title(self, label: str) -> str:
        title = self.target(label).title
        return f"Solution to {title[:1].lower()}{title[1:]}"

    def figure(self, source: str, options: dict[str, str], caption: str) -> str:
        picture = self.picture(options.get("alt", ""), source)
        if not caption:
            return picture
        return f"{picture}\n\n{self.caption('figure', options.get('name', ''), caption)}"

    def drawing(self, source: str) -> str:
        """An inline drawing, for two widths and themes, is elsewhere the picture beside it, and
        where that has no address, what the drawing says to those who only hear."""
        file = self.book.root / self.path(source)
        label = re.search(r'aria-label="([^"]+)"', file.read_text()) if file.is_file() else None
        if not label:
            raise UnknownConstruct(f"{{raw}} of {source}, which is no drawing")
        described = html.unescape(label[1])
        if not self.book.address:
            return quoted("", described)
        return self.picture(described, re.sub(r"\.html$", ".svg", source))

    def caption(self, kind: str, label: str, text: str) -> str:
        """A line in italics with the number."""
        named = f"*{kind.title()} {self.numbered(kind, label)}.*"
        return f"{named} {self.inline(text)}".strip()

    def block(self, name: str, argument: str, options: dict[str, str], body: str) -> str:
        """What becomes of a directive."""

        def inner() -> str:
            return self.convert(body)

        if name in QUOTES or name in TITLED_QUOTES:
            title = QUOTES.get(name, argument)
            if name in QUOTES and argument:
                body = f"{argument}\n{body}"
            if "dropdown" in options.get("class", "").split():
                return folded(self.inline(title), inner())
            return quoted(self.inline(title), inner())
        if name in ONLY_BODY:
            return inner()
        if name == "tab-item":
            return f"**{self.inline(argument)}**\n\n{inner()}"
        if name == "dropdown":
            return folded(self.inline(argument) or "More", inner())
        if name in ("exercise", "exercise-start"):
            return f"{self.exercise(argument, options)}\n\n{inner()}".strip()
        if name == "solution":
            return folded(self.solution_title(argument), inner())
        if name == "solution-start":
            return f"{MARK}{self.solution_title(argument)}\n\n{inner()}".strip("\n")
        if name == "solution-end":
            return MARK
        if name == "exercise-end":
            return ""
        if name == "image":
            return self.figure(argument, {"alt": options.get("alt", "")}, "")
        if name == "figure":
            return self.figure(argument, options, body)
        if name == "table":
            label = options.get("name", "")
            return f"{self.caption('table', label, argument)}\n\n{inner()}"
        if name == "math":
            return self.equation("\n".join(filter(None, [argument, body])),
                                 options.get("label", ""))  # fmt: skip
        if name in CODE:
            head = f"**{self.inline(options['caption'])}**\n\n" if "caption" in options else ""
            return head + fenced(argument, body)
        if name == "literalinclude":
            path = self.path(argument)
            if not (self.book.root / path).is_file():
                raise UnknownConstruct(f"{{literalinclude}} of {path}, which does not exist")
            head = f"**{self.inline(options['caption'])}**\n\n" if "caption" in options else ""
            language = options.get("language") or ("python" if path.endswith(".py") else "")
            return head + fenced(language, included(self.book.root / path, options))
        if name == "rubric":
            return f"**{self.inline(argument)}**"
        if name == "raw" and argument == "html":
            return self.drawing(options["file"]) if "file" in options else body
        raise UnknownConstruct(f"directive {{{name}}}")

    def equation(self, formula: str, label: str) -> str:
        if not label:
            return f"$$\n{formula.strip()}\n$$"
        number = self.numbered("equation", label, f"equation-{make_id(label)}")
        return f"$$\n{formula.strip()} \\tag{{{number}}}\n$$"

    def block_text(self, tokens: list[Token], i: int) -> str | None:
        """What takes the place of a block; None leaves it to its paragraphs."""
        token = tokens[i]
        if found := directive(token):
            return self.block(*found)
        if token.type == "myst_target":
            self.book.add_target(self.page, token.content, tokens[i + 1 :])
            return ""
        if token.type in ("myst_line_comment", "myst_block_break"):
            return ""
        if token.type == "math_block_label":
            return self.equation(token.content, token.info)
        if token.type == "footnote_text":
            note = self.footnote(token.meta["name"])
            return f"<sup>{note}</sup> {self.inline(token.content)}"
        if token.type == "html_block" and re.search(r"<(link|script)\b", token.content):
            # A notebook runs no script of a page's, and takes no style from it.
            lines = token.content.strip("\n").splitlines()
            return "\n".join(line for line in lines if not re.match(r"\s*<(link|script)\b", line))
        return None

    def convert(self, text: str) -> str:
        """MyST to the Markdown that Jupyter reads."""
        tokens = self.book.md.parse(text)
        lines = text.splitlines(keepends=True)
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line))
        changes: list[Change] = []
        place = 0  # tokens come in the order of the text
        for i, token in enumerate(tokens):
            if not token.map:
                continue
            # The parser says of a term that is defined that it has no lines.
            top, bottom = token.map[0], max(token.map[1], token.map[0] + 1)
            first, last = starts[top], starts[min(bottom, len(lines))]
            if token.type == "inline":
                place = max(place, first)
                found, place = self.inline_changes(token, text, place, last)
                changes += found
            elif token.type == "dt_open":  # a notebook has no lists of definitions
                changes.append(Change(first, first, "**"))
                end = first + len(text[first:last].rstrip())
                changes.append(Change(end, end, "**  "))
            elif token.type == "dd_open":
                colon = re.compile(r"^[ \t>]*:", re.MULTILINE).search(text, first)
                assert colon, "a definition begins with a colon"
                changes.append(Change(colon.end() - 1, colon.end(), "—"))
            elif (new := self.block_text(tokens, i)) is not None:
                line = lines[token.map[0]]
                mark = re.match(r"(?:[ \t]|>|[-*+] |\d+[.)] )*", line)
                prefix = mark[0] if mark else ""
                later = re.sub(r"[^\s>]", " ", prefix)
                last -= text[first:last].endswith("\n")
                if not prefix + new:
                    last += len(text[last:]) - len(text[last:].lstrip("\n"))
                changes.append(Change(first, last, prefix + new.replace("\n", f"\n{later}")))
                place = max(place, last)
        for change in sorted(changes, key=lambda c: (c.start, c.end), reverse=True):
            text = text[: change.start] + change.text + text[change.end :]
        return text.strip("\n")

    def inline_changes(
        self, token: Token, text: str, place: int, last: int
    ) -> tuple[list[Change], int]:
        """What changes in a paragraph that stands in a text after `place`, and where that ends."""
        changes = []
        done = 0
        for child in token.children or []:
            span = child.meta.get("span")
            if span is None or span[0] < done:  # within a link that has been converted whole
                continue
            source = token.content[span[0] : span[1]]
            # A paragraph in a list or a quote is indented in the text, and not in its token.
            pattern = r"\n[ \t>]*".join(map(re.escape, source.split("\n")))
            found = re.compile(pattern).search(text, place, last)
            if not found:
                raise UnknownConstruct(f"place of {source}")
            new = self.replaced(child)
            if new is not None:
                done = span[1]
                changes.append(Change(found.start(), found.end(), new))
            # A link that stays may hold what does not.
            stays = new is None and child.type == "link_open"
            place = found.start() + 1 if stays else found.end()
        return changes, place

    # Cells

    def pieces(self, text: str) -> Iterator[str]:
        """A cell's text, with what lies within a solution folded away."""
        for number, part in enumerate(re.split(rf"^{MARK}", text, flags=re.MULTILINE)):
            body = part
            if number:
                self.solution, _, body = part.partition("\n")
                if self.solution:
                    yield folded(
                        self.solution, body.strip() or "The next cell, folded too, has it."
                    )
                    continue
            if body.strip():
                title = f"{self.solution}, continued" if self.solution else ""
                yield folded(title, body.strip()) if title else body.strip("\n")

    def left(self, text: str) -> Iterator[str]:
        """What of MyST is left in a converted text, outside code and formulas."""
        for token in self.book.md.parse(text):
            if token.type in MYST or directive(token):
                yield token.content or token.info
            elif token.type == "html_block" and LEFT.search(token.content):
                yield token.content.strip()
            for child in token.children or []:
                if child.type in MYST or (child.type == "text" and LEFT.search(child.content)):
                    yield child.content

    def markdown(self, cell: Any) -> bool:
        """Convert a cell of text; whether anything is left of it."""
        cell.source = "\n\n".join(self.pieces(self.convert(cell.source)))
        if left := next(self.left(cell.source), None):
            raise UnknownConstruct(f"construct {left!r}")
        return bool(cell.source)

    def explorable(self, text: str) -> str:
        """Lead an explorable's links to the published pages, if there are such."""

        def lead(found: re.Match[str]) -> str:
            path, _, anchor = found[2].partition("#")
            page = self.book.site and self.find_page(path)
            return f'{found[1]}{self.book.page_address(page, anchor) if page else found[2]}"'

        return re.sub(r'(<a href=")([\w./-]+\.(?:ipynb|md)(?:#[\w-]+)?)"', lead, text)

    def code(self, cell: Any) -> Iterator[Any]:
        """Fold what the page folds, and say under the cell what its figure shows."""
        tags = set(cell.metadata.get("tags", []))
        hides = {tag.partition("-")[2] for tag in tags if re.match("(hide|remove)-", tag)}
        if self.solution:
            hides.add("cell")
        if hides & {"input", "cell"}:
            cell.metadata.setdefault("jupyter", {})["source_hidden"] = True
            cell.metadata["cellView"] = "form"  # Colab's word for it
        if hides & {"output", "cell"}:
            cell.metadata.setdefault("jupyter", {})["outputs_hidden"] = True
            cell.metadata["collapsed"] = True
        for output in cell.outputs:
            if "text/markdown" in output.get("data", {}):
                output.data["text/markdown"] = self.convert(output.data["text/markdown"])
            if 'class="explorable"' in output.get("data", {}).get("text/html", ""):
                output.data["text/html"] = self.explorable(output.data["text/html"])
        yield cell
        settings = cell.metadata.get("mystnb", {}).get("figure", {})
        if settings.get("caption"):
            caption = new_markdown_cell(
                self.caption("figure", settings.get("name", ""), settings["caption"])
            )
            caption["id"] = f"{cell.id}-caption"
            if self.solution:
                caption.source = folded(self.solution, caption.source)
            yield caption

    def notebook(self) -> Any:
        name = posixpath.basename(self.page)
        notebook = nbformat.read(executed_half(self.book.root, name), as_version=4)
        cells = []
        try:
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cells += self.code(cell)
                elif cell.cell_type != "markdown" or self.markdown(cell):
                    cells.append(cell)
            if self.solution:
                raise UnknownConstruct(f"{{solution-start}} without its end: {self.solution}")
        except UnknownConstruct as error:
            raise UnknownConstruct(f"{name}: no plain form for {error}") from None
        notebook.cells = cells
        notebook.metadata.pop("jupytext", None)  # it has no other half
        return notebook


def write_plain(root: Path, folder: Path, site: str, address: str) -> None:
    """Write the plain notebooks of a staged book into a folder.

    root     what Jupyter Book reads: `_config.yml`, `_toc.yml`, `book/`, `notebooks/`
    site     address of the rendered book, or empty
    address  of the repository, or empty

    Raises `UnknownConstruct`, which names the page and what on it has no plain form.
    """
    book = Book(root, site.rstrip("/"), address)
    names = page_names(root)
    for name in names:
        Page(book, name, strict=False).notebook()
    notebooks = {name: Page(book, name, strict=True).notebook() for name in names}
    folder.mkdir(parents=True, exist_ok=True)
    for name, notebook in notebooks.items():
        nbformat.write(notebook, folder / f"{name}.ipynb")
