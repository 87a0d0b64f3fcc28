"""Eigenvalues of similarities with and without twins, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.class_embedding import eigen
from kith.taxonomy import Taxonomy


def check(matrix: np.ndarray, count: int) -> None:
    values, vectors = eigen.largest_of_similarity(matrix, count)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix)[::-1][:count], rtol=0, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(count), rtol=0, atol=1e-11)
    np.testing.assert_allclose(matrix @ vectors, vectors * values, rtol=0, atol=1e-11)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 40), st.data())
def test_taxonomies(seed, n, data):
    random = np.random.default_rng(seed)
    taxonomy = Taxonomy.from_edges((int(random.integers(0, i)), i) for i in range(1, n))
    target = taxonomy.similarity()
    check(target, data.draw(st.integers(1, len(target))))


@pytest.mark.parametrize("count", [1, 4, 7])
def test_classes_with_equal_rows_that_are_no_twins(count):
    """0 and 1 are equally like all others, 2 and 3 too, but 0 is more like 2 than 1 is."""
    random = np.random.default_rng(0)
    matrix = random.uniform(0, 0.3, size=(7, 7))
    matrix = (matrix + matrix.T) / 2
    matrix[:2, 4:], matrix[4:, :2] = 0.1, 0.1
    np.fill_diagonal(matrix, 1)
    assert len(set(eigen._twins(matrix)[0].tolist())) == 7
    check(matrix, count)


def test_twins_are_found():
    taxonomy = Taxonomy.from_edges([("r", "a"), ("r", "b"), ("a", "1"), ("a", "2"), ("b", "3"), ("r", "4"), ("a", "5")])
    group, nearest = eigen._twins(taxonomy.similarity())
    assert group.tolist() == [0, 0, 1, 1, 0]  # 3 and 4 are both like nobody
    assert nearest.tolist() == [0.5, 0.5, 0, 0, 0.5]
