"""Measures in a taxonomy against their definitions, averaged over every order of what ties."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.codes import hamming_distances
from kith.errors import KithError
from kith.metrics.graded import GradedLists, Grading
from kith.metrics.hierarchical import hierarchical_retrieval
from kith.metrics.metric_learning import database_precision
from kith.metrics.taxonomic import taxonomic_hamming, taxonomic_search, taxonomic_self_search

# Two genera of two species each, and one far from all.
SIMILARITY = np.array(
    [
        [1, 0.75, 0.25, 0.25, 0],
        [0.75, 1, 0.25, 0.25, 0],
        [0.25, 0.25, 1, 0.5, 0],
        [0.25, 0.25, 0.5, 1, 0],
        [0, 0, 0, 0, 1],
    ]
)
KS, CLIP = (1, 2), 3


def definitions(similar, own, grading):
    """Of one list: similarities in its order, and whether each is of the query's class."""
    similar, places = np.array(similar), np.arange(1, len(similar) + 1)
    relevance = similar.copy()
    if grading.by_population:
        relevance = np.array([s / np.count_nonzero(similar == s) for s in similar])
    h_rank = [sum(min(relevance[k], relevance[j]) for j in range(k)) + relevance[k] for k in range(len(similar))]
    gain = similar if grading.levels is None else 2 ** (grading.levels * similar) - 1
    best, ideal = np.cumsum(np.sort(similar)[::-1]), np.sort(gain)[::-1] / np.log2(1 + places)
    precision = np.cumsum(similar) / np.where(best > 0, best, np.inf)
    found = {f"HP@{k}": precision[k - 1] for k in KS}
    clip = min(CLIP, len(similar))
    found[f"AHP@{CLIP}"] = sum((precision[i] + precision[i + 1]) / (2 * CLIP) for i in range(clip - 1))
    found["AHP"] = sum(precision[i] + precision[i + 1] for i in range(len(similar) - 1)) / (2 * len(similar))
    found["HAP"] = sum(h_rank / places) / relevance.sum() if relevance.sum() else 0.0
    found["NDCG"] = sum(gain / np.log2(1 + places)) / ideal.sum() if ideal.sum() else 0.0
    found |= {f"hierarchical_distance@{k}": np.mean(1 - similar[:k]) for k in KS}
    found["mistake_severity"] = np.nan if own[0] else 1 - similar[0]
    return found


def over_all_orders(distances, labels, label, grading):
    """Mean of each definition over the orders of what is at the same distance; of the severity, where it is known."""
    orders = [
        order
        for order in permutations(range(len(labels)))
        if all(distances[a] <= distances[b] for a, b in pairwise(order))
    ]
    each = [
        definitions([SIMILARITY[label, labels[i]] for i in o], [labels[i] == label for i in o], grading) for o in orders
    ]
    means = {}
    for name in each[0]:
        values = np.array([one[name] for one in each])
        means[name] = np.nan if np.isnan(values).all() else np.nanmean(values)
    return means


def compare(found, query, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name][query] == pytest.approx(value, nan_ok=True), name


gradings = st.builds(Grading, by_population=st.booleans(), levels=st.sampled_from([None, 4]), by_index=st.just(False))
classes = st.integers(0, len(SIMILARITY) - 1)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), classes), min_size=2, max_size=4), classes, gradings)
def test_measures_across_modalities_are_their_expectations(candidates, label, grading):
    cosines, labels = zip(*candidates, strict=True)
    vectors = [[cosine, float(cosine == 0)] for cosine in cosines]
    found = taxonomic_search([[2.0, 0.0]], vectors, [label], labels, SIMILARITY, KS, CLIP, grading)
    compare(found, 0, over_all_orders([-c for c in cosines], labels, label, grading))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), classes), min_size=3, max_size=5), gradings)
def test_measures_of_items_are_their_expectations(items, grading):
    features, labels = (np.array(column) for column in zip(*items, strict=True))
    found = taxonomic_self_search(features[:, None], labels, SIMILARITY, KS, CLIP, grading=grading)
    for query in range(len(items)):
        others = np.delete(np.arange(len(items)), query)
        distances = np.square(features[others] - features[query])
        compare(found, query, over_all_orders(distances, labels[others], labels[query], grading))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3), classes), min_size=3, max_size=5))
def test_measures_of_codes_are_their_expectations(items):
    codes, labels = (np.array(column) for column in zip(*items, strict=True))
    found = taxonomic_hamming(codes, codes, labels, labels, SIMILARITY, KS, CLIP, exclude_self=True)
    other = taxonomic_hamming(codes[:1], codes[1:], labels[:1], labels[1:], SIMILARITY, KS, CLIP)
    for query in range(len(items)):
        others = np.delete(np.arange(len(items)), query)
        distances = hamming_distances(codes[[query]], codes[others])[0]
        expected = over_all_orders(distances.astype(int), labels[others], labels[query], Grading())
        compare(found, query, expected)
        if query == 0:
            compare(other, 0, expected)


def test_hierarchical_precision_is_that_of_hierarchical_retrieval():
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((60, 3)).round(1), rng.integers(0, 5, 60)
    found = taxonomic_self_search(features, labels, SIMILARITY, (1, 10), 20)
    other = hierarchical_retrieval(features, labels, SIMILARITY, (1, 10), 20)
    for name in ("HP@1", "HP@10", "AHP@20", "AHP"):
        np.testing.assert_allclose(found[name], other[name], rtol=1e-12)


def test_with_two_grades_hap_is_average_precision():
    rng = np.random.default_rng(1)
    queries, database = rng.standard_normal((20, 4)), rng.standard_normal((50, 4)).round()
    labels, others = rng.integers(0, 3, 20), rng.integers(0, 3, 50)
    found = taxonomic_search(queries, database, labels, others, np.eye(3), (1,), 5)
    np.testing.assert_allclose(found["HAP"], database_precision(queries, labels, database, others), rtol=1e-12)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(2)
    queries, database = rng.standard_normal((30, 4)), rng.standard_normal((20, 4))[rng.integers(0, 20, 40)]
    labels, others = rng.integers(0, 5, 30), rng.integers(0, 5, 40)
    whole = taxonomic_search(queries, database, labels, others, SIMILARITY, KS, CLIP)
    monkeypatch.setattr("kith.similarity.BLOCK", 50)
    parts = taxonomic_search(queries, database, labels, others, SIMILARITY, KS, CLIP)
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-12)


def test_by_index_the_order_of_equals_is_theirs():
    vectors, labels = np.ones((3, 1)), [1, 0, 2]
    by_index = taxonomic_search([[1.0]], vectors, [0], labels, SIMILARITY, (1,), 3, Grading(by_index=True))
    assert by_index["hierarchical_distance@1"].tolist() == [0.25]
    assert taxonomic_search([[1.0]], vectors, [0], labels, SIMILARITY, (1,), 3)[
        "hierarchical_distance@1"
    ] == pytest.approx(1 / 3)


@pytest.mark.parametrize("itself", [True, False])
def test_chance_is_what_constant_vectors_find(itself):
    labels = np.array([0, 0, 1, 2, 3, 3, 4])
    lists = GradedLists(labels, SIMILARITY, KS, CLIP, itself=itself)
    ones = np.ones((7, 1))
    if itself:
        found = taxonomic_self_search(ones, labels, SIMILARITY, KS, CLIP)
    else:
        found = taxonomic_search(ones, ones, labels, labels, SIMILARITY, KS, CLIP)
    level = lists.by_chance(labels)
    del level["mistake_severity"], found["mistake_severity"]  # of one order, those that err count; of all, every query
    assert level == pytest.approx({name: np.nanmean(values) for name, values in found.items()})


def test_nothing_alike_is_worth_nothing():
    found = taxonomic_search([[1.0]], [[1.0], [0.5]], [4], [0, 1], SIMILARITY, (1,), 2)
    assert [found[name].item() for name in ("HP@1", "HAP", "NDCG", "mistake_severity")] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ks": (4,)}, "ks up to the 3 answers"),
        ({"clip": 0}, "clip 0"),
        ({"query_labels": [5]}, "query labels: row 0 is 5"),
        ({"candidate_labels": [0, 1]}, "candidates: 3 of them, with 2 labels"),
        ({"candidate_labels": [0, 1, -1]}, "candidate labels: row 2 is -1"),
        ({"queries": [[np.nan, 1]]}, "queries: row 0 is not finite"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    given = {"queries": [[1.0, 0]], "candidates": np.ones((3, 2)), "query_labels": [0], "candidate_labels": [0, 1, 2]}
    with pytest.raises(KithError, match=message):
        taxonomic_search(**({**given, "similarity": SIMILARITY, "ks": (1,), "clip": 3} | changed))


def test_codes_of_other_lengths_and_items_are_refused():
    codes = np.ones((3, 4))
    with pytest.raises(KithError, match="4 and 2 bits"):
        taxonomic_hamming(codes, codes[:, :2], [0] * 3, [0] * 3, SIMILARITY)
    with pytest.raises(KithError, match="the same items"):
        taxonomic_hamming(codes[:2], codes, [0] * 2, [0] * 3, SIMILARITY, exclude_self=True)


def test_chance_of_mistakes_is_the_mean_over_all_first_answers_that_are_wrong():
    """Classes of other sizes: a query of a large class errs less often, and counts the less."""
    labels = np.array([0] * 6 + [1, 1, 2])
    pairs = [(a, b) for a, b in permutations(range(len(labels)), 2) if labels[a] != labels[b]]
    expected = np.mean([1 - SIMILARITY[labels[a], labels[b]] for a, b in pairs])
    level = GradedLists(labels, SIMILARITY, ks=[1], clip=3, itself=True).by_chance(labels)
    assert level["mistake_severity"] == pytest.approx(expected, rel=1e-12)
