"""How similar classes are by where they stand in a taxonomy: LCSH and Wu–Palmer, for all pairs at once."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from kith.similarity import blocks

Steps = Mapping[int, int]  # ancestor (the node itself too): fewest edges up to it
Group = tuple[int, np.ndarray]  # an ancestor, and the rows that have it


def by_ancestor(up: Sequence[Steps], rank: np.ndarray) -> list[Group]:
    """Each ancestor and the rows of `up` that have it, by rising rank: what is written last is their lcs.

    up: of each row its ancestors, itself included; rank: (nodes,) int64.

    >>> up = [{1: 0, 0: 1}, {2: 0, 0: 1}]
    >>> [(ancestor, rows.tolist()) for ancestor, rows in by_ancestor(up, np.array([0, 1, 2]))]
    [(0, [0, 1]), (1, [0]), (2, [1])]
    """
    ancestor = np.concatenate([np.fromiter(steps, dtype=np.int64) for steps in up])
    row = np.repeat(np.arange(len(up)), [len(steps) for steps in up])
    order = np.lexsort((row, rank[ancestor]))
    ancestor, row = ancestor[order], row[order]
    starts = np.flatnonzero(np.diff(ancestor, prepend=-1))
    return list(zip(ancestor[starts].tolist(), np.split(row, starts[1:]), strict=True))


def lcsh(groups: Iterable[Group], n: int, heights: np.ndarray) -> np.ndarray:
    """(n, n) float64 similarity 1 − height(lcs) / H (Deng et al., CVPR 2011); NaN without a common ancestor.

    heights: (nodes,) of all nodes; H is the largest.

    >>> lcsh([(0, np.array([0, 1])), (1, np.array([0])), (2, np.array([1]))], 2, np.array([1, 0, 0])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    result, largest = np.full((n, n), np.nan), heights.max()
    for ancestor, below in groups:
        result[np.ix_(below, below)] = 1 - heights[ancestor] / largest
    return result


def wup(groups: Iterable[Group], up: Sequence[Steps], above: Mapping[int, Steps], depths: np.ndarray) -> np.ndarray:
    """(n, n) float64 similarity 2·dₛ / (d_a + d_b) of Wu and Palmer (ACL 1994); NaN without a common ancestor.

    dₛ is the depth of the lcs, d_x = dₛ + the fewest edges between x and the lcs over a common ancestor, which in
    a graph that is no tree may be fewer than straight up. up: of each row; above: of each ancestor.

    >>> up = [{1: 0, 0: 1}, {2: 0, 0: 1}]
    >>> groups = by_ancestor(up, np.array([0, 1, 2]))
    >>> wup(groups, up, {0: {0: 0}, 1: {1: 0}, 2: {2: 0}}, np.array([1, 2, 2])).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    result = np.full((len(up), len(up)), np.nan)
    for ancestor, below in groups:
        steps = [_between(up[row], above[ancestor]) for row in below]
        depth = depths[ancestor] + np.array(steps)
        for rows in blocks(len(below), len(below)):
            result[np.ix_(below[rows], below)] = 2 * depths[ancestor] / (depth[rows, None] + depth)
    return result


def _between(low: Steps, high: Steps) -> int:
    """The fewest edges between two nodes over an ancestor of both, where the second is one of the first's."""
    return min(low[node] + steps for node, steps in high.items())
