"""Classes that a taxonomy puts apart and that look alike."""

import numpy as np

from kith.audit.labels import OutOfSample

LEAST = 0.1  # of the items of both classes that are confused
APART = 0.5  # similarity in the taxonomy below which classes are apart


def classes_alike(
    found: OutOfSample, labels: np.ndarray, similarity: np.ndarray
) -> list[tuple[int, int, float, float, float]]:
    """Pairs of classes, by falling score: label, label, score, share confused, similarity in the taxonomy.

    The score is the share of their items that is taken for the other class (both ways, mean probability), times
    1 − similarity. labels: (n,) integers of all items; similarity: (c, c) floats of found.classes.

    >>> probabilities = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> found = OutOfSample(np.arange(3), np.arange(3), probabilities)
    >>> classes_alike(found, np.arange(3), np.eye(3))
    [(0, 1, 0.5, 0.5, 0.0)]
    """
    count = len(found.classes)
    if count < 2:
        return []
    places = np.searchsorted(found.classes, labels[found.rows])
    sums = np.zeros((count, count))
    np.add.at(sums, places, found.probabilities)
    confused = sums / np.bincount(places, minlength=count)[:, None]
    confused = (confused + confused.T) / 2
    score = confused * (1 - similarity)
    a, b = np.triu_indices(count, 1)
    kept = np.flatnonzero((confused[a, b] >= LEAST) & (similarity[a, b] < APART))
    kept = kept[np.argsort(-score[a[kept], b[kept]], kind="stable")]
    known = found.classes
    return [
        (int(known[i]), int(known[j]), float(score[i, j]), float(confused[i, j]), float(similarity[i, j]))
        for i, j in zip(a[kept], b[kept], strict=True)
    ]
