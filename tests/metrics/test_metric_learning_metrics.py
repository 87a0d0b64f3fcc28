"""The figures of metric learning: golden numbers, other libraries, and definitions written with loops."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score
from sklearn.neighbors import KNeighborsClassifier

import kith.similarity
from kith.errors import KithError
from kith.evaluation.chance import self_retrieval_chance
from kith.metrics import ordering
from kith.metrics.classification import classification_metrics
from kith.metrics.hashing import hamming_retrieval
from kith.metrics.hierarchical import hierarchical_retrieval
from kith.metrics.metric_learning import (
    cluster_agreement,
    database_precision,
    knn_predictions,
    partition_agreement,
    self_retrieval,
)

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "metric_hashing"
golden = pytest.mark.skipif(not GOLDEN.exists(), reason="no golden data")


@pytest.fixture(scope="module")
def expected() -> dict:
    return json.loads((GOLDEN / "retrieval.json").read_text())


@pytest.fixture(scope="module")
def batches() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "batches.npz") as arrays_:
        return dict(arrays_)


def problem(n: int = 80, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    vectors = rng.standard_normal((classes, 6))[labels] + 1.5 * rng.standard_normal((n, 6))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


@golden
@pytest.mark.parametrize("tag", "AB")
@pytest.mark.filterwarnings("ignore:.*their AP is 0")
def test_golden_figures_without_the_query_itself(batches, expected, tag):
    wanted = expected[f"float_self_excluded/{tag}"]
    vectors, labels = batches[f"X{tag}"], batches[f"y{tag}"]
    found = {name: np.nanmean(v) for name, v in self_retrieval(vectors, labels, normalize=False).items()}
    for k, hits in wanted["recall_hit"].items():
        assert found[f"recall@{k}"] == pytest.approx(hits, abs=1e-12)
    assert found["r_precision"] == pytest.approx(wanted["r_precision"], abs=1e-12)
    assert found["map@r"] == pytest.approx(wanted["map_at_r"], abs=1e-12)
    alone = np.bincount(labels)[labels] == 1
    others = hierarchical_retrieval(vectors, labels, np.eye(labels.max() + 1), (1,), 5)["AP"]
    assert np.mean(others[~alone]) == pytest.approx(wanted["map"], abs=1e-12)
    assert np.isnan(self_retrieval(vectors, labels)["map@r"]).tolist() == alone.tolist()
    neighbours = np.concatenate([order for _, order in ordering.nearest_first(vectors, np.arange(len(labels)), 5)])
    assert neighbours.tolist() == wanted["neighbours"]


@golden
def test_golden_r_precision_of_codes(expected):
    """Codes of one database looked up by others: R-precision is precision@R, one query at a time."""
    with np.load(GOLDEN / "codes.npz") as arrays_:
        queries, database, asked, labels = (arrays_[x] for x in ("q_codes", "d_codes", "q_labels", "d_labels"))
    precision, average = [], []
    for code, label in zip(queries, asked, strict=True):
        relevant = int((labels == label).sum())
        if relevant:
            options = {"ties": "index", "denominator": "relevant", "ks": (relevant,)}
            found = hamming_retrieval(code[None], database, label[None], labels, relevant, **options)
            precision.append(found[f"precision@{relevant}"])
            average.append(found["map"])
    assert np.mean(precision) == pytest.approx(expected["r_precision"]["pml"], abs=1e-12)
    assert np.mean(average) == pytest.approx(expected["r_precision"]["map_at_r_pml"], abs=1e-12)


@golden
@pytest.mark.parametrize("k", [1, 3, 5])
def test_golden_votes(batches, expected, k):
    vectors, labels = batches["XA"], batches["yA"]
    wanted = expected["knn_sklearn"]["results"][str(k)]
    found = knn_predictions(vectors[::2], labels[::2], k, vectors[1::2])
    assert found.tolist() == wanted["pred"]
    assert np.mean(found == labels[1::2]) == pytest.approx(wanted["acc"])


def test_of_equally_near_items_the_lower_index_votes():
    vectors = np.repeat([[0.0, 0.1], [1, 0.3]], 40, axis=0)
    labels = np.tile([3, 1], 40)
    assert knn_predictions(vectors, labels, 1, vectors).tolist() == [3] * 80
    assert knn_predictions(vectors, labels, 1)[:3].tolist() == [1, 3, 3]  # the first has no vote of its own


@golden
def test_golden_clusters(expected):
    wanted = expected["clustering"]
    found = partition_agreement(wanted["assign"], wanted["labels"])
    assert found == pytest.approx({"nmi": wanted["NMI"], "ami": wanted["AMI"]}, abs=1e-12)


def naive(vectors: np.ndarray, labels: np.ndarray, i: int, k: int) -> dict[str, float]:
    others = [j for j in range(len(labels)) if j != i]
    others.sort(key=lambda j: (((vectors[i] - vectors[j]) ** 2).sum(), j))
    right = [bool(labels[j] == labels[i]) for j in others]
    total = sum(right)
    if not total:
        return {f"recall@{k}": np.nan, "r_precision": np.nan, "map@r": np.nan}
    precision = [sum(right[: place + 1]) / (place + 1) for place in range(total) if right[place]]
    return {
        f"recall@{k}": float(any(right[:k])),
        "r_precision": sum(right[:total]) / total,
        "map@r": sum(precision) / total,
    }


@st.composite
def small(draw):
    n = draw(st.integers(2, 12))
    vectors = draw(arrays(np.int64, (n, 2), elements=st.integers(-2, 2)))  # many equal distances
    return vectors, draw(arrays(np.int64, n, elements=st.integers(0, 3))), draw(st.integers(1, n - 1))


@settings(deadline=None)
@given(small())
def test_every_figure_is_its_definition(case):
    vectors, labels, k = case
    found = self_retrieval(vectors, labels, (k,), normalize=False, ties="index")
    for i in range(len(labels)):
        assert {name: v[i] for name, v in found.items()} == pytest.approx(naive(vectors, labels, i, k), nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(small())
def test_of_equals_every_order_is_as_likely(case):
    vectors, labels, k = case
    vectors, labels, k = vectors[:5], labels[:5], min(k, len(labels[:5]) - 1)
    orders = [list(order) for order in itertools.permutations(range(len(labels)))]
    found = self_retrieval(vectors, labels, (k,), normalize=False)
    for i in range(len(labels)):
        drawn = [naive(vectors[order], labels[order], order.index(i), k) for order in orders]
        expected = {name: np.mean([each[name] for each in drawn]) for name in drawn[0]}
        assert {name: v[i] for name, v in found.items()} == pytest.approx(expected, nan_ok=True)


def test_a_collapsed_model_is_measured_as_chance_is():
    labels = np.repeat(np.arange(5), 6)
    found = self_retrieval(np.ones((30, 3)), labels, (1, 4))
    assert {name: v.mean() for name, v in found.items()} == pytest.approx(self_retrieval_chance(labels, (1, 4)))


def test_blocks_change_nothing(monkeypatch):
    vectors, labels = problem()
    whole = self_retrieval(vectors, labels), database_precision(vectors[:30], labels[:30], vectors, labels)
    monkeypatch.setattr(kith.similarity, "BLOCK", 7 * len(labels))
    monkeypatch.setattr(ordering, "CACHED", 3 * len(labels))
    parts = self_retrieval(vectors, labels), database_precision(vectors[:30], labels[:30], vectors, labels)
    for name, values in whole[0].items():
        np.testing.assert_allclose(parts[0][name], values, atol=1e-14)
    np.testing.assert_allclose(parts[1], whole[1], atol=1e-14)


def test_average_precision_over_a_database_is_scikit_learns():
    vectors, labels = problem()
    found = database_precision(vectors[:20], labels[:20], 3 * vectors[20:], labels[20:])
    for i in range(20):
        wanted = average_precision_score(labels[20:] == labels[i], vectors[20:] @ vectors[i])
        assert found[i] == pytest.approx(wanted, abs=1e-12)


def test_equal_items_of_a_database_count_as_codes_do():
    rng = np.random.default_rng(0)
    codes, labels = rng.choice([-1, 1], (60, 5)), rng.integers(3, size=60)
    found = database_precision(codes[:20], labels[:20], codes[20:], labels[20:])
    wanted = hamming_retrieval(codes[:20], codes[20:], labels[:20], labels[20:])["per_query"]["map"]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert np.isnan(database_precision(codes[:2], [0, 9], codes[20:], labels[20:])).tolist() == [False, True]


@pytest.mark.parametrize("k", [1, 4, 7])
def test_votes_are_those_of_scikit_learn(k):
    vectors, labels = problem()
    model = KNeighborsClassifier(k, algorithm="brute").fit(vectors[:50], labels[:50])
    found = knn_predictions(vectors[:50], labels[:50], k, vectors[50:])
    assert found.tolist() == model.predict(vectors[50:]).tolist()
    alone = knn_predictions(vectors, labels, k)
    for i in range(len(labels)):
        rest = np.arange(len(labels)) != i
        assert alone[i] == knn_predictions(vectors[rest], labels[rest], k, vectors[[i]])[0]


def test_clusters_of_well_separated_classes_agree():
    labels = np.repeat([0, 1, 2], 20)
    vectors = np.eye(3)[labels] + 0.01 * np.random.default_rng(0).standard_normal((60, 3))
    assert cluster_agreement(vectors * 7, labels) == pytest.approx({"nmi": 1, "ami": 1})
    mixed = cluster_agreement(vectors, np.tile([0, 1, 2], 20))
    assert abs(mixed["ami"]) < 0.1
    assert cluster_agreement(*problem()) == cluster_agreement(*problem())


def test_chance_is_what_random_orders_reach():
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 3])  # 3 is alone
    level = self_retrieval_chance(labels, (1, 4))
    draws = [self_retrieval(rng.standard_normal((10, 9)), labels, (1, 4)) for _ in range(2000)]
    for name, expected in level.items():
        assert np.nanmean([draw[name] for draw in draws]) == pytest.approx(expected, abs=0.01), name
    assert self_retrieval_chance([0, 0], (1,)) == {"recall@1": 1, "r_precision": 1, "map@r": 1}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda v, y: self_retrieval(v, y[:-1]), "labels: 79 of them, for 80 vectors"),
        (lambda v, y: self_retrieval(v, y, (80,)), "80 items give each 79 answers"),
        (lambda v, y: self_retrieval(v, -1 - y), "labels: row 0 is"),
        (lambda v, y: knn_predictions(v, y, 80), "80 votes asked for, but there are 79"),
        (lambda v, y: database_precision(v, y, v, y[:3]), "database_labels: 3 of them"),
        (lambda v, y: database_precision(v, y, v[:, :2], y), "different dimensions"),
    ],
)
def test_what_does_not_fit_is_named(call, said):
    with pytest.raises(KithError, match=said):
        call(*problem())


def test_class_ids_may_be_as_large_as_they_like():
    random = np.random.default_rng(0)
    vectors, labels = random.normal(size=(12, 4)), random.integers(3, size=12)
    large = labels * 10**10 + 7
    for found, known in (
        (self_retrieval(vectors, large, ks=[1]), self_retrieval(vectors, labels, ks=[1])),
        (self_retrieval_chance(large, ks=[1]), self_retrieval_chance(labels, ks=[1])),
        (classification_metrics(large, np.roll(large, 1)), classification_metrics(labels, np.roll(labels, 1))),
    ):
        assert found.keys() == known.keys()
        for name, values in known.items():
            np.testing.assert_array_equal(found[name], values)
