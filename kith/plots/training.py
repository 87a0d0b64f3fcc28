"""Charts of trainings: histories in, matplotlib figures out, in the style of `kith.plots`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kith.plots.style import WIDTH, legend_of_methods, looks, panels, several_seeds, styled, wrap

BEST = {"linestyle": "", "markersize": 8, "markeredgecolor": "#222222", "markeredgewidth": 0.9, "zorder": 5}
TRAINING: dict[str, Any] = {"linestyle": "--", "linewidth": 1.1}
BETTER = dict.fromkeys(("mrr", "R@1", "R@10", "ahp", "accuracy"), "nlargest")
BETTER |= dict.fromkeys(("loss", "distance", "median_rank"), "nsmallest")


@styled
def curves(history: pd.DataFrame, methods: Sequence[str] = ()) -> Figure:
    """Course of the training loss, and validation MRR: strong lines for means of seeds, thin ones for each seed.

    Losses of different methods have different units: each is drawn as a share of the range of its mean.

    history: columns method, seed, epoch, train_loss, val_mrr. methods: see `looks`.
    """
    figure = Figure((WIDTH, 5.8), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    drawn = looks(history["method"], methods)
    for ax, column in zip(axes, ["train_loss", "val_mrr"], strict=True):
        for method, look in drawn.items():
            runs = history[history["method"] == method]
            mean = runs.groupby("epoch")[column].mean()
            low, span = (mean.min(), np.ptp(mean) or 1) if column == "train_loss" else (0, 1)
            ax.plot((mean - low) / span, markevery=max(1, len(mean) // 10), **look)
            for _, run in several_seeds(runs):
                ax.plot(run["epoch"], (run[column] - low) / span, color=look["color"], linewidth=0.6, alpha=0.5)
    axes[0].set_title("training loss, share of its own range")
    axes[1].set(title="validation MRR", xlabel="epoch")
    axes[1].xaxis.get_major_locator().set_params(integer=True)
    legend_of_methods(figure, drawn)
    return figure


def columns_of(history: pd.DataFrame, key: str) -> dict[str, str]:
    """Where a history has the metric `key`: "validation" and "training" → its column, as far as it is measured there;
    a column's whole name is found too, under "each epoch".

    >>> columns_of(pd.DataFrame(columns=["epoch", "lr", "train_loss", "val_loss"]), "loss")
    {'validation': 'val_loss', 'training': 'train_loss'}
    """
    places = {"validation": f"val_{key}", "training": f"train_{key}", "each epoch": key}
    return {place: column for place, column in places.items() if column in history}


@styled
def evolution(history: pd.DataFrame, methods: Sequence[str] = (), key: str = "mrr") -> Figure:
    """A metric per epoch in validation and training: how far methods learn by heart what they do not find in general.

    A panel a method: strong lines for validation (means of seeds; a thin line for each seed), dashed ones for
    training (means of seeds). A marker stands at the best validation epoch of each seed, where it is known which end
    of the metric is better.

    history: columns method, seed, epoch, train_mrr, val_mrr, or those that another `key` has (see `columns_of`).
    methods: see `looks`.
    """
    drawn = looks(history["method"], methods)
    figure, axes = panels(len(drawn), 1.55)
    columns, better = columns_of(history, key), BETTER.get(key)
    strong = next(iter(columns))
    for ax, (method, look) in zip(axes, drawn.items(), strict=True):
        runs, colour = history[history["method"] == method], look["color"]
        means = runs.groupby("epoch")[list(columns.values())].mean()
        for place, column in columns.items():
            ax.plot(means[column], color=colour, **({} if place == strong else TRAINING))
        for _, run in runs.groupby("seed"):
            ax.plot(run["epoch"], run[columns[strong]], color=colour, linewidth=0.6, alpha=0.5)
            if better is not None:
                best = getattr(run, better)(1, columns[strong])
                ax.plot(best["epoch"], best[columns[strong]], **look | BEST)
        ax.set_title(wrap(method, 18, 2), fontsize=9.5)
        ax.locator_params(axis="x", integer=True, nbins=4)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("MRR" if key == "mrr" else key, fontsize=10)
    kinds: dict[str, dict[str, Any]] = {place: {} if place == strong else TRAINING for place in columns}
    kinds |= {"best epoch": {"marker": "o", **BEST}} if better else {}
    handles = [Line2D([], [], label=name, color="#444444", **look) for name, look in kinds.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=10)
    return figure
