import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from kith import neighbors
from kith.neighbors import nearest, neighbor_graph, recall


def naive(vectors, k, groups):
    """Neighbours by the definition, one row at a time."""
    norms = np.linalg.norm(vectors, axis=1)
    found = np.full((len(vectors), k), -1)
    for i in range(len(vectors)):
        others = [j for j in range(len(vectors)) if groups[j] != groups[i] and norms[j] > 0 and norms[i] > 0]
        others.sort(key=lambda j: (-vectors[i] @ vectors[j] / (norms[i] * norms[j]), j))
        found[i, : min(k, len(others))] = others[:k]
    return found


@settings(max_examples=25)
@given(st.integers(2, 30), st.integers(1, 8), st.integers(1, 12), st.integers(0, 2**31))
def test_exact_equals_the_definition(n, k, n_groups, seed):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(n, 6)).astype(np.float32)
    vectors[random.random(n) < 0.1] = 0
    groups = random.integers(n_groups, size=n)
    indices, similarities = neighbor_graph(vectors, k, "exact", groups)
    np.testing.assert_array_equal(indices, naive(vectors.astype(np.float64), k, groups))
    assert (similarities[indices < 0] == 0).all()
    assert (np.diff(np.where(indices >= 0, similarities, -2), axis=1) <= 0).all()
    assert indices.dtype == np.int32
    assert similarities.dtype == np.float32


def test_nearest_of_some_rows_leaves_out_self_group_and_zero_rows():
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.2], [0, 0], [1, 0.3]])
    found, similarities = neighbors.nearest(vectors, np.array([1, 2, 3]), 2, np.array([0, 0, 1, 2, 3]))
    assert found.tolist() == [[2, 4], [4, 1], [-1, -1]]
    assert (similarities[2] == 0).all()


def test_of_equals_the_lower_rows_are_taken():
    vectors = np.repeat(np.random.default_rng(0).normal(size=(3, 7)), 20, axis=0).astype(np.float32)
    indices = neighbor_graph(vectors, 5)[0]
    assert indices[0].tolist() == [1, 2, 3, 4, 5]
    assert indices[3].tolist() == [0, 1, 2, 4, 5]
    assert indices[59].tolist() == [40, 41, 42, 43, 44]


@pytest.mark.parametrize("kind", ["distinct", "rounded", "mostly zero", "few"])
@pytest.mark.parametrize("k", [1, 7])
def test_the_highest_of_long_rows_are_those_of_a_sort(kind, k):
    random = np.random.default_rng(0)
    rows = random.normal(size=(40, 500)).astype(np.float32)
    if kind == "rounded":
        rows = np.round(rows, 1)
    if kind == "mostly zero":
        rows[random.random(rows.shape) < 0.98] = 0
    if kind == "few":
        rows[:20, k - 1 :] = -np.inf
    expected = np.argsort(-rows, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(neighbors._top(rows, k), expected)
    np.testing.assert_array_equal(neighbors._top(rows.astype(np.float64), k), expected)


def test_blocks_do_not_change_the_result(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(101, 5)).astype(np.float32)
    whole = neighbor_graph(vectors, 7)
    monkeypatch.setattr(neighbors, "AT_ONCE", 9)
    blocked = neighbor_graph(vectors, 7)
    np.testing.assert_array_equal(whole[0], blocked[0])
    np.testing.assert_allclose(whole[1], blocked[1], rtol=1e-6)


def test_sparse_equals_dense():
    vectors = np.random.default_rng(1).random((60, 30)) * (np.random.default_rng(2).random((60, 30)) < 0.2)
    dense = neighbor_graph(vectors.astype(np.float32), 5)
    sparse = neighbor_graph(sp.csr_matrix(vectors), 5)
    np.testing.assert_allclose(dense[1], sparse[1], atol=1e-6)


def test_hnsw_reaches_the_recall_and_excludes_groups():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(800, 12)).astype(np.float32)
    groups = np.arange(800) // 4
    graph = neighbor_graph(vectors, 10, "hnsw", groups, min_recall=0.95)
    assert recall(graph, vectors, groups) >= 0.95
    assert not (groups[graph[0]] == groups[:, None]).any()
    again = neighbor_graph(vectors, 10, "hnsw", groups, min_recall=0.95)
    np.testing.assert_array_equal(graph[0], again[0])


def test_hnsw_below_the_wanted_recall_is_an_error(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    monkeypatch.setattr(neighbors, "recall_of", lambda found, exact: 0.5)
    with pytest.raises(ValueError, match="below min_recall"):
        neighbor_graph(vectors, 5, "hnsw")


def test_recall_counts_what_is_missing():
    vectors = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    indices, similarities = neighbor_graph(vectors, 4)
    assert recall((indices, similarities), vectors) == 1
    indices[:, 2:], similarities[:, 2:] = -1, 0
    assert recall((indices, similarities), vectors) == pytest.approx(0.5)


@pytest.mark.parametrize("method", ["exact", "hnsw"])
def test_where_nothing_has_a_meaning_there_are_no_neighbors(method):
    vectors = np.zeros((5, 3), np.float32)
    indices, similarities = graph = neighbor_graph(vectors, 2, method)
    assert (indices == -1).all()
    assert (similarities == 0).all()
    assert recall(graph, vectors) == 1
    assert nearest(vectors, np.array([], int), 2)[0].shape == (0, 2)
