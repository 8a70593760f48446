"""The families are those that the page registers."""

import dataclasses
import re

import pages

from amnl.study import protocol
from amnl.study.protocol import FAMILIES, family
from amnl.training import TrainConfig, model


def test_families_are_those_of_the_protocol() -> None:
    page = (pages.ROOT / "book" / "protocol.md").read_text(encoding="utf-8")
    registered: dict[str, int] = {}
    for name, count in re.findall(r"^\| ([a-z]) \|.*\| (\d+) \|$", page, re.MULTILINE):
        registered[name] = registered.get(name, 0) + int(count)  # a family may have two rows
    cells = {name: family(name) for name in FAMILIES}
    assert registered.pop("s") == 300  # its learning rates come from the rows of r
    assert {name: len(found) for name, found in cells.items()} == registered
    thinned = {"1": 4, "2": 8, "3": 4, "4": 8}
    for name, found in cells.items():
        assert len({str(c) for c in found}) == len(found), "a cell twice"
        assert [c.seed for c in found] == sorted(c.seed for c in found), "seeds are outermost"
        assert all(c.stride == (1 if name in "ghu" else thinned[c.subset[-1]]) for c in found)
    assert sum(c in cells["a"] or c in cells["b"] for c in cells["c"]) == 20


def test_what_a_family_varies_and_what_it_leaves_alone() -> None:
    varied = {"subset", "seed", "stride", "combiner_settings"}
    own = {"a": set(), "b": {"rul_unit"}, "c": {"rul_unit"}, "d": {"sample_weighted"}}
    own |= {"e": {"combiner", "sample_weighted"}, "f": {"combiner", "rul_unit"}}
    own |= {"g": {"preset"}, "h": {"preset", "rul_unit"}}
    own |= {"i": {"preset"}, "j": {"preset", "rul_unit"}, "k": {"rul_unit"}, "l": {"rul_unit"}}
    own |= {"m": set(), "n": {"rul_unit"}, "o": {"nudge"}, "p": {"auxiliary"}}
    own |= {"q": {"preset", "rul_unit"}, "r": {"rul_unit", "optimiser", "clip", "lr"}}
    own |= {"t": {"rul_unit", "engines"}, "u": set(), "v": {"rul_unit", "combiner"}}
    for name in FAMILIES:
        for c in family(name):
            moved = {
                f.name
                for f in dataclasses.fields(c)
                if getattr(c, f.name) != vars(TrainConfig())[f.name]
            }
            assert moved <= varied | own[name], c
    for name, unit in (("b", 125.0), ("h", 125.0), ("j", 125.0), ("k", 15.0), ("l", 35.0)):
        assert {c.rul_unit for c in family(name)} == {unit}
    assert not any(c.sample_weighted for c in family("d"))
    assert {c.preset for c in family("a", "paper")} == {"paper"}


def test_the_ladder_has_every_size_there_is() -> None:
    assert tuple(protocol.LADDER) == tuple(model.LADDER)
