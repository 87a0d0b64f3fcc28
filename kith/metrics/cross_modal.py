"""Retrieval across modalities: at which rank does a query find its first right candidate?

One order underlies every number. Candidates come by falling cosine similarity; among candidates of exactly
the same similarity the rule `ties` says how many wrong ones stand before a right one:

    optimistic   none
    pessimistic  all
    mean         every order is equally likely: each number is its exact expectation (the default)
    stable       those with a lower index

The rank of a query is that of its first right candidate in this order: 1 + the wrong candidates before it.
Right candidates never push one another back. Average precision is the mean over the right candidates, i-th in
this order, of i / (i + wrong candidates before it); with a single right candidate it is the reciprocal rank.

In expectation, the first of r right candidates that tie with w wrong ones has w / (r + 1) of these before it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kith.errors import KithError
from kith.metrics.relevance import Relevance, as_relevance
from kith.metrics.tied_precision import Buckets, harmonic_numbers, precision_sums
from kith.metrics.ties import first_right
from kith.similarity import as_matrix, blocks, distinct_blocks, distinct_rows, unit_rows

TIES = ("mean", "optimistic", "pessimistic", "stable")


def cross_modal_retrieval(
    queries: Any,
    candidates: Any,
    relevant: Any = None,
    ties: str = "mean",
    ks: Sequence[int] = (1, 5, 10, 25),
) -> dict[str, Any]:
    """Rank all candidates for each query by cosine similarity.

    queries (n_queries, d) and candidates (n_candidates, d) are arrays or torch tensors, computed in the
    precision given (float32 or float64; lengths do not matter; a zero row is similar to nothing, 0).
    `relevant` is what `kith.metrics.relevance.as_relevance` takes: a bool matrix, index arrays, a sparse
    matrix, None: the diagonal.

    Returns "R@k" for each k (percent of queries with rank ≤ k) and "hits@k" (their number, whole but for ties),
    "median_rank", "mean_rank", "mrr" (mean reciprocal rank), "map" (mean average precision), and per query, as
    float64 arrays, "ranks", "reciprocal_ranks", "average_precision" and, for each k, "found@k", 1 where the rank
    is ≤ k, and "first", (n_queries, 3) int64: how many candidates are nearer than the first right one, and how many
    right and wrong ones are as near (`kith.metrics.ties.recall_curve`). Raises KithError for a row that is not finite
    and a query without a right candidate.

    >>> texts, pictures = np.eye(3), np.array([[1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    >>> found = cross_modal_retrieval(texts, pictures, ks=[1])  # text i belongs to picture i
    >>> round(found["R@1"], 1), found["ranks"].tolist(), round(found["mrr"], 3)
    (33.3, [1.0, 2.5, 2.5], 0.611)
    """
    _check_ties(ties)
    queries, candidates = unit_rows(queries, "queries"), unit_rows(candidates, "candidates")
    relevance = as_relevance(relevant, len(queries), len(candidates))
    if not len(queries):
        raise KithError("queries: there are none")
    again = _again(queries, relevance)
    measured = [
        _rank_distinct(_Scores.of(scores, place), again[block] - block.start, *relevance.pairs(block), ties, ks)
        for block, scores, place in distinct_blocks(queries, candidates)
    ]
    ranks, reciprocal, average_precision, found, first = map(np.concatenate, zip(*measured, strict=True))
    return _summary(ranks, reciprocal, average_precision, found, ks) | {"first": first}


def ranks_from_similarity(similarity: Any, relevant: Any = None, ties: str = "mean") -> np.ndarray:
    """(n_queries,) float64 ranks from an (n_queries, n_candidates) matrix, higher is more similar.

    For distances give −D. `relevant` and `ties` as in `cross_modal_retrieval`.

    >>> ranks_from_similarity([[0.9, 0.1], [0.8, 0.3]]).tolist()
    [1.0, 2.0]

    Raises KithError for a NaN, an unknown `ties` and a query without a right candidate.
    """
    _check_ties(ties)
    similarity = as_matrix(similarity, "similarity")
    relevance = as_relevance(relevant, *similarity.shape)
    bad = np.flatnonzero(np.isnan(similarity).any(axis=1))
    if len(bad):
        raise KithError(f"similarity: row {bad[0]} has a NaN ({len(bad)} such rows)")
    ranks = np.empty(len(similarity))
    for block in blocks(*similarity.shape):
        ranks[block] = _rank(_Scores.of(similarity[block]), *relevance.pairs(block), ties, ())[0]
    return ranks


def _check_ties(ties: str) -> None:
    if ties not in TIES:
        raise KithError(f"ties: '{ties}' is not one of {', '.join(TIES)}")


def _summary(
    ranks: np.ndarray, reciprocal: np.ndarray, average_precision: np.ndarray, found: np.ndarray, ks: Sequence[int]
) -> dict[str, Any]:
    hits = {f"hits@{k}": float(each.sum()) for k, each in zip(ks, found.T, strict=True)}
    return {
        **{f"R@{k}": float(100 * np.mean(each)) for k, each in zip(ks, found.T, strict=True)},
        **{name: int(number) if number.is_integer() else number for name, number in hits.items()},
        "median_rank": float(np.median(ranks)),
        "mean_rank": float(ranks.mean()),
        "mrr": float(reciprocal.mean()),
        "map": float(average_precision.mean()),
        "ranks": ranks,
        "reciprocal_ranks": reciprocal,
        "average_precision": average_precision,
        **{f"found@{k}": each for k, each in zip(ks, found.T, strict=True)},
    }


class _Scores(NamedTuple):
    """Scores of a block of queries, (n, m), with a column for each distinct candidate. place: (n_candidates,) the
    column of each candidate; times: (m,) how many candidates a column stands for. Both are None where all are distinct,
    and candidates are columns."""

    each: np.ndarray
    place: np.ndarray | None
    times: np.ndarray | None

    @classmethod
    def of(cls, each: np.ndarray, place: np.ndarray | None = None) -> "_Scores":
        return cls(each, place, None if place is None else np.bincount(place, minlength=each.shape[1]))

    @property
    def candidates(self) -> int:
        return self.each.shape[1] if self.place is None else len(self.place)

    def at(self, rows: Any, columns: Any) -> np.ndarray:
        """Of candidates `columns`."""
        return self.each[rows, columns if self.place is None else self.place[columns]]


def _again(queries: Any, relevance: Relevance) -> np.ndarray:
    """(n,) the first query with the same vector and the same right candidates as each: several pictures may have one
    text."""
    own = np.arange(len(queries))
    place = distinct_rows(queries)[1]
    if place is None:
        return own
    seen: dict[tuple[int, bytes], int] = {}
    bounds = zip(relevance.indptr[:-1].tolist(), relevance.indptr[1:].tolist(), strict=True)
    right = (relevance.indices[start:stop].tobytes() for start, stop in bounds)
    keys = zip(place.tolist(), right, strict=True)
    return np.array([seen.setdefault(key, number) for number, key in enumerate(keys)], dtype=np.int64)


def _rank_distinct(
    scores: _Scores, again: np.ndarray, rows: np.ndarray, columns: np.ndarray, ties: str, ks: Sequence[int]
) -> tuple[np.ndarray, ...]:
    """As `_rank`, but of rows that come again, as `again` (n,) tells by the row that comes first, only the first."""
    own = np.arange(len(again))
    # A BLAS may round equal rows differently, and what came in the block before has gone.
    repeated = np.flatnonzero((again >= 0) & (again < own))
    repeated = repeated[(scores.each[repeated] == scores.each[again[repeated]]).all(axis=1)]
    if not len(repeated):
        return _rank(scores, rows, columns, ties, ks)
    first = own.copy()
    first[repeated] = again[repeated]
    asked, which = np.unique(first, return_inverse=True)
    kept = np.isin(rows, asked)
    found = _rank(scores._replace(each=scores.each[asked]), np.searchsorted(asked, rows[kept]), columns[kept], ties, ks)
    return tuple(each[which] for each in found)


def _rank(
    scores: _Scores, rows: np.ndarray, columns: np.ndarray, ties: str, ks: Sequence[int]
) -> tuple[np.ndarray, ...]:
    """Of each row of `scores`, given its right (row, column) pairs: rank, reciprocal rank, average precision, all
    (n,), (n, ks) whether the rank is within each k, and (n, 3) what stands before and with the first right one."""
    right = scores.at(rows, columns)
    order = np.lexsort((columns, -right, rows))
    rows, columns, right = rows[order], columns[order], right[order]
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    place = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    above, tied = _counts(scores, rows, right)
    # Runs of right candidates of one query with the same similarity.
    run = np.flatnonzero(np.append(True, (rows[1:] != rows[:-1]) | (right[1:] != right[:-1])))
    length = np.diff(run, append=len(rows))
    right_above = np.repeat(place[run], length)
    wrong_tied, within = tied - np.repeat(length, length), np.repeat(length, length)
    wrong = above - right_above + _before(scores, rows, columns, wrong_tied, within, place - right_above, ties)
    precision = (place + 1) / (place + 1 + wrong)
    ranks = 1.0 + wrong[starts]
    first = np.column_stack([wrong[starts], np.ones_like(ranks), np.zeros_like(ranks)])
    reciprocal, found = 1 / ranks, (ranks[:, None] <= np.array(ks, dtype=np.int64)).astype(np.float64)
    if ties == "mean" and wrong_tied.any():
        first = np.column_stack([above, within, wrong_tied])[starts]
        for row in np.flatnonzero(wrong_tied[starts]):
            pair = starts[row]
            reciprocal[row], found[row] = first_right(above[pair], within[pair], wrong_tied[pair], ks)
        equal = Buckets(*(each[run] for each in (tied, within, above, right_above, tied)))
        sums = precision_sums(equal, "expected", harmonic_numbers(scores.candidates))
        precision = np.where(wrong_tied > 0, np.repeat(sums / length, length), precision)
    average = np.add.reduceat(precision, starts) / np.diff(starts, append=len(rows))
    return ranks, reciprocal, average, found, first.astype(np.int64)


def _counts(scores: _Scores, rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each (row, value): how many candidates' scores of the row are above the value, and how many equal it."""
    if len(rows) == len(scores.each):  # one value a row: two comparisons are far cheaper than sorting
        value = values[:, None]
        return _count(scores.each > value, scores.times), _count(scores.each == value, scores.times)
    if scores.times is None:
        ascending, until = np.sort(scores.each, axis=1), np.arange(scores.candidates + 1)[None]
    else:
        order = np.argsort(scores.each, axis=1)
        ascending = np.take_along_axis(scores.each, order, axis=1)
        until = np.cumsum(np.pad(scores.times[order], ((0, 0), (1, 0))), axis=1)
    bounds = np.searchsorted(rows, np.arange(len(scores.each) + 1))
    left, right = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64)
    counted = np.broadcast_to(until, (len(ascending), until.shape[1]))
    for row, passed, start, stop in zip(ascending, counted, bounds[:-1], bounds[1:], strict=True):
        left[start:stop] = passed[np.searchsorted(row, values[start:stop], side="left")]
        right[start:stop] = passed[np.searchsorted(row, values[start:stop], side="right")]
    return scores.candidates - right, right - left


def _count(chosen: np.ndarray, times: np.ndarray | None) -> np.ndarray:
    """(n,) int64: how many candidates the columns that are chosen, (n, m) bool, stand for."""
    return np.count_nonzero(chosen, axis=1) if times is None else (chosen @ times.astype(np.float64)).astype(np.int64)


def _before(
    scores: _Scores,
    rows: np.ndarray,
    columns: np.ndarray,
    wrong_tied: np.ndarray,
    right_tied: np.ndarray,
    right_before: np.ndarray,
    ties: str,
) -> np.ndarray:
    """How many wrong candidates of equal score stand before each right one; `right_before`: right ones so."""
    if ties == "mean":
        return wrong_tied * (right_before + 1) / (right_tied + 1)
    if ties != "stable":
        return wrong_tied * {"optimistic": 0.0, "pessimistic": 1.0}[ties]
    before = np.zeros(len(rows))
    for pair in np.flatnonzero(wrong_tied):
        row, column = rows[pair], columns[pair]
        lower = np.count_nonzero(scores.at(row, np.arange(column)) == scores.at(row, column))
        before[pair] = lower - right_before[pair]
    return before
