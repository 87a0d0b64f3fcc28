"""Ranked lists in which items tie: what each place holds in expectation, when every order of equals is as likely."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kith.metrics.tied_precision import Buckets, buckets


class TiedList(NamedTuple):
    """A list with equals: the `row` of its block that it stands in; `order` (m,), the items, nearest first, to the end
    of the equals in which the block's list is cut; `starts` (n_runs,), where each run of equals begins."""

    row: int
    order: np.ndarray
    starts: np.ndarray


def tied_list(row: int, order: np.ndarray, values: np.ndarray) -> TiedList:
    """Of the items `order` (m,) and their sorted distances (m,).

    >>> tied_list(0, np.array([4, 2, 7]), np.array([0.1, 0.5, 0.5])).starts.tolist()
    [0, 1]
    """
    return TiedList(row, order, np.flatnonzero(np.append(True, values[1:] != values[:-1])))


def at_places(values: np.ndarray, starts: np.ndarray, limit: int) -> np.ndarray:
    """(limit,) float64 expected value at each place, of values (m,) in a list's order: the mean of each run.

    >>> at_places(np.array([1.0, 0.0, 1.0, 0.0]), np.array([0, 1]), limit=3).round(3).tolist()
    [1.0, 0.333, 0.333]
    """
    sizes = np.diff(starts, append=len(values))
    return np.repeat(np.add.reduceat(values * 1.0, starts) / sizes, sizes)[:limit]


def runs(right: np.ndarray, starts: np.ndarray, cut: int | None = None) -> Buckets:
    """The runs of a list as buckets; right: (…, m) bool in its order; cut: as `buckets` takes it.

    >>> runs(np.array([False, True, False]), np.array([0, 1])).right.tolist()
    [0, 1]
    """
    found = np.add.reduceat(right, starts, axis=-1, dtype=np.int64)
    return buckets(np.diff(starts, append=right.shape[-1]), found, cut)


def precisions(of: Buckets) -> np.ndarray:
    """(n_right,) float64 precision at each right item, the j-th of r in a run of n at its expected place,
    j (n + 1) / (r + 1).

    >>> precisions(buckets(np.array([3]), np.array([1]))).tolist()
    [0.5]
    """
    which = np.repeat(np.arange(len(of.right)), of.right)
    place = np.arange(len(which)) - of.right_before[which] + 1
    stands = of.items_before[which] + place * (of.items[which] + 1) / (of.right[which] + 1)
    return (of.right_before[which] + place) / stands


def any_right(of: Buckets) -> float:
    """Probability that a right item is among the places that are looked at.

    >>> any_right(buckets(np.array([4]), np.array([2]), cut=1))
    0.5
    """
    some = (of.places > 0) & (of.right > 0)
    if (of.places[some] > of.items[some] - of.right[some]).any():
        return 1.0
    each = zip(of.items[some].tolist(), of.right[some].tolist(), of.places[some].tolist(), strict=True)
    return 1 - float(np.prod([none_right(n, n - r)[min(places, n - r + 1)] for n, r, places in each]))


def first_right(before: int, right: int, wrong: int, ks: Sequence[int]) -> tuple[float, list[float]]:
    """Expected reciprocal rank of the first of `right` right items that tie with `wrong` wrong ones behind `before`
    others, and the probabilities that its rank is at most each of `ks`.

    >>> first_right(before=0, right=1, wrong=1, ks=[1, 2])
    (0.75, [0.5, 1.0])
    """
    none = none_right(right + wrong, wrong)
    reciprocal = float((-np.diff(none) / (before + 1 + np.arange(wrong + 1))).sum())
    return reciprocal, [1 - float(none[min(max(k - before, 0), wrong + 1)]) for k in ks]


def recall_curve(first: np.ndarray, largest: int) -> np.ndarray:
    """(largest,) float64: the expected share of queries whose first right item is among the k best, k = 1, 2, …

    first: (n, 3) integers, of each query: the items before, the right and the wrong ones that tie at its first right
    one, as `kith.metrics.cross_modal.cross_modal_retrieval` returns them. 0 if there are no queries.

    >>> recall_curve(np.array([[0, 1, 0], [0, 1, 1]]), largest=2).tolist()
    [0.75, 1.0]
    """
    total, ks = np.zeros(largest), range(1, largest + 1)
    for (before, right, wrong), queries in zip(*np.unique(first, axis=0, return_counts=True), strict=True):
        if before < largest:
            total += queries * np.array(first_right(before, right, wrong, ks)[1])
    return total / max(1, len(first))


def none_right(n: int, wrong: int) -> np.ndarray:
    """(wrong + 2,) float64: that the first 0, 1, … of n items in any order are all among the `wrong` ones.

    >>> none_right(n=2, wrong=1).tolist()
    [1.0, 0.5, 0.0]
    """
    places = np.arange(wrong + 1)
    return np.concatenate([[1.0], np.cumprod((wrong - places) / np.maximum(n - places, 1))])
