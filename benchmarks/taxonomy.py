"""Cost of taxonomies and class embeddings: wall and CPU seconds, peak memory of the process. Prints a Markdown table.

python -m benchmarks.taxonomy [--files ../shared/hierarchies]
The files are those of cvjena/semantic-embeddings, by data set; a figure of its own program for comparison: 0.81 s
(n = 555) and 6.2 s (n = 1000) for the unit sphere, 1.9 s for LCSH at n = 1000 in the tree, one thread.
"""

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kith.class_embedding import class_embedding
from kith.taxonomy import Taxonomy


def timed(what: str, work: Callable[[], Any]) -> Any:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {what} | {wall:.3f} | {cpu:.3f} | {megabytes:.0f} |", flush=True)
    return result


def error(embedding: np.ndarray, target: np.ndarray, rows: int = 500) -> float:
    """The largest |E Eᵀ − S| in some rows."""
    chosen = np.linspace(0, len(target) - 1, min(rows, len(target))).astype(int)
    return float(np.abs(embedding[chosen] @ embedding.T - target[chosen]).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, default=Path("../shared/hierarchies"))
    files = parser.parse_args().files
    print("| step | wall s | CPU s | peak MB so far |\n|---|---|---|---|")
    wordnet = files / "ilsvrc/wordnet.parent-child"
    tree = timed("ILSVRC tree: read", lambda: Taxonomy.read(f"{wordnet}.mintree.txt", ids=str))
    graph = timed("ILSVRC graph, 73,473 nodes: read", lambda: Taxonomy.read(f"{wordnet}.pruned.txt.gz", ids=str))
    for measure in ("lcsh", "wup"):
        timed(f"ILSVRC graph, 1,000 classes: {measure}", lambda m=measure: graph.similarity(tree.leaves, m))
        timed(f"ILSVRC tree, 1,000 classes: {measure}", lambda m=measure: tree.similarity(None, m))
    timed("ILSVRC graph, 1,000 classes: to_tree", lambda: graph.to_tree(tree.leaves))
    birds = Taxonomy.read(files / "nab/hierarchy.txt", "child-parent")
    errors = []
    for name, taxonomy in [("NABirds", birds), ("ILSVRC", tree)]:
        target = taxonomy.similarity()
        embedding = timed(f"{name}: unitsphere, n = {len(target):,}", lambda s=target: class_embedding(s))
        errors.append(error(embedding, target))
        timed(f"{name}: approx_sim to 54", lambda s=target: class_embedding(s, "approx_sim", 54))

    def inaturalist() -> tuple[np.ndarray, np.ndarray]:
        target = Taxonomy.read(files / "inat/hierarchy_inat.txt", ids=str).similarity()
        return class_embedding(target), target

    embedding, target = timed("iNat2018, n = 8,142: file to unitsphere", inaturalist)
    errors.append(error(embedding, target))
    timed("iNat2018: approx_sim to 400", lambda: class_embedding(target, "approx_sim", 400))
    print("\nlargest error of a similarity:", ", ".join(f"{value:.1e}" for value in errors))


if __name__ == "__main__":
    main()
