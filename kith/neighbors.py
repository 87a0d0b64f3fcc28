"""Nearest neighbours by cosine: exact, or approximate with NMSLIB's HNSW."""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from kith.errors import KithError
from kith.selection import reached
from kith.similarity import as_matrix, distinct_rows, similarity_blocks, unit_rows

if TYPE_CHECKING:
    import scipy.sparse as sp

Vectors: TypeAlias = "np.ndarray | sp.csr_matrix"
Graph: TypeAlias = tuple[np.ndarray, np.ndarray]

# Exact search costs about 3.1e-9·n² CPU seconds, HNSW (build, and queries at recall .99) about 1.1e-3·n: they meet
# near 350,000 rows. The bound is lower: there exact search takes two minutes, and for twice the rows four times that.
EXACT_UP_TO = 200_000
HEAPS = 2  # in times of k: see `reached`
# Rows that are multiplied at once, if they give no more similarities than MOST; of few rows an eighth, but LEAST.
AT_ONCE, LEAST, MOST = 512, 128, 1 << 25
CACHED = 1 << 18  # similarities that are looked at while they stay in a processor's cache
EF_LEAST, EF_MOST = 200, 8192  # of efSearch, the length of HNSW's list of candidates


def neighbor_graph(
    vectors: Vectors,
    k: int,
    method: Literal["auto", "exact", "hnsw"] = "auto",
    groups: np.ndarray | None = None,
    min_recall: float = 0.99,
    sample: int = 1000,
    seed: int = 0,
) -> Graph:
    """The k nearest rows of each row by cosine similarity, itself and its group excluded.

    vectors: (n, d) floats or a sparse matrix; a zero row has no neighbours and is nobody's neighbour.
    groups: (n,) integers, equal for rows that are the same thing; default: every row its own.
    method: "exact" is a blocked matrix product; "hnsw" is NMSLIB's graph, its efSearch doubled until recall on
    `sample` exact queries reaches `min_recall`; "auto" takes exact up to 200,000 rows and for sparse vectors.
    seed: of the choice of these queries.

    Returns indices (n, k) int32 by falling similarity (ties: lower index first), −1 where there are fewer
    than k, and similarities (n, k) float32, 0 there. Raises ValueError if HNSW cannot reach `min_recall`, KithError
    for a row that is not finite.

    >>> indices, similarities = neighbor_graph(np.array([[1, 0], [3, 4], [0, 1]]), k=1)
    >>> indices.tolist(), similarities.astype(float).round(3).tolist()
    ([[1], [2], [1]], [[0.6], [0.8], [0.8]])
    """
    groups = np.arange(vectors.shape[0]) if groups is None else np.asarray(groups)
    unit, known = _unit(vectors)
    if method == "auto":
        method = "exact" if hasattr(unit, "tocsr") or unit.shape[0] <= EXACT_UP_TO else "hnsw"
    if method == "exact" or not known.any():
        return _exact(unit, known, groups, k, np.arange(unit.shape[0]))
    return _hnsw(unit, known, groups, k, min_recall, sample, seed)


def euclidean_graph(vectors: np.ndarray, k: int) -> Graph:
    """The k nearest rows of each row (n, d) by Euclidean distance, itself excluded, exactly; as of `neighbor_graph`,
    with minus the distance as similarity.

    >>> indices, similarities = euclidean_graph(np.array([[1.0, 0], [3, 0], [9, 0]]), k=1)
    >>> indices.tolist(), similarities.tolist()
    ([[1], [0], [1]], [[-2.0], [-2.0], [-6.0]])
    """
    rows = as_matrix(vectors, "vectors").astype(np.float64)
    known = np.abs(rows).max(axis=1, initial=0) > 0
    indices, similarities = np.full((len(rows), k), -1, np.int32), np.full((len(rows), k), -np.inf)
    asked = np.flatnonzero(known)
    squares, ones = np.square(rows).sum(axis=1, keepdims=True), np.ones((len(rows), 1))
    # |a − b|² as one product: no pass for the norms.
    left, right = np.hstack([-2 * rows, squares, ones]), np.hstack([rows, ones, squares])
    for block, squared in similarity_blocks(left[asked], right):
        own = asked[block]
        near = -np.sqrt(squared.clip(0))
        near[np.arange(len(own)), own], near[:, ~known] = -np.inf, -np.inf
        indices[own], similarities[own] = _padded(_top(near, min(k, near.shape[1])), near, k)
    return indices, np.where(indices >= 0, similarities, 0).astype(np.float32)


def nearest(vectors: Vectors, rows: np.ndarray, k: int, groups: np.ndarray | None = None) -> Graph:
    """The exact k nearest of some `rows` among all.

    rows: (m,) integers, of `vectors`. Other arguments and the result, with m rows, are as of `neighbor_graph`.

    >>> nearest(np.array([[1, 0], [1, 0.1], [0, 1]]), np.array([2]), k=2)[0].tolist()
    [[1, 0]]
    """
    groups = np.arange(vectors.shape[0]) if groups is None else np.asarray(groups)
    unit, known = _unit(vectors)
    return _exact(unit, known, groups, k, rows)


def recall(
    graph: Graph, vectors: Vectors, groups: np.ndarray | None = None, sample: int = 1000, seed: int = 0
) -> float:
    """Share of the exact neighbours of `sample` random rows that `graph` holds, 0 to 1.

    graph: as `neighbor_graph` returns it for the same `vectors` and `groups`.

    >>> vectors = np.array([[1, 0], [1, 0.1], [0, 1]])
    >>> recall(neighbor_graph(vectors, k=1), vectors)
    1.0
    """
    groups = np.arange(vectors.shape[0]) if groups is None else np.asarray(groups)
    unit, known = _unit(vectors)
    return _recall(graph, unit, known, groups, _sample(known, sample, seed))


class HNSW:
    """NMSLIB's graph over unit rows, searched with as much effort (efSearch) as a wanted recall needs.

    unit: (n, d) float32, rows of length 1. threads: to build it with; with more than one the graph, and so what
    is found, differ from run to run. It can be searched from several threads. Raises KithError without NMSLIB.

    >>> unit = np.eye(3, dtype=np.float32)
    >>> HNSW(unit).search(unit[:1], k=1)[0].tolist()
    [[0]]
    """

    def __init__(self, unit: np.ndarray, threads: int = 1):
        try:
            import nmslib
        except ImportError:
            raise KithError(
                "HNSW needs the package nmslib, which is not installed (it has no build for Python 3.14 and newer): "
                "pip install nmslib with an older Python, or search exactly: neighbors.method: exact, --index exact"
            ) from None

        self._lock = Lock()  # efSearch is a setting of the whole graph
        self._graph = nmslib.init(method="hnsw", space="cosinesimil")
        self._graph.addDataPointBatch(unit)
        self._graph.createIndex({"M": 24, "efConstruction": 200, "indexThreadQty": threads, "post": 0})
        self._ef_search = EF_LEAST

    def tune(self, k: int, measure: Callable[[], float], min_recall: float) -> float:
        """Double efSearch until `measure()`, the recall of searches for `k`, is enough or efSearch out of bounds.

        Returns the last recall measured.
        """
        self._ef_search = max(EF_LEAST, 2 * k)
        while (reached := measure()) < min_recall and 2 * self._ef_search <= max(EF_MOST, 4 * k):
            self._ef_search *= 2
        return reached

    def search(self, queries: np.ndarray, k: int) -> Graph:
        """The k nearest rows of each query (m, d) by falling similarity: indices (m, k) int64 and cosines float32.

        Similarity −inf (and index 0) where fewer than k are found.
        """
        with self._lock:
            self._graph.setQueryTimeParams({"efSearch": max(self._ef_search, 2 * k)})
            found = self._graph.knnQueryBatch(queries, k=k, num_threads=1)
        indices = np.zeros((len(queries), k), dtype=np.int64)
        similarities = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for i, (near, distances) in enumerate(found):
            indices[i, : len(near)], similarities[i, : len(near)] = near, 1 - distances
        return indices, similarities


def _unit(vectors: Vectors) -> tuple[Vectors, np.ndarray]:
    """Unit rows in float32, and which of them are not zero."""
    unit = unit_rows(vectors.astype(np.float32))
    lengths = unit.multiply(unit).sum(axis=1) if hasattr(unit, "tocsr") else np.abs(unit).max(axis=1, initial=0)
    return unit, np.asarray(lengths).ravel() > 0


def _exact(unit: Vectors, known: np.ndarray, groups: np.ndarray, k: int, rows: np.ndarray) -> Graph:
    """Neighbours of `rows` among all, a block of rows at a time; zero rows, which have none, cost nothing."""
    indices, similarities = np.full((len(rows), k), -1, np.int32), np.zeros((len(rows), k), np.float32)
    asked, by_group = np.flatnonzero(known[rows]), np.argsort(groups, kind="stable")
    unknown = np.flatnonzero(~known)
    for block, near in _products(unit[rows[asked]], unit):
        own = rows[asked[block]]
        near[_same_group(groups, by_group, own)] = -np.inf
        near[:, unknown] = -np.inf
        found = _top(near, min(k, near.shape[1]))
        indices[asked[block]], similarities[asked[block]] = _padded(found, near, k)
    return indices, similarities


def _products(queries: Vectors, unit: Vectors) -> Iterator[tuple[slice, np.ndarray]]:
    """As `similarity_blocks`, of so many rows at once that a BLAS does not pack candidates longer than it multiplies
    them; each block is written over the one before, as memory that is new costs as much as a product."""
    distinct, place = distinct_rows(unit)
    step = max(1, min(AT_ONCE, MOST // max(1, unit.shape[0]), max(LEAST, unit.shape[0] // 8 // LEAST * LEAST)))
    held = np.empty((0 if hasattr(unit, "tocsr") else min(step, len(queries)), distinct.shape[0]), np.float32)
    for start in range(0, queries.shape[0], step):
        block = slice(start, min(start + step, queries.shape[0]))
        if len(held):
            scores = np.matmul(queries[block], distinct.T, out=held[: block.stop - start])
        else:
            scores = (queries[block] @ distinct.T).toarray()
        yield block, scores if place is None else scores[:, place]


def _same_group(groups: np.ndarray, by_group: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (row, column) of a block of the rows `own` at which the column is of the row's group."""
    ordered = groups[by_group]
    first, last = (np.searchsorted(ordered, groups[own], side) for side in ("left", "right"))
    counts = last - first
    rows = np.repeat(np.arange(len(own)), counts)
    return rows, by_group[np.arange(len(rows)) + np.repeat(first - np.cumsum(counts) + counts, counts)]


def _top(near: np.ndarray, k: int) -> np.ndarray:
    """(n, k) columns of the k highest of each row of (n, m), highest first; of equals the lower columns."""
    n = near.shape[1]
    if n < 2 * HEAPS * k:
        return _partitioned(near, k)
    step = max(1, CACHED // n)
    at = np.concatenate([reached(near[i : i + step], k, HEAPS) + i * n for i in range(0, len(near), step)])
    rows = at // n
    counts = np.bincount(rows, minlength=len(near))
    few = counts <= 2 * HEAPS * k  # where many are equal, or there are fewer than k, a bound is of no use
    if not few.all():
        at, rows = at[few[rows]], rows[few[rows]]
    counts = np.where(few, counts, 0)
    width = int(counts.max(initial=k))
    slots = np.arange(len(at)) + np.repeat(np.arange(len(counts)) * width - (np.cumsum(counts) - counts), counts)
    found = _sorted_slots(slots, at - rows * n, near.ravel()[at], (len(near), width))[:, :k]
    if not few.all():
        found[~few] = _partitioned(near[~few], k)
    return found


def _sorted_slots(slots: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(n, width) `columns` (m,), put into `slots` of a table of this shape, row by row by falling value; of equals as
    they come, the lower columns first. What is in no slot comes last, as column 0."""
    if values.dtype == np.float32:  # a value above its column in one integer, which are sorted in a tenth of the time
        packed = np.full(shape[0] * shape[1], np.uint64(0xFFFFFFFF00000000))
        packed[slots] = (~_rising(values)).astype(np.uint64) << np.uint64(32) | columns.astype(np.uint64)
        return (np.sort(packed.reshape(shape), axis=1) & np.uint64(0xFFFFFFFF)).astype(np.int64)
    falling, placed = np.full(shape, np.inf), np.zeros(shape, np.int64)
    falling.ravel()[slots], placed.ravel()[slots] = -values, columns
    return np.take_along_axis(placed, np.argsort(falling, axis=1, kind="stable"), axis=1)


def _rising(values: np.ndarray) -> np.ndarray:
    """Of float32 numbers uint32 ones in the same order, equal where these are."""
    bits = (values + np.float32(0)).view(np.int32)  # −0 becomes 0
    # Those below 0 fall as their bits rise: all bits are turned over, of others the sign alone.
    return bits.view(np.uint32) ^ ((bits >> 31).view(np.uint32) | np.uint32(1 << 31))


def _partitioned(near: np.ndarray, k: int) -> np.ndarray:
    """As `_top`, whatever the numbers are."""
    found = np.argpartition(-near, k - 1, axis=1)[:, :k]
    last = np.take_along_axis(near, found, axis=1).min(axis=1, keepdims=True)
    # A partition takes any of several equals at its end; rows that have them are sorted.
    tied = np.flatnonzero(np.count_nonzero(near >= last, axis=1) > k)
    found[tied] = np.argsort(-near[tied], axis=1, kind="stable")[:, :k]
    found.sort(axis=1)
    order = np.argsort(-np.take_along_axis(near, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def _padded(indices: np.ndarray, near: np.ndarray, k: int) -> Graph:
    """Columns, highest first, of the rows of `near`, and their similarities, padded to k; −inf is no neighbour."""
    rows = np.arange(len(near))[:, None]
    similarities = near[rows, indices].astype(np.float32)
    indices, missing = indices.astype(np.int32), np.isneginf(similarities)
    indices[missing], similarities[missing] = -1, 0
    if indices.shape[1] == k:
        return indices, similarities
    padding = ((0, 0), (0, k - indices.shape[1]))
    return np.pad(indices, padding, constant_values=-1), np.pad(similarities, padding)


def _hnsw(
    unit: np.ndarray, known: np.ndarray, groups: np.ndarray, k: int, min_recall: float, sample: int, seed: int
) -> Graph:
    rows = np.flatnonzero(known)
    index = HNSW(unit[rows])
    wanted = min(len(rows), k + int(np.bincount(np.unique(groups, return_inverse=True)[1]).max()))
    checked = _sample(known, sample, seed)
    exact = _exact(unit, known, groups, k, checked)

    def search(queries: np.ndarray) -> Graph:
        found, similarities = index.search(unit[queries], wanted)
        found = rows[found]
        similarities[groups[found] == groups[queries, None]] = -np.inf
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
        indices, near = _padded(order, similarities, k)
        return np.where(indices >= 0, np.take_along_axis(found, indices.clip(0), axis=1), -1).astype(np.int32), near

    reached = index.tune(wanted, lambda: recall_of(search(checked), exact), min_recall)
    if reached < min_recall:
        raise ValueError(
            f"HNSW reaches a recall of {reached:.3f}, below min_recall {min_recall}: "
            "choose method exact, or a lower bound"
        )
    graph = np.full((len(unit), k), -1, np.int32), np.zeros((len(unit), k), np.float32)
    graph[0][rows], graph[1][rows] = search(rows)
    return graph


def _sample(known: np.ndarray, size: int, seed: int) -> np.ndarray:
    rows = np.flatnonzero(known)
    return np.sort(np.random.default_rng(seed).choice(rows, size=min(size, len(rows)), replace=False))


def _recall(graph: Graph, unit: Vectors, known: np.ndarray, groups: np.ndarray, rows: np.ndarray) -> float:
    exact = _exact(unit, known, groups, graph[0].shape[1], rows)
    return recall_of((graph[0][rows], graph[1][rows]), exact)


def recall_of(found: Graph, exact: Graph) -> float:
    """Share of the exact neighbours found; one as similar as the k-th exact one counts (duplicates tie).

    found, exact: indices and similarities (n, k) of the same n queries; index −1 where there is no neighbour.
    1 where there is none to find.

    >>> exact = np.array([[1, 2]]), np.array([[0.9, 0.5]])
    >>> recall_of((np.array([[1, 3]]), np.array([[0.9, 0.4]])), exact)
    0.5
    """
    valid = exact[0] >= 0
    if not valid.any():
        return 1.0
    last = np.where(valid, exact[1], np.inf).min(axis=1, keepdims=True)
    hits = ((found[0] >= 0) & (found[1] >= last - 1e-5)).sum(axis=1)
    return float(np.minimum(hits, valid.sum(axis=1)).sum() / valid.sum())
