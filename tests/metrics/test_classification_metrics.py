"""Figures of classification against the published program's numbers, scikit-learn's and their definitions."""

import hashlib
import importlib.util
import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.svm import LinearSVC

from kith.errors import KithError
from kith.metrics.classification import (
    classification_metrics,
    hierarchical_distances,
    nearest_embedding_scores,
    svm_scores,
)
from kith.taxonomy import Taxonomy

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "hierarchy"
golden = pytest.mark.skipif(not GOLDEN.exists(), reason="no golden data")
PUBLISHED = {
    "Top-5 Accuracy": "top5_accuracy",
    "Accuracy": "accuracy",
    "Hierarchical Accuracy": "hierarchical_accuracy",
}


@st.composite
def small(draw):
    n, n_classes = draw(st.integers(1, 12)), draw(st.integers(2, 6))
    scores = draw(arrays(np.float64, (n, n_classes), elements=st.sampled_from([-1, 0, 0.5, 2])))  # many ties
    return scores, draw(arrays(np.int64, n, elements=st.integers(0, n_classes - 1))), draw(st.integers(1, 6))


@given(small())
def test_every_figure_is_its_definition(case):
    scores, labels, k = case
    similarity = np.random.default_rng(0).random((6, 6))
    found = classification_metrics(scores, labels, similarity, k)
    order = np.argsort(-scores, axis=1, kind="stable")
    predicted = order[:, 0]
    assert found["accuracy"].tolist() == [float(a == b) for a, b in zip(predicted, labels, strict=True)]
    if k < scores.shape[1]:
        assert found[f"top{k}_accuracy"].tolist() == [float(y in row[:k]) for y, row in zip(labels, order, strict=True)]
    else:
        assert not any(name.startswith("top") for name in found)
    present = np.unique(labels)
    recalls = recall_score(labels, predicted, labels=present, average=None)
    assert found["balanced_accuracy"].mean() == pytest.approx(recalls.mean())
    expected = [similarity[p, y] for p, y in zip(predicted, labels, strict=True)]
    assert found["hierarchical_accuracy"].tolist() == expected
    severity = [np.nan if p == y else 1 - similarity[p, y] for p, y in zip(predicted, labels, strict=True)]
    assert np.array_equal(found["mistake_severity"], severity, equal_nan=True)
    from_classes = classification_metrics(predicted, labels, similarity)
    assert from_classes.keys() == {"accuracy", "balanced_accuracy", "hierarchical_accuracy", "mistake_severity"}
    assert all(np.array_equal(values, found[name], equal_nan=True) for name, values in from_classes.items())


def test_a_mistake_is_as_severe_as_its_common_ancestor_is_high():
    """Bertinetto et al. (2020): mean height of the lowest common ancestor, over the mistakes alone."""
    edges = [("thing", "animal"), ("thing", "plant"), ("animal", "cat"), ("animal", "dog"), ("plant", "oak")]
    taxonomy = Taxonomy.from_edges(edges)
    cat, dog, oak = range(3)
    labels, predicted = [cat, cat, dog, oak], [cat, dog, oak, oak]  # animal: height 1 of 2; thing: 2 of 2
    found = classification_metrics(predicted, labels, taxonomy.similarity(["cat", "dog", "oak"]))
    assert np.nanmean(found["mistake_severity"]) == (1 / 2 + 2 / 2) / 2
    assert np.isnan(found["mistake_severity"]).tolist() == [True, False, False, True]


@settings(max_examples=25)
@given(small())
def test_distances_of_the_likeliest_are_their_expectation(case):
    scores, labels, k = case
    n_classes = scores.shape[1]
    similarity = np.random.default_rng(0).random((6, 6))[:n_classes, :n_classes]
    found = hierarchical_distances(scores, labels, similarity, [k])
    by_index = hierarchical_distances(scores, labels, similarity, [1], ties="index")
    assert by_index["hierarchical_distance@1"].tolist() == pytest.approx(
        1 - classification_metrics(scores, labels, similarity)["hierarchical_accuracy"]
    )
    if k > n_classes:
        assert not found
        return
    for row, label, value in zip(scores, labels, found[f"hierarchical_distance@{k}"], strict=True):
        orders = [o for o in permutations(range(n_classes)) if (np.diff(row[list(o)]) <= 0).all()]
        assert value == pytest.approx(np.mean([[1 - similarity[c, label] for c in o[:k]] for o in orders]))


def test_distances_are_of_known_classes():
    assert hierarchical_distances([[0.9, 0.1]], [2], np.eye(3), [1])["hierarchical_distance@1"] == [1]
    for scores, message in (([[0.1, 0.9, 0, 0]], "do not fit"), ([[0.1, np.nan, 0.2]], "row 0 has a NaN")):
        with pytest.raises(KithError, match=message):
            hierarchical_distances(scores, [0], np.eye(3))


def test_tensors_give_what_arrays_give():
    scores, labels = torch.randn(20, 7, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 7
    found = classification_metrics(scores, labels, torch.eye(7))
    expected = classification_metrics(scores.numpy(), labels.numpy(), np.eye(7))
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name], equal_nan=True) for name in expected)


def test_nearest_embedding_scores_are_distances():
    rng = np.random.default_rng(0)
    features, embedding = rng.standard_normal((9, 4)), rng.standard_normal((5, 4))
    expected = [[-sum((f - e) ** 2) for e in embedding] for f in features]
    np.testing.assert_allclose(nearest_embedding_scores(features, embedding), expected, rtol=1e-13)
    found = nearest_embedding_scores(torch.from_numpy(features).float(), embedding)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def clusters(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    return np.random.default_rng(9).standard_normal((4, 6))[labels] + 0.5 * rng.standard_normal((n, 6)), labels


@pytest.mark.parametrize("scaling", ["l2", "max_abs"])
def test_svm_scores_are_those_of_scaled_features(scaling):
    (train, labels), (test, true) = clusters(80, 0), clusters(30, 1)
    found = svm_scores(train, labels, test, scaling=scaling, c=0.5)
    if scaling == "l2":
        ours, theirs = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, test))
    else:
        ours, theirs = train / np.abs(train).max(axis=0), test / np.abs(train).max(axis=0)
    machine = LinearSVC(C=0.5, dual="auto", random_state=0).fit(ours, labels)
    np.testing.assert_allclose(found, machine.decision_function(theirs), atol=1e-6)
    figures = classification_metrics(found, true)
    assert figures["accuracy"].mean() > 0.8
    assert figures["balanced_accuracy"].mean() == pytest.approx(balanced_accuracy_score(true, found.argmax(axis=1)))
    assert np.array_equal(found, svm_scores(torch.from_numpy(train), labels, test, scaling=scaling, c=0.5))


def test_the_size_of_a_dimension_matters_only_without_max_abs():
    (train, labels), (test, _) = clusters(80, 0), clusters(30, 1)
    size = np.array([1e3, 1, 1, 1, 1e-3, 0])
    plain = svm_scores(train * (size > 0), labels, test * (size > 0), scaling="max_abs")
    np.testing.assert_allclose(svm_scores(train * size, labels, test * size, scaling="max_abs"), plain, atol=1e-6)


def test_an_svm_of_two_classes_leaves_the_others_out():
    train, labels = clusters(60, 0)
    two = (labels == 1) | (labels == 3)
    scores = svm_scores(train[two], labels[two], train[two], n_classes=5)
    assert scores.shape == (two.sum(), 5)
    assert np.isneginf(scores[:, [0, 2, 4]]).all()
    np.testing.assert_array_equal(scores[:, 1], -scores[:, 3])
    assert classification_metrics(scores, labels[two])["accuracy"].mean() > 0.9
    with pytest.raises(KithError, match="at least two classes"):
        svm_scores(train[labels == 1], labels[labels == 1], train)


@pytest.mark.parametrize(
    ("scores", "labels", "similarity", "message"),
    [
        (np.zeros((3, 4)), [0, 1, 4], None, "labels: row 2 is 4, not among the 4 classes"),
        (np.zeros((3, 4)), [0, -1, 1], None, "labels: row 1 is -1"),
        (np.zeros((3, 4)), [0, 1], None, r"scores of the shape \(3, 4\) do not fit 2 labels"),
        (np.zeros((0, 4)), np.zeros(0, dtype=int), None, "do not fit 0 labels"),
        (np.full((2, 4), np.nan), [0, 1], None, "scores: row 0 has a NaN"),
        (np.zeros(2), [0, 1], None, r"scores: expected \(n,\) integers"),
        (np.zeros((2, 4)), [0.0, 1.0], None, r"labels: expected \(n,\) integers"),
        (np.zeros((2, 4)), [0, 3], np.eye(3), "labels: row 1 is 3, not among the 3 classes"),
        (np.array([2, 3]), [0, 1], np.eye(3), "predicted classes: row 1 is 3"),
    ],
)
def test_what_is_wrong_is_named(scores, labels, similarity, message):
    with pytest.raises(KithError, match=message):
        classification_metrics(scores, labels, similarity)


def test_features_that_cannot_be_used_are_named():
    with pytest.raises(KithError, match="features have 3 dimensions, but the class embeddings 4"):
        nearest_embedding_scores(np.zeros((2, 3)), np.zeros((5, 4)))
    train, labels = clusters(10, 0)
    with pytest.raises(KithError, match="scaling: 'none' is not one of l2, max_abs"):
        svm_scores(train, labels, train, scaling="none")
    for other, count in ((train[:, :5], 10), (train, 9)):
        with pytest.raises(KithError, match=f"{count} train_labels, train_features .* do not fit"):
            svm_scores(train, labels[:count], other)
    for scaling in ("l2", "max_abs"):
        with pytest.raises(KithError, match="train_features: row 3 is not finite"):
            svm_scores(np.where(np.arange(10)[:, None] == 3, np.nan, train), labels, train, scaling=scaling)


@pytest.fixture(scope="module")
def similarity():
    return 1 - np.load(GOLDEN / "hierarchy_cifar100.npz")["lcs_height"][:100, :100]


def check(found: dict[str, np.ndarray], expected: dict[str, float], top5: np.ndarray, scores: np.ndarray) -> None:
    for title, name in PUBLISHED.items():
        assert found[name].mean() == pytest.approx(expected[title], abs=1e-12)
    order = np.argsort(-scores, axis=1, kind="stable")
    np.testing.assert_array_equal(order[:, :5], top5)
    assert hashlib.sha256(scores.argmax(axis=1).astype("<i8").tobytes()).hexdigest() == expected["top1_sha256_int64le"]


@golden
def test_published_figures_from_scores(similarity):
    spec = importlib.util.spec_from_file_location("recipe", GOLDEN / "recipe.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    scores, labels = recipe.class_scores()
    expected = json.loads((GOLDEN / "classification.json").read_text())["scores_unbalanced"]
    found = classification_metrics(scores, labels, similarity)
    check(found, expected, np.load(GOLDEN / "classification.npz")["top5_scores"], scores)
    # The program divided by all classes up to the last one that occurs, also by those that do not.
    present = expected["max_label"] + 1 - expected["n_missing_classes"]
    balanced = expected["Avg. Accuracy"] * (expected["max_label"] + 1) / present
    assert found["balanced_accuracy"].mean() == pytest.approx(balanced, abs=1e-12)


@golden
def test_published_figures_of_the_nearest_embedding(similarity):
    embedding = np.load(GOLDEN / "embedding_cifar100.npz")["unitsphere"]
    rng = np.random.default_rng(11)
    labels = rng.permutation(np.repeat(np.arange(100), 10))
    features = embedding[labels] + 0.25 * rng.standard_normal((1000, 100))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    scores = nearest_embedding_scores(features, embedding)
    expected = json.loads((GOLDEN / "classification.json").read_text())["nearest_embedding"]
    found = classification_metrics(scores, labels, similarity)
    check(found, expected, np.load(GOLDEN / "classification.npz")["top5_nearest"], scores)
    assert found["balanced_accuracy"].mean() == pytest.approx(expected["Avg. Accuracy"], abs=1e-12)


@golden
def test_published_figures_with_a_missing_class(similarity):
    expected = json.loads((GOLDEN / "classification.json").read_text())["missing_class_2"]
    found = classification_metrics(np.array(expected["y_pred"]), np.array(expected["y_true"]))
    assert found["accuracy"].mean() == pytest.approx(expected["Accuracy"])
    assert found["balanced_accuracy"].mean() == pytest.approx((1 / 2 + 1 + 2 / 3) / 3)
