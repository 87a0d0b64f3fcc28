"""Charts of hierarchical retrieval: tables in, matplotlib figures out, in the style of `kith.plots`."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kith.plots import WIDTH, legend_of_methods, looks, styled, wrap


@styled
def precision_curves(curves: pd.DataFrame, largest: int = 250) -> Figure:
    """Hierarchical precision HP@k for k up to `largest`: strong lines for means of seeds, thin ones for each seed.

    curves: columns method, seed, k, precision. Methods are drawn in order of appearance.
    """
    figure = Figure((WIDTH, 4.6), layout="constrained")
    ax = figure.subplots()
    shown = curves[curves["k"] <= largest]
    _draw_curves(ax, shown, "k")
    ax.set(title="hierarchical precision", xlabel="k, answers looked at", ylabel="HP@k", xlim=(0, shown["k"].max()))
    legend_of_methods(figure, shown["method"])
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
    """One bar a method, its name above it, with its interval.

    scores: columns method, value, low, high; low and high may be NaN. The first method stands on top.
    """
    colours = [look["color"] for look in looks(scores["method"]).values()]
    figure = Figure((WIDTH, 0.8 + 0.56 * len(scores)), layout="constrained")
    ax = figure.subplots()
    places, values = np.arange(len(scores)), scores["value"].to_numpy()
    ax.barh(places, values, height=0.36, color=colours, alpha=0.65)
    error = np.array([values - scores["low"], scores["high"] - values])
    ax.errorbar(values, places, xerr=error, fmt="none", ecolor="#222222", elinewidth=1.5, capsize=3)
    ends = np.where(np.isnan(scores["high"]), values, scores["high"])
    for place, name, value, end in zip(places, scores["method"], values, ends, strict=True):
        ax.annotate(wrap(name, 50, 1), (0, place - 0.22), (2, 1), textcoords="offset points", va="bottom")
        ax.annotate(f"{value:.3f}", (end, place), (6, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set(title=title, ylim=(len(scores) - 0.7, -0.75), xlim=(0, 1.13 * max(ends.max(), 1e-9)), yticks=[])
    ax.grid(axis="y", visible=False)
    return figure


def _draw_curves(ax: Axes, curves: pd.DataFrame, x: str) -> None:
    for method, look in looks(curves["method"]).items():
        runs = curves[curves["method"] == method]
        mean = runs.groupby(x)["precision"].mean()
        ax.plot(mean, markevery=max(1, len(mean) // 10), clip_on=False, **look)
        if runs["seed"].nunique() > 1:
            for _, run in runs.groupby("seed"):
                ax.plot(run[x], run["precision"], color=look["color"], linewidth=0.6, alpha=0.5)
