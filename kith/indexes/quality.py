"""How good the answers of an index are: by pairs, by classes, and by what an exact search finds.

Metrics look at the first k answers, as whoever asks does, so that indexes that rank all and those that look at a part
are measured alike. Where answers are equally near, as with short codes, the order of the rows decides: give rows in an
order that knows nothing.
"""

from dataclasses import dataclass

import numpy as np

from kith.indexes.index import MISSING, VectorIndex
from kith.metrics.hierarchical import ideal_gains, list_precision

AT_ONCE = 1024  # queries


@dataclass(frozen=True)
class PairQuestions:
    """Texts that look for pictures. queries: (m, d) vectors; wanted: (m,) groups; groups: (n,) of what is searched."""

    queries: np.ndarray
    wanted: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class ClassQuestions:
    """Pictures that look for others like them. rows: (m,) of what is searched, each of which asks; labels: (n,) classes
    of all, −1 where unknown; similarity: (classes, classes) in the taxonomy, 1 on the diagonal."""

    rows: np.ndarray
    labels: np.ndarray
    similarity: np.ndarray


def of_pairs(index: VectorIndex, asked: PairQuestions, k: int) -> dict[str, np.ndarray]:
    """Of each query (m,): "mrr", 1 / the rank of the first right answer, 0 where none is among the first k, and "map",
    average precision of the first k answers, over the right ones that could be among them.

    >>> from kith.indexes import build
    >>> asked = PairQuestions(np.array([[0, 1]]), np.array([7]), np.array([5, 7, 7]))
    >>> found = of_pairs(build("float32", np.array([[0, 1], [3, 4], [1, 0]])), asked, k=2)
    >>> found["mrr"].tolist(), found["map"].tolist()
    ([0.5], [0.25])
    """
    answers = _answers(index, asked.queries, k)
    right = (asked.groups[answers] == asked.wanted[:, None]) & (answers != MISSING)
    kinds, counts = np.unique(asked.groups, return_counts=True)
    place = np.searchsorted(kinds, asked.wanted).clip(max=len(kinds) - 1)
    total = np.where(kinds[place] == asked.wanted, counts[place], 0)
    return {"mrr": reciprocal_ranks(right), "map": average_precision(right, total)}


def of_classes(index: VectorIndex, vectors: np.ndarray, asked: ClassQuestions, k: int) -> dict[str, np.ndarray]:
    """Of each row that asks (m,): "class_map", as "map" of `of_pairs`, of the other items of its class, and "hp",
    hierarchical precision of the first k others (Deng et al., ICCV 2011).

    vectors: (n, d), those that the index holds.
    """
    answers = _others(_answers(index, vectors[asked.rows], k + 1), asked.rows)
    own = asked.labels[asked.rows]
    found = answers != MISSING
    labels = np.where(found, asked.labels[answers], -1)
    total = np.bincount(asked.labels[asked.labels >= 0], minlength=len(asked.similarity))
    gains = np.where(labels >= 0, asked.similarity[own[:, None], labels], 0.0)
    ideals = {label: ideal_gains(asked.similarity[label], _without(total, label), 0.0)[:k] for label in set(own)}
    ideal = np.stack([_padded(ideals[label], k) for label in own])
    return {
        "class_map": average_precision(labels == own[:, None], total[own] - 1),
        "hp": list_precision(gains, ideal, (k,), k, full=False)[f"HP@{k}"],
    }


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """Share of the exact answers (m, k) that are among the found (m, k), rows that are missing left out; 1 where there
    are none.

    >>> recall(np.array([[1, 2]]), np.array([[2, 3]]))
    0.5
    """
    there = exact != MISSING
    hits = (exact[:, :, None] == found[:, None, :]).any(axis=2) & there
    return float(hits.sum() / there.sum()) if there.any() else 1.0


def reciprocal_ranks(right: np.ndarray) -> np.ndarray:
    """(m,) of (m, k) truth values, which of the answers are right.

    >>> reciprocal_ranks(np.array([[False, True], [False, False]])).tolist()
    [0.5, 0.0]
    """
    return np.where(right.any(axis=1), 1 / (1 + right.argmax(axis=1)), 0.0)


def average_precision(right: np.ndarray, total: np.ndarray) -> np.ndarray:
    """(m,) of (m, k) truth values and the numbers (m,) of right items: the mean precision at right answers, those that
    are missing counted as 0, over as many as k answers can hold; 0 where there is none.

    >>> average_precision(np.array([[True, False, True]]), np.array([5])).round(4).tolist()
    [0.5556]
    """
    precision = np.cumsum(right, axis=1) / np.arange(1, right.shape[1] + 1)
    possible = np.minimum(total, right.shape[1])
    return (precision * right).sum(axis=1) / np.maximum(possible, 1)


def _answers(index: VectorIndex, queries: np.ndarray, k: int) -> np.ndarray:
    """Rows (m, k), some queries at a time, so that no index needs memory for all."""
    starts = range(0, len(queries), AT_ONCE)
    parts = [index.search(queries[start : start + AT_ONCE], k)[0] for start in starts]
    return np.concatenate(parts) if parts else np.empty((0, k), np.int64)


def _others(answers: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(m, k) of answers (m, k + 1): without the row that asks, or without the last."""
    order = np.argsort(answers == own[:, None], axis=1, kind="stable")[:, :-1]
    return np.take_along_axis(answers, order, axis=1)


def _without(counts: np.ndarray, label: int) -> np.ndarray:
    less = counts.copy()
    less[label] -= 1
    return less


def _padded(ideal: np.ndarray, k: int) -> np.ndarray:
    """Where there are fewer than k others, the best sum stays what it is."""
    return np.pad(ideal, (0, k - len(ideal)), mode="edge") if len(ideal) else np.full(k, np.inf)
