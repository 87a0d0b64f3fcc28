"""Items with several labels: two are relevant to each other if they share at least one, and the more, the more so.

A query finds, in the order of their distance, all items of a database; r_i is how many labels the i-th shares with it:

    AP        over the items with r_i > 0, as for single labels
    ACG@k     average cumulative gain: mean of r_i over i = 1 … k
    NDCG@k    Σ_{i ≤ k} (2^{r_i} − 1) / log2(1 + i), divided by the same of the best order
    WAP       Σ_i [r_i > 0] ACG@i, divided by the number of items with r_i > 0; its mean over queries is the weighted
              mean average precision

ACG and NDCG: Järvelin & Kekäläinen, 2000 and 2002; all three as Zhao et al., "Deep Semantic Ranking Based Hashing for
Multi-Label Image Retrieval", CVPR 2015, measure codes. Items that tie count by the exact expectation over their orders.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from kith.codes import hamming_blocks, packed_words
from kith.errors import KithError
from kith.metrics.relevance import as_sets, shared_labels
from kith.metrics.tied_precision import Buckets, harmonic_numbers, precision_sums, right_found
from kith.metrics.ties import any_right, first_right, runs
from kith.similarity import similarity_blocks, unit_rows

Blocks = Iterable[tuple[slice, np.ndarray]]
CACHED = 1 << 17  # gains that are looked at together, so that they stay in a processor's cache


def shared_retrieval(
    vectors: Any, sets: Any, database: Any = None, database_sets: Any = None, ks: Sequence[int] = ()
) -> dict[str, np.ndarray]:
    """Queries look by cosine for items that share a label with them, in a database, or else among each other.

    vectors (n, d), database (m, d); sets (n, C), database_sets (m, C): truth values or 0 and 1, C being the labels; ks:
    cutoffs, up to the number of answers. Returns (n,) float64 values, NaN for a query that shares no label with any:
    "map", "rank" and "mrr" of the first right answer, "WAP", and "R@<k>" (1 if a right one is among the first k),
    "precision@<k>", "ACG@<k>" and "NDCG@<k>". Raises KithError for shapes and cutoffs that do not fit.

    >>> found = shared_retrieval([[1, 0]], [[1, 1]], [[1, 0.1], [0, 1], [1, 1]], [[1, 0], [1, 1], [0, 0]], ks=[1])
    >>> {name: round(float(each[0]), 3) for name, each in found.items() if name in ("map", "NDCG@1", "ACG@1", "WAP")}
    {'map': 0.833, 'WAP': 1.0, 'ACG@1': 1.0, 'NDCG@1': 0.333}
    """
    queries = unit_rows(vectors, "vectors")
    items = queries if database is None else unit_rows(database, "database")
    asked = as_sets("sets", sets)
    known = asked if database is None else as_sets("database_sets", database_sets)
    _check((len(queries), len(items)), asked, known, ks, database is None)
    return _measure(((block, -near) for block, near in similarity_blocks(queries, items)), asked, known, ks, database)


def shared_hamming(
    query_codes: Any,
    database_codes: Any,
    query_sets: Any,
    database_sets: Any,
    ks: Sequence[int] = (),
    exclude_self: bool = False,
) -> dict[str, np.ndarray]:
    """`shared_retrieval` of codes ±1 or packed ones (see kith.codes), by Hamming distance.

    exclude_self: query i is item i of the database, and no answer to itself.

    >>> shared_hamming([[1, 1]], [[1, 1], [1, -1]], [[1, 1, 0]], [[1, 0, 0], [1, 1, 1]], ks=[1])["ACG@1"].tolist()
    [1.0]
    """
    (queries, _), (items, _) = packed_words(query_codes), packed_words(database_codes)
    asked, known = as_sets("query_sets", query_sets), as_sets("database_sets", database_sets)
    _check((len(queries), len(items)), asked, known, ks, exclude_self)
    return _measure(hamming_blocks(query_codes, database_codes), asked, known, ks, None if exclude_self else items)


def shared_by_chance(sets: Any, database_sets: Any = None, ks: Sequence[int] = ()) -> dict[str, float]:
    """Expected means of `shared_retrieval` when every order of the items is as likely; NaN ones are left out.

    >>> shared_by_chance([[1, 0], [1, 0], [0, 1]], ks=[1])["precision@1"]  # of the two that have a right answer
    0.5
    """
    asked = as_sets("sets", sets)
    known = asked if database_sets is None else as_sets("database_sets", database_sets)
    _check((len(asked), len(known)), asked, known, ks, database_sets is None)
    equal = ((slice(row, row + 1), np.zeros((1, len(known)))) for row in range(len(asked)))
    values = _measure(equal, asked, known, ks, database_sets)
    return {name: float(np.nanmean(each)) for name, each in values.items() if not np.isnan(each).all()}


def class_precision(scores: Any, sets: Any) -> np.ndarray:
    """(C,) float64 average precision of each class: pictures ranked by its score (n, C), right where they have it.

    Equal scores count by the expectation over their orders; NaN for a class that no picture has. sets: (n, C).

    >>> class_precision([[0.9, 0.1], [0.8, 0.1], [0.7, 0.1]], [[1, 0], [0, 0], [1, 0]]).round(3).tolist()
    [0.833, nan]
    """
    scores, known = np.asarray(scores, dtype=np.float64), as_sets("sets", sets)
    if scores.shape != known.shape:
        raise KithError(f"scores have the shape {scores.shape}, sets {known.shape}")
    harmonic, found = harmonic_numbers(len(scores)), np.full(known.shape[1], np.nan)
    for label in np.flatnonzero(known.any(axis=0)):
        ranked, starts = _ranked(-scores[:, label], known[:, label])
        found[label] = precision_sums(runs(ranked > 0, starts), "expected", harmonic).sum() / ranked.sum()
    return found


def _measure(
    found: Blocks, asked: np.ndarray, known: np.ndarray, ks: Sequence[int], database: Any
) -> dict[str, np.ndarray]:
    """database: None where queries are the items, and none is an answer to itself."""
    names = ["map", "rank", "mrr", "WAP"]
    names += [f"{name}@{k}" for name in ("R", "precision", "ACG", "NDCG") for k in ks]
    values = {name: np.full(len(asked), np.nan) for name in names}
    harmonic, discount = harmonic_numbers(len(known)), 1 / np.log2(np.arange(2, max(ks, default=0) + 2))
    step = max(1, CACHED // len(known))
    for block, distances in found:
        for start in range(0, len(distances), step):
            rows = np.arange(block.start + start, min(block.start + start + step, block.stop))
            gains, near = shared_labels(asked[rows], known), distances[start : start + step]
            if database is None:
                others = np.arange(len(known)) != rows[:, None]
                gains, near = (each[others].reshape(len(rows), -1) for each in (gains, near))
            some = gains.any(axis=1)
            if some.any():
                lists = _RankedGains(*_sorted(near[some], gains[some]), harmonic)
                for name, each in (lists.measures() | lists.at_cutoffs(ks, discount)).items():
                    values[name][rows[some]] = each
    return values


def _sorted(distances: np.ndarray, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, m) float64 gains of each row by rising distance, and whether a distance is not the one before it. Among equal
    distances the order is any: what is measured does not depend on it."""
    if distances.dtype == np.float64:
        order = np.argsort(distances, axis=1)
        keys, gains = np.take_along_axis(distances, order, axis=1), np.take_along_axis(gains, order, axis=1)
    else:
        # A distance above its gain in one integer: sorting numbers is far cheaper than sorting indices.
        packed = _rising(distances).astype(np.uint64) << np.uint64(32)
        packed |= gains.astype(np.uint64)
        packed.sort(axis=1)
        keys, gains = packed >> np.uint64(32), packed & np.uint64(0xFFFFFFFF)
    starts = np.ones(keys.shape, dtype=bool)
    np.not_equal(keys[:, 1:], keys[:, :-1], out=starts[:, 1:])
    return gains.astype(np.float64), starts


def _rising(distances: np.ndarray) -> np.ndarray:
    """Of float32, or of small integers, uint32 that are in the same order, equal where these are."""
    if distances.dtype.kind in "iu":
        return distances.astype(np.uint32)
    bits = (distances + np.float32(0)).view(np.int32)  # −0 becomes 0
    # Those below 0 fall as their bits rise: all bits are turned over, of others the sign alone.
    return bits.view(np.uint32) ^ ((bits >> 31).view(np.uint32) | np.uint32(1 << 31))


def _ranked(distances: np.ndarray, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gains by rising distance, and where each run of equal distances begins."""
    order = np.argsort(distances, kind="stable")
    ordered = distances[order]
    return gains[order], np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))


class _RankedGains:
    """Lists of the same m items, each with a right one. gains: (n, m) float64 labels shared, in their order; starts:
    (n, m) bool, where their runs of equals begin. All runs of all lists stand one behind the other."""

    def __init__(self, gains: np.ndarray, starts: np.ndarray, harmonic: np.ndarray):
        self.gains, self.starts, self.harmonic = gains, starts, harmonic
        n, m = gains.shape
        at, in_list = np.flatnonzero(starts), np.count_nonzero(starts, axis=1)
        self.ends = np.cumsum(in_list)
        self.first = self.ends - in_list
        self.list = np.repeat(np.arange(n), in_list)
        items = np.diff(at, append=n * m)
        self.shared = np.add.reduceat(gains.ravel(), at)
        right = (self.shared > 0).astype(np.int64)
        self.several = np.flatnonzero(items > 1)  # few, where distances are no whole numbers
        for run in self.several.tolist():
            right[run] = np.count_nonzero(gains.ravel()[at[run] : at[run] + items[run]])
        self.runs = Buckets(items, right, at - m * self.list, self._before(right), items)
        self.right = np.add.reduceat(right, self.first)
        self.steps = harmonic[self.runs.items_before + items] - harmonic[self.runs.items_before]  # Σ 1 / (N + i)

    def measures(self) -> dict[str, np.ndarray]:
        """Of whole lists, (n,) float64 each."""
        some = np.flatnonzero(self.runs.right)
        at = some[np.searchsorted(some, self.first)]
        items, right, before = self.runs.items[at], self.runs.right[at], self.runs.items_before[at]
        reciprocal = 1 / (before + 1)
        for row in np.flatnonzero(items > 1):
            reciprocal[row] = first_right(int(before[row]), int(right[row]), int(items[row] - right[row]), ())[0]
        return {
            "map": self._sums(self._precisions()) / self.right,
            "rank": before + (items + 1) / (right + 1),
            "mrr": reciprocal,
            "WAP": self._sums(self._weighted()) / self.right,
        }

    def at_cutoffs(self, ks: Sequence[int], discount: np.ndarray) -> dict[str, np.ndarray]:
        """Of the first places of lists, up to each of `ks`, (n,) float64 each."""
        if not ks:
            return {}
        last = max(ks)
        values: dict[str, np.ndarray] = {}
        right = np.cumsum(self.gains[:, :last] > 0, axis=1)
        summed = np.cumsum(self._at_places(lambda gains: gains, last), axis=1)
        worth = np.cumsum(self._at_places(lambda gains: 2.0**gains - 1, last) * discount, axis=1)
        best = np.cumsum((2.0 ** _most(self.gains, last) - 1) * discount, axis=1)
        for k in ks:
            some, share = (right[:, k - 1] > 0) * 1.0, right[:, k - 1] / k
            for row in np.flatnonzero(~self.starts[:, k : k + 1].all(axis=1)):  # whose runs the cut divides
                cut = runs(self.gains[row] > 0, np.flatnonzero(self.starts[row]), k)
                some[row], share[row] = any_right(cut), float(right_found(cut, "expected").sum()) / k
            values |= {f"R@{k}": some, f"precision@{k}": share}
            values |= {f"ACG@{k}": summed[:, k - 1] / k, f"NDCG@{k}": worth[:, k - 1] / best[:, k - 1]}
        return values

    def _precisions(self) -> np.ndarray:
        """Of each run, the expected Σ of the precision at its right items."""
        found = self.runs.right * ((self.runs.right_before + 1) * self.steps)
        found[self.several] = precision_sums(Buckets(*(e[self.several] for e in self.runs)), "expected", self.harmonic)
        return found

    def _weighted(self) -> np.ndarray:
        """Of each run, expected Σ_i [r_i > 0] (r_1 + … + r_i) / i.

        Behind N items that share S labels, a run of n items, R of them right, that share G: its i-th place holds a
        right item with probability R/n, whose own labels are G/n in expectation; each of the i − 1 places before it,
        together with the rightness of this one, gives G (R − 1) / (n (n − 1)).
        """
        found = (self.runs.right * self._before(self.shared) + self.shared) * self.steps
        items, right, start, shared, steps = (
            each[self.several]
            for each in (self.runs.items, self.runs.right, self.runs.items_before, self.shared, self.steps)
        )
        later = items - (start + 1) * steps  # Σ (i − 1) / (N + i)
        pairs = shared * np.maximum(right - 1, 0) / (items - 1)
        found[self.several] = (found[self.several] + pairs * later) / items
        return found

    def _before(self, values: np.ndarray) -> np.ndarray:
        """Whole numbers of all runs of a list before each run."""
        before = np.cumsum(values) - values
        return before - np.repeat(before[self.first], self.ends - self.first)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        return np.array([values[start:end].sum() for start, end in zip(self.first, self.ends, strict=True)])

    def _at_places(self, worth: Callable[[np.ndarray], np.ndarray], last: int) -> np.ndarray:
        """(n, last) expected worth of the gains at the first places."""
        kept = self.runs.items_before < last
        before, items = self.runs.items_before[kept], self.runs.items[kept]
        upto = int((before + items).max())
        ends = np.zeros(len(self.gains), dtype=np.int64)
        ends[self.list[kept]] = before + items  # of the last run of each list
        values = np.where(np.arange(upto) < ends[:, None], worth(self.gains[:, :upto]), 0)
        summed = np.add.reduceat(values.ravel(), self.list[kept] * upto + before)
        return np.repeat(summed / items, np.minimum(items, last - before)).reshape(-1, last)


def _most(gains: np.ndarray, count: int) -> np.ndarray:
    """(n, count) the largest gains of each row of (n, m), falling."""
    levels = np.arange(1, int(gains.max(initial=0)) + 1)
    reached = np.zeros((len(gains), count))
    for level in levels:
        reached += np.arange(count) < np.count_nonzero(gains >= level, axis=1)[:, None]
    return reached


def _check(rows: tuple[int, int], asked: np.ndarray, known: np.ndarray, ks: Sequence[int], itself: bool) -> None:
    if rows != (len(asked), len(known)) or asked.shape[1] != known.shape[1]:
        raise KithError(f"{rows[0]} queries and {rows[1]} items have sets of the shapes {asked.shape}, {known.shape}")
    answers = len(known) - itself
    if not len(asked) or answers < 1 or not all(1 <= k <= answers for k in ks):
        raise KithError(f"ks {tuple(ks)}: from 1, and up to the {answers} answers of each of {len(asked)} queries")
