"""Labels that a classifier which has not seen the item does not believe: confident learning."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from kith.audit.folds import folds

LEAST = 4  # items of a class, to be judged
WEAK, FEW = 0.5, 0.02  # a classifier that is right in fewer items may suspect this share of them
COMPONENTS = (64, 256, 512)  # of the features, that the classifier may see
SHRINKAGES = (0.03, 0.1, 0.3)  # of its covariance towards its mean variance
TINY, HOTTEST = 1e-30, 20.0  # least probability before it is tempered; highest temperature, and one over the lowest
LOOKED_AT = 20_000  # items by which these and the temperature are chosen


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


class _Choice(NamedTuple):
    """view: which of the features are seen."""

    view: tuple[int, ...]
    components: int
    shrinkage: float


def out_of_sample(
    features: Sequence[np.ndarray], labels: np.ndarray, groups: np.ndarray, count: int = 5, seed: int = 0
) -> OutOfSample:
    """Class probabilities of items by linear discriminant analysis on whitened components, each fold judged by what
    the others have taught.

    Which features it sees (one of several, or all), how many components, and how far its covariance is shrunk, are
    what gives the labels of the first fold the highest likelihood; and so is the temperature of the probabilities (Guo
    et al., ICML 2017). Where wrong labels are as likely of every class, those with the least probability are the
    likeliest to be wrong, if it is true in its tail: a likelihood tells just that.

    features: (n, d) floats each, such as of pictures and of texts; labels: (n,) integers, −1 unknown; groups: (n,)
    integers, kept together. Classes with fewer than four items are left out, and items of a class that the other folds
    do not have.

    >>> random = np.random.default_rng(0)
    >>> labels = np.arange(60) % 2
    >>> found = out_of_sample([random.normal(size=(60, 3)) + 9 * labels[:, None]], labels, np.arange(60))
    >>> (found.classes[found.probabilities.argmax(axis=1)] == labels).mean().item()
    1.0
    """
    known, counts = np.unique(labels[labels >= 0], return_counts=True)
    classes = known[counts >= max(LEAST, 2)]
    rows = np.flatnonzero(np.isin(labels, classes))
    if len(classes) < 2:
        return OutOfSample(np.zeros(0, np.int64), classes, np.zeros((0, len(classes))))
    x, places = [each[rows] for each in features], np.searchsorted(classes, labels[rows])
    fold, logs = folds(groups[rows], labels[rows], count, seed), np.full((len(rows), len(classes)), -np.inf)
    choice = None
    for each in range(count):
        train, held = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        if not len(held) or len(np.unique(places[train])) < 2:
            continue
        choice = choice or _chosen(x, places, train, held, seed)
        taught, found = next(_judged(x, places, train, held, [choice], seed))
        logs[np.ix_(held, taught)] = found
    judged = np.flatnonzero(np.isfinite(logs[np.arange(len(rows)), places]))
    return OutOfSample(rows[judged], classes, _tempered(logs[judged], places[judged], seed))


def _judged(
    x: Sequence[np.ndarray],
    places: np.ndarray,
    train: np.ndarray,
    held: np.ndarray,
    choices: Sequence[_Choice],
    seed: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each choice: the classes that it was taught, and their log probabilities of the items `held`."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    most = max(each.components for each in choices)
    seen = {side: _components(x[side], train, held, most, seed) for side in {s for each in choices for s in each.view}}
    for view, components, shrinkage in choices:
        shown, asked = (np.hstack([seen[side][place][:, :components] for side in view]) for place in (0, 1))
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(shown, places[train])
        yield model.classes_, np.log(np.maximum(model.predict_proba(asked), TINY))


def _components(
    x: np.ndarray, train: np.ndarray, held: np.ndarray, most: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first principal components of the items `train` and `held`; the variance of all features together is 1."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    most = max(1, min(most, x.shape[1], len(train) // 4))
    model = make_pipeline(StandardScaler(), PCA(most, svd_solver="auto", random_state=seed)).fit(x[train])
    scale = np.float32(x.shape[1] ** -0.5)
    return model.transform(x[train]) * scale, model.transform(x[held]) * scale


def _chosen(x: Sequence[np.ndarray], places: np.ndarray, train: np.ndarray, held: np.ndarray, seed: int) -> _Choice:
    """What gives the labels `held` the highest likelihood, each at its best temperature."""
    random = np.random.default_rng(seed)
    train, held = (np.sort(random.permutation(each)[:LOOKED_AT]) for each in (train, held))
    views = [(side,) for side in range(len(x))] + ([tuple(range(len(x)))] if len(x) > 1 else [])
    choices = [
        _Choice(view, width, shrinkage)
        for view in views
        for width in sorted({min(each, len(train) // 4, max(x[side].shape[1] for side in view)) for each in COMPONENTS})
        for shrinkage in SHRINKAGES
    ]
    losses = []
    for taught, logs in _judged(x, places, train, held, choices, seed):
        known = np.flatnonzero(np.isin(places[held], taught))
        losses.append(_temperature(logs[known], np.searchsorted(taught, places[held][known]))[1])
    return choices[int(np.argmin(losses))]


def _temperature(logs: np.ndarray, places: np.ndarray) -> tuple[float, float]:
    """By which log probabilities (n, c) are divided so that the classes `places` (n,) are likeliest; and their mean
    negative log likelihood then."""
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    own = logs[np.arange(len(logs)), places]

    def loss(power: float) -> float:
        beta = np.exp(-power)
        return float((logsumexp(beta * logs, axis=1) - beta * own).mean())

    if not len(logs):
        return 1.0, 0.0
    found = minimize_scalar(loss, bounds=(-np.log(HOTTEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x)), float(found.fun)


def _tempered(logs: np.ndarray, places: np.ndarray, seed: int) -> np.ndarray:
    """Probabilities (n, c) at the temperature that fits the labels best."""
    from scipy.special import softmax

    looked = np.sort(np.random.default_rng(seed).permutation(len(logs))[:LOOKED_AT])
    temperature, _ = _temperature(logs[looked], places[looked])
    return softmax(logs / temperature, axis=1)


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
