"""Semantic neighbourhoods against the naive definition, dense and sparse, with groups, ties and gaps."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.errors import KithError
from kith.evaluation.gallery import GallerySide, item_means
from kith.metrics.neighborhood import neighborhood_quality, others


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)


def naive(learned, semantic, groups, k):
    """recall: |learned neighbours ∩ semantic ones| / k; ndcg with the clipped similarity as gain. No ties."""
    near, meaning = unit(learned) @ unit(learned).T, unit(semantic) @ unit(semantic).T
    recall, ndcg = [], []
    for i in range(len(learned)):
        pool = [j for j in range(len(learned)) if groups[j] != groups[i] and semantic[j].any()]
        found = sorted(pool, key=lambda j: (-near[i, j], j))[:k]
        best = [j for j in sorted(pool, key=lambda j: (-meaning[i, j], j))[:k] if meaning[i, j] > 0]
        if not semantic[i].any() or not best:
            recall.append(np.nan)
            ndcg.append(np.nan)
            continue
        recall.append(len(set(found) & set(best)) / len(best))
        gains = [[max(meaning[i, j], 0) / np.log2(r + 2) for r, j in enumerate(order)] for order in (found, best)]
        ndcg.append(sum(gains[0]) / sum(gains[1]))
    return np.array(recall), np.array(ndcg)


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=80)
def test_equals_the_naive_definition(seed, k):
    rng = np.random.default_rng(seed)
    n = 14
    learned, semantic, groups = rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), rng.integers(0, 9, n)
    semantic[rng.integers(0, n, 2)] = 0
    if others(semantic, groups) < k:
        with pytest.raises(KithError, match=f"{k} nearest items asked for"):
            neighborhood_quality(learned, semantic, groups, k)
        return
    found = neighborhood_quality(learned, semantic, groups, k)
    recall, ndcg = naive(learned, semantic, groups, k)
    np.testing.assert_allclose(found["recall"], recall, rtol=1e-9)
    np.testing.assert_allclose(found["ndcg"], ndcg, rtol=1e-9)


def test_a_space_keeps_its_own_neighbourhoods():
    vectors = np.abs(np.random.default_rng(0).normal(size=(50, 4)))
    found = neighborhood_quality(vectors, vectors, np.arange(50), 7)
    np.testing.assert_array_equal(found["recall"], 1)
    np.testing.assert_allclose(found["ndcg"], 1)


def test_the_order_of_equals_does_not_matter():
    """Six items equal in meaning: any of them is a right neighbour, whichever k the index would prefer."""
    semantic = np.repeat(np.eye(2), 6, axis=0)
    learned = semantic + 0.01 * np.random.default_rng(1).normal(size=semantic.shape)
    found = neighborhood_quality(learned, semantic, np.arange(12), 3)
    assert (found["recall"] == 1).all()
    np.testing.assert_allclose(found["ndcg"], 1)


def test_of_learned_equals_every_order_is_as_likely():
    rng = np.random.default_rng(3)
    learned, semantic = rng.integers(0, 2, (6, 2)) + 0.0, np.abs(rng.normal(size=(6, 2)))
    learned[3] = 0
    found = neighborhood_quality(learned, semantic, np.arange(6), 2)
    drawn = []
    for order in map(list, itertools.permutations(range(6))):
        drawn.append([each[np.argsort(order)] for each in naive(learned[order], semantic[order], np.arange(6), 2)])
    recall, ndcg = np.mean(drawn, axis=0)
    np.testing.assert_allclose(found["recall"], recall, rtol=1e-9)
    np.testing.assert_allclose(found["ndcg"], ndcg, rtol=1e-9)
    assert not np.allclose(found["recall"], naive(learned, semantic, np.arange(6), 2)[0])


def test_sparse_vectors_give_what_dense_ones_give():
    rng = np.random.default_rng(2)
    semantic = rng.random((60, 30)) * (rng.random((60, 30)) < 0.15)
    semantic[3] = 0
    learned, groups = rng.normal(size=(60, 5)), rng.integers(0, 40, 60)
    dense = neighborhood_quality(learned, semantic, groups, 5)
    sparse = neighborhood_quality(learned, sp.csr_matrix(semantic), groups, 5)
    for name in ("recall", "ndcg"):
        np.testing.assert_allclose(sparse[name], dense[name], rtol=1e-12)
        assert np.isnan(sparse[name][3])
        assert np.nanmax(sparse[name]) <= 1 + 1e-12


def test_others_counts_items_of_other_groups_that_mean_something():
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.2], [0, 0], [1, 0.3]])
    assert others(vectors, np.array([0, 0, 1, 2, 3])) == 2


def test_a_bad_row_is_named():
    vectors = np.ones((4, 2))
    vectors[2, 0] = np.nan
    with pytest.raises(KithError, match="semantic vectors: row 2"):
        neighborhood_quality(np.ones((4, 2)), vectors, np.arange(4), 1)
    with pytest.raises(KithError, match="semantic vectors: row 2"):
        neighborhood_quality(np.ones((4, 2)), sp.csr_matrix(vectors), np.arange(4), 1)


def test_several_texts_count_as_their_mean():
    side = GallerySide(
        np.array([[3.0, 0], [0, 1], [0, 2]]), np.array([4, 4, 9]), np.array([0, 0, 1]), np.array([0, 1, 0])
    )
    means = item_means(side)
    np.testing.assert_allclose(means.vectors, [[0.5**0.5, 0.5**0.5], [0, 1]])
    assert means.items.tolist() == [4, 9]
    assert means.groups.tolist() == [0, 1]
