"""Retrieval by class, votes of neighbours, graded relevance: against the libraries that have them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.metrics.label_sets import shared_retrieval
from kith.metrics.metric_learning import database_precision, knn_predictions, self_retrieval

TITLE = "Retrieval by class"
ABOUT = """Vectors of 64 numbers in 100 classes. "at R": recall@1, R-precision and MAP@R of n items among each
other (pytorch-metric-learning: AccuracyCalculator with FAISS). "whole lists": mean average precision of 500 queries
in a database of n. "votes": the class by 10 nearest of n, for 500 queries. "graded": nDCG of 200 queries in n items
with several labels each, and all the other metrics of such lists (mAP, ACG, weighted mAP, ranks), which scikit-learn
does not compute. Answers agree to 1e-5, of lists to 5e-4: rounding in float32 swaps items that are next to each other.
The limit: the product of the vectors, in float32; of "graded" also a sort of
each list, of numbers alone: with what each is worth it takes 1.7 times as long. FAISS, behind pytorch-metric-learning,
needs that product too, so at R and votes cannot be 10 times as fast: all that ours does on top of the product is to
look at each number twice, and to settle in float64, equals and all, what float32 leaves open; FAISS keeps the order of
float32, and equals as they come. Votes of 10,000 and more cannot be 3 times as fast: scikit-learn takes 2.7 to 3.9
products, and to look at each number twice takes ours nearly half a product."""
DIM, CLASSES, QUERIES, GRADED = 64, 100, 500, 200


def problem(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(count) % CLASSES)
    centres = random.standard_normal((CLASSES, DIM))
    rows = centres[labels] + 2 * random.standard_normal((count, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def at_r(count: int) -> Callable[[], Any]:
    vectors, labels = problem(count)

    def work() -> dict[str, float]:
        found = self_retrieval(vectors, labels, ks=(1,))
        return {name: float(np.nanmean(values)) for name, values in found.items()}

    return work


def at_r_library(count: int) -> Callable[[], Any]:
    import faiss
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    faiss.omp_set_num_threads(1)
    vectors, labels = problem(count)
    wanted = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
    calculator = AccuracyCalculator(include=wanted, k="max_bin_count")

    def work() -> dict[str, float]:
        found = calculator.get_accuracy(vectors, labels)
        return dict(zip(("recall@1", "r_precision", "map@r"), (found[name] for name in wanted), strict=True))

    return work


def whole_lists(count: int) -> Callable[[], Any]:
    vectors, labels = problem(count + QUERIES)
    queries, of_queries, database, of_database = _parted(vectors, labels)
    return lambda: database_precision(queries, of_queries, database, of_database)


def whole_lists_scikit(count: int) -> Callable[[], Any]:
    from sklearn.metrics import average_precision_score

    queries, of_queries, database, of_database = _parted(*problem(count + QUERIES))

    def work() -> np.ndarray:
        scores = queries @ database.T
        each = zip(scores, of_queries, strict=True)
        return np.array([average_precision_score(of_database == label, row) for row, label in each])

    return work


def whole_lists_torchmetrics(count: int) -> Callable[[], Any]:
    import torch
    from torchmetrics.functional.retrieval import retrieval_average_precision

    queries, of_queries, database, of_database = map(torch.from_numpy, _parted(*problem(count + QUERIES)))

    def work() -> np.ndarray:
        each = zip(1 + (queries @ database.T).double(), of_queries, strict=True)  # it drops scores up to 0
        return np.array([float(retrieval_average_precision(row, of_database == label)) for row, label in each])

    return work


def votes(count: int) -> Callable[[], Any]:
    queries, _, database, of_database = _parted(*problem(count + QUERIES))
    return lambda: knn_predictions(database, of_database, 10, queries)


def votes_scikit(count: int) -> Callable[[], Any]:
    from sklearn.neighbors import KNeighborsClassifier

    queries, _, database, of_database = _parted(*problem(count + QUERIES))
    return lambda: KNeighborsClassifier(10, algorithm="brute").fit(database, of_database).predict(queries)


def graded(count: int) -> Callable[[], Any]:
    queries, sets, database, of_database = _sets(count)
    return lambda: shared_retrieval(queries, sets, database, of_database, ks=(100,))["NDCG@100"]


def graded_scikit(count: int) -> Callable[[], Any]:
    from sklearn.metrics import ndcg_score

    queries, sets, database, of_database = _sets(count)

    def work() -> np.ndarray:
        scores, gains = queries @ database.T, 2.0 ** (sets @ of_database.T) - 1
        each = zip(gains, scores, strict=True)
        return np.array([ndcg_score(gain[None], row[None], k=100) for gain, row in each])

    return work


def product(queries: int, count: int) -> Callable[[], Any]:
    vectors, _ = problem(count)
    asked = vectors[np.arange(queries) % count]

    def work() -> None:
        for start in range(0, queries, 1024):
            asked[start : start + 1024] @ vectors.T

    return work


def sorted_product(queries: int, count: int) -> Callable[[], Any]:
    vectors, _ = problem(count)
    asked = vectors[np.arange(queries) % count]

    def work() -> None:
        for start in range(0, queries, 64):
            np.sort(asked[start : start + 64] @ vectors.T, axis=1)

    return work


def _parted(vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    return vectors[:QUERIES], labels[:QUERIES], vectors[QUERIES:], labels[QUERIES:]


def _sets(count: int) -> tuple[np.ndarray, ...]:
    vectors, labels = problem(count + GRADED)
    sets = (np.random.default_rng(1).random((len(labels), 20)) < 0.15).astype(np.int64)
    sets[np.arange(len(labels)), labels % 20] = 1
    return vectors[:GRADED], sets[:GRADED], vectors[GRADED:], sets[GRADED:]


def cases(quick: bool, *, sizes: tuple[int, ...] = (1000, 10_000, 50_000)) -> Iterator[Case]:
    scikit = "scikit-learn"
    for count in sizes[:2] if quick else sizes:
        few = count <= 10_000
        whole = {scikit: Way(whole_lists_scikit, (count,)), "torchmetrics": Way(whole_lists_torchmetrics, (count,))}
        library = {"pytorch-metric-learning": Way(at_r_library, (count,))}
        some, all_of = Way(product, (QUERIES, count)), Way(product, (count, count))
        yield Case(
            "at R", count, Way(at_r, (count,)), library if few else {}, limit=("the product", all_of), tolerance=1e-5
        )
        yield Case(
            *("whole lists", count, Way(whole_lists, (count,)), whole), limit=("the product", some), tolerance=5e-4
        )
        yield Case(
            "votes", count, Way(votes, (count,)), {scikit: Way(votes_scikit, (count,))}, limit=("the product", some)
        )
        yield Case(
            *("graded", count, Way(graded, (count,)), {scikit: Way(graded_scikit, (count,))}),
            limit=("the product, sorted", Way(sorted_product, (GRADED, count))),
            tolerance=5e-4,
        )
