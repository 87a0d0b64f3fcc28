"""Nearly equal ones among many vectors and texts, as the audit finds them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.audit.near import near_pairs
from kith.audit.words import near_texts

TITLE = "The audit: what is there twice"
ABOUT = """A hundredth of n are copies of others, vectors of 384 numbers with noise, texts of 12 words with one
more; the note says what share of them was found."""
COPIES = 0.01  # of the rows
NOISE = 0.2  # length of what is added to a copy of length 1: a cosine of about .98
WORDS = 20_000


def vectors_of(rows: int, dim: int) -> np.ndarray:
    """float32 in loose clusters, as those of encoders are; the last hundredth are copies of the first, with noise."""
    random = np.random.default_rng(0)
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


def texts_of(rows: int) -> list[str]:
    """Of 12 words each; the last hundredth are copies of the first with one word more."""
    words = np.random.default_rng(0).zipf(1.3, size=(rows, 12)) % WORDS
    texts = [" ".join(f"w{word}" for word in row) for row in words.tolist()]
    copies = int(COPIES * rows)
    return texts[: rows - copies] + [f"{text} more" for text in texts[:copies]]


def recall(pairs: np.ndarray, rows: int) -> float:
    copies = int(COPIES * rows)
    planted = set(zip(range(copies), range(rows - copies, rows), strict=True))
    return len(planted & set(map(tuple, pairs.tolist()))) / copies


def of_vectors(rows: int, dim: int, method: Any) -> Callable[[], Any]:
    vectors, groups = vectors_of(rows, dim), np.arange(rows)
    return lambda: near_pairs(vectors, groups, k=3, least=0.9, method=method)[0]


def of_texts(rows: int) -> Callable[[], Any]:
    texts, groups = texts_of(rows), np.arange(rows)
    return lambda: near_texts(texts, groups)[0]


def cases(
    quick: bool, *, sizes: tuple[int, ...] = (1000, 10_000, 100_000), dim: int = 384, hnsw: int = 10_000
) -> Iterator[Case]:
    for rows in sizes[:1] if quick else sizes:

        def note(pairs: np.ndarray, rows: int = rows) -> str:
            return f"{recall(pairs, rows):.3f} found"

        if rows <= 30_000:
            yield Case("vectors, exact", rows, Way(of_vectors, (rows, dim, "exact")), note=note)
        if rows <= hnsw:
            yield Case("vectors, HNSW", rows, Way(of_vectors, (rows, dim, "hnsw")), note=note)
        yield Case("texts", rows, Way(of_texts, (rows,)), note=note)
