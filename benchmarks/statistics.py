"""How sure a metric is, and which methods differ: intervals and tests over queries."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.evaluation.components import components
from kith.evaluation.separation import separate
from kith.evaluation.statistics import bootstrap_interval

TITLE = "Intervals and tests"
ABOUT = """"interval": 1,000 draws of n queries, their mean, 95 %; SciPy draws other ones, so that the ends agree
to a tenth of the width. "methods apart": simultaneous intervals and p values of all pairs of 9 methods, by
10,000 draws."""
RESAMPLES = 1000


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


def near(ours: Any, theirs: Any) -> None:
    width = theirs[1] - theirs[0]
    assert np.abs(np.subtract(ours, theirs)).max() < 0.1 * width, f" {ours} and {theirs}"


def apart(count: int) -> Callable[[], Any]:
    random = np.random.default_rng(0)
    found = random.normal(np.linspace(0, 0.3, 9)[:, None, None], 1, (9, 1, count))
    names = [f"method {number}" for number in range(9)]

    def work() -> np.ndarray:
        return separate(components(found, np.zeros(count, int), np.arange(count)), names).p

    return work


def cases(quick: bool, *, sizes: tuple[int, ...] = (1000, 10_000, 100_000)) -> Iterator[Case]:
    for count in sizes[:1] if quick else sizes:
        yield Case("interval", count, Way(interval, (count,)), {"SciPy": Way(scipy_interval, (count,))}, same=near)
    for count in sizes[:1] if quick else sizes[:2]:
        yield Case("methods apart", count, Way(apart, (count,)))
