"""Code run line by line: what each line did, recorded while it ran, never typed.

`record` runs a function under a tracer; `code_stepper` shows the recording. A step is a whole
statement, not a line of the file, so that every version of Python records the same steps.
"""

import ast
import inspect
import math
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import CodeType, FrameType
from typing import Any

from amnl.study.explorables.explorable import Explorable
from amnl.study.html_table import show_table

__all__ = ["Listing", "Recording", "Statement", "Step", "code_stepper", "record"]

LONGEST = 96  # letters of a list or mapping that is shown; a longer one is shortened
MOST = 6  # numbers of an array that are shown; a larger one tells its shape


@dataclass(frozen=True)
class Statement:
    """One statement as written, or a line that is none, such as a comment. Of a loop, a condition
    or a function it is the head."""

    number: int  # of its first line, from 1, without the docstring
    text: str


@dataclass(frozen=True)
class Listing:
    """A function as the reader sees it."""

    name: str
    statements: list[Statement]
    names: list[str] = field(default_factory=list)  # what steps in it show, in order of appearance


@dataclass(frozen=True)
class Step:
    """One statement that has run."""

    listing: int
    statement: int
    did: str  # in words: "least = 0.975"
    reason: str
    round: str  # of the loops around it: "round 1 of 2"
    call: int  # of its function, from 0: one function may be called several times
    within: str  # the function, and those that called it
    values: dict[str, str]  # after the step
    changed: list[str]  # the names whose values are new


@dataclass(frozen=True)
class Recording:
    """What `record` saw."""

    listings: list[Listing]
    steps: list[Step]


def record(
    function: Callable[..., Any],
    *args: Any,
    reasons: Mapping[str, str] | None = None,
    also: Sequence[Callable[..., Any]] = (),
) -> Recording:
    """Run a function and note, after each statement, every name's value.

    Parameters
    ----------
    function
        A Python function whose source can be read, called with `args`.
    reasons
        How a statement begins → why it is there, one sentence. `{name}` in it stands for the value
        of that name after the step, `{self.name}` and `{name.grad}` likewise. One reason a
        statement; a statement may have none.
    also
        Functions to step into when they are called; others run as one step.

    Returns
    -------
    Recording
        Numbers have four significant digits, so that processors agree. Shown are numbers, texts,
        tensors and arrays, lists and mappings of them; of `self` the attributes that the function
        mentions; of a leaf tensor that wants one, the gradient.

    Raises
    ------
    ValueError
        For what is no plain function, such as a lambda or a generator; for a reason that fits no
        statement, or several, or names what has no value there.

    Examples
    --------
    >>> from amnl.combine import combine_losses
    >>> recording = record(combine_losses, 2.0, 1.0, 0.5, reasons={"return": "Half of {loss_rul}."})
    >>> recording.steps[-1].did, recording.steps[-1].reason
    ('returns 1.5', 'Half of 2.')
    """
    sources = [_Source(f, place) for place, f in enumerate((function, *also))]
    why = _matched(reasons or {}, sources)
    tracer = _Tracer({source.code: source for source in sources})
    before = sys.gettrace()
    sys.settrace(tracer.enter)
    try:
        function(*args)
    finally:
        sys.settrace(before)
    steps = [
        seen.step(why.get((seen.call.source.place, seen.statement), "")) for seen in tracer.seen
    ]
    for source in sources:
        within = (step for step in steps if step.listing == source.place)
        names = dict.fromkeys(name for step in within for name in step.values)
        source.listing.names.extend(names)
    return Recording([source.listing for source in sources], steps)


def code_stepper(recording: Recording) -> Explorable:
    """The recording, stepped by the reader: buttons, a slider, arrow keys, a click on a line."""
    first = recording.listings[0].name
    return Explorable(
        "code-stepper",
        f"What each line of {first} does, one step at a time",
        asdict(recording),
        _table(recording),
    )


def _table(recording: Recording) -> str:
    """What stands in for the stepper, in a box that keeps as much place as it will take."""
    steps, several = recording.steps, len(recording.listings) > 1
    places = [recording.listings[step.listing] for step in steps]
    lines = [place.statements[s.statement] for place, s in zip(places, steps, strict=True)]
    columns = {
        "step": range(1, len(steps) + 1),
        "function": [place.name for place in places],
        "line": [line.number for line in lines],
        "code": [_flat(line.text) for line in lines],
        "what it did": [_told(step) for step in steps],
    }
    if not several:
        del columns["function"]
    table, wide, narrow = show_table(columns), _rows(recording, 76), _rows(recording, 36)
    style = f"--rows: {wide}; --rows-narrow: {narrow}"
    return f'<div class="kept" style="{style}">\n{table.html}\n</div>'


def _told(step: Step) -> str:
    values = ", ".join(f"{name} = {step.values[name]}" for name in step.changed)
    did = f"called with {values}" if step.did == "called" and values else step.did
    return ", ".join(filter(None, (did, step.round)))


def _rows(recording: Recording, letters: int) -> int:
    """About how many rows the largest listing and its names take, so many letters a row."""
    most = 0
    for place, listing in enumerate(recording.listings):
        steps, rows = [step for step in recording.steps if step.listing == place], 0
        for k, statement in enumerate(listing.statements):
            lines = statement.text.split("\n")
            rows += sum(math.ceil(len(line) / letters) for line in lines)
            did = max((len(step.did) + 5 for step in steps if step.statement == k), default=0)
            if len(lines[-1]) + did > letters:
                rows += math.ceil(did / letters)
        abreast = 2 if letters > 60 else 1
        most = max(most, rows + math.ceil(len(listing.names) / abreast))
    return most


def _flat(text: str) -> str:
    return " ".join(text.split())


class _Source:
    """The source of a function, cut into statements."""

    def __init__(self, function: Callable[..., Any], place: int) -> None:
        function = inspect.unwrap(getattr(function, "__func__", function))
        self.place = place
        self.code: CodeType = function.__code__
        if not function.__name__.isidentifier() or self.code.co_flags & inspect.CO_GENERATOR:
            raise ValueError(f"{function.__qualname__} is no plain function, and is not stepped")
        lines, start = inspect.getsourcelines(function)
        self.start = max(start, 1)
        text = textwrap.dedent("".join(lines))
        self.lines, (tree,) = text.splitlines(), ast.parse(text).body
        assert isinstance(tree, ast.FunctionDef)
        docstring = tree.body[0] if ast.get_docstring(tree) is not None else None
        heads: dict[int, ast.stmt] = {}
        for part in (tree, *self._statements(tree)):
            heads.setdefault(1 if part is tree else part.lineno, part)
        self.nodes: list[ast.stmt | None] = []  # of each statement, None where it is a comment
        self.of_line: dict[int, int] = {}  # line of the source, from 1 → place of its statement
        statements, number, line = [], 1, 1
        while line <= len(self.lines):
            node = heads.get(line)
            span = range(line, line + 1) if node is None else self._head(node, line)
            if node is None or node is not docstring:
                text = "\n".join(self.lines[k - 1] for k in span)
                statements.append(Statement(number, text))
                self.of_line.update(dict.fromkeys(span, len(self.nodes)))
                self.nodes.append(node)
                number += len(span)
            line = span.stop
        self.listing = Listing(function.__qualname__.rpartition("<locals>.")[2], statements)
        # As written: the compiler's own order is another in another version of Python.
        arguments = [node.arg for node in ast.walk(tree.args) if isinstance(node, ast.arg)]
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        names.sort(key=lambda node: (node.lineno, node.col_offset))
        self.names = list(dict.fromkeys([*arguments, *(node.id for node in names)]))
        mentioned = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
        self.attributes = list(
            dict.fromkeys(
                node.attr
                for node in mentioned
                if isinstance(node.value, ast.Name) and node.value.id == "self"
            )
        )

    def _statements(self, node: ast.AST) -> list[ast.stmt]:
        """All statements within one, but those of functions within it."""
        found = []
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                found.append(child)
            if not isinstance(child, ast.FunctionDef | ast.ClassDef):
                found += self._statements(child)
        return found

    def _head(self, node: ast.stmt, line: int) -> range:
        """The lines of a statement, without those of the statements within it."""
        body = getattr(node, "body", None)
        if not body:
            return _span(node)
        stop = max(body[0].lineno, line + 1)
        while stop > line + 1 and not self.lines[stop - 2].strip().partition("#")[0]:
            stop -= 1
        return range(line, stop)

    def statement(self, line: int) -> int:
        """The place of the statement at such a line of the file."""
        return self.of_line[line - self.start + 1]

    def inside(self, statement: int | None, head: int) -> bool:
        """Whether a statement is in the body of another."""
        node, other = self.nodes[head], None if statement is None else self.nodes[statement]
        body: list[ast.stmt] = getattr(node, "body", [])
        return bool(body and other and _span(body[0]).start <= other.lineno < _span(body[-1]).stop)


def _span(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _matched(reasons: Mapping[str, str], sources: Sequence[_Source]) -> dict[tuple[int, int], str]:
    found = {}
    for start, reason in reasons.items():
        places = [
            (source.place, k)
            for source in sources
            for k, statement in enumerate(source.listing.statements)
            if _flat(statement.text).startswith(_flat(start)) and source.nodes[k] is not None
        ]
        if len(places) != 1:
            names = ", ".join(source.listing.name for source in sources)
            raise ValueError(f"{start!r} begins {len(places)} statements of {names}; one is meant")
        found[places[0]] = reason
    return found


@dataclass
class _Loop:
    head: int
    rounds: int = 0


@dataclass
class _Call:
    """A function that is running."""

    source: _Source
    number: int  # of the calls
    within: str
    pending: int | None = 0  # the statement that runs: at first, the head of the function
    values: dict[str, str] = field(default_factory=dict)
    loops: list[_Loop] = field(default_factory=list)
    raised: str = ""


@dataclass
class _Seen:
    """A step, before it is known how many rounds its loops have."""

    call: _Call
    statement: int
    did: str
    rounds: list[tuple[int, _Loop]]
    values: dict[str, str]
    changed: list[str]

    def step(self, reason: str) -> Step:
        call = self.call
        rounds = ", ".join(f"round {k} of {loop.rounds}" for k, loop in self.rounds)

        def value(found: re.Match[str]) -> str:
            if found[1] not in self.values:
                raise ValueError(
                    f"a reason names {found[0]}, which has no value there: {reason!r}; there are "
                    f"{', '.join(self.values)}"
                )
            return self.values[found[1]]

        said = "" if self.did.startswith("calls ") else re.sub(r"\{([\w.]+)\}", value, reason)
        return Step(
            call.source.place, self.statement, self.did, said, rounds, call.number, call.within,
            self.values, self.changed,
        )  # fmt: skip


class _Tracer:
    """Follows the functions of some sources and keeps what each of their statements did."""

    def __init__(self, sources: Mapping[CodeType, _Source]) -> None:
        self.sources = sources
        self.running: list[_Call] = []
        self.calls = 0
        self.seen: list[_Seen] = []

    def enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        source = self.sources.get(frame.f_code)
        if source is None:
            return None
        within = source.listing.name
        if self.running:
            caller = self.running[-1]
            within = f"{within}, called by {caller.within}"
            self.note(caller, f"calls {source.listing.name}", caller.values)
        call = _Call(source, self.calls, within)
        self.calls += 1
        self.running.append(call)
        self.complete(call, frame, None)
        call.pending = None

        def follow(frame: FrameType, event: str, arg: Any) -> Any:
            if event == "line":
                call.raised = ""
                statement = source.statement(frame.f_lineno)
                if statement != call.pending:  # a statement of several lines is one step
                    self.complete(call, frame, statement)
                    call.pending = statement
            elif event == "exception":
                call.raised = f"raises {arg[0].__name__}: {arg[1]}"
            elif event == "return":
                self.complete(call, frame, None, returned=arg)
                self.running.pop()
            return follow

        return follow

    def complete(
        self, call: _Call, frame: FrameType, following: int | None, returned: Any = None
    ) -> None:
        """Note what the pending statement did, now that it has run."""
        if call.pending is None:
            return
        values, node = _values(frame, call.source), call.source.nodes[call.pending]
        changed = [name for name, text in values.items() if call.values.get(name) != text]
        told = dict.fromkeys(name for name in (*_assigned(node), *changed) if name in values)
        did = ", ".join(f"{name} = {values[name]}" for name in told)
        into = call.source.inside(following, call.pending)
        if call.raised and following is None:
            did = call.raised
        elif isinstance(node, ast.FunctionDef):
            did = "called"
        elif isinstance(node, ast.If | ast.While):
            did = "true" if into else "false"
        elif isinstance(node, ast.Return):
            did = f"returns {_text(returned) or type(returned).__name__}"
        elif isinstance(node, ast.For) and not into:
            did = "no more rounds"
        self.turn(call, into)
        self.note(call, did or "changes nothing", values, changed)

    def turn(self, call: _Call, into: bool) -> None:
        """Leave the loops that the pending statement is not in; count the round of one it heads."""
        head = call.pending
        assert head is not None
        inside = call.source.inside
        call.loops = [at for at in call.loops if at.head == head or inside(head, at.head)]
        if not isinstance(call.source.nodes[head], ast.For | ast.While):
            return
        again = call.loops and call.loops[-1].head == head
        before = call.loops.pop() if again else _Loop(head)
        if into:
            before.rounds += 1
            call.loops.append(before)

    def note(
        self, call: _Call, did: str, values: dict[str, str], changed: Sequence[str] = ()
    ) -> None:
        if call.pending is not None:
            rounds = [(loop.rounds, loop) for loop in call.loops]
            self.seen.append(_Seen(call, call.pending, did, rounds, values, list(changed)))
            call.values = values


def _assigned(node: ast.stmt | None) -> list[str]:
    """The names that a statement gives a value, whether it is a new one or not."""
    targets = [*getattr(node, "targets", ()), getattr(node, "target", None)]
    found = []
    while targets:
        target = targets.pop(0)
        if isinstance(target, ast.Tuple | ast.List):
            targets = [*target.elts, *targets]
        elif isinstance(target, ast.Subscript | ast.Starred):
            targets = [target.value, *targets]
        elif target is not None:
            found.append(ast.unparse(target))
    return found


def _values(frame: FrameType, source: _Source) -> dict[str, str]:
    values: dict[str, str] = {}

    def add(name: str, value: Any) -> None:
        text = _text(value)
        if text is None:
            return
        values[name] = text
        if getattr(value, "requires_grad", False) and getattr(value, "is_leaf", False):
            values[f"{name}.grad"] = "none yet" if value.grad is None else str(_text(value.grad))

    for name in source.names:
        if name == "self" and name in frame.f_locals:
            for attribute in source.attributes:
                if hasattr(frame.f_locals[name], attribute):
                    add(f"self.{attribute}", getattr(frame.f_locals[name], attribute))
        elif name in frame.f_locals and not name.startswith("_"):
            add(name, frame.f_locals[name])
    return values


def _text(value: Any, room: int = LONGEST) -> str | None:
    """A value in so many letters or few more, or None for one that is not shown."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return (str(value) if isinstance(value, int) else f"{value:z.4g}").replace("-", "−")
    if isinstance(value, str):
        return repr(value)
    if hasattr(value, "tolist") and hasattr(value, "shape"):  # an array or a tensor
        if max(value.shape, default=0) > MOST or len(value.shape) > 2:
            return f"{' × '.join(map(str, value.shape))} numbers"
        return _text(value.tolist())
    if isinstance(value, set | frozenset):
        return f"a set of {len(value)}"
    if not isinstance(value, Mapping | list | tuple):
        return None
    whole = _joined(value, LONGEST)
    if whole and len(whole) > room:
        whole = _joined(value, room // len(value))
    return whole if whole and len(whole) <= room else f"{len(value)} items"


def _joined(values: Mapping[Any, Any] | Sequence[Any], room: int) -> str:
    """A mapping, list or tuple, so many letters a value; empty where one of them is not shown."""
    several = values.values() if isinstance(values, Mapping) else values
    texts = [_text(one, room) for one in several]
    if None in texts:
        return ""
    if isinstance(values, Mapping):
        pairs = zip(map(_text, values), texts, strict=True)
        return "{" + ", ".join(f"{key}: {text}" for key, text in pairs) + "}"
    left, right = "[]" if isinstance(values, list) else "()"
    return left + ", ".join(map(str, texts)) + right
