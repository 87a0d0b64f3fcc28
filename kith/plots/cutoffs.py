"""Charts over the number of answers looked at, of any vectors: tables in, matplotlib figures out, in the style of
`kith.plots`."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from kith.plots.style import WIDTH, legend_of_methods, looks, styled


@styled
def recall_curves(curves: pd.DataFrame, methods: Sequence[str] = ()) -> Figure:
    """Percentage of queries that find a right answer among the k best: one line a method.

    curves: columns method, k (from 1), recall (percent). methods: see `kith.plots.looks`.
    """
    figure = Figure((WIDTH, 4.6), layout="constrained")
    ax, drawn = figure.subplots(), looks(curves["method"], methods)
    largest = int(curves["k"].max())
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100) if k <= largest]
    for method, look in drawn.items():
        line = curves[curves["method"] == method]
        ax.plot(line["k"], line["recall"], markevery=[k - 1 for k in ticks if k <= len(line)], **look)
    ax.set(title="recall", xlabel="k, answers looked at", ylabel="recall at k (%)", ylim=(0, 103), xscale="log")
    ax.set_xticks(ticks, [str(k) for k in ticks])
    ax.minorticks_off()
    legend_of_methods(figure, drawn)
    return figure
