"""Charts of pictures found by pictures, by their classes in a taxonomy and by their codes: tables in, matplotlib
figures out, in the style of `kith.plots`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kith.plots.style import NUMBER, WIDTH, legend_of_methods, looks, several_seeds, styled, wrap


@styled
def precision_curves(curves: pd.DataFrame, largest: int = 250, methods: Sequence[str] = ()) -> Figure:
    """Hierarchical precision HP@k for k up to `largest`: strong lines for means of seeds, thin ones for each seed.

    curves: columns method, seed, k, precision. methods: see `kith.plots.looks`.
    """
    figure = Figure((WIDTH, 4.6), layout="constrained")
    ax = figure.subplots()
    shown = curves[curves["k"] <= largest]
    drawn = _draw_curves(ax, shown, "k", methods)
    ax.set(title="hierarchical precision", xlabel="k, answers looked at", ylabel="HP@k", xlim=(0, shown["k"].max()))
    legend_of_methods(figure, drawn)
    return figure


@styled
def recall_precision(curves: pd.DataFrame, methods: Sequence[str] = ()) -> Figure:
    """Precision over recall of the query's class: strong lines for means of seeds, thin ones for each seed.

    curves: columns method, seed, recall, precision. methods: see `kith.plots.looks`.
    """
    figure = Figure((WIDTH, 4.6), layout="constrained")
    ax = figure.subplots()
    drawn = _draw_curves(ax, curves, "recall", methods)
    ax.set(title="same class: precision over recall", xlabel="recall", ylabel="precision")
    ax.set(xlim=(0, 1), ylim=(0, min(1.02, 0.02 + 1.1 * curves["precision"].max())))
    legend_of_methods(figure, drawn)
    return figure


@styled
def precision_bars(scores: pd.DataFrame, title: str = "mAHP@250", methods: Sequence[str] = ()) -> Figure:
    """One bar a method, its name above it, with its interval.

    scores: columns method, value, low, high; low and high may be NaN. The first method stands on top. methods: see
    `kith.plots.looks`.
    """
    drawn = looks(scores["method"], methods)
    figure = Figure((WIDTH, 0.8 + 0.56 * len(scores)), layout="constrained")
    ax = figure.subplots()
    places, values = np.arange(len(scores)), scores["value"].to_numpy()
    ax.barh(places, values, height=0.36, color=[drawn[method]["color"] for method in scores["method"]])
    error = np.array([values - scores["low"], scores["high"] - values])
    _, caps, bars = ax.errorbar(values, places, xerr=error, fmt="none", ecolor="#222222", elinewidth=1.5, capsize=3)
    for line in (*caps, *bars):  # dark ones are seen on dark bars
        line.set_path_effects([patheffects.withStroke(linewidth=3.5, foreground="white")])
    ends = np.where(np.isnan(scores["high"]), values, scores["high"])
    for place, name, value, end in zip(places, scores["method"], values, ends, strict=True):
        ax.annotate(wrap(name, 50, 1), (0, place - 0.22), (2, 1), textcoords="offset points", va="bottom")
        ax.annotate(f"{value:.3f}", (end, place), (6, 0), va="center", **NUMBER)
    ax.set(title=title, ylim=(len(scores) - 0.7, -0.75), xlim=(0, 1.13 * max(ends.max(), 1e-9)), yticks=[])
    ax.grid(axis="y", visible=False)
    return figure


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


def _draw_curves(ax: Axes, curves: pd.DataFrame, x: str, methods: Sequence[str]) -> dict[str, dict]:
    """Draws; returns the looks of what is drawn."""
    drawn = looks(curves["method"], methods)
    for method, look in drawn.items():
        runs = curves[curves["method"] == method]
        mean = runs.groupby(x)["precision"].mean()
        ax.plot(mean, markevery=max(1, len(mean) // 10), clip_on=False, **look)
        for _, run in several_seeds(runs):
            ax.plot(run[x], run["precision"], color=look["color"], linewidth=0.6, alpha=0.5)
    return drawn
