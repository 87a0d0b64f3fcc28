"""Indexes against a search by hand: what they find, in which order, and the bytes that they hold."""

import sys

import numpy as np
import pytest
import torch

from kith.codes import hamming_distances, sign_codes
from kith.errors import KithError
from kith.indexes import build, known
from kith.indexes.faiss import GraphIndex
from kith.indexes.kinds import empty
from kith.models.code_heads import ItqHead
from kith.similarity import unit_rows

N, D, M = 600, 32, 40
EVERY = ["float32", "float16", "int8", "pq8", "signs", "itq", "itq16", "hnsw", "float32@16", "int8@16", "signs@20"]


def made(count: int = N, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32)


VECTORS, QUERIES = made(), made(M, 1)
COSINES = unit_rows(QUERIES.astype(np.float64)) @ unit_rows(VECTORS.astype(np.float64)).T


def by_hand(scores: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def test_float32_is_a_search_by_hand():
    rows, similarities = build("float32", VECTORS).search(QUERIES, 10)
    np.testing.assert_array_equal(rows, by_hand(COSINES, 10))
    np.testing.assert_allclose(similarities, np.take_along_axis(COSINES, rows, axis=1), atol=1e-6)


@pytest.mark.parametrize(("name", "error"), [("float16", 1e-3), ("int8", 1e-2)])
def test_fewer_bits_change_similarities_by_little(name, error):
    rows, similarities = build(name, VECTORS).search(QUERIES, 10)
    assert np.abs(similarities - np.take_along_axis(COSINES, rows, axis=1)).max() < error
    last = np.sort(COSINES, axis=1)[:, -10]
    assert (np.take_along_axis(COSINES, rows, axis=1) >= last[:, None] - 2 * error).all()


def test_signs_are_ranked_by_hamming_distance_and_by_row():
    distances = hamming_distances(sign_codes(QUERIES), sign_codes(VECTORS)).astype(int)
    rows, similarities = build("signs", VECTORS).search(QUERIES, 20)
    np.testing.assert_array_equal(rows, by_hand(-distances, 20))
    np.testing.assert_allclose(similarities, 1 - 2 * np.take_along_axis(distances, rows, axis=1) / D, atol=1e-6)


def test_itq_is_the_head_of_the_models():
    torch.manual_seed(0)
    head, unit = ItqHead(D, 16), unit_rows(VECTORS)
    head.fit(torch.from_numpy(unit))
    codes = [sign_codes(head(torch.from_numpy(each))) for each in (unit_rows(QUERIES), unit)]
    rows = build("itq16", VECTORS).search(QUERIES, 5)[0]
    np.testing.assert_array_equal(rows, by_hand(-hamming_distances(*codes).astype(int), 5))


def test_product_quantisation_scores_what_it_stores():
    index = build("pq8", VECTORS)
    stored = index.inner.reconstruct_n(0, N)
    rows, similarities = index.search(QUERIES, N)
    scores = unit_rows(QUERIES) @ stored.T
    np.testing.assert_allclose(similarities, np.take_along_axis(scores, rows, axis=1), atol=1e-5)
    assert len(np.unique(stored[:, :4], axis=0)) <= 256  # centroids of a part
    np.testing.assert_array_equal(rows, build("pq8", VECTORS).search(QUERIES, N)[0])  # and learns the same again


def test_a_graph_finds_more_with_more_effort():
    vectors = made(3000)
    exact, graph = build("float32", vectors).search(QUERIES, 10)[0], build("hnsw", vectors)
    assert isinstance(graph, GraphIndex)
    shares = []
    for graph.effort in (10, 40, 400):
        found = graph.search(QUERIES, 10)[0]
        shares.append(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, exact, strict=True)]))
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.98


def test_a_prefix_is_a_search_of_cut_vectors():
    rows, similarities = build("float32@16", VECTORS).search(QUERIES, 10)
    expected = build("float32", VECTORS[:, :16]).search(QUERIES[:, :16], 10)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_allclose(similarities, expected[1], atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_vectors_may_come_in_parts(name):
    whole, parts = build(name, VECTORS), empty(name, D)
    parts.fit(VECTORS)
    for start in range(0, N, 250):
        parts.add(VECTORS[start : start + 250])
    assert len(parts) == len(whole) == N
    assert parts.bytes_an_item == whole.bytes_an_item
    for a, b in zip(parts.search(QUERIES, 7), whole.search(QUERIES, 7), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", EVERY)
def test_where_there_are_fewer_than_asked_for_rows_are_missing(name):
    index = empty(name, D)
    index.fit(VECTORS)
    assert (index.search(QUERIES, 3)[0] == -1).all()
    index.add(VECTORS[:2])
    rows, similarities = index.search(QUERIES, 4)
    assert sorted(rows[0, :2]) == [0, 1]
    assert (rows[:, 2:] == -1).all()
    assert np.isneginf(similarities[:, 2:]).all()
    assert np.isfinite(similarities[:, :2]).all()


@pytest.mark.parametrize(
    ("name", "each", "fixed"),
    [
        ("float32", 4 * D, 0),
        ("float16", 2 * D, 0),
        ("int8", D, 2 * 4 * D),
        ("pq8", 8, 256 * D * 4),
        ("signs", 8, 0),
        ("itq16", 8, 4 * D * 16 + 4 * D),
        ("float32@16", 64, 0),
        ("int8@16", 16, 2 * 4 * 16),
    ],
)
def test_bytes_are_those_that_are_held(name, each, fixed):
    index = build(name, VECTORS)
    assert (index.bytes_an_item, index.fixed_bytes) == (each, fixed)


@pytest.mark.parametrize("name", ["float16", "int8", "pq8", "hnsw"])
def test_bytes_are_those_of_the_file_that_faiss_writes(name):
    import faiss

    index = build(name, VECTORS)
    written = len(faiss.serialize_index(index.inner))
    held = index.bytes_an_item * len(index) + index.fixed_bytes
    assert 0 <= written - held < 2000  # the head of the file


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("int4", "no index is called 'int4'; there are float32,"),
        ("pq", "no index is called 'pq'"),
        ("pq7", "pq7: vectors of 32 numbers cannot be cut into 7 equal parts"),
        ("itq40", "codes of vectors of 32 numbers have 1 to 32 bits, not 40"),
        ("float32@32", "float32@32: vectors of 32 numbers have no first 32"),
        ("float32@0", "have no first 0"),
    ],
)
def test_names_that_do_not_fit_are_refused(name, problem):
    with pytest.raises(KithError, match=problem):
        build(name, VECTORS)


def test_a_name_is_known_before_there_are_vectors():
    assert known("pq16@64") == "pq16@64"
    with pytest.raises(KithError, match="no index is called 'faiss'"):
        known("faiss")


def test_vectors_that_do_not_fit_are_refused():
    index = build("float32", VECTORS)
    bad = VECTORS[:3].copy()
    bad[1, 0] = np.nan
    for given, problem in [
        (VECTORS[:, :5], r"rows of 32 numbers, not the shape \(600, 5\)"),
        (VECTORS[0], "rows of 32 numbers"),
        (bad, "row 1 is not finite"),
    ]:
        with pytest.raises(KithError, match=problem):
            index.add(given)
        with pytest.raises(KithError, match=problem):
            index.search(given, 1)
    with pytest.raises(KithError, match="at least 1 answer"):
        index.search(QUERIES, 0)


@pytest.mark.parametrize("name", ["int8", "pq8", "itq"])
def test_what_has_to_learn_says_so(name):
    with pytest.raises(KithError, match="has to be fitted before vectors are added"):
        empty(name, D).add(VECTORS)


def test_too_few_vectors_to_learn_from_are_refused():
    with pytest.raises(KithError, match="pq8: 100 vectors to learn from; 256 centroids need as many"):
        build("pq8", VECTORS[:100])


def test_without_faiss_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    for name in ("float16", "int8", "pq8", "hnsw"):
        with pytest.raises(KithError, match=rf"^{name} is of FAISS.*pip install -r requirements-indexes.txt"):
            build(name, VECTORS)
    assert build("float32", VECTORS).search(QUERIES, 1)[0].shape == (M, 1)
