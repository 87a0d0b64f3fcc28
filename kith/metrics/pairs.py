"""Matched pairs, a text and its own picture: how near are they, and does the partner come first among N candidates?

Distances as Dorfer et al. (IJMIR 2018) report them; N-way accuracy after Thomas & Kovashka (ECCV 2020, their task),
where a candidate that scores as high as the partner beats it: ties are failures.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kith.errors import KithError
from kith.metrics.relevance import as_relevance
from kith.similarity import as_vectors, blocks, similarity_blocks, unit_rows


def pair_distances(first: Any, second: Any) -> np.ndarray:
    """1 − cos of row i of `first` and row i of `second`, in [0, 2].

    first, second: (n, d) arrays or torch tensors of any lengths; a zero row is at distance 1 from everything. Of K
    vectors an item, (n, K, d), the two nearest count.
    Computed in float64 whatever the precision given. Returns (n,) float64. Raises KithError for different
    shapes and for a row that is not finite.

    >>> pair_distances([[1.0, 0], [1, 0]], [[2.0, 0], [0, 1]]).tolist()
    [0.0, 1.0]
    """
    first, second = as_vectors(first, "first"), as_vectors(second, "second")
    if first.shape != second.shape:
        raise KithError(f"pairs need a row each: the first has the shape {first.shape}, the second {second.shape}")
    a, b = unit_rows(first.astype(np.float64), "first"), unit_rows(second.astype(np.float64), "second")
    near = np.einsum("ij,ij->i", a, b) if a.ndim == 2 else np.einsum("ikd,ild->ikl", a, b).max(axis=(1, 2))
    return 1 - near.clip(-1, 1)


def distance_summary(distances: np.ndarray) -> dict[str, float]:
    """ "mean_distance", "median_distance", "min_distance" and "max_distance" of distances (n,), n ≥ 1.

    >>> distance_summary(np.array([0.0, 0.5, 1.0]))["mean_distance"]
    0.5

    Raises KithError where there are none.
    """
    if not len(distances):
        raise KithError("distances: there are none")
    return {
        "mean_distance": float(np.mean(distances)),
        "median_distance": float(np.median(distances)),
        "min_distance": float(np.min(distances)),
        "max_distance": float(np.max(distances)),
    }


def random_nway(
    queries: Any, candidates: Any, partners: np.ndarray, relevant: Any = None, ways: Sequence[int] = (5, 20)
) -> dict[int, np.ndarray]:
    """Probability that the partner is first among N − 1 distractors drawn at random, for each N in `ways`.

    Distractors are drawn without replacement from the wrong candidates: those not in `relevant`, which holds
    the partner and everything of its group. Nothing is sampled: with w wrong candidates, g of which score at
    least as high as the partner, P(first) = Π_{r=0}^{N−2} (w − g − r) / (w − r).

    queries (n_queries, d), candidates (n_candidates, d), partners (n_queries,) candidate indices; `relevant`
    as in `cross_modal_retrieval`. Returns {N: (n_queries,) float64 in [0, 1]}. Raises KithError where a
    partner is not among the right candidates and where there are fewer than N − 1 wrong ones.

    >>> queries, candidates = np.array([[1.0, 0]]), np.array([[1.0, 0.5], [1.0, 0], [0, 1.0], [0.1, 1.0]])
    >>> random_nway(queries, candidates, np.array([0]), [[0]], ways=[3])[3].round(3).tolist()  # one of three beats it
    [0.333]
    """
    queries, candidates = unit_rows(queries, "queries"), unit_rows(candidates, "candidates")
    relevance = as_relevance(relevant, len(queries), len(candidates))
    partners = np.asarray(partners)
    better = np.empty(len(queries), dtype=np.int64)
    for block, scores in similarity_blocks(queries, candidates):
        rows, columns = relevance.pairs(block)
        mine = partners[block]
        known = np.bincount(rows[columns == mine[rows]], minlength=len(mine))
        if not known.all():
            raise KithError(f"query {block.start + np.argmin(known)}: its partner is not in `relevant`")
        partner = scores[np.arange(len(scores)), mine]
        right = np.bincount(rows[scores[rows, columns] >= partner[rows]], minlength=len(scores))
        better[block] = np.count_nonzero(scores >= partner[:, None], axis=1) - right
    wrong = len(candidates) - relevance.counts
    return {n: probability_first(wrong, better, n) for n in ways}


def probability_first(wrong: np.ndarray, better: np.ndarray, n: int) -> np.ndarray:
    """P(none of n − 1 draws without replacement from `wrong` candidates is a `better` one), elementwise.

    >>> probability_first(np.array([3]), np.array([1]), n=3).round(3).tolist()
    [0.333]

    Raises KithError where a query has fewer than n − 1 wrong candidates.
    """
    if len(wrong) and wrong.min() < n - 1:
        raise KithError(f"{n}-way accuracy needs {n - 1} distractors, a query has only {wrong.min()}")
    draws = np.arange(n - 1)
    left = np.maximum(wrong[:, None] - better[:, None] - draws, 0)
    return np.prod(left / (wrong[:, None] - draws), axis=1)


def hard_nway(queries: Any, candidates: Any, partners: np.ndarray, distractors: np.ndarray) -> np.ndarray:
    """1 where the partner scores strictly higher than each of the given distractors, else 0.

    queries (n_queries, d), candidates (n_candidates, d), partners (n_queries,) and distractors (n_queries, N
    − 1) candidate indices, typically the nearest by their semantic vectors (`kith.neighbors.nearest`). A row of
    distractors that holds a −1 has none to offer: NaN. Returns (n_queries,) float64. Raises KithError for a partner
    that is among its own distractors.

    >>> hard_nway([[1.0, 0]], [[1.0, 0.1], [1.0, 0.2], [1.0, 0.0]], np.array([0]), np.array([[1]])).tolist()
    [1.0]
    """
    queries, candidates = unit_rows(queries, "queries"), unit_rows(candidates, "candidates")
    choices = np.column_stack([partners, distractors])
    own = np.flatnonzero((choices[:, 1:] == choices[:, :1]).any(axis=1) & (choices[:, 0] >= 0))
    if len(own):
        raise KithError(f"query {own[0]}: its partner {choices[own[0], 0]} is among its distractors")
    first = np.empty(len(queries))
    of_sets = candidates.ndim == 3
    for block in blocks(len(queries), choices.shape[1] * candidates[0].size * (candidates.shape[1] if of_sets else 1)):
        # Products and sums row by row: equal vectors get equal scores, which a BLAS does not promise.
        asked, found = queries[block, None], candidates[choices[block]]
        if of_sets:
            scores = (asked[:, :, :, None] * found[:, :, None]).sum(axis=4).max(axis=(2, 3))
        else:
            scores = (asked * found).sum(axis=2)
        first[block] = (scores[:, :1] > scores[:, 1:]).all(axis=1)
    return np.where((choices < 0).any(axis=1), np.nan, first)
