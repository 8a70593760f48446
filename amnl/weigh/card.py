"""What weighing found, drawn: text for a terminal, a card for a notebook, a figure for both."""

import html
import math
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from amnl.minus import minus_signs
from amnl.palette import MUTED, PALETTE, RUL_COLOUR, STYLE
from amnl.stats import ALPHA
from amnl.weigh.arms import BALANCED
from amnl.weigh.duration import duration
from amnl.weigh.layout import aligned, elements
from amnl.weigh.weighing import LIMITS, Weighed

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def facts(found: Weighed) -> Iterator[tuple[str, str]]:
    """Everything but the table, as a word and a line."""
    if found.pulls is not None:
        when = f"at step {found.pulls.step}" if found.pulls.step else "before training"
        yield "pulls", f"{when}, {found.pulls}"
    way = "larger" if found.higher_is_better else "smaller"
    fresh = "" if found.untrained is None else f"; {found.untrained:.4g} on a fresh model"
    seeds = found.choice.seeds
    yield "metric", f"{way} is better{fresh}. {seeds} seed{'s' * (seeds > 1)}{found.how}"
    more = found.choice.more_seeds
    cost = ""
    if more:
        left = duration(more / seeds * found.minutes)
        cost = f" (seeds={seeds + more}: {left} more on one core)"
    yield "verdict", f"{found.sentence()}{cost}"
    for answer in found.answers:
        yield "loss", str(answer)


def legend(found: Weighed) -> str:
    """How to read the table."""
    unit = (
        "share: the primary loss's part of all pull. The first step of each weighting is as long "
        "as with your weights"
        if found.pulls is not None
        else "share: the primary loss's part of all weight, in the units of your losses"
    )
    ref = found.choice.reference
    return (
        f"{unit}. The difference is to {ref}, with its 95 % interval; p is Holm's, for all "
        f"together. Better and worse: p below {ALPHA:g}; same: within ±{found.choice.margin:g}; "
        "not better: not by that; open: none of these. A loss is judged by leaving it out of "
        f"{BALANCED}"
    )


def cells(found: Weighed) -> list[list[str]]:
    """A header and a row a weighting, as text."""
    rows = [["weighting", *found.names, "share", "metric", "difference", "95 %", "p", "finding"]]
    for row in found.table().itertuples(index=False):
        name, *weights, share, metric, difference, half, p, finding = row
        known = [minus_signs(f"{difference:+.3g}"), f"± {half:.2g}", f"{p:.2g}"]
        shown = [""] * 3 if math.isnan(p) else known
        score = "" if math.isnan(metric) else f"{metric:.4g}"
        rows.append([name, *(f"{w:.3g}" for w in weights), f"{share:.2g}", score, *shown, finding])
    return rows


def as_text(found: Weighed) -> str:
    """Plain text of 100 columns."""
    below = [("legend", legend(found)), *(("note", n) for n in found.notes), ("limits", LIMITS)]
    opening, closing = (
        "\n".join(textwrap.fill(f"{k:9s}{v}", 100, subsequent_indent=" " * 9) for k, v in part)
        for part in (facts(found), below)
    )
    return f"{opening}\n\n{aligned(cells(found))}\n\n{closing}"


def as_html(found: Weighed) -> str:
    """A card: verdict, picture, pulls, table, and what it cannot see."""
    head, *body = ([html.escape(cell) for cell in row] for row in cells(found))
    said = {"verdict": "strong"}
    lines = [
        f"<{said.get(k, 'span')}>{html.escape(v)}</{said.get(k, 'span')}>"
        for k, v in sorted(facts(found), key=lambda fact: fact[0] != "verdict")
    ]
    from amnl.drawing import show  # draws for the light and the dark, wide and narrow

    spoken = html.escape(f"Difference of the metric from {found.choice.reference}, by weighting")
    picture = show(lambda: rows_figure(found)).html
    picture = picture.replace('aria-label="figure"', f'aria-label="{spoken}"', 1)
    cost = f"{len(found.trials)} trainings, {duration(found.minutes)} of one core"
    below = map(html.escape, (legend(found), cost, *found.notes, LIMITS))
    # So little at the sides that the wide figure fits the column of the book.
    return (
        "<div class='weigh-card' "
        "style='border:1px solid #8888;border-radius:6px;padding:0.5em 0.4em'>"
        + elements("p", lines[:1])
        + picture
        + elements("p", lines[1:])
        + "<div class='table-box' tabindex='0' style='overflow-x:auto'>"
        + f"<table class='dataframe'><thead>{elements('tr', [elements('th', head)])}</thead>"
        + f"<tbody>{elements('tr', (elements('td', row) for row in body))}</tbody></table></div>"
        + f"<ul>{elements('li', below)}</ul></div>"
    )


def rows_figure(found: Weighed) -> "Figure":
    """The metric less that of the reference, a row a weighting, with 95 % intervals and margin."""
    import matplotlib.pyplot as plt

    choice = found.choice
    kept = [arm.name for arm in found.arms if not math.isnan(found.mean(arm.name))]
    half = {c.name: c.half for c in choice.comparisons}
    base, better = found.mean(choice.reference), "right" if found.higher_is_better else "left"
    with plt.rc_context(STYLE):
        fig, ax = plt.subplots(figsize=(6.4, 1.2 + 0.32 * len(found.arms)), layout="constrained")
        ax.axvspan(
            -choice.margin, choice.margin, color=PALETTE["FD003"], alpha=0.15, linewidth=0,
            label="margin",
        )  # fmt: skip
        ax.axvline(0, color=MUTED, linewidth=1)
        for arm in found.arms:
            if arm.name not in kept:
                ax.annotate("failed", (0, arm.name), color=MUTED, fontsize=10)
                continue
            taken = arm.name == choice.recommended
            ax.errorbar(
                found.mean(arm.name) - base, arm.name, xerr=half.get(arm.name, 0.0),
                fmt="D" if taken else "o", color=RUL_COLOUR if taken else MUTED, capsize=3,
            )  # fmt: skip
        ax.set_yticks([arm.name for arm in found.arms])
        ax.invert_yaxis()
        ax.set_xlabel(f"metric − metric at {choice.reference}\n({better} of 0: better; ◆: take it)")
    return fig
