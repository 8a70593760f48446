"""A figure on a page: inline SVG for a wide and a narrow column, in the colours of the theme."""

import colorsys
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from amnl.palette import STYLE

WIDE, NARROW = 7.0, 3.65  # inches of the page's column on a desk and on a phone

# Black is the reader's text, white the reader's paper, and each other colour a variable.
COLOUR = re.compile(r"(?<=: )#[0-9a-f]{6}\b")
DARK = ("html[data-theme=dark]", "html[theme=dark]", "[data-jp-theme-light=false]", ".vscode-dark")
PAPER = "var(--pst-color-background, var(--jp-layout-color0, var(--vscode-editor-background, {})))"
# A host that takes the styles away, such as JupyterLab before a page is run, shows the sentence.
HTML = """<div class="drawn" role="img" aria-label="figure">
<style>
.drawn {{ container-type: inline-size; }}
.drawn p, .drawn .wide {{ display: none; }}
.drawn .narrow {{ display: block !important; }}
@container (min-width: {pixels:.0f}px) {{
.drawn .wide {{ display: block !important; }}
.drawn .narrow {{ display: none !important; }}
}}
.drawn svg {{ display: block; margin: 0 auto; max-width: 100%; height: auto; }}
.drawn svg {{ fill: currentColor; overflow: visible; }}
.drawn {{ {light} }}
:is({hosts}) .drawn {{ {dark} }}
</style>
<p>Run this cell to see its figure.</p>
<div class="wide" hidden>{wide}</div>
<div class="narrow" hidden>{narrow}</div>
</div>"""


class Drawn:
    """A figure as HTML, which Jupyter, Colab and the book show alike."""

    def __init__(self, html: str) -> None:
        self.html = html

    def __repr__(self) -> str:
        return "<Figure>"

    def _repr_html_(self) -> str:
        return self.html


@contextmanager
def sheet(width: float) -> Iterator[None]:
    """Draw for a column of so many inches, with text that is legible in it.

    Examples
    --------
    >>> with sheet(NARROW):
    ...     plt.rcParams["font.size"]
    10.0
    """
    points = 11 if width == WIDE else 10
    sizes = {"figure.figsize": (width, 3.8), "font.size": points, "axes.titlesize": points}
    with plt.rc_context(STYLE | sizes):
        yield


def show(draw: Callable[[], Figure]) -> Drawn:
    """Draw a figure twice, for a column of `WIDE` and one of `NARROW` inches, text as text.

    Parameters
    ----------
    draw
        Draws the figure anew at each call. Its width is set here; `panels` stacks its panels, and
        `columns` its legends, where the column is narrow.

    Returns
    -------
    Drawn
        For the last line of a cell. The reader's column and theme choose what is seen.

    Examples
    --------
    >>> show(lambda: plt.subplots()[0])
    <Figure>
    """
    return Drawn(both_widths(*(_svg(draw, width) for width in (WIDE, NARROW))))


def both_widths(wide: str, narrow: str) -> str:
    """HTML with the two SVG texts of a drawing, their colours as variables of the theme.

    Examples
    --------
    >>> both_widths('<svg id="wide"/>', '<svg id="narrow"/>').count("<svg")
    2
    """
    wide, narrow = (svg.replace("#000000", "currentColor") for svg in (wide, narrow))
    light = {"ffffff": PAPER.format("#fff")}
    for colour in sorted(set(COLOUR.findall(wide + narrow)) - {"#ffffff"}):
        light[colour[1:]] = colour
    dark = {name: on_dark(colour) for name, colour in light.items() if name != "ffffff"}
    dark["ffffff"] = PAPER.format("#14181e")
    return HTML.format(
        pixels=96 * WIDE, hosts=", ".join(DARK), light=_variables(light), dark=_variables(dark),
        wide=COLOUR.sub(_ink, wide), narrow=COLOUR.sub(_ink, narrow),
    )  # fmt: skip


def on_dark(colour: str) -> str:
    """The same hue for a dark ground: what was dark is light, and what was pale is deep.

    Examples
    --------
    >>> on_dark("#000000")
    '#ffffff'
    """
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    flipped = colorsys.hls_to_rgb(hue, 1 - 0.85 * lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in flipped)


def _svg(draw: Callable[[], Figure], width: float) -> str:
    with sheet(width):
        figure = draw()
        figure.set_figwidth(width)
        # Names within a file come from its content and this salt, or a rerun would change them.
        with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"{width}"}):
            file = io.StringIO()
            figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        plt.close(figure)
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    # Only what something refers to keeps its name: a page has many figures, and one of each name.
    text = re.sub(r'<(g|svg) id="[^"]*"', r"<\1", text)
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    text = re.sub(r"\*\{(stroke-linejoin[^}]*)\}", r".drawn svg *{\1}", text)
    return re.sub(r"\s*\n\s*", " ", text).strip()


def _ink(colour: re.Match[str]) -> str:
    return f"var(--{colour[0][1:]})"


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())
