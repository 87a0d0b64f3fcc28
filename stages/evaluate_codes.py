"""What pictures find in a database, by the codes of their signs and by their vectors: the others of their split, or
the training pictures. Right answers are those of the same class."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kith.codes import sign_codes
from kith.errors import KithError
from kith.evaluation.gallery import Side
from kith.metrics.hashing import code_statistics, hamming_retrieval
from kith.metrics.metric_learning import database_precision, knn_predictions
from stages import params
from stages.evaluate_classes import KnownClasses

DECIMALS = 6
RADIUS = 2
FOUND = ("train", "val", "database")  # splits of the database: all that are not for testing
COLUMN = "hamming_ap"  # of queries.parquet


class Database(NamedTuple):
    """coded: the run's vectors are meant as binary codes. vectors (m, d), labels (m,) and splits (m,) of the pictures
    whose class is known and that may be found, or None where each split is searched in itself."""

    coded: bool
    vectors: np.ndarray | None = None
    labels: np.ndarray | None = None
    splits: np.ndarray | None = None

    def without(self, split: str) -> "Database":
        """What is there for the queries of a split: they are not in it themselves."""
        if self.vectors is None or self.labels is None or self.splits is None or split not in self.splits:
            return self
        kept = self.splits != split
        return Database(self.coded, self.vectors[kept], self.labels[kept])


class Found(NamedTuple):
    """Figures of each query by name, and the groups of the queries; figures of all together; chance levels;
    precision and recall at each Hamming radius."""

    values: dict[str, np.ndarray]
    groups: np.ndarray
    together: dict[str, float]
    chance: dict[str, float]
    by_radius: dict[str, list[float | None]]


def read(items: pd.DataFrame, labels: np.ndarray, images: Path, rows: Path, options: params.Evaluate) -> Database:
    """The database that params.yaml names; labels (n_items,), −1 unknown. Raises KithError where it is not there."""
    with np.load(rows) as embedded:
        coded, places = "codes" in embedded and bool(embedded["codes"]), embedded["image_rows"]
    if options.database == "same":
        return Database(coded)
    splits = items["split"].to_numpy()[places]
    chosen = np.isin(splits, FOUND) & (labels[places] >= 0)
    if not (splits[chosen] == "train").any():
        raise KithError(
            f"params.yaml: evaluate.database: train needs training pictures with a label, and {rows} has none: "
            "name train in embed.splits"
        )
    return Database(coded, np.load(images, mmap_mode="r")[chosen], labels[places][chosen], splits[chosen])


def search(images: Side, known: KnownClasses, database: Database, options: params.Evaluate) -> Found:
    """The pictures of a split whose class is known look for others in the database."""
    chosen, label = known.those_of(images)
    queries = chosen.vectors
    found = Found({}, chosen.groups, {}, {}, {})
    if len(label) < (2 if database.vectors is None else 1):
        return found
    if database.vectors is not None and database.labels is not None:
        precision = database_precision(queries, label, database.vectors, database.labels)
        k = min(options.knn, len(database.labels))
        predicted = knn_predictions(database.vectors, database.labels, k, queries)
        found.values.update({"database/map": precision, "database/knn_accuracy": 100.0 * (predicted == label)})
        found.chance.update({"database/map": _hamming(*_constant(queries, database), label, database, None)["map"]})
    return _search_codes(found, queries, label, database, options) if database.coded else found


def _search_codes(
    found: Found, queries: np.ndarray, label: np.ndarray, database: Database, options: params.Evaluate
) -> Found:
    codes = sign_codes(queries)
    others = codes if database.vectors is None else sign_codes(database.vectors)
    answers = len(others) - (database.vectors is None)
    ks = [k for k in options.precision_ks if k <= answers]
    whole = _hamming(codes, others, label, database, None, ks)
    chance = _hamming(*_constant(queries, database), label, database, None, ks)
    names = ["map", *(f"precision@{k}" for k in ks)]
    figures = {name: whole["per_query"][name] for name in [*names, f"precision_radius{RADIUS}"]}
    levels = {name: chance[name] for name in names}
    if options.hamming_topk is not None:
        topk, name = options.hamming_topk, f"map@{options.hamming_topk}"
        figures[name] = _hamming(codes, others, label, database, topk)["per_query"]["map"]
        levels[name] = _hamming(*_constant(queries, database), label, database, topk)["map"]
    statistics = code_statistics(codes)
    facts = {"bits": float(codes.shape[1])} | {name: statistics[name] for name in ("bit_imbalance", "bit_correlation")}
    return found._replace(
        values=found.values | {f"hamming/{name}": values for name, values in figures.items()},
        together={f"hamming/{name}": value for name, value in facts.items() if not np.isnan(value)},
        chance=found.chance | {f"hamming/{name}": level for name, level in levels.items() if not np.isnan(level)},
        by_radius={
            name: [None if np.isnan(value) else round(float(value), DECIMALS) for value in values]
            for name, values in whole["by_radius"].items()
        },
    )


def _hamming(
    codes: np.ndarray,
    others: np.ndarray,
    label: np.ndarray,
    database: Database,
    topk: int | None,
    ks: list[int] | tuple[()] = (),
) -> dict[str, Any]:
    itself = database.labels is None
    labels = label if database.labels is None else database.labels
    return hamming_retrieval(codes, others, label, labels, topk, ks=ks, radii=(RADIUS,), exclude_self=itself)


def _constant(queries: np.ndarray, database: Database) -> tuple[np.ndarray, np.ndarray]:
    """Codes that tell nothing apart: in expectation over the orders of equals, what they find is found by chance."""
    others = queries if database.vectors is None else database.vectors
    return np.ones((len(queries), 1), dtype=np.int8), np.ones((len(others), 1), dtype=np.int8)
