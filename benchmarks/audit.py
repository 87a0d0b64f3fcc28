"""Nearly equal ones among many vectors, as the audit finds them: wall and CPU seconds, the most memory, and how many of
the planted copies were found.

python -m benchmarks.audit [--rows N] [--dim D] [--texts]
"""

import argparse
import resource
import time

import numpy as np

from kith.audit.near import near_pairs
from kith.audit.words import near_texts

COPIES = 0.01  # of the rows
NOISE = 0.2  # length of what is added to a copy of length 1: a cosine of about .98
WORDS = 20_000


def vectors_of(rows: int, dim: int, random: np.random.Generator) -> np.ndarray:
    """float32 in loose clusters, as those of encoders are; the last hundredth are copies of the first, with noise."""
    centres = random.normal(size=(rows // 50 + 1, dim)).astype(np.float32)
    found = centres[random.integers(len(centres), size=rows)]
    for start in range(0, rows, 65_536):
        part = found[start : start + 65_536]
        part += 0.7 * random.normal(size=part.shape).astype(np.float32)
    copies = int(COPIES * rows)
    noise = random.normal(size=(copies, dim)).astype(np.float32)
    lengths = np.linalg.norm(found[:copies], axis=1, keepdims=True) / np.sqrt(dim)
    found[rows - copies :] = found[:copies] + NOISE * lengths * noise
    return found


def texts_of(rows: int, random: np.random.Generator) -> list[str]:
    """Of 12 words each; the last hundredth are copies of the first with one word more."""
    words = random.zipf(1.3, size=(rows, 12)) % WORDS
    texts = [" ".join(f"w{word}" for word in row) for row in words.tolist()]
    copies = int(COPIES * rows)
    return texts[: rows - copies] + [f"{text} more" for text in texts[:copies]]


def recall(pairs: np.ndarray, rows: int) -> float:
    copies = int(COPIES * rows)
    planted = set(zip(range(copies), range(rows - copies, rows), strict=True))
    return len(planted & set(map(tuple, pairs.tolist()))) / copies


def memory() -> float:
    """The most that this process has had so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--method", choices=["auto", "exact", "hnsw"], default="hnsw")
    parser.add_argument("--texts", action="store_true", help="Texts in the place of vectors.")
    given = parser.parse_args()
    random = np.random.default_rng(0)
    groups = np.arange(given.rows)
    made = texts_of(given.rows, random) if given.texts else vectors_of(given.rows, given.dim, random)
    before, start, cpu = memory(), time.perf_counter(), time.process_time()
    if given.texts:
        pairs, _ = near_texts(made, groups)
    else:
        pairs, _ = near_pairs(made, groups, k=3, least=0.9, method=given.method)
    print("| rows | of | wall s | CPU s | GB before | GB at most | pairs | planted found |")
    print("|---|---|---|---|---|---|---|---|")
    what = "texts of 12 words" if given.texts else f"{given.dim} numbers, {given.method}"
    seconds = f"{time.perf_counter() - start:,.0f} | {time.process_time() - cpu:,.0f}"
    told = f"{before:.1f} | {memory():.1f} | {len(pairs):,} | {recall(pairs, given.rows):.3f}"
    print(f"| {given.rows:,} | {what} | {seconds} | {told} |")


if __name__ == "__main__":
    main()
