"""The colours and the style of every figure. It needs no plotting library."""

from typing import Any

# Okabe and Ito's colours, told apart with any colour vision; the marker says it once more. The
# λ explorer draws with both (`amnl/study/explorables/scripts`); a test compares them.
PALETTE = {
    "FD001": "#0072B2",
    "FD002": "#D55E00",
    "FD003": "#009E73",
    "FD004": "#AA4499",
    "mean": "#333333",
}
MARKERS = {"FD001": "o", "FD002": "s", "FD003": "^", "FD004": "D", "mean": "P"}
RUL_COLOUR, HEALTH_COLOUR, TOTAL_COLOUR = "#4B3F9E", "#B26B00", "#111111"
MUTED = "#8A8A8A"
# Defaults of matplotlib.
STYLE: dict[Any, Any] = {  # matplotlib's stubs want each key as a literal
    "figure.figsize": (6.4, 3.8),
    "figure.dpi": 150,
    "figure.constrained_layout.use": True,
    "font.size": 11.5,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "lines.linewidth": 1.8,
    "legend.frameon": False,
}
