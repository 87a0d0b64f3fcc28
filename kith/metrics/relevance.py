"""What is right for which query, as users tell it: candidates, groups, classes and how similar these are.

Everything is checked here and brought into one form of arrays, so that no metric does it again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kith.errors import KithError
from kith.similarity import as_array


class Relevance(NamedTuple):
    """Right candidates of query i: indices[indptr[i]:indptr[i + 1]], ascending, at least one (int64)."""

    indptr: np.ndarray
    indices: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """(n_queries,) number of right candidates."""
        return np.diff(self.indptr)

    def pairs(self, block: slice) -> tuple[np.ndarray, np.ndarray]:
        """Query (counted from the block's first) and candidate of every right pair in a block of queries."""
        rows = np.repeat(np.arange(block.stop - block.start), self.counts[block])
        return rows, self.indices[self.indptr[block.start] : self.indptr[block.stop]]


def as_relevance(relevant: Any, n_queries: int, n_candidates: int) -> Relevance:
    """Bring `relevant` into one form.

    Accepts None (the diagonal), an (n_queries, n_candidates) bool matrix, an (n_queries,) int array (one
    right candidate each), one int array a query (of any lengths), a scipy.sparse matrix (non-zero: right) or
    a Relevance. Raises KithError for a wrong shape, an index out of range, or a query without a right
    candidate.

    >>> found = as_relevance([[0, 2], [1]], n_queries=2, n_candidates=3)
    >>> found.counts.tolist(), found.indices.tolist()
    ([2, 1], [0, 2, 1])
    """
    if isinstance(relevant, Relevance):
        return relevant
    rows, columns = _pairs(relevant, n_queries, n_candidates)
    outside = np.flatnonzero((columns < 0) | (columns >= n_candidates))
    if len(outside):
        at = f"query {rows[outside[0]]} names candidate {columns[outside[0]]}"
        raise KithError(f"relevant: {at}, but there are {n_candidates} candidates, counted from 0")
    pairs = np.unique(rows * n_candidates + columns)
    counts = np.bincount(pairs // n_candidates, minlength=n_queries)
    if not counts.all():
        query = int(np.argmin(counts))
        raise KithError(f"relevant: query {query} has no right candidate; name one or leave the query out")
    return Relevance(np.concatenate([[0], np.cumsum(counts)]), pairs % n_candidates)


def same_group(query_groups: np.ndarray, candidate_groups: np.ndarray) -> Relevance:
    """Right are the candidates of the query's group; (n_queries,) and (n_candidates,) comparable labels.

    Raises KithError that names the first query whose group has no candidate.

    >>> same_group(np.array([7, 8]), np.array([8, 7, 7])).indices.tolist()
    [1, 2, 0]
    """
    order = np.argsort(candidate_groups, kind="stable")
    ordered = candidate_groups[order]
    first = np.searchsorted(ordered, query_groups, side="left")
    counts = np.searchsorted(ordered, query_groups, side="right") - first
    if not counts.all():
        raise KithError(f"query {int(np.argmin(counts))}: no candidate is of its group; leave the query out")
    indptr = np.concatenate([[0], np.cumsum(counts)])
    within = np.arange(indptr[-1]) - np.repeat(indptr[:-1], counts)
    return Relevance(indptr, order[np.repeat(first, counts) + within])


def class_labels(name: str, labels: Any, n_classes: int | None = None) -> np.ndarray:
    """(n,) int64. Raises KithError that calls them `name` where they are no integers from 0 to n_classes − 1.

    >>> class_labels("labels", [0, 2, 1], n_classes=3).tolist()
    [0, 2, 1]
    """
    labels = as_array(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise KithError(f"{name}: expected (n,) integers, not {labels.dtype} of the shape {labels.shape}")
    bad = np.flatnonzero((labels < 0) | (labels >= (np.inf if n_classes is None else n_classes)))
    if len(bad):
        there = "negative: leave it out" if n_classes is None else f"not among the {n_classes} classes, 0 and up"
        raise KithError(f"{name}: row {bad[0]} is {labels[bad[0]]}, {there} ({len(bad)} such rows)")
    return labels.astype(np.int64)


def labels_or_sets(name: str, labels: Any) -> np.ndarray:
    """(n,) int64 class numbers, or (n, C) bool of items with several labels each: whatever was given, checked.

    >>> labels_or_sets("labels", [0, 2]).tolist(), labels_or_sets("labels", [[1, 0], [1, 1]]).tolist()
    ([0, 2], [[True, False], [True, True]])
    """
    return as_sets(name, labels) if as_array(labels).ndim == 2 else class_labels(name, labels)


def as_sets(name: str, sets: Any) -> np.ndarray:
    """(n, C) bool: which of C labels each item has. Raises KithError, which calls them `name`, for anything else than
    truth values or 0 and 1.

    >>> as_sets("sets", [[0, 1]]).tolist()
    [[False, True]]
    """
    array = as_array(sets)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise KithError(f"{name}: expected (n, labels) of 0 and 1, not {array.dtype} of the shape {array.shape}")
    bad = np.argwhere((array != 0) & (array != 1))
    if len(bad):
        raise KithError(f"{name}: row {bad[0][0]}, column {bad[0][1]} is {array[tuple(bad[0])]}, not 0 or 1")
    return array.astype(bool)


def shared_labels(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """(n, m) float32: how many labels each query has in common with each candidate, of sets (n, C), (m, C) bool or
    float32 of 0 and 1.

    >>> shared_labels(np.array([[True, True]]), np.array([[True, True], [False, True], [False, False]])).tolist()
    [[2.0, 1.0, 0.0]]
    """
    return queries.astype(np.float32, copy=False) @ candidates.astype(np.float32, copy=False).T


def alike(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """(n, m) bool: whether a candidate is of the query's class, of (n,) and (m,) numbers; of sets (n, C) and (m, C),
    whether the two share a label.

    >>> alike(np.array([3]), np.array([3, 4])).tolist(), alike(np.eye(2, dtype=bool), np.array([[1, 0]])).tolist()
    ([[True, False]], [[True], [False]])
    """
    if queries.ndim == 2:
        return shared_labels(queries, candidates) > 0
    return queries[:, None] == candidates[None, :]


def similarity_tables(similarity: Any) -> dict[str, np.ndarray]:
    """One (n_classes, n_classes) matrix {"": matrix}, or several, {"_name": matrix}; float64, finite, from 0 up.

    Raises KithError that names the matrix and, where it has one, the row and column that is wrong.

    >>> list(similarity_tables({"lcsh": np.eye(2), "wup": np.eye(2)}))
    ['_lcsh', '_wup']
    """
    named = {f"_{k}": v for k, v in similarity.items()} if isinstance(similarity, Mapping) else {"": similarity}
    tables = {name: np.ascontiguousarray(as_array(table), dtype=np.float64) for name, table in named.items()}
    if not tables:
        raise KithError("similarity: there is no matrix")
    shape = next(iter(tables.values())).shape
    for name, table in tables.items():
        title = f"similarity {name[1:]}".strip()
        if table.ndim != 2 or len(set(table.shape)) > 1 or table.shape != shape:
            raise KithError(f"{title}: expected (n_classes, n_classes), not the shape {table.shape}")
        bad = np.argwhere(~((table >= 0) & (table < np.inf)))
        if len(bad):
            raise KithError(f"{title}: row {bad[0][0]}, column {bad[0][1]} is not a finite number from 0 up")
    return tables


def _pairs(relevant: Any, n_queries: int, n_candidates: int) -> tuple[np.ndarray, np.ndarray]:
    """(query, candidate) of every right pair, in any order."""
    if relevant is None:
        if n_queries != n_candidates:
            lengths = f"{n_queries} queries, {n_candidates} candidates"
            raise KithError(f"{lengths}: say with `relevant` which candidates are right for which query")
        return np.arange(n_queries), np.arange(n_queries)
    if hasattr(relevant, "tocoo"):
        _check_shape(relevant.shape, (n_queries, n_candidates))
        rows, columns = relevant.nonzero()
        return rows.astype(np.int64), columns.astype(np.int64)
    if isinstance(relevant, Sequence) and not all(np.ndim(row) == 0 for row in relevant):
        _refuse_truth_in_numbers(relevant, n_queries, n_candidates)
        return _ragged(relevant, n_queries)
    array = as_array(relevant)
    if array.dtype == bool:
        _check_shape(array.shape, (n_queries, n_candidates))
        rows, columns = np.nonzero(array)
        return rows, columns
    if array.dtype == object or array.ndim == 2:
        _refuse_truth_in_numbers(list(array), n_queries, n_candidates)
        return _ragged(list(array), n_queries)
    _check_shape(array.shape, (n_queries,))
    return np.arange(n_queries), _integers(array)


def _refuse_truth_in_numbers(rows: Sequence[Any], n_queries: int, n_candidates: int) -> None:
    """Rows of 0 and 1 for each candidate could mean that, or indices of the first two candidates."""
    if len(rows) == n_queries and n_candidates > 1 and all(np.shape(row) == (n_candidates,) for row in rows):
        table = [as_array(row) for row in rows]
        if all(row.dtype != bool and np.isin(row, (0, 1)).all() for row in table):
            raise KithError("relevant: a matrix of 0 and 1 could mean indices; give it as bool")


def _ragged(rows: Sequence[Any], n_queries: int) -> tuple[np.ndarray, np.ndarray]:
    _check_shape((len(rows),), (n_queries,))
    lists = [np.atleast_1d(as_array(row)) for row in rows]
    if lists and lists[0].dtype == bool:
        raise KithError("relevant: give the rows of truth values as one bool matrix, not as a list")
    counts = [len(row) for row in lists]
    filled = [row for row in lists if len(row)]
    columns = np.concatenate(filled) if filled else np.empty(0, dtype=np.int64)
    return np.repeat(np.arange(n_queries), counts), _integers(columns)


def _integers(array: np.ndarray) -> np.ndarray:
    if not np.issubdtype(array.dtype, np.integer):
        raise KithError(f"relevant: expected truth values or integer indices, not {array.dtype}")
    return array.astype(np.int64)


def _check_shape(given: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if given != expected:
        raise KithError(f"relevant: expected the shape {expected}, not {given}")
