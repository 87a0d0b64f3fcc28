"""Retrieval by Hamming distance: golden numbers, definitions written with loops, ties by hand."""

import itertools
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from kith import codes
from kith.codes import pack
from kith.errors import KithError
from kith.metrics.hashing import code_statistics, hamming_retrieval

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "metric_hashing"
golden = pytest.mark.skipif(not GOLDEN.exists(), reason="no golden data")
BELOW = {"found": "ap_hashing", "relevant": "ap_total_relevant", "min": "ap_min_R"}


@pytest.fixture(scope="module")
def expected() -> dict:
    return json.loads((GOLDEN / "retrieval.json").read_text())


@pytest.fixture(scope="module")
def problem() -> list[np.ndarray]:
    with np.load(GOLDEN / "codes.npz") as arrays:
        return [arrays[name] for name in ("q_codes", "d_codes", "q_labels", "d_labels")]


def close(found, wanted) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@golden
@pytest.mark.parametrize("cut", [60, 20, 10, 5])
@pytest.mark.parametrize("denominator", BELOW)
def test_average_precision_in_the_order_of_the_index(problem, expected, cut, denominator):
    options = {"topk": cut, "ties": "index", "denominator": denominator}
    zero = hamming_retrieval(*problem, **options, without_relevant="zero")
    wanted = expected[f"map_stable/R{cut}"]
    close(zero["per_query"]["map"], wanted[BELOW[denominator]])
    omitted = hamming_retrieval(*problem, **options)
    assert np.isnan(omitted["per_query"]["map"]).tolist() == [False] * 11 + [True]
    assert omitted["without_relevant"] == zero["without_relevant"] == 1
    if denominator == "found":
        close(zero["map"], wanted["mean_over_all_queries"])
        close(omitted["map"], wanted["mean_over_queries_with_relevant_in_database"])


@golden
@pytest.mark.parametrize(("ties", "name"), [("expected", None), ("optimistic",) * 2, ("pessimistic",) * 2])
def test_average_precision_with_ties(problem, expected, ties, name):
    wanted = expected["map_tie_aware"]
    found = hamming_retrieval(*problem, ties=ties)
    close(found["map"], wanted[name or "mean_queries_with_relevant"])
    if name is None:
        exact = [np.nan if each is None else float(Fraction(each)) for each in wanted["ap_fraction"]]
        close(found["per_query"]["map"], exact)


@golden
@pytest.mark.parametrize("k", [1, 3, 5, 10, 20])
def test_precision_and_recall_at_k(problem, expected, k):
    wanted = expected[f"at_k/{k}"]
    zero = {"ks": (k,), "without_relevant": "zero"}
    stable, fair = (hamming_retrieval(*problem, ties=ties, **zero) for ties in ("index", "expected"))
    close(stable["per_query"][f"precision@{k}"], wanted["precision_stable"])
    close(stable[f"precision@{k}"], wanted["precision_mean_all"])
    close(np.mean(stable["per_query"][f"precision@{k}"] > 0), wanted["hit_rate_mean_all"])
    close(fair["per_query"][f"precision@{k}"], wanted["precision_tie_aware"])
    omitted = hamming_retrieval(*problem, ties="index", ks=(k,))
    close(omitted[f"recall@{k}"], wanted["recall_ir_with_relevant"])
    close(omitted[f"precision@{k}"], wanted["precision_mean_with_relevant"])
    close(hamming_retrieval(*problem, ks=(k,))[f"precision@{k}"], wanted["precision_tie_aware_mean_with_relevant"])


@golden
def test_precision_and_recall_by_radius(problem, expected):
    found = hamming_retrieval(*problem, radii=range(17))
    zero = hamming_retrieval(*problem, radii=range(17), without_relevant="zero")
    for radius in range(4):
        wanted = expected[f"hamming_radius/{radius}"]
        close(zero[f"precision_radius{radius}"], wanted["precision_empty_is_zero_mean_all"])
        close(found[f"precision_radius{radius}"], wanted["precision_mean_with_relevant"])
        close(found[f"recall_radius{radius}"], wanted["recall_mean_with_relevant"])
    wanted = expected["pr_curve_by_radius"]
    for name in ("precision", "recall"):
        close(found["by_radius"][name], wanted[f"{name}_micro"])
        close([found[f"{name}_radius{radius}"] for radius in range(17)], wanted[f"{name}_macro"])


@golden
def test_statistics_of_codes(problem, expected):
    found, wanted = code_statistics(problem[1]), expected["code_stats"]
    close(found["bit_mean"], wanted["bit_mean"])
    close(found["bit_correlation"], wanted["mean_abs_bit_correlation"])
    close(found["bit_imbalance"], np.abs(wanted["bit_mean"]).mean())
    assert found["distinct_codes"] == wanted["distinct_codes"]


def test_statistics_of_a_bit_that_never_changes():
    found = code_statistics(np.array([[1, 1, 1], [1, -1, -1], [1, 1, 1], [1, -1, 1]]))
    assert found["constant_bits"] == 1
    close(found["bit_imbalance"], (1 + 0 + 0.5) / 3)
    close(found["bit_correlation"], np.corrcoef([1, -1, 1, -1], [1, -1, 1, 1])[0, 1])
    assert np.isnan(code_statistics(np.ones((3, 2)))["bit_correlation"])


def test_ties_by_hand():
    """Two of three items at distance 0 are right, then one right at distance 1."""
    database = np.array([[1, 1], [1, 1], [1, 1], [1, -1]])
    case = np.array([[1, 1]]), database, np.array([0]), np.array([1, 0, 0, 0])
    orders = [(0, 1, 1), (1, 0, 1), (1, 1, 0)]
    of_orders = [precision_of((*order, 1)) for order in orders]
    for ties, wanted in (
        ("expected", np.mean(of_orders)),
        ("pessimistic", min(of_orders)),
        ("optimistic", max(of_orders)),
        ("index", of_orders[0]),
    ):
        close(hamming_retrieval(*case, ties=ties)["map"], wanted)
    found = hamming_retrieval(*case, ks=(1, 2), radii=(0, 2))
    close([found["precision@1"], found["precision@2"], found["recall@2"]], [2 / 3, 2 / 3, 4 / 9])
    close([found["precision_radius0"], found["recall_radius0"], found["precision_radius2"]], [2 / 3, 2 / 3, 3 / 4])


def precision_of(right, cut: int | None = None, denominator: str = "found") -> float:
    cut = len(right) if cut is None else cut
    found = [sum(right[: i + 1]) / (i + 1) for i in range(min(cut, len(right))) if right[i]]
    below = {"found": len(found), "relevant": sum(right), "min": min(sum(right), cut)}[denominator]
    return sum(found) / below if below else 0.0


small = st.tuples(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6),
    st.one_of(st.none(), st.integers(1, 7)),
    st.sampled_from(sorted(BELOW)),
)


@settings(deadline=None)
@given(small)
def test_expectation_and_extremes_over_every_order_of_equals(case):
    """Every permutation that keeps the order of distances, one by one."""
    items, cut, denominator = case
    distances, right = np.array([d for d, _ in items]), np.array([r for _, r in items])
    if not right.any():
        right[0] = True
    database = np.where(np.arange(2) < distances[:, None], -1, 1)
    case = np.array([[1, 1]]), database, np.array([1]), right.astype(int)
    orders = [o for o in itertools.permutations(range(len(items))) if (np.diff(distances[list(o)]) >= 0).all()]
    values = [precision_of(right[list(o)].astype(int).tolist(), cut, denominator) for o in orders]
    hits = [[right[list(o)][:k].mean() for k in range(1, len(items) + 1)] for o in orders]
    found = hamming_retrieval(*case, cut, denominator=denominator, ks=range(1, len(items) + 1))
    close(found["map"], np.mean(values))
    close([found[f"precision@{k}"] for k in range(1, len(items) + 1)], np.mean(hits, axis=0))
    stable = np.argsort(distances, kind="stable")
    found = hamming_retrieval(*case, cut, "index", denominator=denominator)
    close(found["map"], precision_of(right[stable].astype(int).tolist(), cut, denominator))
    for ties, first in (("optimistic", ~right), ("pessimistic", right)):
        order = np.lexsort([first, distances])
        found = hamming_retrieval(*case, cut, ties, denominator=denominator)
        close(found["map"], precision_of(right[order].astype(int).tolist(), cut, denominator))
        assert denominator == "found" or (max if ties == "optimistic" else min)(values) == pytest.approx(found["map"])


def random_problem(n: int = 30, m: int = 101, bits: int = 20, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(5, size=n + m)
    values = codes.sign_codes(rng.standard_normal((5, bits))[labels] + rng.standard_normal((n + m, bits)))
    return [values[:n], values[n:], labels[:n], labels[n:]]


def same(first: dict, second: dict) -> None:
    assert first["per_query"].keys() == second["per_query"].keys()
    for name, values in first["per_query"].items():
        np.testing.assert_allclose(values, second["per_query"][name], rtol=0, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("ties", ["expected", "optimistic", "pessimistic", "index"])
@pytest.mark.parametrize("bits", [20, 70, 300])
def test_packed_codes_and_blocks_change_nothing(monkeypatch, ties, bits):
    problem = random_problem(bits=bits)
    whole = hamming_retrieval(*problem, 40, ties, ks=(7,))
    for dtype in (np.uint8, np.uint64):
        packed = [pack(each, dtype) for each in problem[:2]]
        same(hamming_retrieval(*packed, *problem[2:], 40, ties, ks=(7,)), whole)
    monkeypatch.setattr(codes, "CACHED", 250)
    same(hamming_retrieval(*problem, 40, ties, ks=(7,)), whole)


def test_the_expectation_lies_among_shuffled_orders():
    queries, database, asked, labels = random_problem(n=10)
    rng, drawn = np.random.default_rng(1), []
    for _ in range(300):
        order = rng.permutation(len(labels))
        drawn.append(hamming_retrieval(queries, database[order], asked, labels[order], 30, "index")["map"])
    found = hamming_retrieval(queries, database, asked, labels, 30)["map"]
    assert abs(found - np.mean(drawn)) < 4 * np.std(drawn) / np.sqrt(len(drawn))
    low, high = (
        hamming_retrieval(queries, database, asked, labels, 30, ties)["map"] for ties in ("pessimistic", "optimistic")
    )
    assert low < found < high


def test_distances_without_ties_give_the_usual_average_precision():
    rng = np.random.default_rng(0)
    distances = rng.permutation(41)
    database = np.where(np.arange(41) < distances[:, None], -1, 1)
    right = rng.integers(2, size=41)
    for ties in ("expected", "optimistic", "pessimistic", "index"):
        found = hamming_retrieval(np.ones((1, 41)), database, [1], right, ties=ties)["map"]
        assert found == pytest.approx(average_precision_score(right, -distances), abs=1e-12)


@pytest.mark.parametrize("ties", ["expected", "optimistic", "pessimistic", "index"])
def test_a_query_is_no_answer_to_itself(ties):
    queries, _, labels, _ = random_problem()
    found = hamming_retrieval(queries, queries, labels, labels, 9, ties, ks=(5,), exclude_self=True)
    for i in range(len(labels)):
        rest = np.arange(len(labels)) != i
        alone = hamming_retrieval(queries[[i]], queries[rest], labels[[i]], labels[rest], 9, ties, ks=(5,))
        for name, values in found["per_query"].items():
            close(values[i], alone[name])


def test_the_only_item_of_a_class_is_left_out():
    values = np.ones((3, 4))
    found = hamming_retrieval(values, values, [0, 0, 1], [0, 0, 1], exclude_self=True)
    assert found["without_relevant"] == 1
    assert found["relevant"].tolist() == [1, 1, 0]
    close(found["per_query"]["map"], [0.75, 0.75, np.nan])
    nothing = hamming_retrieval(values, values, [0, 1, 2], [3, 3, 3])
    assert np.isnan(nothing["map"])
    assert nothing["without_relevant"] == 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ties": "any"}, "ties 'any' is none of"),
        ({"denominator": "all"}, "or 'all' of"),
        ({"topk": 0}, "topk 0"),
        ({"ks": (102,)}, "up to the 101 answers"),
        ({"exclude_self": True}, "the same items"),
        ({"query_labels": np.zeros(3, int)}, "query_codes have 30 rows, query_labels 3"),
        ({"database_labels": np.full(101, -1)}, "database_labels: row 0 is -1"),
        ({"database_codes": np.ones((101, 21))}, "different lengths: 20 and 21"),
        ({"query_codes": np.zeros((30, 20))}, "row 0 is not all ±1"),
    ],
)
def test_what_does_not_fit_is_named(changed, said):
    names = ("query_codes", "database_codes", "query_labels", "database_labels")
    with pytest.raises(KithError, match=said):
        hamming_retrieval(**dict(zip(names, random_problem(), strict=True)) | changed)
