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

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kith.codes import hamming_blocks, packed_words
from kith.errors import KithError
from kith.metrics.relevance import as_sets, shared_labels
from kith.metrics.tied_precision import Buckets, harmonic_numbers, precision_sums
from kith.metrics.ties import first_right, runs
from kith.similarity import similarity_blocks, unit_rows

Blocks = Iterable[tuple[slice, np.ndarray]]
CACHED = 1 << 15  # gains that are looked at together, so that they stay in a processor's cache


def shared_retrieval(
    vectors: Any, sets: Any, database: Any = None, database_sets: Any = None, ks: Sequence[int] = ()
) -> dict[str, np.ndarray]:
    """Queries look by cosine for items that share a label with them, in a database, or else among each other.

    vectors (n, d), database (m, d), or K vectors an item, (n, K, d) and (m, K, d), of whose K×K cosines the highest
    counts; sets (n, C), database_sets (m, C): truth values or 0 and 1, C being the labels; ks: cutoffs, up to the
    number of answers. Returns (n,) float64 values, NaN for a query that shares no label with any: "map", "rank" and
    "mrr" of the first right answer, "WAP", and "R@<k>" (1 if a right one is among the first k), "precision@<k>",
    "ACG@<k>" and "NDCG@<k>". Raises KithError for shapes and cutoffs that do not fit.

    >>> found = shared_retrieval([[1, 0]], [[1, 1]], [[1, 0.1], [0, 1], [1, 1]], [[1, 0], [1, 1], [0, 0]], ks=[1])
    >>> {name: round(float(each[0]), 3) for name, each in found.items() if name in ("map", "NDCG@1", "ACG@1", "WAP")}
    {'map': 0.833, 'WAP': 1.0, 'ACG@1': 1.0, 'NDCG@1': 0.333}
    """
    queries = unit_rows(vectors, "vectors")
    items = queries if database is None else unit_rows(database, "database")
    asked = as_sets("sets", sets)
    known = asked if database is None else as_sets("database_sets", database_sets)
    _check((len(queries), len(items)), asked, known, ks, database is None)
    # Not −q·x of −q: of several vectors an item the highest product counts.
    distances = ((block, np.negative(near, out=near)) for block, near in similarity_blocks(queries, items))
    return _measure(distances, asked, known, ks, database is None)


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
    return _measure(hamming_blocks(query_codes, database_codes), asked, known, ks, exclude_self)


def shared_by_chance(sets: Any, database_sets: Any = None, ks: Sequence[int] = ()) -> dict[str, float]:
    """Expected means of `shared_retrieval` when every order of the items is as likely; NaN ones are left out.

    >>> shared_by_chance([[1, 0], [1, 0], [0, 1]], ks=[1])["precision@1"]  # of the two that have a right answer
    0.5
    """
    asked = as_sets("sets", sets)
    known = asked if database_sets is None else as_sets("database_sets", database_sets)
    _check((len(asked), len(known)), asked, known, ks, database_sets is None)
    equal = ((slice(row, row + 1), np.zeros((1, len(known)), np.uint8)) for row in range(len(asked)))
    values = _measure(equal, asked, known, ks, database_sets is None)
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
    found: Blocks, asked: np.ndarray, known: np.ndarray, ks: Sequence[int], itself: bool
) -> dict[str, np.ndarray]:
    """Of the distances of queries, block by block; itself: queries are the items, and none is an answer to itself."""
    names = ["map", "rank", "mrr", "WAP"]
    names += [f"{name}@{k}" for name in ("R", "precision", "ACG", "NDCG") for k in ks]
    values = {name: np.full(len(asked), np.nan) for name in names}
    asked, known = asked.astype(np.float32), known.astype(np.float32)
    harmonic, step = harmonic_numbers(len(known)), max(1, CACHED // len(known))
    for block, distances in found:
        shared = shared_labels(asked[block], known)
        for start in range(0, len(distances), step):
            part = slice(start, start + step)
            rows = np.arange(block.start, block.stop)[part]
            lists = _RankedGains(*_sorted(distances[part], shared[part], rows if itself else None), harmonic)
            for name, each in (lists.measures() | lists.at_cutoffs(ks)).items():
                values[name][rows] = np.where(lists.right > 0, each, np.nan)
    return values


def _sorted(distances: np.ndarray, shared: np.ndarray, own: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """(n, m) int32 gains of each row by rising distance, and whether a distance is not the one before it. Among equal
    distances the order is any: what is measured does not depend on it. own: (n,) columns that are left out."""
    last, rows = shared.shape[1] - (own is not None), np.arange(len(shared))
    if distances.dtype == np.float64:
        if own is not None:
            distances[rows, own] = np.inf
        order = np.argsort(distances, axis=1)[:, :last]
        keys, gains = np.take_along_axis(distances, order, axis=1), np.take_along_axis(shared, order, axis=1)
    else:
        packed, room = _packed(distances, shared)
        if own is not None:
            packed[rows, own] = np.inf if packed.dtype == np.float64 else np.iinfo(packed.dtype).max
        packed.sort(axis=1, kind="stable" if packed.dtype == np.uint16 else None)  # of few bits by their digits
        bits = (packed.view(np.int64) if packed.dtype == np.float64 else packed)[:, :last]
        keys, gains = bits >> room, bits & ((1 << room) - 1)
    starts = np.ones(keys.shape, dtype=bool)
    np.not_equal(keys[:, 1:], keys[:, :-1], out=starts[:, 1:])
    return gains.astype(np.int32), starts


def _packed(distances: np.ndarray, shared: np.ndarray) -> tuple[np.ndarray, int]:
    """A distance, float32 or a whole number, above its gain in one number, as sorting numbers is far cheaper than
    sorting indices; and how many bits are the gain's."""
    if distances.dtype == np.uint8 and shared.max() < 256:
        return distances.astype(np.uint16) << 8 | shared.astype(np.uint16), 8
    if distances.dtype.kind in "iu":
        return distances.astype(np.int64) << 29 | shared.astype(np.int64), 29
    packed = np.add(distances, 0, dtype=np.float64)  # −0 becomes 0; and the last 29 bits of what was a float32 are 0
    bits = packed.view(np.int64)
    bits |= shared.astype(np.int64)
    return packed, 29


def _ranked(distances: np.ndarray, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gains by rising distance, and where each run of equal distances begins."""
    order = np.argsort(distances, kind="stable")
    ordered = distances[order]
    return gains[order], np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))


class _RankedGains:
    """Lists of the same m items. gains: (n, m) whole numbers of labels shared, in their order; starts: (n, m) bool,
    where their runs of equals begin.

    right: (n,) how many items share a label; where that is 0, nothing else is defined. Items that stand `alone` are
    counted place by place; `runs` are those of several items, of all lists one behind the other.
    """

    def __init__(self, gains: np.ndarray, starts: np.ndarray, harmonic: np.ndarray):
        self.gains, self.starts, self.harmonic, self.hits = gains, starts, harmonic, gains > 0
        self.right_upto, self.shared_upto = _upto(self.hits), _upto(gains)
        self.right = self.right_upto[:, -1]
        following = np.ones(starts.shape, dtype=bool)
        following[:, :-1] = starts[:, 1:]
        self.alone = starts & following
        self.first, last = np.flatnonzero(starts > following), np.flatnonzero(starts < following)
        self.list, before = np.divmod(self.first, gains.shape[1])
        right_before, right = _within(self.hits, self.right_upto, self.first, last)
        self.shared_before, self.shared = _within(gains, self.shared_upto, self.first, last)
        items = last - self.first + 1
        self.runs = Buckets(items, right, before, right_before, items)

    def measures(self) -> dict[str, np.ndarray]:
        """Of whole lists, (n,) float64 each."""
        share = (self.hits & self.alone) * (1 / np.arange(1, self.hits.shape[1] + 1))
        precisions = precision_sums(self.runs, "expected", self.harmonic)
        some = np.maximum(self.right, 1)
        return {
            "map": ((share * self.right_upto).sum(axis=1) + self._sums(precisions)) / some,
            "WAP": ((share * self.shared_upto).sum(axis=1) + self._sums(self._weighted())) / some,
            **self._first_right(),
        }

    def at_cutoffs(self, ks: Sequence[int]) -> dict[str, np.ndarray]:
        """Of the first places of lists, up to each of `ks`, (n,) float64 each."""
        if not ks:
            return {}
        last, levels = max(ks), np.arange(int(self.gains.max()) + 1.0)
        discount, worth = 1 / np.log2(np.arange(2, last + 2)), 2.0**levels - 1
        right, shared, gained = (self._at_places(each, last) for each in (np.minimum(levels, 1), levels, worth))
        ideal = worth[_most(self.gains, last)]
        found: dict[str, np.ndarray] = {}
        for k in ks:
            found |= {f"R@{k}": self._any_right(k), f"precision@{k}": right[:, :k].mean(axis=1)}
            found[f"ACG@{k}"] = shared[:, :k].mean(axis=1)
            best = ideal[:, :k] @ discount[:k]
            found[f"NDCG@{k}"] = gained[:, :k] @ discount[:k] / np.where(best > 0, best, 1)
        return found

    def _first_right(self) -> dict[str, np.ndarray]:
        """Expected rank, and expected reciprocal rank, of the first right item."""
        at = self.hits.argmax(axis=1)
        rank, reciprocal = at + 1.0, 1 / (at + 1)
        tied = np.flatnonzero((self.right > 0) & ~self.alone[np.arange(len(at)), at])
        for row, run in zip(tied, self._run_of(tied, at[tied]), strict=True):
            items, right, before = (int(each[run]) for each in self.runs[:3])
            rank[row] = before + (items + 1) / (right + 1)
            reciprocal[row] = first_right(before, right, items - right, ())[0]
        return {"rank": rank, "mrr": reciprocal}

    def _any_right(self, k: int) -> np.ndarray:
        """(n,) probability that a right item is among the first k."""
        found = (self.right_upto[:, k - 1] > 0) * 1.0
        divided = np.flatnonzero(~self.starts[:, k : k + 1].all(axis=1))
        for row, run in zip(divided, self._run_of(divided, k - 1), strict=True):
            items, right, before, right_before = (int(each[run]) for each in self.runs[:4])
            found[row] = 1.0 if right_before else first_right(before, right, items - right, (k,))[1][0]
        return found

    def _run_of(self, lists: np.ndarray, places: Any) -> np.ndarray:
        """Which of `runs` hold these places, (n,) numbers from 0, of these lists."""
        return np.searchsorted(self.first, lists * self.gains.shape[1] + places, side="right") - 1

    def _weighted(self) -> np.ndarray:
        """Of each of `runs`, expected Σ_i [r_i > 0] (r_1 + … + r_i) / i.

        Behind N items that share S labels, a run of n items, R of them right, that share G: its i-th place holds a
        right item with probability R/n, whose own labels are G/n in expectation; each of the i − 1 places before it,
        together with the rightness of this one, gives G (R − 1) / (n (n − 1)).
        """
        items, right, start, *_ = self.runs
        steps = self.harmonic[start + items] - self.harmonic[start]  # Σ 1 / (N + i)
        later = items - (start + 1) * steps  # Σ (i − 1) / (N + i)
        pairs = self.shared * np.maximum(right - 1, 0) / (items - 1)
        return ((right * self.shared_before + self.shared) * steps + pairs * later) / items

    def _sums(self, of_runs: np.ndarray) -> np.ndarray:
        return np.bincount(self.list, of_runs, len(self.gains))

    def _at_places(self, worth: np.ndarray, last: int) -> np.ndarray:
        """(n, last) expected worth of the items at the first places; worth: (levels,), of each gain from 0."""
        found = worth[self.gains[:, :last]]
        some = self.runs.items_before < last
        items, before = self.runs.items[some], self.runs.items_before[some]
        if len(items):
            of_items = worth[self.gains.ravel()[_spread(self.first[some], items)]]
            shown = np.minimum(items, last - before)
            means = np.add.reduceat(of_items, np.cumsum(items) - items) / items
            found.flat[_spread(self.list[some] * last + before, shown)] = np.repeat(means, shown)
        return found


def _upto(values: np.ndarray) -> np.ndarray:
    """Sums of each row up to each place, this one included."""
    sums = values.astype(np.int64)
    return np.cumsum(sums, axis=1, out=sums)  # in place: far faster than beside an array at such an address


def _within(values: np.ndarray, upto: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums before and between the places `first` and `last`, of (n, m) values of which `upto` are cumulative sums."""
    before = upto.ravel()[first] - values.ravel()[first]
    return before, upto.ravel()[last] - before


def _spread(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """From each of `starts` so many numbers, all in one row."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) + np.repeat(starts - (ends - counts), counts)


def _most(gains: np.ndarray, count: int) -> np.ndarray:
    """(n, count) the largest gains of each row of (n, m), falling."""
    found, places = np.zeros((len(gains), count), dtype=np.int64), np.arange(count)
    for level in range(int(gains.max()), 0, -1):
        reached = (gains >= level).sum(axis=1)
        if reached.min() >= count:  # all of them reach this level, and those below it
            return found + level
        found += places < reached[:, None]
    return found


def _check(rows: tuple[int, int], asked: np.ndarray, known: np.ndarray, ks: Sequence[int], itself: bool) -> None:
    if rows != (len(asked), len(known)) or asked.shape[1] != known.shape[1]:
        raise KithError(f"{rows[0]} queries and {rows[1]} items have sets of the shapes {asked.shape}, {known.shape}")
    answers = len(known) - itself
    if not len(asked) or answers < 1 or not all(1 <= k <= answers for k in ks):
        raise KithError(f"ks {tuple(ks)}: from 1, and up to the {answers} answers of each of {len(asked)} queries")
