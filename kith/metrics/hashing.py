"""Retrieval by Hamming distance: average precision, precision and recall by rank and by radius.

Distances of short codes are few, so items tie everywhere, and their order decides metrics that are reported to three
digits: the default is the exact expectation over all orders of equals (He et al., CVPR 2018). All metrics but those
of the order by index come from one histogram a query, of distances and of those of right items.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from kith.codes import hamming_blocks, pack, packed_words
from kith.errors import KithError
from kith.metrics.histograms import Histograms, counted, histograms, radius_curves
from kith.metrics.relevance import alike, labels_or_sets
from kith.metrics.tied_precision import buckets, expected_ratio, harmonic_numbers, precision_sums, right_found
from kith.similarity import as_array

Ties = Literal["expected", "optimistic", "pessimistic", "index"]
Denominator = Literal["found", "relevant", "min"]


def hamming_retrieval(
    query_codes: Any,
    database_codes: Any,
    query_labels: Any,
    database_labels: Any,
    topk: int | None = None,
    ties: Ties = "expected",
    *,
    denominator: Denominator = "found",
    without_relevant: Literal["omit", "zero"] = "omit",
    ks: Sequence[int] = (),
    radii: Sequence[int] = (2,),
    exclude_self: bool = False,
) -> dict[str, Any]:
    """Metrics of a database searched by Hamming distance; right answers are the items of the query's class.

    query_codes (n, bits), database_codes (m, bits): ±1, or packed (kith.codes.pack). query_labels (n,) and
    database_labels (m,): integers from 0; or (n, C) and (m, C) of 0 and 1, and right is what shares a label. topk:
    average precision looks at the first `topk` answers (None: all). ties: items at the same distance come in every
    order (the exact expectation), right ones first or last, or by index. denominator of AP: right items in the first
    `topk`, all right items of the database, or min(topk, all). without_relevant: queries whose class the database
    lacks are NaN (left out of means), or 0. exclude_self: query i is item i, and no answer to itself.

    Returns means over queries under "map", "precision@<k>", "recall@<k>" for `ks`, "precision_radius<r>" (0 where
    nothing is within r bits) and "recall_radius<r>" for `radii`; the (n,) float64 values of each under the same name
    in "per_query"; "relevant", (n,) right items of each query; "without_relevant", the number of queries that have
    none; and "by_radius", `radius_curves`. Raises KithError for shapes that do not fit and options out of range.

    >>> codes = np.array([[1, 1, 1], [1, 1, -1], [-1, -1, -1], [-1, 1, 1]])
    >>> found = hamming_retrieval(codes, codes, [0, 0, 1, 1], [0, 0, 1, 1], exclude_self=True, ks=[1])
    >>> round(found["map"], 4), found["precision@1"]
    (0.7292, 0.5)
    """
    labels = labels_or_sets("query_labels", query_labels), labels_or_sets("database_labels", database_labels)
    (queries, bits), (database, others) = packed_words(query_codes), packed_words(database_codes)
    if ties not in get_args(Ties) or denominator not in get_args(Denominator):
        raise KithError(f"ties '{ties}' is none of {get_args(Ties)}, or '{denominator}' of {get_args(Denominator)}")
    _check(queries, database, (bits, others), labels, exclude_self, topk, ks)
    if ties == "index":
        found, sums, hits = _by_index(queries, database, *labels, bits, [topk, *ks], exclude_self)
    else:
        found = histograms(queries, database, *labels, bits, exclude_self)
        sums, hits = _by_distance(found, len(database), [topk, *ks], ties)
    if ties == "expected" and denominator == "found" and topk is not None:
        precision = _expected_precision(found, len(database), topk)
    else:
        precision = sums / np.maximum(_counted(found, hits[:, 0], topk or len(database), denominator), 1e-300)
    values = {"map": precision, **_at_cutoffs(found, hits[:, 1:], ks, radii)}
    return _summary(values, found, keep_all=without_relevant == "zero")


def code_statistics(codes: Any) -> dict[str, Any]:
    """Of codes ±1 (n, bits): "bit_mean", (bits,) float64, 0 for a bit that halves the items; "bit_imbalance", the mean
    of their sizes, 1 for bits that never change; "bit_correlation", the mean size of the correlation of two bits that
    change (NaN without two); "constant_bits" and "distinct_codes", numbers. Raises KithError for other values.

    >>> found = code_statistics(np.array([[1, 1], [1, -1], [1, 1], [1, -1]]))
    >>> found["bit_imbalance"], found["constant_bits"], found["distinct_codes"]
    (0.5, 1, 2)
    """
    packed, codes = pack(codes), as_array(codes)
    codes = (codes > 0) * 2.0 - 1.0
    means = codes.mean(axis=0)
    centred = codes - means
    centred = centred[:, centred.any(axis=0)]
    centred /= np.linalg.norm(centred, axis=0)
    pairs = np.abs(centred.T @ centred)[np.triu_indices(centred.shape[1], 1)]
    return {
        "bit_mean": means,
        "bit_imbalance": float(np.abs(means).mean()),
        "bit_correlation": float(pairs.mean()) if len(pairs) else float("nan"),
        "constant_bits": int(codes.shape[1] - centred.shape[1]),
        "distinct_codes": len(np.unique(packed, axis=0)),
    }


def _counted(found: Histograms, hits: np.ndarray, topk: int, denominator: Denominator) -> np.ndarray:
    """(queries,) right items that average precision is divided by; hits: (queries,) those among the first `topk`."""
    relevant = found.right.sum(axis=1)
    return {"found": hits, "relevant": relevant, "min": np.minimum(relevant, topk)}[denominator]


def _at_cutoffs(found: Histograms, hits: np.ndarray, ks: Sequence[int], radii: Sequence[int]) -> dict[str, np.ndarray]:
    """Precision and recall of each query at the first k, of which `hits` (queries, ks) are right, and within radii."""
    values: dict[str, np.ndarray] = {}
    some = np.maximum(found.right.sum(axis=1), 1)
    for k, right in zip(ks, hits.T, strict=True):
        values |= {f"precision@{k}": right / k, f"recall@{k}": right / some}
    for radius in radii:
        items, right = (table[:, : radius + 1].sum(axis=1) for table in found)
        values |= {f"precision_radius{radius}": right / np.maximum(items, 1), f"recall_radius{radius}": right / some}
    return values


def _summary(values: dict[str, np.ndarray], found: Histograms, keep_all: bool) -> dict[str, Any]:
    """What `hamming_retrieval` returns; queries without a right answer are 0 where all are kept, else NaN."""
    relevant = found.right.sum(axis=1)
    asked = relevant >= (0 if keep_all else 1)
    count = np.count_nonzero(asked) or np.nan
    means = {name: float(np.where(relevant > 0, each, 0.0).sum() / count) for name, each in values.items()}
    values = {name: np.where(relevant > 0, each, 0.0 if keep_all else np.nan) for name, each in values.items()}
    counts = {"relevant": relevant, "without_relevant": int((relevant == 0).sum())}
    curves = radius_curves(Histograms(found.items[asked], found.right[asked]))
    return means | {"per_query": values, **counts, "by_radius": curves}


def _by_distance(
    found: Histograms, n: int, cuts: Sequence[int | None], ties: Literal["expected", "optimistic", "pessimistic"]
) -> tuple[np.ndarray, np.ndarray]:
    """(queries,) Σ precision up to the first cut, and (queries, cuts) right items found, in a database of n items."""
    of = [buckets(*found, cut) for cut in cuts]
    sums = precision_sums(of[0], ties, harmonic_numbers(n)).sum(axis=1)
    return sums, np.column_stack([right_found(each, ties).sum(axis=1) for each in of])


def _expected_precision(found: Histograms, n: int, topk: int) -> np.ndarray:
    """(queries,) expectation of the average precision over the right items among the first `topk`."""
    harmonic = harmonic_numbers(n)
    return np.array([expected_ratio(buckets(*each, topk), harmonic) for each in zip(*found, strict=True)])


def _by_index(
    queries: np.ndarray,
    database: np.ndarray,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    bits: int,
    cuts: list[int | None],
    exclude_self: bool,
) -> tuple[Histograms, np.ndarray, np.ndarray]:
    """Items in order of distance, then index: what `histograms` gives, (n,) Σ precision up to the first cut, and
    (n, cuts) right items found."""
    found = Histograms(*np.zeros((2, len(queries), bits + 1), dtype=np.int64))
    sums, hits = np.zeros(len(queries)), np.zeros((len(queries), len(cuts)), dtype=np.int64)
    for block, distances in hamming_blocks(queries, database):
        n, order = len(distances), np.argsort(distances, axis=1, kind="stable")
        if exclude_self:
            own = np.arange(block.start, block.stop)[:, None]
            order = order[order != own].reshape(n, -1)
        order += len(database) * np.arange(n)[:, None]  # places in the block, whose numbers `take` finds sooner
        at = np.flatnonzero(alike(query_labels[block], database_labels).take(order))
        rows, before = np.divmod(at, order.shape[1])
        counts = np.bincount(rows, minlength=n)
        starts = np.cumsum(counts) - counts
        for column, cut in enumerate(cuts):
            hits[block, column] = counts if cut is None else np.bincount(rows[before < cut], minlength=n)
        precision = (np.arange(1, len(rows) + 1) - starts[rows]) / (before + 1)
        sums[block] = _first_of_rows(precision, rows, starts, hits[block, 0])
        right = np.bincount(rows * (bits + 1) + distances.take(order.take(at)), minlength=n * (bits + 1))
        found.right[block] = right.reshape(n, -1)
        found.items[block] = [counted(row, bits) for row in distances]
    found.items[:, 0] -= exclude_self
    return found, sums, hits


def _first_of_rows(values: np.ndarray, rows: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(n,) sums of the first `counts` values of each row, which begin at `starts`; all rows stand one behind the other,
    and `rows` says of which each is. A 0 before each row makes its sum that of NumPy, to the last bit."""
    spaced = np.zeros(len(values) + len(starts) + 1)
    spaced[np.arange(len(values)) + rows + 1] = values
    bounds = np.column_stack([starts, starts + counts + 1]) + np.arange(len(starts))[:, None]
    return np.add.reduceat(spaced, bounds.ravel())[::2]


def _check(
    queries: np.ndarray,
    database: np.ndarray,
    bits: tuple[int, int],
    labels: tuple[np.ndarray, np.ndarray],
    exclude_self: bool,
    topk: int | None,
    ks: Sequence[int],
) -> None:
    for name, codes, of in (("query", queries, labels[0]), ("database", database, labels[1])):
        if len(codes) != len(of):
            raise KithError(f"{name}_codes have {len(codes)} rows, {name}_labels {len(of)}")
    if labels[0].shape[1:] != labels[1].shape[1:]:
        raise KithError(f"query_labels have the shape {labels[0].shape}, database_labels {labels[1].shape}")
    answers = len(database) - exclude_self
    if not len(queries) or answers < 1:
        raise KithError(f"{len(queries)} queries and {answers} answers in the database: nothing to measure")
    if exclude_self and (queries.shape != database.shape or (labels[0] != labels[1]).any()):
        raise KithError("exclude_self: queries and database have to be the same items")
    if (topk is not None and topk < 1) or not all(1 <= k <= answers for k in ks):
        raise KithError(f"topk {topk} and ks {tuple(ks)}: from 1, and ks up to the {answers} answers of the database")
    if bits[0] != bits[1]:
        raise KithError(f"queries and database have codes of different lengths: {bits[0]} and {bits[1]} bits")
