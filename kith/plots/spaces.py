"""Maps of embedding spaces by t-SNE: vectors in, matplotlib figures out, in the style of `kith.plots`.

van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from kith.plots.style import COLOURS, MARKERS, OTHER, WIDTH, panels, styled, wrap

LETTERS = 32  # of a name in a legend of two columns


@styled
def tsne(images: np.ndarray, texts: np.ndarray | None, labels: Sequence[str], seed: int = 0) -> Figure:
    """The plane of n items: pictures as circles, texts, if any, as triangles, a line joining each pair.

    images, texts: (n, d) unit rows, n ≥ 2. labels: n names, "" for none; the six most frequent have colours.
    """
    sides = [images] if texts is None else [images, texts]
    places = _projected([np.concatenate(sides)], seed)[0].reshape(len(sides), len(labels), 2)
    names = pd.Series(labels, dtype=str)
    colours = dict(zip(names[names != ""].value_counts().index, COLOURS[:6], strict=False))
    figure = Figure((WIDTH, 6), layout="constrained")
    ax = figure.subplots()
    ax.axis("off")
    pairs = list(places.transpose(1, 0, 2)) if texts is not None else []
    ax.add_collection(LineCollection(pairs, colors="#C8C8C8", linewidths=0.6, zorder=1))
    handles = []
    for kind, (x, y), marker, plain in zip(("image", "text"), places.transpose(0, 2, 1), "o^", COLOURS, strict=False):
        shades = names.map(colours).fillna(OTHER) if colours else plain
        ax.scatter(x, y, c=shades, marker=marker, s=22, linewidths=0.4, edgecolors="white", zorder=2)
        handles.append(Line2D([], [], color="#444444" if colours else plain, marker=marker, ls="", label=kind))
    for name, colour in colours.items():
        handles.append(Line2D([], [], color=colour, marker="s", ls="", label=wrap(name, 28, 1)))
    if not names.isin(list(colours)).all() and colours:
        handles.append(Line2D([], [], color=OTHER, marker="s", ls="", label="other"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9.5)
    return figure


@styled
def tsne_methods(images: Mapping[str, np.ndarray], classes: Sequence[str], seed: int = 0) -> Figure:
    """How several methods arrange the same n pictures: a plane a method, each class with its colour and marker.

    images: title of the panel → (n, d) unit rows, n ≥ 2. classes: n names, at most twelve different ones.
    """
    names = np.asarray(classes, dtype=object)
    signs = dict(zip(dict.fromkeys(sorted(classes)), zip(COLOURS, MARKERS, strict=True), strict=False))
    figure, axes = panels(len(images), 1.75, shared=False)
    for ax, title, places in zip(axes, images, _projected(list(images.values()), seed), strict=True):
        for name, (colour, marker) in signs.items():
            x, y = places[names == name].T
            ax.scatter(x, y, c=colour, marker=marker, s=9, linewidths=0)
        ax.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        ax.spines[:].set(visible=True, color=OTHER)
        ax.set_title(title, fontsize=9.5)
    columns = 2 if max(map(len, signs), default=0) <= LETTERS else 1
    handles = [
        Line2D([], [], color=colour, marker=marker, ls="", label=wrap(name, 2 * LETTERS // columns, 1))
        for name, (colour, marker) in signs.items()
    ]
    figure.set_figheight(figure.get_figheight() + 0.2 * -(-len(handles) // columns))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=9)
    return figure


def _projected(spaces: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """The plane of each space: one thread a plane, so that its sums are always taken in the same order, and as many
    planes at a time as there are cores."""
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_project, spaces, repeat(seed)))


def _project(vectors: np.ndarray, seed: int) -> np.ndarray:
    perplexity = min(30, (len(vectors) - 1) / 3)
    with threadpool_limits(1):  # OpenMP has a limit for each thread
        return TSNE(init="pca", perplexity=perplexity, random_state=seed, n_jobs=1).fit_transform(vectors)
