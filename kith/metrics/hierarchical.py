"""Hierarchical retrieval: how near, in a taxonomy, are the classes of what is found (Barz & Denzler, WACV 2019)?

A query of class c finds items of the classes c_1, c_2, …, each worth its similarity s_i = s(c, c_i). With
best_k, the most that k items of this gallery can be worth,

    HP@k     = (s_1 + … + s_k) / best_k                      hierarchical precision
    AHP      = Σ_{i=1}^{M−1} (HP@i + HP@(i+1)) / (2 M)       over all M items of the list
    AHP@K    = Σ_{i=1}^{K−1} (HP@i + HP@(i+1)) / (2 K)       a perfect list gives (K − 1) / K: 0.996 for K = 250
    AP       = mean of the precision at the ranks of the query's own class

This AHP@K is that of the published program after its repair; the figures printed in the papers are larger by
about HP@K / (2 K), 0.002 for K = 250. The query itself is no item of its list and best_k is that of the others,
wherever it stood in the list (the program was one unit off where the query was not among the first).
"""

import functools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from kith.errors import KithError
from kith.metrics import ties as equals
from kith.metrics.closest import closest_lists
from kith.metrics.ordering import (
    RankedLists,
    average_precision,
    gpu_of,
    hit_precisions,
    precision_at_recall,
    ranked_lists,
)
from kith.metrics.relevance import class_labels, similarity_tables
from kith.metrics.tied_precision import harmonic_numbers, precision_sums
from kith.similarity import as_array

FEW = 32  # a list is a few of many where there are so many times as many items


def hierarchical_retrieval(
    features: Any,
    labels: Any,
    similarity: Any,
    ks: Sequence[int] = (1, 10, 50, 100),
    clip: int = 250,
    normalize: bool = False,
    *,
    full: bool = True,
    curve: bool = False,
    ties: Literal["expected", "index"] = "expected",
) -> dict[str, np.ndarray]:
    """Every item searches all others, nearest first.

    features: (n, d) array or torch tensor, computed in float64 on its device. labels: (n,) rows of `similarity`,
    (n_classes, n_classes) with s(c, c') ≥ 0. Several matrices, {name: matrix}, share the cost of sorting; their
    metrics are then called "HP@1_name" and so on. normalize: cosine instead of squared Euclidean distance. ties:
    equally distant items count by the exact expectation over their orders (in "recall_precision" they stand at their
    expected places), or come by index, as in the published program.

    Returns (n,) float64 arrays, one value a query: "HP@k" for each k, "AHP@<clip>" and, if `full`, which needs every
    list to its end, "AHP" and "AP". A query whose class has no other item gets the AP 0, with a warning, and HP@k is 0
    where best_k is. Lists shorter than `clip` stop at their end. `curve` adds means over all queries: "curve", HP@1 …
    HP@<clip>, and, if `full`, "recall_precision", the highest precision at a recall of at least 0, .01, …, 1. Raises
    KithError for a k or labels out of range and rows that are not finite.

    >>> similarity = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])  # of three classes
    >>> features = np.array([[0.0], [0.1], [1.0], [1.1], [5.0]])
    >>> found = hierarchical_retrieval(features, [0, 0, 1, 1, 1], similarity, ks=[1], clip=2)
    >>> found["HP@1"].tolist(), found["AP"].round(2).tolist()
    ([1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.75, 0.75, 1.0])
    """
    tables = similarity_tables(similarity)
    labels = class_labels("labels", labels, len(next(iter(tables.values()))))
    longest = _longest(features, labels, ks, clip)
    limit = longest if full else min(longest, max([clip, *ks]))
    lists = _Lists(features, labels, tables, limit)
    each: dict[str, np.ndarray] = {}
    # In the order of their classes, so that the ideal of a class is made once and need not be kept.
    for block in _ranked(features, np.argsort(labels, kind="stable"), limit, normalize):
        tied = block.tied if ties == "expected" else []
        for key, values in lists.measure(labels[block.queries], block.order, tied, ks, clip, full, curve).items():
            if values.ndim == 1:
                each.setdefault(key, np.empty(len(labels)))[block.queries] = as_array(values)
            else:
                each[key] = each.get(key, 0) + as_array(values.sum(0)) / len(labels)
    if full:
        _warn_alone(int(np.count_nonzero(lists.counts[labels] == 1)), len(labels))
    return each


def _ranked(features: Any, queries: np.ndarray, limit: int, normalize: bool) -> Iterator[RankedLists]:
    few = np.ndim(features) == 2 and FEW * limit <= len(queries)
    return (closest_lists if few else ranked_lists)(features, queries, limit, normalize)


class _Lists:
    """The ranked lists of a gallery, measured on the device of its features; the ideal of a class is made once."""

    def __init__(self, features: Any, labels: np.ndarray, tables: dict[str, np.ndarray], limit: int) -> None:
        self.tables, self.limit = tables, limit
        self.n_classes = len(next(iter(tables.values())))
        self.counts = np.bincount(labels, minlength=self.n_classes)
        self.place = _placing(features)
        self.classes, self.labels = labels, self.place(labels)
        self.harmonic = harmonic_numbers(len(labels))
        self.joined = dict(_pairs(tables))
        self.placed = {names: self.place(joined) for names, joined in self.joined.items()}
        self.ideals = functools.lru_cache(maxsize=len(tables))(self._ideals)

    def measure(
        self,
        own: np.ndarray,
        order: Any,
        tied: list[equals.TiedList],
        ks: Sequence[int],
        clip: int,
        full: bool,
        curve: bool,
    ) -> dict[str, Any]:
        """Of queries of the classes `own` (n,) and the items `order` (n, limit) that they find: what
        `hierarchical_retrieval` returns, curves (n, …) not yet averaged."""
        classes, which = np.unique(own, return_inverse=True)
        asked, ranked = self.place(own)[:, None], self.labels.take(order)
        found = self._same_class(ranked == asked, own, tied, curve) if full else {}
        place = asked * self.n_classes + ranked
        for names, table in self.placed.items():
            gains = table.take(place)
            for row, items, starts in tied:
                worth = self.joined[names][own[row]][self.classes[items]]
                gains[row] = self.place(_at_places(worth, starts, self.limit))
            sums = np.cumsum(gains, axis=1, out=gains) if isinstance(gains, np.ndarray) else gains.cumsum(1)
            for name, part in zip(names, (sums.real, sums.imag) if len(names) > 1 else (sums,), strict=True):
                ideals = self.place(self.ideals(name, tuple(classes.tolist())))[self.place(which)]
                measured = _measured(part / ideals, ks, clip, full, curve)
                found |= {key + name: values for key, values in measured.items()}
        return found

    def _same_class(self, hits: Any, own: np.ndarray, tied: list[equals.TiedList], curve: bool) -> dict[str, Any]:
        counts, precisions = hit_precisions(hits)
        found, last = {"AP": average_precision(counts, precisions)}, np.cumsum(counts)
        for row, items, starts in tied:
            of = equals.runs(self.classes[items] == own[row], starts)
            found["AP"][row] = precision_sums(of, "expected", self.harmonic).sum() / max(counts[row], 1)
            precisions[last[row] - counts[row] : last[row]] = equals.precisions(of)
        return found | ({"recall_precision": precision_at_recall(counts, precisions)} if curve else {})

    def _ideals(self, name: str, labels: tuple[int, ...]) -> np.ndarray:
        """(n_labels, limit) of these classes."""
        rows, own = self.tables[name][list(labels)], np.arange(len(labels))
        others = np.tile(self.counts, (len(labels), 1))
        others[own, labels] -= 1
        return ideal_gains(rows, others, rows[own, labels])[:, : self.limit]


def hierarchical_metrics(
    rankings: Sequence[Any],
    labels: Any,
    similarity: Any,
    ks: Sequence[int] = (1, 10, 50, 100),
    clip: int = 250,
    *,
    queries: Any = None,
    complete: Any = None,
    exclude_query: bool = True,
) -> dict[str, np.ndarray]:
    """The metrics of `hierarchical_retrieval` for lists that were found elsewhere.

    rankings: a list of item numbers for each query, nearest first, of any lengths. labels, similarity, ks, clip:
    as there. queries: the items that asked, default 0, 1, …; each is taken out of its own list wherever it stands,
    unless `exclude_query` is false. complete: item numbers, of which those missing in a list are appended in this
    order. The ideal is made of the items of the list. Raises KithError for an item that is unknown or
    listed twice.

    >>> similarity = np.array([[1, 0.5], [0.5, 1]])
    >>> found = hierarchical_metrics([[1, 2, 3], [3, 2, 0]], [0, 0, 1, 1], similarity, ks=[1], clip=2)
    >>> found["HP@1"].tolist()
    [1.0, 0.5]
    """
    tables = similarity_tables(similarity)
    n_classes = len(next(iter(tables.values())))
    labels = class_labels("labels", labels, n_classes)
    queries = np.arange(len(rankings)) if queries is None else as_array(queries)
    if len(queries) != len(rankings) or not len(rankings):
        raise KithError(f"{len(rankings)} rankings, but {len(queries)} queries")
    found: list[dict[str, np.ndarray]] = []
    for query, ranking in zip(queries.tolist(), rankings, strict=True):
        order = _completed(as_array(ranking).astype(np.int64), complete, query, len(labels))
        removed = exclude_query and query in order
        order = order[order != query] if removed else order
        _check_ks(ks, clip, len(order))
        own, ranked = labels[query], labels[order]
        counts = np.bincount(ranked, minlength=n_classes)
        of_query = {"AP": average_precision(*hit_precisions((ranked == own)[None]))}
        for name, table in tables.items():
            ideal = ideal_gains(table[own], counts, table[own, own] if removed else 0)
            measured = list_precision(table[own][ranked][None], ideal[None], ks, clip)
            of_query |= {key + name: values for key, values in measured.items()}
        found.append(of_query)
    _warn_alone(sum(not each["AP"].any() for each in found), len(found))
    return {key: np.concatenate([each[key] for each in found]) for key in found[0]}


def ideal_gains(row: np.ndarray, counts: np.ndarray, own: Any) -> np.ndarray:
    """(…, M) best_1, best_2, … where `counts` items of the classes are worth `row`, and the query, if it is removed,
    `own`; row, counts: (…, n_classes), of which each row counts M items; own: (…).

    >>> ideal_gains(np.array([1, 0.5]), np.array([1, 2]), own=1.0).tolist()  # a perfect list: 1, 0.5, 0.5
    [1.0, 1.5, 2.0]
    """
    order, own = np.argsort(-row, axis=-1, kind="stable"), np.asarray(own)[..., None]
    worth, times = (np.take_along_axis(each, order, axis=-1).ravel() for each in (row, counts))
    gains = np.repeat(worth, times).reshape(*row.shape[:-1], -1)
    # The query is added first and taken off again: the rounding of the published figures.
    best = np.cumsum(np.concatenate([own, gains], axis=-1), axis=-1)[..., 1:] - own
    return np.where(best > 0, best, np.inf)


def list_precision(
    gains: Any, ideal: Any, ks: Sequence[int], clip: int, full: bool = True, curve: bool = False
) -> dict[str, Any]:
    """Of (n, m) similarities of what was found and their ideals, arrays or tensors: (n,) metrics, (n, clip) curve.

    >>> found = list_precision(np.array([[0.5, 1.0]]), np.array([[1.0, 1.5]]), ks=[1, 2], clip=2)
    >>> found["HP@1"].tolist(), found["HP@2"].tolist()
    ([0.5], [1.0])
    """
    return _measured(gains.cumsum(1) / ideal, ks, clip, full, curve)


def _measured(precision: Any, ks: Sequence[int], clip: int, full: bool, curve: bool) -> dict[str, Any]:
    """Of (n, m) precisions up to each place."""
    found = {f"HP@{k}": precision[:, k - 1] for k in ks}
    found[f"AHP@{clip}"] = _trapezoid(precision[:, :clip], 1 / clip)
    if full:
        found["AHP"] = _trapezoid(precision, 1 / precision.shape[1])
    return found | ({"curve": precision[:, :clip]} if curve else {})


def _pairs(tables: dict[str, np.ndarray]) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """Two and two tables as the parts of one of complex numbers, and what is left over as it is: cumulative sums wait
    for each addition, and both parts are added at once."""
    for start in range(0, len(tables), 2):
        names = tuple(tables)[start : start + 2]
        first, *second = (tables[name] for name in names)
        yield names, first + 1j * second[0] if second else first


def _at_places(worth: np.ndarray, starts: np.ndarray, limit: int) -> np.ndarray:
    """As of kith.metrics.ties; of complex numbers part by part, as NumPy rounds their quotients in another way."""
    if not np.iscomplexobj(worth):
        return equals.at_places(worth, starts, limit)
    real, imaginary = (equals.at_places(part, starts, limit) for part in (worth.real, worth.imag))
    return real + 1j * imaginary


def _trapezoid(heights: Any, step: float) -> Any:
    areas = heights[:, 1:] + heights[:, :-1]
    areas *= step / 2
    return areas.sum(1)


def _placing(features: Any) -> Any:
    """What brings an array to the GPU of `features`, if there is one."""
    gpu = gpu_of(features)
    if gpu is None:
        return lambda array: array
    import torch

    return functools.partial(torch.as_tensor, device=gpu)


def _completed(ranking: np.ndarray, complete: Any, query: int, n: int) -> np.ndarray:
    if complete is not None:
        rest = as_array(complete)
        ranking = np.append(ranking, rest[~np.isin(rest, ranking)])
    outside = [item for item in (query, *ranking.tolist()) if not 0 <= item < n]
    if outside:
        raise KithError(f"ranking of query {query}: there is no item {outside[0]}; there are {n} labels")
    items, times = np.unique(ranking, return_counts=True)
    if (times > 1).any():
        raise KithError(f"ranking of query {query}: item {items[times > 1][0]} is listed more than once")
    return ranking


def _longest(features: Any, labels: np.ndarray, ks: Sequence[int], clip: int) -> int:
    """How many others there are for each item to find: enough for `ks`."""
    if np.ndim(features) not in (2, 3) or len(features) != len(labels):
        raise KithError(f"{len(labels)} labels, but features of the shape {tuple(np.shape(features))}")
    _check_ks(ks, clip, len(labels) - 1)
    return len(labels) - 1


def _check_ks(ks: Sequence[int], clip: int, longest: int) -> None:
    if longest < 1:
        raise KithError("a list without any item cannot be measured")
    wrong = [k for k in ks if not 1 <= k <= longest]
    if wrong:
        raise KithError(f"ks: {wrong[0]} is not between 1 and the {longest} items of a list")
    if clip < 1:
        raise KithError(f"clip: {clip} is less than 1")


def _warn_alone(alone: int, queries: int) -> None:
    if alone:
        message = f"{alone} of {queries} queries find no item of their class in their list: their AP is 0"
        warnings.warn(message, stacklevel=3)
