"""What every index does: it is fitted, vectors are added to it, and it is searched; and what it holds in memory."""

from abc import ABC, abstractmethod

import numpy as np

from kith.errors import KithError
from kith.similarity import unit_rows

Answers = tuple[np.ndarray, np.ndarray]
MISSING = -1  # the row of an answer that there is not


class VectorIndex(ABC):
    """Unit vectors that are searched by cosine, whatever is stored of them.

    dim: of the vectors. approximate: whether what is stored is less than the vectors, or not all of it is looked at.
    """

    approximate: bool = True

    def __init__(self, dim: int):
        if dim < 1:
            raise KithError(f"an index needs vectors of at least 1 dimension, not {dim}")
        self.dim = dim
        self.count = 0

    def __len__(self) -> int:
        return self.count

    def fit(self, vectors: np.ndarray) -> None:
        """Learn from vectors (n, dim) how others are stored, where there is anything to learn."""
        self._fit(self._taken(vectors))

    def add(self, vectors: np.ndarray) -> None:
        """Store vectors (n, dim) after those that are there; the first one is row 0.

        Raises KithError for vectors of another width or that are not finite.
        """
        taken = self._taken(vectors)
        self._add(taken)
        self.count += len(taken)

    def search(self, queries: np.ndarray, k: int) -> Answers:
        """The k nearest of each query (m, dim): rows (m, k) int64, nearest first, and similarities (m, k) float32.

        Row −1 and similarity −inf where fewer are found. Of equals the earlier row comes first in float32 and in codes.
        Similarities are cosines as far as what is stored tells them.
        """
        if k < 1:
            raise KithError(f"k: a search gives at least 1 answer, not {k}")
        taken = self._taken(queries, "queries")
        rows = np.full((len(taken), k), MISSING, dtype=np.int64)
        similarities = np.full((len(taken), k), -np.inf, dtype=np.float32)
        found = min(k, self.count)
        if found:
            rows[:, :found], similarities[:, :found] = self._search(taken, found)
        return rows, similarities

    @property
    @abstractmethod
    def bytes_an_item(self) -> float:
        """Bytes that are held of each vector; of a graph the mean."""

    @property
    def fixed_bytes(self) -> int:
        """Bytes that are held whatever the number of vectors."""
        return 0

    def _taken(self, vectors: np.ndarray, name: str = "vectors") -> np.ndarray:
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise KithError(f"{name}: this index takes rows of {self.dim} numbers, not the shape {vectors.shape}")
        return unit_rows(vectors, name)

    def _fit(self, vectors: np.ndarray) -> None:
        return None

    @abstractmethod
    def _add(self, vectors: np.ndarray) -> None: ...

    @abstractmethod
    def _search(self, queries: np.ndarray, k: int) -> Answers: ...
