import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kith.errors import KithError
from kith.search import Index


def naive(similarities: np.ndarray, items: np.ndarray, k: int, keys: np.ndarray, without: int | None) -> list[int]:
    """Items in the order of their vectors' similarity, each key once."""
    seen, found = set(), []
    for row in sorted(range(len(items)), key=lambda row: (-round(float(similarities[row]), 6), row)):
        key = keys[items[row]]
        if items[row] != without and key not in seen:
            seen.add(key)
            found.append(int(items[row]))
    return found[:k]


@st.composite
def searches(draw):
    """Vectors with many ties, items with several of them, groups, a query."""
    n, d = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    number = st.integers(-2, 2)
    vectors = np.array(draw(st.lists(st.lists(number, min_size=d, max_size=d), min_size=n, max_size=n)), np.float32)
    items = np.array(draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)))
    groups = np.array(draw(st.lists(st.integers(0, 3), min_size=10, max_size=10)))
    query = np.array(draw(st.lists(number, min_size=d, max_size=d)), np.float32)
    return vectors, items, groups, query, draw(st.integers(1, 12)), draw(st.none() | st.integers(0, 9))


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


@given(searches(), st.booleans(), st.booleans())
def test_as_a_naive_search_finds_them(search, grouped, codes):
    vectors, items, groups, query, k, without = search
    signs = [np.where(x >= 0, 1.0, -1.0) for x in (vectors, query)]
    similarities = signs[0] @ signs[1] / len(query) if codes else unit(vectors) @ unit(query)
    index = Index(vectors, items, codes=codes)
    found, similar = index.search(query, k, groups=groups if grouped else None, without=without)
    assert found.tolist() == naive(similarities, items, k, groups if grouped else np.arange(10), without)
    best = [similarities[items == item].max() for item in found]
    np.testing.assert_allclose(similar, best, atol=2e-6)


@pytest.mark.parametrize("codes", [True, False])
@pytest.mark.parametrize(("values", "dim", "k"), [(3, 4, 5), (1000, 70, 1), (1000, 300, 24)])
def test_the_first_of_many_are_those_of_a_sort(monkeypatch, values, dim, k, codes):
    monkeypatch.setattr("kith.search.index.BLOCK", 300)
    random = np.random.default_rng(0)
    vectors, query = (random.integers(-values, values, (n, dim)) + 0.5 for n in (1000, 1))
    signs = np.sign(vectors) @ np.sign(query[0]) / dim
    similarities = signs if codes else unit(vectors) @ unit(query[0])
    expected = sorted(range(1000), key=lambda row: (-round(float(similarities[row]), 6), row))[:k]
    found, similar = Index(vectors, np.arange(1000), codes=codes).search(query[0], k)
    assert found.tolist() == expected
    np.testing.assert_allclose(similar, similarities[expected], atol=1e-6)


def test_of_a_query_that_is_no_number_there_is_no_code():
    with pytest.raises(KithError, match="NaN"):
        Index(np.eye(3), np.arange(3), codes=True).search(np.array([1, np.nan, 0]), 1)


@pytest.mark.parametrize("length", [8, 127, 129])
def test_a_query_of_another_length_is_no_code(length):
    with pytest.raises(KithError, match=f"has {length} numbers, and the codes have 128 bits"):
        Index(np.ones((3, 128)), np.arange(3), codes=True).search(np.ones(length), 1)


def test_among_no_codes_nothing_is_found():
    found, similarities = Index(np.empty((0, 128)), np.empty(0), codes=True).search(np.ones(128), 1)
    assert len(found) == len(similarities) == 0


def test_codes_of_more_bits_than_a_word():
    random = np.random.default_rng(0)
    vectors, query = random.normal(size=(50, 70)), random.normal(size=70)
    _, similar = Index(vectors, np.arange(50), codes=True).search(query, 50)
    expected = np.sort((np.sign(vectors) @ np.sign(query)) / 70)[::-1]
    np.testing.assert_allclose(similar, expected)


def test_a_graph_finds_nearly_what_an_exact_search_does():
    vectors = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    items = np.arange(3000) // 2
    exact, graph = (Index(vectors, items, method=method) for method in ("exact", "hnsw"))
    shared = 0
    for query in vectors[:50]:
        (expected, similar), (found, similar_too) = exact.search(query, 10), graph.search(query, 10)
        shared += len(np.intersect1d(expected, found))
        assert similar_too[0] == pytest.approx(similar[0], abs=1e-5)
        assert (np.diff(similar_too) <= 0).all()
        assert len(set(found.tolist())) == 10
    assert shared >= 0.97 * 500


def test_a_size_decides_on_the_graph(monkeypatch):
    monkeypatch.setattr("kith.search.index.EXACT_UP_TO", 20)
    kinds = [type(Index(np.eye(n), np.arange(n))._ranking).__name__ for n in (20, 21)]
    assert kinds == ["_Exact", "_Graph"]


def test_vectors_and_items_belong_together():
    with pytest.raises(KithError, match="3 vectors cannot belong to 2 items"):
        Index(np.eye(3), np.arange(2))
    with pytest.raises(KithError, match="row 1 is not finite"):
        Index(np.array([[1.0], [np.nan]]), np.arange(2))


@pytest.mark.parametrize("method", ["float32", "float16", "int8", "pq8", "hnsw", "itq", "signs@8"])
def test_what_an_index_finds_is_ranked_by_the_vectors(method):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(300, 16)).astype(np.float32)
    items, groups = np.arange(300) // 2, np.arange(150) // 3
    exact, index = Index(vectors, items, method="exact"), Index(vectors, items, method=method)
    shares = []
    for query in random.normal(size=(20, 16)).astype(np.float32):
        found, similarities = index.search(query, 10, groups=groups, without=3)
        assert (np.diff(similarities) <= 0).all()
        cosines = unit(vectors) @ unit(query)
        places = cosines.reshape(150, 2).max(axis=1)[found]
        if method in ("float32", "float16", "int8", "hnsw"):
            np.testing.assert_allclose(similarities, places, atol=1e-6)  # the nearest of an item's vectors
        assert 3 not in found
        assert len(set(groups[found])) == len(found) == 10
        wanted = exact.search(query, 10, groups=groups, without=3)[0]
        shares.append(len(set(wanted) & set(found)) / 10)
    assert np.mean(shares) > (0.99 if method in ("float32", "float16", "int8", "hnsw") else 0.8)


def test_codes_have_no_other_index():
    with pytest.raises(KithError, match="are codes, and searched as such: leave the index int8 out"):
        Index(np.eye(3), np.arange(3), codes=True, method="int8")


def test_an_index_that_there_is_not_is_named():
    with pytest.raises(KithError, match="no index is called 'fast'"):
        Index(np.eye(3), np.arange(3), method="fast")


@pytest.mark.parametrize("method", ["hnsw", "faiss"])
def test_all_are_found_whatever_a_graph_leads_to(method, monkeypatch):
    """Many equal vectors are linked to each other alone."""
    random = np.random.default_rng(0)
    vectors = np.concatenate([np.tile(random.normal(size=(4, 8)), (400, 1)), random.normal(size=(400, 8))])
    items, query = np.arange(len(vectors)), random.normal(size=8)
    exact = Index(vectors, items)
    graph = Index(vectors, items, method="hnsw")
    if method == "faiss":
        import kith.indexes

        monkeypatch.setattr(kith.indexes, "build", lambda name, unit: Forgetful(len(unit)))
        graph = Index(vectors, items, method="flat")
    for k in (len(vectors), len(vectors) - 1):
        found, similar = graph.search(query, k)
        assert len(found) == len(set(found.tolist())) == k
        np.testing.assert_allclose(similar, exact.search(query, k)[1], atol=2e-6)
    allowed = np.arange(len(vectors)) % 7 == 0
    assert set(graph.search(query, len(vectors), allowed=allowed)[0].tolist()) == set(np.flatnonzero(allowed).tolist())


class Forgetful:
    """An index that finds every other vector."""

    def __init__(self, count: int):
        self.count = count

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        found = np.full((1, k), -1)
        found[0, : k // 2] = np.arange(self.count)[::2][: k // 2]
        return found, np.zeros((1, k), np.float32)
