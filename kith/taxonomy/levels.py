"""How many edges lead from the nodes without predecessors to every other node of a directed graph."""

import numpy as np
from scipy.sparse import csr_matrix


def adjacency(edges: np.ndarray, n: int) -> csr_matrix:
    """(n, n) matrix with a row for each node that holds its successors. edges: (m, 2) int64 rows (from, to).

    >>> adjacency(np.array([[0, 1], [1, 2]]), 3).toarray().tolist()
    [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    """
    return csr_matrix((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(n, n))


def longest(graph: csr_matrix) -> np.ndarray:
    """(n,) int64 edges of the longest path that ends at each node; −1 for nodes on a cycle or behind one.

    >>> longest(adjacency(np.array([[0, 1], [1, 2], [0, 2]]), 3)).tolist()
    [0, 1, 2]
    """
    level = np.full(graph.shape[0], -1, dtype=np.int64)
    waiting = np.bincount(graph.indices, minlength=len(level))
    front, step = np.flatnonzero(waiting == 0), 0
    while len(front):
        level[front] = step
        reached, times = np.unique(graph[front].indices, return_counts=True)
        waiting[reached] -= times
        front, step = reached[waiting[reached] == 0], step + 1
    return level


def shortest(graph: csr_matrix) -> np.ndarray:
    """(n,) int64 edges of the shortest path to each node from one without predecessors; −1 where there is none.

    >>> shortest(adjacency(np.array([[0, 1], [1, 2], [0, 2]]), 3)).tolist()
    [0, 1, 1]
    """
    level = np.full(graph.shape[0], -1, dtype=np.int64)
    front, step = np.flatnonzero(np.bincount(graph.indices, minlength=len(level)) == 0), 0
    while len(front):
        level[front] = step
        reached = np.unique(graph[front].indices)
        front, step = reached[level[reached] < 0], step + 1
    return level


def cycle(graph: csr_matrix, level: np.ndarray) -> list[int]:
    """Nodes of one cycle, each the predecessor of the next, given the `longest` levels of a graph that has one.

    >>> graph = adjacency(np.array([[0, 1], [1, 0]]), 2)
    >>> sorted(cycle(graph, longest(graph)))
    [0, 1]
    """
    predecessors = graph.T.tocsr()
    node = int(np.flatnonzero(level < 0)[0])
    walk: dict[int, int] = {}
    while node not in walk:
        walk[node] = len(walk)
        before = predecessors[[node]].indices
        node = int(before[level[before] < 0].min())
    return list(walk)[walk[node] :][::-1]
