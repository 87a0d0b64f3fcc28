"""What quality costs, as a chart: tables in, matplotlib figures out, in the style of `kith.plots`."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from kith.plots.style import COLOURS, LETTERS, LINE, MARKERS, WIDTH, looks, styled

PANELS = {"bytes": "bytes an item", "query_ms": "ms a query on one core"}


@styled
def quality_for_cost(rows: pd.DataFrame, quality: str, vectors: int) -> Figure:
    """Quality over bytes an item, and over the time of a query: a marker for each kind of index, a line through those
    of a kind, and a colour for each run where there are several.

    rows: columns run, kind, quality, bytes, query_ms, one row an index (and effort); those without a quality are left
    out. quality: what it is called. vectors: how many the index held that was timed.
    """
    rows = rows.dropna(subset=["quality"])
    kinds, runs = _markers(rows["kind"]), looks(rows["run"])
    several = len(runs) > 1
    figure = Figure((WIDTH, 7.2), layout="constrained")
    axes: list[Axes] = list(figure.subplots(2, 1, sharey=True))
    for ax, (column, title) in zip(axes, PANELS.items(), strict=True):
        for (run, kind), points in rows.groupby(["run", "kind"], sort=False):
            look = {"color": runs[str(run)]["color"]} if several else {}
            ordered = points.sort_values(column)
            ax.plot(ordered[column], ordered["quality"], linewidth=1, **kinds[str(kind)] | look)
        ax.set(xscale="log", xlabel=title, ylabel=quality)
        ax.margins(x=0.08, y=0.08)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.minorticks_off()
    axes[1].set_xlabel(f"{PANELS['query_ms']}, among {vectors:,} vectors")
    plain = {"color": "#444444"} if several else {}
    handles = [Line2D([], [], label=kind, linewidth=1, **look | plain) for kind, look in kinds.items()]
    if several:
        handles += [Line2D([], [], label=run, color=look["color"], linewidth=4) for run, look in runs.items()]
    _legend(figure, handles)
    return figure


def _markers(kinds: pd.Series) -> dict[str, dict[str, Any]]:
    return {
        kind: {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        for i, kind in enumerate(kinds.unique())
    }


def _legend(figure: Figure, handles: list[Line2D]) -> None:
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(3, LETTERS // (longest + 2)))
    lines = -(-len(handles) // columns)
    figure.set_figheight(figure.get_figheight() + LINE * max(0, lines - 2))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
