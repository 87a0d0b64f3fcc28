"""The largest eigenvalues of a symmetric matrix, and their vectors."""

from hashlib import blake2b

import numpy as np
import scipy.linalg

from kith.similarity import blocks

Pairs = tuple[np.ndarray, np.ndarray]


def largest(matrix: np.ndarray, count: int) -> Pairs:
    """The `count` largest eigenvalues of a symmetric (n, n) matrix, descending, and (n, count) unit vectors.

    Of the two directions of a vector that with its largest entry positive.

    >>> values, vectors = largest(np.diag([3.0, 1.0, 2.0]), 2)
    >>> values.round(6).tolist(), vectors.shape
    ([3.0, 2.0], (3, 2))
    """
    n = len(matrix)
    # LAPACK looks for some eigenvectors one by one, for all together: from a third of them on all take less time.
    some = [n - count, n - 1] if 3 * count <= n else None
    driver = "evd" if some is None else "evr"  # of all, divide and conquer takes half the time
    values, vectors = scipy.linalg.eigh(matrix, subset_by_index=some, check_finite=False, driver=driver)
    values, vectors = values[: -count - 1 : -1], vectors[:, : -count - 1 : -1]
    entry = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    return values, vectors * np.where(entry < 0, -1, 1)


def largest_of_similarity(similarity: np.ndarray, count: int) -> Pairs:
    """As `largest`, of a matrix with a diagonal of 1, and faster where classes are twins.

    Twins, as the children of one node are, have the same similarity s to one another and the same to every other
    class. Of m twins all vectors of sum 0 have the eigenvalue 1 − s; the rest of the spectrum is that of a matrix
    with one row for them all: iNat2018's 8,142 classes become 4,412.

    >>> values, vectors = largest_of_similarity(np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]), 2)
    >>> values.round(6).tolist(), vectors.shape
    ([1.5, 1.0], (3, 2))
    """
    group, nearest = _twins(similarity)
    _, first, size = np.unique(group, return_index=True, return_counts=True)
    if len(size) == len(group):
        return largest(similarity, count)
    scale = np.sqrt(size)
    quotient = similarity[np.ix_(first, first)] * scale[:, None] * scale
    # A class alone has nobody to be like: (m − 1) s is 0.
    quotient[np.diag_indices_from(quotient)] = 1 + (size - 1) * nearest[first]
    values, vectors = largest(quotient, min(count, len(size)))
    apart = np.repeat(1 - nearest[first], size - 1)
    merged = np.concatenate([values, apart])
    chosen = np.argsort(-merged, kind="stable")[:count]
    result = np.zeros((len(group), len(chosen)))
    whole = np.flatnonzero(chosen < len(values))
    result[:, whole] = vectors[:, chosen[whole]][group] / scale[group, None]
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(size)[:-1])
    owner = np.repeat(np.arange(len(size)), size - 1)
    for column in np.flatnonzero(chosen >= len(values)).tolist():
        contrast = chosen[column] - len(values)
        result[:, column] = _contrast(
            members[owner[contrast]], contrast - np.searchsorted(owner, owner[contrast]), len(group)
        )
    return merged[chosen], result


def _twins(similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) the group of twins that each class is in, and (n,) its largest similarity to another class."""
    n = len(similarity)
    nearest, sums, digests = np.zeros(n), np.zeros(n, dtype=np.uint64), [b""] * n
    for part in blocks(n, n):
        rows = _as_of_twins(similarity, np.arange(n)[part])
        nearest[part] = rows.diagonal(part.start)
        # Of their bits as integers: in any order the same. Rows of different sums are different.
        sums[part] = rows.view(np.uint64).sum(axis=1)
    _, place, count = np.unique(sums, return_inverse=True, return_counts=True)
    for part in blocks(n, n):
        shared = np.flatnonzero(count[place[part]] > 1) + part.start
        for i, row in zip(shared.tolist(), _as_of_twins(similarity, shared), strict=True):
            digests[i] = blake2b(row.tobytes()).digest()
    seen: dict[tuple[int, bytes], int] = {}
    keys = zip(place.tolist(), digests, strict=True)
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64), nearest


def _as_of_twins(similarity: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Rows with the largest other number in place of their own: twins have the same."""
    rows, own = similarity[chosen] + 0.0, (np.arange(len(chosen)), chosen)
    rows[own] = -np.inf
    rows[own] = rows.max(axis=1)
    return rows


def _contrast(members: np.ndarray, index: int, n: int) -> np.ndarray:
    """(n,) the unit vector that sets member `index` + 1 against those before it (Helmert's)."""
    vector = np.zeros(n)
    before = index + 1
    vector[members[before]] = before
    vector[members[:before]] = -1
    return vector / np.sqrt(before * (before + 1))
