"""Cost of hierarchical retrieval figures under two similarities (LCSH, WUP) at once. Prints a Markdown table.

Usage: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.hierarchical_metrics
       [--sizes 1000 10000 100000] [--dim 64] [--clip 250] [--minutes 10]
Each cell is CPU seconds, wall seconds and the peak memory of one call in a process of its own. "to rank 250": HP@1,
10, 50, 100 and AHP@250; "whole list": also AHP over the whole list and AP. A run beyond --minutes is ended.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from kith.metrics.hierarchical import hierarchical_retrieval

WAYS = {"to rank {clip}": False, "whole list": True}
CLASSES, LEVELS, BRANCHES = 100, 5, 3


def similarities(paths: np.ndarray) -> dict[str, np.ndarray]:
    """LCSH and WUP of leaves LEVELS below the root, from the ancestors (root's child … leaf) that they share."""
    shared = np.cumprod(paths[:, None] == paths[None], axis=2).sum(axis=2)
    return {"lcsh": shared / LEVELS, "wup": (shared + 1) / (LEVELS + 1)}


def problem(size: int, dim: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Features of items around their class, whose centre adds up one random vector for each node above it."""
    rng = np.random.default_rng(0)
    leaves = rng.choice(BRANCHES**LEVELS, CLASSES, replace=False)
    paths = leaves[:, None] // BRANCHES ** np.arange(LEVELS - 1, -1, -1)
    centres = np.zeros((CLASSES, dim))
    for level in paths.T:
        nodes, which = np.unique(level, return_inverse=True)
        centres += rng.standard_normal((len(nodes), dim))[which]
    labels = rng.permutation(np.arange(size) % CLASSES)
    return centres[labels] + 2.5 * rng.standard_normal((size, dim)), labels, similarities(paths)


def measure(size: int, dim: int, clip: int, full: bool) -> str:
    features, labels, measures = problem(size, dim)
    cpu, wall = time.process_time(), time.perf_counter()
    found = hierarchical_retrieval(features, labels, measures, clip=clip, full=full)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figure = found[f"AHP@{clip}_lcsh"].mean()
    return f"{cpu:.2f} s, {wall:.2f} s, {peak:.0f} MB (mAHP@{clip} {figure:.5f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--clip", type=int, default=250)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(measure(options.sizes[0], options.dim, options.clip, WAYS[options.only]))
        return
    print(f"| items, d = {options.dim} | {' | '.join(WAYS).format(clip=options.clip)} |\n|---|{'---|' * len(WAYS)}")
    command = [sys.executable, "-m", "benchmarks.hierarchical_metrics", "--dim", str(options.dim)]
    command += ["--clip", str(options.clip)]
    for size in options.sizes:
        cells = []
        for way in WAYS:
            try:
                once = [*command, "--sizes", str(size), "--only", way]
                done = subprocess.run(once, check=True, stdout=subprocess.PIPE, text=True, timeout=60 * options.minutes)
                cells.append(done.stdout.strip())
            except subprocess.TimeoutExpired:
                cells.append(f"more than {options.minutes:g} minutes")
        print(f"| {size:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
