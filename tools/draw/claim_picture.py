"""Draw the front page's picture, the claim and the finding, in `book/_static/`: `claim.html` for
the page, in two widths and both themes, and `claim.png` for the README.
"""

from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from amnl.study import figures
from amnl.study.figures.style import WIDE, sheet
from amnl.study.rows import load_rows

STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"
LABEL = (
    "Test error against the weight λ in three panels. In the source's table the curve of each "
    "subset has a sharp minimum at 0.5. In our runs with the error in cycles all four curves are "
    "flat. In units of 125 cycles they fall towards λ = 1, and 0.5 is no minimum."
)


def draw() -> Figure:
    source = load_rows("source_ablation")
    return figures.claim_and_finding(
        source[source["variant"].isna()],  # the row at 0.75 repeats the one at 0.70
        {
            "ours, in cycles": load_rows("sweep-compact-cycles2"),
            "ours, units of 125 cycles": load_rows("sweep-compact-unit125"),
        },
    )


def fragment() -> str:
    """HTML for the page. `claim` tells it from the figures that a page's cells draw."""
    html = figures.show(draw).html
    html = html.replace("<p>Run this cell to see its figure.</p>\n", "")
    return html.replace(
        'class="drawn" role="img" aria-label="figure"',
        f'class="drawn claim" role="img" aria-label="{escape(LABEL)}"',
    )


def main() -> None:
    (STATIC / "claim.html").write_text(fragment() + "\n", encoding="utf-8")
    with sheet(WIDE):
        figure = draw()
        figure.savefig(
            STATIC / "claim.png", dpi=200, facecolor="white", metadata={"Software": None}
        )


if __name__ == "__main__":
    main()
