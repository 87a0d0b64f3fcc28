"""How many queries and trainings it takes to tell two methods apart at the difference that was seen."""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from kith.evaluation.components import Components
from kith.evaluation.separation import Separation

POWER = 0.8
MOST = 1000  # seeds
RANGE = -9.0, 9.0  # of the numbers of queries that are looked at: powers of ten of those that there are


class Needed(NamedTuple):
    """clusters: of queries; seeds: trainings of each method, NaN where one training tells nothing of them. Both are inf
    where no number is enough, and NaN where nothing is known of how queries vary."""

    clusters: float
    seeds: float


def needed(found: Components, apart: Separation, i: int, j: int) -> Needed:
    """To tell methods i and j apart in four of five repetitions, among as many methods and by the same test, if their
    true difference is the one that was seen.

    The measured variance components say what half an interval's width and the spread of the difference would be with
    other numbers; their sum, the spread times the normal quantile of the power, has to stay within the difference. Of
    its square half is given to the trainings, which decides how many; then the queries have to keep within it.

    >>> from kith.evaluation.components import components
    >>> from kith.evaluation.separation import separate
    >>> values = np.random.default_rng(0).normal([[0.0], [0.2]], 1, (2, 100))[:, None]
    >>> found = components(values, np.zeros(100, int), np.arange(100))
    >>> needed(found, separate(found, ["a", "b"], 99), 0, 1).seeds
    nan
    """
    difference, several = abs(apart.difference[i, j]), found.trainings > 1
    never = Needed(np.inf, np.inf if several else np.nan)
    if not np.isfinite([apart.critical, apart.by_queries[i, j]]).all():
        return Needed(np.nan, np.nan)  # nothing is known of how queries vary
    if not difference:
        return never
    level = ndtr(apart.critical)
    mixed = float(found.mixed[i] + found.mixed[j]) if several else 0.0
    own = max(found.seeds[i] + found.seeds[j] - mixed, 0.0) if several else 0.0
    shared = max(apart.by_queries[i, j] - mixed / found.trainings, 0.0)

    def beyond(power: float, seeds: Any) -> Any:
        """By how much half the interval and the spread exceed the difference, with 10^power times the queries."""
        by_queries, by_both = (shared + mixed / seeds) / 10**power, own + mixed / 10**power
        reach = apart.critical * np.sqrt(by_queries)
        if several:
            quantile = stdtrit(found.freedom * (seeds - 1) / (found.trainings - 1), level)
            reach = np.hypot(reach, quantile * np.sqrt(by_both / seeds))
        return reach + ndtri(POWER) * np.sqrt(by_queries + own / seeds) - difference

    numbers = np.arange(2, MOST + 1) if several else np.ones(1)
    enough = np.flatnonzero(beyond(RANGE[1], numbers) <= -difference * (1 - np.sqrt(0.5)))
    if not len(enough):
        return never
    seeds = int(numbers[enough[0]])
    from scipy.optimize import brentq  # takes a third of a second

    power = RANGE[0] if beyond(RANGE[0], seeds) <= 0 else brentq(beyond, *RANGE, args=(seeds,))
    return Needed(np.ceil(found.clusters * 10**power), float(seeds) if several else np.nan)
