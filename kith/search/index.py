"""The nearest items to a vector: by cosine, exact or over NMSLIB's HNSW graph, by Hamming distance of codes, or among
what any index of `kith.indexes` finds."""

import os
from threading import Lock
from typing import Protocol

import numpy as np

from kith.codes import WORD, pack, sign_codes
from kith.errors import KithError
from kith.neighbors import HNSW, recall_of
from kith.selection import reached
from kith.similarity import unit_rows

# One exact search of a million rows of 128 numbers takes about 50 ms on two cores; a graph of them is built in a
# quarter of an hour.
EXACT_UP_TO = 1_000_000
METHODS = ("auto", "exact", "hnsw")
LEAST = 100  # candidates
SPARE = 4  # candidates of an index, in times of what is asked for: it does not rank them as well as it finds them
BLOCK = 1 << 16  # vectors that are compared at a time
HEAPS = 4  # in times of the count: see `reached`
DECIMALS = 6  # of similarities: beyond them a product's rounding would order equal vectors

Ranked = tuple[np.ndarray, np.ndarray]


class Index:
    """Vectors of items, any number an item, that can be searched; safe to use from several threads.

    vectors: (n, d) floats, or (n, K, d): the nearest of K count, as in kith.similarity. items: (n,) integers, the item
    that each belongs to. codes: compare the signs of vectors (zero counts as positive) by Hamming distance. method:
    "exact", "hnsw" (approximate, for floats only), "auto", exact up to a million vectors, or one of `kith.indexes`,
    such as "pq16": of what it finds, the cosines are exact. Raises KithError for vectors that are not finite,
    or not as many as items, and for a method that does not fit them."""

    def __init__(
        self,
        vectors: np.ndarray,
        items: np.ndarray,
        *,
        codes: bool = False,
        method: str = "auto",
    ):
        if len(vectors) != len(items):
            raise KithError(f"{len(vectors)} vectors cannot belong to {len(items)} items, one each; embed them again")
        if method not in ("auto", "exact") and (codes or vectors.ndim > 2):
            kind = "codes" if codes else "several an item"
            raise KithError(f"the vectors are {kind}, and searched as such: leave the index {method} out")
        self.items = np.asarray(items, dtype=np.int64)
        self._alone = len(np.unique(self.items)) == len(self.items)  # each item has one vector
        self._ranking: _Ranking
        if method not in METHODS:
            self._ranking = _Smaller(vectors, method)
        elif codes:
            self._ranking = _Hamming(vectors)
        elif method == "hnsw" or (method == "auto" and vectors.ndim == 2 and len(vectors) > EXACT_UP_TO):
            self._ranking = _Graph(vectors)
        else:
            self._ranking = _Exact(vectors)

    def __len__(self) -> int:
        return len(self.items)

    def search(
        self,
        vector: np.ndarray,
        k: int,
        *,
        groups: np.ndarray | None = None,
        without: int | None = None,
        allowed: np.ndarray | None = None,
    ) -> Ranked:
        """The k nearest items, each at the place of its nearest vector; fewer where there are not as many.

        vector: (d,), or (K, d) as the vectors are. groups: (n_items,) integers; of items with the same one only the
        nearest is returned. without: an item that is left out. allowed: (n_items,) bool, the items that may be found;
        None: all.

        Returns items (≤ k,) int64 by falling similarity, of equals the earlier vector first, and similarities
        (≤ k,) float64: the cosine, of codes 1 − 2 · distance / bits, which is the cosine of ±1 codes.
        """
        if k < 1:
            raise ValueError(f"k: at least 1 result, not {k}")
        wanted = min(k + 1, len(self))
        if allowed is not None:
            share = np.count_nonzero(allowed[self.items]) / max(1, len(self))
            if not share:
                return np.empty(0, dtype=np.int64), np.empty(0)
            wanted = min(len(self), int(1.2 * wanted / share) + 1)  # a few more than are likely to be enough
        while True:
            rows, similarities = self._ranking.best(vector, wanted)
            items = self.items[rows]
            kept = np.arange(len(items))
            if allowed is not None:
                kept = np.flatnonzero((items != without) & allowed[items])
            elif without is not None:
                kept = np.flatnonzero(items != without)
            first = kept[:k]
            if not (self._alone and groups is None):
                keys = items if groups is None else groups[items]
                first = np.sort(kept[np.unique(keys[kept], return_index=True)[1]])[:k]
            if len(first) == k or wanted == len(self):
                return items[first], similarities[first]
            wanted = min(4 * wanted, len(self))


class _Ranking(Protocol):
    def best(self, vector: np.ndarray, count: int) -> Ranked:
        """The `count` nearest rows and their similarities, best first."""


class _Exact:
    def __init__(self, vectors: np.ndarray):
        self.unit = unit_rows(np.asarray(vectors, dtype=np.float32))

    def best(self, vector: np.ndarray, count: int) -> Ranked:
        scores = self.unit @ _unit(vector).T
        if scores.ndim > 1:  # of several vectors an item
            scores = scores.max(axis=(1, 2))
        return _best_rounded(scores, count)


class _Hamming:
    def __init__(self, vectors: np.ndarray):
        self.bits = vectors.shape[1]
        codes = pack(sign_codes(vectors)) if len(vectors) else np.empty((0, -(-self.bits // WORD)), dtype=np.uint64)
        self.columns = np.ascontiguousarray(codes.T)  # a word of all codes after the other

    def best(self, vector: np.ndarray, count: int) -> Ranked:
        distances = self._distances(self._code(np.asarray(vector)))
        rows = reached(distances, count, HEAPS, better=np.minimum)
        # A distance above its row in one integer, which are sorted faster than rows by their distances.
        keys = distances[rows].astype(np.int64) << 32 | rows
        keys.sort()
        rows = keys[:count] & 0xFFFFFFFF
        return rows, 1 - 2 * (keys[:count] >> 32).astype(np.float64) / self.bits

    def _code(self, vector: np.ndarray) -> np.ndarray:
        """(words,) of one vector, as `pack` makes them, which looks for more mistakes than there can be here."""
        if vector.shape != (self.bits,):
            raise KithError(f"the query has {vector.size} numbers, and the codes have {self.bits} bits")
        if np.isnan(vector).any():
            sign_codes(vector[None])  # which says so
        octets = np.zeros(8 * len(self.columns), dtype=np.uint8)
        octets[: -(-self.bits // 8)] = np.packbits(vector >= 0, bitorder="little")
        return octets.view("<u8").astype(np.uint64, copy=False)

    def _distances(self, query: np.ndarray) -> np.ndarray:
        """(n,) of all codes, so many at a time that they stay in a processor's cache."""
        n = self.columns.shape[1]
        found = np.zeros(n, dtype=np.uint8 if self.bits < 256 else np.uint16)
        different, counted = np.empty(min(n, BLOCK), np.uint64), np.empty(min(n, BLOCK), np.uint8)
        for start in range(0, n, BLOCK):
            block = slice(start, min(start + BLOCK, n))
            part, counts = different[: block.stop - start], counted[: block.stop - start]
            for column, word in zip(self.columns, query, strict=True):
                np.bitwise_count(np.bitwise_xor(column[block], word, out=part), out=counts)
                np.add(found[block], counts, out=found[block])
        return found


class _Graph:
    """Of one vector an item. Its recall@10 on a sample of the vectors themselves is .99, where any effort reaches
    that."""

    def __init__(self, vectors: np.ndarray):
        unit = unit_rows(np.asarray(vectors, dtype=np.float32))
        self._vectors = vectors
        self._index = HNSW(unit, threads=os.cpu_count() or 1)
        sample = unit[np.random.default_rng(0).choice(len(unit), size=min(100, len(unit)), replace=False)]
        k = min(10, len(unit))
        exact = _Exact(unit)
        rows, similarities = map(np.stack, zip(*(exact.best(query, k) for query in sample), strict=True))
        self._index.tune(k, lambda: recall_of(self._index.search(sample, k), (rows, similarities)), 0.99)

    def best(self, vector: np.ndarray, count: int) -> Ranked:
        rows, similarities = (found[0] for found in self._index.search(_unit(vector)[None], count))
        rows, similarities = rows[np.isfinite(similarities)], similarities[np.isfinite(similarities)]
        if len(rows) < count:  # vectors that no link leads to, as of many equal ones
            return self._of_all(vector, count)
        similarities = np.round(similarities.astype(np.float64), DECIMALS)
        order = np.lexsort((rows, -similarities))
        return rows[order], similarities[order]

    def _of_all(self, vector: np.ndarray, count: int) -> Ranked:
        """A block of vectors at a time, so that they are not held twice."""
        query, scores = _unit(vector), np.empty(len(self._vectors))
        for start in range(0, len(scores), BLOCK):
            block = slice(start, start + BLOCK)
            scores[block] = unit_rows(np.asarray(self._vectors[block], dtype=np.float32)) @ query
        return _best_rounded(scores, count)


class _Smaller:
    """What an index finds, ranked by the vectors themselves."""

    def __init__(self, vectors: np.ndarray, name: str):
        from kith.indexes import build

        self.unit = unit_rows(np.asarray(vectors, dtype=np.float32))
        self._index = build(name, self.unit)
        self._lock = Lock()  # FAISS is told how many threads it may use, for the whole process

    def best(self, vector: np.ndarray, count: int) -> Ranked:
        query = _unit(vector)
        with self._lock:
            rows = self._index.search(query[None], min(max(LEAST, SPARE * count), len(self.unit)))[0][0]
        rows = np.sort(rows[rows >= 0])
        if len(rows) < count:  # as above
            return _best_rounded(self.unit @ query, count)
        found, similarities = _best_rounded(self.unit[rows] @ query, count)
        return rows[found], similarities


def _unit(vector: np.ndarray) -> np.ndarray:
    """As `unit_rows`, which takes longer for one vector than to search a thousand."""
    vector = np.asarray(vector, dtype=np.float32)
    largest = np.abs(vector).max(initial=0) if vector.ndim == 1 else np.inf
    if not np.isfinite(largest):
        return unit_rows(vector[None], "the query")[0]
    scaled = np.ldexp(vector, -np.frexp(largest)[1])
    length = np.sqrt(np.add.reduce(scaled * scaled))
    return scaled / length if length > 0 else scaled


def _best_rounded(scores: np.ndarray, count: int) -> Ranked:
    """Rows of the `count` highest scores, rounded, of equals the earlier first."""
    # What is less than the last by more than a unit of the last decimal stays less when both are rounded.
    rows = reached(scores, count, HEAPS, slack=2 * 10.0**-DECIMALS)
    rounded = scores[rows].astype(np.float64).round(DECIMALS)
    order = (-rounded).argsort(kind="stable")[:count]
    return rows[order], rounded[order]
