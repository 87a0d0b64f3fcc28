"""Search of pictures by pictures: right answers are the others of the same class."""

from typing import Any

import numpy as np

from kith.similarity import similarity_blocks, unit_rows


def first_hit_ranks(vectors: Any, labels: Any) -> np.ndarray:
    """(n,) rank of the nearest other item of the same class among all others, by cosine, from 1.

    vectors: (n, d); labels: (n,) integers. Answers that tie with it count half. NaN for the only item of a class.
    """
    unit, labels = unit_rows(vectors), np.asarray(labels)
    ranks = np.full(len(labels), np.nan)
    for rows, near in similarity_blocks(unit, unit):
        own = np.arange(rows.start, rows.stop)
        right = labels[rows, None] == labels[None, :]
        right[np.arange(len(own)), own] = False
        near[np.arange(len(own)), own] = -np.inf
        best = np.where(right, near, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
        better, tied = (near > best).sum(axis=1), ((near == best) & ~right).sum(axis=1)
        ranks[rows] = np.where(right.any(axis=1), 1 + better + tied / 2, np.nan)
    return ranks
