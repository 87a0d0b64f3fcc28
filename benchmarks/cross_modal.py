"""Cost of cross-modal ranks: counting in blocks against sorting everything. Prints a Markdown table.

Usage: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.cross_modal [--sizes 1000 5000 10000] [--dim 32]
Each figure is the CPU time of one call in a process of its own, and that process's peak memory.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from kith.metrics.cross_modal import cross_modal_retrieval


def by_argsort(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The usual way: the whole similarity matrix, sorted row by row, and a search for the right candidate."""
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    candidates = candidates / np.linalg.norm(candidates, axis=1, keepdims=True)
    order = np.argsort(-(queries @ candidates.T), axis=1, kind="stable")
    return 1 + np.argmax(order == np.arange(len(queries))[:, None], axis=1)


def in_blocks(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    return cross_modal_retrieval(queries, candidates)["ranks"]


def in_blocks_five_right(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Five right candidates a query, with average precision."""
    right = np.arange(len(queries))[:, None] // 5 * 5 + np.arange(5)
    return cross_modal_retrieval(queries, candidates, right)["ranks"]


WAYS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "argsort": by_argsort,
    "blocks": in_blocks,
    "blocks, 5 right": in_blocks_five_right,
}


def measure(way: str, size: int, dim: int) -> str:
    """CPU seconds of the call and peak memory in MB of this process."""
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((size, dim), dtype=np.float32)
    candidates = queries + rng.standard_normal((size, dim), dtype=np.float32)
    started = time.process_time()
    WAYS[way](queries, candidates)
    seconds = time.process_time() - started
    return f"{seconds:.2f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000, 10000])
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(measure(options.only, options.sizes[0], options.dim))
        return
    print(f"| queries × candidates, d = {options.dim} | {' | '.join(WAYS)} |\n|---|{'---|' * len(WAYS)}")
    for size in options.sizes:
        command = [sys.executable, "-m", "benchmarks.cross_modal", "--sizes", str(size), "--dim", str(options.dim)]
        cells = [
            subprocess.run([*command, "--only", way], check=True, capture_output=True, text=True).stdout.strip()
            for way in WAYS
        ]
        print(f"| {size:,} × {size:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
