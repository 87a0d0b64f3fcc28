"""Which methods differ, by the luck of queries and trainings together, with all pairs looked at at once.

The two lucks are independent. Of each, the largest studentised difference among all pairs is drawn: clusters of queries
change sides with all that they add (a wild cluster bootstrap; Cameron, Gelbach & Miller, Review of Economics and
Statistics 2008), trainings are drawn from a normal law whose variance is as uncertain as it was measured, so that it
has the tails of Student's t. A bootstrap of the trainings themselves would know only ten means of three seeds: its 95 %
intervals hold the truth about 80 times in 100 where trainings differ more than queries, and 91 with deviations scaled
by √(S / (S − 1)) where both count. Half the width of an interval is the root of the sum of the squared halves of each
luck alone (Zou & Donner, Statistics in Medicine 2008), which keeps its promise whichever is the larger. With one
training, only the queries' luck is known, and all that is said here holds for that training alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kith.evaluation.components import Components

BLOCK = 1 << 22  # numbers held at once
OF_QUERIES, OF_SEEDS = 1, 2  # streams of random numbers; those of the methods begin with a letter or digit
SAME = 1e-12  # of a sum of squares: what is less, rounding has left


@dataclass(frozen=True)
class Separation:
    """M methods by pairs, (M, M) each. difference: of the means, of the row's from the column's. half: half the width
    of its interval; all of these hold together. p: the smallest level at which 0 is outside; 1 on the diagonal.
    by_queries, by_seeds: variances of the differences. critical: how many standard errors the largest difference of all
    pairs may reach by the luck of the queries; inf where it is not known.
    """

    difference: np.ndarray
    half: np.ndarray
    p: np.ndarray
    by_queries: np.ndarray
    by_seeds: np.ndarray
    critical: float


def separate(
    found: Components, names: Sequence[str], draws: int = 10_000, significance: float = 0.05, seed: int = 0
) -> Separation:
    """Simultaneous intervals and p values of all differences between methods; memory is bounded by blocks of draws.

    names: of the methods; each has random numbers of its own, so their order changes nothing. p is adjusted for the
    number of pairs by the distribution of the largest one, and at most `significance` just where the interval of
    1 − significance leaves out 0; both with the draw that was seen among the draws, so p is never 0.

    >>> from kith.evaluation.components import components
    >>> values = np.random.default_rng(0).normal([[0.0], [0.1], [2.0]], 1, (3, 50))[:, None]
    >>> found = components(values, np.zeros(50, int), np.arange(50))
    >>> (separate(found, ["a", "b", "c"], 999).p < 0.05).tolist()
    [[False, False, True], [False, False, True], [True, True, False]]
    """
    difference = found.means[:, None] - found.means
    first, second = np.triu_indices(len(names), 1)
    by_queries = _by_queries(found.parts)
    by_seeds = found.by_seeds[:, None] + found.by_seeds
    np.fill_diagonal(by_seeds, 0)
    half, p, critical = np.zeros(difference.shape), np.ones(difference.shape), np.inf
    if len(first):
        queries = _largest_of_queries(found.parts, first, second, draws, seed)
        seeds = _largest_of_seeds(found, names, first, second, draws, seed)
        allowed = int(np.floor(significance * (draws + 1) + 1e-9)) - 1  # draws that may be as large
        if allowed >= 0:
            critical = float(np.sqrt(queries[draws - 1 - allowed]))
        for i, j in zip(first, second, strict=True):
            reach = _times(queries, by_queries[i, j]) + _times(seeds, by_seeds[i, j])
            larger = np.count_nonzero(reach >= difference[i, j] ** 2 * (1 - 1e-9))
            p[i, j] = p[j, i] = (larger + 1) / (draws + 1)
            half[i, j] = half[j, i] = np.sqrt(reach[draws - 1 - allowed]) if allowed >= 0 else np.inf
    return Separation(difference, half, p, by_queries, by_seeds, critical)


def _by_queries(parts: np.ndarray) -> np.ndarray:
    """(M, M) variance of the differences between means by the luck of the queries. Of one cluster it is not known."""
    n = parts.shape[1]
    if n < 2:
        found = np.full((len(parts), len(parts)), np.inf)
        np.fill_diagonal(found, 0)
        return found
    return _squares(parts) * n / (n - 1)


def _squares(parts: np.ndarray) -> np.ndarray:
    gram = parts @ parts.T
    own = np.diag(gram)
    found = own[:, None] + own - 2 * gram
    found[found <= SAME * (own[:, None] + own)] = 0
    return found


def _times(squared: np.ndarray, variance: float) -> np.ndarray:
    """Squared quantiles times a variance: 0 where there is none, whatever the quantiles are."""
    return squared * variance if variance > 0 else np.zeros_like(squared)


def _largest_of_queries(parts: np.ndarray, first: np.ndarray, second: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(draws,) the largest squared studentised difference among the pairs of each draw of signs, sorted."""
    n = parts.shape[1]
    squares = _squares(parts)[first, second]
    differ = squares > 0
    first, second, squares = first[differ], second[differ], squares[differ]
    if n < 2 or not len(first):
        return np.ones(draws)
    largest = []
    for signs in _signs(n, draws, len(first), seed):
        drawn = signs @ parts.T
        squared = (drawn[:, first] - drawn[:, second]) ** 2
        left = np.maximum(squares - squared / n, 0) * n / (n - 1)  # the variance as this draw would have measured it
        with np.errstate(divide="ignore", invalid="ignore"):
            largest.append(np.nan_to_num(squared / left, nan=0.0, posinf=np.inf).max(axis=1))
    return np.sort(np.concatenate(largest))


def _signs(n: int, draws: int, width: int, seed: int) -> Iterator[np.ndarray]:
    """Rows of n random signs, a block of rows at a time, the same whatever the size of the blocks."""
    random = np.random.default_rng([seed, OF_QUERIES])
    bytes_each = 4 * -(-n // 32)
    step = max(1, BLOCK // max(n, width))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        drawn = np.frombuffer(random.bytes(rows * bytes_each), dtype=np.uint8).reshape(rows, bytes_each)
        yield np.unpackbits(drawn, axis=1)[:, :n] * 2.0 - 1


def _largest_of_seeds(
    found: Components, names: Sequence[str], first: np.ndarray, second: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """As `_largest_of_queries`, of draws of the trainings."""
    spread = np.sqrt(found.by_seeds)
    total = spread[first] ** 2 + spread[second] ** 2
    first, second, total = first[total > 0], second[total > 0], total[total > 0]
    if not len(first):
        return np.ones(draws)
    drawn = np.stack([np.random.default_rng([seed, *name.encode()]).standard_normal(draws) for name in names]).T
    drawn *= spread
    measured = np.random.default_rng([seed, OF_SEEDS]).chisquare(found.freedom, draws) / found.freedom
    step = max(1, BLOCK // len(first))
    largest = [
        ((part[:, first] - part[:, second]) ** 2 / total).max(axis=1)
        for part in (drawn[start : start + step] for start in range(0, draws, step))
    ]
    return np.sort(np.concatenate(largest) / measured)
