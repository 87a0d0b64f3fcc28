"""How sure a metric is, and which methods differ: intervals and tests over queries."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.evaluation.components import components
from kith.evaluation.separation import separate
from kith.evaluation.statistics import Resamples, bootstrap_interval, percentile_interval

TITLE = "Intervals and tests"
ABOUT = """"interval": 1,000 draws of n queries, their mean, 95 %; SciPy draws other ones, so that the ends agree
to a tenth of the width. The limit: the random numbers of the draws, which either takes from the same generator. Ours
counts how often each query was drawn, which for one metric costs more than SciPy's way, which looks its values up; the
counts then do for all metrics, as in "20 intervals", as the stage `evaluate` needs them. "methods apart": simultaneous
intervals and p values of all pairs of 9 methods, by 10,000 draws."""
RESAMPLES, METRICS = 1000, 20


def values(count: int) -> np.ndarray:
    return np.random.default_rng(0).random(count) ** 3


def interval(count: int) -> Callable[[], Any]:
    given = values(count)
    return lambda: bootstrap_interval(given, resamples=RESAMPLES)


def scipy_interval(count: int) -> Callable[[], Any]:
    from scipy.stats import bootstrap

    given = values(count)

    def work() -> tuple[float, float]:
        found = bootstrap((given,), np.mean, n_resamples=RESAMPLES, method="percentile", batch=100, rng=0)
        return found.confidence_interval.low, found.confidence_interval.high

    return work


def intervals(count: int) -> Callable[[], Any]:
    """Of several metrics of the same queries, as the stage `evaluate` has them."""
    table = np.random.default_rng(0).random((count, METRICS)) ** 3

    def work() -> np.ndarray:
        drawn = Resamples(count, RESAMPLES, 0).means(table, np.arange(count))
        return np.stack(percentile_interval(drawn))

    return work


def scipy_intervals(count: int) -> Callable[[], Any]:
    from scipy.stats import bootstrap

    table = (np.random.default_rng(0).random((count, METRICS)) ** 3).T.copy()

    def work() -> np.ndarray:
        found = bootstrap((table,), np.mean, axis=1, n_resamples=RESAMPLES, method="percentile", batch=100, rng=0)
        return np.stack([found.confidence_interval.low, found.confidence_interval.high])

    return work


def draws(count: int) -> Callable[[], Any]:
    """The numbers of the queries that are drawn, and nothing else."""

    def work() -> None:
        random = np.random.default_rng(0)
        for _ in range(0, RESAMPLES, 100):
            random.integers(0, count, size=(100, count))

    return work


def near(ours: Any, theirs: Any) -> None:
    width = theirs[1] - theirs[0]
    assert (np.abs(np.subtract(ours, theirs)) < 0.1 * width).all(), f" {ours} and {theirs}"


def apart(count: int) -> Callable[[], Any]:
    random = np.random.default_rng(0)
    found = random.normal(np.linspace(0, 0.3, 9)[:, None, None], 1, (9, 1, count))
    names = [f"method {number}" for number in range(9)]

    def work() -> np.ndarray:
        return separate(components(found, np.zeros(count, int), np.arange(count)), names).p

    return work


def cases(quick: bool, *, sizes: tuple[int, ...] = (1000, 10_000, 100_000)) -> Iterator[Case]:
    for count in sizes[:1] if quick else sizes:
        limit, scipy = ("the draws", Way(draws, (count,))), {"SciPy": Way(scipy_interval, (count,))}
        yield Case("interval", count, Way(interval, (count,)), scipy, limit=limit, same=near)
        scipy = {"SciPy": Way(scipy_intervals, (count,))} if count <= 10_000 else {}
        step = f"{METRICS} intervals"
        yield Case(step, count, Way(intervals, (count,)), scipy, limit=limit, same=near)
    for count in sizes[:1] if quick else sizes[:2]:
        yield Case("methods apart", count, Way(apart, (count,)))
