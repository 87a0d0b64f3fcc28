"""R-precision and mAP@R across modalities: how many of the first R answers are right, where R are right in all?

Musgrave et al., ECCV 2020; Chun et al., "ECCV Caption", ECCV 2022. With the right answers r_1, r_2, … ∈ {0, 1}:

    R-precision = Σ_{k ≤ R} r_k / R         mAP@R = Σ_{k ≤ R} r_k P(k) / R, P(k) the precision of the first k
"""

from typing import Any

import numpy as np

from kith.metrics.graded import lists_of
from kith.metrics.relevance import as_relevance
from kith.metrics.tied_precision import harmonic_numbers, precision_sums, right_found
from kith.metrics.ties import runs
from kith.similarity import similarity_blocks, unit_rows


def retrieval_at_r(queries: Any, candidates: Any, relevant: Any = None) -> dict[str, np.ndarray]:
    """Queries (n, d) find candidates (m, d), arrays or tensors, by cosine.

    relevant: as `kith.metrics.cross_modal.cross_modal_retrieval` takes it. Equally similar candidates count by the
    exact expectation over their orders. Returns (n,) float64 "r_precision" and "map@r". Raises KithError for rows that
    are not finite and queries without a right candidate.

    >>> pictures = np.array([[1.0, 0], [1.0, 0.1], [0.9, 0.3], [0, 1.0]])
    >>> found = retrieval_at_r([[1.0, 0.0]], pictures, [[1, 2]])  # the first answer is wrong, the second right
    >>> found["r_precision"].tolist(), found["map@r"].tolist()
    ([0.5], [0.25])
    """
    queries, candidates = unit_rows(queries, "queries"), unit_rows(candidates, "candidates")
    relevance = as_relevance(relevant, len(queries), len(candidates))
    precision, average = np.empty((2, len(queries)))
    places, harmonic = np.arange(1, len(candidates) + 1), harmonic_numbers(len(candidates))
    for block, scores in similarity_blocks(queries, candidates):
        rows, columns = relevance.pairs(block)
        right, count = np.zeros(scores.shape, dtype=bool), relevance.counts[block]
        right[rows, columns] = True
        found = lists_of(np.arange(len(scores)), -scores)
        hits = np.take_along_axis(right, found.order, axis=1) & (places <= count[:, None])
        precision[block] = hits.sum(axis=1) / count
        average[block] = (hits * np.cumsum(hits, axis=1) / places).sum(axis=1) / count
        for row, order, starts in found.tied:
            first = runs(right[row, order], starts, int(count[row]))
            precision[block.start + row] = right_found(first, "expected").sum() / count[row]
            average[block.start + row] = precision_sums(first, "expected", harmonic).sum() / count[row]
    return {"r_precision": precision, "map@r": average}
