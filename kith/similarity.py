"""Cosine similarities in blocks, so that no metric needs more memory than a few million numbers.

An item may have K vectors, (n, K, d) for n of them: two items are then as similar as the most similar two of their
K×K pairs of vectors (Song & Soleymani, CVPR 2019).
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from kith.errors import KithError

BLOCK = 1 << 22  # similarities held at once
AT_ONCE = 1 << 24  # numbers whose rows are made unit at once


def unit_rows(vectors: Any, name: str = "vectors") -> Any:
    """Rows of length 1; a zero row stays zero, so that its similarity to anything is 0.

    Takes an (n, d) or (n, K, d) array, a torch tensor on any device or a scipy.sparse matrix (returned as CSR). float32
    and float64 keep their precision, smaller floats become float32, integers float64. Raises KithError that
    names the first row with a NaN or an infinity.

    >>> unit_rows([[3, 4], [0, 0]]).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    if hasattr(vectors, "tocsr"):
        return _unit_csr(vectors.tocsr(), name)
    array = as_vectors(vectors, name)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=tuple(range(1, array.ndim))))
    if len(bad):
        raise KithError(f"{name}: row {bad[0]} is not finite ({len(bad)} such rows); leave it out or mend it")
    if array.size <= AT_ONCE:
        return _unit(array)
    found = np.empty_like(array)
    step = max(1, AT_ONCE // array[0].size)
    for start in range(0, len(array), step):  # so a large matrix is held twice, not four times
        found[start : start + step] = _unit(array[start : start + step])
    return found


def _unit(array: np.ndarray) -> np.ndarray:
    # A power of two is an exact scale: squares neither overflow nor vanish.
    exponent = np.frexp(np.abs(array).max(axis=-1, keepdims=True, initial=0))[1]
    array = np.ldexp(array, -exponent)
    length = np.linalg.norm(array, axis=-1, keepdims=True)
    return array / np.where(length > 0, length, 1)


def as_vectors(values: Any, name: str) -> np.ndarray:
    """As `as_matrix`, and with K vectors an item (n, K, d).

    >>> as_vectors([[[1, 2]]], "vectors").shape
    (1, 1, 2)
    """
    array = as_array(values)
    if array.ndim != 3:
        return as_matrix(array, name)
    return as_matrix(array.reshape(-1, array.shape[2]), name).reshape(array.shape)


def as_matrix(values: Any, name: str) -> np.ndarray:
    """The (n, d) float32 or float64 array behind an array or a tensor.

    Raises KithError, which calls it `name`, for another shape.

    >>> as_matrix([[1, 2]], "vectors")
    array([[1., 2.]])
    """
    array = as_array(values)
    if array.ndim != 2:
        raise KithError(f"{name}: expected an (n, d) matrix, one row a vector, not the shape {array.shape}")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    return array


def as_array(values: Any) -> np.ndarray:
    """A NumPy array of an array, a nested list or a torch tensor (torch itself is never imported).

    >>> as_array([1, 2]).tolist()
    [1, 2]
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
        return values.numpy()
    return np.asarray(values)


def similarity_blocks(queries: Any, candidates: Any) -> Iterator[tuple[slice, np.ndarray]]:
    """For block after block of queries: its slice and its (queries, candidates) dot products.

    Both are as `unit_rows` returns them; with K vectors an item the highest of the K×K dot products. Equal candidates
    get exactly equal similarities: a BLAS may round equal columns differently by where they stand, so each distinct row
    is multiplied once.

    Raises KithError for different dimensions.

    >>> [(block, scores.tolist()) for block, scores in similarity_blocks(np.eye(2), np.array([[1.0, 0.0]]))]
    [(slice(0, 2, None), [[1.0], [0.0]])]
    """
    for block, scores, place in distinct_blocks(queries, candidates):
        yield block, scores if place is None else scores[:, place]


def distinct_blocks(queries: Any, candidates: Any) -> Iterator[tuple[slice, np.ndarray, np.ndarray | None]]:
    """As `similarity_blocks`, but with a column for each distinct candidate, (queries, m), and the column of each
    candidate, (n_candidates,) int64; None where all are distinct.

    >>> rows = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> [(scores.shape, place.tolist()) for _, scores, place in distinct_blocks(rows, rows)]
    [((3, 2), [0, 1, 0])]
    """
    if queries.shape[1:] != candidates.shape[1:]:
        widths = " and ".join("×".join(map(str, each.shape[1:])) for each in (queries, candidates))
        raise KithError(f"queries and candidates have different dimensions: {widths}")
    distinct, place = distinct_rows(candidates)
    for block in blocks(queries.shape[0], candidates.shape[0]):
        scores = _products(queries[block], distinct)
        yield block, scores.toarray() if hasattr(scores, "toarray") else scores, place


def _products(queries: Any, candidates: Any) -> Any:
    """(n, m) dot products; of (n, K, d) and (m, K, d) the highest of the K×K."""
    if queries.ndim == 2:
        return queries @ candidates.T
    best = np.full((len(queries), len(candidates)), -np.inf, dtype=np.result_type(queries, candidates))
    for asked, found in itertools.product(range(queries.shape[1]), range(candidates.shape[1])):
        np.maximum(best, queries[:, asked] @ candidates[:, found].T, out=best)
    return best


def blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of rows that hold about BLOCK numbers each.

    >>> list(blocks(3, BLOCK // 2))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    step = max(1, BLOCK // max(1, n_columns))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def top_k(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k highest of each row, best first, ties by lower column: (n, k) int64 columns and (n, k) scores.

    scores: (n, m) floats, m at least k.

    >>> columns, best = top_k(np.array([[0.1, 0.9, 0.9]]), 2)
    >>> columns.tolist(), best.tolist()
    ([[1, 2]], [[0.9, 0.9]])
    """
    rest = scores.copy()
    columns = np.empty((len(scores), k), dtype=np.int64)
    rows = np.arange(len(scores))
    # k passes of argmax beat a partition for the few places asked for, and settle ties by position.
    for place in range(k):
        columns[:, place] = rest.argmax(axis=1)
        rest[rows, columns[:, place]] = -np.inf
    return columns, np.take_along_axis(scores, columns, axis=1)


def top_candidates(queries: Any, candidates: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k most similar candidates of each query by cosine, best first, ties by lower index.

    queries: (n, d) or (n, K, d), candidates: (m, d) or (m, K, d), as `unit_rows` takes them. Returns (n, min(k, m))
    int64 indices and the cosine similarities, of the same shape. Raises KithError for rows that are not finite, and for
    different dimensions.

    >>> indices, similarities = top_candidates([[1, 0], [0, 1]], [[0, 1], [3, 4]], k=1)
    >>> indices.tolist(), similarities.round(3).tolist()
    ([[1], [0]], [[0.6], [1.0]])
    """
    queries, candidates = unit_rows(queries, "queries"), unit_rows(candidates, "candidates")
    k = min(k, candidates.shape[0])
    found = [top_k(scores, k) for _, scores in similarity_blocks(queries, candidates)]
    return np.concatenate([c for c, _ in found]), np.concatenate([s for _, s in found])


def distinct_rows(rows: Any) -> tuple[Any, np.ndarray | None]:
    """The distinct rows in the order of their first, and where each row stands among them, (n,) int64 (None: all are
    distinct, or the matrix is sparse).

    >>> distinct, place = distinct_rows(np.array([[2.0], [1.0], [2.0]]))
    >>> distinct.tolist(), place.tolist()
    ([[2.0], [1.0]], [0, 1, 0])
    """
    if hasattr(rows, "tocsr"):  # sparse products add up in the order of the query's columns: equal as they are
        return rows, None
    seen: dict[bytes, int] = {}
    place = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in rows + 0], dtype=np.int64)
    if len(seen) == len(rows):
        return rows, None
    return rows[np.unique(place, return_index=True)[1]], place


def _unit_csr(matrix: Any, name: str) -> Any:
    if not np.isfinite(matrix.data).all():
        row = np.searchsorted(matrix.indptr, np.flatnonzero(~np.isfinite(matrix.data))[0], side="right") - 1
        raise KithError(f"{name}: row {row} is not finite; leave it out or mend it")
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = 1 / np.where(length > 0, length, 1)
    unit = matrix.astype(np.float64 if matrix.dtype != np.float32 else np.float32, copy=True)
    unit.data *= np.repeat(scale, np.diff(unit.indptr)).astype(unit.dtype)
    return unit
