"""How well is the class of an item told: from scores, from the nearest class embedding, or with a linear SVM?

Every metric is an array of one value an item, whose mean is the metric, so that intervals can be bootstrapped.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from kith.errors import KithError
from kith.metrics.graded import lists_of
from kith.metrics.relevance import class_labels, similarity_tables
from kith.metrics.ties import at_places
from kith.similarity import as_array, as_matrix, unit_rows


def classification_metrics(scores: Any, labels: Any, similarity: Any = None, k: int = 5) -> dict[str, np.ndarray]:
    """Metrics of predicted against true classes.

    scores: (n, n_classes), higher is likelier, of equal ones the lower class first; or (n,) integers, the
    predicted classes. labels: (n,) true classes. similarity: (n_classes, n_classes), for example LCSH.

    Returns (n,) float64 arrays: "accuracy"; "top<k>_accuracy", the true class being among the k best (only from
    scores of more than k classes); "balanced_accuracy", whose mean is that of the recalls of the classes that
    occur in `labels`; and, only with `similarity`, "hierarchical_accuracy", the similarity of the predicted and the
    true class, and "mistake_severity", 1 − the same of wrong predictions, NaN where it is right: with LCSH the height
    of their lowest common ancestor, as a share of the taxonomy's (Bertinetto et al., CVPR 2020). Raises KithError for
    shapes that do not fit, classes out of range and scores that are NaN.

    >>> scores = np.array([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1]])
    >>> found = classification_metrics(scores, [0, 1], similarity=np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]), k=2)
    >>> found["accuracy"].tolist(), found["top2_accuracy"].tolist(), found["hierarchical_accuracy"].tolist()
    ([1.0, 0.0], [1.0, 1.0], [1.0, 0.5])
    >>> found["mistake_severity"].tolist()
    [nan, 0.5]
    """
    scores = as_array(scores)
    n_classes = scores.shape[1] if scores.ndim == 2 else None
    labels = class_labels("labels", labels, n_classes)
    if not len(labels) or scores.shape[:1] != labels.shape:
        raise KithError(f"scores of the shape {scores.shape} do not fit {len(labels)} labels")
    rank = _rank_of(scores, labels) if n_classes else None
    predicted = class_labels("scores", scores if rank is None else scores.argmax(axis=1))
    right = (predicted == labels).astype(np.float64)
    place, items = np.unique(labels, return_inverse=True, return_counts=True)[1:]
    metrics = {"accuracy": right}
    if rank is not None and n_classes is not None and k < n_classes:
        metrics[f"top{k}_accuracy"] = (rank < k).astype(np.float64)
    metrics["balanced_accuracy"] = right * len(labels) / (len(items) * items[place])
    if similarity is not None:
        table = similarity_tables(similarity)[""]
        class_labels("labels", labels, len(table))
        near = table[class_labels("predicted classes", predicted, len(table)), labels]
        metrics["hierarchical_accuracy"] = near
        metrics["mistake_severity"] = np.where(right > 0, np.nan, 1 - near)
    return metrics


def hierarchical_distances(
    scores: Any,
    labels: Any,
    similarity: Any,
    ks: Sequence[int] = (1, 5, 20),
    ties: Literal["expected", "index"] = "expected",
) -> dict[str, np.ndarray]:
    """Of the k likeliest classes, how far they are from the true one: the mean of 1 − s(predicted, true), with LCSH the
    mean height of the lowest common ancestor, as a share of the taxonomy's (Bertinetto et al., CVPR 2020).

    scores (n, n_classes), labels (n,), similarity (n_classes, n_classes): as `classification_metrics` takes them, but
    that scores may be of the first classes alone. ties:
    equally likely classes come in every order (the exact expectation), or the lower first, as there. Returns (n,)
    float64 "hierarchical_distance@<k>" for each k up to the number of classes. Raises KithError for shapes that do not
    fit, classes out of range and scores that are NaN.

    >>> similarity = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    >>> found = hierarchical_distances([[0.2, 0.7, 0.1]], [0], similarity, ks=[1, 2])
    >>> found["hierarchical_distance@1"].tolist(), found["hierarchical_distance@2"].tolist()
    ([0.5], [0.25])
    """
    scores, (table,) = as_matrix(scores, "scores"), similarity_tables(similarity).values()
    labels = class_labels("labels", labels, len(table))
    n, n_classes = scores.shape
    if n != len(labels) or n_classes > len(table):
        raise KithError(f"scores of the shape {scores.shape} do not fit {len(labels)} labels of {len(table)} classes")
    _refuse_nan(scores)
    found = lists_of(np.arange(n), -scores)
    far = 1 - table[found.order, labels[:, None]]
    for row, order, starts in found.tied if ties == "expected" else ():
        far[row] = at_places(1 - table[order, labels[row]], starts, n_classes)
    means = np.cumsum(far, axis=1) / np.arange(1, n_classes + 1)
    return {f"hierarchical_distance@{k}": means[:, k - 1] for k in ks if 1 <= k <= n_classes}


def nearest_embedding_scores(features: Any, embedding: Any) -> np.ndarray:
    """−|f − e_c|² of features (n, d) and class embeddings (n_classes, d): (n, n_classes) float64.

    >>> nearest_embedding_scores([[0.0, 1.0]], [[0.0, 1.0], [1.0, 1.0]]).tolist()
    [[-0.0, -1.0]]

    Raises KithError for vectors of different dimensions.
    """
    features, embedding = as_matrix(features, "features"), as_matrix(embedding, "embedding")
    if features.shape[1] != embedding.shape[1]:
        raise KithError(
            f"features have {features.shape[1]} dimensions, but the class embeddings {embedding.shape[1]}: "
            "the model was trained for other classes, or has no layer that maps to the embedding"
        )
    from scipy.spatial.distance import cdist  # takes a third of a second

    return -cdist(features, embedding, "sqeuclidean")


def svm_scores(
    train_features: Any,
    train_labels: Any,
    features: Any,
    n_classes: int | None = None,
    scaling: Literal["l2", "max_abs"] = "l2",
    c: float = 1.0,
    seed: int = 0,
) -> np.ndarray:
    """Scores of linear SVMs, one a class against the rest, fitted to features of training items.

    train_features (n_train, d), train_labels (n_train,) integers, features (n, d). scaling: rows of length 1, or
    every dimension divided by its largest absolute training value. c: the weight of the training errors.

    Returns (n, n_classes) float64 signed distances; −inf for classes without a training item. n_classes: default
    the largest training label + 1. Raises KithError if there is but one class.

    >>> train = np.array([[1, 0.1], [1, 0.2], [0.1, 1], [0.2, 1]])
    >>> svm_scores(train, [0, 0, 1, 1], np.array([[2, 0.1], [0.1, 3]])).argmax(axis=1).tolist()
    [0, 1]
    """
    from sklearn.svm import LinearSVC

    train, other = _finite("train_features", train_features), _finite("features", features)
    labels = class_labels("train_labels", train_labels, n_classes)
    if len(np.unique(labels)) < 2:
        raise KithError("train_labels: an SVM needs items of at least two classes")
    if len(train) != len(labels) or train.shape[1] != other.shape[1]:
        raise KithError(
            f"{len(labels)} train_labels, train_features {train.shape} and features {other.shape} do not fit"
        )
    if scaling == "l2":
        train, other = unit_rows(train), unit_rows(other)
    elif scaling == "max_abs":
        largest = np.abs(train).max(axis=0)
        train, other = (x / np.where(largest > 0, largest, 1) for x in (train, other))
    else:
        raise KithError(f"scaling: '{scaling}' is not one of l2, max_abs")
    machine = LinearSVC(C=c, dual="auto", random_state=seed).fit(train, labels)
    found = machine.decision_function(other)
    scores = np.full((len(other), int(labels.max()) + 1 if n_classes is None else n_classes), -np.inf)
    scores[:, machine.classes_] = found if found.ndim == 2 else np.stack([-found, found], axis=1)
    return scores


def _rank_of(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes come before the true one."""
    _refuse_nan(scores)
    own = scores[np.arange(len(labels)), labels][:, None]
    lower = np.arange(scores.shape[1]) < labels[:, None]
    return np.count_nonzero((scores > own) | ((scores == own) & lower), axis=1)


def _refuse_nan(scores: np.ndarray) -> None:
    bad = np.flatnonzero(np.isnan(scores).any(axis=1))
    if len(bad):
        raise KithError(f"scores: row {bad[0]} has a NaN ({len(bad)} such rows)")


def _finite(name: str, features: Any) -> np.ndarray:
    matrix = as_matrix(features, name).astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise KithError(f"{name}: row {bad[0]} is not finite ({len(bad)} such rows)")
    return matrix
