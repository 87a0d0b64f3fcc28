"""Labels that a classifier which has not seen the item does not believe: confident learning."""

from typing import NamedTuple

import numpy as np

from kith.audit.folds import folds

LEAST = 4  # items of a class, to be judged
WEAK, FEW = 0.5, 0.02  # a classifier that is right in fewer items may suspect this share of them
COMPONENTS = 256  # of the features, that the classifier sees


class SuspectLabels(NamedTuple):
    """rows: (n,) int64 of the items, by falling score; scores: (n,), 1 minus the probability of the label; suggested:
    (n,) int64, the likeliest label."""

    rows: np.ndarray
    scores: np.ndarray
    suggested: np.ndarray


class OutOfSample(NamedTuple):
    """What a classifier that has not seen the items makes of them. rows: (n,) int64 items that were judged; classes:
    (c,) int64 labels; probabilities: (n, c) float64."""

    rows: np.ndarray
    classes: np.ndarray
    probabilities: np.ndarray


def out_of_sample(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, count: int = 5, seed: int = 0
) -> OutOfSample:
    """Class probabilities of items by linear discriminant analysis on whitened components, each fold judged by what
    the others have taught.

    features: (n, d) floats; labels: (n,) integers, −1 unknown; groups: (n,) integers, kept together. Classes with
    fewer than four items are left out.

    >>> random = np.random.default_rng(0)
    >>> labels = np.arange(60) % 2
    >>> found = out_of_sample(random.normal(size=(60, 3)) + 9 * labels[:, None], labels, np.arange(60))
    >>> (found.classes[found.probabilities.argmax(axis=1)] == labels).mean().item()
    1.0
    """
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, counts = np.unique(labels[labels >= 0], return_counts=True)
    classes = known[counts >= max(LEAST, 2)]
    rows = np.flatnonzero(np.isin(labels, classes))
    if len(classes) < 2:
        return OutOfSample(np.zeros(0, np.int64), classes, np.zeros((0, len(classes))))
    x, y = np.asarray(features[rows], dtype=np.float32), labels[rows]
    fold, probabilities = folds(groups[rows], y, count, seed), np.zeros((len(rows), len(classes)))
    for each in range(count):
        train, held = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        if not len(held) or len(np.unique(y[train])) < 2:
            continue
        components = max(1, min(COMPONENTS, x.shape[1], len(train) // 4))
        model = make_pipeline(
            StandardScaler(),
            PCA(components, svd_solver="auto", random_state=seed),
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1),
        ).fit(x[train], y[train])
        places = np.searchsorted(classes, model.classes_)
        probabilities[np.ix_(held, places)] = model.predict_proba(x[held])
    return OutOfSample(rows, classes, probabilities)


def suspect_labels(found: OutOfSample, labels: np.ndarray) -> SuspectLabels:
    """The items whose label confident learning (Northcutt et al., JAIR 2021, as in cleanlab) takes for wrong.

    It counts how many items of each class look like another one, beyond the threshold of that class, the mean
    probability of its own items; so many are pruned, those with the lowest margin first.

    A classifier that is right in fewer than half of the items would suspect most of them: of these, the 2 % with the
    least probability of their label are taken. labels: (n,) integers of all items.

    >>> probabilities = np.tile([[0.9, 0.1], [0.1, 0.9]], (10, 1))
    >>> labels = np.tile([0, 1], 10)
    >>> labels[3] = 0
    >>> found = suspect_labels(OutOfSample(np.arange(20), np.array([0, 1]), probabilities), labels)
    >>> found.rows.tolist(), found.suggested.tolist()
    ([3], [1])
    """
    from cleanlab.filter import find_label_issues

    if not len(found.rows):
        return SuspectLabels(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    places = np.searchsorted(found.classes, labels[found.rows])
    wrong = find_label_issues(places, found.probabilities, filter_by="prune_by_noise_rate", n_jobs=1)
    # What the classifier agrees with is not suspect, whatever has to be pruned of its class.
    right = found.probabilities.argmax(axis=1) == places
    rows = np.flatnonzero(wrong & ~right)
    scores = 1 - found.probabilities[rows, places[rows]]
    most = len(rows) if right.mean() >= WEAK else int(np.ceil(FEW * len(right)))
    order = np.lexsort((rows, -scores))[:most]
    rows = rows[order]
    return SuspectLabels(found.rows[rows], scores[order], found.classes[found.probabilities[rows].argmax(axis=1)])
