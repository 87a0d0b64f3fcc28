"""The style of all pictures of a report, and charts of pairs found: tables in, matplotlib figures out.

Colours are Okabe and Ito's, told apart by readers with any colour vision, and never the only sign: methods
also differ in line style and marker. Figures are narrow and their letters large, for telephones. Beyond seven
methods come five darker or lighter colours that keep the same distances under protanopia and deuteranopia.
"""

import functools
import io
import textwrap
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import font_manager, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from kith.evaluation import catalogue
from kith.evaluation.results import FIRST
from kith.metrics.ties import recall_curve

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
COLOURS += ["#882255", "#DDCC77", "#332288", "#666633", "#661100"]
LINES, MARKERS = ["-", "--", "-.", ":"], "osD^vPX<*>ph"
OTHER = "#B5B5B5"
NUMBER: dict[str, Any] = {"textcoords": "offset points", "fontsize": 9}
DIRECTIONS = {direction: catalogue.GROUPS[direction].title for direction in catalogue.DIRECTIONS}
WIDTH, DPI = 5, 168  # inches, pixels an inch
CHART = 10_000  # colours that a chart has at most, from the smoothing of lines; photographs have more
COUNTED = (1 << 32) // 255  # pixels whose sums of white Pillow can hold; of more it makes black
SEAM = "\ue000"  # where a name may be broken; a character of no script
LETTERS, LINE = 42, 0.23  # of a legend: letters in a line of two names, inches
# The first two come with matplotlib; the others serve scripts which these lack, where they are installed.
FONTS = ["DejaVu Sans", "STIXGeneral", "Noto Sans CJK JP", "Noto Sans Devanagari", "Noto Sans Thai"]
STYLE = {
    "font.family": [name for name in FONTS if name in font_manager.get_font_names()],
    "font.size": 11,
    "text.parse_math": False,  # captions hold dollar signs
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.constrained_layout.h_pad": 0.06,
    "grid.color": "#E5E5E5",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw in the house style, whatever the user's matplotlibrc says."""

    @functools.wraps(draw)
    def wrapper(*args: Any, **options: Any) -> Figure:
        with style.context(STYLE, after_reset=True):
            return draw(*args, **options)

    return wrapper


def png(figure: Figure) -> bytes:
    """The figure as PNG: the same figure, the same bytes. Letters that no font has become boxes.

    A chart keeps 256 colours, which makes it three times smaller; what has as many as photographs keeps them all.
    """
    pixels, written = io.BytesIO(), io.BytesIO()
    with style.context(STYLE, after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(pixels, format="raw", dpi=DPI)
    width, height = (int(inches * DPI) for inches in figure.get_size_inches())
    drawn = Image.frombuffer("RGBA", (width, height), pixels.getvalue(), "raw", "RGBA", 0, 1)
    picture = drawn.convert("RGB")
    if width * height > COUNTED or picture.getcolors(CHART) is None:
        drawn.save(written, format="PNG", dpi=(DPI, DPI))
    else:
        palette = picture.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
        palette.save(written, format="PNG", dpi=(DPI, DPI), optimize=True)
    return written.getvalue()


def svg(figure: Figure) -> bytes:
    """The figure as SVG, its letters as outlines: the same figure, the same bytes."""
    buffer = io.BytesIO()
    with style.context([STYLE, {"svg.hashsalt": "kith"}], after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def wrap(text: str, columns: int, lines: int) -> str:
    """`text` in at most `lines` lines about as wide as `columns` small Latin letters, the rest cut off.

    Control characters and runs of white space become one space. Names are broken after an underscore.

    >>> wrap("a red fox in the snow", columns=12, lines=1)
    'a red fox …'
    >>> wrap("hierarchy_unnorm", columns=12, lines=2)
    'hierarchy_\\nunnorm'
    """
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    wide = sum(1.8 if unicodedata.east_asian_width(c) in "WF" else 1.3 if c.isupper() else 1 for c in clean)
    width = max(4, int(columns * len(clean) / max(1, wide)))
    if len(clean) > width:
        clean = clean.replace("_", f"_{SEAM} ")
    filled = textwrap.fill(clean, width, max_lines=lines, placeholder=" …")
    return filled.replace(f"{SEAM} ", "").replace(SEAM, "")


@styled
def leaderboard(scores: pd.DataFrame, methods: Sequence[str] = ()) -> Figure:
    """MRR with its interval per method and direction: in the method's colour, filled for texts that ask.

    scores: columns method, direction, value, low, high. The first method stands on top. methods: see `looks`.
    """
    drawn = looks(scores["method"], methods)
    names = list(scores["method"].unique())
    figure = Figure((WIDTH, 1.2 + 0.6 * len(names)), layout="constrained")
    ax = figure.subplots()
    shapes: list[dict[str, Any]] = [{"marker": "o"}, {"marker": "s", "markerfacecolor": "white"}]
    for shape, shift, direction in zip(shapes, (-0.16, 0.16), DIRECTIONS, strict=True):
        rows = scores[scores["direction"] == direction].set_index("method").reindex(names)
        for place, (name, row) in enumerate(rows.iterrows()):
            error = [[row["value"] - row["low"]], [row["high"] - row["value"]]]
            colour = drawn[str(name)]["color"]
            ax.errorbar(row["value"], place + shift, xerr=error, capsize=3, color=colour, markersize=6, **shape)
            ax.annotate(f"{row['value']:.3f}", (row["high"], place + shift), (6, 0), va="center", **NUMBER)
    ax.set_yticks(range(len(names)), [wrap(name, 20, 2) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.margins(x=0.25)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("mean reciprocal rank")
    titles = zip(shapes, DIRECTIONS.values(), strict=True)
    handles = [Line2D([], [], color="#444444", linestyle="", label=title, **shape) for shape, title in titles]
    figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return figure


@styled
def recall_at_k(queries: pd.DataFrame, methods: Sequence[str] = (), largest: int = 100) -> Figure:
    """Percentage of queries that find a right answer among the k best, for k from 1 to `largest`.

    queries: columns method, direction, before, tied_right, tied_wrong, one row a query and seed: how many answers stand
    before its first right one, and how many right and wrong ones tie there, in any order. methods: see `looks`.
    """
    figure = Figure((WIDTH, 5.8), layout="constrained")
    k, ticks = np.arange(1, largest + 1), [1, 2, 5, 10, 20, 50, 100]
    axes = figure.subplots(2, 1, sharex=True)
    drawn = looks(queries["method"], methods)
    for ax, (direction, title) in zip(axes, DIRECTIONS.items(), strict=True):
        for method, look in drawn.items():
            chosen = (queries["method"] == method) & (queries["direction"] == direction)
            recall = 100 * recall_curve(queries.loc[chosen, FIRST].to_numpy(np.int64), largest)
            ax.plot(k, recall, markevery=[t - 1 for t in ticks if t <= largest], **look)
        ax.set(title=title, ylabel="recall at k (%)", ylim=(0, 103), xscale="log")
        ax.set_xticks(ticks, ticks)
        ax.minorticks_off()
    axes[1].set_xlabel("k, answers looked at")
    legend_of_methods(figure, drawn)
    return figure


def panels(count: int, height: float, shared: bool = True) -> tuple[Figure, list[Axes]]:
    """`count` small axes, up to three in a line of `height` inches, and the figure that holds them.

    shared: whether all have the same scales, which are then written at the left and the lower end alone.
    """
    columns = min(3, count)
    lines = -(-count // columns)
    figure = Figure((WIDTH, 0.8 + height * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharex=shared, sharey=shared)
    for ax in grid.flat:
        ax.tick_params(labelsize=9)
    for empty in range(count, lines * columns):
        grid.flat[empty].remove()
        grid.flat[empty - columns].tick_params(labelbottom=True)
    return figure, list(grid.flat[:count])


def several_seeds(runs: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    """(seed, its rows); nothing for one seed, whose line would lie on that of the mean."""
    return list(runs.groupby("seed")) if runs["seed"].nunique() > 1 else []


def _look(i: int) -> dict[str, Any]:
    """Twelve colours and markers, four line styles: 48 looks before one comes again."""
    return {"color": COLOURS[i % 12], "linestyle": LINES[(i + i // 12) % 4], "marker": MARKERS[i % 12]}


def looks(drawn: pd.Series, methods: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Colour, line style and marker of each method that is drawn.

    methods: all of the study. A method's place among them decides: it looks the same in every chart that is given the
    same. Those drawn come in this order; default: of appearance.

    >>> list(looks(pd.Series(["siglip", "infonce"]), methods=["infonce", "siglip"]))
    ['infonce', 'siglip']
    """
    present = drawn.unique()
    every = dict.fromkeys([*methods, *present])
    return {name: _look(i) for i, name in enumerate(every) if name in set(present)}


def legend_of_methods(figure: Figure, drawn: Mapping[str, dict[str, Any]]) -> None:
    """Below the figure, which grows by what more than four lines take, so that the axes do not shrink."""
    handles = [Line2D([], [], label=name, **look) for name, look in drawn.items()]
    lengths = [len(name) for name in drawn]
    half = -(-len(lengths) // 2)
    columns = 2 if max(lengths[:half]) + max(lengths[half:], default=0) <= LETTERS else 1
    lines = half if columns == 2 else len(lengths)
    figure.set_figheight(figure.get_figheight() + LINE * max(0, lines - 4))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
