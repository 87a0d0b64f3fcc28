"""Ranks, MRR and R@k between two modalities: counted in blocks, against sorting everything and against libraries."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.metrics.cross_modal import cross_modal_retrieval

TITLE = "Retrieval between pictures and texts"
ABOUT = """n queries find their partner among n candidates, by cosine: MRR, R@1, R@10 and mean average precision.
Answers agree to 1e-5. "argsort": the whole matrix, sorted. The others are given the same vectors and make of them
what they take. The limit: the product of all queries with all candidates."""


def problem(size: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((size, dim), dtype=np.float32)
    return queries, queries + 2 * rng.standard_normal((size, dim), dtype=np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def right(size: int, each: int) -> np.ndarray | None:
    return None if each == 1 else np.arange(size)[:, None] // each * each + np.arange(each)


def ours(size: int, dim: int, each: int) -> Callable[[], Any]:
    queries, candidates = problem(size, dim)

    def work() -> dict[str, float]:
        found = cross_modal_retrieval(queries, candidates, right(size, each))
        return {"mrr": found["mrr"], "R@1": found["R@1"] / 100, "R@10": found["R@10"] / 100, "map": found["map"]}

    return work


def argsort(size: int, dim: int, each: int) -> Callable[[], Any]:
    queries, candidates = problem(size, dim)

    def work() -> dict[str, float]:
        order = np.argsort(-(unit(queries) @ unit(candidates).T), axis=1, kind="stable")
        hits = order // each == np.arange(size)[:, None] // each
        first = 1 + hits.argmax(axis=1)
        precision = hits.cumsum(axis=1) / np.arange(1, size + 1)
        mean = (precision * hits).sum(axis=1) / each
        return {"mrr": (1 / first).mean(), "R@1": (first <= 1).mean(), "R@10": (first <= 10).mean(), "map": mean.mean()}

    return work


def torchmetrics(size: int, dim: int, each: int) -> Callable[[], Any]:
    import torch
    from torchmetrics.functional.retrieval import retrieval_average_precision, retrieval_reciprocal_rank

    queries, candidates = problem(size, dim)

    def work() -> dict[str, float]:
        scores = 1 + torch.from_numpy(unit(queries) @ unit(candidates).T).double()  # it drops scores up to 0
        targets = torch.arange(size) // each
        found = []
        for row, target in zip(scores, targets, strict=True):
            relevant = targets == target
            found.append(
                [float(metric(row, relevant)) for metric in (retrieval_reciprocal_rank, retrieval_average_precision)]
            )
        return dict(zip(("mrr", "map"), np.mean(found, axis=0).tolist(), strict=True))

    return work


def ranx(size: int, dim: int, each: int) -> Callable[[], Any]:
    from ranx import Qrels, Run, evaluate

    queries, candidates = problem(size, dim)

    def work() -> dict[str, float]:
        scores = (unit(queries) @ unit(candidates).T).tolist()
        names = [f"d{place}" for place in range(size)]
        run = Run({f"q{row}": dict(zip(names, line, strict=True)) for row, line in enumerate(scores)})
        wanted = (np.arange(size)[:, None] // each * each + np.arange(each)).tolist()
        truth = Qrels(
            {f"q{row}": dict.fromkeys((names[place] for place in line), 1) for row, line in enumerate(wanted)}
        )
        found = evaluate(truth, run, ["mrr", "map", "hit_rate@1", "hit_rate@10"])
        return {"mrr": found["mrr"], "map": found["map"], "R@1": found["hit_rate@1"], "R@10": found["hit_rate@10"]}

    return work


def product(size: int, dim: int) -> Callable[[], Any]:
    queries, candidates = problem(size, dim)

    def work() -> None:
        for start in range(0, size, 1024):
            queries[start : start + 1024] @ candidates.T

    return work


def cases(
    quick: bool,
    *,
    dim: int = 128,
    sizes: tuple[int, ...] = (1000, 5000, 10_000, 50_000),
    right: tuple[int, ...] = (1, 5),
) -> Iterator[Case]:
    for size in sizes[:1] if quick else sizes:
        for each in right:
            arguments = (size, dim, each)
            others = {"argsort": Way(argsort, arguments)} if size <= 10_000 else {}
            others |= (
                {"torchmetrics": Way(torchmetrics, arguments), "ranx": Way(ranx, arguments)} if size <= 1000 else {}
            )
            yield Case(
                f"{each} right",
                size,
                Way(ours, arguments),
                others,
                limit=("the product", Way(product, (size, dim))),
                tolerance=1e-5,
            )
