"""The angular loss in closed form against the published program's repeated form: time, peak memory, ratio.

python -m benchmarks.angular
"""

import resource
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

from kith.losses import angular


def repeated(anchor: torch.Tensor, positive: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
    """Anchors and negatives repeated to B² rows, as published."""
    size = len(anchor)
    rows, all_negatives = anchor.repeat_interleave(size, 0), negatives.repeat(size, 1)
    others = positive.repeat_interleave(size, 0)
    exponents = 4 * (rows + others) @ all_negatives.T - 4 * (rows * others).sum(1, keepdim=True)
    return torch.log(1 + exponents.exp().sum(1)).mean()


def measure(form: str, size: int, dim: int = 256) -> None:
    """Print CPU seconds of one forward and backward pass, and the process's peak memory in MB."""
    torch.manual_seed(0)
    a, p, n = (F.normalize(torch.randn(size, dim)).requires_grad_() for _ in range(3))
    loss = repeated if form == "repeated" else lambda a, p, n: angular(a, p, n, repeats=len(a))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    value = loss(a, p, n)
    value.backward()
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(seconds, peak / 1024, value.item())


def main() -> None:
    print(f"{'batch':>6} {'repeated s':>11} {'closed s':>9} {'ratio':>8} {'repeated MB':>12} {'closed MB':>10} equal")
    for size in (16, 32, 64):
        figures = {}
        for form in ("repeated", "closed"):
            # One process each, so that peak memory is the form's own.
            command = [sys.executable, "-m", "benchmarks.angular", form, str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            figures[form] = [float(x) for x in done.stdout.split()]
        (slow, large, value), (fast, small, other) = figures["repeated"], figures["closed"]
        equal = abs(value - other) < 1e-4 * abs(value)
        print(f"{size:>6} {slow:>11.3f} {fast:>9.4f} {slow / fast:>8.0f} {large:>12.0f} {small:>10.1f} {equal!s:>6}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        main()
