"""Precision at the ranks of right answers: average precision, and precision over recall."""

from typing import Any

import numpy as np

from kith.similarity import as_array


def hit_precisions(hits: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of (n, m) bool, whether the answer at each rank is right (array or tensor on any device): the numbers of
    right answers (n,), and the precision at each of them, row by row, (n_right,) float64."""
    rows, columns = np.nonzero(hits) if isinstance(hits, np.ndarray) else map(as_array, hits.nonzero(as_tuple=True))
    counts = np.bincount(rows, minlength=len(hits))
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return counts, (place + 1) / (columns + 1)


def average_precision(counts: np.ndarray, precisions: np.ndarray) -> np.ndarray:
    """(n,) float64 means of what `hit_precisions` returns; 0 for a row without a right answer."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(rows, weights=precisions, minlength=len(counts)) / np.maximum(counts, 1)


def precision_at_recall(counts: np.ndarray, precisions: np.ndarray, steps: int = 100) -> np.ndarray:
    """(n, steps + 1) float64: the highest precision at a recall of at least 0, 1/steps, …, 1, from what
    `hit_precisions` returns; 0 for a row without a right answer."""
    # Running maxima from each row's end: offsets that grow from the last row to the first keep rows apart.
    offset = np.repeat(2.0 * np.arange(len(counts), 0, -1), counts)
    highest = np.maximum.accumulate((precisions + offset)[::-1])[::-1] - offset
    some = np.flatnonzero(counts)
    needed = np.maximum(1, -(-np.arange(steps + 1) * counts[some, None] // steps))
    found = np.zeros((len(counts), steps + 1))
    found[some] = highest[(np.cumsum(counts) - counts)[some, None] + needed - 1]
    return found
