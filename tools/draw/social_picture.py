"""Draw the picture that goes with a link to the book, `book/_static/social.png`: claim.png, named.

Sites that show a preview want 1200 × 630 pixels and crop what has another shape.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"
WIDTH, HEIGHT = 1200, 630
BOX = (1120, 480)  # what the picture may take, below the words


def main() -> None:
    picture = Image.open(STATIC / "claim.png").convert("RGB")
    factor = min(BOX[0] / picture.width, BOX[1] / picture.height)
    width, height = round(picture.width * factor), round(picture.height * factor)
    sheet = plt.figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor="white")
    sheet.text(0.035, 0.94, "One weight, two losses", fontsize=32, weight="bold", va="top")
    sheet.text(0.035, 0.845, "Is λ = 0.5 best? An executable book.", fontsize=21, va="top")
    sheet.figimage(np.asarray(picture.resize((width, height))), (WIDTH - width) // 2, 20)
    sheet.savefig(STATIC / "social.png", dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
