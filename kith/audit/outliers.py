"""Items that are far from all others."""

import numpy as np

from kith.neighbors import Graph

APART = 3.5  # deviations of a robust scale (Iglewicz & Hoaglin 1993)


def outliers(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose nearest are far, by falling distance, and the share of rows whose nearest are nearer, (n,) float64.

    The distance of a row is 1 − cosine of the last of its k nearest (Ramaswamy et al., SIGMOD 2000); it is far if its
    logarithm is 3.5 deviations above the median, the deviation estimated by the median absolute one. Rows that have
    no neighbours at all are left out. graph: as of `kith.neighbors.neighbor_graph`.

    >>> from kith.neighbors import neighbor_graph
    >>> vectors = np.random.default_rng(0).normal(size=(41, 3)) + [4, 0, 0]
    >>> vectors[40] = [-4, 0, 0]
    >>> rows, share = outliers(neighbor_graph(vectors, k=2))
    >>> rows.tolist(), share.round(2).tolist()
    ([40], [1.0])
    """
    known = np.flatnonzero(graph[0][:, 0] >= 0)
    if not len(known):
        return np.zeros(0, np.int64), np.zeros(0)
    last = np.where(graph[0][known] >= 0, graph[1][known], np.inf).min(axis=1)
    distance = np.log(np.maximum(1 - last, 1e-6))
    median = np.median(distance)
    deviation = 1.4826 * np.median(np.abs(distance - median))
    far = np.flatnonzero(distance - median > APART * max(deviation, 1e-9))
    order = far[np.argsort(-distance[far], kind="stable")]
    ranks = np.searchsorted(np.sort(distance), distance[order], side="left") / max(1, len(known) - 1)
    return known[order], np.minimum(ranks, 1.0)
