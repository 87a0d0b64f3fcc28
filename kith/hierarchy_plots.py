"""Charts of hierarchical retrieval: tables in, matplotlib figures out, in the style of `kith.plots`."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kith.plots import WIDTH, legend_of_methods, looks, styled


@styled
def precision_curves(curves: pd.DataFrame, largest: int = 250) -> Figure:
    """Hierarchical precision HP@k for k up to `largest`: strong lines for means of seeds, thin ones for each seed.

    curves: columns method, seed, k, precision. Methods are drawn in order of appearance.
    """
    figure = Figure((WIDTH, 4.6), layout="constrained")
    ax = figure.subplots()
    _draw_curves(ax, curves[curves["k"] <= largest], "k")
    ax.set(title="hierarchical precision", xlabel="k, answers looked at", ylabel="HP@k", xlim=(0, largest))
    legend_of_methods(figure, curves["method"])
    return figure


@styled
def recall_precision(curves: pd.DataFrame) -> Figure:
    """Precision over recall of the query's class: strong lines for means of seeds, thin ones for each seed.

    curves: columns method, seed, recall, precision. Methods are drawn in order of appearance.
    """
    figure = Figure((WIDTH, 4.6), layout="constrained")
    ax = figure.subplots()
    _draw_curves(ax, curves, "recall")
    ax.set(title="same class: precision over recall", xlabel="recall", ylabel="precision")
    ax.set(xlim=(0, 1), ylim=(0, 1.02))
    legend_of_methods(figure, curves["method"])
    return figure


@styled
def precision_bars(scores: pd.DataFrame, title: str = "mAHP@250") -> Figure:
    """One bar a method, with its interval.

    scores: columns method, value, low, high; low and high may be NaN. The first method stands on top.
    """
    colours = [look["color"] for look in looks(scores["method"]).values()]
    figure = Figure((WIDTH, 1.1 + 0.42 * len(scores)), layout="constrained")
    ax = figure.subplots()
    places, values = np.arange(len(scores)), scores["value"].to_numpy()
    ax.barh(places, values, height=0.66, color=colours)
    error = np.array([values - scores["low"], scores["high"] - values])
    ax.errorbar(values, places, xerr=error, fmt="none", ecolor="#222222", elinewidth=1.3, capsize=3)
    for place, value, high in zip(places, values, scores["high"], strict=True):
        right = value if np.isnan(high) else high
        ax.annotate(f"{value:.3f}", (right, place), (6, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(places, scores["method"])
    ax.set_ylim(len(scores) - 0.5, -0.5)
    ax.set_xlim(0, 1.16 * max(np.nanmax(scores[["value", "high"]].to_numpy()), 1e-9))
    ax.grid(axis="y", visible=False)
    ax.set_title(title)
    return figure


def _draw_curves(ax: Axes, curves: pd.DataFrame, x: str) -> None:
    for method, look in looks(curves["method"]).items():
        runs = curves[curves["method"] == method]
        mean = runs.groupby(x)["precision"].mean()
        ax.plot(mean, markevery=max(1, len(mean) // 10), **look)
        if runs["seed"].nunique() > 1:
            for _, run in runs.groupby("seed"):
                ax.plot(run[x], run["precision"], color=look["color"], linewidth=0.6, alpha=0.5)
