"""Every item of a gallery as a query: its ranked list of all others, and what such a list is worth.

`nearest_first` makes the lists, in blocks of bounded memory. The order is exact in float64 and stable: equally distant
items come by index. NumPy on a CPU, torch on a GPU.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kith.errors import KithError
from kith.similarity import as_array, as_matrix, similarity_blocks, unit_rows

CACHED = 1 << 19  # distances that are sorted while they stay in a processor's cache
ON_GPU = 1 << 25  # distances held at once on a GPU


def nearest_first(
    features: Any, queries: np.ndarray, limit: int, normalize: bool = False
) -> Iterator[tuple[np.ndarray, Any]]:
    """For block after block of `queries` (row numbers): these and their nearest others, (block, limit) int64.

    features: (n, d) array or torch tensor; distances are computed in float64. The key is the squared Euclidean
    distance or, with `normalize`, 1 − cosine, where a zero row is at 1 from everything. limit: at most n − 1.
    The indices are a tensor on the features' device if that is a GPU, else an array. Raises KithError for a row
    that is not finite.

    >>> [order.tolist() for _, order in nearest_first(np.array([[0.0], [1.0], [3.0]]), np.arange(3), limit=2)]
    [[[1, 2], [0, 2], [1, 0]]]
    """
    queried, candidates = _factors(as_matrix(features, "features").astype(np.float64, copy=False), normalize)
    gpu = gpu_of(features)
    if gpu is not None:
        yield from _on_gpu(queried, candidates, queries, limit, gpu)
        return
    step = max(1, CACHED // len(candidates))
    for block, distances in similarity_blocks(queried[queries], candidates):
        rows = queries[block]
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            yield rows[part], _order(distances[part], rows[part], limit)


def first_hit_ranks(vectors: Any, labels: Any) -> np.ndarray:
    """(n,) rank of the nearest other item of the same class among all others, by cosine, from 1.

    vectors: (n, d); labels: (n,) integers. Answers that tie with it count half. NaN for the only item of a class.

    >>> first_hit_ranks([[1, 0], [1, 0.1], [0.1, 1], [0, 1]], [0, 1, 0, 2]).tolist()
    [2.0, nan, 3.0, nan]
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


def hit_precisions(hits: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of (n, m) bool, whether the answer at each rank is right (array or tensor on any device): the numbers of
    right answers (n,), and the precision at each of them, row by row, (n_right,) float64.

    >>> counts, precisions = hit_precisions(np.array([[True, False, True]]))
    >>> counts.tolist(), precisions.round(3).tolist()
    ([2], [1.0, 0.667])
    """
    rows, columns = np.nonzero(hits) if isinstance(hits, np.ndarray) else map(as_array, hits.nonzero(as_tuple=True))
    counts = np.bincount(rows, minlength=len(hits))
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return counts, (place + 1) / (columns + 1)


def average_precision(counts: np.ndarray, precisions: np.ndarray) -> np.ndarray:
    """(n,) float64 means of what `hit_precisions` returns; 0 for a row without a right answer.

    >>> average_precision(*hit_precisions(np.array([[True, False, True], [False, True, False]]))).round(3).tolist()
    [0.833, 0.5]
    """
    rows = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(rows, weights=precisions, minlength=len(counts)) / np.maximum(counts, 1)


def precision_at_recall(counts: np.ndarray, precisions: np.ndarray, steps: int = 100) -> np.ndarray:
    """(n, steps + 1) float64: the highest precision at a recall of at least 0, 1/steps, …, 1, from what
    `hit_precisions` returns; 0 for a row without a right answer.

    >>> precision_at_recall(*hit_precisions(np.array([[True, False, True]])), steps=2).round(3).tolist()
    [[1.0, 1.0, 0.667]]
    """
    # Running maxima from each row's end: offsets that grow from the last row to the first keep rows apart.
    offset = np.repeat(2.0 * np.arange(len(counts), 0, -1), counts)
    highest = np.maximum.accumulate((precisions + offset)[::-1])[::-1] - offset
    some = np.flatnonzero(counts)
    needed = np.maximum(1, -(-np.arange(steps + 1) * counts[some, None] // steps))
    found = np.zeros((len(counts), steps + 1))
    found[some] = highest[(np.cumsum(counts) - counts)[some, None] + needed - 1]
    return found


def gpu_of(values: Any) -> Any:
    """The GPU on which a tensor lies, else None.

    >>> gpu_of([1.0, 2.0]) is None
    True
    """
    return values.device if hasattr(values, "detach") and values.device.type == "cuda" else None


def _factors(features: np.ndarray, normalize: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two matrices whose rows' dot products are the distances: one matrix product, no pass for the norms."""
    ones = np.ones((len(features), 1))
    if normalize:
        unit = unit_rows(features, "features")
        return np.hstack([unit, ones]), np.hstack([-unit, ones])
    with np.errstate(over="ignore", invalid="ignore"):
        squared = np.square(features).sum(axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(4 * squared))
    if len(bad):
        raise KithError(f"features: row {bad[0]} is not finite, or too large to be squared ({len(bad)} such rows)")
    return np.hstack([features, squared, ones]), np.hstack([-2 * features, ones, squared])


def _order(distances: np.ndarray, own: np.ndarray, limit: int) -> np.ndarray:
    """Columns of the `limit` smallest distances of each row, itself (column `own`) left out; changes `distances`.

    A distance and its column are packed in one integer, as sorting integers is far cheaper than sorting indices.
    Packing drops the lowest bits of the distance; rows in which these decide are mended.
    """
    n = distances.shape[1]
    np.maximum(distances, 0, out=distances)
    distances[np.arange(len(own)), own] = np.inf
    column_bits = np.uint64(max(1, int(n - 1).bit_length()))
    columns = (np.uint64(1) << column_bits) - np.uint64(1)
    # Doubles from 0 up are in the order of their bits; the first bit, the sign, is shifted out.
    keys = distances.view(np.uint64) << np.uint64(1)
    keys &= ~columns
    keys |= np.arange(n, dtype=np.uint64)
    if limit < n - 1:
        keys = np.partition(keys, limit, axis=1)[:, : limit + 1]
    keys.sort(axis=1)
    order = (keys & columns).view(np.int64)
    keys >>= column_bits
    tied = keys[:, 1:] == keys[:, :-1]
    for row in np.flatnonzero(tied.any(axis=1)):
        exact = distances[row, order[row]]
        if tied[row, limit - 1 :].any() or (exact[1:] < exact[:-1]).any():
            order[row] = np.argsort(distances[row], kind="stable")[: order.shape[1]]
    return order[:, :limit]


def _on_gpu(
    queried: np.ndarray, candidates: np.ndarray, queries: np.ndarray, limit: int, device: Any
) -> Iterator[tuple[np.ndarray, Any]]:
    import torch

    left, right = (torch.as_tensor(side, device=device) for side in (queried, candidates))
    step = max(1, ON_GPU // len(right))
    for start in range(0, len(queries), step):
        rows = queries[start : start + step]
        own = torch.as_tensor(rows, device=device)
        distances = (left[own] @ right.T).clamp_(min=0)
        distances[torch.arange(len(own), device=device), own] = torch.inf
        yield rows, distances.sort(dim=1, stable=True).indices[:, :limit]
