"""Two samples of vectors: whether they are of one distribution, and how well they can be told apart.

Maximum mean discrepancy with a permutation test (Gretton et al., JMLR 2012, equation 5), and a classifier two-sample
test (Lopez-Paz & Oquab, ICLR 2017) whose classifier is the witness function of the same kernel, fitted to one half and
measured on the other.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import fisher_exact, rankdata

PERMUTATIONS = 999


class ToldApart(NamedTuple):
    """auc: how often a row of the first sample is taken for more like the first than one of the second is, 0.5 by
    chance; p: how often a permutation of both samples has as large a discrepancy."""

    auc: float
    p: float


def told_apart(new: np.ndarray, held_out: np.ndarray, seed: int = 0) -> ToldApart:
    """Of vectors (n, d) and (m, d), n and m at least 4; kernel exp(−|x − y|² / median).

    >>> random = np.random.default_rng(0)
    >>> first, second = random.normal(size=(2, 60, 8))
    >>> told_apart(first, second).p > 0.05, told_apart(first + 2, second).p, round(told_apart(first + 2, second).auc, 2)
    (True, 0.001, 1.0)
    """
    random, n = np.random.default_rng(seed), len(new)
    every = np.concatenate([new, held_out]).astype(np.float64)
    distances = cdist(every, every, "sqeuclidean")
    kernel = np.exp(-distances / max(np.median(distances), np.finfo(float).tiny))
    of_new = np.arange(len(every)) < n
    measured = _discrepancies(kernel, of_new[None])[0]
    drawn = np.stack([random.permutation(of_new) for _ in range(PERMUTATIONS)])
    as_large = np.count_nonzero(_discrepancies(kernel, drawn) >= measured - 1e-12)
    half = np.empty(len(every), dtype=bool)  # both halves have rows of both samples
    for sample in (of_new, ~of_new):
        rows = np.flatnonzero(sample)
        half[random.permutation(rows)] = np.arange(len(rows)) % 2 == 0
    areas = [_area(_witness(kernel, fitted, of_new)[~fitted], of_new[~fitted]) for fitted in (half, ~half)]
    return ToldApart(float(np.mean(areas)), float((1 + as_large) / (1 + PERMUTATIONS)))


def more_often(hits: int, rows: int, before: int, of: int) -> float:
    """The p of Fisher's exact test: that `hits` of `rows` are no larger a share than `before` of `of`.

    >>> round(more_often(5, 10, 0, 10), 4), more_often(0, 10, 0, 10)
    (0.0163, 1.0)
    """
    return float(fisher_exact([[hits, rows - hits], [before, of - before]], alternative="greater").pvalue)


def _discrepancies(kernel: np.ndarray, of_new: np.ndarray) -> np.ndarray:
    """(p,) squared discrepancies, biased, for memberships (p, n + m) bool."""
    first = of_new / of_new.sum(axis=1, keepdims=True)
    second = ~of_new / (~of_new).sum(axis=1, keepdims=True)
    weights = first - second
    return np.einsum("pi,pi->p", weights @ kernel, weights)


def _witness(kernel: np.ndarray, fitted: np.ndarray, of_new: np.ndarray) -> np.ndarray:
    """(n + m,) how much more like the new rows each row is, by the rows `fitted` alone."""
    return kernel[:, fitted & of_new].mean(axis=1) - kernel[:, fitted & ~of_new].mean(axis=1)


def _area(scores: np.ndarray, positive: np.ndarray) -> float:
    """Under the ROC curve: ties count half."""
    hits = np.count_nonzero(positive)
    ranks = rankdata(scores)[positive].sum()
    return float((ranks - hits * (hits + 1) / 2) / (hits * (len(scores) - hits)))
