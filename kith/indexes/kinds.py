"""The indexes that there are, by name: float32, float16, int8, pq16, signs, itq32, hnsw; each also of the first numbers
alone."""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kith.errors import KithError
from kith.indexes.faiss import GraphIndex, ProductIndex, ScalarIndex
from kith.indexes.flat import CodeIndex, FlatIndex
from kith.indexes.index import Answers, VectorIndex

NAME = re.compile(r"(?P<kind>float32|float16|int8|signs|hnsw|pq(?=\d)|itq)(?P<size>(?<=q)\d+)?(@(?P<dims>\d+))?")


class Kind(NamedTuple):
    """What is told of a kind, and how it is made of the vectors' width and the number in its name."""

    told: str
    made: Callable[[int, int | None], VectorIndex]


KINDS = {
    "float32": Kind("all of each vector: exact", lambda dim, _: FlatIndex(dim)),
    "float16": Kind("half of the bits of each number", lambda dim, _: ScalarIndex(dim, 16)),
    "int8": Kind("a byte for each number", lambda dim, _: ScalarIndex(dim, 8)),
    "pq": Kind("product quantisation, with bytes a vector: pq16", lambda dim, size: ProductIndex(dim, size or 0)),
    "signs": Kind("a bit for each number, its sign; of methods of codes, the codes", lambda dim, _: CodeIndex(dim)),
    "itq": Kind("bits after a rotation that is fitted: itq32", lambda dim, size: CodeIndex(dim, size or dim)),
    "hnsw": Kind("all of each vector, and a graph", lambda dim, _: GraphIndex(dim)),
}


class TruncatedIndex(VectorIndex):
    """The first `dims` numbers of each vector, in an index of theirs.

    >>> index = TruncatedIndex(3, FlatIndex(2))
    >>> index.add(np.array([[0, 1, 9], [3, 4, 9]]))
    >>> index.search(np.array([[0, 1, 0]]), k=1)[0].tolist()
    [[0]]
    """

    def __init__(self, dim: int, inner: VectorIndex):
        super().__init__(dim)
        self.inner = inner

    @property
    def bytes_an_item(self) -> float:
        return self.inner.bytes_an_item

    @property
    def fixed_bytes(self) -> int:
        return self.inner.fixed_bytes

    def _fit(self, vectors: np.ndarray) -> None:
        self.inner.fit(vectors[:, : self.inner.dim])

    def _add(self, vectors: np.ndarray) -> None:
        self.inner.add(vectors[:, : self.inner.dim])

    def _search(self, queries: np.ndarray, k: int) -> Answers:
        return self.inner.search(queries[:, : self.inner.dim], k)


def empty(name: str, dim: int) -> VectorIndex:
    """The index of this name for vectors of `dim` numbers, with nothing in it. Raises KithError where it does not fit.

    >>> empty("signs@64", 128).bytes_an_item
    8
    """
    match = NAME.fullmatch(name)
    if match is None:
        told = "; ".join(f"{kind}, {each.told}" for kind, each in KINDS.items())
        raise KithError(f"no index is called '{name}'; there are {told}; float32@64 takes the first 64 numbers alone")
    size, dims = (None if match[each] is None else int(match[each]) for each in ("size", "dims"))
    if dims is None:
        return KINDS[match["kind"]].made(dim, size)
    if not 1 <= dims < dim:
        raise KithError(f"{name}: vectors of {dim} numbers have no first {dims}; take fewer than {dim}")
    return TruncatedIndex(dim, KINDS[match["kind"]].made(dims, size))


def known(name: str) -> str:
    """The name, once it is one. Raises KithError that lists those that there are."""
    try:
        empty(name, 1 << 16)
    except KithError as error:
        if "no index is called" in str(error):
            raise
    return name


def build(name: str, vectors: np.ndarray, learn: np.ndarray | None = None) -> VectorIndex:
    """An index of vectors (n, d).

    name: of KINDS; pq and itq with a number, and each with the number of dimensions that it looks at: int8@64.
    learn: (m, d) vectors that it is fitted to, where there is something to fit; default: those that it holds.
    Raises KithError for a name that there is not, a package that is missing, and vectors that do not fit.

    >>> vectors = np.random.default_rng(0).normal(size=(100, 8))
    >>> build("float32@4", vectors).search(vectors[:2], k=1)[0].tolist()
    [[0], [1]]
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    index = empty(name, vectors.shape[1] if vectors.ndim == 2 else 0)
    index.fit(vectors if learn is None else learn)
    index.add(vectors)
    return index
