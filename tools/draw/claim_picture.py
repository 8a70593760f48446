"""Draw the front page's picture, the claim and the finding: `claim.png`, and `claim-narrow.png` for
phones, in `book/_static/`.
"""

from pathlib import Path

from amnl.study import figures
from amnl.study.rows import load_rows

STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"


def main() -> None:
    source = load_rows("source_ablation")
    figures.style()
    for name, stacked in (("claim.png", False), ("claim-narrow.png", True)):
        figure = figures.claim_and_finding(
            source[source["variant"].isna()],  # the row at 0.75 repeats the one at 0.70
            {
                "ours, RUL error in cycles": load_rows("sweep-compact-cycles2"),
                "ours, in units of 125 cycles": load_rows("sweep-compact-unit125"),
            },
            stacked=stacked,
        )
        figure.savefig(STATIC / name, metadata={"Software": None})


if __name__ == "__main__":
    main()
