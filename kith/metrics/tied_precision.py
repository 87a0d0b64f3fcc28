"""Average precision where items tie: its exact expectation over all orders of equals, and its extremes.

A ranking is a sequence of buckets of equal items. McSherry & Najork, "Computing information retrieval performance
measures efficiently in the presence of tied scores", ECIR 2008; He et al., "Hashing as tie-aware learning to rank",
CVPR 2018.
"""

from typing import Literal, NamedTuple

import numpy as np

Ties = Literal["expected", "optimistic", "pessimistic"]


class Buckets(NamedTuple):
    """Of each bucket, in arrays of any one shape: its items and the right ones among them; the items and the right
    ones in all buckets before it; and how many of its places are looked at (all, or those up to a cut)."""

    items: np.ndarray
    right: np.ndarray
    items_before: np.ndarray
    right_before: np.ndarray
    places: np.ndarray


def buckets(items: np.ndarray, right: np.ndarray, cut: int | None = None) -> Buckets:
    """Of counts (…, n_buckets), best bucket first; with `cut`, only that many places of a ranking are looked at.

    >>> buckets(np.array([2, 3]), np.array([1, 2]), cut=4).places.tolist()
    [2, 2]
    """
    items_before, right_before = np.cumsum(items, axis=-1) - items, np.cumsum(right, axis=-1) - right
    places = items if cut is None else np.clip(cut - items_before, 0, items)
    return Buckets(items, right, items_before, right_before, places)


def harmonic_numbers(n: int) -> np.ndarray:
    """H_0 … H_n, (n + 1,) float64.

    >>> harmonic_numbers(2).tolist()
    [0.0, 1.0, 1.5]
    """
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])


def right_found(of: Buckets, ties: Ties) -> np.ndarray:
    """Right items among the places that are looked at, of each bucket (float64).

    >>> right_found(buckets(np.array([2, 4]), np.array([1, 2]), cut=4), "expected").tolist()
    [1.0, 1.0]
    """
    if ties == "optimistic":
        return np.minimum(of.right, of.places).astype(np.float64)
    if ties == "pessimistic":
        return np.maximum(of.places - (of.items - of.right), 0).astype(np.float64)
    return of.right * of.places / np.maximum(of.items, 1)


def precision_sums(of: Buckets, ties: Ties, harmonic: np.ndarray) -> np.ndarray:
    """Σ of the precision at every right item looked at, of each bucket (float64).

    With N items and R right ones before a bucket of n items and r right ones, its i-th place holds a right item with
    probability r/n, and the precision there is then (R + 1 + (i − 1)(r − 1)/(n − 1)) / (N + i) in expectation.
    harmonic: `harmonic_numbers` of the number of items at least.

    >>> tied = buckets(np.array([2]), np.array([1]))  # one of two equals is right: it comes first or second
    >>> precision_sums(tied, "expected", harmonic_numbers(2)).tolist()
    [0.75]
    """
    if ties == "expected":
        start, end = of.items_before, of.items_before + of.places
        steps = harmonic[end] - harmonic[start]  # Σ 1 / (N + i)
        later = of.places - (start + 1) * steps  # Σ (i − 1) / (N + i)
        share = np.maximum(of.right - 1, 0) / np.maximum(of.items - 1, 1)
        return of.right / np.maximum(of.items, 1) * ((of.right_before + 1) * steps + share * later)
    wrong_first = of.items - of.right if ties == "pessimistic" else 0
    start = of.items_before + wrong_first
    found = right_found(of, ties).astype(np.int64)
    start = np.where(found > 0, start, 0)
    return found - (start - of.right_before) * (harmonic[start + found] - harmonic[start])


def expected_ratio(of: Buckets, harmonic: np.ndarray) -> float:
    """Exact expectation of Σ precision / right items found, of one ranking (n_buckets,) that a cut ends.

    Where the cut falls into a bucket, the number k of right items in the places looked at is hypergeometric.

    >>> expected_ratio(buckets(np.array([2]), np.array([1]), cut=1), harmonic_numbers(2))
    0.5
    """
    cut = np.flatnonzero((of.places > 0) & (of.places < of.items))
    sums = precision_sums(of, "expected", harmonic)
    if not len(cut):
        found = right_found(of, "expected").sum()
        return float(sums.sum() / found) if found else 0.0
    at = int(cut[0])
    n, r, places = int(of.items[at]), int(of.right[at]), int(of.places[at])
    before, found = sums[:at].sum(), int(of.right_before[at])
    k = np.arange(max(0, places - (n - r)), min(r, places) + 1)
    chance = np.exp(_log_choose(r, k) + _log_choose(n - r, places - k) - _log_choose(n, np.array(places)))
    part = Buckets(*np.broadcast_arrays(np.array(places), k, of.items_before[at], found, np.array(places)))
    ratio = (before + precision_sums(part, "expected", harmonic)) / np.maximum(found + k, 1)
    return float((chance * ratio).sum() / chance.sum())


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    from scipy.special import gammaln  # of a cut within a bucket alone

    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
