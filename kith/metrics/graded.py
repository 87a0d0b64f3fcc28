"""Ranked lists in a taxonomy: how similar is the class of what is found to that of the query?

A query of class c finds all candidates, of the classes c_1, c_2, …, of the similarity s_i = s(c, c_i):

    HP@k, AHP@K, AHP        as in kith.metrics.hierarchical
    hierarchical distance   @k: mean of 1 − s_i over i = 1 … k (Bertinetto et al., CVPR 2020)
    mistake severity        1 − s_1 where the first is of another class; without those that are right (the same)
    NDCG                    Σ_i g_i / log2(1 + i), divided by the same of the best order (Järvelin & Kekäläinen, 2002)
    H-AP                    Σ_k H-rank(k) / rank(k) / Σ_k rel(k), over the candidates k with rel(k) > 0, where
                            H-rank(k) = rel(k) + Σ_{j before k} min(rel(k), rel(j))  (Ramzi et al., ECCV 2022)

With s = LCSH, 1 − s is the height of the lowest common ancestor, as a share of the taxonomy's.

Candidates that tie count by the exact expectation over their orders, as everywhere. For H-AP that takes a sum of binary
ones: with the distinct relevances r_1 < r_2 < …, min(rel(k), rel(j)) is the sum of r_l − r_{l−1} over all l for which
both are at least r_l. So H-AP is a mean of average precisions, in the l-th of which all of at least r_l are right.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from kith.errors import KithError
from kith.metrics.hierarchical import ideal_gains, list_precision
from kith.metrics.ordering import RankedLists
from kith.metrics.relevance import class_labels, similarity_tables
from kith.metrics.tied_precision import harmonic_numbers, precision_sums
from kith.metrics.ties import TiedList, at_places, runs, tied_list


class Grading(NamedTuple):
    """What an answer is worth.

    by_population: in H-AP, rel(k) = s_k / |{j: s_j = s_k}|, with which each degree of similarity weighs as much as its
    similarity, as in the paper; without, rel(k) = s_k. levels: in NDCG, None: g_i = s_i; a number L, that of the levels
    below the root: g_i = 2^(L s_i) − 1, as in the paper. by_index: items that tie come by index, not in every order.

    >>> Grading(levels=3).by_population
    True
    """

    by_population: bool = True
    levels: int | None = None
    by_index: bool = False


class _Worth(NamedTuple):
    """Of the queries of one class, by the class of the answer (n_classes,): similarity; gain in NDCG; grade, how many
    of the steps r_l − r_{l−1} of H-AP it reaches; these steps; Σ rel; best_1, best_2, …; and the best DCG."""

    label: int
    similarity: np.ndarray
    gain: np.ndarray
    grade: np.ndarray
    steps: np.ndarray
    relevance: float
    ideal: np.ndarray
    best: float


def lists_of(queries: np.ndarray, distances: np.ndarray, own: np.ndarray | None = None) -> RankedLists:
    """The whole list of each query, (n, m) distances, of which those at the same distance come by index.

    own: (n,) the column of each query itself, which is left out of its list.

    >>> found = lists_of(np.array([7]), np.array([[0.5, 0.1, 0.5]]))
    >>> found.order.tolist(), found.tied[0].starts.tolist()
    ([[1, 0, 2]], [0, 1])
    """
    order = np.argsort(distances, axis=1, kind="stable")
    if own is not None:
        order = order[order != own[:, None]].reshape(len(order), -1)
    ordered = np.take_along_axis(distances, order, axis=1)
    equal = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    tied = [tied_list(int(row), order[row], ordered[row]) for row in np.flatnonzero(equal)]
    return RankedLists(queries, order, tied)


class GradedLists:
    """Measures whole lists of the same m candidates.

    labels: (m,) rows of `similarity`, (n_classes, n_classes) from 0 up; with `itself`, queries are candidates, and
    stand in no list of their own. ks: cutoffs of HP and distance; clip: that of AHP. Raises KithError for labels or
    cutoffs out of range.

    >>> similarity = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    >>> lists = GradedLists([0, 1, 2], similarity, ks=[1], clip=3)
    >>> found = lists.measure([0], [lists_of(np.arange(1), np.array([[0.2, 0.1, 0.3]]))])  # the near class comes first
    >>> round(float(found["NDCG"][0]), 3), found["hierarchical_distance@1"].tolist(), found["mistake_severity"].tolist()
    (0.86, [0.5], [0.5])
    """

    def __init__(
        self,
        labels: Any,
        similarity: Any,
        ks: Sequence[int],
        clip: int,
        grading: Grading | None = None,
        itself: bool = False,
    ) -> None:
        (self.table,) = similarity_tables(similarity).values()
        self.labels = class_labels("candidate labels", labels, len(self.table))
        self.ks, self.clip, self.grading, self.itself = tuple(ks), clip, grading or Grading(), itself
        self.length = len(self.labels) - itself
        if self.length < 1 or clip < 1 or not all(1 <= k <= self.length for k in ks):
            raise KithError(f"ks {self.ks} and clip {clip}: from 1, and ks up to the {self.length} answers of a list")
        places = np.arange(1, self.length + 1)
        self.places, self.discount = places, 1 / np.log2(1 + places)
        self.harmonic = harmonic_numbers(len(self.labels))
        self.worth = lru_cache(maxsize=2)(self._worth)

    def measure(self, labels: Any, found: Any) -> dict[str, np.ndarray]:
        """(n,) float64 values of queries of the classes `labels` (n,), whose lists come block by block in `found`."""
        own = class_labels("query labels", labels, len(self.table))
        each: dict[str, np.ndarray] = {}
        for block in found:
            tied = {} if self.grading.by_index else {one.row: one for one in block.tied}
            classes = self.labels[np.asarray(block.order)]
            for label in np.unique(own[block.queries]):
                rows = np.flatnonzero(own[block.queries] == label)
                mine = [(place, tied[row]) for place, row in enumerate(rows.tolist()) if row in tied]
                for name, values in self._of_class(self.worth(int(label)), classes[rows], mine).items():
                    each.setdefault(name, np.full(len(own), np.nan))[block.queries[rows]] = values
        return each

    def by_chance(self, labels: Any) -> dict[str, float]:
        """Expected means, when every order of the candidates is as likely, for queries of the classes `labels` (n,).

        >>> lists = GradedLists([0, 0, 1, 1], np.eye(2), ks=[1], clip=4, itself=True)
        >>> round(lists.by_chance([0, 0, 1, 1])["hierarchical_distance@1"], 3)  # one of three others is right
        0.667
        """
        classes, counts = np.unique(class_labels("query labels", labels, len(self.table)), return_counts=True)
        measured = self.measure(classes, self._all_equal(classes))
        right = np.bincount(self.labels, minlength=len(self.table))[classes] - self.itself
        # Of queries whose first answer is wrong alone.
        wrong = counts * (1 - right / self.length)
        return {
            name: _mean(values, wrong if name == "mistake_severity" else counts)
            for name, values in measured.items()
            if not np.isnan(values).all()
        }

    def _all_equal(self, classes: np.ndarray) -> Iterator[RankedLists]:
        for at, label in enumerate(classes.tolist()):
            order = np.arange(len(self.labels))
            order = np.delete(order, np.flatnonzero(self.labels == label)[0]) if self.itself else order
            yield RankedLists(np.array([at]), order[None], [TiedList(0, order, np.array([0]))])

    def _of_class(self, worth: _Worth, classes: np.ndarray, tied: list[tuple[int, TiedList]]) -> dict[str, np.ndarray]:
        """Of lists (n, m), the classes of their items, for queries of one class; `tied` has those with equals."""
        similar, gains, grades = worth.similarity[classes], worth.gain[classes], worth.grade[classes]
        severity = np.where(classes[:, 0] == worth.label, np.nan, 1 - similar[:, 0])
        sums, free = np.zeros(len(classes)), np.setdiff1d(np.arange(len(classes)), [row for row, _ in tied])
        for grade, step in enumerate(worth.steps if len(free) else ()):
            right = grades[free] > grade
            sums[free] += step * (right * np.cumsum(right, axis=1) / self.places).sum(axis=1)
        for row, (_, order, starts) in tied:
            of = self.labels[order]
            similar[row], gains[row] = (at_places(of_class[of], starts, self.length) for of_class in worth[1:3])
            right = worth.grade[of] > np.arange(len(worth.steps))[:, None]
            each = precision_sums(runs(right, starts), "expected", self.harmonic).sum(axis=1)
            sums[row] = sum(worth.steps * each)  # one after the other, as above
            first = of[: starts[1]] if len(starts) > 1 else of
            wrong = worth.similarity[first[first != worth.label]]
            severity[row] = 1 - wrong.mean() if len(wrong) else np.nan
        distances = 1 - np.cumsum(similar, axis=1) / self.places
        return {
            **list_precision(similar, worth.ideal[None], self.ks, self.clip),
            "HAP": sums / max(worth.relevance, 1e-300),
            "NDCG": gains @ self.discount / max(worth.best, 1e-300),
            **{f"hierarchical_distance@{k}": distances[:, k - 1] for k in self.ks},
            "mistake_severity": severity,
        }

    def _worth(self, label: int) -> _Worth:
        row, counts = self.table[label], np.bincount(self.labels, minlength=len(self.table))
        counts = counts - self.itself * (np.arange(len(counts)) == label)
        relevance = row / np.maximum(_times(row, counts), 1) if self.grading.by_population else row
        reached = np.unique(np.append(0.0, relevance[counts > 0]))
        gain = row if self.grading.levels is None else 2.0 ** (self.grading.levels * row) - 1
        return _Worth(
            label=label,
            similarity=row,
            gain=gain,
            grade=np.searchsorted(reached, relevance),
            steps=np.diff(reached),
            relevance=float(relevance @ counts),
            ideal=ideal_gains(row, counts, row[label] if self.itself else 0.0),
            best=float(np.sort(np.repeat(gain, counts))[::-1] @ self.discount),
        )


def _times(row: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(n_classes,) how many candidates are as similar as the class."""
    which = np.unique(row, return_inverse=True)[1]
    return np.bincount(which, weights=counts)[which]


def _mean(values: np.ndarray, counts: np.ndarray) -> float:
    known = ~np.isnan(values)
    return float(values[known] @ counts[known] / counts[known].sum())
