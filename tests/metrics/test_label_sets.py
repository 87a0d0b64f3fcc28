"""Relevance by shared labels, against the definitions in loops over every order of equals."""

import itertools
import math

import numpy as np
import pytest

from kith.codes import hamming_distances
from kith.errors import KithError
from kith.metrics.hashing import hamming_retrieval
from kith.metrics.label_sets import class_precision, shared_by_chance, shared_hamming, shared_retrieval
from kith.metrics.relevance import as_sets, labels_or_sets

KS = (1, 2, 4)


def definitions(shared: list[int], ks=KS) -> dict[str, float]:
    """Of one list in one order, item by item: how many labels each shares with the query."""
    right = [r > 0 for r in shared]
    found = {"map": 0.0, "WAP": 0.0}
    for i, r in enumerate(shared, start=1):
        if r:
            found["map"] += sum(right[:i]) / i / sum(right)
            found["WAP"] += sum(shared[:i]) / i / sum(right)
    found["rank"] = float(right.index(True) + 1)
    found["mrr"] = 1 / found["rank"]
    best = sorted(shared, reverse=True)
    for k in ks:
        found[f"R@{k}"] = float(any(right[:k]))
        found[f"precision@{k}"] = sum(right[:k]) / k
        found[f"ACG@{k}"] = sum(shared[:k]) / k
        gained, most = (
            sum((2**r - 1) / math.log2(1 + i) for i, r in enumerate(each[:k], 1)) for each in (shared, best)
        )
        found[f"NDCG@{k}"] = gained / most
    return found


def expected(distances: list[float], shared: list[int], ks=KS) -> dict[str, float] | None:
    """The mean over all orders of the items that keep the order of distances."""
    if not any(shared):
        return None
    runs = [[i for i, d in enumerate(distances) if d == value] for value in sorted(set(distances))]
    lists = [
        definitions([shared[i] for run in orders for i in run], ks)
        for orders in itertools.product(*map(itertools.permutations, runs))
    ]
    return {name: float(np.mean([each[name] for each in lists])) for name in lists[0]}


def drawn(seed: int, n: int, m: int, bits: int = 3, labels: int = 4):
    random = np.random.default_rng(seed)
    codes = random.choice([-1, 1], (n + m, bits)).astype(np.int8)
    sets = random.random((n + m, labels)) < 0.4
    return codes[:n], codes[n:], sets[:n], sets[n:]


def same(found: dict[str, np.ndarray], query: int, wanted: dict[str, float] | None) -> None:
    for name, values in found.items():
        if wanted is None:
            assert np.isnan(values[query]), name
        else:
            assert values[query] == pytest.approx(wanted[name], abs=1e-12), name


@pytest.mark.parametrize("seed", range(4))
def test_codes_over_every_order_of_equals(seed):
    asked, items, of_asked, of_items = drawn(seed, 5, 7)
    found = shared_hamming(asked, items, of_asked, of_items, KS)
    for query, row in enumerate(hamming_distances(asked, items).tolist()):
        shared = [int((of_asked[query] & each).sum()) for each in of_items]
        same(found, query, expected(row, shared))


@pytest.mark.parametrize("seed", range(4))
def test_items_that_look_among_each_other(seed):
    codes, _, sets, _ = drawn(seed, 7, 0)
    by_code = shared_hamming(codes, codes, sets, sets, KS, exclude_self=True)
    padded = np.pad(codes, ((0, 0), (0, 1)), constant_values=1)  # rows of length 2: cosines of equals are equal
    by_cosine = [shared_retrieval(padded.astype(dtype), sets, ks=KS) for dtype in (np.float32, np.float64)]
    for query, row in enumerate(hamming_distances(codes, codes).tolist()):
        others = [i for i in range(7) if i != query]
        shared = [int((sets[query] & sets[i]).sum()) for i in others]
        wanted = expected([row[i] for i in others], shared)
        for found in (by_code, *by_cosine):
            same(found, query, wanted)


def test_a_database_by_cosine():
    random = np.random.default_rng(0)
    vectors, items = random.normal(size=(4, 3)), random.normal(size=(6, 3))
    _, _, asked, known = drawn(1, 4, 6)
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (vectors, items)]
    found = shared_retrieval(vectors, asked, items, known, KS)
    for query, row in enumerate((-unit[0] @ unit[1].T).tolist()):
        same(found, query, expected(row, [int((asked[query] & each).sum()) for each in known]))


def test_items_of_several_vectors_are_as_near_as_the_nearest_two_of_them():
    random = np.random.default_rng(3)
    vectors, items = random.normal(size=(4, 2, 3)), random.normal(size=(6, 2, 3))
    _, _, asked, known = drawn(1, 4, 6)
    unit = [each / np.linalg.norm(each, axis=2, keepdims=True) for each in (vectors, items)]
    found = shared_retrieval(vectors, asked, items, known, KS)
    near = np.einsum("qid,mjd->qmij", *unit).max(axis=(2, 3))
    for query, row in enumerate((-near).tolist()):
        same(found, query, expected(row, [int((asked[query] & each).sum()) for each in known]))


def test_chance_is_what_items_reach_that_are_all_equal():
    _, _, asked, known = drawn(2, 5, 6)
    level = shared_by_chance(asked, known, KS)
    lists = [expected([0] * 6, [int((one & each).sum()) for each in known]) for one in asked]
    for name in level:
        assert level[name] == pytest.approx(np.mean([each[name] for each in lists if each]), abs=1e-12), name
    alone = shared_by_chance(asked, ks=(1,))
    equal = shared_hamming(np.ones((5, 1)), np.ones((5, 1)), asked, asked, (1,), exclude_self=True)
    assert alone["WAP"] == pytest.approx(np.nanmean(equal["WAP"]))


@pytest.mark.parametrize("itself", [False, True], ids=["database", "itself"])
@pytest.mark.parametrize("ties", ["expected", "optimistic", "pessimistic", "index"])
def test_hamming_retrieval_takes_sets_of_labels(ties, itself):
    asked, items, of_asked, of_items = drawn(3, 6, 9)
    of_asked[0] = False  # without any label
    if itself:
        items, of_items = asked, of_asked
    found = hamming_retrieval(asked, items, of_asked, of_items, ties=ties, ks=(2,), exclude_self=itself)
    distances = hamming_distances(asked, items)
    for query in range(6):
        left = [i for i in range(len(items)) if not (itself and i == query)]
        right = {i: bool((of_asked[query] & of_items[i]).any()) for i in left}
        if not any(right.values()):
            assert np.isnan(found["per_query"]["map"][query])
            continue
        inside = [i for i in left if distances[query, i] <= 2]
        within = sum(right[i] for i in inside) / max(1, len(inside))
        assert found["per_query"]["precision_radius2"][query] == pytest.approx(within)
        row = [int(distances[query, i]) for i in left]
        if ties == "expected":
            wanted = expected(row, [int(right[i]) for i in left], (2,))
            assert found["per_query"]["map"][query] == pytest.approx(wanted["map"])
            assert found["per_query"]["precision@2"][query] == pytest.approx(wanted["precision@2"])
        else:
            late = {"optimistic": [not right[i] for i in left], "pessimistic": [right[i] for i in left], "index": left}
            order = [i for _, _, i in sorted(zip(row, late[ties], left, strict=True))]
            assert found["per_query"]["map"][query] == pytest.approx(definitions([right[i] for i in order], ())["map"])
    pairs = [(d, q, i) for q in range(6) for i in range(len(items)) if (d := distances[q, i]) <= 1]
    pairs = [(q, i) for _, q, i in pairs if not (itself and q == i) and found["relevant"][q]]
    share = np.mean([(of_asked[q] & of_items[i]).any() for q, i in pairs])
    assert found["by_radius"]["precision"][1] == pytest.approx(share)


def test_many_shared_labels_are_as_good_as_few():
    sets = np.ones((3, 300), dtype=bool)
    sets[2, 1:] = False
    found = shared_retrieval([[1, 0], [1, 0.1], [0, 1]], sets, ks=[1, 2])
    assert found["NDCG@1"].tolist() == [1.0, 1.0, 1.0]
    assert found["ACG@1"].tolist() == [300.0, 300.0, 1.0]


def test_sets_of_one_label_are_single_labels():
    codes, items, _, _ = drawn(4, 8, 20, bits=5)
    labels = np.random.default_rng(4).integers(3, size=28)
    hot = np.eye(3)[labels]
    one = hamming_retrieval(codes, items, labels[:8], labels[8:], topk=5, ks=(1, 3))
    several = hamming_retrieval(codes, items, hot[:8], hot[8:], topk=5, ks=(1, 3))
    for name, values in one["per_query"].items():
        np.testing.assert_array_equal(values, several["per_query"][name])


def test_the_precision_of_classes():
    scores = np.array([[0.9, 0.5], [0.9, 0.5], [0.1, 0.5], [0.5, 0.5]])
    sets = np.array([[1, 0], [0, 0], [1, 0], [1, 0]])
    found = class_precision(scores, sets)
    wanted = expected([-0.9, -0.9, -0.1, -0.5], [1, 0, 1, 1], ())
    assert found[0] == pytest.approx(wanted["map"])
    assert np.isnan(found[1])
    with pytest.raises(KithError, match=r"scores have the shape \(4, 1\), sets \(4, 2\)"):
        class_precision(scores[:, :1], sets)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: as_sets("sets", [[0, 2]]), "sets: row 0, column 1 is 2, not 0 or 1"),
        (lambda: as_sets("sets", [1, 0]), r"sets: expected \(n, labels\) of 0 and 1, not int64 of the shape \(2,\)"),
        (lambda: labels_or_sets("labels", [[0.5]]), "labels: row 0, column 0 is 0.5"),
        (lambda: shared_retrieval(np.eye(2), [[1]]), "2 queries and 2 items have sets of the shapes"),
        (lambda: shared_retrieval(np.eye(2), [[1], [1]], ks=[2]), "up to the 1 answers"),
        (
            lambda: hamming_retrieval([[1]], [[1]], [[1, 0]], [[1]]),
            r"query_labels have the shape \(1, 2\), database_labels \(1, 1\)",
        ),
    ],
    ids=["two", "flat", "half", "rows", "cutoff", "labels"],
)
def test_what_does_not_fit_is_said(call, said):
    with pytest.raises(KithError, match=said):
        call()
