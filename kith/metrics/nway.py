"""N-way accuracy: is the partner ranked first among N candidates? (Thomas & Kovashka, ECCV 2020, their task.)

A candidate that scores as high as the partner beats it: ties are failures.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kith.errors import KithError
from kith.metrics.relevance import as_relevance
from kith.similarity import blocks, similarity_blocks, unit_rows


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
    """P(none of n − 1 draws without replacement from `wrong` candidates is a `better` one), elementwise."""
    if len(wrong) and wrong.min() < n - 1:
        raise KithError(f"{n}-way accuracy needs {n - 1} distractors, a query has only {wrong.min()}")
    draws = np.arange(n - 1)
    left = np.maximum(wrong[:, None] - better[:, None] - draws, 0)
    return np.prod(left / (wrong[:, None] - draws), axis=1)


def hard_nway(queries: Any, candidates: Any, partners: np.ndarray, distractors: np.ndarray) -> np.ndarray:
    """1 where the partner scores strictly higher than each of the given distractors, else 0.

    queries (n_queries, d), candidates (n_candidates, d), partners (n_queries,) and distractors (n_queries, N
    − 1) candidate indices, typically the nearest in meaning (`kith.neighbors.nearest`). A row of
    distractors that holds a −1 has none to offer: NaN. Returns (n_queries,) float64.
    """
    queries, candidates = unit_rows(queries, "queries"), unit_rows(candidates, "candidates")
    choices = np.column_stack([partners, distractors])
    first = np.empty(len(queries))
    for block in blocks(len(queries), choices.shape[1] * candidates.shape[1]):
        # Products and sums row by row: equal vectors get equal scores, which a BLAS does not promise.
        scores = (queries[block, None, :] * candidates[choices[block]]).sum(axis=2)
        first[block] = (scores[:, :1] > scores[:, 1:]).all(axis=1)
    return np.where((choices < 0).any(axis=1), np.nan, first)
