"""What decides a value decides its fingerprint, and nothing else does."""

import abc
import cmath
import functools
import hashlib
import math
import os
import re
import subprocess
import sys
import sysconfig
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from amnl.combiners import FixedWeightLoss
from amnl.runs import UnreadError, fingerprint
from amnl.runs.fingerprint import _is_installed


class Held:
    """A function that holds a value, as a reader's loss does."""

    def __call__(self, value: Any) -> Any:
        return lambda model, batch: (value, model, batch)


held = Held()


class Rows(Dataset[Any]):
    """Rows that lie in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __len__(self) -> int:
        return 200

    def __getitem__(self, k: int) -> Tensor:
        return torch.tensor(float(self.path.read_bytes()[k]))


class Noted(nn.MSELoss):
    """A plain attribute, in neither `repr` nor the state."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain


class Listed(list[int]):
    """A list with a number beside it."""

    gain = 0


def listed(gain: int) -> Listed:
    made = Listed([1])
    made.gain = gain
    return made


def frozen(is_frozen: bool) -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(1, 1).requires_grad_(not is_frozen)


def with_attribute(gain: float) -> Any:
    def loss(x: float) -> float:
        return x * loss.gain  # type: ignore[attr-defined]

    loss.gain = gain  # type: ignore[attr-defined]
    return loss


class Slotted:
    """Has methods and slots to be held."""

    __slots__ = ("one", "other")

    def __init__(self, one: int = 0) -> None:
        self.one = one

    def first(self) -> int:
        return self.one

    def second(self) -> int:
        return -self.one


def made(attribute: Any, *bases: type, name: str = "Made") -> type:
    """A class with this attribute."""
    return type(name, bases, {"attribute": attribute})


class Forgetful:
    """A decorator that leaves all it holds out of its state, as one with a cache may."""

    def __init__(self, function: Any) -> None:
        functools.update_wrapper(self, function)

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, *given: Any) -> Any:
        return self.__wrapped__(*given)  # type: ignore[attr-defined]


def cached(gain: float) -> Any:
    loss = functools.cache(mse_loss)
    loss.gain = gain  # type: ignore[attr-defined]
    return loss


def said(text: str, **space: Any) -> Any:
    """The function `f` that a text defines among these globals."""
    exec(text, space)
    return space["f"]


def unguarded(function: types.FunctionType) -> types.FunctionType:
    """The same instructions, and none of them is tried."""
    code = function.__code__.replace(co_exceptiontable=b"")
    return types.FunctionType(code, function.__globals__, closure=function.__closure__)


def of_two(which: int) -> list[list[int]]:
    """Two equal lists, and one of them again."""
    two = [[1], [1]]
    return [*two, two[which]]


def guarded(inside: bool) -> Any:
    def first() -> int:
        return 1

    def outside_try() -> Any:
        value = first()
        try:
            return value, first()
        except ValueError:
            return None

    def inside_try() -> Any:
        try:
            value = first()
            return value, first()
        except ValueError:
            return None

    return inside_try if inside else outside_try


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(nn.HuberLoss(delta=1.0), nn.HuberLoss(delta=0.01), id="delta"),
        pytest.param(
            nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.5), id="label smoothing"
        ),
        pytest.param(nn.SmoothL1Loss(beta=1.0), nn.SmoothL1Loss(beta=2.0), id="beta"),
        pytest.param(nn.MSELoss(), nn.MSELoss(reduction="sum"), id="reduction"),
        pytest.param(
            nn.TripletMarginLoss(margin=1.0), nn.TripletMarginLoss(margin=2.0), id="margin"
        ),
        pytest.param(nn.Sequential(Noted(1.0)), nn.Sequential(Noted(2.0)), id="of a submodule"),
        pytest.param(nn.Dropout(0.1), nn.Dropout(0.1).eval(), id="mode"),
        pytest.param(frozen(False), frozen(True), id="frozen"),
        pytest.param(torch.eye(3).to_sparse(), 2 * torch.eye(3).to_sparse(), id="sparse"),
        pytest.param(torch.eye(3).to_sparse_csr(), torch.eye(3).to_sparse(), id="layout"),
        pytest.param(
            nn.utils.parametrizations.weight_norm(frozen(False)),
            nn.utils.parametrizations.weight_norm(frozen(True)),
            id="parametrised",
        ),
        pytest.param(re.compile("a"), re.compile("b"), id="pattern"),
        pytest.param(torch.tensor([1j]), torch.tensor([1j]).conj(), id="conjugate"),
        pytest.param(
            np.ma.masked_array([1, 2], [0, 0]), np.ma.masked_array([1, 2], [0, 1]), id="mask"
        ),
        pytest.param({1: 2.0}.get, {1: 3.0}.get, id="bound built-in"),
        pytest.param(listed(1), listed(2), id="list with an attribute"),
        pytest.param(with_attribute(1.0), with_attribute(2.0), id="function with an attribute"),
        pytest.param(guarded(False), guarded(True), id="what a try covers"),
        pytest.param(guarded(True), unguarded(guarded(True)), id="whether it is tried"),
        pytest.param(lambda x, y=1: (x, y), lambda x, *, y=1: (x, y), id="keyword only"),
        pytest.param(lambda x, y: (x, y), lambda x, *, y: (x, y), id="keyword without a default"),
        pytest.param(np.array([1, 2]), np.array([1, 3]), id="array"),
        pytest.param(np.zeros((2, 3)), np.zeros((3, 2)), id="shape of an array"),
        pytest.param(np.zeros(2, np.int64), np.zeros(2), id="dtype of an array"),
        pytest.param(
            np.array([(1, 2.0)], "i8,f8").view(np.recarray),
            np.array([(1, 3.0)], "i8,f8").view(np.recarray),
            id="records",
        ),
        pytest.param([1], (1,), id="list or tuple"),
        pytest.param(of_two(0), of_two(1), id="which of two equals"),
        pytest.param(abs, len, id="built-in"),
        pytest.param(math, cmath, id="module"),
        pytest.param(mse_loss, l1_loss, id="function of a package"),
        pytest.param(nn.MSELoss, nn.L1Loss, id="class of a package"),
        pytest.param(Slotted(1).first, Slotted(2).first, id="what a method is bound to"),
        pytest.param(Slotted(1).first, Slotted(1).second, id="bound method"),
        pytest.param(Slotted.one, Slotted.other, id="slot"),
        pytest.param(made(1), made(2), id="attribute of a class"),
        pytest.param(made(1, Slotted), made(1, Exception), id="base of a class"),
        pytest.param(made(1, name="One"), made(1, name="Other"), id="name of a class"),
        pytest.param(
            made(staticmethod(lambda: 1)), made(staticmethod(lambda: 2)), id="static method"
        ),
        pytest.param(
            made(property(lambda self: 1)), made(property(lambda self: 2)), id="property"
        ),
        pytest.param(cached(1.0), cached(2.0), id="attribute of a cached function"),
        pytest.param(Forgetful(held(1)), Forgetful(held(2)), id="what a decorator wraps"),
        pytest.param(
            functools.cache(held(1)), functools.cache(held(2)), id="what a cache wraps"
        ),
        pytest.param(
            said("f = lambda: n", n=1), said("f = lambda: n", n=2), id="global"
        ),
        pytest.param(
            said("f = lambda: n + k", n=1), said("f = lambda: n + k", k=1), id="which global"
        ),
        pytest.param(
            said("f = lambda: lambda: n", n=1), said("f = lambda: lambda: n", n=2),
            id="global of an inner function",
        ),
        pytest.param(
            said("def f():\n class A: a = n", n=1), said("def f():\n class A: a = n", n=2),
            id="global of an inner class",
        ),
        pytest.param({"a", "b"}, {"a", "c"}, id="set"),
        pytest.param([[1], 2], [[1, 2]], id="nesting"),
        pytest.param(1, True, id="truth"),
        pytest.param(0.0, -0.0, id="sign of zero"),
        pytest.param(
            pd.DataFrame({"y": [1.0]}), pd.DataFrame({"y": [1.0]}, index=[7]), id="index of a frame"
        ),
        pytest.param(torch.no_grad()(held(1)), torch.no_grad()(held(2)), id="decorated"),
        pytest.param(torch.compile(held(1)), torch.compile(held(2)), id="compiled"),
        pytest.param(
            DataLoader([1, 2], 1), DataLoader([1, 2], 2), id="batch size of a loader"
        ),
    ],
)  # fmt: skip
def test_values_that_differ_have_fingerprints_that_differ(one: Any, other: Any) -> None:
    assert fingerprint(held(one)) != fingerprint(held(other))
    assert fingerprint(held(one)) == fingerprint(held(one)), "twice the same"


class Abstract(abc.ABC):
    """Has what Python keeps of its subclasses."""

    @abc.abstractmethod
    def of(self) -> int: ...


class LongStream(IterableDataset[Any]):
    """Knows its length, and has no rows by number."""

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


class Endless(Dataset[Any]):
    """Has rows by number, and no length."""

    def __getitem__(self, k: int) -> int:
        return k


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            type("A", (), {"__doc__": "This."}), type("A", (), {"__doc__": "That."}), id="docstring"
        ),
        pytest.param(
            type("A", (), {"__module__": "a"}), type("A", (), {"__module__": "b"}), id="module"
        ),
        pytest.param(Abstract, Abstract, id="abstract class"),
        pytest.param(LongStream(), LongStream(), id="stream with a length"),
        pytest.param(Endless(), Endless(), id="dataset without a length"),
        pytest.param(
            said("f = lambda x: x.n", n=1), said("f = lambda x: x.n", n=2),
            id="global that is named like an attribute",
        ),
        pytest.param(
            said("f = lambda: n", __name__="torch.x", n=1),
            said("f = lambda: n", __name__="torch.x", n=2),
            id="global of a package",
        ),
        pytest.param(torch.compile(held(1)), torch.compile(held(1)), id="compiled twice"),
    ],
)  # fmt: skip
def test_what_does_not_decide_has_no_part_in_it(one: Any, other: Any) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        ([1, 2.5, "a", None, (True, ...)], "fc054eda3ebe4d37"),
        ({"k": {1, 2}, "l": b"bytes"}, "50db3ff90d827702"),
        (of_two(1), "debc425fe61e65ed"),
        ([np.arange(3), torch.arange(3.0)], "d60c500096499daf"),
        ([mse_loss, nn.MSELoss, abs, math], "a4568b0ff33af701"),
        ([type(iter([])), torch.compile(mse_loss)], "92769ede0da9514a"),
        (TensorDataset(torch.arange(3.0)), "ea8874bbebdb74b6"),
        (made(1), "353166b87b8139e7"),
    ],
    ids=["plain", "mapping", "again", "numbers", "by name", "by name inside", "dataset", "class"],
)
def test_a_readers_store_knows_its_runs_by_the_same_digits(value: Any, digits: str) -> None:
    """Other digits train every stored run again. Where they must change, `_RECIPE` tells."""
    assert fingerprint(value) == digits


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        (FixedWeightLoss, FixedWeightLoss),
        (FixedWeightLoss.convex, FixedWeightLoss.convex.__func__),
        (nn.Linear.forward, nn.Linear.forward),
        (mse_loss, mse_loss),
    ],
    ids=["of amnl", "of a class method", "of a method", "of a package"],
)
def test_installed_code_counts_by_its_name(
    value: Any, changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fingerprint(value)
    monkeypatch.setattr(changed, "more", 1, raising=False)
    assert fingerprint(value) == first


SITE = Path(sysconfig.get_paths()["purelib"])


@pytest.mark.parametrize(
    ("name", "places", "installed"),
    [
        ("amnl.sweep", None, True),
        ("torch.nn", None, True),
        ("json.decoder", None, True),
        ("sys", None, True),
        ("no_such_module", None, False),
        (None, None, False),
        ("__main__", SITE / "ipykernel_launcher.py", False),
        ("made.by.a.script", (), False),
        ("box.part", "/opt/site-packages/box/__init__.py", True),
        ("box.part", "/opt/dist-packages/box/__init__.py", True),
        ("box.part", Path(sysconfig.get_paths()["stdlib"]) / "box.py", True),
        ("box.part", "/a/reader/box/__init__.py", False),
        ("folder.part", [SITE / "folder"], True),
        ("folder.part", [SITE / "folder", "/a/reader/folder"], False),
    ],
)
def test_a_package_is_told_from_a_readers_file(
    name: str | None, places: Any, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if places is not None:
        module = types.ModuleType(str(name).partition(".")[0])
        if isinstance(places, list):
            module.__path__ = [str(place) for place in places]
        elif places:
            module.__file__ = str(places)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert _is_installed(name) is installed


@pytest.mark.parametrize(
    "wrap",
    [
        lambda data: data,
        lambda data: Subset(data, range(100, 200)),
        lambda data: DataLoader(data, 10),
        lambda data: {"inner": [data]},
    ],
    ids=["plain", "subset", "loader", "nested"],
)
def test_every_row_of_a_dataset_counts(wrap: Callable[[Any], Any], tmp_path: Path) -> None:
    path = tmp_path / "rows"

    def found(changed: int) -> str:
        path.write_bytes(bytes(101) + bytes([changed]) + bytes(98))
        return fingerprint(held(wrap(Rows(path))))

    assert found(0) == found(0)
    assert found(0) != found(1)


def test_a_decorator_of_ours_does_not_hide_behind_what_it_wraps() -> None:
    def twice(function: Any, times: float) -> Any:
        @functools.wraps(function)
        def wrapper(*given: Any) -> Any:
            return times * function(*given)

        return wrapper

    assert fingerprint(twice(mse_loss, 2.0)) != fingerprint(twice(mse_loss, 3.0))


@pytest.mark.parametrize("kind", ["generator", "TextIOWrapper", "KeyError"])
def test_what_cannot_be_looked_into_has_none(kind: str) -> None:
    class Keyed(Rows):
        def __getitem__(self, k: int) -> Tensor:
            return {"a": torch.ones(1)}[str(k)]

    with Path(os.devnull).open() as file, pytest.raises(UnreadError, match=kind):
        made: dict[str, Any] = {"generator": (k for k in [1]), "TextIOWrapper": file}
        made["KeyError"] = Keyed(Path())
        fingerprint(held(made[kind]))


def test_a_lock_is_in_nobodys_way() -> None:
    assert fingerprint(threading.Lock()) == fingerprint(threading.Lock())


# ---------------------------------------------------------------------- in files, across processes

MINE = """
import torch
from torch import nn
{imports}
WEIGHTS = torch.ones(3)
NAMES = {{"a", "b", "c"}}


class Scaled(nn.Module):
    gain = 2.0
    def forward(self, x):
        return self.gain * x


criterion = nn.Sequential(Scaled())
margin, seeds = 0.1, 5


def losses(model, batch):
    {inside}
    return criterion(model), {call}, NAMES, WEIGHTS
"""
KINDS = {
    "attribute of a module": ("import helpers", "pass", "helpers.loss(batch)"),
    "of a package": ("import box.helpers", "pass", "box.helpers.loss(batch)"),
    "of a folder": ("import folder.helpers", "pass", "folder.helpers.loss(batch)"),
    "under another name": ("import helpers as h", "pass", "h.loss(batch)"),
    "from": ("from helpers import loss", "pass", "loss(batch)"),
    "imported inside": ("", "import helpers", "helpers.loss(batch)"),
    "imported from inside": ("", "from box.helpers import loss", "loss(batch)"),
    "by way of another": ("import other", "pass", "other.helpers.loss(batch)"),
    "called by a helper": ("import other", "pass", "other.call(batch)"),
    "held by an object": ("import helpers", "pass", "helpers.LOSS.of(batch)"),
    "a module as a value": ("import helpers\nuse = {'m': helpers}", "pass", "use['m'].loss(1)"),
    "named like one of Python's": ("import profile", "pass", "profile.loss(batch)"),
    "submodule imported inside": ("", "from box import helpers", "helpers.loss(batch)"),
    "from beside, inside": ("import box.user", "pass", "box.user.first(batch)"),
    "a module beside, inside": ("import box.user", "pass", "box.user.second(batch)"),
}
USER = """
def first(batch):
    from .beside import loss
    return loss(batch)
def second(batch):
    from . import beside as near
    return near.loss(batch)
"""
HELPERS = """
class Loss:
    def of(self, batch):
        return batch + {number}
LOSS = Loss()
unused = {unused}
def loss(batch):
    return batch + {number}
"""
PRINT = (
    "import mine; from amnl.runs.fingerprint import fingerprint; print(fingerprint(mine.losses))"
)
RIVALS: dict[str, tuple[str, Callable[[Any, Any], str]]] = {
    "tokenize": ("dask.tokenize", lambda dask, f: dask.tokenize(f)),
    "joblib": ("joblib", lambda joblib, f: joblib.hash(f)),
    "cloudpickle": ("cloudpickle", lambda c, f: hashlib.sha256(c.dumps(f)).hexdigest()),
}


def written(folder: Path, kind: str, number: float = 1.0, unused: int = 0, **mine: str) -> None:
    """A reader's file, and what it imports."""
    imports, inside, call = KINDS[kind]
    text = MINE.format(imports=imports, inside=inside, call=call)
    for old, new in mine.items():
        assert old in text
        text = text.replace(old, new)
    helpers = HELPERS.format(number=number, unused=unused)
    files = {"mine": text, "helpers": helpers, "profile": helpers, "box/helpers": helpers}
    files |= {"folder/helpers": helpers, "box/__init__": "", "box/user": USER}
    files["box/beside"] = helpers
    files["other"] = "import helpers\ndef call(batch):\n    return helpers.loss(batch)\n"
    for name, content in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")


def printed(folder: Path, hash_seed: str = "1") -> str:
    """What a fresh process finds."""
    search = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-B", "-c", PRINT], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": search}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, of: Callable[[Any], str] = fingerprint
) -> str:
    """What this process finds when it imports the files anew."""
    ours = ("mine", "helpers", "other", "box", "folder", "profile")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(sys, "dont_write_bytecode", True)
        for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
            patch.delitem(sys.modules, name)
        import mine

        try:
            return of(mine.losses)
        finally:
            for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
                del sys.modules[name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_helper_is_followed_however_it_is_reached(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, kind)
    first = in_process(tmp_path, monkeypatch)
    written(tmp_path, kind, number=1.5)
    assert in_process(tmp_path, monkeypatch) != first
    written(tmp_path, kind)
    assert in_process(tmp_path, monkeypatch) == first
    (tmp_path / "elsewhere").mkdir()
    written(tmp_path / "elsewhere", kind)
    assert in_process(tmp_path / "elsewhere", monkeypatch) == first, "its folder is not its code"


def test_what_decides_nothing_changes_nothing(tmp_path: Path) -> None:
    kind = "attribute of a module"
    written(tmp_path, kind)
    first = printed(tmp_path)
    written(tmp_path, kind, unused=7, **{"margin, seeds = 0.1, 5": "margin, seeds = 0.2, 50"})
    assert printed(tmp_path, "2") == first, "settings, another process"
    written(tmp_path, kind, **{"class Scaled": "# above\n\n\nclass Scaled"})
    assert printed(tmp_path) == first, "a comment above a class"
    written(tmp_path, kind, **{"return criterion": "# inside\n    return criterion"})
    assert printed(tmp_path) == first, "a comment in a function"
    written(tmp_path, kind, **{"gain = 2.0": "gain = 2.5"})
    assert printed(tmp_path) != first, "the code of a submodule"


def test_a_classes_place_and_use_do_not_count() -> None:
    """Python 3.13 keeps the first line of a class in it, and 3.14 what was asked of it."""
    first = fingerprint(Noted)
    own = ("__firstlineno__", "__static_attributes__", "__annotations_cache__", "__slotnames__")
    for name in own:
        before = vars(Noted).get(name)
        try:
            setattr(Noted, name, (4, "another"))
            assert fingerprint(Noted) == first, name
        finally:
            delattr(Noted, name)
            if before is not None:
                setattr(Noted, name, before)


@pytest.mark.parametrize(
    ("library", "fails"), [("tokenize", "helper"), ("joblib", "helper"), ("cloudpickle", "comment")]
)
def test_what_libraries_do_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, fails: str
) -> None:
    """Once this fails, a library may do: see the module's docstring."""
    cloudpickle = pytest.importorskip("cloudpickle")
    kind, (module, digest) = "attribute of a module", RIVALS[library]
    rival = pytest.importorskip(module)

    def of(function: Any) -> str:
        import mine

        cloudpickle.register_pickle_by_value(mine)
        try:
            return digest(rival, function)
        finally:
            cloudpickle.unregister_pickle_by_value(mine)

    written(tmp_path, kind)
    first = in_process(tmp_path, monkeypatch, of)
    if fails == "helper":
        written(tmp_path, kind, number=1.5)
        assert in_process(tmp_path, monkeypatch, of) == first
    else:
        written(tmp_path, kind, **{"class Scaled": "# above\n\n\nclass Scaled"})
        assert in_process(tmp_path, monkeypatch, of) != first
    assert re.fullmatch("[0-9a-f]{32,64}", first)
