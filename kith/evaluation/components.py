"""Where the differences between methods come from: the queries, the trainings, and what the two make of each other.

A method's mean over S trainings and G clusters of queries differs from its true value by the luck of the queries, which
all trainings share, by that of the trainings, and by that of a training with a query. Queries and trainings are
crossed, so no resampling of both gives the variance exactly (Owen, Annals of Applied Statistics 2007). Here each is
measured by itself, and `kith.evaluation.separation` adds them. The luck of a training with a query is in both parts,
so intervals are a little wide, never narrow.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import polygamma, psi


@dataclass(frozen=True)
class Components:
    """What M methods reached in S trainings each, over G clusters of queries.

    means: (M,) over trainings and queries. parts: (M, G) what each cluster adds to the mean over the trainings, each
    row adding up to 0. seeds: (M,) variance of a training's mean among trainings, moderated; NaN where S = 1. mixed:
    (M,) how much of it comes from the draw of the queries; NaN where S = 1. freedom: degrees of freedom of `seeds`.
    """

    means: np.ndarray
    parts: np.ndarray
    trainings: int
    seeds: np.ndarray
    mixed: np.ndarray
    freedom: float

    @property
    def clusters(self) -> int:
        return self.parts.shape[1]

    @property
    def by_seeds(self) -> np.ndarray:
        """(M,) variance of the means by the luck of the trainings; 0 where there is one, which tells nothing."""
        return self.seeds / self.trainings if self.trainings > 1 else np.zeros(len(self.means))


def components(values: np.ndarray, directions: np.ndarray, clusters: np.ndarray) -> Components:
    """Of the values (M, S, n) of n queries, none of them NaN.

    directions: (n,) int from 0, each of the same weight, however many its queries are; clusters: (n,) int from 0, what
    is drawn together. A value counts by its distance from the mean of its training and direction (the linearised mean,
    as in Särndal, Swensson & Wretman, 1992, 5.5).

    >>> found = components(np.array([[[0.0, 1.0], [0.5, 1.5]]]), np.zeros(2, int), np.arange(2))
    >>> found.means.tolist(), found.parts.tolist(), found.seeds.tolist(), found.mixed.tolist()
    ([0.75], [[-0.25, 0.25]], [0.125], [0.0])
    """
    methods, trainings, _ = values.shape
    asked = np.bincount(directions)
    weights = 1 / (len(asked) * asked[directions])
    means = np.zeros((methods, trainings))
    apart = np.empty_like(values, dtype=np.float64)
    for direction, count in enumerate(asked):
        chosen = directions == direction
        mean = values[:, :, chosen].sum(axis=2) / count
        means += mean / len(asked)
        apart[:, :, chosen] = values[:, :, chosen] - mean[:, :, None]
    apart *= weights
    n = int(clusters.max()) + 1
    parts = np.stack([[np.bincount(clusters, row, n) for row in each] for each in apart])
    shared = parts.mean(axis=1)
    if trainings == 1:
        unknown = np.full(methods, np.nan)
        return Components(means[:, 0], shared, 1, unknown, unknown, 0.0)
    seeds, freedom = moderated(means.var(axis=1, ddof=1), trainings - 1)
    mixed = ((parts - shared[:, None]) ** 2).sum(axis=(1, 2)) / (trainings - 1) * n / max(n - 1, 1)
    return Components(means.mean(axis=1), shared, trainings, seeds, mixed, freedom)


def moderated(variances: np.ndarray, freedom: int) -> tuple[np.ndarray, float]:
    """Variances (M,) of `freedom` degrees each, pooled as far as they are alike, and the degrees that they then have.

    Three seeds say little of a variance. The empirical Bayes estimate of Smyth (Statistical Applications in Genetics
    and Molecular Biology 2004) lends each method the others' experience: all of it where the variances differ no more
    than by chance, none where they differ wildly. What is 0, a training without any luck, stays 0.

    >>> [found.round(2).tolist() for found in map(np.array, moderated(np.array([1.0, 1.2, 0.8]), 2))]
    [[1.0, 1.0, 1.0], 6.0]
    """
    lucky = variances > 0
    known = variances[lucky]
    if len(known) < 2:
        return variances, float(freedom)
    logs = np.log(known) - psi(freedom / 2) + np.log(freedom / 2)
    excess = logs.var(ddof=1) - polygamma(1, freedom / 2)
    found = variances.copy()
    if excess <= 0:
        found[lucky] = known.mean()
        return found, float(freedom * len(known))
    prior = 2 * _inverse_trigamma(float(excess))
    centre = np.exp(logs.mean() + psi(prior / 2) - np.log(prior / 2))
    found[lucky] = (prior * centre + freedom * known) / (prior + freedom)
    return found, float(min(prior + freedom, freedom * len(known)))


def _inverse_trigamma(x: float) -> float:
    """y with trigamma(y) = x, by Newton's method on 1 / trigamma, which is nearly a line (Smyth 2004, appendix)."""
    y = 0.5 + 1 / x
    for _ in range(50):
        reached = polygamma(1, y)
        step = reached * (1 - reached / x) / polygamma(2, y)
        y += step
        if abs(step) < 1e-10 * y:
            break
    return float(y)
