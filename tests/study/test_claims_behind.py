"""The numbers behind a verdict are those of its sentence, and its rule is the protocol's."""

import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import pages
import pytest
from real_ledger import whole

from amnl.study.claims import RULES, Evidence
from amnl.study.claims.behind import CYCLES2, UNIT125, Mark
from amnl.study.claims.ruling import signed, span
from amnl.study.tables import rounding_band


def by_unit(found: Evidence) -> list[list[Mark]]:
    return [[m for m in found.marks if m.group == unit] for unit in (CYCLES2, UNIT125)]


def two_units(*told: str) -> str:
    return f"cycles²: {told[0]}. Divided by 125: {told[1]}"


def judged(marks: list[Mark]) -> str:
    return ", ".join(f"{m.name} {signed(m.value)} {m.finding}" for m in marks)


def subsets_told(found: Evidence) -> str:
    return two_units(*map(judged, by_unit(found)))


def lowest(found: Evidence, unit: str = "") -> str:
    places = [
        f"{curve.x[int(np.argmin(curve.y))]:g} on {curve.name}"
        for curve in found.curves
        if curve.group == unit
    ]
    return f"lowest at {', '.join(places)}"


def costs(found: Evidence) -> str:
    return two_units(
        *(
            ", ".join(f"{m.name} costs {signed(m.value)} {span((m.low, m.high))}" for m in marks)
            for marks in by_unit(found)
        )
    )


def eight(found: Evidence) -> str:
    return two_units(
        *(
            f"{sum(m.finding == 'worse' for m in marks)} of 8 significantly worse, "
            f"mean differences {signed(min(m.value for m in marks))} "
            f"to {signed(max(m.value for m in marks))}"
            for marks in by_unit(found)
        )
    )


def rivals(found: Evidence) -> list[str]:
    told = []
    for marks in by_unit(found):
        parts = []
        for rival in dict.fromkeys(m.name.split(" on ")[0] for m in marks):
            mine = [m for m in marks if m.name.startswith(f"{rival} on ")]
            counts = Counter(m.finding for m in mine).most_common()
            findings = ", ".join(f"{n} {what}" for what, n in counts)
            parts.append(f"{rival} {signed(float(np.mean([m.value for m in mine])))} ({findings})")
        told.append(", ".join(parts))
    return told


def regrets(found: Evidence) -> str:
    told = []
    for marks in by_unit(found):
        long, short = (
            ", ".join(
                f"{m.name.split(',')[0]} {signed(m.value)}" for m in marks if epochs in m.name
            )
            for epochs in ("all epochs", "epochs 1 to 15")
        )
        told.append(f"with all epochs {long}; with epochs 1 to 15 {short}")
    return two_units(*told)


def twice(found: Evidence) -> str:
    against, half = found.marks[:4], found.marks[4:]
    assert {m.group for m in against} == {"against unweighted samples"}
    return f"against unweighted samples: {judged([*against])}; against λ = 0.5: {judged([*half])}"


def ratios(found: Evidence) -> str:
    return ", ".join(f"{m.name} {m.value:.2f} {span((m.low, m.high))}" for m in found.marks)


def over_units(found: Evidence) -> str:
    ranges = (f"{min(c.y):.2f} to {max(c.y):.2f} cycles on {c.name}" for c in found.curves)
    return (
        f"over {len(found.curves[0].x)} RUL units at λ = 0.5 mean test RMSE is {', '.join(ranges)}"
    )


def totals(found: Evidence) -> str:
    (mark,) = found.marks
    inside = mark.low >= 0 and mark.high <= 1
    return f"{0 if inside else 'some'} of 100,000 random totals lie outside"


def slopes(found: Evidence) -> str:
    autograd, claim = found.curves
    agree = sum(a == b for a, b in zip(autograd.y, claim.y, strict=True))
    return f"autograd agrees with both formulas at {agree} of 10 weights"


def balance(found: Evidence) -> str:
    total, length = found.curves
    assert len(set(length.y)) == 1
    added = total.x[-1] - total.x[0]
    return (
        f"adding {added:.0f} to the health loss lifts the total from "
        f"{total.y[0]:.3f} to {total.y[-1]:.3f}"
    )


def swaps(found: Evidence) -> str:
    assert [m.value for m in found.marks] == [float(m.finding == "runs") for m in found.marks]
    return ", ".join(f"{m.name} {m.finding}" for m in found.marks)


SENTENCES: dict[int, Callable[[Evidence], str | list[str]]] = {
    1: totals,
    2: slopes,
    3: lambda found: [f"mean curves {lowest(found, unit)}; λ = 1" for unit in (CYCLES2, UNIT125)],
    4: costs,
    5: eight,
    6: lowest,
    7: over_units,
    8: lambda found: f"costs {found.marks[0].value:.3f}; log 3 is {(found.claimed or ())[1]:.4f}",
    9: balance,
    10: subsets_told,
    11: subsets_told,
    12: rivals,
    13: regrets,
    14: subsets_told,
    15: twice,
    16: swaps,
    17: ratios,
}


@pytest.mark.parametrize("number", SENTENCES)
def test_a_verdict_is_told_again_from_the_numbers_behind_it(number: int) -> None:
    (verdict,) = (v for v in whole().verdicts if v.number == number)
    told = SENTENCES[number](whole().evidence[number])
    for sentence in [told] if isinstance(told, str) else told:
        assert sentence in verdict.measured


def test_every_claim_has_its_numbers() -> None:
    assert list(whole().evidence) == list(range(1, 18))
    for found in whole().evidence.values():
        assert bool(found.marks) != bool(found.curves)


def test_rounding_is_that_of_the_two_copies() -> None:
    bands = rounding_band(whole().copies)
    seen = set()
    for number, found in whole().evidence.items():
        for mark in found.marks if found.kind == "differences" and number != 4 else ():
            (subset,) = re.findall("FD00[1-4]", mark.name)
            seen.add(subset)
            assert mark.rounding == pytest.approx(bands[subset], abs=1e-6)
    assert seen == set(bands.index)
    # The mean over four subsets is less moved than any of them, unless they move together.
    pooled = {mark.rounding for mark in whole().evidence[4].marks}
    assert len(pooled) == 1 and 0 < max(pooled) < bands.max()


def test_a_rule_is_the_protocols() -> None:
    text = (pages.ROOT / "book" / "protocol.md").read_text(encoding="utf-8")
    plain = re.sub(r"[*`$]|\\lambda", lambda found: "λ" if found[0] == r"\lambda" else "", text)
    table = plain.partition("| claim | rule |\n")[2].partition("\n\n")[0]
    found = {}
    for head, rule in re.findall(r"^\| (\d.*?) \| (.*) \|$", table, re.M):
        for number in re.findall(r"(?:^|, )(\d+) ", head):
            found[int(number)] = rule
    assert sorted(found) == sorted(RULES) == list(range(1, 18))
    for number, rule in found.items():
        if rule.startswith("the rule above, "):
            compared = rule.removeprefix("the rule above, ")
            assert RULES[number].startswith(f"{compared}. Holds if")
        elif number == 12:
            joined = " ".join(plain.replace("*", "").split())
            for sentence in re.split(r"(?<=\.) |; ", RULES[12]):
                assert sentence.removesuffix(".").removeprefix("The claim ") in joined
        else:
            assert RULES[number] == rule.replace(
                "the rule above says so", "the rule of claim 10 says so"
            )
    above = " ".join(plain.split())
    for part in (
        "holds: X is significantly worse on all four",
        "it is on none, and on at least one it is significantly better or equivalent",
    ):
        assert part in above
    for number in (10, 11, 14):
        assert (
            "is on none, and on at least one it is significantly better or equivalent"
            in RULES[number]
        )
