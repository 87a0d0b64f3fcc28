"""Indexes of FAISS (Douze et al., "The Faiss library", 2024): fewer bits a number, product quantisation, a graph."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from kith.errors import KithError
from kith.indexes.index import MISSING, Answers, VectorIndex

INSTALL = "pip install -r requirements-indexes.txt"
CENTROIDS = 256  # of each part of a vector: a byte
LEARNED_FROM = 40 * CENTROIDS  # vectors, about as few as FAISS asks for
ROUNDS = 15  # of k-means
LINKS, BUILD_EFFORT = 32, 40  # M and efConstruction of HNSW: FAISS's own


def library(wanted: str) -> ModuleType:
    """The package faiss. Raises KithError that says what it was wanted for, and how to install it."""
    try:
        import faiss
    except ImportError as error:
        raise KithError(f"{wanted} is of FAISS, which cannot be imported ({error}); {INSTALL}") from None
    return faiss


def installed() -> bool:
    """Whether FAISS can be imported."""
    try:
        library("an index")
    except KithError:
        return False
    return True


@contextmanager
def one_thread(faiss: ModuleType) -> Iterator[None]:
    """With more, a graph differs from run to run."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class FaissIndex(VectorIndex):
    """An index of FAISS over inner products of unit vectors; it is built and searched by one thread."""

    def __init__(self, dim: int, kind: str):
        super().__init__(dim)
        self.faiss = library(kind)
        self.inner = self._made()

    def _made(self) -> Any:
        raise NotImplementedError

    def _fit(self, vectors: np.ndarray) -> None:
        with one_thread(self.faiss):
            self.inner.train(np.ascontiguousarray(vectors))

    def _add(self, vectors: np.ndarray) -> None:
        if not self.inner.is_trained:
            raise KithError("this index has to be fitted before vectors are added")
        with one_thread(self.faiss):
            self.inner.add(np.ascontiguousarray(vectors))

    def _search(self, queries: np.ndarray, k: int) -> Answers:
        with one_thread(self.faiss):
            similarities, rows = self.inner.search(np.ascontiguousarray(queries), k)
        similarities[rows == MISSING] = -np.inf
        return rows, similarities


class ScalarIndex(FaissIndex):
    """Each number of a vector in fewer bits: as float16, or as one of 256 steps between the smallest and the largest of
    its dimension, which `fit` learns.

    bits: 16 or 8.
    """

    def __init__(self, dim: int, bits: int):
        self.bits = bits
        super().__init__(dim, "float16" if bits == 16 else "int8")

    def _made(self) -> Any:
        kinds = self.faiss.ScalarQuantizer
        kind = kinds.QT_fp16 if self.bits == 16 else kinds.QT_8bit
        return self.faiss.IndexScalarQuantizer(self.dim, kind, self.faiss.METRIC_INNER_PRODUCT)

    @property
    def bytes_an_item(self) -> int:
        return self.inner.sa_code_size()

    @property
    def fixed_bytes(self) -> int:
        return 4 * self.inner.sq.trained.size()


class ProductIndex(FaissIndex):
    """A byte for each of `parts` equal parts of a vector: the number of the nearest of 256 centroids, which `fit`
    learns (Jégou et al., "Product Quantization for Nearest Neighbor Search", PAMI 2011). Queries stay as they are.

    Raises KithError where vectors cannot be cut into so many parts.
    """

    def __init__(self, dim: int, parts: int):
        if parts < 1 or dim % parts:
            raise KithError(f"pq{parts}: vectors of {dim} numbers cannot be cut into {parts} equal parts")
        self.parts = parts
        super().__init__(dim, f"pq{parts}")

    def _made(self) -> Any:
        return self.faiss.IndexPQ(self.dim, self.parts, 8, self.faiss.METRIC_INNER_PRODUCT)

    @property
    def bytes_an_item(self) -> int:
        return self.parts

    @property
    def fixed_bytes(self) -> int:
        return 4 * CENTROIDS * self.dim

    def _fit(self, vectors: np.ndarray) -> None:
        if len(vectors) < CENTROIDS:
            raise KithError(f"pq{self.parts}: {len(vectors)} vectors to learn from; {CENTROIDS} centroids need as many")
        quantizer = self.inner.pq
        quantizer.cp.niter, quantizer.cp.min_points_per_centroid = ROUNDS, 1  # what there is has to do
        super()._fit(vectors[:LEARNED_FROM])


class GraphIndex(FaissIndex):
    """All of each vector, and a graph through which a search walks: HNSW (Malkov & Yashunin, PAMI 2020).

    effort: efSearch, the length of the list of candidates. It can be set between searches.
    """

    def __init__(self, dim: int, effort: int = 64):
        if effort < 1:
            raise KithError(f"hnsw: the effort of a search is at least 1, not {effort}")
        super().__init__(dim, "hnsw")
        self.effort = effort

    def _made(self) -> Any:
        made = self.faiss.IndexHNSWFlat(self.dim, LINKS, self.faiss.METRIC_INNER_PRODUCT)
        made.hnsw.efConstruction = BUILD_EFFORT
        return made

    @property
    def bytes_an_item(self) -> float:
        graph = self.inner.hnsw
        links = 4 * graph.neighbors.size() + 8 * graph.offsets.size() + 4 * graph.levels.size()
        return 4 * self.dim + links / max(1, self.count)

    def _search(self, queries: np.ndarray, k: int) -> Answers:
        self.inner.hnsw.efSearch = self.effort
        return super()._search(queries, k)
