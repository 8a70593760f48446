"""The ledger to play with: a table of claims, complete without its script, which filters it."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from amnl.stats import MARGIN
from amnl.study.claims import (
    CONDITION,
    FAILS,
    HOLDS,
    OPEN,
    RULES,
    Evidence,
    Families,
    Ruling,
    Verdict,
    tables_of,
)
from amnl.study.explorables.explorable import Explorable
from amnl.study.explorables.sparkline import SCALE, at, sparkline
from amnl.study.html_table import show_table

# What a verdict is called in addresses and classes, and how many claims with it are counted.
KEYS = {HOLDS: "holds", CONDITION: "condition", FAILS: "fails", OPEN: "open"}
COUNTED = {HOLDS: "hold", CONDITION: "hold in part", FAILS: "do not hold", OPEN: "are open"}
RING = '<circle class="empty" cx="7" cy="7" r="5.2"'
GLYPHS = {
    HOLDS: '<circle cx="7" cy="7" r="6"/>',
    CONDITION: f'{RING}/><path d="M7 1.8a5.2 5.2 0 0 0 0 10.4z"/>',
    FAILS: f"{RING}/>",
    OPEN: f'{RING} stroke-dasharray="2 2"/>',
}
NONE = '<span class="none">–</span>'
WIDTHS = ("auto", "17%", "152px", "15%", "15%")
PROTOCOL = "../book/protocol.md#verdicts"


def claims_ledger(
    verdicts: Sequence[Verdict],
    evidence: Mapping[int, Evidence],
    families: Families,
    balanced: Mapping[int, Mapping[int, Ruling]],
    large: Mapping[int, Ruling | None],
) -> Explorable:
    """The ledger, for the last line of a cell.

    Parameters
    ----------
    verdicts, evidence
        What `ledger` and `evidence` say.
    families
        What they were told.
    balanced
        Claim → unit (cycles) → what its rule says of a sweep in that unit; empty where it is not
        about a sweep.
    large
        Claim → what its rule says at the source's size, or None.
    """
    order = list(KEYS)
    verdicts = sorted(verdicts, key=lambda v: (order.index(v.verdict), v.number))
    claims = [
        entry(v, evidence[v.number], families, balanced.get(v.number, {}), large.get(v.number))
        for v in verdicts
    ]
    html = [
        tally(claims),
        key(),
        '<table class="claims">',
        head(len(claims)),
        *map(row, claims),
        "</table>",
    ]
    for claim in claims:
        del claim["drawing"]
    numbers = {"margin": MARGIN, "scale": SCALE, "claims": claims}
    return Explorable("claims-ledger", "The ledger of claims", numbers, "\n".join(html))


def entry(
    verdict: Verdict,
    evidence: Evidence,
    families: Families,
    balanced: Mapping[int, Ruling],
    large: Ruling | None,
) -> dict[str, Any]:
    """One claim as JSON, and its drawing."""
    return {
        "number": verdict.number,
        "claim": verdict.claim,
        "verdict": verdict.verdict,
        "condition": verdict.condition,
        "key": KEYS[verdict.verdict],
        "chapter": int(verdict.evidence.partition("-")[0]),
        "source": verdict.source,
        "measured": verdict.measured,
        "rule": RULES[verdict.number],
        "rows": [
            {
                "table": f"sweep-compact-{name.replace('_', '-')}",
                "networks": len(getattr(families, name)),
            }
            for name in tables_of(verdict.number)
        ],
        "evidence": verdict.evidence,
        "picture": {
            "kind": evidence.kind,
            "what": evidence.what,
            "along": evidence.along,
            "lowest": evidence.lowest,
            "claimed": evidence.claimed and list(evidence.claimed),
            "marks": [mark._asdict() for mark in evidence.marks],
            "curves": [
                {**curve._asdict(), "x": list(curve.x), "y": list(curve.y)}
                for curve in evidence.curves
            ],
        },
        "balanced": {str(unit): ruling._asdict() for unit, ruling in balanced.items()},
        "large": large and large._asdict(),
        "drawing": sparkline(evidence),
    }


def said(ruling: Mapping[str, Any]) -> str:
    """A verdict with its condition."""
    condition = ruling["condition"]
    return f"holds only {condition}" if condition else str(ruling["verdict"])


def glyph(verdict: str) -> str:
    return f'<svg class="glyph" viewBox="0 0 14 14" aria-hidden="true">{GLYPHS[verdict]}</svg>'


def badge(ruling: Mapping[str, Any], before: str = "") -> str:
    text = f'<span class="badge {KEYS[ruling["verdict"]]}">{glyph(ruling["verdict"])}'
    return f"{text}<span>{escape(before + said(ruling))}</span></span>"


def tally(claims: Sequence[Mapping[str, Any]]) -> str:
    """Every claim as a small square with a link, verdict by verdict."""
    parts = []
    for verdict, kind in KEYS.items():
        numbers = [claim["number"] for claim in claims if claim["verdict"] == verdict]
        if not numbers:
            continue
        links = "".join(
            f'<a class="{kind}" href="#claim-{n}" aria-label="claim {n}">{n}</a>' for n in numbers
        )
        counted = (
            f'<span class="badge {kind}" data-key="{kind}">{glyph(verdict)}'
            f"<span><b>{len(numbers)}</b> {COUNTED[verdict]}</span></span>"
        )
        parts.append(f"<div>{counted}<p>{links}</p></div>")
    return f'<div class="tally">{"".join(parts)}</div>'


def key() -> str:
    """What the marks of the pictures mean."""
    swatch = (
        '<svg class="spark" viewBox="0 0 24 14" width="24" height="14" aria-hidden="true">{}</svg>'
    )
    dot = '<g class="mark group-0{}"><line class="span" x1="2" x2="22" y1="7" y2="7"/>'
    dot += '<circle class="dot" cx="12" cy="7" r="3"/></g>'
    diamond = '<g class="mark group-1{}"><line class="span" x1="2" x2="22" y1="7" y2="7"/>'
    diamond += '<path class="dot" d="M8 7L12 3L16 7L12 11Z"/></g>'
    box = '<rect class="{}" x="0" y="{}" width="24" height="{}"/>'
    entries = {
        dot.format(""): "RUL loss in cycles²",
        diamond.format(""): "in units of 125",
        dot.format(" found"): "filled: more than luck",
        box.format("margin", 0, 14): "within half a cycle",
        box.format("rounding", 0, 14): "what rounding alone can do",
        box.format("claimed", 9, 5): "where the claim would have it",
        '<circle class="ring group-0" cx="12" cy="7" r="4"/>': "lowest point",
    }
    items = "".join(f"<li>{swatch.format(s)}{text}</li>" for s, text in entries.items())
    return f'<ul class="key">{items}</ul>'


def head(count: int) -> str:
    ticks = "".join(
        f'<text x="{at(x) - shift:g}" y="12">{text}</text>'
        for x, text, shift in ((-1, "−1", 9), (0, "0", 4), (1, "+1", 9))
    )
    columns = "".join(f'<col style="width: {width}">' for width in WIDTHS)
    axis = f'<svg class="axis" viewBox="0 0 140 15" width="140" height="15">{ticks}</svg>'
    return (
        f'<caption><span class="count">{count}</span> claims of the source, judged</caption>\n'
        f"<colgroup>{columns}</colgroup>\n"
        '<thead><tr><th scope="col">claim</th><th scope="col">verdict</th>'
        f'<th scope="col">evidence<span class="what">differences in cycles</span>{axis}</th>'
        '<th scope="col">in balanced units</th>'
        '<th scope="col">at the source’s size</th></tr></thead>'
    )


def row(claim: Mapping[str, Any]) -> str:
    """A claim: a row of the table and, below it, what is behind its verdict."""
    n = claim["number"]
    rulings = claim["balanced"]
    words = {unit: said(ruling) for unit, ruling in rulings.items()}
    if len(set(words.values())) == 1:
        balanced = badge(next(iter(rulings.values())))
    else:
        balanced = "".join(badge(ruling, f"{unit}: ") for unit, ruling in rulings.items())
    large = badge(claim["large"]) if claim["large"] else ""
    return (
        f'<tbody id="claim-{n}" class="claim">\n<tr>'
        f'<th scope="row"><a href="#claim-{n}" aria-label="claim {n}, a link to it">{n}</a> '
        f"<span>{escape(claim['claim'])}</span></th>"
        f"<td>{badge(claim)}</td><td>{claim['drawing']}{shown_by(claim['picture'])}</td>"
        f'<td data-label="in balanced units">{balanced or NONE}</td>'
        f'<td data-label="at the source’s size">{large or NONE}</td></tr>\n'
        f'<tr class="behind"><td colspan="5"><details><summary>Rule, numbers and rows'
        f'<span class="spoken"> of claim {n}</span></summary>{behind(claim)}</details></td></tr>\n'
        "</tbody>"
    )


def shown_by(picture: Mapping[str, Any]) -> str:
    """What a picture shows, and in which unit: only differences are on the scale of the head."""
    said = picture["what"]
    if picture["kind"] == "numbers":
        low, high = picture["claimed"]
        values = " and ".join(f"{mark['value']:.2f}" for mark in picture["marks"])
        said += f": {values}; the claim: {low:.2f} to {high:.2f}"
    elif picture["along"]:
        said += f", over {picture['along']}"
    # The picture's title has said it to a screen reader.
    return f'<span class="what" aria-hidden="true">{escape(said)}</span>'


def behind(claim: Mapping[str, Any]) -> str:
    """What a claim was judged by, and where its numbers are from."""
    texts = {
        f'<a href="{PROTOCOL}">The rule</a>': claim["rule"],
        "The source": claim["source"],
        "Measured": claim["measured"],
    }
    for unit, ruling in claim["balanced"].items():
        texts[f"In units of {unit} cycles"] = f"{said(ruling)}: {ruling['measured']}"
    if claim["large"]:
        texts["At the source’s size"] = f"{said(claim['large'])}: {claim['large']['measured']}"
    parts = [f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in texts.items()]
    names = [row["table"] for row in claim["rows"]]
    if names:
        count = sum(row["networks"] for row in claim["rows"])
        call = f"claims.claim_{claim['number']}(*map(load_rows, {names}))"
        parts.append(
            f"<dt>The rows</dt><dd>{count:,} networks, in {', '.join(names)}. "
            f"The verdict again: <code>{escape(call)}</code></dd>"
        )
    chapter = f'<a href="{escape(claim["evidence"])}">chapter {claim["chapter"]}</a>'
    parts.append(f"<dt>The evidence</dt><dd>is worked out in {chapter}.</dd>")
    return f"<dl>{''.join(parts)}</dl>{numbers(claim['picture'])}"


def numbers(picture: Mapping[str, Any]) -> str:
    """The numbers of a picture as a table."""
    if picture["curves"]:
        names = [" ".join(filter(None, (c["name"], c["group"]))) for c in picture["curves"]]
        columns = {picture["along"]: picture["curves"][0]["x"]}
        columns |= {name: c["y"] for name, c in zip(names, picture["curves"], strict=True)}
        table = show_table(columns, {picture["along"]: ".3g"} | dict.fromkeys(names, ".3f"))
    else:
        frame = pd.DataFrame(picture["marks"]).rename(columns={"group": "", "name": "what"})
        frame = frame.rename(columns={"rounding": "± rounding"})
        frame = frame.loc[:, [column for column in frame if set(frame[column]) - {"", None}]]
        table = show_table(frame.dropna(axis="columns", how="all"), ".3f")
    return f"<p><b>{escape(picture['what'])}</b></p>{table._repr_html_()}"
