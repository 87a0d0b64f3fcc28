"""Pairs of vectors that are nearly the same, each found among the nearest of the other."""

from typing import Literal

import numpy as np

from kith.neighbors import Graph, neighbor_graph


def near_pairs(
    vectors: np.ndarray,
    groups: np.ndarray,
    k: int = 5,
    least: float = -1.0,
    method: Literal["auto", "exact", "hnsw"] = "auto",
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """As `pairs_of`, of the graph of `vectors` (m, d): no pair is of one group. groups: (m,) integers.

    method, seed: as of `kith.neighbors.neighbor_graph`: exact up to 200,000 rows, then HNSW.

    >>> pairs, similarity = near_pairs(np.array([[1, 0], [0, 1], [1, 0.01]]), np.arange(3), k=1, least=0.9)
    >>> pairs.tolist(), similarity.astype(float).round(2).tolist()
    ([[0, 2]], [1.0])
    """
    return pairs_of(neighbor_graph(vectors, k, method, groups, seed=seed), least)


def pairs_of(graph: Graph, least: float = -1.0) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) int64 pairs of rows, the lower first, ascending; and their cosine similarities (n,) float32.

    A pair is there if one is among the nearest of the other, and at least `least` near. graph: as of
    `kith.neighbors.neighbor_graph`.

    >>> pairs_of((np.array([[1], [0], [-1]]), np.array([[0.5], [0.5], [0.0]], np.float32)))[0].tolist()
    [[0, 1]]
    """
    indices, similarities = graph
    row, place = np.nonzero((indices >= 0) & (similarities >= least))
    other = indices[row, place].astype(np.int64)
    pairs, first = np.unique(np.stack([np.minimum(row, other), np.maximum(row, other)], 1), axis=0, return_index=True)
    return pairs.reshape(-1, 2), similarities[row, place][first]
