"""Every vector is looked at: as float32, or as a code of bits."""

from typing import Any

import numpy as np

from kith.codes import hamming_blocks, pack, sign_codes
from kith.errors import KithError
from kith.indexes.index import Answers, VectorIndex
from kith.selection import reached
from kith.similarity import blocks

HEAPS = 4  # in times of k: see `reached`
FITTED_ON = 50_000  # vectors that a rotation is fitted to, at most


class FlatIndex(VectorIndex):
    """All of each vector, float32: exact.

    >>> index = FlatIndex(2)
    >>> index.add(np.array([[0, 1], [3, 4]]))
    >>> rows, similarities = index.search(np.array([[0, 1]]), k=2)
    >>> rows.tolist(), similarities.round(2).tolist(), index.bytes_an_item
    ([[0, 1]], [[1.0, 0.800000011920929]], 8)
    """

    approximate = False

    def __init__(self, dim: int):
        super().__init__(dim)
        self._parts: list[np.ndarray] = []  # as they were added, so that adding copies nothing

    @property
    def bytes_an_item(self) -> int:
        return 4 * self.dim

    def _add(self, vectors: np.ndarray) -> None:
        self._parts.append(vectors)

    def _search(self, queries: np.ndarray, k: int) -> Answers:
        found = []
        for block in blocks(len(queries), self.count):
            scores = np.concatenate([queries[block] @ part.T for part in self._parts], axis=1)
            found += [best(each, k) for each in scores]
        rows, similarities = zip(*found, strict=True)
        return np.stack(rows), np.stack(similarities)


class CodeIndex(VectorIndex):
    """The signs of each vector's numbers, a bit each, compared by Hamming distance: 1 − 2 · distance / bits is the
    cosine of codes of ±1.

    bits: of a code. By default as many as the vectors have numbers, which are taken as they are; else they are first
    centred, reduced to so many principal components and rotated so that signs lose least: iterative quantisation
    (Gong & Lazebnik, CVPR 2011), which `fit` learns.

    >>> index = CodeIndex(3)
    >>> index.add(np.array([[1, 1, 1], [1, -1, 1], [-1, -1, -1]]))
    >>> index.search(np.array([[2, -1, 1]]), k=2)[0].tolist(), index.bytes_an_item
    ([[1, 0]], 8)
    """

    def __init__(self, dim: int, bits: int | None = None):
        super().__init__(dim)
        if bits is not None and not 1 <= bits <= dim:
            raise KithError(f"codes of vectors of {dim} numbers have 1 to {dim} bits, not {bits}")
        self.bits = dim if bits is None else bits
        self._head = None if bits is None else _head(dim, bits)
        self._mean, self._rotation = np.zeros(0, np.float32), np.zeros((0, 0), np.float32)
        self._parts: list[np.ndarray] = []

    @property
    def bytes_an_item(self) -> int:
        return 8 * -(-self.bits // 64)  # codes lie in words of 64 bits

    @property
    def fixed_bytes(self) -> int:
        return self._mean.nbytes + self._rotation.nbytes

    def _fit(self, vectors: np.ndarray) -> None:
        if self._head is not None:
            import torch

            self._head.fit(torch.from_numpy(np.ascontiguousarray(vectors[:FITTED_ON])))
            self._mean, self._rotation = self._head.mean.numpy(), self._head.directions.numpy()

    def _add(self, vectors: np.ndarray) -> None:
        if len(vectors):
            self._parts.append(self._codes(vectors))

    def _search(self, queries: np.ndarray, k: int) -> Answers:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        found = []
        for _, distances in hamming_blocks(self._codes(queries), self._parts[0]):
            found += [_nearest(each, k) for each in distances]
        rows, distances = (np.stack(each) for each in zip(*found, strict=True))
        return rows, (1 - 2 * distances.astype(np.float32) / self.bits)

    def _codes(self, vectors: np.ndarray) -> np.ndarray:
        if self._head is not None:
            if not self._rotation.size:
                raise KithError("itq: the rotation has to be fitted before vectors are added")
            vectors = (vectors - self._mean) @ self._rotation
        return pack(sign_codes(vectors))


def best(scores: np.ndarray, k: int) -> Answers:
    """Rows of the k highest of (n,) scores, best first, of equals the earlier, and these scores.

    >>> best(np.array([0.1, 0.9, 0.5, 0.9]), 3)[0].tolist()
    [1, 3, 2]
    """
    rows = reached(scores, k, HEAPS)
    rows = rows[np.argsort(-scores[rows], kind="stable")[:k]]
    return rows, scores[rows]


def _nearest(distances: np.ndarray, k: int) -> Answers:
    """Rows of the k smallest of (n,) distances, of equals the earlier, and these distances."""
    rows = reached(distances, k, HEAPS, better=np.minimum)
    rows = rows[np.argsort(distances[rows], kind="stable")[:k]]
    return rows, distances[rows]


def _head(dim: int, bits: int) -> Any:
    import torch

    from kith.models.code_heads import ItqHead

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the rotation starts from one that is drawn
        return ItqHead(dim, bits)
