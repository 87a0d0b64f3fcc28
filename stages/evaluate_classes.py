"""What a run knows of classes: pictures found by pictures, and the classes that are predicted."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.evaluation.chance import hierarchical_chance
from kith.evaluation.gallery import IMAGES, Side
from kith.metrics.classification import classification_metrics, svm_scores
from kith.metrics.hierarchical import hierarchical_retrieval
from kith.metrics.ordering import first_hit_ranks
from kith.similarity import top_candidates
from stages import contract, params

HITS = 5  # best candidates kept of each query


class Search(NamedTuple):
    """One direction: every figure per query, chance levels, numbers of hits and candidates, the table of queries."""

    values: dict[str, np.ndarray]
    chance: dict[str, float]
    hits: dict[str, int]
    candidates: int
    table: pd.DataFrame


class KnownClasses(NamedTuple):
    """labels: (n_items,) class numbers, −1 unknown; similarity: {"lcsh", "wup"} of the classes; scores: how classes are
    predicted → (n_pictures, classes), for the pictures that were embedded, whose items are `items`."""

    labels: np.ndarray
    similarity: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    items: np.ndarray

    def those_of(self, images: Side) -> tuple[Side, np.ndarray]:
        """The pictures of a known class, and their class numbers."""
        chosen = images[self.labels[images.items] >= 0]
        return chosen, self.labels[chosen.items]


def read(
    items: pd.DataFrame, taxonomy: Path, images: Path, rows: Path, scores: Path, options: params.Evaluate
) -> KnownClasses:
    """Labels of all items, and what the run predicts. Raises KithError where scores and pictures do not match."""
    labels = contract.class_numbers(items, contract.classes(taxonomy))
    with np.load(rows) as embedded, np.load(scores) as arrays:
        embedded_items, predicted = embedded["image_rows"], dict(arrays)
    for name, values in predicted.items():
        if len(values) != len(embedded_items):
            raise KithError(f"{scores} ({name}: {len(values)} rows) and {rows} do not match; embed again")
    if options.svm:
        predicted["svm"] = _svm(np.load(images), embedded_items, items, labels, options.seed)
    similarity = {measure: contract.similarity(taxonomy, measure) for measure in ("lcsh", "wup")}
    return KnownClasses(labels, similarity, predicted, embedded_items)


def _svm(vectors: np.ndarray, embedded: np.ndarray, items: pd.DataFrame, labels: np.ndarray, seed: int) -> np.ndarray:
    train = (items["split"].to_numpy()[embedded] == "train") & (labels[embedded] >= 0)
    if not train.any():
        raise KithError("params.yaml: evaluate.svm needs the training pictures: name train in embed.splits")
    return svm_scores(vectors[train], labels[embedded][train], vectors, int(labels.max()) + 1, seed=seed)


def searches(images: Side, known: KnownClasses, options: params.Evaluate) -> dict[str, tuple[Search, np.ndarray]]:
    """Pictures with a known class, searched by each other; nothing where there are fewer than three."""
    chosen, label = known.those_of(images)
    if len(label) < 3:
        return {}
    ks = [k for k in options.precision_ks if k < len(label)]
    clip = min(options.clip, len(label) - 1)  # of fewer answers, all count
    found = hierarchical_retrieval(chosen.vectors, label, known.similarity, ks, clip)
    ranks = first_hit_ranks(chosen.vectors, label)
    values = {"mrr": 1 / ranks, "map": found.pop("AP")} | {
        _name(name, clip, options.clip): each for name, each in found.items()
    }
    levels = hierarchical_chance(label, known.similarity, ks, clip)
    best, similarities = top_candidates(chosen.vectors, chosen.vectors, HITS + 1)
    hits = [row[row != own][:HITS] for own, row in enumerate(best)]
    table = pd.DataFrame({"direction": IMAGES, "row": chosen.items, "text": 0, "rank": ranks})
    table["reciprocal_rank"], table["average_precision"] = values["mrr"], values["map"]
    table["ahp"] = values[f"AHP@{options.clip}"]
    table["hits"] = [chosen.items[row] for row in hits]
    table["similarities"] = [s[b != own][:HITS] for own, (b, s) in enumerate(zip(best, similarities, strict=True))]
    chance = {_name(name, clip, options.clip): level for name, level in levels.items()}
    return {IMAGES: (Search(values, chance, {}, len(label), table), chosen.groups)}


def _name(figure: str, clip: int, wanted: int) -> str:
    """HP@1_lcsh → HP@1; those under Wu and Palmer's similarity keep their _wup. AHP@<clip> has the name asked for."""
    return figure.removesuffix("_lcsh").replace(f"AHP@{clip}", f"AHP@{wanted}")


def predictions(images: Side, known: KnownClasses) -> dict[str, tuple[dict[str, np.ndarray], np.ndarray]]:
    """How classes are predicted → quality of each picture whose class is known, and the groups of these."""
    chosen, label = known.those_of(images)
    rows = np.searchsorted(known.items, chosen.items)
    found = {}
    for name, scores in known.scores.items():
        if len(label):
            figures = classification_metrics(scores[rows], label, known.similarity["lcsh"])
            found[name] = {figure: 100 * values for figure, values in figures.items()}, chosen.groups
    return found
