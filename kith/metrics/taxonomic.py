"""Retrieval measured in a taxonomy, whatever finds: vectors of another modality, of the same items, or binary codes.

All measures are those of `kith.metrics.graded`, where their equations stand.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kith.codes import hamming_blocks, packed_words
from kith.errors import KithError
from kith.metrics.graded import GradedLists, Grading, lists_of
from kith.metrics.ordering import RankedLists, ranked_lists
from kith.metrics.relevance import class_labels
from kith.similarity import as_array, similarity_blocks, unit_rows

KS = (1, 10, 50, 100)
CLIP = 250


def taxonomic_search(
    queries: Any,
    candidates: Any,
    query_labels: Any,
    candidate_labels: Any,
    similarity: Any,
    ks: Sequence[int] = KS,
    clip: int = CLIP,
    grading: Grading | None = None,
) -> dict[str, np.ndarray]:
    """Queries (n, d) find candidates (m, d), arrays or tensors, by cosine: pictures found by texts, for example.

    query_labels (n,) and candidate_labels (m,): rows of `similarity`, (n_classes, n_classes) from 0 up. ks: cutoffs of
    HP and of the hierarchical distance; clip: that of AHP. Returns (n,) float64 values of "HP@<k>", "AHP@<clip>",
    "AHP", "HAP", "NDCG", "hierarchical_distance@<k>" and "mistake_severity" (NaN where the first answer is right).
    Raises KithError for shapes that do not fit, labels and cutoffs out of range, and rows that are not finite.

    >>> similarity = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])  # of cats, dogs and oaks
    >>> texts, pictures = [[1.0, 0]], [[1.0, 0.1], [1.0, 0.2], [0, 1.0]]
    >>> found = taxonomic_search(texts, pictures, [0], [1, 0, 2], similarity, ks=[1], clip=3)  # a dog is found first
    >>> found["HP@1"].tolist(), found["mistake_severity"].tolist(), found["HAP"].round(3).tolist()
    ([0.5], [0.5], [0.833])
    """
    queries, candidates = unit_rows(queries, "queries"), unit_rows(candidates, "candidates")
    _check_lengths("queries", queries, query_labels)
    _check_lengths("candidates", candidates, candidate_labels)
    lists = GradedLists(candidate_labels, similarity, ks, clip, grading)
    order = _by_class(query_labels)
    blocks = (lists_of(order[block], -near) for block, near in similarity_blocks(queries[order], candidates))
    return lists.measure(query_labels, blocks)


def taxonomic_self_search(
    features: Any,
    labels: Any,
    similarity: Any,
    ks: Sequence[int] = KS,
    clip: int = CLIP,
    normalize: bool = False,
    grading: Grading | None = None,
) -> dict[str, np.ndarray]:
    """Every item of (n, d) features searches all others, as in `kith.metrics.hierarchical.hierarchical_retrieval`: by
    squared Euclidean distance or, with `normalize`, by cosine. Returns what `taxonomic_search` returns.

    >>> found = taxonomic_self_search([[0.0], [0.1], [1.0], [1.1]], [0, 0, 1, 0], np.eye(2), ks=[1], clip=3)
    >>> found["mistake_severity"].tolist(), found["HAP"].round(3).tolist()
    ([nan, nan, 1.0, 1.0], [0.833, 0.833, 0.0, 0.583])

    Raises KithError for labels that do not fit the features.
    """
    _check_lengths("features", features, labels)
    lists = GradedLists(labels, similarity, ks, clip, grading, itself=True)
    blocks = ranked_lists(features, _by_class(labels), len(labels) - 1, normalize)
    return lists.measure(labels, (block._replace(order=as_array(block.order)) for block in blocks))


def taxonomic_hamming(
    query_codes: Any,
    database_codes: Any,
    query_labels: Any,
    database_labels: Any,
    similarity: Any,
    ks: Sequence[int] = KS,
    clip: int = CLIP,
    grading: Grading | None = None,
    *,
    exclude_self: bool = False,
) -> dict[str, np.ndarray]:
    """Codes, as `kith.metrics.hashing.hamming_retrieval` takes them, find those of a database by Hamming distance.
    exclude_self: query i is item i of the database, and no answer to itself. Returns what `taxonomic_search` returns.

    >>> codes = np.array([[1, 1, 1], [1, 1, -1], [-1, -1, -1]])
    >>> found = taxonomic_hamming(codes, codes, [0, 0, 1], [0, 0, 1], np.eye(2), ks=[1], clip=2, exclude_self=True)
    >>> found["HAP"].tolist(), found["mistake_severity"].tolist()  # the last finds only what is of another class
    ([1.0, 1.0, 0.0], [nan, nan, 1.0])

    Raises KithError for codes of different lengths, and labels that do not fit them.
    """
    (queries, bits), (database, others) = packed_words(query_codes), packed_words(database_codes)
    _check_lengths("query codes", queries, query_labels)
    _check_lengths("database codes", database, database_labels)
    if bits != others:
        raise KithError(f"queries and database have codes of different lengths: {bits} and {others} bits")
    if exclude_self and len(queries) != len(database):
        raise KithError("exclude_self: queries and database have to be the same items")
    lists = GradedLists(database_labels, similarity, ks, clip, grading, exclude_self)
    order = _by_class(query_labels)
    return lists.measure(query_labels, _by_hamming(queries, database, order, exclude_self))


def _by_hamming(queries: np.ndarray, database: np.ndarray, order: np.ndarray, itself: bool) -> Iterator[RankedLists]:
    for block, distances in hamming_blocks(queries[order], database):
        yield lists_of(order[block], distances, order[block] if itself else None)


def _by_class(labels: Any) -> np.ndarray:
    """The queries in the order of their classes, so that what a class is worth is made once."""
    return np.argsort(class_labels("labels", labels), kind="stable")


def _check_lengths(name: str, vectors: Any, labels: Any) -> None:
    if len(vectors) != len(labels):
        raise KithError(f"{name}: {len(vectors)} of them, with {len(labels)} labels")
