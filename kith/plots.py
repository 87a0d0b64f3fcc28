"""Charts of a report, and the style of all its pictures: tables in, matplotlib figures out.

Colours are Okabe and Ito's, told apart by readers with any colour vision, and never the only sign: methods
also differ in line style and marker. Figures are narrow and their letters large, for telephones. Beyond seven
methods come five darker or lighter colours that keep the same distances under protanopia and deuteranopia.
"""

import functools
import io
import textwrap
import unicodedata
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import font_manager, style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
COLOURS += ["#882255", "#DDCC77", "#332288", "#666633", "#661100"]
LINES, MARKERS = ["-", "--", "-.", ":"], "osD^vPX<*>ph"
OTHER = "#B5B5B5"
BEST = {"linestyle": "", "markersize": 8, "markeredgecolor": "#222222", "markeredgewidth": 0.9, "zorder": 5}
DIRECTIONS = {"text_to_image": "text → image", "image_to_text": "image → text"}
WIDTH, DPI = 5, 168  # inches, pixels an inch
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
    """The figure as PNG: the same figure, the same bytes. Letters that no font has become boxes."""
    buffer = io.BytesIO()
    with style.context(STYLE, after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def svg(figure: Figure) -> bytes:
    """The figure as SVG, its letters as outlines: the same figure, the same bytes."""
    buffer = io.BytesIO()
    with style.context([STYLE, {"svg.hashsalt": "kith"}], after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def wrap(text: str, columns: int, lines: int) -> str:
    """`text` in at most `lines` lines about as wide as `columns` small Latin letters, the rest cut off.

    Control characters and runs of white space become one space.
    """
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    wide = sum(1.8 if unicodedata.east_asian_width(c) in "WF" else 1.3 if c.isupper() else 1 for c in clean)
    width = max(4, int(columns * len(clean) / max(1, wide)))
    return textwrap.fill(clean, width, max_lines=lines, placeholder=" …")


@styled
def curves(history: pd.DataFrame) -> Figure:
    """Training loss and validation MRR per epoch: strong lines for means of seeds, thin ones for each seed.

    history: columns method, seed, epoch, train_loss, val_mrr. Methods are drawn in order of appearance.
    """
    figure = Figure((WIDTH, 5.8), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for ax, column, title in zip(axes, ["train_loss", "val_mrr"], ["training loss", "validation MRR"], strict=True):
        ax.set_title(title)
        for method, look in looks(history["method"]).items():
            runs = history[history["method"] == method]
            mean = runs.groupby("epoch")[column].mean()
            ax.plot(mean, markevery=max(1, len(mean) // 10), **look)
            for _, run in runs.groupby("seed"):
                ax.plot(run["epoch"], run[column], color=look["color"], linewidth=0.6, alpha=0.5)
    if history["train_loss"].max() > 10 * history["train_loss"].min() > 0:
        axes[0].set_yscale("log", subs=[])
        axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[0].yaxis.set_major_formatter("{x:g}")
    axes[1].set_xlabel("epoch")
    axes[1].xaxis.get_major_locator().set_params(integer=True)
    legend_of_methods(figure, history["method"])
    return figure


@styled
def evolution(history: pd.DataFrame) -> Figure:
    """Training and validation MRR per epoch: how far methods learn by heart what they do not find in general.

    Strong lines for validation (means of seeds; a thin line for each seed), dashed ones for training (means of
    seeds). A marker stands at the best validation epoch of each seed.

    history: columns method, seed, epoch, train_mrr, val_mrr. Methods are drawn in order of appearance.
    """
    figure = Figure((WIDTH, 5.4), layout="constrained")
    ax = figure.subplots()
    training: dict[str, Any] = {"linestyle": "--", "linewidth": 0.9}
    for method, look in looks(history["method"]).items():
        runs = history[history["method"] == method]
        means = runs.groupby("epoch")[["val_mrr", "train_mrr"]].mean()
        colour = look["color"]
        ax.plot(means["val_mrr"], color=colour)
        ax.plot(means["train_mrr"], color=colour, **training)
        for _, run in runs.groupby("seed"):
            ax.plot(run["epoch"], run["val_mrr"], color=colour, linewidth=0.6, alpha=0.5)
            best = run.nlargest(1, "val_mrr")
            ax.plot(best["epoch"], best["val_mrr"], **look | BEST)
    ax.set_title("MRR per epoch")
    ax.set_xlabel("epoch")
    ax.locator_params(axis="x", integer=True)
    kinds: dict[str, dict[str, Any]] = {"validation": {}, "training": training, "best epoch": {"marker": "o", **BEST}}
    handles = [Line2D([], [], label=name, color="#444444", **look) for name, look in kinds.items()]
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=3)
    legend_of_methods(figure, history["method"], linestyle="-")
    return figure


@styled
def leaderboard(scores: pd.DataFrame) -> Figure:
    """MRR with its interval per method and direction.

    scores: columns method, direction, value, low, high. The first method stands on top.
    """
    methods = list(scores["method"].unique())
    figure = Figure((WIDTH, 1.2 + 0.6 * len(methods)), layout="constrained")
    ax = figure.subplots()
    for i, (direction, title) in enumerate(DIRECTIONS.items()):
        rows = scores[scores["direction"] == direction].set_index("method").reindex(methods)
        y = np.arange(len(methods)) + (-0.16, 0.16)[i]
        error = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        ax.errorbar(rows["value"], y, xerr=error, capsize=3, label=title, **_look(i) | {"linestyle": ""})
        for value, high, place in zip(rows["value"], rows["high"], y, strict=True):
            ax.annotate(f"{value:.3f}", (high, place), (6, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(range(len(methods)), methods)
    ax.set_ylim(len(methods) - 0.5, -0.5)
    ax.margins(x=0.25)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("mean reciprocal rank")
    figure.legend(loc="outside upper right", ncols=2)
    return figure


@styled
def recall_at_k(queries: pd.DataFrame, largest: int = 100) -> Figure:
    """Percentage of queries that find a right answer among the k best, for k from 1 to `largest`.

    queries: columns method, direction, rank (of the first right answer, from 1), one row a query and seed.
    """
    figure = Figure((WIDTH, 5.8), layout="constrained")
    k, ticks = np.arange(1, largest + 1), [1, 2, 5, 10, 20, 50, 100]
    axes = figure.subplots(2, 1, sharex=True)
    for ax, (direction, title) in zip(axes, DIRECTIONS.items(), strict=True):
        for method, look in looks(queries["method"]).items():
            chosen = (queries["method"] == method) & (queries["direction"] == direction)
            ranks = np.sort(queries.loc[chosen, "rank"].to_numpy())
            recall = 100 * np.searchsorted(ranks, k, side="right") / max(1, len(ranks))
            ax.plot(k, recall, markevery=[t - 1 for t in ticks if t <= largest], **look)
        ax.set(title=title, ylabel="recall at k (%)", ylim=(0, 103), xscale="log")
        ax.set_xticks(ticks, ticks)
        ax.minorticks_off()
    axes[1].set_xlabel("k, answers looked at")
    legend_of_methods(figure, queries["method"])
    return figure


def _look(i: int) -> dict[str, Any]:
    """Twelve colours and markers, four line styles: 48 looks before one comes again."""
    return {"color": COLOURS[i % 12], "linestyle": LINES[(i + i // 12) % 4], "marker": MARKERS[i % 12]}


def looks(methods: pd.Series) -> dict[str, dict[str, Any]]:
    return {name: _look(i) for i, name in enumerate(methods.unique())}


def legend_of_methods(figure: Figure, methods: pd.Series, **changed: Any) -> None:
    """Below the figure, which grows by what more than four lines take, so that the axes do not shrink."""
    handles = [Line2D([], [], label=name, **look | changed) for name, look in looks(methods).items()]
    lengths = [len(name) for name in methods.unique()]
    half = -(-len(lengths) // 2)
    columns = 2 if max(lengths[:half]) + max(lengths[half:], default=0) <= LETTERS else 1
    lines = half if columns == 2 else len(lengths)
    figure.set_figheight(figure.get_figheight() + LINE * max(0, lines - 4))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
