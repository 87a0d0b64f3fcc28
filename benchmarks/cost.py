"""What indexes of many vectors cost on one core: seconds to build, ms a query, bytes, what they find, and peak memory.

python -m benchmarks.cost [ROWS [DIM [INDEX …]]]

The default is 1,000,000 rows of 384 numbers. Each index is asked at a quarter, half and all of the rows; what it finds
is compared with an exact search among the first 10,000, for which also the metrics are.
"""

import resource
import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from kith.indexes.cost import CostMaterial, measured, usual
from kith.indexes.quality import PairQuestions
from kith.similarity import unit_rows
from stages.reporting.cost import bytes_told, duration, named

SEARCHED, ASKED, LEARN = 10_000, 1000, 20_000
AT_ONCE = 50_000


def clustered(rows: int, dim: int) -> np.ndarray:
    """Unit rows (rows, dim) float32 in loose clusters, as those of pictures are; made in parts."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((max(1, rows // 100), dim), dtype=np.float32)
    found = np.empty((rows, dim), dtype=np.float32)
    for start in range(0, rows, AT_ONCE):
        part = found[start : start + AT_ONCE]
        own = centres[random.integers(len(centres), size=len(part))]
        part[:] = unit_rows(own + np.float32(0.7) * random.standard_normal(part.shape, dtype=np.float32))
    return found


def material(rows: int, dim: int) -> CostMaterial:
    """Pairs: each of some rows, moved by noise, looks for itself."""
    vectors = clustered(rows + LEARN, dim)
    more, learn = vectors[:rows], vectors[rows:]
    searched = more[: min(SEARCHED, rows)]
    noise = np.random.default_rng(1).standard_normal((min(ASKED, len(searched)), dim), dtype=np.float32)
    queries = unit_rows(searched[: len(noise)] + noise * np.float32(2.5 / dim**0.5))
    return CostMaterial(
        searched, learn, more, PairQuestions(queries, np.arange(len(queries)), np.arange(len(searched)))
    )


def main() -> None:
    rows, dim = (int(value) for value in (*sys.argv[1:3], *("1000000", "384")[len(sys.argv[1:3]) :]))
    started = time.monotonic()
    with threadpool_limits(1):
        on = material(rows, dim)
        print(f"{rows:,} × {dim}; made in {duration(time.monotonic() - started)}")
        print(
            f"{'index':>14} {'bytes':>6} {'MRR@10':>7} {'exact':>6} {'held':>7} {'build':>7} {'query':>8} {'10⁸, ≈':>8}"
        )
        for name in sys.argv[3:] or usual(dim):
            qualities, times = measured(name, on, 10)
            for quality in qualities:
                at = {row["vectors"]: row for row in times if row["effort"] == quality["effort"]}
                held = bytes_told(quality["bytes"] * rows + quality["fixed_bytes"])
                print(
                    f"{named(quality):>14} {quality['bytes']:>6.0f} {quality['mrr']:>7.3f} {quality['recall']:>6.3f} "
                    f"{held:>7} {duration(at[rows]['build_s']):>7} {duration(at[rows]['query_ms'] / 1000):>8} "
                    f"{duration(at[10**8]['query_ms'] / 1000):>8}",
                    flush=True,
                )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak memory {bytes_told(peak)}; {duration(time.monotonic() - started)} in all")


if __name__ == "__main__":
    main()
