"""Exact against approximate neighbours: CPU seconds, recall, ratio.

python -m benchmarks.neighbors [ROWS …]
"""

import sys
import time

import numpy as np

from kith.neighbors import neighbor_graph, recall


def clustered(rows: int, dim: int = 100) -> np.ndarray:
    """Vectors in loose clusters, as those of texts are."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(rows // 50 + 1, dim))
    return (centres[random.integers(len(centres), size=rows)] + 0.7 * random.normal(size=(rows, dim))).astype(
        np.float32
    )


def main() -> None:
    sizes = [int(argument) for argument in sys.argv[1:]] or [2_000, 10_000, 30_000]
    print(f"{'rows':>8} {'exact s':>9} {'hnsw s':>9} {'hnsw/exact':>11} {'recall':>8}")
    for rows in sizes:
        vectors, seconds = clustered(rows), {}
        for method in ("exact", "hnsw"):
            start = time.process_time()
            graph = neighbor_graph(vectors, 50, method)
            seconds[method] = time.process_time() - start
        ratio = seconds["hnsw"] / seconds["exact"]
        found = recall(graph, vectors)
        print(f"{rows:>8} {seconds['exact']:>9.2f} {seconds['hnsw']:>9.2f} {ratio:>11.1f} {found:>8.3f}")


if __name__ == "__main__":
    main()
