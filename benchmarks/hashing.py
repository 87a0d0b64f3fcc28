"""A full evaluation by Hamming distance: mAP over the whole database, P@k, precision and recall by radius."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.codes import hamming_blocks, hamming_distances, pack, sign_codes, unpack
from kith.metrics.hashing import hamming_retrieval

TITLE = "Binary codes"
ABOUT = """Codes of 48 bits in 10 classes: a fifth of n asks, n are searched. "the usual loop": distances of a
query by a product, a stable sort, and precision where an answer is right, as the programs of the hashing papers
have it; it knows only the order by index, with which its mAP is compared. Ours gives precision and recall by rank and
by radius with it. The limit: all distances, and for the order by index a sort of each list, and nothing else."""
BITS, CLASSES = 48, 10


def problem(count: int) -> tuple[np.ndarray, ...]:
    """Packed codes around a random one for each class, some bits of which are wrong."""
    queries = count // 5
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=queries + count)
    centres = rng.standard_normal((CLASSES, BITS)).astype(np.float32)
    codes = pack(sign_codes(centres[labels] + 1.5 * rng.standard_normal((len(labels), BITS), dtype=np.float32)))
    return codes[:queries], codes[queries:], labels[:queries], labels[queries:]


def ours(count: int, ties: Any) -> Callable[[], Any]:
    data = problem(count)
    return lambda: hamming_retrieval(*data, ties=ties, ks=(1, 10, 100))["map"]


def usual(count: int, ties: str) -> Callable[[], Any]:
    queries, database, of_queries, of_database = problem(count)
    queries, database = (unpack(codes, BITS).astype(np.float32) for codes in (queries, database))

    def work() -> float:
        found = []
        for code, label in zip(queries, of_queries, strict=True):
            distances = 0.5 * (BITS - code @ database.T)
            right = (of_database == label)[np.argsort(distances, kind="stable")]
            places = np.flatnonzero(right) + 1
            found.append(np.mean(np.arange(1, len(places) + 1) / places))
        return float(np.mean(found))

    return work


def distances(count: int) -> Callable[[], Any]:
    queries, database, *_ = problem(count)

    def work() -> None:
        for start in range(0, len(queries), 256):
            hamming_distances(queries[start : start + 256], database)

    return work


def orders(count: int) -> Callable[[], Any]:
    queries, database, *_ = problem(count)

    def work() -> None:
        for _, block in hamming_blocks(queries, database):
            np.argsort(block, axis=1, kind="stable")

    return work


def cases(
    quick: bool, *, sizes: tuple[int, ...] = (1000, 10_000, 50_000), ties: tuple[str, ...] = ("expected", "index")
) -> Iterator[Case]:
    for count in sizes[:2] if quick else sizes:
        for each in ties:
            yield Case(
                f"ties: {each}",
                count,
                Way(ours, (count, each)),
                {"the usual loop": Way(usual, (count, each))} if each == "index" else {},
                limit=("all distances, sorted", Way(orders, (count,)))
                if each == "index"
                else ("all distances", Way(distances, (count,))),
                tolerance=1e-9,
                note=lambda found: f"mAP {found:.5f}",
                done=count // 5,
            )
