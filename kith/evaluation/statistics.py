"""How sure is a metric? Cluster bootstrap intervals over the queries.

Queries that belong together (the texts of one item, the items of one group) are not independent: they form a
cluster and are drawn together. `clusters` gives each value's cluster as an integer from 0.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kith.errors import KithError

BLOCK = 1 << 22  # numbers held at once
CACHED = 1 << 17  # numbers that are drawn and counted while they stay in a processor's cache


@dataclass(frozen=True)
class Resamples:
    """The same draws of clusters for any number of statistics, so that these can be combined and compared.

    Each of `resamples` draws takes `n_clusters` clusters with replacement. The draws are made anew from the
    seed for every statistic, a block at a time, so memory stays bounded.

    >>> draws = Resamples(n_clusters=2, resamples=4, seed=0)
    >>> draws.means(np.array([0.0, 0.0, 1.0]), np.array([0, 0, 1])).shape
    (4,)
    """

    n_clusters: int
    resamples: int
    seed: int

    def means(self, values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
        """Mean of each column of `values` (n,) or (n, m) in every draw: (resamples,) or (resamples, m).

        NaN marks a value that is left out; a draw without any value gives NaN. So does every draw where all values are
        of one cluster, for one tells nothing of what others would be.
        """
        table = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
        sums = self._by_cluster(np.nan_to_num(table, nan=0.0), clusters)
        counts = self._by_cluster(~np.isnan(table) * 1.0, clusters)
        # Where all columns have the same values, one does for all: their numbers are whole, and so exact.
        of = counts[:, :1] if (counts == counts[:, :1]).all() else counts
        with np.errstate(invalid="ignore"):
            drawn = np.concatenate([(w @ sums) / (w @ of) for w in self.weights(self.n_clusters)])
        drawn[:, np.count_nonzero(counts, axis=0) < 2] = np.nan
        return drawn[:, 0] if np.ndim(values) == 1 else drawn

    def medians(self, values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
        """Median of `values` (n,) in every draw: (resamples,) float64; NaN as for `means`."""
        kept = np.flatnonzero(~np.isnan(values))
        if len(np.unique(clusters[kept])) < 2:
            return np.full(self.resamples, np.nan)
        order = kept[np.argsort(values[kept], kind="stable")]
        ordered, cluster = np.append(values[order], np.nan), clusters[order]
        drawn = []
        for weights in self.weights(len(ordered) + self.n_clusters):
            below = np.cumsum(weights[:, cluster], axis=1)
            total = weights @ np.bincount(cluster, minlength=self.n_clusters)
            middle = np.stack([(total - 1) // 2, total // 2])
            places = [np.count_nonzero(below <= m[:, None], axis=1) for m in middle]
            drawn.append((ordered[places[0]] + ordered[places[1]]) / 2)
        return np.concatenate(drawn)

    def weights(self, width: int) -> Iterator[np.ndarray]:
        """How often each draw takes each cluster: blocks of rows of a (resamples, n_clusters) matrix."""
        rng = np.random.default_rng(self.seed)
        step = max(1, BLOCK // max(1, width))
        n = self.n_clusters
        least = max(1, CACHED // n)
        for start in range(0, self.resamples, step):
            counted = np.empty((min(step, self.resamples - start), n))
            # Drawn row by row from one stream: the block size does not change the draws.
            for part in (counted[row : row + least] for row in range(0, len(counted), least)):
                taken = rng.integers(0, n, size=part.shape)
                taken += n * np.arange(len(part))[:, None]
                part[:] = np.bincount(taken.ravel(), minlength=part.size).reshape(part.shape)
            yield counted

    def _by_cluster(self, table: np.ndarray, clusters: np.ndarray) -> np.ndarray:
        columns = [np.bincount(clusters, weights=column, minlength=self.n_clusters) for column in table.T]
        return np.stack(columns, axis=1)


def percentile_interval(drawn: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of resampled statistics (resamples, …): low and high, each of shape (…); NaN where all are.

    >>> [round(float(end), 2) for end in percentile_interval(np.arange(101.0), confidence=0.9)]
    [5.0, 95.0]
    """
    tail = 50 * (1 - confidence)
    if not np.isnan(drawn).any():  # the same, without a look at each column by itself
        low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
        return low, high
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        low, high = np.nanpercentile(drawn, [tail, 100 - tail], axis=0)
    return low, high


def bootstrap_interval(
    values: np.ndarray,
    clusters: np.ndarray | None = None,
    statistic: str = "mean",
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile cluster bootstrap of the mean or the median of values (n,): (low, high); NaN of a single cluster.

    clusters (n,) any labels; None: every value on its own. Raises KithError for an unknown statistic, lengths
    that differ, or no values.

    >>> low, high = bootstrap_interval(np.arange(100.0), seed=1)
    >>> low < 49.5 < high
    True
    """
    values = np.asarray(values, dtype=np.float64)
    codes, n = _codes(clusters, len(values))
    draws = Resamples(n, resamples, seed)
    if statistic not in ("mean", "median"):
        raise KithError(f"statistic: '{statistic}' is not one of mean, median")
    drawn = draws.means(values, codes) if statistic == "mean" else draws.medians(values, codes)
    low, high = percentile_interval(drawn, confidence)
    return float(low), float(high)


def _codes(clusters: np.ndarray | None, n: int) -> tuple[np.ndarray, int]:
    if not n:
        raise KithError("no values to resample")
    if clusters is None:
        return np.arange(n), n
    if len(clusters) != n:
        raise KithError(f"{n} values, but {len(clusters)} clusters")
    labels, codes = np.unique(clusters, return_inverse=True)
    return codes.ravel(), len(labels)
