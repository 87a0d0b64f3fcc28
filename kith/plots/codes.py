"""Charts of binary codes: tables in, matplotlib figures out, in the style of `kith.plots`."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from kith.plots.style import WIDTH, legend_of_methods, looks, several_seeds, styled


@styled
def radius_curves(curves: pd.DataFrame, methods: Sequence[str] = ()) -> Figure:
    """Precision over recall, a marker at each Hamming radius: strong lines for means of seeds, thin ones for each seed.

    curves: columns method, seed, radius, recall, precision (NaN where nothing is within the radius). methods: see
    `kith.plots.looks`.
    """
    figure = Figure((WIDTH, 4.6), layout="constrained")
    ax = figure.subplots()
    drawn = looks(curves["method"], methods)
    for method, look in drawn.items():
        runs = curves[curves["method"] == method]
        means = runs.groupby("radius")[["recall", "precision"]].mean().dropna()
        ax.plot(means["recall"], means["precision"], clip_on=False, **look)
        for _, run in several_seeds(runs.dropna()):
            ax.plot(run["recall"], run["precision"], color=look["color"], linewidth=0.6, alpha=0.5)
    ax.set(title="binary codes: precision over recall by radius", xlabel="recall", ylabel="precision")
    ax.set(xlim=(0, 1), ylim=(0, 1.02))
    legend_of_methods(figure, drawn)
    return figure
