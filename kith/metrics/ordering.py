"""Every item of a gallery as a query: its ranked list of all others, and what such a list is worth.

`nearest_first` makes the lists, in blocks of bounded memory. The order is exact in float64 and stable: equally distant
items come by index; `ranked_lists` also tells which are. NumPy on a CPU, torch on a GPU.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from kith.errors import KithError
from kith.metrics.ties import TiedList, first_right, tied_list
from kith.similarity import as_array, as_vectors, similarity_blocks, unit_rows

CACHED = 1 << 17  # distances that are sorted while they stay in a processor's cache
ON_GPU = 1 << 25  # distances held at once on a GPU


class RankedLists(NamedTuple):
    """A block of queries (n,), what they find, (n, limit) int64, and those of the lists in which items tie."""

    queries: np.ndarray
    order: Any
    tied: list[TiedList]


class FirstHits(NamedTuple):
    """Of each query, (n,) float64: the expected rank of its first right answer, and the expected reciprocal rank."""

    rank: np.ndarray
    reciprocal: np.ndarray


def nearest_first(
    features: Any, queries: np.ndarray, limit: int, normalize: bool = False
) -> Iterator[tuple[np.ndarray, Any]]:
    """`ranked_lists` without what ties: (block,) queries and (block, limit) int64 answers.

    >>> [order.tolist() for _, order in nearest_first(np.array([[0.0], [1.0], [3.0]]), np.arange(3), limit=2)]
    [[[1, 2], [0, 2], [1, 0]]]
    """
    for block in ranked_lists(features, queries, limit, normalize):
        yield block.queries, block.order


def ranked_lists(features: Any, queries: np.ndarray, limit: int, normalize: bool = False) -> Iterator[RankedLists]:
    """For block after block of `queries` (row numbers): these and their nearest others.

    features: (n, d) array or torch tensor, or of K vectors an item (n, K, d), then by cosine; distances are computed in
    float64. The key is the squared Euclidean distance or, with `normalize`, 1 − cosine, where a zero row is at 1 from
    everything. limit: at most n − 1. The indices are a tensor on the features' device if that is a GPU, else an array.
    Raises KithError for a row that is not finite.

    >>> ((_, order, tied),) = ranked_lists(np.array([[0.0], [1.0], [-1.0]]), np.arange(3), limit=1)
    >>> order.tolist(), tied[0].order.tolist()  # of the first list: both others are equally near
    ([[1], [0], [0]], [1, 2])
    """
    queried, candidates = _factors(as_vectors(features, "features").astype(np.float64, copy=False), normalize)
    gpu = gpu_of(features)
    if gpu is not None and candidates.ndim == 2:
        yield from _on_gpu(queried, candidates, queries, limit, gpu)
        return
    step = max(1, CACHED // len(candidates))
    for block, distances in similarity_blocks(queried[queries], candidates):
        if candidates.ndim == 3:
            distances = 1 - distances
        rows = queries[block]
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            yield RankedLists(rows[part], *_order(distances[part], rows[part], limit))


def first_hits(vectors: Any, labels: Any) -> FirstHits:
    """At which rank, from 1, each item finds the nearest other of its class among all others, by cosine.

    vectors: (n, d); labels: (n,) integers. Of equally near ones every order is as likely. NaN for the only item of a
    class.

    >>> first_hits([[1, 0], [1, 0.1], [0.1, 1], [0, 1]], [0, 1, 0, 2]).rank.tolist()
    [2.0, nan, 3.0, nan]
    """
    unit, labels = unit_rows(vectors), np.asarray(labels)
    found = FirstHits(np.full(len(labels), np.nan), np.full(len(labels), np.nan))
    for rows, near in similarity_blocks(unit, unit):
        own = np.arange(rows.start, rows.stop)
        right = labels[rows, None] == labels[None, :]
        right[np.arange(len(own)), own] = False
        near[np.arange(len(own)), own] = -np.inf
        best = np.where(right, near, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
        better, equal = (near > best).sum(axis=1), (near == best) & (near > -np.inf)
        of_right = np.count_nonzero(equal & right, axis=1)
        wrong, some = np.count_nonzero(equal, axis=1) - of_right, right.any(axis=1)
        found.rank[rows] = np.where(some, 1 + better + wrong / (of_right + 1), np.nan)
        found.reciprocal[rows] = 1 / found.rank[rows]
        for row in np.flatnonzero(some & (wrong > 0)):
            found.reciprocal[rows.start + row] = first_right(better[row], of_right[row], wrong[row], ())[0]
    return found


def hit_precisions(hits: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of (n, m) bool, whether the answer at each rank is right (array or tensor on any device): the numbers of
    right answers (n,), and the precision at each of them, row by row, (n_right,) float64.

    >>> counts, precisions = hit_precisions(np.array([[True, False, True]]))
    >>> counts.tolist(), precisions.round(3).tolist()
    ([2], [1.0, 0.667])
    """
    # Where few are right, places in one row are found in a tenth of the time that rows and columns take.
    at = np.flatnonzero(hits) if isinstance(hits, np.ndarray) else as_array(hits.flatten().nonzero()[:, 0])
    rows, columns = np.divmod(at, hits.shape[1])
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
    """Two matrices whose rows' dot products are the distances: one matrix product, no pass for the norms. Of K vectors
    an item their unit vectors, twice."""
    if features.ndim == 3:
        unit = unit_rows(features, "features")
        return unit, unit
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


def _order(distances: np.ndarray, own: np.ndarray, limit: int) -> tuple[np.ndarray, list[TiedList]]:
    """Columns of the `limit` smallest distances of each row, itself (column `own`) left out, and rows in which some
    are equal; changes `distances`.

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
    close, tied = keys[:, 1:] == keys[:, :-1], []
    for row in np.flatnonzero(close.any(axis=1)):
        exact, whole = distances[row, order[row]], None
        if close[row, limit - 1 :].any() or (exact[1:] < exact[:-1]).any():
            whole = np.argsort(distances[row], kind="stable")
            order[row] = whole[: order.shape[1]]
            exact = distances[row, order[row]]
        if (exact[1:] == exact[:-1]).any():
            # A tie across the limit has been sorted whole; the list goes on to its end.
            found = (
                order[row, :limit] if whole is None else whole[: np.count_nonzero(distances[row] <= exact[limit - 1])]
            )
            tied.append(tied_list(int(row), found, distances[row, found]))
    return order[:, :limit], tied


def _on_gpu(
    queried: np.ndarray, candidates: np.ndarray, queries: np.ndarray, limit: int, device: Any
) -> Iterator[RankedLists]:
    import torch

    left, right = (torch.as_tensor(side, device=device) for side in (queried, candidates))
    step = max(1, ON_GPU // len(right))
    for start in range(0, len(queries), step):
        rows = queries[start : start + step]
        own = torch.as_tensor(rows, device=device)
        distances = (left[own] @ right.T).clamp_(min=0)
        distances[torch.arange(len(own), device=device), own] = torch.inf
        nearest, order = distances.sort(dim=1, stable=True)
        tied = []
        for row in (nearest[:, 1:] == nearest[:, :-1])[:, :limit].any(dim=1).nonzero()[:, 0].tolist():
            upto = max(limit, int((nearest[row] <= nearest[row, limit - 1]).sum()))
            tied.append(tied_list(row, as_array(order[row, :upto]), as_array(nearest[row, :upto])))
        yield RankedLists(rows, order[:, :limit], tied)
