"""What a run knows of classes: pictures found by pictures, and the classes that are predicted."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from kith.evaluation.catalogue import IMAGES
from kith.evaluation.chance import hierarchical_chance
from kith.evaluation.gallery import GallerySide
from kith.evaluation.results import FIRST, HITS, QueryMetrics, SearchResult
from kith.metrics.classification import classification_metrics, hierarchical_distances
from kith.metrics.hierarchical import hierarchical_retrieval
from kith.metrics.ordering import first_hits
from kith.similarity import top_candidates


class KnownClasses(NamedTuple):
    """labels: (n_items,) class numbers, −1 unknown; similarity: {"lcsh", "wup"} of the classes, (classes, classes)
    float64; scores: how classes are predicted → (n_pictures, classes), for the pictures that were embedded, whose items
    are `items`, ascending; sets: where items have several labels each, and `labels` are unknown, (n_items, classes)
    bool."""

    labels: np.ndarray
    similarity: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    items: np.ndarray
    sets: np.ndarray | None = None

    def with_labels(self, images: GallerySide) -> tuple[GallerySide, np.ndarray]:
        """The pictures of a known class, or with any label, and their class numbers (n,), or sets (n, classes)."""
        if self.sets is None:
            return self.those_of(images)
        chosen = images[self.sets[images.items].any(axis=1)]
        return chosen, self.sets[chosen.items]

    def those_of(self, images: GallerySide) -> tuple[GallerySide, np.ndarray]:
        """The pictures of a known class, and their class numbers."""
        chosen = images[self.labels[images.items] >= 0]
        return chosen, self.labels[chosen.items]


def search_classes(images: GallerySide, known: KnownClasses, ks: Sequence[int], clip: int) -> SearchResult | None:
    """Pictures with a known class, searched by each other: nothing where there are fewer than three.

    ks: cutoffs of HP@k, of which those beyond the other pictures are left out; clip: that of AHP@k, where all count if
    there are fewer.

    >>> vectors, rows = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]]), np.arange(4)
    >>> known = KnownClasses(np.array([0, 0, 1, 1]), {"lcsh": np.eye(2), "wup": np.eye(2)}, {}, rows)
    >>> found = search_classes(GallerySide(vectors, rows, rows, 0 * rows), known, ks=[1], clip=250)
    >>> found.values["AHP@250"].shape, found.values["mrr"].tolist(), found.table["rank"].tolist()
    ((4,), [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])
    """
    chosen, label = known.those_of(images)
    if len(label) < 3:
        return None
    ks = [k for k in ks if k < len(label)]
    last = min(clip, len(label) - 1)
    found = hierarchical_retrieval(chosen.vectors, label, known.similarity, ks, last)
    first = first_hits(chosen.vectors, label)
    values = {"mrr": first.reciprocal, "map": found.pop("AP")}
    values |= {_key(name, last, clip): each for name, each in found.items()}
    levels = hierarchical_chance(label, known.similarity, ks, last)
    best, similarities = top_candidates(chosen.vectors, chosen.vectors, HITS + 1)
    others = [row != own for own, row in enumerate(best)]
    table = pd.DataFrame({"direction": IMAGES, "row": chosen.items, "text": 0, "rank": first.rank})
    table["reciprocal_rank"], table["average_precision"] = values["mrr"], values["map"]
    table["ahp"], table[FIRST] = values[f"AHP@{clip}"], np.nan
    table["hits"] = [chosen.items[row[other][:HITS]] for row, other in zip(best, others, strict=True)]
    table["similarities"] = [row[other][:HITS] for row, other in zip(similarities, others, strict=True)]
    chance = {_key(name, last, clip): level for name, level in levels.items()}
    return SearchResult(values, chosen.groups, chance, {}, len(label), table)


def _key(name: str, last: int, clip: int) -> str:
    """HP@1_lcsh → HP@1; those under Wu and Palmer's similarity keep their _wup. AHP@<last> has the cutoff asked for."""
    return name.removesuffix("_lcsh").replace(f"AHP@{last}", f"AHP@{clip}")


def predictions(images: GallerySide, known: KnownClasses, top_k: int = 5) -> list[QueryMetrics]:
    """For each way by which classes are predicted: its metrics, in percent, of each picture whose class is known.
    top_k: how many of the likeliest classes may hold the true one.

    >>> scores, rows = np.array([[0.9, 0.1], [0.7, 0.3]]), np.arange(2)
    >>> known = KnownClasses(np.array([0, 1]), {"lcsh": np.eye(2)}, {"classifier": scores}, rows)
    >>> (found,) = predictions(GallerySide(np.eye(2), rows, rows, 0 * rows), known)
    >>> found.values["classifier/accuracy"].tolist()
    [100.0, 0.0]
    """
    chosen, label = known.those_of(images)
    if not len(label):
        return []
    rows = np.searchsorted(known.items, chosen.items)
    found = []
    for way, scores in known.scores.items():
        measured = classification_metrics(scores[rows], label, known.similarity["lcsh"], top_k)
        measured |= hierarchical_distances(scores[rows], label, known.similarity["lcsh"])
        values = {f"{way}/{name}": 100 * each for name, each in measured.items()}
        found.append(QueryMetrics(values, chosen.groups))
    return found
