"""Mining, loss forward and backward against pytorch-metric-learning: milliseconds, peak memory, ratios.

python -m benchmarks.mining [--batches 128 512 1024] [--repeats 5] [--memory-gb 6]
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from kith import losses, mining

MARGIN = 0.2
WAYS = ("semi_hard", "batch_hard", "hardest", "random", "all")


def ours(strategy: str) -> Callable[[Tensor, Tensor], Tensor]:
    def step(rows: Tensor, labels: Tensor) -> Tensor:
        if strategy == "all":
            return losses.batch_all(rows, mining.violations(rows, labels, MARGIN), MARGIN, reduction="active")
        random = torch.Generator().manual_seed(0)
        found = mining.mine_triplets(rows.detach(), labels, strategy, margin=MARGIN, generator=random)
        return losses.triplet_margin(rows, found, MARGIN)

    return step


def theirs(strategy: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Its miners have no hardest or random negative of each pair; its semi-hard one takes every such triplet."""
    from pytorch_metric_learning import distances, miners
    from pytorch_metric_learning import losses as library

    squared = distances.LpDistance(normalize_embeddings=False, power=2)
    loss = library.TripletMarginLoss(margin=MARGIN, distance=squared)
    if strategy == "all":
        return loss
    miner = (
        miners.BatchHardMiner(distance=squared)
        if strategy == "batch_hard"
        else miners.TripletMarginMiner(margin=MARGIN, type_of_triplets="semihard", distance=squared)
    )
    return lambda rows, labels: loss(rows, labels, miner(rows, labels))


def measure(way: str, strategy: str, size: int, per_class: int, dim: int, repeats: int) -> str:
    """Median milliseconds of a step, and the memory that it added to the process, in MB."""
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(size) // per_class
    # About as near as classes are that have begun to come apart.
    centres = torch.randn(int(labels.max()) + 1, dim, generator=random)
    rows = F.normalize(centres[labels] + 1.5 * torch.randn(size, dim, generator=random)).requires_grad_()
    step = {"ours": ours, "theirs": theirs}[way](strategy)
    small = torch.cat([torch.arange(8), torch.arange(per_class, min(size, per_class + 8))])
    step(rows[small], labels[small]).backward()  # what is loaded at first use
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeats):
        rows.grad = None
        start = time.perf_counter()
        step(rows, labels).backward()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return f"{1000 * sorted(seconds)[len(seconds) // 2]} {peak / 1024}"


def run(options: argparse.Namespace, *case: str) -> tuple[float, float] | None:
    """In a process of its own, so that peak memory is the case's; None where it needs more than is allowed."""
    command = [sys.executable, "-m", "benchmarks.mining", "--dim", str(options.dim), "--repeats", str(options.repeats)]
    limit = int(options.memory_gb * 2**30)
    done = subprocess.run(
        [*command, "--case", *case],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    if done.returncode:
        known = any(word in done.stderr for word in ("not enough memory", "MemoryError", "bad_alloc", "alloc"))
        if not known:
            sys.exit(done.stderr)
        return None
    milliseconds, memory = map(float, done.stdout.split())
    return milliseconds, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 512, 1024, 4096])
    parser.add_argument("--per-class", type=int, nargs="+", default=[8, 102])
    parser.add_argument("--strategies", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-gb", type=float, default=6.0)
    parser.add_argument("--case", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        way, strategy, size, per_class = options.case
        print(measure(way, strategy, int(size), int(per_class), options.dim, options.repeats))
        return
    print(f"One thread; margin {MARGIN}, squared distances of unit rows of {options.dim}; median of {options.repeats}.")
    print("| batch (per class) | mining | ms | MB | pytorch-metric-learning ms | MB | ratio ms | ratio MB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for size in options.batches:
        for per_class in options.per_class:
            if 2 * per_class > size:
                continue
            for strategy in options.strategies:
                case = (strategy, str(size), str(per_class))
                own = run(options, "ours", *case)
                other = None if strategy in ("hardest", "random") else run(options, "theirs", *case)
                cells = [f"{value:.1f}" for value in own] if own else ["out of memory"] * 2
                if strategy in ("hardest", "random"):
                    cells += ["—"] * 4
                elif other is None:
                    cells += ["out of memory"] * 2 + ["—"] * 2
                else:
                    cells += [f"{value:.1f}" for value in other]
                    cells += [f"{b / max(a, 0.1):.1f}" for a, b in zip(own, other, strict=True)] if own else ["—"] * 2
                print(f"| {size} ({per_class}) | {strategy} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
