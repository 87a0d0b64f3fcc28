"""Pictures with several labels each: what they find that shares a label with them, and the more, the better."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kith.evaluation.catalogue import IMAGES
from kith.evaluation.classes import KnownClasses
from kith.evaluation.gallery import GallerySide
from kith.evaluation.results import FIRST, HITS, QueryMetrics, SearchResult
from kith.metrics.label_sets import class_precision, shared_by_chance, shared_hamming, shared_retrieval
from kith.similarity import top_candidates

GRADED = ("WAP", "ACG", "NDCG")  # what counts how many labels are shared


def search_shared(images: GallerySide, known: KnownClasses, ks: Sequence[int]) -> SearchResult | None:
    """The pictures with labels, searched by each other; nothing where none of two pictures share one.

    ks: cutoffs, of which those beyond the other pictures are left out.

    >>> vectors, rows = np.array([[1, 0], [1, 0.1], [0, 1]]), np.arange(3)
    >>> sets = np.array([[1, 1], [1, 0], [0, 1]], dtype=bool)
    >>> known = KnownClasses(np.full(3, -1), {}, {}, rows, sets)
    >>> found = search_shared(GallerySide(vectors, rows, rows, 0 * rows), known, ks=[1])
    >>> found.values["map"].tolist(), found.values["ACG@1"].tolist(), found.table["rank"].tolist()
    ([1.0, 1.0, 0.5], [1.0, 1.0, 0.0], [1.0, 1.0, 2.0])
    """
    if known.sets is None:
        return None
    chosen, sets = known.with_labels(images)
    if len(sets) < 2:
        return None
    ks = [k for k in ks if k < len(sets)]
    values = shared_retrieval(chosen.vectors, sets, ks=ks)
    rank = values.pop("rank")
    if np.isnan(rank).all():
        return None
    best, similarities = top_candidates(chosen.vectors, chosen.vectors, HITS + 1)
    others = [row != own for own, row in enumerate(best)]
    table = pd.DataFrame({"direction": IMAGES, "row": chosen.items, "text": 0, "rank": rank})
    table["reciprocal_rank"], table["average_precision"], table["ahp"] = values["mrr"], values["map"], np.nan
    table[FIRST] = np.nan
    table["hits"] = [chosen.items[row[other][:HITS]] for row, other in zip(best, others, strict=True)]
    table["similarities"] = [row[other][:HITS] for row, other in zip(similarities, others, strict=True)]
    chance = _without(shared_by_chance(sets, ks=ks), "rank")
    percent = {name: 100 * each for name, each in values.items() if name.startswith("R@")}
    chance |= {name: 100 * chance[name] for name in percent}
    return SearchResult(values | percent, chosen.groups, chance, {}, len(sets), table)


def shared_in_database(
    chosen: GallerySide, sets: np.ndarray, vectors: np.ndarray | None, others: np.ndarray | None, ks: Sequence[int]
) -> QueryMetrics:
    """Pictures with the labels `sets` (n, classes) look by cosine in a database (m, d) with the labels (m, classes);
    nothing without one. ks: cutoffs, of which those beyond the database are left out.

    >>> side = GallerySide(np.eye(2), np.arange(2), np.arange(2), np.zeros(2, dtype=int))
    >>> found = shared_in_database(side, np.eye(2, dtype=bool), np.eye(2), np.eye(2, dtype=bool), ks=[1])
    >>> found.values["database/map"].tolist(), found.chance["database/NDCG@1"]
    ([1.0, 1.0], 0.5)
    """
    if vectors is None or others is None:
        return QueryMetrics({}, chosen.groups)
    ks = [k for k in ks if k <= len(others)]
    values = shared_retrieval(chosen.vectors, sets, vectors, others, ks)
    level = shared_by_chance(sets, others, ks)
    kept = [name for name in values if name.partition("@")[0] in ("map", "precision", *GRADED)]
    chance = {f"database/{name}": level[name] for name in kept if name in level}
    return QueryMetrics({f"database/{name}": values[name] for name in kept}, chosen.groups, chance)


def graded_codes(
    codes: np.ndarray, others: np.ndarray, sets: np.ndarray, of_others: np.ndarray | None, ks: Sequence[int]
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """WAP, ACG@k and NDCG@k of codes that look for others, and their levels by chance; of_others: None where queries
    look among each other.

    >>> codes = np.array([[1, 1], [1, 1], [-1, -1]])
    >>> sets = np.array([[1, 1], [1, 1], [0, 1]], dtype=bool)
    >>> graded_codes(codes, codes, sets, None, ks=[1])[0]["ACG@1"].tolist()
    [2.0, 2.0, 1.0]
    """
    itself = of_others is None
    values = shared_hamming(codes, others, sets, sets if of_others is None else of_others, ks, exclude_self=itself)
    level = shared_by_chance(sets, of_others, ks)
    kept = [name for name in values if name.partition("@")[0] in GRADED]
    return {name: values[name] for name in kept}, {name: level[name] for name in kept if name in level}


def label_predictions(images: GallerySide, known: KnownClasses) -> list[QueryMetrics]:
    """Of each way by which labels are predicted: the mean over the labels of the average precision of the pictures by
    their score, as they are measured in multi-label classification. Labels that no picture has are left out.

    >>> rows, sets = np.arange(2), np.array([[1, 0], [0, 0]], dtype=bool)
    >>> known = KnownClasses(np.full(2, -1), {}, {"classifier": np.array([[0.9, 0.2], [0.8, 0.1]])}, rows, sets)
    >>> label_predictions(GallerySide(np.eye(2), rows, rows, 0 * rows), known)[0].together
    {'classifier/label_map': 1.0}
    """
    if known.sets is None:
        return []
    rows, sets = np.searchsorted(known.items, images.items), known.sets[images.items]
    found = {way: class_precision(scores[rows], sets) for way, scores in known.scores.items()} if sets.any() else {}
    return [
        QueryMetrics({}, images.groups, together={f"{way}/label_map": float(np.nanmean(each))})
        for way, each in found.items()
    ]


def _without(values: Mapping[str, float], name: str) -> dict[str, float]:
    return {each: value for each, value in values.items() if each != name}
