"""Intervals against scipy and naive forms, and by simulation: do they hold what they promise?"""

import numpy as np
import pytest
from scipy import stats

import kith.evaluation.statistics as statistics
from kith.errors import KithError
from kith.evaluation.estimates import estimate, interval
from kith.evaluation.statistics import Resamples, bootstrap_interval, percentile_interval


def naive_draws(values, clusters, resamples, seed, statistic):
    """The same draws, each made by writing out its queries."""
    n = clusters.max() + 1
    weights = np.concatenate(list(Resamples(n, resamples, seed).weights(n))).astype(int)
    return np.array([statistic(np.repeat(values, w[clusters])) for w in weights])


@pytest.mark.parametrize("sizes", ["one", "many"])
def test_draws_equal_written_out_resamples(sizes):
    rng = np.random.default_rng(0)
    clusters = np.arange(40) if sizes == "one" else rng.permutation(np.repeat(np.arange(15), rng.integers(1, 6, 15)))
    values = rng.integers(1, 9, len(clusters)).astype(float)
    draws = Resamples(clusters.max() + 1, 200, 3)
    np.testing.assert_allclose(draws.means(values, clusters), naive_draws(values, clusters, 200, 3, np.mean))
    np.testing.assert_allclose(draws.medians(values, clusters), naive_draws(values, clusters, 200, 3, np.median))


def test_each_draw_takes_as_many_clusters_as_there_are():
    weights = np.concatenate(list(Resamples(37, 500, 0).weights(37)))
    assert weights.shape == (500, 37)
    assert (weights.sum(axis=1) == 37).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.2)
    assert weights.var() == pytest.approx(36 / 37, rel=0.05)


def test_blocks_do_not_change_the_draws(monkeypatch):
    rng = np.random.default_rng(1)
    values, clusters = rng.normal(size=(60, 2)), rng.integers(0, 21, 60)
    draws = Resamples(21, 101, 5)
    means, medians = draws.means(values, clusters), draws.medians(values[:, 0], clusters)
    monkeypatch.setattr(statistics, "BLOCK", 70)
    np.testing.assert_allclose(draws.means(values, clusters), means, rtol=1e-12)
    np.testing.assert_array_equal(draws.medians(values[:, 0], clusters), medians)


def test_columns_share_their_draws_and_nan_is_left_out():
    rng = np.random.default_rng(2)
    values, clusters = rng.normal(size=(50, 3)), rng.integers(0, 10, 50)
    values[:20, 2] = np.nan
    draws = Resamples(10, 100, 0)
    table = draws.means(values, clusters)
    for column in (0, 1):
        np.testing.assert_allclose(table[:, column], draws.means(values[:, column], clusters))
    np.testing.assert_allclose(table[:, 2], draws.means(values[20:, 2], clusters[20:]))
    np.testing.assert_array_equal(draws.medians(values[:, 2], clusters), draws.medians(values[20:, 2], clusters[20:]))


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_interval_agrees_with_scipy(statistic):
    values = np.random.default_rng(3).exponential(size=120)
    low, high = bootstrap_interval(values, statistic=statistic, resamples=9999)
    function = {"mean": np.mean, "median": np.median}[statistic]
    expected = stats.bootstrap((values,), function, method="percentile", n_resamples=9999, rng=0).confidence_interval
    assert low == pytest.approx(expected.low, rel=0.02)
    assert high == pytest.approx(expected.high, rel=0.02)


def test_queries_that_belong_together_widen_the_interval():
    """Every value copied nine times says no more than once: clusters keep the width, single values lose it."""
    values = np.random.default_rng(4).normal(size=50)
    copied, clusters = np.repeat(values, 9), np.repeat(np.arange(50), 9)
    once = np.ptp(bootstrap_interval(values))
    assert np.ptp(bootstrap_interval(copied, clusters)) == pytest.approx(once, rel=1e-9)
    assert np.ptp(bootstrap_interval(copied)) == pytest.approx(once / 3, rel=0.15)


def test_interval_covers_the_truth():
    """95 % intervals over 40 clusters of 1 to 5 dependent values hold the true mean about 95 times in 100."""
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(400):
        clusters = np.repeat(np.arange(40), rng.integers(1, 6, 40))
        values = rng.normal(size=40)[clusters] + 0.5 * rng.normal(size=len(clusters))
        low, high = bootstrap_interval(values, clusters, resamples=300, seed=trial)
        covered += low <= 0 <= high
    assert 0.90 <= covered / 400 <= 0.98


def test_interval_is_reproducible_and_takes_any_labels():
    values, codes = np.arange(60.0) ** 2, np.arange(60) % 20
    labels = np.array(list("abcdefghijklmnopqrst"))[codes]
    first = bootstrap_interval(values, labels, seed=1)
    assert first == bootstrap_interval(values, codes, seed=1)
    assert first != bootstrap_interval(values, labels, seed=2)
    assert bootstrap_interval(np.full(5, 2.0)) == (2, 2)


def test_percentiles_skip_draws_without_a_value():
    low, high = percentile_interval(np.array([1.0, np.nan, 2, 3]), 0.5)
    assert (low, high) == (1.5, 2.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2], None, "mode"), "statistic: 'mode' is not one of mean, median"),
        (([1.0, 2], [1]), "2 values, but 1 clusters"),
        (([],), "no values"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(KithError, match=message):
        bootstrap_interval(*arguments)


def test_a_single_cluster_has_no_interval():
    """Nine answers of one group say nothing of other groups; a width of 0 would look like certainty."""
    values, clusters = np.arange(9.0), np.zeros(9, int)
    for statistic in ("mean", "median"):
        assert np.isnan(bootstrap_interval(values, clusters, statistic)).all()
    draws = Resamples(2, 50, 0)
    one = np.array([[1.0, 1.0], [2.0, np.nan], [3.0, np.nan]])
    assert np.isnan(draws.means(one, np.array([0, 1, 1]))).all(axis=0).tolist() == [False, True]
    found = estimate({"map": values}, clusters, Resamples(1, 50, 0))["map"]
    assert interval(found, 0.95) == {"value": 4.0, "low": None, "high": None}
