"""What pictures find in a database, by the codes of their signs and by their vectors: the others of their split, or
the training pictures. Right answers are those of the same class; of pictures with several labels, those that share one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kith.codes import sign_codes
from kith.evaluation.classes import KnownClasses
from kith.evaluation.gallery import GallerySide
from kith.evaluation.results import DECIMALS, QueryMetrics
from kith.evaluation.shared import graded_codes, shared_in_database
from kith.metrics.hashing import code_statistics, hamming_retrieval
from kith.metrics.metric_learning import database_precision, knn_predictions

RADIUS = 2


class ClassDatabase(NamedTuple):
    """coded: the run's vectors are meant as binary codes. vectors (m, d), labels (m,), or sets of them (m, classes),
    and splits (m,) of the pictures whose class is known and that may be found, or None where each split is searched in
    itself."""

    coded: bool
    vectors: np.ndarray | None = None
    labels: np.ndarray | None = None
    splits: np.ndarray | None = None

    def without(self, split: str) -> "ClassDatabase":
        """What is there for the queries of a split: they are not in it themselves."""
        if self.vectors is None or self.labels is None or self.splits is None or split not in self.splits:
            return self
        kept = self.splits != split
        return ClassDatabase(self.coded, self.vectors[kept], self.labels[kept])


def search_database(
    images: GallerySide,
    known: KnownClasses,
    database: ClassDatabase,
    ks: Sequence[int] = (1, 10, 50, 100),
    knn: int = 10,
    topk: int | None = None,
) -> QueryMetrics:
    """The pictures of a split whose class is known look for others in the database; nothing where there are none.

    ks: cutoffs of the precision of codes; knn: how many vote for a class; topk: the cutoff of a second mAP of codes.

    >>> vectors, rows = np.array([[1, 1], [1, 0.5], [-1, 1]]), np.arange(3)
    >>> known = KnownClasses(np.array([0, 0, 0]), {}, {}, rows)
    >>> found = search_database(GallerySide(vectors, rows, rows, 0 * rows), known, ClassDatabase(coded=True), ks=[1])
    >>> found.values["hamming/map"].tolist(), found.together["hamming/bits"]
    ([1.0, 1.0, 1.0], 2.0)
    """
    chosen, label = known.with_labels(images)
    found = QueryMetrics({}, chosen.groups)
    if len(label) < (2 if database.vectors is None else 1):
        return found
    if label.ndim == 2:
        found = shared_in_database(chosen, label, database.vectors, database.labels, ks)
    elif database.vectors is not None and database.labels is not None:
        precision = database_precision(chosen.vectors, label, database.vectors, database.labels)
        k = min(knn, len(database.labels))
        predicted = knn_predictions(database.vectors, database.labels, k, chosen.vectors)
        level = _hamming(*_constant(chosen.vectors, database), label, database, None)["map"]
        values = {"database/map": precision, "database/knn_accuracy": 100.0 * (predicted == label)}
        found = QueryMetrics(values, chosen.groups, {"database/map": level})
    return _search_codes(found, chosen.vectors, label, database, ks, topk) if database.coded else found


def _search_codes(
    found: QueryMetrics,
    queries: np.ndarray,
    label: np.ndarray,
    database: ClassDatabase,
    ks: Sequence[int],
    topk: int | None,
) -> QueryMetrics:
    """What was found by cosine, and beside it what the codes of signs find."""
    codes = sign_codes(queries)
    others = codes if database.vectors is None else sign_codes(database.vectors)
    answers = len(others) - (database.vectors is None)
    ks = [k for k in ks if k <= answers]
    whole = _hamming(codes, others, label, database, None, ks)
    chance = _hamming(*_constant(queries, database), label, database, None, ks)
    names = ["map", *(f"precision@{k}" for k in ks)]
    values = {name: whole["per_query"][name] for name in [*names, f"precision_radius{RADIUS}"]}
    levels = {name: chance[name] for name in names}
    if label.ndim == 2:
        graded, by_chance = graded_codes(codes, others, label, database.labels, ks)
        values, levels = values | graded, levels | by_chance
    if topk is not None:
        values[f"map@{topk}"] = _hamming(codes, others, label, database, topk)["per_query"]["map"]
        levels[f"map@{topk}"] = _hamming(*_constant(queries, database), label, database, topk)["map"]
    statistics = code_statistics(codes)
    facts = {"bits": float(codes.shape[1])} | {name: statistics[name] for name in ("bit_imbalance", "bit_correlation")}
    return QueryMetrics(
        values=found.values | {f"hamming/{name}": each for name, each in values.items()},
        groups=found.groups,
        chance=found.chance | {f"hamming/{name}": level for name, level in levels.items() if not np.isnan(level)},
        together={f"hamming/{name}": value for name, value in facts.items() if not np.isnan(value)},
        by_radius={
            name: [None if np.isnan(value) else round(float(value), DECIMALS) for value in curve]
            for name, curve in whole["by_radius"].items()
        },
    )


def _hamming(
    codes: np.ndarray,
    others: np.ndarray,
    label: np.ndarray,
    database: ClassDatabase,
    topk: int | None,
    ks: Sequence[int] = (),
) -> dict[str, Any]:
    itself = database.labels is None
    labels = label if database.labels is None else database.labels
    return hamming_retrieval(codes, others, label, labels, topk, ks=ks, radii=(RADIUS,), exclude_self=itself)


def _constant(queries: np.ndarray, database: ClassDatabase) -> tuple[np.ndarray, np.ndarray]:
    """Codes that tell nothing apart: in expectation over the orders of equals, what they find is found by chance."""
    others = queries if database.vectors is None else database.vectors
    return np.ones((len(queries), 1), dtype=np.int8), np.ones((len(others), 1), dtype=np.int8)
