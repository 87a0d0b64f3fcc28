"""How sure the order of methods by one metric is: intervals, tests, places, and what it would take to know more."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from kith.evaluation.catalogue import Ranking
from kith.evaluation.components import Components, components
from kith.evaluation.needed import needed
from kith.evaluation.places import letters, places
from kith.evaluation.separation import Separation, separate
from kith.evaluation.statistics import Resamples, percentile_interval

DIFFERENCES = ["split", "metric", "first", "second", "difference", "low", "high", "p", "queries", "seeds"]


@dataclass(frozen=True)
class CompareOptions:
    """bootstrap, confidence, bootstrap_seed: draws of the intervals, how much of them these hold, and their seed;
    permutations, seed, significance: of the comparisons of methods by pairs. details: also the metrics that the
    catalogue calls so."""

    bootstrap: int = 1000
    confidence: float = 0.95
    bootstrap_seed: int = 0
    permutations: int = 10000
    seed: int = 0
    significance: float = 0.05
    details: bool = False


class Answers(NamedTuple):
    """values: (M, S, n) what M methods reached by S trainings each with n queries, no NaN; directions: (n,) int from 0,
    each of the same weight; clusters: (n,) int from 0, the queries that are drawn together."""

    methods: list[str]
    values: np.ndarray
    directions: np.ndarray
    clusters: np.ndarray


def certainty(answers: Answers, ranking: Ranking, options: CompareOptions) -> tuple[pd.DataFrame, pd.DataFrame]:
    """By method, the columns of `ranking`: the interval, p against the best method, which has none, the first and the
    last place, and letters. And by pair, see `differences`.

    >>> values = np.array([[[0.9, 0.8, 0.9, 0.8]], [[0.1, 0.2, 0.2, 0.1]]])
    >>> answers = Answers(["good", "bad"], values, np.zeros(4, int), np.arange(4))
    >>> certainty(answers, Ranking((), ""), CompareOptions(significance=0.2))[0]["letters"].to_dict()
    {'good': 'a', 'bad': 'b'}
    """
    found = components(answers.values, answers.directions, answers.clusters)
    apart = separate(found, answers.methods, options.permutations, options.significance, options.seed)
    differ = apart.p <= options.significance
    low, high = _interval(answers, found, options)
    best = int(found.means.argmax())
    p = np.where(np.arange(len(found.means)) == best, np.nan, apart.p[best])
    values = (low, high, p, *places(found.means, differ), letters(found.means, differ))
    table = pd.DataFrame(dict(zip(ranking.columns + ranking.places, values, strict=True)), index=answers.methods)
    return table, pd.DataFrame(differences(answers, found, apart))


def _interval(answers: Answers, found: Components, options: CompareOptions) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of each method's mean: the percentiles over redrawn clusters of queries, and with several
    trainings these together with Student's interval over the trainings, squared distances from the mean added up."""
    values = answers.values.mean(axis=1)
    draws = Resamples(found.clusters, options.bootstrap, options.bootstrap_seed)
    sides = [answers.directions == direction for direction in range(answers.directions.max() + 1)]
    drawn = np.mean([draws.means(values[:, one].T, answers.clusters[one]) for one in sides], axis=0)
    low, high = percentile_interval(drawn, options.confidence)
    if found.trainings == 1:
        return low, high
    reach = stdtrit(found.freedom, (1 + options.confidence) / 2) * np.sqrt(found.by_seeds)
    return found.means - np.hypot(found.means - low, reach), found.means + np.hypot(high - found.means, reach)


def differences(answers: Answers, found: Components, apart: Separation) -> Iterator[dict[str, Any]]:
    """One row a pair of methods, the better one first, the best pairs first: their difference, its interval, which
    holds together with those of all other pairs, p, and how many queries and seeds would tell them apart."""
    order = np.argsort(-found.means, kind="stable")
    per_cluster = len(answers.clusters) / found.clusters
    for i, j in combinations(order, 2):
        wanted = needed(found, apart, i, j)
        half = apart.half[i, j] if np.isfinite(apart.half[i, j]) else np.nan
        yield {
            "first": answers.methods[i],
            "second": answers.methods[j],
            "difference": apart.difference[i, j],
            "low": apart.difference[i, j] - half,
            "high": apart.difference[i, j] + half,
            "p": apart.p[i, j],
            "queries": np.ceil(wanted.clusters * per_cluster),
            "seeds": wanted.seeds,
        }
