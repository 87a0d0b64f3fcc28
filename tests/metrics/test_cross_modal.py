"""Ranks and retrieval figures: recorded references, the naive definition, ties, and what is refused."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from kith import similarity
from kith.errors import KithError
from kith.evaluation.chance import chance_level
from kith.metrics import cross_modal
from kith.metrics.cross_modal import TIES, cross_modal_retrieval, ranks_from_similarity
from kith.metrics.pairs import distance_summary, pair_distances
from kith.metrics.relevance import as_relevance, same_group
from kith.metrics.ties import recall_curve
from kith.similarity import top_candidates, unit_rows

GOLDEN = Path(__file__).resolve().parents[3] / "shared/golden/cca"
CASES = ["gauss500", "gauss2000", "ties500", "ties2000", "multi_1to5", "multi_5to1", "all_equal500"]
RIGHT = {"multi_1to5": np.arange(500).reshape(100, 5), "multi_5to1": np.arange(500) // 5}
KS = (1, 5, 10, 25)
OURS = {
    "mean_dist": "mean_distance",
    "min_dist": "min_distance",
    "max_dist": "max_distance",
    "med_dist": "median_distance",
}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip("the recorded reference results are not here")
    inputs, ranks = np.load(GOLDEN / "retrieval_inputs.npz"), np.load(GOLDEN / "retrieval_ranks.npz")
    return inputs, ranks, json.loads((GOLDEN / "retrieval_metrics.json").read_text())


def recorded_distance(inputs, case):
    """The distances of a case that is not of cosines: all equal, or L1 between integers."""
    if case == "all_equal500":
        return np.full((500, 500), 0.5)
    queries, candidates = inputs[f"{case}_q"].astype(int), inputs[f"{case}_c"].astype(int)
    return sum(np.abs(q[:, None] - c) for q, c in zip(queries.T, candidates.T, strict=True))


def found_figures(inputs, case, ties):
    """What we find in a case: ranks, figures and distances of pairs."""
    if f"{case}_q" in inputs and not case.startswith("ties"):
        queries, candidates = inputs[f"{case}_q"], inputs[f"{case}_c"]
        pairs = slice(0, min(len(queries), len(candidates)))
        distances = pair_distances(queries[pairs], candidates[pairs])
        found = cross_modal_retrieval(queries, candidates, RIGHT.get(case), ties)
    else:
        distance = recorded_distance(inputs, case)
        distances, ranks = np.diag(distance), ranks_from_similarity(-distance, ties=ties)
        # The recorded figures are those of the ranks, also where these are means over ties.
        within = np.stack([ranks <= k for k in KS], axis=1) * 1.0
        found = cross_modal._summary(ranks, 1 / ranks, 1 / ranks, within, KS)
    return found | distance_summary(distances)


def assert_equal_to(found, expected):
    """Every recorded figure equals ours."""
    for name, value in expected.items():
        if name.startswith("hits"):
            assert found[name] == value
        else:
            assert found[OURS.get(name, name.replace("recall", "R"))] == pytest.approx(value, rel=1e-12, abs=1e-15), (
                name
            )


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("case", CASES)
def test_ranks_and_figures_equal_the_recorded_ones(golden, case, ties):
    inputs, ranks, metrics = golden
    found = found_figures(inputs, case, ties)
    np.testing.assert_array_equal(found["ranks"], ranks[f"{case}_{ties}"])
    expected = metrics["cases"][case]["ties"][ties]
    assert len(expected) == (11 if case.startswith("multi") else 15)
    assert_equal_to(found, expected)


@pytest.mark.parametrize("case", CASES)
def test_the_rule_stable_is_the_reference_implementation_with_a_stable_sort(golden, case):
    inputs, _, metrics = golden
    expected = metrics["cases"][case]["peer_stable_argsort"]
    assert len(expected) == 12
    assert_equal_to(found_figures(inputs, case, "stable"), expected)


@pytest.mark.parametrize("case", CASES)
def test_what_an_unstable_sort_reports_lies_between_the_rules(golden, case):
    """The reference implementation's ties fall as its sort, and so the NumPy version, has it."""
    inputs, _, metrics = golden
    best, worst = (found_figures(inputs, case, ties) for ties in ("optimistic", "pessimistic"))
    by_version = json.loads((GOLDEN / "peer_default_by_numpy.json").read_text())
    reported = [metrics["cases"][case]["peer_default_argsort"]]
    reported += [cases[case] for cases in by_version.values() if case in cases]
    assert len(reported) == (3 if case in by_version["1.23.5"] else 1)
    for figures in reported:
        for k in KS:
            assert worst[f"hits@{k}"] <= figures[f"hits@{k}"] <= best[f"hits@{k}"]
        assert worst["mrr"] - 1e-12 <= figures["mrr"] <= best["mrr"] + 1e-12
        assert best["mean_rank"] <= figures["mean_rank"] <= worst["mean_rank"]


@pytest.mark.parametrize(
    ("case", "spoiled", "message"),
    [
        ("nan_query_row7", ("queries",), "queries: row 7 is not finite"),
        ("nan_candidate_col7", ("candidates",), "candidates: row 7 is not finite"),
        ("all_nan", ("queries", "candidates"), r"queries: row 0 is not finite \(500 such rows\)"),
    ],
)
def test_nan_is_refused_where_the_reference_implementation_reports_figures(golden, case, spoiled, message):
    inputs, _, metrics = golden
    sides = {"queries": inputs["gauss500_q"].copy(), "candidates": inputs["gauss500_c"].copy()}
    rows = slice(None) if case == "all_nan" else 7
    for side in spoiled:
        sides[side][rows] = np.nan
    with pytest.raises(KithError, match=message):
        cross_modal_retrieval(**sides)
    with pytest.raises(KithError, match="is not finite"):
        pair_distances(*sides.values())
    reported = metrics["nan_cases_peer_only"][case]["peer_default"]
    assert reported["mean_dist"] is None  # recorded: the figures beside it look sound
    # One query less: what is found without it are the hits that were reported.
    if case == "nan_query_row7":
        kept = np.delete(np.arange(500), 7)
        found = cross_modal_retrieval(sides["queries"][kept], sides["candidates"], kept)
        assert [found[f"hits@{k}"] for k in KS] == [reported[f"hits@{k}"] for k in KS]


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_distances_of_pairs_equal_the_definition(n, d, seed):
    from scipy.spatial.distance import cosine

    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, n, d)) * rng.uniform(0.01, 100, size=(2, n, 1))
    expected = [cosine(a, b) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(pair_distances(first, second), expected, atol=1e-12)
    np.testing.assert_array_equal(pair_distances(first, 4 * first).round(12), 0)
    np.testing.assert_array_equal(pair_distances(first, -first).round(12), 2)
    assert pair_distances(np.zeros((n, d)), second).tolist() == [1] * n


def test_distances_of_single_precision_are_taken_in_double():
    import torch

    first, second = np.random.default_rng(0).normal(size=(2, 50, 64)).astype(np.float32)
    exact = pair_distances(first.astype(float), second.astype(float))
    np.testing.assert_array_equal(pair_distances(first, second), exact)
    np.testing.assert_array_equal(pair_distances(torch.from_numpy(first), torch.from_numpy(second)), exact)


def test_pairs_that_do_not_match_are_refused():
    with pytest.raises(KithError, match=r"the first has the shape \(3, 2\), the second \(2, 2\)"):
        pair_distances(np.ones((3, 2)), np.ones((2, 2)))
    with pytest.raises(KithError, match="second: row 1 is not finite"):
        pair_distances(np.ones((3, 2)), bad(3, 1))
    with pytest.raises(KithError, match="distances: there are none"):
        distance_summary(np.empty(0))


def naive_wrong_before(scores, right, candidate, ties):
    """Wrong candidates before a right one, counted one by one."""
    wrong = [c for c in range(len(scores)) if not right[c]]
    better = sum(scores[c] > scores[candidate] for c in wrong)
    tied = [c for c in wrong if scores[c] == scores[candidate]]
    before = {"optimistic": 0, "pessimistic": len(tied), "stable": sum(c < candidate for c in tied)}
    return better + before[ties]


def naive(scores, right, ties):
    """Rank, reciprocal rank, average precision and whether the rank is ≤ 1 and ≤ 2, of one query by definition."""
    if ties == "mean":
        orders = list(itertools.permutations(range(len(scores))))
        return np.mean([naive(scores[list(o)], right[list(o)], "stable") for o in orders], axis=0)
    ordered = sorted(np.flatnonzero(right), key=lambda c: (-scores[c], c))
    before = [naive_wrong_before(scores, right, c, ties) for c in ordered]
    rank, precision = 1 + before[0], np.mean([(i + 1) / (i + 1 + b) for i, b in enumerate(before)])
    return np.array([rank, 1 / rank, precision, rank <= 1, rank <= 2])


@st.composite
def axes_and_relevance(draw):
    """Vectors along axes: cosines are exactly −1, 0 or 1, so nearly everything ties."""
    n, m = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    choices = [axis * sign * scale for axis in np.eye(3) for sign in (1, -1) for scale in (1, 4)] + [np.zeros(3)]
    vector = st.sampled_from(choices)
    queries, candidates = (np.array(draw(st.lists(vector, min_size=k, max_size=k))) for k in (n, m))
    rows = draw(st.lists(st.sets(st.integers(0, m - 1), min_size=1), min_size=n, max_size=n))
    return queries, candidates, [sorted(row) for row in rows]


@given(axes_and_relevance(), st.sampled_from(TIES))
@settings(max_examples=200, deadline=None)
def test_equals_the_naive_definition(case, ties):
    queries, candidates, rows = case
    right = np.array([np.isin(np.arange(len(candidates)), row) for row in rows])
    scores = np.sign(queries @ candidates.T)
    expected = np.array([naive(s, r, ties) for s, r in zip(scores, right, strict=True)])
    found = cross_modal_retrieval(queries, candidates, right, ties, ks=(1, 2))
    names = ("ranks", "reciprocal_ranks", "average_precision", "found@1", "found@2")
    np.testing.assert_allclose(np.stack([found[name] for name in names], axis=1), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(ranks_from_similarity(scores, right, ties), found["ranks"])
    figures = [found[name] for name in ("mean_rank", "mrr", "map", "R@1", "R@2")]
    assert figures == pytest.approx(expected.mean(axis=0) * [1, 1, 1, 100, 100])
    assert list(100 * recall_curve(found["first"], 2)) == pytest.approx(figures[3:])


@given(axes_and_relevance())
@settings(max_examples=100)
def test_rules_for_ties_are_ordered(case):
    queries, candidates, rows = case
    right = np.array([np.isin(np.arange(len(candidates)), row) for row in rows])
    ranks = {ties: cross_modal_retrieval(queries, candidates, right, ties)["ranks"] for ties in TIES}
    assert (ranks["optimistic"] <= ranks["stable"]).all()
    assert (ranks["stable"] <= ranks["pessimistic"]).all()
    assert (ranks["optimistic"] <= ranks["mean"]).all()
    assert (ranks["mean"] <= (ranks["optimistic"] + ranks["pessimistic"]) / 2).all()


def test_of_equals_the_expected_rank_counts_every_right_one():
    assert ranks_from_similarity(np.zeros((1, 10)), [[0, 1, 2, 3, 4]]) == pytest.approx(1 + 5 / 6)
    found = cross_modal_retrieval(np.zeros((1, 2)), np.ones((10, 2)), [[0, 1, 2, 3, 4]], ks=(1, 6))
    assert (found["R@1"], found["R@6"], found["hits@1"], found["hits@6"]) == (50, 100, 0.5, 1)


def test_average_precision_is_that_of_scikit_learn_without_ties():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    queries, candidates, right = rng.normal(size=(30, 8)), rng.normal(size=(50, 8)), rng.random((30, 50)) < 0.2
    right[:, 0] = True
    found = cross_modal_retrieval(queries, candidates, right)
    scores = unit_rows(queries) @ unit_rows(candidates).T
    expected = [average_precision_score(r, s) for r, s in zip(right, scores, strict=True)]
    np.testing.assert_allclose(found["average_precision"], expected, rtol=1e-12)


def test_right_candidates_do_not_push_one_another_back():
    same = np.ones((4, 2))
    for ties in TIES:
        assert cross_modal_retrieval(np.ones((1, 2)), same, [[0, 1, 2, 3]], ties)["ranks"] == [1]
    assert cross_modal_retrieval(np.ones((1, 2)), same, [[2, 3]], "pessimistic")["ranks"] == [3]


def test_every_form_of_relevance_means_the_same():
    import torch

    rng = np.random.default_rng(1)
    queries, candidates = rng.normal(size=(20, 5)), rng.normal(size=(15, 5))
    right = np.zeros((20, 15), dtype=bool)
    rows = [rng.choice(15, size=3, replace=False) for _ in range(20)]
    for row, columns in zip(right, rows, strict=True):
        row[columns] = True
    forms = [right, rows, np.array(rows), [list(map(int, r)) for r in rows], sp.csr_matrix(right), sp.coo_array(right)]
    forms += [torch.from_numpy(right), torch.tensor(np.array(rows)), as_relevance(right, 20, 15)]
    expected = cross_modal_retrieval(queries, candidates, right)["ranks"]
    for form in forms:
        np.testing.assert_array_equal(cross_modal_retrieval(queries, candidates, form)["ranks"], expected)
    one = np.array([row[0] for row in rows])
    alone = cross_modal_retrieval(queries, candidates, one)["ranks"]
    np.testing.assert_array_equal(cross_modal_retrieval(queries, candidates, one[:, None])["ranks"], alone)
    np.testing.assert_array_equal(cross_modal_retrieval(queries, candidates, one.tolist())["ranks"], alone)


def test_stored_zeros_of_a_sparse_matrix_are_not_right():
    stored = sp.csr_matrix(([1, 0, 1], ([0, 0, 1], [0, 1, 1])), shape=(2, 2))
    assert as_relevance(stored, 2, 2).indices.tolist() == [0, 1]


def test_same_group():
    relevance = same_group(np.array([7, 3, 7]), np.array([3, 7, 5, 7]))
    assert relevance.indptr.tolist() == [0, 2, 3, 5]
    assert relevance.indices.tolist() == [1, 3, 0, 1, 3]
    with pytest.raises(KithError, match="query 1"):
        same_group(np.array([3, 9]), np.array([3, 7]))


def test_tensors_and_small_floats():
    import torch

    rng = np.random.default_rng(2)
    queries, candidates = rng.normal(size=(2, 40, 6)).astype(np.float32)
    expected = cross_modal_retrieval(queries, candidates)["ranks"]
    found = cross_modal_retrieval(torch.tensor(queries, requires_grad=True), torch.tensor(candidates))
    np.testing.assert_array_equal(found["ranks"], expected)
    half = torch.tensor(queries).bfloat16()
    as_float = cross_modal_retrieval(half.float(), candidates)["ranks"]
    np.testing.assert_array_equal(cross_modal_retrieval(half, candidates)["ranks"], as_float)
    assert unit_rows(np.ones((1, 2), dtype=np.float16)).dtype == np.float32
    assert unit_rows(np.ones((1, 2), dtype=np.int8)).dtype == np.float64


def test_lengths_do_not_matter_even_extreme_ones():
    rng = np.random.default_rng(3)
    queries, candidates = rng.normal(size=(2, 50, 4)).astype(np.float32)
    expected = cross_modal_retrieval(queries, candidates)["ranks"]
    for scale in (2.0**-130, 2.0**120):
        found = cross_modal_retrieval(queries * np.float32(scale), candidates)["ranks"]
        assert np.abs(found - expected).max() <= 1  # the smallest numbers have lost digits


def test_a_zero_row_is_similar_to_nothing():
    candidates = np.array([[1.0, 0], [-1, 0], [0, 0]])
    found = cross_modal_retrieval(np.array([[1.0, 0], [0, 0]]), candidates, [2, 0], "mean")
    assert found["ranks"].tolist() == [2, 2]  # after the first; in the middle of three equals


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_candidates_tie_exactly(dtype):
    """Products of equal columns differ in the last bits where a BLAS treats the edge of a matrix differently."""
    rng = np.random.default_rng(4)
    queries = rng.normal(size=(100, 128)).astype(dtype)
    candidates = np.tile(rng.normal(size=128), (1003, 1)).astype(dtype)
    right = np.arange(100) * 10
    assert (cross_modal_retrieval(queries, candidates, right, "optimistic")["ranks"] == 1).all()
    assert (cross_modal_retrieval(queries, candidates, right, "pessimistic")["ranks"] == 1003).all()


def test_blocks_do_not_change_the_result(monkeypatch):
    rng = np.random.default_rng(5)
    queries, candidates = rng.integers(-1, 2, size=(2, 60, 3)).astype(float)
    rows = [rng.choice(60, size=rng.integers(1, 5), replace=False) for _ in range(60)]
    whole = [cross_modal_retrieval(queries, candidates, r, "stable") for r in (None, rows)]
    monkeypatch.setattr(similarity, "BLOCK", 130)
    for right, expected in zip((None, rows), whole, strict=True):
        found = cross_modal_retrieval(queries, candidates, right, "stable")
        np.testing.assert_array_equal(found["ranks"], expected["ranks"])
        np.testing.assert_array_equal(found["average_precision"], expected["average_precision"])


def test_top_candidates_settle_ties_by_index():
    rng = np.random.default_rng(6)
    queries, candidates = np.eye(3)[rng.integers(0, 3, 20)], np.eye(3)[rng.integers(0, 3, 9)]
    found, similarities = top_candidates(queries, candidates, 4)
    scores = queries @ candidates.T
    np.testing.assert_array_equal(found, np.argsort(-scores, axis=1, kind="stable")[:, :4])
    np.testing.assert_array_equal(similarities, np.take_along_axis(scores, found, axis=1))
    assert top_candidates(queries, candidates, 50)[0].shape == (20, 9)


def bad(rows, row):
    vectors = np.ones((rows, 2))
    vectors[row, 1] = np.nan
    return vectors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((bad(5, 3), np.ones((5, 2))), "queries: row 3 is not finite"),
        ((np.ones((5, 2)), bad(5, 2)), "candidates: row 2 is not finite"),
        ((np.ones((5, 2)), np.full((5, 2), np.inf)), "candidates: row 0"),
        ((np.ones((2, 2)), np.ones((3, 2))), "2 queries, 3 candidates: say with `relevant`"),
        ((np.ones((2, 2)), np.ones((2, 3))), "different dimensions: 2 and 3"),
        ((np.ones(2), np.ones((2, 2))), "queries: expected an \\(n, d\\) matrix"),
        ((np.ones((0, 2)), np.ones((0, 2))), "queries: there are none"),
        ((np.ones((2, 2)), np.ones((3, 2)), [[1], []]), "query 1 has no right candidate"),
        ((np.ones((2, 2)), np.ones((3, 2)), np.array([[1, 0, 1], [0, 0, 0]], bool)), "query 1 has no right"),
        ((np.ones((2, 2)), np.ones((3, 2)), [1, 3]), "query 1 names candidate 3, but there are 3"),
        ((np.ones((2, 2)), np.ones((3, 2)), [1, -1]), "query 1 names candidate -1"),
        ((np.ones((2, 2)), np.ones((3, 2)), [1]), "expected the shape \\(2,\\), not \\(1,\\)"),
        ((np.ones((2, 2)), np.ones((3, 2)), [0.5, 1.0]), "integer indices, not float64"),
        ((np.ones((2, 2)), np.ones((3, 2)), np.array([[1, 0, 0], [0, 1, 0]])), "give it as bool"),
        ((np.ones((2, 2)), np.ones((3, 2)), np.ones((3, 2), bool)), "expected the shape \\(2, 3\\)"),
        ((np.ones((2, 2)), np.ones((2, 2)), None, "middle"), "ties: 'middle' is not one of mean"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(KithError, match=message):
        cross_modal_retrieval(*arguments)


@pytest.mark.parametrize(
    "table", [np.eye(2, dtype=int), [[1, 0], [0, 1]], [[1, 1], [0, 1]], np.eye(3, dtype=int).tolist(), np.eye(4)]
)
def test_truth_in_numbers_is_refused(table):
    with pytest.raises(KithError, match="a matrix of 0 and 1 could mean indices; give it as bool"):
        cross_modal_retrieval(np.eye(len(table)), np.eye(len(table)), table)


def test_a_nan_in_a_similarity_matrix_is_refused():
    with pytest.raises(KithError, match="similarity: row 1 has a NaN"):
        ranks_from_similarity(np.array([[1.0, 2.0], [np.nan, 1.0]]))


def test_distances_may_be_infinite():
    similarity_matrix = np.array([[-np.inf, -1.0], [-np.inf, -np.inf]])
    assert ranks_from_similarity(similarity_matrix, ties="mean").tolist() == [2, 1.5]
    both = np.ones((2, 2), dtype=bool)
    assert ranks_from_similarity(similarity_matrix, both, "pessimistic").tolist() == [1, 1]


def test_metrics_do_not_import_torch():
    code = "import sys, kith.metrics.cross_modal, kith.evaluation.gallery; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_chance_is_what_random_orders_reach():
    rng = np.random.default_rng(7)
    right = np.repeat([1, 2, 5], [10, 20, 10])
    relevant = [np.arange(r) for r in right]
    level = chance_level(right, 12, ks=(1, 3, 50))
    drawn = [ranks_from_similarity(rng.random((40, 12)), relevant) for _ in range(500)]
    ranks = np.concatenate(drawn)
    assert level["R@1"] == pytest.approx(100 * np.mean(ranks <= 1), abs=1)
    assert level["R@3"] == pytest.approx(100 * np.mean(ranks <= 3), abs=1)
    assert level["R@50"] == 100
    assert level["mean_rank"] == pytest.approx(ranks.mean(), abs=0.1)
    assert level["mrr"] == pytest.approx(np.mean(1 / ranks), abs=0.01)
    assert level["median_rank"] == np.median(ranks)
    assert chance_level(np.array([1]), 1000)["mean_rank"] == pytest.approx(500.5)


@pytest.mark.parametrize("order", ["C", "F"])
def test_unit_rows_of_a_large_matrix_are_made_in_parts_and_are_the_same(monkeypatch, order):
    rows = np.random.default_rng(0).normal(size=(101, 7)).astype(np.float32, order=order)
    whole = unit_rows(rows)
    monkeypatch.setattr(similarity, "AT_ONCE", 50)
    np.testing.assert_array_equal(unit_rows(rows), whole)
    rows[60, 2] = np.nan
    with pytest.raises(KithError, match="row 60 is not finite"):
        unit_rows(rows)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_queries_and_candidates_that_come_again_change_nothing(seed):
    """Several pictures of a thing have the same texts: what is counted once is what each of them would find."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(6), random.integers(1, 4, 6))
    # Of exact products, so that all tie that can, whatever is multiplied with what.
    texts = np.eye(3)[random.integers(0, 3, 6)][groups]
    pictures = np.eye(3)[random.integers(0, 3, len(groups))] * random.choice([-1, 1], (len(groups), 1))
    order = random.permutation(len(groups))
    for ties in TIES:
        asked = cross_modal_retrieval(texts[order], pictures, same_group(groups[order], groups), ties)
        found = cross_modal_retrieval(pictures, texts[order], same_group(groups, groups[order]), ties)
        cosines = unit_rows(texts[order]) @ unit_rows(pictures).T
        right = groups[order][:, None] == groups
        assert asked["ranks"].tolist() == ranks_from_similarity(cosines, right, ties).tolist()
        assert found["ranks"].tolist() == ranks_from_similarity(cosines.T, right.T, ties).tolist()
        for one, rows in ((asked, texts[order]), (found, pictures)):
            alone = [
                cross_modal_retrieval(rows[[i]], (pictures, texts[order])[one is found], [np.flatnonzero(each)], ties)
                for i, each in enumerate(right if one is asked else right.T)
            ]
            assert one["average_precision"].tolist() == pytest.approx([each["map"] for each in alone])
            assert one["reciprocal_ranks"].tolist() == pytest.approx([each["mrr"] for each in alone])
