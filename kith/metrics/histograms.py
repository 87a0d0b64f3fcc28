"""How far apart are binary codes: of each query, how many items, and how many right ones, lie at each distance?"""

from typing import NamedTuple

import numpy as np

from kith.codes import hamming_blocks
from kith.metrics.relevance import alike

IN_PAIRS = 300  # bytes, in times of the bits: of fewer it costs more to add up the pairs than to count each


class Histograms(NamedTuple):
    """(n_queries, bits + 1) int64: items of the database at each Hamming distance, and the right ones among them."""

    items: np.ndarray
    right: np.ndarray


def histograms(
    queries: np.ndarray,
    database: np.ndarray,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    bits: int,
    exclude_self: bool = False,
) -> Histograms:
    """Distances of packed codes (n, words) and (m, words) uint64, counted; right are the items of the query's class.

    query_labels (n,), database_labels (m,): integers; or (n, C), (m, C) bool, and right is what shares a label.
    exclude_self: query i is item i, and does not count.

    >>> from kith.codes import pack
    >>> codes = pack(np.array([[1, 1], [1, -1], [-1, -1]]))
    >>> found = histograms(codes[:1], codes, np.array([0]), np.array([0, 0, 1]), bits=2)
    >>> found.items.tolist(), found.right.tolist()
    ([[1, 1, 1]], [[1, 1, 0]])
    """
    if query_labels.ndim == 2:
        return _of_sets(queries, database, query_labels, database_labels, bits, exclude_self)
    order = np.argsort(database_labels, kind="stable")  # the right items of a query are one slice
    first, last = (np.searchsorted(database_labels[order], query_labels, side=side) for side in ("left", "right"))
    items, right = np.zeros((2, len(queries), bits + 1), dtype=np.int64)
    for block, distances in hamming_blocks(queries, database[order]):
        for query, row in zip(range(block.start, block.stop), distances, strict=True):
            items[query] = counted(row, bits)
            right[query] = counted(row[first[query] : last[query]], bits)
    if exclude_self:
        items[:, 0] -= 1
        right[:, 0] -= 1
    return Histograms(items, right)


def _of_sets(
    queries: np.ndarray,
    database: np.ndarray,
    query_sets: np.ndarray,
    database_sets: np.ndarray,
    bits: int,
    exclude_self: bool,
) -> Histograms:
    items, right = np.zeros((2, len(queries), bits + 1), dtype=np.int64)
    for block, distances in hamming_blocks(queries, database):
        found = alike(query_sets[block], database_sets)
        for query, row, shares in zip(range(block.start, block.stop), distances, found, strict=True):
            items[query], right[query] = counted(row, bits), counted(row[shares], bits)
    if exclude_self:
        items[:, 0] -= 1
        right[:, 0] -= query_sets.any(axis=1)
    return Histograms(items, right)


def radius_curves(found: Histograms) -> dict[str, np.ndarray]:
    """Of each radius 0 … bits: "precision" and "recall" of all pairs of queries and items within it, (bits + 1,)
    float64; precision is NaN where there is none.

    >>> curves = radius_curves(Histograms(np.array([[0, 2, 1]]), np.array([[0, 1, 1]])))
    >>> curves["precision"].round(2).tolist(), curves["recall"].tolist()
    ([nan, 0.5, 0.67], [0.0, 0.5, 1.0])
    """
    items, right = (np.cumsum(table.sum(axis=0)) for table in found)
    with np.errstate(invalid="ignore"):
        return {"precision": right / np.where(items > 0, items, np.nan), "recall": right / max(1, int(right[-1]))}


def counted(distances: np.ndarray, bits: int) -> np.ndarray:
    """(bits + 1,) int64 times that each distance 0 … bits occurs. Many bytes are counted in pairs: half the work.

    >>> counted(np.array([2, 0, 2], dtype=np.uint8), bits=3).tolist()
    [1, 0, 2, 0]
    """
    if distances.dtype != np.uint8 or len(distances) < IN_PAIRS * bits:
        return np.bincount(distances, minlength=bits + 1)
    even = len(distances) // 2 * 2
    pairs = np.bincount(distances[:even].view(np.uint16), minlength=256 * (bits + 1)).reshape(bits + 1, -1)
    table = pairs[:, : bits + 1]
    counts = table.sum(axis=0) + table.sum(axis=1)
    if even < len(distances):
        counts[distances[-1]] += 1
    return counts
