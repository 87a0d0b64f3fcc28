"""Cost and exactness of the CCA layer and of linear CCA, against the usual ways. Prints two Markdown tables.

Usage: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.cca [--rows 200000] [--dim 128] [--repeats 9]
Layer: float32 views, forward, a loss of the pairs' cosines, backward; the CPU time of the fastest repeat, and the
relative error of the gradient against that of the same views in float64. Two eigendecompositions are timed in
float32 and in float64. Linear CCA: views that come in blocks; CPU time and memory above that of the imports, each
in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kith.cca import CCA, CCALayer
from kith.losses import squared_distance

SHAPES = ((32, 100), (64, 512), (128, 1000))  # dimension, batch
BLOCK = 10_000  # rows of a block of the linear CCA
Layer = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def inverse_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.rsqrt() @ vectors.T


def by_two_eigh(first: Tensor, second: Tensor, ridge: float = 1e-3) -> tuple[Tensor, Tensor]:
    """As published: inverse square roots, then the eigenvectors of T Tᵀ and of Tᵀ T, with signs that agree."""
    first, second = first - first.mean(dim=0), second - second.mean(dim=0)
    divisor, identity = len(first) - 1, torch.eye(first.shape[1], dtype=first.dtype)
    root1, root2 = (inverse_root(view.T @ view / divisor + ridge * identity) for view in (first, second))
    t = root1 @ (first.T @ second / divisor) @ root2
    u = root1 @ torch.linalg.eigh(t @ t.T + ridge * identity)[1]
    v = root2 @ torch.linalg.eigh(t.T @ t + ridge * identity)[1]
    first, second = first @ u, second @ v
    signs = (first * second).sum(dim=0).sign().detach()
    return F.normalize(first * signs), F.normalize(second)


def views(dim: int, batch: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    shared, a, b = (torch.randn(batch, dim, generator=random) for _ in range(3))
    return shared + a, shared + b


def gradient(layer: Layer, first: Tensor, second: Tensor) -> Tensor:
    first, second = (view.clone().requires_grad_() for view in (first, second))
    squared_distance(*layer(first, second)).backward()
    assert first.grad is not None
    assert second.grad is not None
    return torch.cat([first.grad, second.grad])


def measure_layer(layer: Layer, first: Tensor, second: Tensor, repeats: int) -> tuple[float, float]:
    """CPU milliseconds of the fastest repeat and the relative error of the gradient."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        found = gradient(layer, first, second)
        times.append(time.process_time() - started)
    exact = gradient(CCALayer(first.shape[1]), first.double(), second.double())
    return 1000 * min(times), ((found - exact).norm() / exact.norm()).item()


def layer_table(repeats: int) -> None:
    print("| d, batch | two eigh, float32 | two eigh, float64 | layer | time, of float32 and float64 | error |")
    print("|---|---|---|---|---|---|")
    for dim, batch in SHAPES:
        first, second = views(dim, batch)
        single, wrong = measure_layer(by_two_eigh, first, second, repeats)
        double, _ = measure_layer(lambda a, b: by_two_eigh(a.double(), b.double()), first, second, repeats)
        ours, error = measure_layer(CCALayer(dim), first, second, repeats)
        cells = [f"{single:.1f} ms, {wrong:.0e}", f"{double:.1f} ms", f"{ours:.1f} ms, {error:.0e}"]
        cells += [f"{ours / single:.2f} ×, {ours / double:.2f} ×", f"÷ {wrong / error:.0f}"]
        print(f"| {dim}, {batch} | {' | '.join(cells)} |", flush=True)


def blocks(rows: int, dim: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Two views of float32 rows; blocks differ by a factor, so that they cost next to nothing to make."""
    random = np.random.default_rng(0)
    shared, a, b = (random.standard_normal((BLOCK, dim), dtype=np.float32) for _ in range(3))
    for start in range(0, rows, BLOCK):
        factor = np.float32(1 + start / rows)
        yield factor * (shared + a), factor * (shared + b)


def stacked(rows: int, dim: int) -> np.ndarray:
    """The usual way: both views whole and centred, the inverse roots of their covariances, one SVD."""
    x, y = (np.concatenate(view).astype(np.float64) for view in zip(*blocks(rows, dim), strict=True))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    roots = []
    for view in (x, y):
        values, vectors = np.linalg.eigh(view.T @ view / (rows - 1) + 1e-3 * np.eye(dim))
        roots.append(vectors / np.sqrt(values) @ vectors.T)
    return np.linalg.svd(roots[0] @ (x.T @ y / (rows - 1)) @ roots[1])[1]


WAYS: dict[str, Callable[[int, int], np.ndarray]] = {
    "stacked": stacked,
    "streamed": lambda rows, dim: CCA().fit_batches(blocks(rows, dim)).correlations,
}


def measure_linear(way: str, rows: int, dim: int) -> None:
    """Prints CPU seconds, MB above what the process had before, and the sum of the correlations."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    correlations = WAYS[way](rows, dim)
    seconds = time.process_time() - started
    print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, correlations.sum())


def linear_table(rows: int, dim: int) -> None:
    command = [sys.executable, "-m", "benchmarks.cca", "--rows", str(rows), "--dim", str(dim), "--only"]
    figures = {way: [float(x) for x in subprocess.check_output([*command, way], text=True).split()] for way in WAYS}
    print(f"| linear CCA, {rows:,} × {dim} float32 pairs | CPU s | MB | sum of correlations |\n|---|---|---|---|")
    for way, (seconds, megabytes, total) in figures.items():
        print(f"| {way} | {seconds:.2f} | {megabytes:.0f} | {total:.9f} |")
    times, sizes = (figures["streamed"][i] / figures["stacked"][i] for i in (0, 1))
    print(f"| streamed, of stacked | {times:.2f} × | {sizes:.3f} × | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.only:
        measure_linear(options.only, options.rows, options.dim)
        return
    # First, for a process inherits the peak memory of its parent.
    linear_table(options.rows, options.dim)
    print()
    layer_table(options.repeats)


if __name__ == "__main__":
    main()
