"""The three files of a result. Matplotlib is loaded when they are written."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from amnl.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png(figure: "Figure") -> bytes:
    """The figure as a PNG; it is closed."""
    import matplotlib.pyplot as plt

    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    plt.close(figure)
    return drawn.getvalue()


def save_all(folder: str | Path, result: str, runs: str, figure: "Figure") -> None:
    """Write result.json, runs.csv and figure.png into a folder, each whole or not at all."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    write_atomically(place / "result.json", f"{result}\n".encode())
    write_atomically(place / "runs.csv", runs.encode())
    write_atomically(place / "figure.png", png(figure))
