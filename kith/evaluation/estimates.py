"""A metric over all queries, and how sure it is: its value, its bootstrap draws, its interval."""

from typing import NamedTuple

import numpy as np

from kith.evaluation.results import DECIMALS
from kith.evaluation.statistics import Resamples, percentile_interval


class MetricEstimate(NamedTuple):
    """A metric, and what it is in every bootstrap draw; no draws where they say nothing of its spread."""

    value: float
    drawn: np.ndarray


def estimate(values: dict[str, np.ndarray], clusters: np.ndarray, resamples: Resamples) -> dict[str, MetricEstimate]:
    """Every metric over all queries it applies to; those that apply to none are dropped.

    values: (n,) float64 each, NaN where it does not apply; clusters: (n,) int64, see `Resamples`.

    >>> estimates = estimate({"map": np.array([0.0, 1.0])}, np.array([0, 1]), Resamples(2, resamples=10, seed=0))
    >>> estimates["map"].value, estimates["map"].drawn.shape
    (0.5, (10,))
    """
    values = {name: v for name, v in values.items() if not np.isnan(v).all()}
    if not values:
        return {}
    drawn = dict(zip(values, resamples.means(np.column_stack(list(values.values())), clusters).T, strict=True))
    estimates = {name: MetricEstimate(float(np.nanmean(v)), drawn[name]) for name, v in values.items()}
    if "median_rank" in values:
        ranks = values["median_rank"]
        estimates["median_rank"] = MetricEstimate(float(np.median(ranks)), resamples.medians(ranks, clusters))
    return estimates


def interval(measured: MetricEstimate, confidence: float) -> dict[str, float | None]:
    """{"value", "low", "high"}; the ends are None where there is no interval.

    >>> interval(MetricEstimate(0.5, np.linspace(0, 1, 101)), confidence=0.9)
    {'value': 0.5, 'low': 0.05, 'high': 0.95}
    """
    ends = percentile_interval(measured.drawn, confidence) if len(measured.drawn) else (None, None)
    numbers = zip(("value", "low", "high"), (measured.value, *ends), strict=True)
    return {name: None if x is None or np.isnan(x) else round(float(x), DECIMALS) for name, x in numbers}
