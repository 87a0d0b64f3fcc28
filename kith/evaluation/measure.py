"""Everything that is measured of one split: its gallery searched, with chance levels and bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.evaluation import gallery as galleries
from kith.evaluation.catalogue import DIRECTIONS, FOLDS, IMAGES, SHARED
from kith.evaluation.chance import chance_level
from kith.evaluation.classes import KnownClasses, predictions, search_classes
from kith.evaluation.codes import ClassDatabase, search_database
from kith.evaluation.estimates import MetricEstimate, estimate, interval
from kith.evaluation.folds import in_folds
from kith.evaluation.gallery import Gallery
from kith.evaluation.judged import Judged, by_judgements
from kith.evaluation.metric_learning import search_themselves
from kith.evaluation.results import DECIMALS, FIRST, HITS, QueryMetrics, SearchResult
from kith.evaluation.shared import label_predictions, search_shared
from kith.evaluation.statistics import Resamples
from kith.evaluation.taxonomic import in_taxonomy
from kith.metrics.pairs import distance_summary
from kith.similarity import top_candidates

BOTH = ("mrr", "R@1", "R@10")  # also reported as the mean of the two directions
SUMMED = ("R@1", "R@5", "R@10")  # of both directions: RSUM


@dataclass(frozen=True)
class MeasureOptions:
    """What is measured, and how.

    ks: cutoffs of recall; nway: candidates of N-way accuracy; neighborhood: how many neighbours are to be kept; ties:
    see `cross_modal_retrieval`; clip, precision_ks: cutoffs of AHP and HP; top_k: among how many of the likeliest
    classes the true one may be; knn, hamming_topk: see `search_database`; metric_learning: also measure as
    metric-learning papers do; folds: see `in_folds`; bootstrap, confidence, seed: draws of the intervals, how much of
    them these hold, and the seed of all that is drawn.
    """

    ks: tuple[int, ...]
    nway: tuple[int, ...]
    neighborhood: int
    ties: str
    clip: int
    precision_ks: tuple[int, ...]
    top_k: int
    knn: int
    hamming_topk: int | None
    metric_learning: bool
    folds: int | None
    bootstrap: int
    confidence: float
    seed: int


def measure(
    gallery: Gallery,
    known: KnownClasses,
    database: ClassDatabase,
    options: MeasureOptions,
    judged: Judged | None = None,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The split's entry of metrics.json, and its rows of queries.parquet (without split and group).

    Raises KithError where there is nothing to search: neither texts nor known classes.

    >>> rows = np.arange(4)
    >>> side = galleries.GallerySide(np.eye(4), rows, rows, 0 * rows)
    >>> unknown = KnownClasses(np.full(4, -1), {}, {}, rows)
    >>> options = MeasureOptions((1,), (2,), 1, "mean", 250, (1,), 5, 10, None, False, None, 10, confidence=0.9, seed=0)
    >>> entry, queries = measure(Gallery(side, side, np.eye(4)), unknown, ClassDatabase(coded=False), options)
    >>> entry["metrics"]["mean/mrr"], len(queries)
    ({'value': 1.0, 'low': 1.0, 'high': 1.0}, 8)
    """
    searches = _search_all(gallery, known, options)
    coded = search_database(gallery.images, known, database, options.precision_ks, options.knn, options.hamming_topk)
    predicted = predictions(gallery.images, known, options.top_k) + label_predictions(gallery.images, known)
    others = [*_neighborhoods(gallery, options.neighborhood), *predicted, coded]
    others += in_taxonomy(gallery, known, database, options.precision_ks, options.clip)
    others += in_folds(gallery, options.folds, options.ties, options.ks)
    others += by_judgements(gallery, judged, options.ties, options.ks)
    if options.metric_learning:
        others.append(search_themselves(gallery.images, known, options.seed))
    estimates = _estimate_all(gallery, searches, others, options)
    entry = {
        "queries": {direction: len(found.table) for direction, found in searches.items()},
        "candidates": {direction: found.candidates for direction, found in searches.items()},
        "hits": {f"{direction}/{name}": n for direction, found in searches.items() for name, n in found.hits.items()},
        "without_meaning": gallery.without_semantic_vector(),
        "metrics": {name: interval(each, options.confidence) for name, each in estimates.items()},
        "chance": {name: round(level, DECIMALS) for name, level in _chance_levels(searches, others).items()},
    }
    if coded.by_radius:
        entry["by_radius"] = coded.by_radius
    return entry, _queries(searches, coded)


def _search_all(gallery: Gallery, known: KnownClasses, options: MeasureOptions) -> dict[str, SearchResult]:
    """Direction → what was found: texts and pictures by each other, and pictures by pictures, as far as there are any.

    Raises KithError where there are none.
    """
    searches = {}
    if len(gallery.texts.items):
        searches = {d: search(gallery, d, options.ties, options.ks, options.nway) for d in DIRECTIONS}
    if by_class := search_classes(gallery.images, known, options.precision_ks, options.clip):
        searches[IMAGES] = by_class
    if by_labels := search_shared(gallery.images, known, options.precision_ks):
        searches[SHARED] = by_labels
    if not searches:
        raise KithError("a method without texts is measured by classes, and no item of this split has a known label")
    return searches


def search(gallery: Gallery, direction: str, ties: str, ks: Sequence[int], nway: Sequence[int]) -> SearchResult:
    """Search one side of the gallery with the other: ranks, N-way accuracies, and the best candidates.

    >>> rows = np.arange(3)
    >>> side = galleries.GallerySide(np.eye(3), rows, rows, 0 * rows)
    >>> found = search(Gallery(side, side, np.eye(3)), "text_to_image", ties="mean", ks=[1], nway=[2])
    >>> found.values["R@1"].tolist(), found.values["random_2way"].tolist(), found.candidates
    ([100.0, 100.0, 100.0], [100.0, 100.0, 100.0], 3)
    """
    queries, candidates = gallery.sides(direction)
    found = galleries.retrieval(queries, candidates, ties, ks)
    ranks = found["ranks"]
    values = {f"R@{k}": 100.0 * found[f"found@{k}"] for k in ks}
    values |= {"median_rank": ranks, "mean_rank": ranks}
    values |= {"mrr": found["reciprocal_ranks"], "map": found["average_precision"]}
    chance = chance_level(found["relevant"], len(candidates.items), ks)
    for name, ways in (("random", galleries.random_ways), ("hard", galleries.hard_ways)):
        accuracy = ways(gallery, direction, nway)
        values |= {f"{name}_{n}way": 100 * share for n, share in accuracy.items()}
        chance |= {f"{name}_{n}way": 100 / n for n in accuracy}
    best, similarities = top_candidates(queries.vectors, candidates.vectors, HITS)
    table = pd.DataFrame({"direction": direction, "row": queries.items, "text": queries.places, "rank": ranks})
    table["reciprocal_rank"], table["average_precision"], table["ahp"] = values["mrr"], values["map"], np.nan
    table[FIRST] = found["first"]
    table["hits"], table["similarities"] = list(candidates.items[best]), list(similarities)
    hits = {f"hits@{k}": found[f"hits@{k}"] for k in ks}
    return SearchResult(values, queries.groups, chance, hits, len(candidates.items), table)


def _neighborhoods(gallery: Gallery, k: int) -> list[QueryMetrics]:
    """Recall and nDCG of the k nearest in meaning, of each picture and of each item's texts."""
    return [
        QueryMetrics({f"neighborhood/{side}_{name}@{k}": each for name, each in quality.items()}, groups)
        for side, (quality, groups) in galleries.neighborhoods(gallery, k).items()
    ]


def _estimate_all(
    gallery: Gallery, searches: dict[str, SearchResult], others: list[QueryMetrics], options: MeasureOptions
) -> dict[str, MetricEstimate]:
    """Every metric by its full name. All are resampled with the same draws of groups."""
    groups = np.unique(np.concatenate([gallery.images.groups, gallery.texts.groups]))
    resamples = Resamples(len(groups), options.bootstrap, options.seed)
    estimates: dict[str, MetricEstimate] = {}
    for direction, found in searches.items():
        measured = estimate(found.values, np.searchsorted(groups, found.groups), resamples)
        estimates |= {f"{direction}/{name}": each for name, each in measured.items()}
    for name, a, b in _both(estimates):
        estimates[name] = MetricEstimate((a.value + b.value) / 2, (a.drawn + b.drawn) / 2)
    estimates |= _distances(gallery, groups, resamples)
    for each in others:
        estimates |= estimate(each.values, np.searchsorted(groups, each.groups), resamples)
        estimates |= {name: MetricEstimate(value, np.empty(0)) for name, value in each.together.items()}
    for name, parts in _summed(estimates).items():
        estimates[name] = MetricEstimate(sum(each.value for each in parts), sum(each.drawn for each in parts))
    return estimates


def _chance_levels(searches: dict[str, SearchResult], others: list[QueryMetrics]) -> dict[str, float]:
    """What chance gives, for the metrics for which that is known."""
    chance = {f"{direction}/{name}": x for direction, found in searches.items() for name, x in found.chance.items()}
    chance |= {name: (a + b) / 2 for name, a, b in _both(chance)}
    for each in others:
        chance |= each.chance
    return chance | {name: sum(parts) for name, parts in _summed(chance).items()}


def _both(known: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Name, and what is known of both directions, of each metric that is also reported as their mean."""
    there, back = DIRECTIONS
    return [(f"mean/{n}", known[f"{there}/{n}"], known[f"{back}/{n}"]) for n in BOTH if f"{there}/{n}" in known]


def _summed(known: dict[str, Any]) -> dict[str, list[Any]]:
    """What is known of each part of RSUM, of all candidates and in folds, by its name, where no part is missing."""
    names = {f"mean{end}/rsum": [f"{d}{end}/{name}" for d in DIRECTIONS for name in SUMMED] for end in ("", FOLDS)}
    return {name: [known[part] for part in parts] for name, parts in names.items() if set(parts) <= set(known)}


def _distances(gallery: Gallery, groups: np.ndarray, resamples: Resamples) -> dict[str, MetricEstimate]:
    """How far texts are from their own pictures. The extremes have no interval: no draw goes beyond them."""
    of_pairs, pair_groups = galleries.distances(gallery)
    if not len(of_pairs):
        return {}
    clusters = np.searchsorted(groups, pair_groups)
    drawn = {
        "mean_distance": resamples.means(of_pairs, clusters),
        "median_distance": resamples.medians(of_pairs, clusters),
    }
    summary = distance_summary(of_pairs)
    return {f"pairs/{name}": MetricEstimate(value, drawn.get(name, np.empty(0))) for name, value in summary.items()}


def _queries(searches: dict[str, SearchResult], coded: QueryMetrics) -> pd.DataFrame:
    """The rows of all directions; pictures that look for pictures also have what their codes find."""
    tables = {direction: found.table.assign(hamming_ap=np.nan) for direction, found in searches.items()}
    for direction in tables.keys() & {IMAGES, SHARED} if "hamming/map" in coded.values else ():
        tables[direction]["hamming_ap"] = coded.values["hamming/map"]
    return pd.concat(tables.values(), ignore_index=True)
