"""The metrics of metric learning: are the nearest vectors of the same class? By cosine, in blocks of bounded memory.

Musgrave et al., "A metric learning reality check", ECCV 2020, for R-precision and MAP@R.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from kith.errors import KithError
from kith.metrics import ties as equals
from kith.metrics.closest import closest_items, closest_lists
from kith.metrics.relevance import class_labels
from kith.metrics.tied_precision import Buckets, harmonic_numbers, precision_sums, right_found
from kith.similarity import as_array, as_matrix, similarity_blocks, unit_rows


def self_retrieval(
    vectors: Any,
    labels: Any,
    ks: Sequence[int] = (1, 2, 4, 8),
    normalize: bool = True,
    ties: Literal["expected", "index"] = "expected",
) -> dict[str, np.ndarray]:
    """Every item looks for others of its class.

    vectors (n, d), labels (n,) integers from 0; by 1 − cosine or, without `normalize`, by Euclidean distance. ties:
    equally near items count by the exact expectation over their orders, or come by index. With R
    others in the class of an item, returns (n,) float64 values, NaN for the only item of a class: "recall@<k>", 1 if
    one of the first k answers is right; "r_precision", the share of right ones among the first R; "map@r", Σ of the
    precision at right ones among the first R, by R. Raises KithError for shapes that do not fit.

    >>> vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.2, 1]])
    >>> found = self_retrieval(vectors, [0, 0, 1, 0], ks=[1])
    >>> found["recall@1"].tolist(), found["r_precision"].tolist()
    ([1.0, 1.0, nan, 0.0], [1.0, 1.0, nan, 0.5])
    """
    labels = _labels("labels", labels, as_matrix(vectors, "vectors"))
    labels, counts = np.unique(labels, return_inverse=True, return_counts=True)[1:]  # ids may be as large as they like
    n, others = len(labels), counts[labels] - 1
    if n < 2 or not all(1 <= k < n for k in ks):
        raise KithError(f"ks {tuple(ks)}: {n} items give each {n - 1} answers")
    limit = int(max(others.max(), *ks, 1))
    found = {name: np.full(n, np.nan) for name in [*(f"recall@{k}" for k in ks), "r_precision", "map@r"]}
    places, harmonic = np.arange(1, limit + 1), harmonic_numbers(n)
    for rows, order, tied in closest_lists(vectors, np.flatnonzero(others > 0), limit, normalize):
        right = labels[as_array(order)] == labels[rows, None]
        for k in ks:
            found[f"recall@{k}"][rows] = right[:, :k].any(axis=1)
        right &= places <= others[rows, None]
        found["r_precision"][rows] = right.sum(axis=1) / others[rows]
        found["map@r"][rows] = (right * np.cumsum(right, axis=1) / places).sum(axis=1) / others[rows]
        for row, items, starts in tied if ties == "expected" else ():
            own = rows[row]
            hits, r = labels[items] == labels[own], int(others[own])
            for k in ks:
                found[f"recall@{k}"][own] = equals.any_right(equals.runs(hits, starts, k))
            first = equals.runs(hits, starts, r)
            found["r_precision"][own] = right_found(first, "expected").sum() / r
            found["map@r"][own] = precision_sums(first, "expected", harmonic).sum() / r
    return found


def database_precision(vectors: Any, labels: Any, database: Any, database_labels: Any) -> np.ndarray:
    """(n,) float64 average precision of queries over a whole database, by cosine; NaN where it lacks the class.

    vectors (n, d), database (m, d), labels (n,) and (m,) integers from 0. Equally similar items count by the
    expectation over their orders. Raises KithError for shapes that do not fit.

    >>> database_precision([[1, 0]], [0], [[1, 0.2], [1, 0.1], [0, 1]], [0, 1, 0]).round(3).tolist()
    [0.583]
    """
    queries, items = unit_rows(vectors, "vectors"), unit_rows(database, "database")
    asked, known = _labels("labels", labels, queries), _labels("database_labels", database_labels, items)
    order = np.argsort(known, kind="stable")  # the right items of a query are one slice
    first, last = (np.searchsorted(known[order], asked, side=side) for side in ("left", "right"))
    harmonic, found = harmonic_numbers(len(items)), np.full(len(queries), np.nan)
    for block, near in similarity_blocks(queries, items[order]):
        for query, row in zip(range(block.start, block.stop), near, strict=True):
            right = row[first[query] : last[query]]
            if len(right):
                found[query] = _average_precision(-row, -right, harmonic)
    return found


def knn_predictions(database: Any, labels: Any, k: int, queries: Any = None) -> np.ndarray:
    """(n,) int64 classes by a vote of the k nearest items of a database, of equal votes the lower class.

    database (m, d), labels (m,) integers from 0; queries (n, d), or None: every item of the database, without a vote
    of its own. By Euclidean distance: give unit rows for the cosine. Of equally near items the lower index votes.
    Raises KithError for k beyond the database.

    >>> knn_predictions([[0.0], [0.1], [1.0]], [4, 4, 7], k=1, queries=[[0.8], [0.2]]).tolist()
    [7, 4]
    """
    items = as_matrix(database, "database").astype(np.float64)
    labels = _labels("labels", labels, items)
    voters = len(items) - (queries is None)
    if not 1 <= k <= voters:
        raise KithError(f"k: {k} votes asked for, but there are {voters} other items")
    asked = items if queries is None else as_matrix(queries, "queries").astype(np.float64)
    if asked.shape[1] != items.shape[1]:
        raise KithError(f"queries and database have different dimensions: {asked.shape[1]} and {items.shape[1]}")
    return _most_votes(labels[closest_items(asked, items, k, itself=queries is None)])


def cluster_agreement(vectors: Any, labels: Any, seed: int = 0) -> dict[str, float]:
    """`partition_agreement` of k-means clusters (as many as classes, best of ten starts) of the unit rows of (n, d).

    >>> cluster_agreement([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], [0, 0, 1, 1])
    {'nmi': 1.0, 'ami': 1.0}

    Raises KithError for labels that do not fit the vectors.
    """
    from sklearn.cluster import KMeans

    unit = unit_rows(vectors, "vectors")
    labels = _labels("labels", labels, unit)
    clusters = KMeans(len(np.unique(labels)), n_init=10, random_state=seed).fit_predict(unit)
    return partition_agreement(clusters, labels)


def partition_agreement(clusters: Any, labels: Any) -> dict[str, float]:
    """Normalised and adjusted mutual information of two partitions (n,), "nmi" and "ami": 1 where they are the same;
    of partitions at random, "ami" is 0 in expectation. Both by the arithmetic mean of the entropies.

    >>> partition_agreement([1, 1, 0, 0], [0, 0, 1, 1])
    {'nmi': 1.0, 'ami': 1.0}
    """
    from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

    return {
        "nmi": float(normalized_mutual_info_score(labels, clusters)),
        "ami": float(adjusted_mutual_info_score(labels, clusters)),
    }


def _most_votes(votes: np.ndarray) -> np.ndarray:
    """(n,) the most frequent of each row of (n, k), of equally frequent ones the lowest."""
    ordered = np.sort(votes, axis=1)
    # From each place on, how many votes are the same: the first of the longest runs is the lowest class.
    length = np.ones(ordered.shape, dtype=np.int64)
    for place in range(ordered.shape[1] - 2, -1, -1):
        length[:, place] += np.where(ordered[:, place] == ordered[:, place + 1], length[:, place + 1], 0)
    return ordered[np.arange(len(ordered)), length.argmax(axis=1)]


def _average_precision(distances: np.ndarray, of_right: np.ndarray, harmonic: np.ndarray) -> float:
    """Of one query; a bucket is what lies at the distance of a right item."""
    distances = np.sort(distances)
    values, right = np.unique(of_right, return_counts=True)
    before = np.searchsorted(distances, values, side="left")
    items = np.searchsorted(distances, values, side="right") - before
    buckets = Buckets(items, right, before, np.cumsum(right) - right, items)
    return float(precision_sums(buckets, "expected", harmonic).sum() / len(of_right))


def _labels(name: str, labels: Any, vectors: np.ndarray) -> np.ndarray:
    found = class_labels(name, labels)
    if len(found) != len(vectors):
        raise KithError(f"{name}: {len(found)} of them, for {len(vectors)} vectors")
    return found
