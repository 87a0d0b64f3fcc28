"""Metrics of an index's answers against loops, and what a cost is made of."""

import numpy as np
import pytest

from kith.errors import KithError
from kith.indexes import build
from kith.indexes.cost import AT, CostMaterial, gigabytes, measured, usual
from kith.indexes.growth import enlarged, growth, memory
from kith.indexes.kinds import empty
from kith.indexes.quality import ClassQuestions, PairQuestions, of_classes, of_pairs, recall
from kith.similarity import unit_rows

N, D, K = 60, 16, 5
RANDOM = np.random.default_rng(0)
VECTORS = unit_rows(RANDOM.normal(size=(N, D)).astype(np.float32))
GROUPS = np.repeat(np.arange(N // 2), 2)
TEXTS = unit_rows((VECTORS + 0.25 * RANDOM.normal(size=(N, D))).astype(np.float32))
LABELS = np.where(np.arange(N) < 55, np.arange(N) % 6, -1)
SIMILARITY = np.maximum(np.eye(6), np.where(np.arange(6)[:, None] // 3 == np.arange(6) // 3, 0.5, 0.0))
ANSWERS = np.argsort(-(TEXTS @ VECTORS.T), axis=1, kind="stable")


def test_metrics_of_pairs_are_their_definitions():
    found = of_pairs(build("float32", VECTORS), PairQuestions(TEXTS, GROUPS, GROUPS), K)
    for query in range(N):
        right = [GROUPS[row] == GROUPS[query] for row in ANSWERS[query][:K]]
        ranks = [place + 1 for place, hit in enumerate(right) if hit]
        precisions = [(i + 1) / rank for i, rank in enumerate(ranks)]
        assert found["mrr"][query] == pytest.approx(1 / ranks[0] if ranks else 0)
        assert found["map"][query] == pytest.approx(sum(precisions) / 2)  # two of each group
    assert 0.5 < found["mrr"].mean() < 1


def test_metrics_of_classes_are_their_definitions():
    asking = np.flatnonzero(LABELS >= 0)
    found = of_classes(build("float32", VECTORS), VECTORS, ClassQuestions(asking, LABELS, SIMILARITY), K)
    for place, query in enumerate(asking):
        order = [row for row in np.argsort(-(VECTORS[query] @ VECTORS.T), kind="stable") if row != query][:K]
        worth = [SIMILARITY[LABELS[query], LABELS[row]] if LABELS[row] >= 0 else 0 for row in order]
        others = [row for row in range(N) if row != query and LABELS[row] >= 0]
        best = sorted((SIMILARITY[LABELS[query], LABELS[row]] for row in others), reverse=True)[:K]
        hits = [place + 1 for place, row in enumerate(order) if LABELS[row] == LABELS[query]]
        same = sum(LABELS[row] == LABELS[query] for row in others)
        assert found["hp"][place] == pytest.approx(sum(worth) / sum(best))
        assert found["class_map"][place] == pytest.approx(
            sum((i + 1) / rank for i, rank in enumerate(hits)) / min(same, K)
        )


def test_what_finds_nothing_is_worth_nothing():
    index = build("float32", VECTORS[:2])
    found = of_pairs(index, PairQuestions(TEXTS[:1], np.array([99]), GROUPS[:2]), K)
    assert (found["mrr"].item(), found["map"].item()) == (0, 0)


def test_recall_is_the_share_of_the_exact_answers():
    assert recall(np.array([[3, 1, -1]]), np.array([[1, 2, 3]])) == pytest.approx(2 / 3)
    assert recall(np.array([[-1, 1]]), np.array([[1, -1]])) == 1
    assert recall(np.array([[-1]]), np.array([[-1]])) == 1


def test_growth_of_a_line_and_of_a_logarithm_is_exact():
    line = growth({n: 0.5 + 2e-6 * n for n in (25_000, 50_000, 100_000)}, "n")
    assert line.at(10**6) == pytest.approx(2.5)
    assert line.at(10**8) == pytest.approx(200.5)
    walk = growth({n: 0.1 + 0.02 * np.log(n) for n in (25_000, 50_000, 100_000)}, "log n")
    assert walk.at(10**8) == pytest.approx(0.1 + 0.02 * np.log(10**8))
    built = growth({n: 1e-5 * n * np.log(n) for n in (25_000, 50_000, 100_000)}, "n log n")
    assert built.at(10**6) == pytest.approx(10 * np.log(10**6))


def test_growth_of_noise_never_falls():
    assert growth({1000: 3.0, 2000: 2.0}, "n").at(4000) == pytest.approx(4.0)
    assert growth({1000: 3.0, 2000: 2.0}, "log n").at(4000) == 2.0


@pytest.mark.parametrize(
    "times", [{}, {1000: 1.0}, {1000: 0.0, 2000: 1.0}, {1000: np.nan, 2000: 1.0}, {1: 1.0, 9: 2.0}]
)
def test_growth_needs_times(times):
    with pytest.raises(KithError, match="growth needs times"):
        growth(times, "n")


def test_memory_is_arithmetic():
    assert memory(8, 1024, 10**6) == 8_001_024
    assert gigabytes({"bytes": 128, "fixed_bytes": 0}, 10**8) == 12.8


def test_more_vectors_lie_where_those_are_that_there_are():
    more = enlarged(VECTORS, 500)
    assert more.shape == (500, D)
    np.testing.assert_allclose(np.linalg.norm(more, axis=1), 1, atol=1e-6)
    assert len(np.unique(more, axis=0)) == 500
    assert sorted((more[:N] @ VECTORS.T).argmax(axis=1)) == list(range(N))  # first those themselves
    np.testing.assert_allclose((more[:N] @ VECTORS.T).max(axis=1), 1, atol=1e-6)
    cosines = (more[N:] @ VECTORS.T).max(axis=1)
    assert cosines.min() > 0.6
    assert cosines.mean() == pytest.approx(1.25**-0.5, abs=0.03)
    np.testing.assert_array_equal(more, enlarged(VECTORS, 500))
    with pytest.raises(KithError, match="no vectors"):
        enlarged(VECTORS[:0], 5)


def material() -> CostMaterial:
    classes = ClassQuestions(np.flatnonzero(LABELS >= 0), LABELS, SIMILARITY)
    more = np.concatenate([VECTORS, enlarged(VECTORS, 340)])
    return CostMaterial(VECTORS, enlarged(VECTORS, 300), more, PairQuestions(TEXTS, GROUPS, GROUPS), classes)


def test_a_cost_has_each_effort_and_marks_what_is_extrapolated():
    on = material()
    qualities, times = measured("hnsw", on, K)
    assert [row["effort"] for row in qualities] == [16, 64, 256]
    exact = of_pairs(build("float32", VECTORS), on.pairs, K)["mrr"].mean()
    assert qualities[-1]["mrr"] == pytest.approx(exact)
    assert {row["vectors"] for row in qualities} == {N}
    sizes = {row["vectors"]: row["extrapolated"] for row in times if row["effort"] == 64}
    assert sizes == {N: False, 100: False, 200: False, 400: False, AT[0]: True, AT[1]: True}
    assert all(row["query_ms"] > 0 and row["build_s"] > 0 for row in times)


def test_qualities_repeat_and_are_of_the_vectors_searched():
    on = material()
    for name in ("float32", "int8", "pq4", "itq", "signs", "hnsw"):
        assert measured(name, on, K)[0] == measured(name, on, K)[0]
    direct = of_pairs(build("int8", VECTORS, on.learn), on.pairs, K)["map"].mean()
    assert measured("int8", on, K)[0][0]["map"] == pytest.approx(direct)


def test_without_questions_the_exact_answers_are_what_counts():
    on = CostMaterial(VECTORS, VECTORS, VECTORS)
    row = measured("float32", on, K)[0][0]
    assert (row["mrr"], row["hp"], row["recall"]) == (None, None, 1.0)


def test_usual_indexes_fit_their_vectors(monkeypatch):
    for dim in (2, 6, 16, 64, 100, 256, 384, 768):
        for name in usual(dim):
            empty(name, dim)  # or it is refused
    assert usual(64, [8, 16])[1:3] == ["float32@16", "float32@8"]
    assert not [name for name in usual(64, learn=100) if name.startswith("pq")]
    monkeypatch.setattr("kith.indexes.cost.installed", lambda: False)
    assert usual(64) == ["float32", "float32@32", "float32@16", "signs", "itq"]
