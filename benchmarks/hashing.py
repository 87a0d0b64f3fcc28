"""Cost of a full evaluation by Hamming distance (mAP over the whole database, P@k, P and R by radius).

Usage: python -m benchmarks.hashing [--queries 10000] [--database 50000] [--bits 48] [--classes 10] [--ties expected …]
Prints a Markdown table: CPU and wall seconds and the peak memory of one call, in a process of its own with one thread
(NumPy and its inputs included), and the memory before the call.
"""

import argparse
import os
import resource
import subprocess
import sys
import time

import numpy as np

from kith.codes import pack, sign_codes
from kith.metrics.hashing import hamming_retrieval

THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


def problem(queries: int, database: int, bits: int, classes: int) -> tuple[np.ndarray, ...]:
    """Packed codes around a random one for each class, some bits of which are wrong."""
    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=queries + database)
    centres = rng.standard_normal((classes, bits)).astype(np.float32)
    codes = pack(sign_codes(centres[labels] + 1.5 * rng.standard_normal((len(labels), bits), dtype=np.float32)))
    return codes[:queries], codes[queries:], labels[:queries], labels[queries:]


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(options: argparse.Namespace, ties: str) -> str:
    data = problem(options.queries, options.database, options.bits, options.classes)
    before, cpu, wall = peak(), time.process_time(), time.perf_counter()
    found = hamming_retrieval(*data, ties=ties, topk=options.topk, ks=(1, 10, 100))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return f"{cpu:.2f} | {wall:.2f} | {peak():.0f} | {before:.0f} | {found['map']:.5f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--database", type=int, default=50_000)
    parser.add_argument("--bits", type=int, default=48)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--topk", type=int)
    parser.add_argument("--ties", nargs="+", default=["expected", "optimistic", "pessimistic", "index"])
    parser.add_argument("--once", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(measure(options, options.once))
        return
    print("| ties | CPU s | wall s | peak MB | MB before | mAP |\n|---|---|---|---|---|---|")
    for ties in options.ties:
        command = [sys.executable, "-m", "benchmarks.hashing", *sys.argv[1:], "--once", ties]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | THREADS)
        print(f"| {ties} | {done.stdout.strip()} |", flush=True)


if __name__ == "__main__":
    main()
