"""What sets of vectors are measured by: the classes of what they find, the pairs that belong together, their codes.

All numbers come from `kith.metrics`; their names are those of `kith.evaluation.catalogue`.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from kith.errors import KithError, listed
from kith.evaluation.codes import RADIUS
from kith.evaluation.metric_learning import KS
from kith.metrics.cross_modal import cross_modal_retrieval
from kith.metrics.hashing import hamming_retrieval
from kith.metrics.hierarchical import hierarchical_retrieval
from kith.metrics.metric_learning import database_precision, knn_predictions, self_retrieval
from kith.metrics.relevance import same_group
from kith.metrics.taxonomic import taxonomic_search
from kith.taxonomy import Taxonomy
from kith.vectors.sets import VectorSet

Similarity = Literal["cosine", "euclidean", "dot"]
HIERARCHICAL, RECALL, LONGEST, VOTES = (1, 10, 50, 100), (1, 5, 10, 25), 100, 10


class Measured(NamedTuple):
    """queries, candidates: how many ask, and among how many each finds. values: metrics by their names. curve: of HP@k
    or R@k (percent) for k = 1, 2, …, or None."""

    queries: int
    candidates: int
    values: dict[str, float]
    curve: np.ndarray | None = None


def by_class(
    vectors: VectorSet,
    labels: np.ndarray,
    taxonomy: Taxonomy | None = None,
    *,
    ks: Sequence[int] = (),
    clip: int = 250,
    normalize: bool = True,
) -> Measured:
    """Every vector of a known class looks for others of its class among all others.

    labels: (n,) str, empty for an unknown class. taxonomy: also measure how near the classes are. ks: cutoffs, by
    default those of each metric; those beyond the other vectors are left out. clip: that of AHP@k. normalize: by
    cosine, else by Euclidean distance. Raises KithError where no two vectors share a class.

    >>> pair = VectorSet("a.npz", np.array([[1, 0], [1, 0.1], [0, 1.0]]), False)
    >>> by_class(pair, np.array(["cat", "cat", "dog"])).values["metric_learning/r_precision"]
    1.0
    """
    known = labels != ""
    names, number = _numbered(vectors, labels[known])
    asked = vectors.comparable[known]
    n = len(asked)
    last = min(clip, n - 1)
    values: dict[str, float] = {}
    cutoffs = [k for k in ks or HIERARCHICAL if k < n] if taxonomy else []
    tables = {each: taxonomy.similarity(names, each) for each in ("lcsh", "wup")} if taxonomy else np.eye(len(names))
    found = hierarchical_retrieval(asked, number, tables, cutoffs, last, normalize, curve=taxonomy is not None)
    values["image_to_image/map"] = float(found.pop("AP").mean())
    if taxonomy is not None:
        hierarchical = {key: each for key, each in found.items() if key.startswith(("HP", "AHP"))}
        values |= {_name(key, last, clip): float(each.mean()) for key, each in hierarchical.items()}
    learned = self_retrieval(asked, number, [k for k in ks or KS if k < n], normalize)
    values |= {_learned(key): float(np.nanmean(each)) * _scale(key) for key, each in learned.items()}
    if vectors.coded:
        codes = vectors.vectors[known]
        values |= _hamming(codes, codes, number, number, ks, itself=True)
    return Measured(n, n - 1, values, found.get("curve_lcsh"))


def by_class_in(
    queries: VectorSet, labels: np.ndarray, database: VectorSet, known: np.ndarray, *, ks: Sequence[int] = ()
) -> Measured:
    """Queries look for their class in a database, by cosine and, where both are codes, by Hamming distance.

    labels (n,), known (m,): str, empty for an unknown class, whose vectors are left out. Raises KithError where the
    database lacks the class of every query, and where it has the queries themselves, which would be found first.

    >>> one = VectorSet("q.npz", np.array([[1.0, 0]]), False), np.array(["cat"])
    >>> two = VectorSet("d.npz", np.array([[1.0, 0], [0, 1]]), False), np.array(["cat", "dog"])
    >>> by_class_in(*one, *two).values["database/map"]
    1.0
    """
    same_dimensions(queries, database)
    apart(queries, database)
    queries, database = queries[labels != ""], database[known != ""]
    labels, known = labels[labels != ""], known[known != ""]
    asked, others = queries.comparable, database.comparable
    if not np.isin(labels, known).any():
        raise KithError(f"{queries.name}: no label of it is among those of {database.name}")
    number = np.unique(np.concatenate([labels, known]), return_inverse=True)[1]
    of_queries, of_database = number[: len(labels)], number[len(labels) :]
    predicted = knn_predictions(others, of_database, min(VOTES, len(known)), asked)
    values = {"database/map": float(np.nanmean(database_precision(asked, of_queries, others, of_database)))}
    values["database/knn_accuracy"] = 100 * float(np.mean(predicted == of_queries))
    if queries.coded:
        values |= _hamming(queries.vectors, database.vectors, of_queries, of_database, ks, itself=False)
    return Measured(len(labels), len(known), values)


def by_pairs(queries: VectorSet, candidates: VectorSet, *, ks: Sequence[int] = ()) -> Measured:
    """At which rank each query finds the first candidate that belongs to it, by cosine: one of its group, or, where the
    two have no groups, of its id.

    Raises KithError for sets without ids, and for a query that no candidate belongs to.

    >>> texts = VectorSet("t.npz", np.eye(2), False, ids=np.array(["x", "y"]))
    >>> by_pairs(texts, texts).values["text_to_image/R@1"]
    100.0
    """
    same_dimensions(queries, candidates)
    grouped = queries.groups is not None and candidates.groups is not None
    asked, found = (_keys(each, grouped) for each in (queries, candidates))
    alone = np.flatnonzero(~np.isin(asked, found))
    if len(alone):
        kind = "group" if grouped else "id"
        said = f"no row of {candidates.name} has its {kind} '{asked[alone[0]]}' ({len(alone)} such rows)"
        raise KithError(f"{queries.place(alone[0])}: {said}; leave such queries out, or add their candidates")
    number = np.unique(np.concatenate([asked, found]), return_inverse=True)[1]
    relevance = same_group(number[: len(asked)], number[len(asked) :])
    every = range(1, min(LONGEST, len(candidates)) + 1)
    wanted = [k for k in ks or RECALL if k <= len(candidates)]
    told = cross_modal_retrieval(queries.comparable, candidates.comparable, relevance, ks=sorted({*every, *wanted}))
    names = [*(f"R@{k}" for k in wanted), "median_rank", "mean_rank", "mrr", "map"]
    values = {f"text_to_image/{name}": told[name] for name in names}
    return Measured(len(asked), len(found), values, np.array([told[f"R@{k}"] for k in every]))


def with_partners(queries: VectorSet, candidates: VectorSet) -> VectorSet:
    """The queries without those whose partner is a row that was left out of the candidates, by its id, where no other
    candidate is of their group.

    >>> texts = VectorSet("t.npz", np.eye(2), False, ids=np.array(["x", "y"]))
    >>> with_partners(texts, VectorSet("p.npz", np.eye(1, 2), False, ids=np.array(["x"]), left_out=("y",))).ids.tolist()
    ['x']
    """
    if queries.ids is None or candidates.ids is None or not candidates.left_out:
        return queries
    lost = np.isin(queries.ids, candidates.left_out) & ~np.isin(queries.ids, candidates.ids)
    if queries.groups is not None and candidates.groups is not None:
        lost &= ~np.isin(queries.groups, candidates.groups)
    if lost.all():
        raise KithError(f"{queries.name}: no query has a vector in {candidates.name}; nothing to measure")
    return queries[~lost]


def in_taxonomy(
    queries: VectorSet,
    labels: np.ndarray,
    candidates: VectorSet,
    known: np.ndarray,
    taxonomy: Taxonomy,
    *,
    family: str,
    ks: Sequence[int] = (),
    clip: int = 250,
) -> dict[str, float]:
    """How near in the taxonomy what queries find is to their own class, by cosine, as a study measures texts that find
    pictures; names begin with `family`: text_to_image, or database.

    labels (n,), known (m,): str, empty for an unknown class, whose vectors are left out. ks, clip: see `by_class`.
    Raises KithError where no query, or no candidate, has a class.

    >>> tree = Taxonomy.from_edges([("thing", "cat"), ("thing", "dog")])
    >>> rows = VectorSet("a.npz", np.eye(2), False)
    >>> found = in_taxonomy(rows, np.array(["cat", "dog"]), rows, np.array(["cat", "dog"]), tree, family="database")
    >>> found["database_taxonomy/AHP@250"]  # all that is found is as near as it can be: (2 − 1) / 2
    0.5
    """
    asked, others = queries.comparable[labels != ""], candidates.comparable[known != ""]
    labels, known = labels[labels != ""], known[known != ""]
    for name, left in ((queries.name, labels), (candidates.name, known)):
        if not len(left):
            raise KithError(f"{name}: no vector has a label; leave --taxonomy out, or give labels")
    names, number = np.unique(np.concatenate([labels, known]), return_inverse=True)
    table, last = taxonomy.similarity(names.tolist(), "lcsh"), min(clip, len(known))
    cutoffs = [k for k in ks or HIERARCHICAL if k <= len(known)]
    found = taxonomic_search(asked, others, number[: len(labels)], number[len(labels) :], table, cutoffs, last)
    means = {key: float(np.nanmean(each)) for key, each in found.items() if np.isfinite(each).any()}
    return {f"{family}_taxonomy/{key.replace(f'AHP@{last}', f'AHP@{clip}')}": value for key, value in means.items()}


def same_dimensions(queries: VectorSet, candidates: VectorSet) -> None:
    """Raises KithError that names both files unless their vectors are as long, and both are codes or none is."""
    first, second = queries.vectors.shape[1], candidates.vectors.shape[1]
    if first != second:
        raise KithError(f"{queries.name} has vectors of {first} numbers, {candidates.name} of {second}: not one space")
    if queries.coded != candidates.coded:
        codes, others = (queries, candidates) if queries.coded else (candidates, queries)
        raise KithError(f"{codes.name} has binary codes, {others.name} has none; say --binary where both are codes")


def apart(queries: VectorSet, database: VectorSet) -> None:
    """Raises KithError where the database has the queries themselves, by their ids."""
    if queries.ids is None or database.ids is None:
        both = ["rows of the same file"] if queries.name == database.name else []
    else:
        both = sorted(set(queries.ids.tolist()) & set(database.ids.tolist()) - {""})
    if both:
        said = f"{database.name}: has {listed(both)} of {queries.name} too: queries would find themselves"
        raise KithError(f"{said}; leave them out, or leave --queries out, and each looks among all others")


def same_items(sets: Sequence[VectorSet]) -> None:
    """Raises KithError that names both files unless all sets are of the same items: else no number of one compares with
    that of another."""
    first = sets[0]
    for other in sets[1:]:
        if first.ids is None or other.ids is None:
            if len(first) != len(other):
                said = f"{first.name} has {len(first)} vectors, {other.name} {len(other)}"
                raise KithError(f"{said}: sets of different items cannot be compared; measure each by itself")
        elif alone := sorted(set(first.ids.tolist()) ^ set(other.ids.tolist())):
            said = f"{first.name} and {other.name} are not of the same items: {listed(alone)} in one alone"
            raise KithError(f"{said}; leave them out, or measure each by itself")


def same_labels(told: Sequence[tuple[VectorSet, np.ndarray]]) -> None:
    """Raises KithError unless sets of the same items have the same labels: by id, or without ids as many of each.

    told: each set and its (n,) labels.
    """
    (first, of_first), *others = told
    for other, of_other in others:
        if first.ids is None or other.ids is None:
            same = sorted(of_first.tolist()) == sorted(of_other.tolist())
        else:
            same = set(zip(first.ids.tolist(), of_first.tolist(), strict=True)) == set(
                zip(other.ids.tolist(), of_other.tolist(), strict=True)
            )
        if not same:
            said = f"{first.name} and {other.name} have other labels for the same items"
            raise KithError(f"{said}; give one table of labels for all with --classes, or measure each by itself")


def _keys(vectors: VectorSet, grouped: bool) -> np.ndarray:
    keys = vectors.groups if grouped else vectors.ids
    why = "by which queries and candidates belong together"
    if keys is None:
        raise KithError(f"{vectors.name}: has no ids, {why}; give an .npz file with ids, or a Parquet table")
    if len(empty := np.flatnonzero(keys == "")):
        kind = "group" if grouped else "id"
        said = f"has no {kind}, {why} ({len(empty)} such rows)"
        raise KithError(f"{vectors.place(empty[0])}: {said}; leave such rows out, or give them one")
    return keys


def _numbered(vectors: VectorSet, labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    names, number, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(labels) < 2 or counts.max() < 2:
        raise KithError(f"{vectors.name}: no two vectors have the same label; nothing to find")
    return names.tolist(), number


def _hamming(
    asked: np.ndarray, others: np.ndarray, labels: np.ndarray, known: np.ndarray, ks: Sequence[int], itself: bool
) -> dict[str, float]:
    cutoffs = [k for k in ks or HIERARCHICAL if k <= len(others) - itself]
    found = hamming_retrieval(asked, others, labels, known, ks=cutoffs, radii=(RADIUS,), exclude_self=itself)
    names = ["map", *(f"precision@{k}" for k in cutoffs), f"precision_radius{RADIUS}"]
    return {f"hamming/{name}": found[name] for name in names} | {"hamming/bits": float(asked.shape[1])}


def _name(key: str, last: int, clip: int) -> str:
    """HP@1_lcsh → image_to_image/HP@1; AHP@<last> has the cutoff that was asked for."""
    return f"image_to_image/{key.removesuffix('_lcsh').replace(f'AHP@{last}', f'AHP@{clip}')}"


def _learned(key: str) -> str:
    return f"metric_learning/{key.replace('recall', 'R')}"


def _scale(key: str) -> float:
    return 100.0 if key.startswith("recall") else 1.0
