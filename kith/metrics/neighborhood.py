"""Does an embedding keep semantic neighbourhoods? (Thomas & Kovashka, ECCV 2020: within one modality.)

For each item, its k nearest in the learned space are held against its k nearest in the semantic space, both
by cosine similarity and both without the item itself and its group.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kith.errors import KithError
from kith.metrics.relevance import same_group
from kith.metrics.ties import at_places, tied_list
from kith.similarity import similarity_blocks, top_k, unit_rows


def neighborhood_quality(learned: Any, semantic: Any, groups: np.ndarray, k: int = 10) -> dict[str, np.ndarray]:
    """How far the k nearest in the learned space are those nearest in meaning.

    recall  share of the k semantic neighbours among the k learned ones. A learned neighbour counts if it is
            at least as similar in meaning as the k-th semantic one, so the order of equals does not matter.
    ndcg    Σ_i gain_i / log2(i + 1) over the learned neighbours i = 1 … k, divided by the same of the best
            order; the gain is the semantic similarity, 0 where that is negative.

    Learned neighbours that are equally near count by the expectation over their orders. A candidate of semantic
    similarity ≤ 0 is nobody's neighbour: with fewer than k others, recall is of those.

    learned (n, d), semantic (n, e) dense or scipy.sparse, groups (n,) labels. Returns "recall" and "ndcg", (n,)
    float64, NaN for items left out: those with a zero semantic vector (which are nobody's neighbours either) or with
    no semantic neighbour at all. Raises KithError if an item has fewer than k others.

    >>> semantic = np.array([[1, 0], [1, 0.1], [0.1, 1], [0, 1]])
    >>> found = neighborhood_quality(np.array([[1, 0], [0, 1], [1, 0.1], [0.1, 1]]), semantic, np.arange(4), k=1)
    >>> found["recall"].tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    semantic = unit_rows(semantic, "semantic vectors")
    kept = np.flatnonzero(lengths(semantic) > 0)
    recall, ndcg = np.full((2, semantic.shape[0]), np.nan)
    learned, semantic, groups = unit_rows(learned, "learned vectors")[kept], semantic[kept], groups[kept]
    discount = 1 / np.log2(np.arange(2, k + 2))
    both = zip(_other_groups(learned, groups), _other_groups(semantic, groups), strict=True)
    for (block, near), (_, semantic) in both:
        _check(semantic, k)
        gains, best = semantic.clip(0).astype(np.float64), top_k(semantic, k)[1].clip(0).astype(np.float64)
        neighbors = np.count_nonzero(best > 0, axis=1)
        gain, right = _at_places(near, k, gains, (gains >= best[:, -1:]) & (gains > 0))
        hits = right.sum(axis=1)
        some = np.where(neighbors > 0, 1.0, np.nan)
        recall[kept[block]] = some * hits / np.maximum(neighbors, 1)
        ndcg[kept[block]] = some * (gain @ discount) / np.where(neighbors > 0, best @ discount, 1)
    return {"recall": recall, "ndcg": ndcg}


def others(vectors: Any, groups: np.ndarray) -> int:
    """The largest k that `neighborhood_quality` can serve: fewest items of other groups.

    >>> others(np.eye(4), np.array([0, 0, 1, 2]))
    2
    """
    kept = groups[lengths(vectors) > 0]
    return len(kept) - int(np.unique(kept, return_counts=True)[1].max(initial=0))


def _other_groups(vectors: Any, groups: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of similarities with −inf where two items are of one group (or one item)."""
    own = same_group(groups, groups)
    for block, scores in similarity_blocks(vectors, vectors):
        scores[own.pairs(block)] = -np.inf
        yield block, scores


def lengths(vectors: Any) -> np.ndarray:
    """(n,) lengths of the rows of a dense or scipy.sparse matrix.

    >>> lengths(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [5.0, 0.0]
    """
    squares = vectors.multiply(vectors) if hasattr(vectors, "multiply") else vectors * vectors
    return np.sqrt(np.asarray(squares.sum(axis=1)).ravel())


def _at_places(near: np.ndarray, k: int, *worth: np.ndarray) -> list[np.ndarray]:
    """Of tables like the similarities `near` (n, m): (n, k) float64, what the k nearest are worth, place by place."""
    columns, values = top_k(near, min(k + 1, near.shape[1]))
    found = [np.take_along_axis(table, columns[:, :k], axis=1).astype(np.float64) for table in worth]
    for row in np.flatnonzero((values[:, 1:] == values[:, :-1]).any(axis=1)):
        order = np.argsort(-near[row], kind="stable")
        order = order[: np.count_nonzero(near[row] >= values[row, k - 1])]
        starts = tied_list(int(row), order, near[row, order]).starts
        for table, each in zip(worth, found, strict=True):
            each[row] = at_places(table[row, order], starts, k)
    return found


def _check(scores: np.ndarray, k: int) -> None:
    fewest = int(np.count_nonzero(scores > -np.inf, axis=1).min())
    if fewest < k:
        raise KithError(f"{k} nearest items asked for, but an item has only {fewest} of other groups")
