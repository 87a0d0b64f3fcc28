"""Sets of vectors whose rows have several labels each: what they find that shares a label with them."""

from collections.abc import Sequence

import numpy as np

from kith.errors import KithError
from kith.evaluation.codes import RADIUS
from kith.metrics.hashing import hamming_retrieval
from kith.metrics.label_sets import shared_hamming, shared_retrieval
from kith.vectors.measures import HIERARCHICAL, Measured, apart, same_dimensions
from kith.vectors.sets import JOINT, VectorSet

KEPT = ("map", "mrr", "WAP", "R", "precision", "ACG", "NDCG")


def several(labels: Sequence[np.ndarray]) -> bool:
    """Whether some row of the labels, (n,) str each, has more than one.

    >>> several([np.array(["cat"]), np.array([f"cat{JOINT}dog"])])
    True
    """
    return any(JOINT in label for each in labels for label in each.tolist())


def by_shared(vectors: VectorSet, labels: np.ndarray, *, ks: Sequence[int] = ()) -> Measured:
    """Every vector with labels looks, by cosine, for others that share one.

    labels: (n,) str, several joined (see `kith.vectors.sets.words`), empty without any. ks: cutoffs; those beyond the
    other vectors are left out. Raises KithError where no two vectors share a label.

    >>> three = VectorSet("a.npz", np.array([[1, 0], [1, 0.1], [0, 1.0]]), False)
    >>> by_shared(three, np.array([f"cat{JOINT}dog", "dog", "bird"]), ks=[1]).values["shared/map"]
    1.0
    """
    vectors, (sets,) = vectors[labels != ""], sets_of([labels[labels != ""]])
    cutoffs = [k for k in ks or HIERARCHICAL if k < len(vectors)]
    if len(vectors) < 2:
        raise KithError(f"{vectors.name}: fewer than two vectors have a label; nothing to find")
    found = shared_retrieval(vectors.comparable, sets, ks=cutoffs)
    values = _means(vectors, "shared", found)
    if vectors.coded:
        values |= _codes(vectors, sets, vectors, sets, cutoffs, itself=True)
    return Measured(len(vectors), len(vectors) - 1, values)


def by_shared_in(
    queries: VectorSet, labels: np.ndarray, database: VectorSet, known: np.ndarray, *, ks: Sequence[int] = ()
) -> Measured:
    """Queries look for what shares a label with them in a database, by cosine and, where both are codes, by Hamming
    distance.

    labels (n,), known (m,): as of `by_shared`. Raises KithError where no label is shared, and where the database has
    the queries themselves.

    >>> one = VectorSet("q.npz", np.array([[1.0, 0]]), False), np.array([f"cat{JOINT}dog"])
    >>> two = VectorSet("d.npz", np.array([[1.0, 0], [0, 1]]), False), np.array(["dog", "bird"])
    >>> by_shared_in(*one, *two, ks=[1]).values["database/NDCG@1"]
    1.0
    """
    same_dimensions(queries, database)
    apart(queries, database)
    queries, database = queries[labels != ""], database[known != ""]
    sets, others = sets_of([labels[labels != ""], known[known != ""]])
    cutoffs = [k for k in ks or HIERARCHICAL if k <= len(database)]
    if not len(queries) or not len(database):
        raise KithError(f"{queries.name} or {database.name}: no vector has a label; nothing to find")
    found = shared_retrieval(queries.comparable, sets, database.comparable, others, cutoffs)
    kept = {name: each for name, each in found.items() if name != "mrr" and not name.startswith("R@")}
    values = _means(queries, "database", kept)
    if queries.coded:
        values |= _codes(queries, sets, database, others, cutoffs, itself=False)
    return Measured(len(queries), len(database), values)


def sets_of(labels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Of each of several (n,) str, in which labels are joined, (n, C) bool of the same C labels.

    >>> sets_of([np.array([f"a{JOINT}b"]), np.array(["b", ""])])[1].tolist()
    [[False, True], [False, False]]
    """
    split = [[label.split(JOINT) if label else [] for label in each.tolist()] for each in labels]
    place = {name: at for at, name in enumerate(sorted({name for each in split for row in each for name in row}))}
    found = [np.zeros((len(each), len(place)), dtype=bool) for each in split]
    for sets, each in zip(found, split, strict=True):
        for row, names in enumerate(each):
            sets[row, [place[name] for name in names]] = True
    return found


def _means(queries: VectorSet, group: str, found: dict[str, np.ndarray]) -> dict[str, float]:
    if np.isnan(found["map"]).all():
        raise KithError(f"{queries.name}: no vector shares a label with another; nothing to find")
    wanted = [name for name in found if name.partition("@")[0] in KEPT]
    return {f"{group}/{name}": float(np.nanmean(found[name])) * (100 if name[:2] == "R@" else 1) for name in wanted}


def _codes(
    queries: VectorSet, sets: np.ndarray, database: VectorSet, others: np.ndarray, ks: Sequence[int], itself: bool
) -> dict[str, float]:
    both = queries.vectors, database.vectors, sets, others
    found = hamming_retrieval(*both, ks=ks, radii=(RADIUS,), exclude_self=itself)
    names = ["map", *(f"precision@{k}" for k in ks), f"precision_radius{RADIUS}"]
    graded = shared_hamming(*both, ks, exclude_self=itself)
    values = {name: found[name] for name in names}
    values |= {name: float(np.nanmean(graded[name])) for name in graded if name.startswith(("WAP", "ACG", "NDCG"))}
    return {f"hamming/{name}": value for name, value in values.items()} | {
        "hamming/bits": float(queries.vectors.shape[1])
    }
