"""The nearest neighbours of every row, exact and by NMSLIB's graph."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.neighbors import HNSW, neighbor_graph, recall
from kith.similarity import unit_rows

TITLE = "Neighbours in meaning"
ABOUT = """The 50 nearest of every row by cosine. Answers agree where similarities do, to 1e-5: equal ones may come
in any order. The limit is the product of all rows with all rows, in blocks, without a look at the numbers."""
K, BLOCK = 50, 1024


def clustered(rows: int, dim: int = 100) -> np.ndarray:
    """Vectors in loose clusters, as those of texts are."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(rows // 50 + 1, dim))
    return (centres[random.integers(len(centres), size=rows)] + 0.7 * random.normal(size=(rows, dim))).astype(
        np.float32
    )


def exact(rows: int, dim: int) -> Callable[[], Any]:
    vectors = clustered(rows, dim)
    return lambda: neighbor_graph(vectors, K, "exact")[1]


def graph(rows: int, dim: int) -> Callable[[], Any]:
    vectors = clustered(rows, dim)
    return lambda: neighbor_graph(vectors, K, "hnsw")


def build(rows: int, dim: int) -> Callable[[], Any]:
    unit = unit_rows(clustered(rows, dim))

    def work() -> None:
        HNSW(unit)

    return work


def query(rows: int, dim: int) -> Callable[[], Any]:
    unit = unit_rows(clustered(rows, dim))
    index, asked = HNSW(unit), unit[: min(rows, 1000)]
    exactly = np.sort(asked @ unit.T, axis=1)[:, : -K - 1 : -1]
    index.tune(K, lambda: float((index.search(asked, K)[1] >= exactly[:, -1:] - 1e-6).mean()), 0.99)

    def work() -> float:
        return float((index.search(asked, K)[1] >= exactly[:, -1:] - 1e-6).mean())

    return work


def scikit_learn(rows: int, dim: int) -> Callable[[], Any]:
    from sklearn.neighbors import NearestNeighbors

    vectors = clustered(rows, dim)
    return lambda: 1 - NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(vectors).kneighbors()[0]


def faiss_flat(rows: int, dim: int) -> Callable[[], Any]:
    import faiss

    unit = unit_rows(clustered(rows, dim))
    faiss.omp_set_num_threads(1)

    def work() -> np.ndarray:
        index = faiss.IndexFlatIP(dim)
        index.add(unit)
        similarities, indices = index.search(unit, K + 1)
        own = indices == np.arange(rows)[:, None]
        own[~own.any(axis=1), -1] = True  # an equal row has taken its place
        return similarities[~own].reshape(rows, K)

    return work


def product(rows: int, dim: int) -> Callable[[], Any]:
    unit = unit_rows(clustered(rows, dim))
    held = np.empty((BLOCK, rows), dtype=np.float32)

    def work() -> None:
        for start in range(0, rows, BLOCK):
            part = unit[start : start + BLOCK]
            np.matmul(part, unit.T, out=held[: len(part)])

    return work


def cases(quick: bool, *, dim: int = 100, exactly: int = 100_000, approximately: int = 30_000) -> Iterator[Case]:
    sizes = (1000, 4000) if quick else (1000, 10_000, 30_000, 100_000)
    for rows in (rows for rows in sizes if rows <= exactly):
        others = {"scikit-learn": Way(scikit_learn, (rows, dim)), "faiss (flat)": Way(faiss_flat, (rows, dim))}
        yield Case(
            "exact",
            rows,
            Way(exact, (rows, dim)),
            others if rows <= 30_000 else {},
            limit=("the product", Way(product, (rows, dim))),
            tolerance=1e-5,
        )
    for rows in (rows for rows in sizes if rows <= approximately):
        vectors = clustered(rows, dim)
        yield Case(
            "HNSW, whole",
            rows,
            Way(graph, (rows, dim)),
            note=lambda found, vectors=vectors: f"recall {recall(tuple(map(np.asarray, found)), vectors):.3f}",
        )
        yield Case("HNSW, built", rows, Way(build, (rows, dim)))
        yield Case(
            "HNSW, asked 1,000 times",
            rows,
            Way(query, (rows, dim)),
            done=min(rows, 1000),
            note=lambda found: f"recall {found:.3f}",
        )
