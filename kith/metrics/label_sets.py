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
from kith.metrics.tied_precision import harmonic_numbers, precision_sums, right_found
from kith.metrics.ties import any_right, at_places, first_right, runs
from kith.similarity import similarity_blocks, unit_rows

Blocks = Iterable[tuple[slice, np.ndarray]]


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
    for block, distances in found:
        gains = shared_labels(asked[block], known)
        for query, row, gain in zip(range(block.start, block.stop), distances, gains, strict=True):
            if database is None:
                row, gain = np.delete(row, query), np.delete(gain, query)
            if gain.any():
                for name, value in _of_list(*_ranked(row, gain), ks, harmonic, discount).items():
                    values[name][query] = value
    return values


def _ranked(distances: np.ndarray, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gains by rising distance, and where each run of equal distances begins."""
    order = np.argsort(distances, kind="stable")
    ordered = distances[order]
    return gains[order], np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))


def _of_list(
    gains: np.ndarray, starts: np.ndarray, ks: Sequence[int], harmonic: np.ndarray, discount: np.ndarray
) -> dict[str, float]:
    """What one list is worth; gains: (m,) labels shared, in its order; starts: where its runs of equals begin."""
    gains = gains.astype(np.float64)  # 2^r of more than a hundred shared labels is no float32
    right, last = gains > 0, max(ks, default=0)
    of = runs(right, starts)
    at = int(np.argmax(of.right > 0))
    before, tied = int(of.items_before[at]), int(of.right[at])
    first = first_right(before, tied, int(of.items[at]) - tied, ())[0]
    found = {
        "map": float(precision_sums(of, "expected", harmonic).sum()) / int(right.sum()),
        "rank": before + (int(of.items[at]) + 1) / (tied + 1),
        "mrr": first,
        "WAP": _weighted(gains, starts, harmonic) / int(right.sum()),
    }
    if not last:
        return found
    summed = np.cumsum(at_places(gains, starts, last))
    worth = np.cumsum(at_places(2.0**gains - 1, starts, last) * discount)
    best = np.cumsum((2.0 ** _largest(gains, last) - 1) * discount)
    for k in ks:
        cut = runs(right, starts, k)
        found |= {f"R@{k}": any_right(cut), f"precision@{k}": float(right_found(cut, "expected").sum()) / k}
        found |= {f"ACG@{k}": float(summed[k - 1]) / k, f"NDCG@{k}": float(worth[k - 1] / best[k - 1])}
    return found


def _weighted(gains: np.ndarray, starts: np.ndarray, harmonic: np.ndarray) -> float:
    """Expected Σ_i [r_i > 0] (r_1 + … + r_i) / i.

    Behind N items that share S labels, a run of n items, R of them right, that share G: its i-th place holds a right
    item with probability R/n, whose own labels are G/n in expectation; each of the i − 1 places before it, together
    with the rightness of this one, gives G (R − 1) / (n (n − 1)).
    """
    items = np.diff(starts, append=len(gains))
    right, shared = (np.add.reduceat(each.astype(np.float64), starts) for each in (gains > 0, gains))
    before = np.cumsum(shared) - shared
    steps = harmonic[starts + items] - harmonic[starts]  # Σ 1 / (N + i)
    later = items - (starts + 1) * steps  # Σ (i − 1) / (N + i)
    pairs = shared * np.maximum(right - 1, 0) / np.maximum(items - 1, 1)
    return float((((right * before + shared) * steps + pairs * later) / items).sum())


def _largest(gains: np.ndarray, count: int) -> np.ndarray:
    """(count,) the largest gains, falling."""
    counts = np.bincount(gains.astype(np.int64))
    return np.repeat(np.arange(len(counts))[::-1], counts[::-1])[:count]


def _check(rows: tuple[int, int], asked: np.ndarray, known: np.ndarray, ks: Sequence[int], itself: bool) -> None:
    if rows != (len(asked), len(known)) or asked.shape[1] != known.shape[1]:
        raise KithError(f"{rows[0]} queries and {rows[1]} items have sets of the shapes {asked.shape}, {known.shape}")
    answers = len(known) - itself
    if not len(asked) or answers < 1 or not all(1 <= k <= answers for k in ks):
        raise KithError(f"ks {tuple(ks)}: from 1, and up to the {answers} answers of each of {len(asked)} queries")
