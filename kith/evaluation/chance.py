"""What a ranking at random would reach: the level that a metric has to be held against."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kith.metrics.hierarchical import ideal_gains, list_precision
from kith.metrics.relevance import class_labels, similarity_tables
from kith.metrics.ties import none_right


def chance_level(right: np.ndarray, n_candidates: int, ks: Sequence[int] = (1, 5, 10, 25)) -> dict[str, float]:
    """Expected retrieval metrics when every order of the candidates is equally likely.

    right (n_queries,) is each query's number of right candidates, 1 … n_candidates. With r right among M, the
    first right one comes after rank k with probability Π_{i=0}^{k−1} (M − r − i) / (M − i). Returns "R@k"
    (percent), "median_rank" (of all queries together), "mean_rank" and "mrr".

    >>> level = chance_level(np.array([1, 1]), n_candidates=4, ks=[1])
    >>> level["R@1"], level["mean_rank"]
    (25.0, 2.5)
    """
    places = np.arange(n_candidates)
    later = np.zeros(n_candidates + 1)
    for count, queries in zip(*np.unique(right, return_counts=True), strict=True):
        none = none_right(n_candidates, n_candidates - count)
        later[: len(none)] += queries / len(right) * none
    return {
        **{f"R@{k}": float(100 * (1 - later[min(k, n_candidates)])) for k in ks},
        "median_rank": float(np.argmax(later <= 0.5 + 1e-12)),
        "mean_rank": float(later.sum()),
        "mrr": float((-np.diff(later) / (places + 1)).sum()),
    }


def hierarchical_chance(labels: Any, similarity: Any, ks: Sequence[int], clip: int) -> dict[str, float]:
    """Expected metrics of `hierarchical_retrieval` when every order of the other items is equally likely.

    k items are then worth k times the mean similarity of all others. Arguments and names as there, without AP.

    >>> float(round(hierarchical_chance([0, 0, 1, 1], np.eye(2), ks=[1], clip=3)["HP@1"], 3))  # one of three others
    0.333
    """
    tables = similarity_tables(similarity)
    labels = class_labels("labels", labels, len(next(iter(tables.values()))))
    counts = np.bincount(labels, minlength=len(next(iter(tables.values()))))
    classes = np.flatnonzero(counts)
    levels: dict[str, float] = {}
    for name, table in tables.items():
        expected: dict[str, float] = {}
        for label in classes.tolist():
            others = counts - (np.arange(len(counts)) == label)
            gains = np.full((1, others.sum()), (table[label] * others).sum() / others.sum())
            best = ideal_gains(table[label], others, table[label, label])[None]
            for name_k, values in list_precision(gains, best, ks, clip).items():
                expected[name_k] = expected.get(name_k, 0.0) + float(values[0]) * counts[label] / len(labels)
        levels |= {name_k + name: value for name_k, value in expected.items()}
    return levels


def self_retrieval_chance(labels: Any, ks: Sequence[int]) -> dict[str, float]:
    """Expected metrics of `self_retrieval` when every order of the other items is equally likely.

    With R right ones among N others, each place holds a right one with probability R / N; given that, each of the
    k − 1 places before it with (R − 1) / (N − 1). Names as there; items that are alone in their class do not count.

    >>> round(self_retrieval_chance([0, 0, 1, 1], ks=[1])["r_precision"], 3)
    0.333
    """
    counts = np.unique(class_labels("labels", labels), return_counts=True)[1]
    others, n = counts[counts > 1] - 1, int(counts.sum()) - 1
    weights = (others + 1) / (others + 1).sum()
    levels = chance_level(np.repeat(others, others + 1), n, ks)
    precision = [_precision_of_first(right, n) for right in others.tolist()]
    recall = {f"recall@{k}": levels[f"R@{k}"] / 100 for k in ks}
    return recall | {"r_precision": float(weights @ others / n), "map@r": float(weights @ precision)}


def _precision_of_first(right: int, n: int) -> float:
    """Expected MAP@R of one query with `right` right ones among n."""
    places = np.arange(1, right + 1)
    return float(((1 + (places - 1) * (right - 1) / max(n - 1, 1)) / places).sum() / n)
