"""A taxonomy drawn as a tree of labelled boxes: inner nodes grey, leaves white.

Distances are inches. A node stands `along` the way from the root and `across` it, in rows of leaves; the layout
says where on paper that is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from kith.errors import KithError
from kith.plots.style import styled, wrap
from kith.taxonomy import Id, Taxonomy

LAYOUTS = ("horizontal", "radial")
MOST = 1500  # nodes; a figure of more is too large for picture formats
FONT, LETTERS = 8, 32  # points; letters after which a name is cut
ROW, GAP, PAD, MARGIN = 0.25, 0.4, 0.05, 0.25
INNER, LEAF, LINE = "#D2D2D2", "#FFFFFF", "#8C8C8C"


class _Tree(NamedTuple):
    """Arrays over nodes: the parent that each hangs on (−1: none), its row (of `rows`), level, and label's width."""

    parent: np.ndarray
    row: np.ndarray
    rows: int
    level: np.ndarray
    width: np.ndarray


class _Layout(NamedTuple):
    """How far along the boxes begin and end, where lines turn on their way to them, and each node's (x, y) there."""

    inner: np.ndarray
    outer: np.ndarray
    turn: np.ndarray
    radial: bool
    rows: int

    def paper(self, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """(..., 2) x and y."""
        if not self.radial:
            return np.stack([along, -ROW * across], axis=-1)
        angle = self.angle(across)
        return np.stack([along * np.cos(angle), along * np.sin(angle)], axis=-1)

    def angle(self, across: np.ndarray) -> np.ndarray:
        return np.pi / 2 - 2 * np.pi * (across + 0.5) / self.rows


def upper_levels(taxonomy: Taxonomy, classes: Sequence[Id], limit: int) -> tuple[Taxonomy, dict[Id, int]] | None:
    """As many levels of the taxonomy, from the top, as end in at most `limit` nodes, and what is below them.

    Returns the taxonomy down to there, and node → number of `classes` below it, for nodes with a child that is left
    out; all of it and {} where it fits; None where the first level below the roots is too many.
    """
    depths = taxonomy.depths()
    parent, child = taxonomy.edges.T
    for depth in range(depths.max(), 1, -1):
        kept = depths <= depth
        ends = np.setdiff1d(np.flatnonzero(kept), parent[kept[child]])
        if len(ends) <= limit and kept.sum() <= MOST:
            break
    else:
        return None
    counts = Counter(node for name in classes for node in taxonomy.ancestors(name) if node != name)
    cut = {taxonomy.nodes[place] for place in parent[kept[parent] & ~kept[child]].tolist()}
    edges = [(taxonomy.nodes[above], taxonomy.nodes[below]) for above, below in taxonomy.edges[kept[child]].tolist()]
    return Taxonomy.from_edges(edges, taxonomy.names), {node: counts[node] for node in taxonomy.nodes if node in cut}


@styled
def draw(
    taxonomy: Taxonomy,
    names: Mapping[Id, str] | None = None,
    layout: str = "horizontal",
    below: Mapping[Id, int] | None = None,
) -> Figure:
    """The taxonomy as a dendrogram, "horizontal" with leaves below one another, or "radial" with the root inside.

    names: what to show for an id; default: the taxonomy's own names. below: of nodes that stand for what is below
    them, how much that is: they are grey, with this number (see `upper_levels`). A node is placed by its depth. One
    with several parents hangs on the deepest, and thin dashed lines lead to the others. The figure grows with the
    taxonomy; save it with `kith.plots.png` or `kith.plots.svg` for the same bytes each time.

    Raises KithError for more than 1,500 nodes.
    """
    if layout not in LAYOUTS:
        raise KithError(f"layout: '{layout}' is not one of {', '.join(LAYOUTS)}")
    if len(taxonomy) > MOST:
        raise KithError(f"taxonomy: {len(taxonomy)} nodes are more than the {MOST} of a picture; draw a part (pruned)")
    below = below or {}
    labels = [wrap((names or {}).get(node, taxonomy.name(node)), LETTERS, 1) or "·" for node in taxonomy.nodes]
    labels = [
        f"{text} ({below[node]})" if node in below else text for node, text in zip(taxonomy.nodes, labels, strict=True)
    ]
    tree = _tree(taxonomy, labels)
    place = _radial(tree) if layout == "radial" else _horizontal(tree)
    figure, ax = _canvas(place, tree)
    ax.add_collection(LineCollection(_branches(place, tree), colors=LINE, linewidths=0.9, zorder=1))
    ax.add_collection(
        LineCollection(_others(place, tree, taxonomy), colors=LINE, linewidths=0.6, linestyles=":", zorder=1)
    )
    for node, label in enumerate(labels):
        leaf = taxonomy.heights[node] == 0 and taxonomy.nodes[node] not in below
        _box(ax, place, tree, node, label, LEAF if leaf else INNER)
    return figure


def _tree(taxonomy: Taxonomy, labels: list[str]) -> _Tree:
    depths = taxonomy.depths()
    parent = np.array([max(above, key=depths.__getitem__, default=-1) for above in taxonomy.parents], dtype=np.int64)
    row, rows = _rows(parent)
    width = np.array([TextPath((0, 0), label, size=FONT).get_extents().width / 72 + 2 * PAD for label in labels])
    return _Tree(parent, row, rows, depths - 1, width)


def _rows(parent: np.ndarray) -> tuple[np.ndarray, int]:
    """Leaves one row after another, an inner node midway between its first and its last child."""
    children: list[list[int]] = [[] for _ in parent]
    for child in np.flatnonzero(parent >= 0).tolist():
        children[parent[child]].append(child)
    row, rows = np.zeros(len(parent)), 0
    waiting = [(root, False) for root in np.flatnonzero(parent < 0)[::-1].tolist()]
    while waiting:
        node, placed = waiting.pop()
        below = children[node]
        if placed:
            row[node] = (row[below[0]] + row[below[-1]]) / 2
        elif below:
            waiting += [(node, True), *((child, False) for child in below[::-1])]
        else:
            row[node], rows = rows, rows + 1
    return row, rows


def _horizontal(tree: _Tree) -> _Layout:
    start = [0.0]
    for level in range(tree.level.max()):
        start.append(start[-1] + tree.width[tree.level == level].max() + GAP)
    inner = np.array(start)[tree.level]
    return _Layout(inner, inner + tree.width, inner - GAP / 2, False, tree.rows)


def _radial(tree: _Tree) -> _Layout:
    """Each box as far out as its share of the circle is wide enough for it; a single root stands in the middle."""
    order = np.argsort(tree.level, kind="stable").tolist()
    share = np.where(np.isin(np.arange(len(order)), tree.parent), 0, 1)
    for node in order[::-1]:
        if tree.parent[node] >= 0:
            share[tree.parent[node]] += share[node]
    inner = ROW * tree.rows / (2 * np.pi * share)
    turn = np.zeros(len(order))
    centre = order[0] if np.count_nonzero(tree.level == 0) == 1 else -1
    for node in order:
        parent = tree.parent[node]
        if parent >= 0:
            edge = tree.width[centre] / 2 if parent == centre else inner[parent] + tree.width[parent]
            inner[node] = max(inner[node], edge + GAP)
            turn[node] = 0 if parent == centre else edge + GAP / 2
    outer = inner + tree.width
    if centre >= 0:
        inner[centre] = outer[centre] = 0
    return _Layout(inner, outer, turn, True, tree.rows)


def _branches(place: _Layout, tree: _Tree) -> list[np.ndarray]:
    """A line from each node's parent: on, across at the turn, on."""
    lines = []
    for child in np.flatnonzero(tree.parent >= 0).tolist():
        parent = tree.parent[child]
        across = np.linspace(tree.row[parent], tree.row[child], 40 if place.radial else 2)
        along = np.full(len(across), place.turn[child])
        lines.append(
            place.paper(
                np.concatenate([[place.outer[parent]], along, [place.inner[child]]]),
                np.concatenate([[tree.row[parent]], across, [tree.row[child]]]),
            )
        )
    return lines


def _others(place: _Layout, tree: _Tree, taxonomy: Taxonomy) -> list[np.ndarray]:
    """A straight line from every parent that a node does not hang on."""
    parent, child = taxonomy.edges[tree.parent[taxonomy.edges[:, 1]] != taxonomy.edges[:, 0]].T
    ends = place.paper(place.outer[parent], tree.row[parent]), place.paper(place.inner[child], tree.row[child])
    return list(np.stack(ends, axis=1))


def _canvas(place: _Layout, tree: _Tree) -> tuple[Figure, Axes]:
    """A figure of the size of what will be drawn, its coordinates inches."""
    ends = np.concatenate([place.paper(place.inner, tree.row), place.paper(place.outer, tree.row)])
    (left, bottom), (right, top) = ends.min(axis=0) - MARGIN, ends.max(axis=0) + MARGIN
    figure = Figure((right - left, top - bottom))
    ax = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(bottom, top))
    ax.set_axis_off()
    return figure, ax


def _box(ax: Axes, place: _Layout, tree: _Tree, node: int, label: str, colour: str) -> None:
    """The label in its box, which begins at `inner`; on the left half of a circle it is read inwards."""
    angle = float(np.degrees(place.angle(tree.row[node]))) if place.radial else 0.0
    centred = place.radial and place.inner[node] == 0
    flipped = place.radial and np.cos(np.radians(angle)) < 0
    x, y = place.paper(place.inner[node] + (0 if centred else PAD), tree.row[node])
    ax.text(
        x,
        y,
        label,
        fontsize=FONT,
        rotation=0 if centred else angle + 180 * flipped,
        rotation_mode="anchor",
        horizontalalignment="center" if centred else "right" if flipped else "left",
        verticalalignment="center_baseline",
        bbox={"boxstyle": f"round,pad={PAD * 72 / FONT:.2f}", "facecolor": colour, "edgecolor": LINE, "linewidth": 0.7},
    )
