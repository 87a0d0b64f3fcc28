"""Indexes of many vectors: what they take to build, hold and ask, and what they find."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.indexes.cost import CostMaterial, measured, usual
from kith.indexes.quality import PairQuestions
from kith.similarity import unit_rows
from stages.reporting.cost import bytes_told, duration, named

TITLE = "Indexes"
ABOUT = """Vectors of 384 numbers on one core, as `kith cost` measures them: built of a quarter, half and all of n,
and asked 1,000 questions; the CPU seconds are of all of that. The note: MRR@10 among the first 10,000 vectors, and
the share of the exact answers; bytes of all; milliseconds a question, and, extrapolated, at 10⁸ vectors."""
SEARCHED, ASKED, LEARN = 10_000, 1000, 20_000
SIZES = (10_000, 100_000, 1_000_000)
AT_ONCE = 50_000
HOURS_S, WHOLE_GB = 4 * 3600, 16.0  # graphs of a million vectors take most of an hour to build


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
    vectors = clustered(rows + min(LEARN, rows), dim)
    more, learn = vectors[:rows], vectors[rows:]
    searched = more[: min(SEARCHED, rows)]
    noise = np.random.default_rng(1).standard_normal((min(ASKED, len(searched)), dim), dtype=np.float32)
    queries = unit_rows(searched[: len(noise)] + noise * np.float32(2.5 / dim**0.5))
    return CostMaterial(
        searched, learn, more, PairQuestions(queries, np.arange(len(queries)), np.arange(len(searched)))
    )


def index(name: str, rows: int, dim: int) -> Callable[[], Any]:
    on = material(rows, dim)

    def work() -> dict[str, Any]:
        qualities, times = measured(name, on, 10)
        quality = qualities[-1]
        at = {row["vectors"]: row for row in times if row["effort"] == quality["effort"]}
        return {
            "told": f"{named(quality)}: MRR@10 {quality['mrr']:.3f}, {quality['recall']:.3f} of the exact answers, "
            f"{bytes_told(quality['bytes'] * rows + quality['fixed_bytes'])}, "
            f"{duration(at[rows]['query_ms'] / 1000)} a question, {duration(at[10**8]['query_ms'] / 1000)} at 10⁸"
        }

    return work


def cases(
    quick: bool,
    *,
    sizes: tuple[int, ...] = SIZES,
    dim: int = 384,
    names: tuple[str, ...] = ("usual",),
) -> Iterator[Case]:
    for rows in (2000,) if quick else sizes:
        for name in usual(dim) if names == ("usual",) else names:
            yield Case(name, rows, Way(index, (name, rows, dim), HOURS_S, WHOLE_GB), note=lambda found: found["told"])
