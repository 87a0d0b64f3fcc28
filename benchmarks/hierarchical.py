"""Hierarchical retrieval under two similarities (LCSH, WUP) at once."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.metrics.hierarchical import hierarchical_retrieval

TITLE = "Hierarchical retrieval"
ABOUT = """n items of 100 classes look for each other, by Euclidean distance of 64 float64 numbers, under LCSH and
WUP at once. "to rank 250": HP@1, 10, 50, 100 and AHP@250; "whole lists": also AHP over the whole list and AP. The
published program of Barz & Denzler took 92 to 112 CPU seconds and 1,671 MB for 10,000 items to rank 250, on the
two-core machine where Kith began. "NumPy": the same, a query at a time, sorted whole. The limit: the product of all
items with all in float64; of whole lists also a sort of each row, of numbers alone."""
CLASSES, LEVELS, BRANCHES, DIM, CLIP = 100, 5, 3, 64, 250


def similarities(paths: np.ndarray) -> dict[str, np.ndarray]:
    """LCSH and WUP of leaves LEVELS below the root, from the ancestors (root's child … leaf) that they share."""
    shared = np.cumprod(paths[:, None] == paths[None], axis=2).sum(axis=2)
    return {"lcsh": shared / LEVELS, "wup": (shared + 1) / (LEVELS + 1)}


def problem(size: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Features of items around their class, whose centre adds up one random vector for each node above it."""
    rng = np.random.default_rng(0)
    leaves = rng.choice(BRANCHES**LEVELS, CLASSES, replace=False)
    paths = leaves[:, None] // BRANCHES ** np.arange(LEVELS - 1, -1, -1)
    centres = np.zeros((CLASSES, DIM))
    for level in paths.T:
        nodes, which = np.unique(level, return_inverse=True)
        centres += rng.standard_normal((len(nodes), DIM))[which]
    labels = rng.permutation(np.arange(size) % CLASSES)
    return centres[labels] + 2.5 * rng.standard_normal((size, DIM)), labels, similarities(paths)


def ours(size: int, full: bool) -> Callable[[], Any]:
    features, labels, measures = problem(size)

    def work() -> dict[str, float]:
        found = hierarchical_retrieval(features, labels, measures, clip=CLIP, full=full)
        return {name: float(values.mean()) for name, values in found.items()}

    return work


def one_by_one(size: int, full: bool) -> Callable[[], Any]:
    """What a program does that takes the definitions at their word."""
    features, labels, measures = problem(size)

    def work() -> dict[str, float]:
        squares, sums = np.square(features).sum(axis=1), {}
        for query in range(size):
            distances = squares - 2 * (features @ features[query])
            order = np.argsort(distances, kind="stable")
            order = order[order != query]
            for name, similarity in measures.items():
                gains = similarity[labels[query], labels[order]]
                heights = gains.cumsum() / np.sort(gains)[::-1].cumsum()
                found = {f"HP@{k}_{name}": heights[k - 1] for k in (1, 10, 50, 100)}
                found[f"AHP@{CLIP}_{name}"] = np.trapezoid(heights[:CLIP], dx=1 / CLIP)
                if full:
                    found[f"AHP_{name}"] = np.trapezoid(heights, dx=1 / (size - 1))
                for key, value in found.items():
                    sums[key] = sums.get(key, 0) + value
        return {key: value / size for key, value in sums.items()}

    return work


def product(size: int) -> Callable[[], Any]:
    features, *_ = problem(size)

    def work() -> None:
        for start in range(0, size, 512):
            features[start : start + 512] @ features.T

    return work


def sorted_product(size: int) -> Callable[[], Any]:
    features, *_ = problem(size)

    def work() -> None:
        for start in range(0, size, 128):
            np.sort(features[start : start + 128] @ features.T, axis=1)

    return work


def cases(quick: bool, *, sizes: tuple[int, ...] = (1000, 10_000, 30_000)) -> Iterator[Case]:
    for size in sizes[:1] if quick else sizes:
        alone = Way(product, (size,))
        for step, full in ((f"to rank {CLIP}", False), ("whole lists", True)):
            yield Case(
                step,
                size,
                Way(ours, (size, full)),
                {"NumPy": Way(one_by_one, (size, full))} if size <= 10_000 else {},
                {"Barz & Denzler": 92.0} if size == 10_000 and not full else {},
                limit=("the product, sorted", Way(sorted_product, (size,))) if full else ("the product", alone),
                tolerance=1e-6,
            )
