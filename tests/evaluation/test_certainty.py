"""Intervals, tests and places over queries and trainings: against explicit loops, and by simulation."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kith.evaluation import separation
from kith.evaluation.catalogue import Ranking
from kith.evaluation.certainty import Answers, CompareOptions, certainty
from kith.evaluation.components import components, moderated
from kith.evaluation.needed import needed
from kith.evaluation.places import letters, name_of, places
from kith.evaluation.separation import separate
from kith.evaluation.statistics import bootstrap_interval

RANKING = Ranking(("a",), "")


def crossed(random, effects, seeds, clusters, each=1, spread=(0.0, 1.0, 0.5)):
    """Answers of methods with these true means: luck of trainings, of queries (shared), and of both; `each` queries a
    cluster, alike but for a little noise."""
    by_seed, by_query, by_both = spread
    methods = len(effects)
    values = np.asarray(effects, float)[:, None, None] + by_seed * random.normal(size=(methods, seeds, 1))
    own = by_query * random.normal(size=(methods, 1, clusters)) + by_query * random.normal(size=clusters)
    values = values + own + by_both * random.normal(size=(methods, seeds, clusters))
    values = np.repeat(values, each, axis=2)
    values += 0.1 * random.normal(size=values.shape) * (each > 1)
    names = [f"m{number}" for number in range(methods)]
    return Answers(names, values, np.zeros(values.shape[2], int), np.repeat(np.arange(clusters), each))


def measured(answers):
    return components(answers.values, answers.directions, answers.clusters)


def apart(answers, draws=999, **options):
    return separate(measured(answers), answers.methods, draws, **options)


def test_components_in_loops():
    random = np.random.default_rng(0)
    values = random.random((2, 3, 40))
    directions, clusters = random.permutation(np.repeat([0, 1], [25, 15])), random.permutation(np.arange(40) % 11)
    found = components(values, directions, clusters)
    parts = np.zeros((2, 3, 11))
    means = np.zeros((2, 3))
    for m in range(2):
        for s in range(3):
            of = [values[m, s][directions == d].mean() for d in (0, 1)]
            means[m, s] = np.mean(of)
            for q in range(40):
                parts[m, s, clusters[q]] += (values[m, s, q] - of[directions[q]]) / (25, 15)[directions[q]] / 2
    np.testing.assert_allclose(found.means, means.mean(axis=1))
    np.testing.assert_allclose(found.parts, parts.mean(axis=1), atol=1e-15)
    np.testing.assert_allclose(found.parts.sum(axis=1), 0, atol=1e-14)
    pooled, freedom = moderated(means.var(axis=1, ddof=1), 2)
    np.testing.assert_allclose(found.seeds, pooled)
    assert found.freedom == freedom
    by_both = [sum(parts[m, :, g].var(ddof=1) for g in range(11)) * 11 / 10 for m in range(2)]
    np.testing.assert_allclose(found.mixed, by_both)


def test_the_linearised_variance_is_that_of_a_bootstrap():
    random = np.random.default_rng(1)
    answers = crossed(random, [0.0], 1, 150, each=3)
    found = measured(answers)
    linear = np.sqrt((found.parts[0] ** 2).sum() * 150 / 149)
    low, high = bootstrap_interval(answers.values[0, 0], answers.clusters, resamples=4000)
    assert 2 * 1.96 * linear == pytest.approx(high - low, rel=0.06)
    drawn = stats.bootstrap((answers.values[0, 0].reshape(150, 3).mean(axis=1),), np.mean, rng=0, n_resamples=4000)
    assert linear == pytest.approx(drawn.standard_error, rel=0.06)


def test_variances_that_are_alike_are_pooled_and_wild_ones_are_not():
    same, freedom = moderated(np.array([1.0, 1.1, 0.9, 1.0]), 2)
    np.testing.assert_allclose(same, 1.0)
    assert freedom == 8
    wild = np.array([1e-6, 1.0, 1e6, 3.0, 1e-3])
    left, freedom = moderated(wild, 2)
    assert 2 < freedom < 3
    assert (np.argsort(left) == np.argsort(wild)).all()
    assert left[2] > 0.5 * wild[2]
    np.testing.assert_array_equal(moderated(np.array([0.0, 0.3]), 4)[0], [0.0, 0.3])
    assert moderated(np.array([0.0, 1.0, 1.0]), 2)[0].tolist() == [0.0, 1.0, 1.0]


def test_moderation_finds_the_law_that_variances_were_drawn_from():
    """Smyth's model: 1/σ² is χ² with 8 degrees / (8 · 2), s² of 2 degrees each."""
    random = np.random.default_rng(2)
    true = 8 * 2 / random.chisquare(8, 100_000)
    seen = true * random.chisquare(2, 100_000) / 2
    found, freedom = moderated(seen, 2)
    assert freedom == pytest.approx(2 + 8, rel=0.1)
    assert np.mean((found - true) ** 2) < 0.5 * np.mean((seen - true) ** 2)


def naive_p(answers, draws, seed):
    """The same draws of signs, with every difference measured anew from what each cluster adds."""
    found = measured(answers)
    n = found.clusters
    signs = np.concatenate(list(separation._signs(n, draws, 1, seed)))
    pairs = list(combinations(range(len(found.means)), 2))
    largest = np.zeros(draws)
    for row, drawn in enumerate(signs):
        for i, j in pairs:
            changed = drawn * (found.parts[i] - found.parts[j])
            variance = n / (n - 1) * ((changed - changed.mean()) ** 2).sum()
            largest[row] = max(largest[row], changed.sum() ** 2 / variance)
    p = {}
    for i, j in pairs:
        own = found.parts[i] - found.parts[j]
        reach = largest * (own**2).sum() * n / (n - 1)
        p[i, j] = (np.count_nonzero(reach >= (found.means[i] - found.means[j]) ** 2) + 1) / (draws + 1)
    return p


@pytest.mark.parametrize("each", [1, 3])
def test_p_of_one_training_in_loops(each):
    answers = crossed(np.random.default_rng(3), [0.0, 0.3, 0.5], 1, 25, each)
    found = apart(answers, 199, seed=5)
    for (i, j), p in naive_p(answers, 199, 5).items():
        assert found.p[i, j] == found.p[j, i] == pytest.approx(p)


def test_two_methods_of_one_training_agree_with_scipy():
    random = np.random.default_rng(4)
    a = random.normal(size=60)
    b = a + 0.3 * random.normal(size=60) - 0.08
    answers = Answers(["a", "b"], np.stack([a, b])[:, None], np.zeros(60, int), np.arange(60))
    expected = stats.ttest_rel(a, b).pvalue
    assert 0.01 < expected < 0.3
    assert apart(answers, 20_000).p[0, 1] == pytest.approx(expected, abs=0.012)


def test_many_seeds_and_few_queries_agree_with_a_t_test():
    """Where queries do not differ, the luck of the trainings alone decides: two samples with a shared variance."""
    random = np.random.default_rng(5)
    means = random.normal(size=(2, 4)) + [[0], [1.2]]
    values = np.repeat(means[:, :, None], 30, axis=2)
    answers = Answers(["a", "b"], values, np.zeros(30, int), np.arange(30))
    variances = means.var(axis=1, ddof=1)
    pooled, freedom = moderated(variances, 3)
    assert freedom == 6
    np.testing.assert_allclose(pooled, variances.mean())
    assert apart(answers, 40_000).p[0, 1] == pytest.approx(stats.ttest_ind(*means).pvalue, abs=0.01)


def test_interval_and_p_say_the_same():
    for trial in range(20):
        answers = crossed(
            np.random.default_rng(trial), [0.0, 0.2, 0.4], 1 + 2 * (trial % 2), 30, spread=(0.05, 0.5, 0.5)
        )
        found = apart(answers, 199, significance=0.1)
        np.testing.assert_array_equal(found.p <= 0.1, (np.abs(found.difference) > found.half) & ~np.eye(3, dtype=bool))


def test_blocks_do_not_change_the_draws(monkeypatch):
    answers = crossed(np.random.default_rng(6), [0.0, 0.1, 0.2], 3, 37, spread=(0.1, 1, 1))
    whole = apart(answers, 501)
    monkeypatch.setattr(separation, "BLOCK", 90)
    parts = apart(answers, 501)
    np.testing.assert_allclose(parts.p, whole.p)
    np.testing.assert_allclose(parts.half, whole.half, rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.permutations(range(4)))
def test_order_of_methods_queries_and_seeds_changes_nothing(seed, trainings, order):
    random = np.random.default_rng(seed)
    answers = crossed(random, [0.0, 0.2, 0.5, 0.5], trainings, 12, spread=(0.2, 1, 0.5))
    options = CompareOptions(bootstrap=50, permutations=99)
    table, pairs = certainty(answers, RANKING, options)
    values = answers.values[list(order)][:, random.permutation(trainings)]
    other = answers._replace(methods=[answers.methods[m] for m in order], values=values)
    again, pairs_again = certainty(other, RANKING, options)
    again = again.loc[table.index]
    assert again["letters"].tolist() == table["letters"].tolist()
    numbers = [name for name in table if name != "letters"]
    np.testing.assert_allclose(again[numbers].astype(float), table[numbers].astype(float), rtol=1e-9)
    assert pairs[["first", "second"]].equals(pairs_again[["first", "second"]])
    np.testing.assert_allclose(pairs.iloc[:, 2:].astype(float), pairs_again.iloc[:, 2:].astype(float), rtol=1e-6)


def covered(trials, spread, seeds=3, methods=3, clusters=60, seed=0):
    """How often each kind of interval holds the truth, and how often all places are true. All means but one are 0."""
    random = np.random.default_rng(seed)
    effects = np.zeros(methods)
    effects[-1] = 0.3
    inside, together, right = [], [], []
    for trial in range(trials):
        answers = crossed(random, effects, seeds, clusters, spread=spread)
        options = CompareOptions(bootstrap=200, permutations=199, seed=trial, bootstrap_seed=trial)
        table, pairs = certainty(answers, RANKING, options)
        inside.append((table["low"] <= effects) & (effects <= table["high"]))
        true = [effects[int(a[1:])] - effects[int(b[1:])] for a, b in zip(pairs["first"], pairs["second"], strict=True)]
        together.append(((pairs["low"] <= true) & (true <= pairs["high"])).all())
        # The last is the best; the others share all other places.
        right.append(table["place low"].iloc[-1] == 1 and (table["place high"].iloc[:-1] == methods).all())
    return np.mean(inside), np.mean(together), np.mean(right)


@pytest.mark.parametrize(
    "spread", [(0.0, 1.0, 1.0), (0.1, 1.0, 0.5), (1.0, 0.5, 0.5)], ids=["no luck of seeds", "both", "seeds alone"]
)
def test_intervals_of_three_seeds_hold_the_truth(spread):
    """95 % nominal; tolerance: 92 to 99.5 of 100, of intervals one by one, and all differences, all places."""
    inside, together, right = covered(150, spread)
    assert 0.92 <= inside <= 0.995
    assert together >= 0.92
    assert right >= 0.92


def test_intervals_of_one_training_hold_for_that_training_alone():
    """Where trainings differ, the truth beyond this one is missed far more often than 5 times in 100."""
    assert covered(100, (0.0, 1.0, 0.5), seeds=1)[0] >= 0.90
    assert covered(100, (0.3, 1.0, 0.5), seeds=1)[0] < 0.8


def test_one_training_of_equals_is_told_apart_too_often_and_three_are_not():
    """What p of one training knows nothing of: it is small for methods that are the same in truth."""
    random = np.random.default_rng(7)
    found = {
        seeds: np.mean([
            apart(crossed(random, [0, 0], seeds, 100, spread=(0.1, 0.5, 0.5)), 199).p[0, 1] <= 0.05 for _ in range(200)
        ])
        for seeds in (1, 3)
    }  # fmt: skip
    assert found[1] > 0.15
    assert found[3] <= 0.08


def test_more_methods_make_each_difference_less_sure():
    answers = crossed(np.random.default_rng(8), [0.0, 0.3], 1, 80)
    more = crossed(np.random.default_rng(9), np.zeros(8), 1, 80)
    all_of_them = Answers(
        [*answers.methods, *(f"n{number}" for number in range(8))],
        np.concatenate([answers.values, more.values]),
        answers.directions,
        answers.clusters,
    )
    assert apart(all_of_them).p[0, 1] > apart(answers).p[0, 1]


def test_equals_one_cluster_and_few_draws():
    values = np.random.default_rng(10).random((2, 1, 9))
    same = Answers(["a", "b"], np.stack([values[0]] * 2), np.zeros(9, int), np.arange(9))
    assert apart(same).p.tolist() == [[1, 1], [1, 1]]
    alone = Answers(["a", "b"], values, np.zeros(9, int), np.zeros(9, int))
    assert apart(alone).p[0, 1] == 1
    table, pairs = certainty(alone, RANKING, CompareOptions(bootstrap=10, permutations=10))
    assert table["letters"].tolist() == ["a", "a"]
    assert pairs["low"].isna().all()
    assert not np.isfinite(apart(same._replace(values=values), 5).half[0, 1])
    one = Answers(["a"], values[:1], np.zeros(9, int), np.arange(9))
    table, pairs = certainty(one, RANKING, CompareOptions(bootstrap=10, permutations=10))
    assert table[["place low", "place high", "letters"]].values.tolist() == [[1, 1, "a"]]
    assert pairs.empty


def test_letters_and_places_by_hand():
    means = np.array([5.0, 4, 3, 2])
    differ = np.zeros((4, 4), bool)
    for i, j in [(0, 2), (0, 3), (1, 3)]:
        differ[i, j] = differ[j, i] = True
    assert letters(means, differ) == ["a", "ab", "bc", "c"]
    first, last = places(means, differ)
    assert first.tolist() == [1, 1, 2, 3]
    assert last.tolist() == [2, 3, 4, 4]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9))
def test_letters_are_shared_just_by_those_that_do_not_differ(seed, methods):
    random = np.random.default_rng(seed)
    drawn = np.triu(random.random((methods, methods)) < 0.5, 1)
    differ = drawn | drawn.T
    found = letters(random.random(methods), differ)
    for i, j in combinations(range(methods), 2):
        assert bool(set(found[i]) & set(found[j])) != differ[i, j]
    used = set("".join(found))
    assert used == {name_of(number) for number in range(len(used))}


def test_as_many_as_are_needed_tell_two_apart():
    """With the numbers that are told, the difference is found about 80 times in 100."""
    random = np.random.default_rng(11)
    spread = (0.05, 0.3, 0.5)
    found = []
    for _ in range(20):
        answers = crossed(random, [0.0, 0.2], 4, 400, spread=spread)
        known, together = measured(answers), apart(answers, 999)
        exact = replace(together, difference=np.array([[0, -0.2], [0.2, 0]]))
        found.append(needed(known, exact, 0, 1))
    clusters, seeds = np.median(found, axis=0)
    assert 2 <= seeds <= 8
    trials = [
        apart(crossed(random, [0, 0.2], int(seeds), int(clusters), spread=spread), 199).p[0, 1] for _ in range(200)
    ]
    assert 0.65 <= np.mean(np.array(trials) <= 0.05) <= 0.95


def test_what_is_needed_of_one_training_and_of_equals():
    answers = crossed(np.random.default_rng(12), [0.0, 0.2], 1, 100)
    known, together = measured(answers), apart(answers, 99)
    clusters, seeds = needed(known, together, 0, 1)
    quantiles = together.critical + stats.norm.ppf(0.8)
    by_hand = 100 * quantiles**2 * together.by_queries[0, 1] / together.difference[0, 1] ** 2
    assert clusters == pytest.approx(by_hand, rel=1e-3, abs=1)
    assert np.isnan(seeds)
    same = answers._replace(values=np.stack([answers.values[0]] * 2))
    assert needed(measured(same), apart(same, 99), 0, 1).clusters == np.inf


def test_one_group_of_queries_does_not_say_how_many_are_needed():
    values = np.random.default_rng(0).normal([[0.0], [0.2]], 1, (2, 50))[:, None]
    found = components(values, np.zeros(50, int), np.zeros(50, int))
    assert all(np.isnan(needed(found, separate(found, ["a", "b"], 99), 0, 1)))
